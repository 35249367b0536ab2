"""What a tool may call in threads and loops that it starts by itself: it works, or says in words why not."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from core.models import Product
from mcp_server import MCP, anyone, ask, current_principal, report_message, report_progress
from rls import tenant_context
from tests.mcp_server.test_app import asked, call
from tests.support.world import World


def told() -> str:
    """Report, and say who calls."""
    report_progress(1, 2)
    report_progress(2, 2)
    return current_principal().actor


async def told_async() -> str:
    return told()


def in_a_thread(function: Callable[[], str]) -> str:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def working() -> MCP:
    """A server whose tools call the library in threads and loops of their own."""
    mcp = MCP("working", apps=[], authenticate=anyone)

    @mcp.tool(scope=None, read_only=True)
    async def by_sync_to_async() -> str:
        """In asgiref's thread."""
        return await sync_to_async(told)()

    @mcp.tool(scope=None, read_only=True)
    async def by_to_thread() -> str:
        """In asyncio's thread."""
        return await asyncio.to_thread(told)

    @mcp.tool(scope=None, read_only=True)
    async def by_a_blocked_loop() -> str:
        """While the server's loop waits for it."""
        return in_a_thread(functools.partial(contextvars.copy_context().run, told))

    @mcp.tool(scope=None, read_only=True)
    def by_a_copied_context() -> str:
        """In a pool's thread that is given the context."""
        return in_a_thread(functools.partial(contextvars.copy_context().run, told))

    @mcp.tool(scope=None, read_only=True)
    def by_another_loop() -> str:
        """In a loop of its own."""
        return asyncio.run(told_async())

    @mcp.tool(scope=None, read_only=True)
    def by_async_to_sync() -> str:
        """In asgiref's loop."""
        return async_to_sync(told_async)()

    @mcp.tool(scope=None, read_only=False)
    def by_itself() -> str:
        """In the worker."""
        return told()

    @mcp.tool(scope=None, read_only=True)
    def fails() -> str:
        """Reports, and fails."""
        told()
        raise ZeroDivisionError

    @mcp.tool(scope=None, read_only=True)
    def in_a_plain_thread(function: str) -> str:
        """Without the context."""
        functions: dict[str, Callable[[], Any]] = {
            "ask": lambda: ask("Sure?"),
            "current_principal": current_principal,
            "report_message": lambda: report_message("Told"),
            "report_progress": lambda: report_progress(1, 2),
        }
        return in_a_thread(functions[function])

    @mcp.tool(scope=None, read_only=False, asks=True)
    def sells_without_a_yes() -> str:
        """Asks where nobody hears it, and sells."""
        in_a_thread(lambda: str(ask("Sell all?")))
        Product.objects.update(stock=0)
        return "Sold"

    return mcp


def heard(name: str, **arguments: Any) -> list[dict[str, Any]]:
    """The messages that a client is sent which asks for progress."""
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": "p"}}
    answer = asked(working().asgi(), lambda client: call(client, "/mcp/acme/", "tools/call", **params))
    return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]


@pytest.mark.parametrize(
    "name",
    [
        "by_sync_to_async",
        "by_to_thread",
        "by_a_blocked_loop",
        "by_a_copied_context",
        "by_another_loop",
        "by_async_to_sync",
        "by_itself",
    ],
)
def test_a_thread_that_knows_the_call_tells_how_far_it_is(name: str, acme: World) -> None:
    *progress, answer = heard(name)

    assert [message["params"]["progress"] for message in progress] == [1, 2]
    assert answer["result"]["content"][0]["text"] == "public"


def test_what_was_reported_before_a_failure_is_told_before_it(acme: World) -> None:
    *progress, answer = heard("fails")

    assert [message["params"]["progress"] for message in progress] == [1, 2]
    assert answer["result"]["isError"]


@pytest.mark.parametrize("function", ["ask", "current_principal", "report_message", "report_progress"])
def test_a_thread_that_does_not_know_the_call_is_told_what_to_write(
    function: str, acme: World, caplog: pytest.LogCaptureFixture
) -> None:
    *_, answer = heard("in_a_plain_thread", function=function)

    assert answer["result"]["isError"]
    assert f"{function}() was called outside of any call, or in a thread that does not know of its call" in caplog.text
    assert "contextvars.copy_context().run(function)" in caplog.text


def test_a_question_that_nobody_hears_is_no_yes(acme: World) -> None:
    *_, answer = heard("sells_without_a_yes")

    assert answer["result"]["isError"]
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 5


def test_outside_of_a_call_whoever_runs_a_service_is_the_person(acme: World) -> None:
    with tenant_context(acme.id):
        ask("Sure?")
        report_message("Told")
        report_progress(1, 2)
