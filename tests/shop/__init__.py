"""An app as a developer would add one: it has MCP tools of its own, some of which misbehave."""
