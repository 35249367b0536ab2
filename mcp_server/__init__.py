"""MCP for Django: says who is calling, opens the tenant's context, and runs plain functions of your apps.

What `__all__` names is public. It is imported when it is first used: Django imports this package before it is set up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_server.app import MCP
    from mcp_server.approval import ask
    from mcp_server.call.progress import report as report_progress
    from mcp_server.call.progress import report_message
    from mcp_server.declare.arguments import Argument
    from mcp_server.declare.prompts import prompt
    from mcp_server.declare.resources import Content, resource
    from mcp_server.declare.tools import Answer, Change, Endpoint, ValueChange, tool
    from mcp_server.errors import Refusal
    from mcp_server.http.authentication import anyone, by_token, server_scopes
    from mcp_server.http.context import current_principal
    from mcp_server.ledger.states import forget as forget_state
    from mcp_server.ledger.states import restore as restore_state
    from mcp_server.ledger.states import save as save_state
    from mcp_server.limits.rules import Limits
    from mcp_server.oauth.issuers import Issuer
    from mcp_server.oauth.server import ResourceServer
    from mcp_server.principals import Principal
    from mcp_server.sign_in.callers import SignIn

__version__ = "0.1.0"

__all__ = [
    "MCP",
    "Answer",
    "Argument",
    "Change",
    "Content",
    "Endpoint",
    "Issuer",
    "Limits",
    "Principal",
    "Refusal",
    "ResourceServer",
    "SignIn",
    "ValueChange",
    "__version__",
    "anyone",
    "ask",
    "by_token",
    "current_principal",
    "forget_state",
    "prompt",
    "report_message",
    "report_progress",
    "resource",
    "restore_state",
    "save_state",
    "server_scopes",
    "tool",
]

_PLACES = {
    "MCP": "app.MCP",
    "Answer": "declare.tools.Answer",
    "Argument": "declare.arguments.Argument",
    "Change": "declare.tools.Change",
    "Content": "declare.resources.Content",
    "Endpoint": "declare.tools.Endpoint",
    "Issuer": "oauth.issuers.Issuer",
    "Limits": "limits.rules.Limits",
    "Principal": "principals.Principal",
    "Refusal": "errors.Refusal",
    "ResourceServer": "oauth.server.ResourceServer",
    "SignIn": "sign_in.callers.SignIn",
    "ValueChange": "declare.tools.ValueChange",
    "anyone": "http.authentication.anyone",
    "ask": "approval.ask",
    "by_token": "http.authentication.by_token",
    "current_principal": "http.context.current_principal",
    "forget_state": "ledger.states.forget",
    "prompt": "declare.prompts.prompt",
    "report_message": "call.progress.report_message",
    "report_progress": "call.progress.report",
    "resource": "declare.resources.resource",
    "restore_state": "ledger.states.restore",
    "save_state": "ledger.states.save",
    "server_scopes": "http.authentication.server_scopes",
    "tool": "declare.tools.tool",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].rpartition(".")
    return getattr(import_module(f"{__name__}.{module}"), attribute)
