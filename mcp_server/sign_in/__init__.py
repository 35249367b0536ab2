"""An optional Django app: an OAuth 2.1 authorization server, where people sign in as users of Django."""
