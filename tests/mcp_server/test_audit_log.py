"""The audit log through the official client: each change is in it, in its own tenant."""

from __future__ import annotations

import json

import pytest

from core.scopes import Scope
from mcp_server.tokens import tokens
from tests.mcp_server.test_changes import call
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message, post
from tests.support.world import World, working

LOG = "get_audit_log"
COUNT = {"sku": "A-1", "quantity": 2, "reason": "count"}


@pytest.mark.parametrize("era", ERAS)
def test_a_change_is_logged_with_its_arguments(era: Era, acme: World, globex: World, server: Process) -> None:
    call(server, acme, COUNT, era=era, name="adjust_stock")

    here = call(server, acme, {"action": "adjust_stock", "period": "today"}, era=era, name=LOG)
    elsewhere = call(server, globex, {"action": "adjust_stock"}, era=era, name=LOG)

    [event] = here.structured_content["events"]
    assert (event["action"], event["subject"], event["actor"]) == ("adjust_stock", "product A-1", "acme token")
    assert event["details"] == {**COUNT, "note": ""}
    assert "adjust_stock: product A-1, by acme token" in here.content[0].text
    assert json.loads(here.content[0].text.splitlines()[2]) == event["details"]
    assert elsewhere.structured_content == {
        "events": [],
        "has_more": False,
        "next_cursor": None,
        "time_zone": "UTC",
    }


def test_pages_follow_each_other(acme: World, globex: World, server: Process) -> None:
    call(server, acme, COUNT, name="adjust_stock")

    first = call(server, acme, {"limit": 1}, name=LOG)
    cursor = first.structured_content["next_cursor"]
    second = call(server, acme, {"limit": 1, "cursor": cursor}, name=LOG)
    elsewhere = call(server, globex, {"limit": 1, "cursor": cursor}, name=LOG)

    actions = [event["action"] for page in (first, second) for event in page.structured_content["events"]]
    assert actions == ["adjust_stock", "create_order"]
    assert "This cursor does not belong to this list" in elsewhere.content[0].text


def test_an_unknown_period_is_answered_in_words(acme: World, server: Process) -> None:
    result = call(server, acme, {"period": "lately"}, name=LOG)

    assert result.is_error
    assert "There is no period 'lately'." in result.content[0].text


def test_the_log_takes_its_own_scope(acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="keeper", slug="acme", scopes=[Scope.PRODUCTS_READ])

    answer = raw.result(post(server, acme, message("tools/call", {"name": LOG, "arguments": {}}), token=token))

    assert f"There is no tool {LOG}" in answer["error"]["message"]
