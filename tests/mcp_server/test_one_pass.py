"""A changing tool's function runs once a message, and a person's yes is good for one change, at both endpoints."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from mcp_types import ElicitResult

from core.models import Product, TenantSettings
from core.services import tenants
from mcp_server.ledger.models import AuditEvent
from rls import tenant_context
from tests.mcp_server.test_listed_tools import MODERN, post
from tests.mcp_server.test_pipeline import records
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant, platform_token, working

# A client that can ask a person.
ASKING = MODERN | {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
YES = {"form": {"action": "accept", "content": {"confirm": True}}}
ENDPOINTS = ["acme", ""]


def stock_of(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").stock


Send = Callable[..., dict[str, Any]]


@pytest.fixture(params=ENDPOINTS)
def tenant(request: pytest.FixtureRequest) -> str:
    """The tenant of an endpoint; "" is the platform's."""
    return str(request.param)


@pytest.fixture
def sent(tenant: str, acme: World, server: Process) -> Send:
    """Sends a call of shop_count_up by one caller, and gives its result as it arrives."""
    token, reason = (acme.token, {}) if tenant else (platform_token(), {"reason": "a test"})

    def send(arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        params = {"_meta": ASKING, "name": "shop_count_up", "arguments": arguments | reason, **more}
        result: dict[str, Any] = post(server, tenant, token, "tools/call", params).json()["result"]
        return result

    return send


def runs(server: Process) -> int:
    return len(records(server, message="shop_count_up runs"))


def test_the_function_runs_once_a_message(tenant: str, sent: Send, acme: World, server: Process) -> None:
    counts = [runs(server)]
    sent({})
    counts.append(runs(server))
    sent({"dry_run": True})
    counts.append(runs(server))
    asked = sent({"question": "Sure?"})
    counts.append(runs(server))
    done = sent({"question": "Sure?"}, inputResponses=YES, requestState=asked["requestState"])
    counts.append(runs(server))

    assert [after - before for before, after in itertools.pairwise(counts)] == [1, 1, 1, 1]
    assert asked["inputRequests"]["form"]["params"]["message"] == "Sure?"
    assert not done["isError"]
    assert stock_of(acme) == 7


@pytest.mark.parametrize("tenant", ["acme"], indirect=True)
def test_a_question_is_one_record_that_says_so(sent: Send, server: Process) -> None:
    before = len(records(server, tool="shop_count_up", outcome="asked"))

    sent({"question": "Sure?"})

    assert len(records(server, tool="shop_count_up", outcome="asked")) == before + 1


def test_a_second_round_that_is_sent_twice_changes_one_thing(
    tenant: str, sent: Send, acme: World, server: Process
) -> None:
    arguments = {"question": "Sure?"}
    asked = sent(arguments)
    answer = {"inputResponses": YES, "requestState": asked["requestState"]}

    first = sent(arguments, **answer)
    second = sent(arguments, **answer)

    assert not first["isError"]
    assert stock_of(acme) == 6
    if tenant:
        assert second == first
        with tenant_context(acme.id):
            assert AuditEvent.objects.filter(action="shop_count_up").count() == 1
    else:
        assert "This confirmation was for one change, which was made" in second["content"][0]["text"]


def test_second_rounds_that_are_sent_at_once_change_one_thing(
    tenant: str, sent: Send, acme: World, server: Process
) -> None:
    arguments = {"question": "Sure?"}
    asked = sent(arguments)
    answer = {"inputResponses": YES, "requestState": asked["requestState"]}

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: sent(arguments, **answer), range(4)))

    assert sum(not result["isError"] for result in results) == (4 if tenant else 1)
    assert stock_of(acme) == 6


def test_a_reason_that_was_asked_for_is_good_for_one_change(acme: World, server: Process) -> None:
    token = platform_token()

    def counted_up(**more: Any) -> dict[str, Any]:
        params = {"_meta": ASKING, "name": "shop_count_up", "arguments": {}, **more}
        result: dict[str, Any] = post(server, "", token, "tools/call", params).json()["result"]
        return result

    reason = {"form": {"action": "accept", "content": {"reason": "a test"}}}
    answer = {"inputResponses": reason, "requestState": counted_up()["requestState"]}
    first, second = (counted_up(**answer) for _ in range(2))

    assert not first["isError"]
    assert "was for one change, which was made" in second["content"][0]["text"]
    assert stock_of(acme) == 6


@pytest.mark.parametrize("tenant", [""], indirect=True)
def test_a_confirmation_is_good_once_at_the_platform(sent: Send, acme: World, admin: psycopg.Connection) -> None:
    arguments: dict[str, Any] = {"question": "Sure?"}
    dry = sent({**arguments, "dry_run": True})
    arguments["confirmation"] = dry["structuredContent"]["confirmation"]

    first, second = (sent(arguments) for _ in range(2))

    assert not first["isError"]
    assert second["content"][0]["text"] == (
        "This confirmation was for one change, which was made. For another change call again with dry_run=true."
    )
    assert stock_of(acme) == 6
    ended = admin.execute(
        "SELECT outcome, origin LIKE 'mcp, agreed to in %' FROM app.platform_audit JOIN app.platform_outcome USING (id)"
        " WHERE reason LIKE 'shop_count_up%' ORDER BY id"
    )
    assert ended.fetchall() == [("rolled back", False), ("committed", True), ("rolled back", True)]


@pytest.mark.django_db
def test_a_confirmation_is_not_for_another_tenant_of_the_same_name(server: Process) -> None:
    make_tenant("acme", "Acme")
    arguments = {"tenant_id": "acme", "reason": "a test"}

    def deleted(**more: Any) -> dict[str, Any]:
        params = {"_meta": MODERN, "name": "delete_tenant", "arguments": arguments | more}
        result: dict[str, Any] = post(server, "", platform_token(), "tools/call", params).json()["result"]
        return result

    confirmation = deleted(dry_run=True)["structuredContent"]["confirmation"]
    with working():
        tenants.delete("acme")
    make_tenant("acme", "Acme")
    result = deleted(confirmation=confirmation)

    assert result["isError"]
    assert "The confirmation does not match this call and the data as it is now." in result["content"][0]["text"]


@pytest.mark.parametrize("state", ["", "forged", "v1.forged"])
def test_an_answer_without_its_sealed_round_is_no_yes(state: str, acme: World, server: Process) -> None:
    params = {"_meta": ASKING, "name": "shop_count_up", "arguments": {"question": "Sure?"}, "inputResponses": YES}

    answer = post(server, "acme", acme.token, "tools/call", params | ({"requestState": state} if state else {})).json()

    assert "error" in answer or "inputRequests" in answer["result"]
    assert stock_of(acme) == 5


@pytest.mark.parametrize("tenant", ["acme"], indirect=True)
def test_a_round_answers_its_own_question_only(sent: Send, acme: World, globex: World, server: Process) -> None:
    asked = sent({"question": "Sure?"})
    answer = {"inputResponses": YES, "requestState": asked["requestState"]}
    params = {"_meta": ASKING, "name": "shop_count_up", **answer}

    other_arguments = post(
        server, "acme", acme.token, "tools/call", params | {"arguments": {"question": "Really?"}}
    ).json()
    other_tenant = post(
        server, "globex", globex.token, "tools/call", params | {"arguments": {"question": "Sure?"}}
    ).json()

    assert "error" in other_arguments
    assert "error" in other_tenant
    assert (stock_of(acme), stock_of(globex)) == (5, 5)


def test_a_question_that_has_changed_is_asked_again(acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "quantity": 2000, "reason": "purchase"}

    def adjusted(**more: Any) -> dict[str, Any]:
        params = {"_meta": ASKING, "name": "adjust_stock", "arguments": arguments, **more}
        result: dict[str, Any] = post(server, "acme", acme.token, "tools/call", params).json()["result"]
        return result

    asked = adjusted()
    with tenant_context(acme.id):
        TenantSettings.objects.update(max_stock_change=7)
    again = adjusted(inputResponses=YES, requestState=asked["requestState"])
    before = stock_of(acme)
    done = adjusted(inputResponses=YES, requestState=again["requestState"])

    assert "up to 7 units without asking" in again["inputRequests"]["form"]["params"]["message"]
    assert before == 5
    assert not done["isError"]
    assert stock_of(acme) == 2005


@pytest.mark.parametrize("era", ERAS)
def test_progress_only_grows(era: Era, acme: World, stateful_server: Process) -> None:
    heard: list[float] = []

    async def agree(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"confirm": True})

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append(done)

    async def story() -> Any:
        async with connected(stateful_server.mcp("acme"), acme.token, era, elicitation_callback=agree) as client:
            return await client.call_tool("shop_count_up", {"question": "Sure?"}, progress_callback=hear)

    result = asyncio.run(story())

    assert not result.is_error
    # In the newer protocol each round is a request of its own.
    assert heard == ([1, 2] if era == "legacy" else [1, 2, 1, 2])
    assert stock_of(acme) == 6
