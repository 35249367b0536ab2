"""An order's life after draft: the stock, the money, and what can't happen."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

import rls
from core.models import (
    Order,
    OrderStatus,
    Payment,
    PaymentMethod,
    Product,
    StockMovement,
    TenantSettings,
)
from core.services import drafts, fulfilment
from core.services.drafts import NotForSale, OrderInvalid, Wanted
from core.services.fulfilment import PaymentUnclear, Step
from core.services.orders import NotAllowed, OrderNotFound
from core.services.stock import OutOfStock
from mcp_server.errors import Refusal
from tests.support.approvals import Declined, agreeing, declining
from tests.support.together import CALLERS, together
from tests.support.world import World


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def draft(quantity: int = 2, **facts: Any) -> int:
    """The number of a new draft of anvils."""
    return drafts.create(items=[Wanted("A-1", quantity)], **facts).order.number


def place(number: int) -> Order:
    return fulfilment.place(number, actor="tests").order


def advance(number: int, step: Step, method: PaymentMethod | None = None) -> Order:
    return fulfilment.advance(number, step, actor="tests", method=method).order


def cancel(number: int) -> fulfilment.Cancellation:
    return fulfilment.cancel(number, reason="changed their mind", actor="tests")


def stock() -> int:
    """The anvils in stock, which the ledger says too."""
    product = Product.objects.get(sku="A-1")
    assert product.stock == product.movements.aggregate(sum=Sum("quantity"))["sum"]
    return product.stock


def payments(number: int) -> list[tuple[str, str, int]]:
    rows = Payment.objects.filter(order__number=number).order_by("created_at", "id")
    return list(rows.values_list("kind", "method", "amount_minor"))


def test_an_order_that_is_placed_takes_its_units(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft(2, discount=Decimal("0.98"))

        order = place(number)

        assert (order.status, order.total_minor, stock()) == (OrderStatus.PLACED, 3900, 3)
        assert Order.objects.get(number=number).placed_at == order.placed_at is not None
        movement = StockMovement.objects.get(order=order)
        assert (movement.quantity, movement.reason, movement.actor) == (-2, "sale", "tests")


def test_an_order_goes_from_placed_to_delivered(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()
        place(number)

        advance(number, Step.PAID, PaymentMethod.CARD)
        advance(number, Step.SHIPPED)
        advance(number, Step.DELIVERED)

        assert Order.objects.get(number=number).status == OrderStatus.DELIVERED
        assert payments(number) == [("payment", "card", 3998)]
        assert stock() == 3


def test_an_order_that_costs_nothing_is_paid_without_a_payment(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft(1, discount=Decimal("19.99"))
        place(number)

        advance(number, Step.PAID, PaymentMethod.OTHER)
        cancelled = cancel(number)

        assert payments(number) == []
        assert (cancelled.refund_minor, stock()) == (0, 5)


def test_how_an_order_was_paid_is_said_once(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()
        place(number)

        with pytest.raises(PaymentUnclear, match="payment_method, one of cash, card, transfer, other"):
            advance(number, Step.PAID)
        advance(number, Step.PAID, PaymentMethod.CASH)
        with pytest.raises(PaymentUnclear, match="is allowed only with status=paid"):
            advance(number, Step.SHIPPED, PaymentMethod.CASH)
        with pytest.raises(NotAllowed):
            advance(number, Step.PAID, PaymentMethod.CASH)

        assert payments(number) == [("payment", "cash", 3998)]


def become(status: OrderStatus) -> None:
    """Put every order into a status, whatever it was."""
    Order.objects.update(status=status, cancelled_at=timezone.now() if status is OrderStatus.CANCELLED else None)


@pytest.mark.parametrize(
    ("status", "wanted", "words"),
    [
        (OrderStatus.DRAFT, Step.PAID, "placed (place_order), cancelled (cancel_order)"),
        (OrderStatus.PLACED, Step.SHIPPED, "paid (update_order_status), cancelled (cancel_order)"),
        (OrderStatus.PAID, Step.DELIVERED, "shipped (update_order_status), cancelled (cancel_order)"),
        (OrderStatus.SHIPPED, Step.PAID, "delivered (update_order_status)"),
        (OrderStatus.DELIVERED, Step.SHIPPED, "its status is final"),
        (OrderStatus.CANCELLED, Step.PAID, "its status is final"),
    ],
)
def test_a_step_that_is_not_allowed_names_those_that_are(
    status: OrderStatus, wanted: Step, words: str, acme: World
) -> None:
    with rls.tenant_context(acme.id):
        become(status)

        with pytest.raises(NotAllowed) as refusal:
            advance(1, wanted, PaymentMethod.CASH)

        assert f"Order 1 is {status.label} and can't become {wanted}" in str(refusal.value)
        assert words in str(refusal.value)
        assert Order.objects.get().status == status


@pytest.mark.parametrize("status", [OrderStatus.SHIPPED, OrderStatus.DELIVERED, OrderStatus.CANCELLED])
def test_what_has_left_the_house_is_not_cancelled(status: OrderStatus, acme: World) -> None:
    with rls.tenant_context(acme.id):
        become(status)

        with agreeing() as questions, pytest.raises(NotAllowed):
            cancel(1)

        assert (questions, stock()) == ([], 5)


def test_all_that_is_short_is_named_and_nothing_moves(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.create(sku="B-2", name="Bell", price_minor=500, currency="EUR")
        number = drafts.create(items=[Wanted("A-1", 6), Wanted("B-2", 1)]).order.number

        with agreeing() as questions, pytest.raises(OutOfStock) as refusal:
            place(number)

        assert "A-1 (5 in stock, 6 needed), B-2 (0 in stock, 1 needed)" in str(refusal.value)
        assert (questions, stock(), Order.objects.get(number=number).status) == ([], 5, OrderStatus.DRAFT)


def test_the_number_of_statements_is_not_that_of_the_lines(acme: World) -> None:
    with rls.tenant_context(acme.id):
        goods = [Product(sku=f"L-{number}", name="Lot", price_minor=1, currency="EUR", stock=9) for number in range(30)]
        Product.objects.bulk_create(goods)

        sent = {}
        for lines in (1, 3, 30):
            number = drafts.create(items=[Wanted(good.sku, 1) for good in goods[:lines]]).order.number
            for step in (place, cancel):
                with CaptureQueriesContext(connection) as statements:
                    step(number)
                sent[step.__name__, lines] = len(statements)

    # The lock of several products is a statement of its own.
    assert [sent["place", lines] for lines in (1, 3, 30)] == [7, 8, 8]
    assert [sent["cancel", lines] for lines in (1, 3, 30)] == [6, 7, 7]


def test_what_is_not_for_sale_any_more_cannot_be_placed(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()
        Product.objects.update(is_active=False)

        with pytest.raises(NotForSale, match="No longer for sale: A-1"):
            place(number)


def test_an_order_without_lines_cannot_be_placed(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Order.objects.create(number=2)

        with pytest.raises(OrderInvalid, match="Order 2 has no lines"):
            place(2)


@pytest.mark.parametrize(("limit", "questions"), [(3998, []), (3997, ["€39.98", "€39.97"])])
def test_an_order_above_the_tenants_limit_is_asked_for(limit: int, questions: list[str], acme: World) -> None:
    with rls.tenant_context(acme.id):
        TenantSettings.objects.update(max_order_minor=limit)
        number = draft()

        with agreeing() as seen:
            place(number)

        assert [text for text in seen if all(figure in text for figure in questions)] == seen
        assert len(seen) == bool(questions)


def test_a_declined_order_takes_nothing(acme: World) -> None:
    with rls.tenant_context(acme.id):
        TenantSettings.objects.update(max_order_minor=1)
        number = draft()

        with declining(), pytest.raises(Declined):
            place(number)

        assert (stock(), Order.objects.get(number=number).status) == (5, OrderStatus.DRAFT)


def test_a_draft_is_cancelled_without_a_question(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()

        with agreeing() as questions:
            cancelled = cancel(number)

        assert (questions, cancelled.units, cancelled.refund_minor, stock()) == ([], 0, 0, 5)
        assert Order.objects.get(number=number).status == OrderStatus.CANCELLED


def test_a_cancelled_order_gives_back_its_units(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()
        place(number)

        with agreeing() as questions:
            cancelled = cancel(number)

        assert questions == [
            "Order 2 is placed. Cancelling it returns its units (2) to stock; nothing is refunded. Cancel it?"
        ]
        assert (cancelled.units, cancelled.refund_minor, payments(number), stock()) == (2, 0, [], 5)
        back = StockMovement.objects.get(order=cancelled.details.order, quantity=2)
        assert (back.reason, back.note) == ("return", "changed their mind")


def test_a_cancelled_order_that_was_paid_is_refunded_the_way_it_was_paid(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()
        place(number)
        advance(number, Step.PAID, PaymentMethod.TRANSFER)

        with agreeing() as questions:
            cancelled = cancel(number)

        assert "refunds €39.98" in questions[0]
        assert (cancelled.units, cancelled.refund_minor, stock()) == (2, 3998, 5)
        assert payments(number) == [("payment", "transfer", 3998), ("refund", "transfer", 3998)]


def test_a_declined_cancellation_changes_nothing(acme: World) -> None:
    with rls.tenant_context(acme.id):
        with declining(), pytest.raises(Declined):
            cancel(1)

        assert (Order.objects.get().status, stock(), len(payments(1))) == (OrderStatus.PAID, 5, 1)


def test_an_order_of_another_tenant_is_an_unknown_order(acme: World, globex: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft()

    for step in (place, cancel, lambda number: advance(number, Step.SHIPPED)):
        with rls.tenant_context(globex.id), pytest.raises(OrderNotFound) as theirs:
            step(number)
        with rls.tenant_context(globex.id), pytest.raises(OrderNotFound) as nobodys:
            step(99)

        assert str(theirs.value).replace("order 2", "order 99") == str(nobodys.value)


def order(items: list[Wanted]) -> Order:
    return drafts.create(items=items).order


def outcome(step: Any, *arguments: Any) -> str:
    """The kind of the refusal, or "done"."""
    try:
        step(*arguments)
    except Refusal as error:
        return type(error).__name__
    return "done"


def test_the_last_item_is_sold_once(acme: World) -> None:
    with rls.tenant_context(acme.id):
        numbers = [draft(5) for _ in range(CALLERS)]

    outcomes = together(acme.id, lambda index: outcome(place, numbers[index]))

    assert sorted(outcomes) == ["OutOfStock"] * (CALLERS - 1) + ["done"]
    with rls.tenant_context(acme.id):
        assert stock() == 0
        assert Order.objects.filter(status=OrderStatus.PLACED).count() == 1


def test_one_order_is_placed_once(acme: World) -> None:
    with rls.tenant_context(acme.id):
        number = draft(1)

    outcomes = together(acme.id, lambda _: outcome(place, number))

    assert sorted(outcomes) == ["NotAllowed"] * (CALLERS - 1) + ["done"]
    with rls.tenant_context(acme.id):
        assert stock() == 4


def test_steps_at_once_never_wait_for_each_other(acme: World) -> None:
    """The same two products in either order, by all who lock them: a wrong order of locks is a deadlock here."""
    with rls.tenant_context(acme.id):
        Product.objects.create(sku="B-2", name="Bell", price_minor=500, currency="EUR")
        Product.objects.update(stock=1000)
        pairs = [[Wanted("A-1", 1), Wanted("B-2", 1)], [Wanted("B-2", 1), Wanted("A-1", 1)]]
        numbers = [drafts.create(items=pairs[index % 2]).order.number for index in range(8)]

    def work(index: int) -> list[str]:
        number = numbers[index // 2]
        outcomes = [outcome(drafts.add_item, number, pairs[index % 2][0]), outcome((place, cancel)[index % 2], number)]
        for turn in range(4):
            own = drafts.create(items=pairs[(index + turn) % 2]).order.number
            outcomes += [outcome(place, own), outcome(advance, own, Step.PAID, PaymentMethod.CASH)]
            outcomes += [outcome(cancel, own)] if turn % 2 else []
        return outcomes

    outcomes = {kind for kinds in together(acme.id, work) for kind in kinds}

    assert outcomes <= {"done", "NotAllowed", "OrderInvalid"}
    with rls.tenant_context(acme.id):
        sold = Order.objects.filter(placed_at__isnull=False, cancelled_at__isnull=True, number__gt=1).aggregate(
            units=Sum("items__quantity")
        )["units"]
        assert sum(1000 - each for each in Product.objects.values_list("stock", flat=True)) == sold
