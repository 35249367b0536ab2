"""A change whose tool says that it has failed leaves nothing behind, however the tool says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import translation
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent

from core.models import Product
from mcp_server import MCP, Refusal, anyone, ask
from mcp_server.call import sizes
from mcp_server.ledger.models import AuditEvent, IdempotencyKey
from rls import tenant_context
from tests.mcp_server.test_app import asked, call
from tests.world import World

WORDS = "The warehouse does not answer."


def an_error() -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=WORDS)], is_error=True)


def a_refusal() -> CallToolResult:
    raise Refusal(WORDS)


def a_tool_error() -> CallToolResult:
    raise ToolError(WORDS)


def an_error_of_the_protocol() -> CallToolResult:
    raise MCPError(-32042, WORDS)


WAYS = [an_error, a_refusal, a_tool_error, an_error_of_the_protocol]


def failing(fail: Callable[[], CallToolResult]) -> MCP:
    """A server whose tools change something before they fail."""
    mcp = MCP("failing", apps=[], authenticate=anyone)

    @mcp.tool(scope=None, read_only=False)
    def sell() -> CallToolResult:
        """Sell one."""
        Product.objects.update(stock=0)
        return fail()

    @mcp.tool(scope=None, read_only=False, asks=True)
    def sell_after_a_yes() -> CallToolResult:
        """Sell one, where a person agrees."""
        ask("Sell?")
        return sell()

    return mcp


def sent(mcp: MCP, name: str, **arguments: Any) -> dict[str, Any]:
    """The message that answers a call by acme."""
    answer = asked(mcp.asgi(), lambda client: call(client, "/mcp/acme/", "tools/call", name=name, arguments=arguments))
    return dict(answer.json())


@pytest.mark.parametrize("fail", WAYS)
def test_nothing_is_left_of_a_change_that_failed(fail: Callable[[], CallToolResult], acme: World) -> None:
    mcp = failing(fail)
    with tenant_context(acme.id):
        events, keys = AuditEvent.objects.count(), IdempotencyKey.objects.count()

    first, second = (sent(mcp, "sell", idempotency_key="same") for _ in range(2))

    assert first == second
    assert WORDS in str(first)
    assert "error" in first or first["result"]["isError"]
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 5
        assert (AuditEvent.objects.count(), IdempotencyKey.objects.count()) == (events, keys)


@pytest.mark.parametrize("fail", WAYS[:3])
def test_a_key_is_free_after_a_failure(fail: Callable[[], CallToolResult], acme: World) -> None:
    answers = iter([fail, lambda: CallToolResult(content=[TextContent(type="text", text="Sold")])])
    mcp = failing(lambda: next(answers)())

    failed, sold, again = (sent(mcp, "sell", idempotency_key="same")["result"] for _ in range(3))

    assert failed["isError"]
    assert sold["content"][0]["text"] == "Sold"
    assert again == sold
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 0


@pytest.mark.parametrize("fail", WAYS[:3])
@pytest.mark.parametrize("arguments", [{}, {"dry_run": True}])
def test_nobody_is_asked_about_what_fails_and_no_dry_run_promises_it(
    fail: Callable[[], CallToolResult], arguments: dict[str, Any], acme: World
) -> None:
    result = sent(failing(fail), "sell_after_a_yes", **arguments)["result"]

    assert result["isError"]
    assert [block["text"] for block in result["content"]] == [WORDS]


def test_a_failure_is_logged_as_a_refusal(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mcp_server.call.calls")

    sent(failing(an_error), "sell")

    assert [record.__dict__["outcome"] for record in caplog.records if record.message == "tool call"] == ["refused"]


def test_an_error_that_is_too_long_does_not_say_that_it_was_done() -> None:
    long = CallToolResult(content=[TextContent(type="text", text="\n".join(["a b"] * 30_000))], is_error=True)

    with translation.override("en"):
        cut = sizes.fitted(long, sizes.Asked("sell", takes_limit=False, is_change=True))

    assert "Nothing was changed." in str(cut.content[0])
    assert "It is done." not in str(cut.content[0])
