"""The rounds of a tool that asks by itself: what was answered once is done once, however often the answer comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.db.models import F
from mcp.server.mcpserver import Context
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from core.models import Product
from mcp_server import MCP, anyone
from mcp_server.ledger.models import AuditEvent
from rls import tenant_context
from tests.mcp_server import raw
from tests.mcp_server.held import LONG
from tests.mcp_server.test_app import asked
from tests.mcp_server.test_cancelling import MODERN as META
from tests.mcp_server.test_cancelling import Stdio
from tests.world import World

MODERN = "2026-07-28"
ROOMY = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}

Send = Callable[..., Awaitable[dict[str, Any]]]


def question(name: str, state: str | None) -> InputRequiredResult:
    """A form of one number, under this name."""
    form = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
    params = ElicitRequestFormParams(message=f"How many {name}?", requested_schema=form)
    return InputRequiredResult(input_requests={name: ElicitRequest(params=params)}, request_state=state)


def answered(asked: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    """The params of the message that answers a question."""
    responses = {name: {"action": "accept", "content": {"number": number}}}
    return {"inputResponses": responses, "requestState": asked.get("requestState")}


def number_of(ctx: Context[Any, Any], name: str) -> int | None:
    answer = (ctx.input_responses or {}).get(name)
    content = answer.content if isinstance(answer, ElicitResult) else None
    return int(content["number"]) if content else None  # type: ignore[arg-type]


def stocking(name: str = "stocking") -> MCP:
    """A server with tools that ask by themselves before they change something."""
    mcp = MCP(name, apps=[], authenticate=anyone)

    @mcp.tool(scope=None, read_only=False)
    def add(ctx: Context[Any, Any], sku: str = "A-1") -> str | InputRequiredResult:
        """Add as many as the person says."""
        number = number_of(ctx, "anvils")
        if number is None:
            return question("anvils", None)
        Product.objects.filter(sku=sku).update(stock=F("stock") + number)
        return f"{number} added"

    @mcp.tool(scope=None, read_only=False)
    def add_both(ctx: Context[Any, Any]) -> str | InputRequiredResult:
        """Add what two answers make together."""
        if ctx.request_state is None:
            # Written and rolled back: until all is answered, nothing is kept.
            Product.objects.update(stock=F("stock") + 1000)
            return question("old", "one")
        if ctx.request_state == "one":
            return question("new", f"two {number_of(ctx, 'old')}")
        word, _, old = ctx.request_state.partition(" ")
        assert word == "two"
        Product.objects.update(stock=F("stock") + int(old) + (number_of(ctx, "new") or 0))
        return "added"

    return mcp


def told(story: Callable[[Send], Awaitable[Any]], of: MCP | None = None) -> Any:
    """What a story finds out that sends calls, by acme where it does not say, in the protocol that has rounds."""

    async def with_client(client: httpx2.AsyncClient) -> Any:
        async def send(
            name: str, arguments: dict[str, Any] | None = None, at: str = "/mcp/acme/", **more: Any
        ) -> dict[str, Any]:
            params = {"name": name, "arguments": arguments or {}, **more}
            message = raw.message("tools/call", params, MODERN)
            message["params"]["_meta"] = message["params"]["_meta"] | ROOMY
            headers = raw.headers("", MODERN, "tools/call", name) | {"Accept": raw.BOTH}
            answer = (await client.post(at, json=message, headers=headers)).json()
            return dict(answer.get("result", answer))

        return await story(send)

    return asked((of or stocking()).asgi(), with_client)


def stock(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get().stock


def test_a_round_that_is_sent_again_gets_the_first_answer_and_adds_nothing(acme: World) -> None:
    async def story(send: Send) -> list[dict[str, Any]]:
        first = await send("add")
        return [
            await send("add", **answered(first, "anvils", 2)),
            await send("add", **answered(first, "anvils", 2)),
            # The same round, with other words of the person.
            await send("add", **answered(first, "anvils", 30)),
        ]

    results = told(story)

    assert [result["content"][0]["text"] for result in results] == ["2 added"] * 3
    assert stock(acme) == 7
    with tenant_context(acme.id):
        assert AuditEvent.objects.filter(action="add").count() == 1


def test_rounds_that_are_sent_at_once_add_once(acme: World) -> None:
    async def story(send: Send) -> list[dict[str, Any]]:
        first = await send("add")
        return await asyncio.gather(*(send("add", **answered(first, "anvils", 2)) for _ in range(4)))

    results = told(story)

    assert [result["content"][0]["text"] for result in results] == ["2 added"] * 4
    assert stock(acme) == 7


def test_the_rounds_of_one_call_are_good_once_together(acme: World) -> None:
    async def story(send: Send) -> list[dict[str, Any]]:
        first = await send("add_both")
        second = await send("add_both", **answered(first, "old", 2))
        done = await send("add_both", **answered(second, "new", 3))
        # From the middle on once more: the call is answered, so nothing is asked.
        middle = await send("add_both", **answered(first, "old", 20))
        return [done, middle, await send("add_both", **answered(second, "new", 30))]

    done, middle, last = told(story)

    assert done["content"][0]["text"] == "added"
    assert [middle, last] == [done, done]
    assert stock(acme) == 10


def test_each_call_has_rounds_of_its_own(acme: World) -> None:
    async def story(send: Send) -> None:
        for _ in range(2):
            first = await send("add")
            await send("add", **answered(first, "anvils", 2))

    told(story)

    assert stock(acme) == 9


@pytest.mark.parametrize("state", [None, "two 5"])
def test_an_answer_without_the_sealed_round_is_none(state: str | None, acme: World) -> None:
    async def story(send: Send) -> dict[str, Any]:
        responses = answered({}, "anvils", 2)["inputResponses"]
        return await send("add", inputResponses=responses, **({"requestState": state} if state else {}))

    result = told(story)

    assert "anvils" in result["inputRequests"] if state is None else "Invalid or expired" in str(result)
    assert stock(acme) == 5


def test_a_dry_run_of_the_answer_uses_nothing_up(acme: World) -> None:
    async def story(send: Send) -> list[dict[str, Any]]:
        dry = await send("add", {"dry_run": True})
        return [await send("add", {"dry_run": True}, **answered(dry, "anvils", 2)) for _ in range(2)]

    results = told(story)

    assert all(result["content"][0]["text"].startswith("Dry run: nothing was changed.\n2 added") for result in results)
    assert stock(acme) == 5


def test_a_callers_own_key_holds_across_the_rounds(acme: World) -> None:
    async def story(send: Send) -> list[dict[str, Any]]:
        key = {"idempotency_key": "mine"}
        first = await send("add", key)
        done = await send("add", key, **answered(first, "anvils", 2))
        return [done, await send("add", key)]

    done, again = told(story)

    assert again == done
    assert stock(acme) == 7


@pytest.mark.parametrize(("name", "at"), [("another", "/mcp/acme/"), ("stocking", "/mcp/globex/")])
def test_a_round_opens_at_no_other_server_and_for_no_other_tenant(
    name: str, at: str, acme: World, globex: World
) -> None:
    first = told(lambda send: send("add"))

    same = told(lambda send: send("add", **answered(first, "anvils", 2)))
    result = told(lambda send: send("add", at=at, **answered(first, "anvils", 2)), of=stocking(name))

    assert same["content"][0]["text"] == "2 added"
    assert result["error"]["data"] == {"reason": "invalid_request_state"}


def test_a_round_over_stdio_opens_in_no_process_of_another_tenant(acme: World, globex: World, tmp_path: Path) -> None:
    asking = META | ROOMY
    params = {"name": "adjust_stock", "arguments": {"sku": "A-1", "quantity": 2000, "reason": "purchase"}}
    yes = {"inputResponses": {"form": {"action": "accept", "content": {"confirm": True}}}}

    with (
        Stdio(acme, tmp_path / "acme", asking).running() as of_acme,
        Stdio(globex, tmp_path / "globex", asking).running() as of_globex,
    ):
        asked = of_acme.call(params, 2).result(LONG)
        answer = params | yes | {"requestState": asked["result"]["requestState"]}
        elsewhere = of_globex.call(answer, 3).result(LONG)
        at_home = of_acme.call(answer, 4).result(LONG)

    assert elsewhere["error"]["data"] == {"reason": "invalid_request_state"}
    assert not at_home["result"]["isError"]
    assert (stock(acme), stock(globex)) == (2005, 5)
