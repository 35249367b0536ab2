"""`manage.py mcp trail` and `mcp forget`: what is kept of calls, read and deleted by the platform, on record."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from mcp_server.ledger.models import AuditEvent, CallRecord
from mcp_server.management import trailing
from rls import tenant_context
from tests.mcp_server.test_installed import without
from tests.support.world import World


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("mcp", *arguments, stdout=out)
    return out.getvalue()


def trail(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("trail", *arguments).splitlines()]


def made(world: World, action: str, *, days: int, actor: str = "ada") -> None:
    """A call of each kind, so many days ago."""
    at = timezone.now() - timedelta(days=days)
    with tenant_context(world.id):
        AuditEvent.objects.create(action=action, subject="product A-1", actor=actor, created_at=at)
        CallRecord.objects.create(kind="tool", action=action, outcome="ok", duration_ms=1, actor=actor, created_at=at)


def test_the_trail_of_a_tenant_is_both_tables_in_the_order_of_time(
    acme: World, globex: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trailing, "READ_SIZE", 2)
    for days in (5, 4, 3, 2, 1):
        made(acme, f"day_{days}", days=days)
    made(globex, "elsewhere", days=1)

    found = [line for line in trail("--tenant", "acme") if line["actor"] == "ada"]

    assert [line["action"] for line in found] == [f"day_{days}" for days in (5, 5, 4, 4, 3, 3, 2, 2, 1, 1)]
    assert {line["outcome"] for line in found} == {"changed", "ok"}
    assert len({line["id"] for line in found}) == 10
    event = next(line for line in found if line["outcome"] == "changed")
    assert (event["subject"], event["changes"], event["arguments"]) == ("product A-1", [], {})


def test_the_trail_is_found_by_time_actor_and_action(acme: World) -> None:
    made(acme, "early", days=9)
    made(acme, "late", days=2)
    made(acme, "late", days=2, actor="bob")
    week = (timezone.now() - timedelta(days=7)).isoformat()
    ada = ("--tenant", str(acme.id), "--actor", "ada")

    assert {line["action"] for line in trail(*ada, "--until", week)} == {"early"}
    assert {line["action"] for line in trail(*ada, "--since", week)} == {"late"}
    assert {line["actor"] for line in trail("--tenant", "acme", "--action", "late")} == {"ada", "bob"}


def test_whoever_reads_a_trail_is_on_record(acme: World, admin: psycopg.Connection) -> None:
    trail("--tenant", "acme", "--reason", "a complaint")

    [row] = admin.execute("SELECT reason, origin FROM app.platform_audit ORDER BY id DESC LIMIT 1").fetchall()
    assert row == ("a complaint", "manage.py mcp trail")


def test_what_is_old_is_forgotten_in_batches_and_the_rest_stays(
    acme: World, globex: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trailing, "BATCH_SIZE", 2)
    for world in (acme, globex):
        for days in (500, 401, 399):
            made(world, f"day_{days}", days=days)

    said = run("forget", "--older-than", "400d")

    assert said == "mcp_ledger.AuditEvent: 4, mcp_ledger.CallRecord: 4, mcp_ledger.State: 0\n"
    for world in (acme, globex):
        found = [line["action"] for line in trail("--tenant", world.subdomain, "--actor", "ada")]
        assert found == ["day_399", "day_399"]
    [(count,)] = admin.execute(
        "SELECT count(*) FROM app.platform_audit WHERE origin = 'manage.py mcp forget'"
    ).fetchall()
    assert count == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trail", "--tenant", "nobody"], "there is no active tenant 'nobody'"),
        (["trail", "--tenant", "acme", "--since", "lately"], "'lately' is no day and no time"),
        (["trail", "--tenant", "acme", "--until", "2026-02-31"], "'2026-02-31' is no day and no time"),
        (["forget", "--before", "2999-01-01"], "2999-01-01 is to come"),
        (["forget", "--older-than", "0d"], "'0d' is no age"),
        (["forget", "--older-than", "2 years"], "'2 years' is no age"),
    ],
)
def test_what_can_not_be_done_is_a_sentence(arguments: list[str], words: str, acme: World) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)


def test_without_the_ledger_there_is_no_trail() -> None:
    with without("mcp_server.ledger"), pytest.raises(CommandError, match=r'add "mcp_server\.ledger" to INSTALLED_APPS'):
        trailing.models()
