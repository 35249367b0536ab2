"""OAuth 2.1: a tenant's endpoint as a resource server, whose tokens an identity provider issues."""
