"""The trail of calls: each call is in it once, with who, from where and what became of it, and without secrets."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from core.models import Export
from core.scopes import Scope
from core.services import exports
from mcp_server.ledger import trail
from mcp_server.ledger.models import AuditEvent, CallRecord
from mcp_server.tokens import tokens
from mcp_server.tokens.models import ApiToken
from rls import tenant_context
from tests.mcp_server.test_cancelling import MODERN, Stdio
from tests.mcp_server.test_installed import without
from tests.support.held import LONG, until
from tests.support.processes import ERAS, Era, Process, connected, serving
from tests.support.world import World, working

Story = Callable[[Client], Awaitable[Any]]


def at(server: Process, world: World, story: Story, era: Era = "2026-07-28", token: str = "") -> str:
    """Runs the story of a connected client; the id that its requests have."""
    request_id = uuid.uuid4().hex

    async def run() -> None:
        headers = {"X-Request-ID": request_id}
        async with connected(server.mcp(world.subdomain), token or world.token, era, headers) as client:
            with suppress(MCPError):
                await story(client)

    asyncio.run(run())
    return request_id


def calling(tool: str, **arguments: Any) -> Story:
    return lambda client: client.call_tool(tool, arguments)


def found(world: World, request_id: str) -> list[CallRecord]:
    with tenant_context(world.id):
        return list(CallRecord.objects.filter(request_id=request_id).order_by("created_at"))


def record(world: World, request_id: str) -> CallRecord:
    """The one record of the request, once it is written."""
    until(lambda: found(world, request_id))
    [only] = found(world, request_id)
    return only


@pytest.mark.parametrize("era", ERAS)
def test_a_read_is_kept_with_who_from_where_and_what_it_gave(era: Era, acme: World, server: Process) -> None:
    story = calling("get_tenant_products", search="anvil", min_price="1")

    kept = record(acme, at(server, acme, story, era))

    with working():
        token = ApiToken.objects.get(tenant_id=acme.id)
    assert (kept.kind, kept.action, kept.outcome, kept.rows) == ("tool", "get_tenant_products", "ok", 1)
    assert kept.arguments == {"search": "anvil", "min_price": "1"}
    assert (kept.actor, kept.actor_id, kept.address) == ("acme token", str(token.id), "127.0.0.1")
    # The older protocol says it once, and a server without sessions forgets it.
    assert kept.client == "mcp 0.1.0" if era == "2026-07-28" else kept.client.startswith("python-httpx2/")
    assert kept.duration_ms > 0


def test_an_answer_that_lists_nothing_has_no_number_of_rows(acme: World, server: Process) -> None:
    kept = record(acme, at(server, acme, calling("add_numbers", a=1, b=2)))

    assert (kept.action, kept.rows) == ("add_numbers", None)


@pytest.mark.parametrize(
    ("name", "arguments", "outcome"),
    [
        ("shop_refuse", {}, "refused"),
        ("shop_nothing_of_the_kind", {}, "refused"),
        ("get_product", {"sku": ["A-1"]}, "refused"),
        ("get_product", {"sku": "A-1", "tenant_id": "globex"}, "refused"),
        ("get_product", {"sku": "A\0-1"}, "refused"),
        ("shop_rename", {"sku": "A-1", "name": "New", "dry_run": True}, "dry run"),
        ("update_product", {"sku": "A-1", "reorder_level": 0}, "unchanged"),
    ],
)
def test_what_changed_nothing_is_kept_with_its_outcome(
    name: str, arguments: dict[str, Any], outcome: str, acme: World, server: Process
) -> None:
    kept = record(acme, at(server, acme, calling(name, **arguments)))

    assert (kept.action, kept.outcome) == (name, outcome)
    assert list(kept.arguments) == list(arguments)


def test_a_crash_is_kept_with_the_reference_that_the_log_has(acme: World, server: Process) -> None:
    kept = record(acme, at(server, acme, calling("shop_crash")))

    assert re.fullmatch(r"\w{12}", kept.outcome)
    assert f'"outcome": "{kept.outcome}"' in server.log.read_text()


def test_a_call_without_the_scope_is_kept(acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="keeper", slug="acme", scopes=[Scope.AUDIT_READ])

    kept = record(acme, at(server, acme, calling("get_product", sku="A-1"), token=token))

    assert (kept.actor, kept.outcome) == ("keeper", "refused")


def test_a_change_is_an_event_and_nothing_beside_it(acme: World, server: Process) -> None:
    async def story(client: Client) -> None:
        restock = {"sku": "A-1", "idempotency_key": "k"}
        await client.call_tool("shop_restock", restock)
        await client.call_tool("shop_restock", restock)
        await client.call_tool("shop_names", {})

    request_id = at(server, acme, story)

    until(lambda: len(found(acme, request_id)) == 2)
    assert [(kept.action, kept.outcome) for kept in found(acme, request_id)] == [
        ("shop_restock", "repeated"),
        ("shop_names", "ok"),
    ]
    with tenant_context(acme.id):
        event = AuditEvent.objects.get(action="shop_restock")
    assert (event.request_id, event.client, event.address) == (request_id, "mcp 0.1.0", "127.0.0.1")
    assert event.actor_id


def test_what_is_read_and_a_prompt_are_kept(acme: World, server: Process) -> None:
    async def story(client: Client) -> None:
        await client.read_resource("tenant://info")
        await client.get_prompt("restock_plan", {})
        await client.list_tools()

    request_id = at(server, acme, story)

    until(lambda: len(found(acme, request_id)) == 2)
    assert [(kept.kind, kept.arguments, kept.outcome) for kept in found(acme, request_id)] == [
        ("resource", {"uri": "tenant://info"}, "ok"),
        ("prompt", {}, "ok"),
    ]


def test_what_is_signed_in_a_link_is_not_kept(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        handle = exports.handle(Export.objects.get())

    kept = record(acme, at(server, acme, lambda client: client.read_resource(f"export://{handle}")))

    assert kept.arguments == {"uri": "export://{id}"}


def test_another_tenant_reads_nothing_of_it(acme: World, globex: World, server: Process) -> None:
    request_id = at(server, acme, calling("shop_names"))

    until(lambda: found(acme, request_id))

    assert found(globex, request_id) == []


def test_whoever_ends_a_server_loses_no_record(acme: World, tmp_path: Path) -> None:
    with serving(tmp_path / "log", app="tests.shop.asgi:app") as process:
        request_id = at(process, acme, calling("shop_names"))

    assert len(found(acme, request_id)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("by", [None, signal.SIGTERM])
def test_whoever_ends_stdio_loses_no_record(by: signal.Signals | None, acme: World, tmp_path: Path) -> None:
    search = uuid.uuid4().hex
    with Stdio(acme, tmp_path / "log", MODERN).running() as stdio:
        assert stdio.call({"name": "get_tenant_products", "arguments": {"search": search}}).result(LONG)
        if by is None:
            assert stdio.process.stdin
            stdio.process.stdin.close()
        else:
            os.kill(stdio.process.pid, by)
        stdio.process.wait(LONG)

    with tenant_context(acme.id):
        kept = CallRecord.objects.get(arguments__search=search)
    assert (kept.client, kept.address) == ("t 1", "")


def test_without_the_ledger_nothing_is_kept_and_nothing_is_paid() -> None:
    assert trail.middleware([]) != []

    with without("mcp_server.ledger"):
        assert trail.middleware([]) == []
