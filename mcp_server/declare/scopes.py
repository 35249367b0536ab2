"""The scopes that there are: those that tools, resources and prompts ask for."""

from __future__ import annotations

from mcp_server.declare import prompts, resources, tools


def declared_scopes() -> frozenset[str]:
    """Every scope that a tool, a resource or a prompt needs."""
    of_tools = [spec.scope for endpoint in tools.Endpoint for spec in tools.tools(endpoint)]
    of_resources = [spec.scope for spec in resources.resources()]
    of_prompts = [spec.scope for spec in prompts.prompts().values()]
    return frozenset(str(scope) for scope in (*of_tools, *of_resources, *of_prompts) if scope is not None)
