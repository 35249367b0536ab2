"""The MCP endpoint: says who is calling, opens the tenant context, and runs plain functions of the domain."""
