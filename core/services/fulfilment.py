"""What happens to an order after it is a draft: placed, paid, shipped, delivered, or cancelled.

Note [Order of locks]: the tenant's settings, then the order, then its products as `stock.lock` takes them. Whoever
keeps to it can wait for another, but never for each other. A product that sells well is what many wait for, so it is
locked by the last statement of a service (`stock.move`), when all else is checked and written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import formats
from core.models import MovementReason, Order, OrderStatus, Payment, PaymentKind, PaymentMethod
from core.services import drafts, orders, settings, stock
from core.services.drafts import OrderInvalid
from core.services.orders import OrderDetails
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
    """A cancelled order, the status it had, the units that are back in stock, and the money that is to go back."""

    details: OrderDetails
    was: OrderStatus
    units: int
    refund_minor: int


def place(number: int, *, actor: str) -> OrderDetails:
    """Take the order's units out of stock and fix its total. Asks for a total above the tenant's cap.

    Raises OrderNotFound, NotAllowed, OrderInvalid, NotForSale, OutOfStock.
    """
    with transaction.atomic(savepoint=False):
        details = orders.lock(number)
        order = details.order
        orders.require_step(order, OrderStatus.PLACED)
        _require_lines(details)
        _require_active(details)
        _require_stock(details)
        order.total_minor = drafts.goods(details.items) - order.discount_minor
        _ask_for_total(order)
        order.placed_at = timezone.now()
        _become(order, OrderStatus.PLACED, "placed_at", "total_minor")
        _sell(details, actor)
    return details


def advance(number: int, step: Step, *, actor: str, method: PaymentMethod | None = None) -> OrderDetails:
    """Let the order become paid, shipped or delivered. `method` says how it was paid, and goes with paid alone.

    Raises OrderNotFound, NotAllowed, PaymentUnclear.
    """
    with transaction.atomic(savepoint=False):
        details = orders.lock(number)
        order = details.order
        orders.require_step(order, OrderStatus(step))
        if step is Step.PAID:
            _pay(details, _known(method), actor)
        elif method is not None:
            raise PaymentUnclear(_("payment_method is allowed only with status=paid. Call again without it."))
        _become(order, OrderStatus(step))
    return details


def cancel(number: int, *, reason: str, actor: str) -> Cancellation:
    """Cancel an order: what was sold goes back into stock, what was paid is refunded the way it came.

    Asks, unless it is a draft. Raises OrderNotFound, NotAllowed, TooMuchStock.
    """
    with transaction.atomic(savepoint=False):
        details = orders.lock(number)
        order = details.order
        orders.require_step(order, OrderStatus.CANCELLED)
        was_sold = order.status != OrderStatus.DRAFT
        units = sum(item.quantity for item in details.items) if was_sold else 0
        cancelled = Cancellation(details, OrderStatus(order.status), units, _balance(details.payments))
        if was_sold:
            approval.ask(_question(cancelled))
        if cancelled.refund_minor:
            _write(details, PaymentKind.REFUND, details.payments[-1].method, cancelled.refund_minor, actor)
        order.cancelled_at = timezone.now()
        _become(order, OrderStatus.CANCELLED, "cancelled_at")
        if was_sold:
            _move(details, 1, MovementReason.RETURN, actor, note=reason)
    return cancelled


def _sell(details: OrderDetails, actor: str) -> None:
    """Take the units. What somebody else has committed since the products were read is refused in the same words."""
    try:
        _move(details, -1, MovementReason.SALE, actor)
    except OutOfStock:
        _require_stock(details)
        raise
    _require_active(details)


def _move(details: OrderDetails, direction: int, reason: MovementReason, actor: str, *, note: str = "") -> None:
    """Move the units of all lines, as the last that locks. See Note [Order of locks]."""
    units = {item.product: direction * item.quantity for item in details.items}
    stock.move(units, reason=reason, actor=actor, order=details.order, note=note)


def _require_lines(details: OrderDetails) -> None:
    if not details.items:
        raise OrderInvalid(
            _("Order {number} has no lines. Call add_order_item first.").format(number=details.order.number)
        )


def _require_active(details: OrderDetails) -> None:
    drafts.require_active(item.product for item in details.items)


def _require_stock(details: OrderDetails) -> None:
    """Raise OutOfStock with all that is short, before anybody is asked."""
    short = [
        _("{sku} ({stock} in stock, {wanted} needed)").format(
            sku=item.product.sku, stock=item.product.stock, wanted=item.quantity
        )
        for item in details.items
        if item.product.stock < item.quantity
    ]
    if short:
        raise OutOfStock(
            _(
                "Order {number} can't be placed: {short}. Call get_inventory to see the stock, or create_order "
                "with smaller quantities."
            ).format(number=details.order.number, short=_(", ").join(short))
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
    order = cancelled.details.order
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


def _pay(details: OrderDetails, method: PaymentMethod, actor: str) -> None:
    if details.order.total_minor:
        _write(details, PaymentKind.PAYMENT, method, details.order.total_minor, actor)


def _write(details: OrderDetails, kind: PaymentKind, method: str, amount_minor: int, actor: str) -> None:
    order = details.order
    details.payments.append(
        Payment.objects.create(
            order=order, kind=kind, method=method, amount_minor=amount_minor, currency=order.currency, actor=actor
        )
    )


def _balance(payments: Iterable[Payment]) -> int:
    """The payments less the refunds, in minor units."""
    return sum(
        payment.amount_minor if payment.kind == PaymentKind.PAYMENT else -payment.amount_minor for payment in payments
    )


def _become(order: Order, status: OrderStatus, *fields: str) -> None:
    order.status = status
    order.save(update_fields=["status", *fields])
