"""Tools that change something: dry runs, keys, approval, and the audit, through the official client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.conf import settings
from mcp_types import ElicitResult

from core.models import Product
from mcp_server.ledger.models import AuditEvent, IdempotencyKey
from rls import tenant_context
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World

Asked = list[str]


def person(answer: bool | None, asked: Asked) -> Callable[..., Any]:
    """An elicitation callback: a person who ticks the box, leaves it, or (None) declines."""

    async def callback(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        if answer is None:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": answer})

    return callback


def call(
    server: Process,
    world: World,
    arguments: dict[str, Any],
    *,
    era: Era = "2026-07-28",
    callback: Any = None,
    language: str = "",
    name: str = "shop_rename",
) -> Any:
    async def story() -> Any:
        options = {"elicitation_callback": callback} if callback else {}
        headers = {"Accept-Language": language} if language else {}
        async with connected(server.mcp(world.subdomain), world.token, era, headers=headers, **options) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(story())


def name_of(world: World) -> str:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").name


def events(world: World) -> list[tuple[str, str, str, Any]]:
    with tenant_context(world.id):
        return list(
            AuditEvent.objects.filter(action="shop_rename").values_list("action", "subject", "actor", "details")
        )


@pytest.mark.parametrize("era", ERAS)
def test_a_change_leaves_an_event_of_its_tenant(era: Era, acme: World, globex: World, server: Process) -> None:
    result = call(server, acme, {"sku": "A-1", "name": "Feather"}, era=era)

    assert result.content[0].text == "A-1 is Feather now"
    assert name_of(acme) == "Feather"
    assert events(acme) == [("shop_rename", "product A-1", "acme token", {"sku": "A-1", "name": "Feather"})]
    assert events(globex) == []


def test_a_dry_run_says_what_would_happen_and_changes_nothing(acme: World, server: Process) -> None:
    result = call(server, acme, {"sku": "A-1", "name": "Feather", "dry_run": True, "idempotency_key": "k"})

    assert result.structured_content["dry_run"] is True
    step = "To do it, call shop_rename with the same arguments and without dry_run."
    assert result.content[0].text == f"Dry run: nothing was changed.\nA-1 is Feather now\n{step}"
    assert result.structured_content["next_step"] == step
    assert name_of(acme) == "Acme anvil"
    assert events(acme) == []


def test_a_key_does_a_call_once_and_gives_the_same_answer(acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "name": "Feather", "idempotency_key": "k"}
    first = call(server, acme, arguments)
    with tenant_context(acme.id):
        Product.objects.update(name="Changed since")

    second = call(server, acme, arguments)

    assert second.structured_content == first.structured_content
    assert name_of(acme) == "Changed since"
    assert len(events(acme)) == 1


def test_a_key_is_good_for_one_call_of_one_caller_in_one_tenant(acme: World, globex: World, server: Process) -> None:
    call(server, acme, {"sku": "A-1", "name": "Feather", "idempotency_key": "k"})

    other_call = call(server, acme, {"sku": "A-1", "name": "Lead", "idempotency_key": "k"})
    other_tenant = call(server, globex, {"sku": "A-1", "name": "Feather", "idempotency_key": "k"})

    assert other_call.is_error
    assert "used for another call" in other_call.content[0].text
    assert not other_tenant.is_error
    assert name_of(globex) == "Feather"


def test_a_refused_call_leaves_its_key_free(acme: World, server: Process) -> None:
    refused = call(server, acme, {"sku": "A-2", "name": "Feather", "idempotency_key": "k"})

    with tenant_context(acme.id):
        assert not IdempotencyKey.objects.filter(key="k").exists()
    assert "There is no A-2." in refused.content[0].text


def test_calls_with_one_key_at_once_are_done_once(acme: World, server: Process) -> None:
    async def story() -> list[Any]:
        async with connected(server.mcp("acme"), acme.token) as client:
            arguments = {"sku": "A-1", "name": "Feather", "idempotency_key": "k"}
            return await asyncio.gather(*(client.call_tool("shop_rename", arguments) for _ in range(8)))

    results = asyncio.run(story())

    assert {result.content[0].text for result in results} == {"A-1 is Feather now"}
    assert len(events(acme)) == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("answer", "name"), [(True, "a bomb"), (False, "Acme anvil"), (None, "Acme anvil")])
def test_a_person_is_asked_and_decides(
    answer: bool | None, name: str, era: Era, acme: World, stateful_server: Process
) -> None:
    asked: Asked = []

    result = call(stateful_server, acme, {"sku": "A-1", "name": "a bomb"}, era=era, callback=person(answer, asked))

    assert asked == ["Call A-1 a bomb?"]
    assert name_of(acme) == name
    assert result.is_error is (answer is not True)
    assert answer or "The person did not agree. Nothing was changed." in result.content[0].text


def test_a_stateless_server_asks_too_in_the_new_era(acme: World, server: Process) -> None:
    asked: Asked = []

    call(server, acme, {"sku": "A-1", "name": "a bomb"}, callback=person(True, asked))

    assert (asked, name_of(acme)) == (["Call A-1 a bomb?"], "a bomb")


def test_calls_of_one_tenant_that_wait_keep_no_other_waiting(
    acme: World, globex: World, server: Process, admin: psycopg.Connection
) -> None:
    queued = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'tuple' AND NOT granted"
        " AND relation = 'core_tenantsettings'::regclass"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    def wait_until_queued() -> None:
        # The first waits for the transaction, the others for their turn at the row: as many as a tenant has workers
        # beside another one, who has connected a moment ago.
        least, deadline = max(2, settings.DATABASE_POOL_SIZE // 5) - 1, time.monotonic() + 300
        while admin.execute(queued).fetchone()[0] < least:  # type: ignore[index]
            assert time.monotonic() < deadline, "as many calls as a tenant has workers should wait"
            time.sleep(0.01)

    async def story() -> tuple[Any, list[bool]]:
        async with (
            connected(server.mcp("acme"), acme.token) as client,
            connected(server.mcp("globex"), globex.token) as other,
        ):
            calls = [
                asyncio.create_task(
                    client.call_tool("create_product", {"sku": f"N-{number}", "name": "New", "price": "0.01"})
                )
                for number in range(30)
            ]
            await asyncio.to_thread(wait_until_queued)
            answer = await other.call_tool("get_product", {"sku": "A-1"})
            done = [each.done() for each in calls]
            holder.rollback()
            await asyncio.gather(*calls)
            return answer, done

    with psycopg.connect(admin.info.dsn, password=admin.info.password) as holder:
        holder.execute("SELECT FROM core_tenantsettings WHERE tenant_id = %s FOR UPDATE", [acme.id])
        answer, done = asyncio.run(story())

    assert answer.structured_content["name"] == "Globex anvil"
    assert not any(done)


def test_nobody_is_asked_without_a_question(acme: World, server: Process) -> None:
    asked: Asked = []

    call(server, acme, {"sku": "A-1", "name": "Feather"}, callback=person(True, asked))

    assert (asked, name_of(acme)) == ([], "Feather")


@pytest.mark.parametrize("era", ERAS)
def test_a_client_that_cannot_ask_takes_two_steps(era: Era, acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "name": "a bomb"}
    refused = call(server, acme, arguments, era=era)
    dry = call(server, acme, {**arguments, "dry_run": True}, era=era)
    confirmation = dry.structured_content["confirmation"]
    before = name_of(acme)

    done = call(server, acme, {**arguments, "confirmation": confirmation}, era=era)
    again = call(server, acme, {**arguments, "confirmation": confirmation}, era=era)

    assert refused.is_error
    assert "call shop_rename with dry_run=true" in refused.content[0].text
    assert dry.structured_content["question"] == "Call A-1 a bomb?"
    assert confirmation in dry.content[0].text
    assert before == "Acme anvil"
    assert name_of(acme) == "a bomb"
    assert again.structured_content == done.structured_content
    assert len(events(acme)) == 1


def test_a_confirmation_is_good_for_one_change_whatever_keys_come_with_it(acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "quantity": 2000, "reason": "purchase"}
    dry = call(server, acme, {**arguments, "dry_run": True}, name="adjust_stock")
    arguments["confirmation"] = dry.structured_content["confirmation"]
    keys: list[dict[str, str]] = [{"idempotency_key": "k"}, {"idempotency_key": "other"}, {}]

    first, *others = (call(server, acme, arguments | key, name="adjust_stock") for key in keys)

    with tenant_context(acme.id):
        assert Product.objects.get(sku="A-1").stock == 2005
        assert AuditEvent.objects.filter(action="adjust_stock").count() == 1
        assert not IdempotencyKey.objects.filter(action="adjust_stock", answer__isnull=True).exists()
    assert not first.is_error
    assert [other.structured_content for other in others] == [first.structured_content] * 2


def test_calls_with_one_confirmation_at_once_are_one_change(acme: World, server: Process) -> None:
    arguments = {"sku": "A-1", "quantity": 2000, "reason": "purchase"}
    dry = call(server, acme, {**arguments, "dry_run": True}, name="adjust_stock")
    arguments["confirmation"] = dry.structured_content["confirmation"]

    async def story() -> list[Any]:
        async with connected(server.mcp("acme"), acme.token) as client:
            each = (arguments | {"idempotency_key": f"key {number}"} for number in range(8))
            return await asyncio.gather(*(client.call_tool("adjust_stock", every) for every in each))

    results = asyncio.run(story())

    assert not any(result.is_error for result in results)
    with tenant_context(acme.id):
        assert Product.objects.get(sku="A-1").stock == 2005


def test_a_confirmation_is_for_one_call_of_one_tenant(acme: World, globex: World, server: Process) -> None:
    arguments = {"sku": "A-1", "name": "a bomb"}
    confirmation = call(server, acme, {**arguments, "dry_run": True}).structured_content["confirmation"]

    for world, given in ((globex, arguments), (acme, {**arguments, "name": "two bombs"})):
        result = call(server, world, {**given, "confirmation": confirmation})
        forged = call(server, world, {**given, "confirmation": f"{confirmation}x"})

        assert "The confirmation does not match this call and the data as it is now." in result.content[0].text
        assert forged.content[0].text == result.content[0].text
        assert name_of(world).endswith("anvil")


@pytest.mark.parametrize(
    ("language", "words"),
    [("", "Dry run: nothing was changed."), ("zh-TW,en;q=0.5", "試執行：沒有任何變更。"), ("xx", "Dry run")],
)
def test_a_request_chooses_the_language(language: str, words: str, acme: World, server: Process) -> None:
    result = call(server, acme, {"sku": "A-1", "name": "Feather", "dry_run": True}, language=language)

    assert words in result.content[0].text


@pytest.mark.parametrize("era", ERAS)
def test_an_answer_that_does_not_fit_the_question_changes_nothing(
    era: Era, acme: World, stateful_server: Process
) -> None:
    async def callback(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"confirm": "perhaps"})

    result = call(stateful_server, acme, {"sku": "A-1", "name": "a bomb"}, era=era, callback=callback)

    assert result.is_error
    assert result.content[0].text == (
        "The answer does not match the question. Nothing was changed; call shop_rename again."
    )
    assert name_of(acme) == "Acme anvil"


def test_a_refusal_that_begins_with_the_word_resolver_is_told_as_it_is(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        Product.objects.filter(sku="A-1").update(sku="Resolver 1", stock=0)

    result = call(server, acme, {"sku": "Resolver 1", "quantity": -5, "reason": "count"}, name="adjust_stock")

    assert result.is_error
    assert result.content[0].text.startswith("Resolver 1 has 0 units in stock, but 5 are needed.")
