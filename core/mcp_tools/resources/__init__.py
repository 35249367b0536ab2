"""The resources of a tenant. Each is thin: a service or a tool's function called, its answer in one or more parts."""
