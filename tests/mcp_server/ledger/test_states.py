"""What a tool keeps under a handle is there for the same caller, and for nobody else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from django.core.management import call_command
from django.utils import timezone

from mcp_server import MCP, forget_state, restore_state, save_state
from mcp_server.http.authentication import Authenticate, anyone
from mcp_server.ledger import states
from mcp_server.ledger.models import AuditEvent, State
from rls import tenant_context
from tests.mcp_server.test_app import asked
from tests.mcp_server.test_caching import by_number, principal, said
from tests.support.world import World

VALUES: list[Any] = [
    {"basket": [{"sku": "A-1", "quantity": 2}], "half": 0.1, "many": 10**30, "none": None},
    "NUL \0, half of a character \ud800, 台灣",
    [],
]


class Desk:
    """A server whose tools keep what they are given."""

    def __init__(self, authenticate: Authenticate = anyone) -> None:
        self.mcp = mcp = MCP("desk", apps=[], authenticate=authenticate)
        self.value: Any = None
        self.lifetime = states.LIFETIME
        self.restored: list[Any] = []

        @mcp.tool(scope=None, read_only=False)
        def keep(handle: str | None = None) -> str:
            """Keep."""
            return save_state(self.value, handle=handle, lifetime=self.lifetime)

        @mcp.tool(scope=None, read_only=True)
        def show(handle: str) -> str:
            """Show."""
            self.restored.append(restore_state(handle))
            return "shown"

        @mcp.tool(scope=None, read_only=False)
        def forget(handle: str) -> str:
            """Forget."""
            forget_state(handle)
            return "forgotten"

        @mcp.tool(scope=None, read_only=True)
        def sneak() -> str:
            """A tool that says it only reads."""
            return save_state(1)

        @mcp.tool(scope=None, read_only=False)
        def count(handle: str) -> str:
            """Count."""
            found = restore_state(handle, for_update=True)
            save_state(found + 1, handle=handle)
            return str(found + 1)

    def said(self, tool: str, slug: str = "acme", token: str = "", **arguments: Any) -> str:
        return str(asked(self.mcp.asgi(), lambda client: said(client, tool, slug, token, **arguments)))


UNKNOWN = "This handle is not known, or what was kept under it has expired. Begin anew with the tool that gives one."


@pytest.mark.parametrize("value", VALUES, ids=["object", "text", "list"])
def test_what_is_kept_comes_back_as_it_was(value: Any, acme: World) -> None:
    first, second = Desk(), Desk()
    first.value = value

    second.said("show", handle=first.said("keep"))

    assert second.restored == [value]


def test_a_handle_takes_a_new_value_and_lives_on(acme: World) -> None:
    desk = Desk()
    desk.value, desk.lifetime = 1, timedelta(minutes=1)
    handle = desk.said("keep")
    desk.value, desk.lifetime = 2, timedelta(hours=2)

    assert desk.said("keep", handle=handle) == handle

    desk.said("show", handle=handle)
    assert desk.restored == [2]
    with tenant_context(acme.id):
        [state] = State.objects.filter(handle=handle)
    assert state.expires_at > timezone.now() + timedelta(minutes=90)


@pytest.mark.parametrize("tool", ["show", "keep", "forget", "count"])
def test_to_others_the_handle_is_unknown(tool: str, acme: World, globex: World) -> None:
    callers = [principal(acme, 1), principal(acme, 2), principal(globex, 1)]
    desk = Desk(by_number(callers))
    desk.value = 1
    handle = desk.said("keep", token="0")

    refused = [desk.said(tool, slug, token, handle=handle) for slug, token in (("acme", "1"), ("globex", "2"))]

    assert refused == [UNKNOWN] * 2
    desk.said("show", token="0", handle=handle)
    assert desk.restored == [1]


@pytest.mark.parametrize("handle", ["", "x", "x" * 32, "x" * 33, "台" * 32, "' OR true --", "h" * 31 + "\n"])
def test_what_is_no_handle_is_unknown(handle: str, acme: World) -> None:
    assert Desk().said("show", handle=handle) == UNKNOWN


def test_what_is_forgotten_or_expired_is_unknown(acme: World, admin: psycopg.Connection) -> None:
    desk = Desk()
    forgotten, expired = desk.said("keep"), desk.said("keep")

    desk.said("forget", handle=forgotten)
    admin.execute("UPDATE mcp_ledger_state SET expires_at = now() WHERE handle = %s", [expired])

    assert [desk.said(tool, handle=each) for each in (forgotten, expired) for tool in ("show", "keep")] == [UNKNOWN] * 4


def test_it_is_a_part_of_the_change(acme: World) -> None:
    desk = Desk()
    desk.value = 1
    handle = desk.said("keep")
    desk.value = 2

    desk.said("keep", handle=handle, dry_run=True)

    desk.said("show", handle=handle)
    assert desk.restored == [1]
    with tenant_context(acme.id):
        assert AuditEvent.objects.filter(action="keep").count() == 1


def test_a_tool_that_reads_keeps_nothing(acme: World) -> None:
    assert Desk().said("sneak").startswith("sneak may only read, but tried to write.")


def test_two_calls_at_once_count_one_after_the_other(acme: World) -> None:
    desk = Desk()
    desk.value = 0
    handle = desk.said("keep")

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        return await asyncio.gather(*(said(client, "count", handle=handle) for _ in range(4)))

    assert sorted(asked(desk.mcp.asgi(), story)) == ["1", "2", "3", "4"]


def test_what_is_too_long_is_refused_in_words(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MAX_LENGTH", 10)
    desk = Desk()
    desk.value = "x" * 9

    assert desk.said("keep").startswith(
        "What has to be kept for the next call is too long: 11 characters, and the limit is 10. Nothing was changed."
    )


def test_of_many_those_that_end_first_make_room(
    acme: World, globex: World, monkeypatch: pytest.MonkeyPatch, admin: psycopg.Connection
) -> None:
    monkeypatch.setattr(states, "MAX_STATES", 2)
    callers = [principal(acme, 1), principal(acme, 2), principal(globex, 1)]
    desk = Desk(by_number(callers))
    others = [desk.said("keep", "acme", "1"), desk.said("keep", "globex", "2")]

    own = [desk.said("keep", token="0") for _ in range(4)]

    kept = {handle for (handle,) in admin.execute("SELECT handle FROM mcp_ledger_state").fetchall()}
    assert {*own[2:], *others} <= kept
    assert not {*own[:2]} & kept


def test_what_has_expired_is_forgotten_by_the_next_and_by_the_command(
    acme: World, globex: World, admin: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()
    for slug in ("acme", "acme", "globex"):
        desk.said("keep", slug)
    admin.execute("UPDATE mcp_ledger_state SET expires_at = now() WHERE owner <> 'o'")

    desk.said("keep", "globex")
    with tenant_context(globex.id):
        of_globex = State.objects.exclude(owner="o").count()
    call_command("mcp", "forget", "--older-than", "400d")

    assert of_globex == 1
    assert "mcp_ledger.State: 2" in capsys.readouterr().out


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(days=31)])
def test_a_lifetime_is_one(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="write up to 30 days"):
        save_state(1, lifetime=lifetime)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_a_value_is_one_of_json(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        save_state(value)
