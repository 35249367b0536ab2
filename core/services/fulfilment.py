"""What happens to an order after it is a draft: placed, paid, shipped, delivered, or cancelled.

Note [Order of locks]: the tenant's settings, then the order, then its products as `stock.lock` takes them. Whoever
keeps to it can wait for another, but never for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import formats
from core.models import MovementReason, Order, OrderItem, OrderStatus, Payment, PaymentKind, PaymentMethod, Product
from core.services import drafts, orders, settings, stock
from core.services.drafts import OrderInvalid
from core.services.stock import OutOfStock
from mcp_server import approval
from mcp_server.errors import Refusal


class Step(StrEnum):
    """The statuses of a placed order, one after the other."""

    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


class PaymentUnclear(Refusal):
    """The payment method is missing where an order becomes paid, or given where it does not."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A cancelled order, the units that are back in stock, and the money that is to go back."""

    order: Order
    units: int
    refund_minor: int


def place(number: int, *, actor: str) -> Order:
    """Take the order's units out of stock and fix its total. Asks for a total above the tenant's cap.

    Raises OrderNotFound, NotAllowed, OrderInvalid, NotForSale, OutOfStock.
    """
    with transaction.atomic():
        order = orders.lock(number)
        orders.require_step(order, OrderStatus.PLACED)
        items = list(order.items.order_by("product__sku"))
        products = stock.lock(item.product_id for item in items)
        _require_lines(order, items)
        drafts.require_active(products.values())
        _require_stock(order, items, products)
        order.total_minor = drafts.goods(items) - order.discount_minor
        _ask_for_total(order)
        for item in items:
            stock.move(products[item.product_id], -item.quantity, reason=MovementReason.SALE, actor=actor, order=order)
        order.placed_at = timezone.now()
        _become(order, OrderStatus.PLACED, "placed_at", "total_minor")
    return order


def advance(number: int, step: Step, *, actor: str, method: PaymentMethod | None = None) -> Order:
    """Let the order become paid, shipped or delivered. `method` says how it was paid, and goes with paid alone.

    Raises OrderNotFound, NotAllowed, PaymentUnclear.
    """
    with transaction.atomic():
        order = orders.lock(number)
        orders.require_step(order, OrderStatus(step))
        if step is Step.PAID:
            _pay(order, _known(method), actor)
        elif method is not None:
            raise PaymentUnclear(_("payment_method is allowed only with status=paid. Call again without it."))
        _become(order, OrderStatus(step))
    return order


def cancel(number: int, *, reason: str, actor: str) -> Cancellation:
    """Cancel an order: what was sold goes back into stock, what was paid is refunded the way it came.

    Asks, unless it is a draft. Raises OrderNotFound, NotAllowed.
    """
    with transaction.atomic():
        order = orders.lock(number)
        orders.require_step(order, OrderStatus.CANCELLED)
        items = [] if order.status == OrderStatus.DRAFT else list(order.items.all())
        products = stock.lock(item.product_id for item in items)
        cancelled = Cancellation(order, sum(item.quantity for item in items), _balance(order.payments.all()))
        if order.status != OrderStatus.DRAFT:
            approval.ask(_question(cancelled))
        for item in items:
            stock.move(
                products[item.product_id],
                item.quantity,
                reason=MovementReason.RETURN,
                actor=actor,
                order=order,
                note=reason,
            )
        if cancelled.refund_minor:
            _write(order, PaymentKind.REFUND, order.payments.latest("created_at").method, cancelled.refund_minor, actor)
        order.cancelled_at = timezone.now()
        _become(order, OrderStatus.CANCELLED, "cancelled_at")
    return cancelled


def _require_lines(order: Order, items: list[OrderItem]) -> None:
    if not items:
        raise OrderInvalid(_("Order {number} has no lines. Call add_order_item first.").format(number=order.number))


def _require_stock(order: Order, items: list[OrderItem], products: dict[UUID, Product]) -> None:
    """Raise OutOfStock with all that is short, before anybody is asked."""
    short = [
        _("{sku} ({stock} in stock, {wanted} needed)").format(
            sku=products[item.product_id].sku, stock=products[item.product_id].stock, wanted=item.quantity
        )
        for item in items
        if products[item.product_id].stock < item.quantity
    ]
    if short:
        raise OutOfStock(
            _(
                "Order {number} can't be placed: {short}. Call get_inventory to see the stock, or create_order "
                "with smaller quantities."
            ).format(number=order.number, short=_(", ").join(short))
        )


def _ask_for_total(order: Order) -> None:
    limit = settings.get().max_order_minor
    if order.total_minor > limit:
        approval.ask(
            _("The total of order {number} is {total}, above the limit of {limit}. Place the order?").format(
                number=order.number,
                total=formats.money(order.total_minor, order.currency),
                limit=formats.money(limit, order.currency),
            )
        )


def _question(cancelled: Cancellation) -> str:
    order = cancelled.order
    facts = {
        "number": order.number,
        "status": OrderStatus(order.status).label,
        "units": formats.number(cancelled.units),
        "refund": formats.money(cancelled.refund_minor, order.currency),
    }
    if cancelled.refund_minor:
        return _(
            "Order {number} is {status}. Cancelling it returns its units ({units}) to stock and refunds "
            "{refund}. Cancel it?"
        ).format(**facts)
    return _(
        "Order {number} is {status}. Cancelling it returns its units ({units}) to stock; nothing is "
        "refunded. Cancel it?"
    ).format(**facts)


def _known(method: PaymentMethod | None) -> PaymentMethod:
    if method is None:
        raise PaymentUnclear(
            _("Say how the order was paid: call again with payment_method, one of {methods}.").format(
                methods=", ".join(PaymentMethod.values)
            )
        )
    return method


def _pay(order: Order, method: PaymentMethod, actor: str) -> None:
    if order.total_minor:
        _write(order, PaymentKind.PAYMENT, method, order.total_minor, actor)


def _write(order: Order, kind: PaymentKind, method: str, amount_minor: int, actor: str) -> None:
    Payment.objects.create(
        order=order, kind=kind, method=method, amount_minor=amount_minor, currency=order.currency, actor=actor
    )


def _balance(payments: Iterable[Payment]) -> int:
    """The payments less the refunds, in minor units."""
    return sum(
        payment.amount_minor if payment.kind == PaymentKind.PAYMENT else -payment.amount_minor for payment in payments
    )


def _become(order: Order, status: OrderStatus, *fields: str) -> None:
    order.status = status
    order.save(update_fields=["status", *fields])
