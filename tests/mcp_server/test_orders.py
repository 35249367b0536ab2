"""Orders as a person's assistant takes them, through the official client."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from core.models import Customer, Order, Product, TenantSettings
from core.services import drafts
from core.services.drafts import Wanted
from rls import tenant_context
from tests.mcp_server.test_changes import call, person
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant

BIP = {"customer_email": "Bip@acme.example", "customer_name": "Bip"}


def stock(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").stock


def order_count(world: World) -> int:
    with tenant_context(world.id):
        return Order.objects.count()


def money(result: Any) -> list[tuple[str, int]]:
    return [(payment["kind"], payment["amount_minor"]) for payment in result.structured_content["payments"]]


async def tell(client: Any, name: str, **arguments: Any) -> Any:
    """A call that is expected to work."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content[0].text
    return result


@pytest.mark.parametrize("era", ERAS)
def test_an_order_is_taken_paid_and_shipped(era: Era, acme: World, server: Process) -> None:
    async def story() -> list[Any]:
        async with connected(server.mcp("acme"), acme.token, era) as client:
            await tell(client, "get_tenant_products", search="anvil")
            made = await tell(client, "create_order", items=[{"sku": "A-1", "quantity": 1}], **BIP)
            number = made.structured_content["number"]
            return [
                made,
                await tell(client, "add_order_item", number=number, sku="A-1", quantity=2),
                await tell(client, "place_order", number=number),
                await tell(client, "update_order_status", number=number, status="paid", payment_method="card"),
                await tell(client, "update_order_status", number=number, status="shipped"),
                await tell(client, "get_order", number=number),
            ]

    results = asyncio.run(story())

    made, _, placed, paid, _, seen = (result.structured_content for result in results)
    statuses = [result.structured_content["status"] for result in results]
    assert statuses == ["draft", "draft", "placed", "paid", "shipped", "shipped"]
    assert made["customer"] == {"email": "bip@acme.example", "name": "Bip"}
    assert made["next_statuses"] == ["placed", "cancelled"]
    assert (made["total_minor"], placed["total_minor"], placed["unit_count"]) == (1999, 5997, 3)
    assert money(results[3]) == [("payment", 5997)]
    assert seen == {key: value for key, value in paid.items() if key in seen} | {
        "status": "shipped",
        "next_statuses": ["delivered"],
        "next_calls": {"delivered": "update_order_status"},
    }
    assert stock(acme) == 2


def test_the_text_is_for_people(acme: World, server: Process) -> None:
    result = call(server, acme, {"number": 1}, name="get_order")

    heading, line, payment, ending, units = result.content[0].text.splitlines()
    assert heading.startswith("Order 1 (paid), ")
    assert heading.endswith(", Wile E. <wile@acme.example>: €39.98")
    assert line == "- 2 x A-1 Acme anvil at €19.99: €39.98"
    assert payment.endswith(" payment (card): €39.98, by acme token")
    assert ending == "It can become: shipped (update_order_status status=shipped), cancelled (cancel_order)"
    assert units == "Money: EUR, 2 decimals. Times: UTC."


def test_both_forms_say_when_an_order_was_cancelled(acme: World, server: Process) -> None:
    with tenant_context(acme.id):
        Order.objects.update(status="cancelled", cancelled_at=datetime(2026, 11, 26, 7, 30, tzinfo=UTC))

    result = call(server, acme, {"number": 1}, name="get_order")

    assert result.content[0].text.splitlines()[1] == "Cancelled: 11/26/26, 7:30\u202fAM"
    assert result.structured_content["cancelled_at"] == "2026-11-26T07:30:00Z"


@pytest.mark.django_db
def test_the_text_is_in_the_tenants_language(server: Process) -> None:
    taipei = make_tenant("taipei", "台北", locale="zh-hant")

    seen = call(server, taipei, {"number": 1}, name="get_order").content[0].text
    made = call(server, taipei, {"items": [{"sku": "A-1", "quantity": 1}]}, name="create_order").content[0].text
    refused = call(server, taipei, {"number": 1}, name="place_order").content[0].text

    assert seen.startswith("訂單 1（已付款），")
    assert "- 2 x A-1 台北 anvil，單價 €19.99：€39.98" in seen
    assert seen.endswith(
        "可變更為：已出貨（update_order_status status=shipped）、已取消（cancel_order）\n"
        "幣別：EUR，小數 2 位。時區：UTC。"
    )
    assert "現場顧客：€19.99" in made
    assert "訂單 1 目前為「已付款」，無法變更為「已下單」。" in refused


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("locale", "question"),
    [
        (
            "en",
            "Order 1 is paid. Cancelling it returns its units (2) to stock and refunds €39.98. Cancel it?",
        ),
        ("zh-hant", "訂單 1 目前為「已付款」。取消後會有 2 件商品回到庫存，並退款 €39.98。要取消嗎？"),
    ],
)
@pytest.mark.django_db
def test_a_person_decides_whether_an_order_is_cancelled(
    locale: str, question: str, era: Era, stateful_server: Process
) -> None:
    world = make_tenant("shop", "Shop", locale=locale)
    asked: list[str] = []
    arguments = {"number": 1, "reason": "broken"}

    def cancel(answer: bool | None) -> Any:
        callback = person(answer, asked)
        return call(stateful_server, world, arguments, name="cancel_order", era=era, callback=callback)

    declined = cancel(None)
    before = stock(world)
    cancelled = cancel(True)

    assert asked == [question, question]
    assert declined.is_error
    assert before == 5
    assert cancelled.structured_content["status"] == "cancelled"
    assert (cancelled.structured_content["returned_units"], cancelled.structured_content["refund_minor"]) == (2, 3998)
    assert money(cancelled) == [("payment", 3998), ("refund", 3998)]
    assert stock(world) == 7


@pytest.mark.parametrize("era", ERAS)
def test_a_client_that_cannot_ask_cancels_in_two_steps(era: Era, acme: World, server: Process) -> None:
    arguments = {"number": 1, "reason": "broken"}

    refused = call(server, acme, arguments, name="cancel_order", era=era)
    rehearsed = call(server, acme, {**arguments, "dry_run": True}, name="cancel_order", era=era)
    before = stock(acme)
    confirmation = rehearsed.structured_content["confirmation"]
    done = call(server, acme, {**arguments, "confirmation": confirmation}, name="cancel_order", era=era)

    assert refused.is_error
    assert "call cancel_order with dry_run=true" in refused.content[0].text
    assert rehearsed.structured_content["refund_minor"] == 3998
    assert (before, stock(acme)) == (5, 7)
    assert done.structured_content["status"] == "cancelled"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1}], "discount": "10"}, "above the limit of 10%"),
        ("place_order", {"number": 2}, "The total of order 2 is €59.97, above the limit of €50.00. Place the order?"),
    ],
)
def test_what_is_above_a_limit_takes_a_person(
    name: str, arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    with tenant_context(acme.id):
        drafts.create(items=[Wanted("A-1", 3)])
        TenantSettings.objects.update(max_order_minor=5000)
    asked: list[str] = []

    declined = call(server, acme, arguments, name=name, callback=person(False, asked))
    agreed = call(server, acme, arguments, name=name, callback=person(True, asked))

    assert [words in question for question in asked] == [True, True]
    assert (declined.is_error, agreed.is_error) == (True, False)


def test_one_key_is_one_order(acme: World, server: Process) -> None:
    arguments = {"items": [{"sku": "A-1", "quantity": 1}], **BIP, "idempotency_key": "call 7"}

    first = call(server, acme, arguments, name="create_order")
    second = call(server, acme, arguments, name="create_order")

    assert first.structured_content["number"] == second.structured_content["number"] == 2
    assert order_count(acme) == 2


def test_a_dry_run_takes_nothing_and_no_number(acme: World, server: Process) -> None:
    items = {"items": [{"sku": "A-1", "quantity": 5}], **BIP}

    rehearsed = call(server, acme, {**items, "dry_run": True}, name="create_order")
    after = order_count(acme)
    made = call(server, acme, items, name="create_order")
    call(server, acme, {"number": 2, "dry_run": True}, name="place_order")

    assert rehearsed.content[0].text.startswith("Dry run: nothing was changed.\nOrder 2 (draft), ")
    assert (after, made.structured_content["number"], stock(acme)) == (1, 2, 5)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("create_order", {"items": []}, "at least 1 item"),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 0}]}, "greater than or equal to 1"),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1, "price": 1}]}, "items.0.price: Extra inputs"),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1}, {"sku": "Z", "quantity": 1}]}, "these skus: Z."),
        ("create_order", {"items": [{"sku": "A-1", "quantity": 1}], "customer_email": "bip"}, "'bip' is not an e-mail"),
        ("get_order", {"number": 2}, "There is no order 2. Call list_orders to see the numbers."),
        ("list_orders", {"period": "soon"}, "soon"),
        ("list_orders", {"status": "lost"}, "'draft', 'placed', 'paid', 'shipped', 'delivered' or 'cancelled'"),
        ("list_orders", {"cursor": "x"}, "This cursor does not belong to this list"),
        ("update_order_status", {"number": 1, "status": "cancelled"}, "'paid', 'shipped' or 'delivered'"),
        ("update_order_status", {"number": 1, "status": "delivered"}, "It can become: shipped (update_order_status)"),
        ("add_order_item", {"number": 1, "sku": "A-1", "quantity": 1}, "only a draft can be added to"),
    ],
)
def test_a_refusal_says_what_to_do(
    name: str, arguments: dict[str, Any], words: str, acme: World, server: Process
) -> None:
    result = call(server, acme, arguments, name=name)

    assert result.is_error
    assert words in result.content[0].text
    assert "unexpectedly" not in result.content[0].text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_order", {}),
        ("place_order", {}),
        ("cancel_order", {"reason": "mine"}),
        ("add_order_item", {"sku": "A-1", "quantity": 1}),
        ("update_order_status", {"status": "shipped"}),
    ],
)
def test_an_order_of_another_tenant_is_an_unknown_order(
    name: str, arguments: dict[str, Any], acme: World, globex: World, server: Process
) -> None:
    with tenant_context(acme.id):
        number = drafts.create(items=[Wanted("A-1", 1)]).order.number

    theirs = call(server, globex, {"number": number, **arguments}, name=name)
    nobodys = call(server, globex, {"number": 99, **arguments}, name=name)

    assert theirs.is_error
    assert theirs.content[0].text.replace("order 2", "order 99") == nobodys.content[0].text


@pytest.mark.parametrize("locale", ["en", "zh-hant"])
@pytest.mark.django_db
def test_a_list_of_twenty_is_short(locale: str, server: Process) -> None:
    world = make_tenant("shop", "Shop", locale=locale)
    with tenant_context(world.id):
        customer = Customer.objects.create(email="long@shop.example", name="非常長的客戶名稱股份有限公司台北分公司" * 4)
        Order.objects.bulk_create(
            Order(number=10_000 + index, customer=customer, status="placed", currency="EUR", total_minor=12_345_678)
            for index in range(30)
        )

    first = call(server, world, {"status": "placed"}, name="list_orders")
    cursor = first.structured_content["next_cursor"]
    second = call(server, world, {"status": "placed", "cursor": cursor}, name="list_orders")

    numbers = [order["number"] for page in (first, second) for order in page.structured_content["orders"]]
    assert sorted(numbers) == list(range(10_000, 10_030))
    assert [page.structured_content["has_more"] for page in (first, second)] == [True, False]
    assert cursor in first.content[0].text
    assert len(first.content[0].text.encode()) < 2500


def test_orders_are_listed_by_customer(acme: World, globex: World, server: Process) -> None:
    found = call(server, acme, {"customer": "WILE@acme.example", "period": "today"}, name="list_orders")
    theirs = call(server, acme, {"customer": "wile@globex.example"}, name="list_orders")

    [order] = found.structured_content["orders"]
    assert (order["number"], order["unit_count"], order["customer"]["name"]) == (1, 2, "Wile E.")
    assert " Wile E. <wile@acme.example>: €39.98, 2 units\n" in found.content[0].text
    assert theirs.content[0].text == "No orders match these filters. Call list_orders with fewer filters.\nTimes: UTC."
