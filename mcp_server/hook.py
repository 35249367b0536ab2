"""The tool hook: what stands between the protocol and a tool's function."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from django.utils import translation
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent

from core.errors import DomainError
from core.principals import Principal
from mcp_server import workers
from mcp_server.registry import Answer, Door, ToolSpec
from mcp_server.tenancy import current_principal
from rls import platform_context

logger = logging.getLogger("mcp_server.calls")


def hooked(spec: ToolSpec) -> Callable[..., Awaitable[CallToolResult]]:
    """The tool's function with its signature, checked, isolated, returned to the pool, and logged."""

    @functools.wraps(spec.function)
    async def call(**arguments: Any) -> CallToolResult:
        principal = current_principal()
        started = time.perf_counter()
        outcome = "ok"
        try:
            _require_scope(spec, principal)
            return await _run(spec, principal, arguments)
        except (DomainError, ToolError) as error:
            outcome = "refused"
            raise ToolError(str(error)) from error
        except MCPError:
            outcome = "refused"
            raise
        except Exception as error:
            outcome = reference = uuid.uuid4().hex[:12]
            logger.exception("tool failed unexpectedly", extra={"reference": reference})
            raise ToolError(f"{spec.name} failed unexpectedly. Report reference {reference}.") from error
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            _log(spec, principal, outcome, time.perf_counter() - started)

    return call


async def _run(spec: ToolSpec, principal: Principal, arguments: dict[str, Any]) -> CallToolResult:
    if not spec.is_async:
        return await workers.run(_answer, spec, principal, arguments)
    async with workers.own_connection():
        with translation.override(_language(principal)):
            return as_result(await spec.function(**arguments))


def _answer(spec: ToolSpec, principal: Principal, arguments: dict[str, Any]) -> CallToolResult:
    with translation.override(_language(principal)):
        if spec.door is Door.TENANT:
            return as_result(spec.function(**arguments))
        with platform_context(actor=principal.name, reason=f"tool {spec.name}", origin="mcp"):
            return as_result(spec.function(**arguments))


def as_result(answer: Answer) -> CallToolResult:
    """Both forms of an answer: structured content for programs, text for people."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.text())],
        structured_content=answer.model_dump(mode="json"),
    )


def _language(principal: Principal) -> str:
    return translation.get_language() if not principal.locale else principal.locale


def _require_scope(spec: ToolSpec, principal: Principal) -> None:
    if spec.scope is not None and spec.scope not in principal.scopes:
        raise ToolError(
            f"This token may not call {spec.name}: it lacks the scope {spec.scope}. Ask for one that has it."
        )


def _log(spec: ToolSpec, principal: Principal, outcome: str, seconds: float) -> None:
    logger.info(
        "tool call",
        extra={
            "tool": spec.name,
            "tenant": principal.subdomain or "platform",
            "principal": principal.subject,
            "outcome": outcome,
            "duration_ms": round(seconds * 1000, 1),
        },
    )
