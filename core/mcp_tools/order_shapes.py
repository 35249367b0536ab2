"""What an order looks like in answers: as a row of a list, and in full."""

from __future__ import annotations

from typing import Any, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import formats
from core.mcp_tools import listing
from core.mcp_tools.units import Priced, both_ways
from core.models import Customer, Order, OrderItem, OrderStatus, Payment, PaymentKind, PaymentMethod
from core.services import orders
from core.services.orders import OrderDetails
from mcp_server.call.units import Dated, Moment

# Lines of an order in one answer, in both forms: as many as one call can order.
MAX_SHOWN_LINES = 50


class Buyer(BaseModel):
    """The customer of an order."""

    email: str
    name: str

    @classmethod
    def of(cls, customer: Customer | None) -> Self | None:
        return cls(email=customer.email, name=customer.name) if customer else None

    def words(self) -> str:
        """Name and address on one line."""
        return f"{' '.join(self.name.split())} <{self.email}>"


class OrderSummary(Priced):
    """An order, in a list; `customer` is null for a walk-in."""

    number: int
    status: OrderStatus
    customer: Buyer | None
    total: str
    total_minor: int
    line_count: int
    unit_count: int
    created_at: Moment
    placed_at: Moment | None
    cancelled_at: Moment | None

    @classmethod
    def of(cls, order: Order, *, line_count: int, unit_count: int, **more: Any) -> Self:
        return cls(
            number=order.number,
            status=OrderStatus(order.status),
            customer=Buyer.of(order.customer),
            **both_ways(order.currency, total=order.total_minor),
            currency=order.currency,
            line_count=line_count,
            unit_count=unit_count,
            created_at=order.created_at,
            placed_at=order.placed_at,
            cancelled_at=order.cancelled_at,
            **more,
        )


class SummaryLines:
    """Writes orders, each on a line, in the caller's language."""

    def __init__(self) -> None:
        self._writer = formats.writer()
        self._template = _("- #{number} {status} {day} {name}{email}: {total}, {units} units")
        self._walk_in = _("walk-in")
        self._statuses = {status: status.label for status in OrderStatus}

    def of(self, order: OrderSummary) -> str:
        """The order on a line."""
        return listing.line(
            self._template,
            number=order.number,
            status=self._statuses[order.status],
            day=self._writer.day(order.placed_at or order.created_at),
            name=order.customer.name if order.customer else self._walk_in,
            email=f" <{order.customer.email}>" if order.customer else "",
            total=self._writer.money(order.total_minor, order.currency),
            units=self._writer.number(order.unit_count),
        )


class OrderLine(BaseModel):
    """A line of an order, in its currency; `price` is that of one unit."""

    sku: str
    name: str
    quantity: int
    price: str
    price_minor: int
    amount: str
    amount_minor: int
    currency: str = Field(exclude=True)

    @classmethod
    def of(cls, item: OrderItem) -> Self:
        return cls(
            sku=item.product.sku,
            name=item.product.name,
            quantity=item.quantity,
            **both_ways(item.currency, price=item.price_minor, amount=item.quantity * item.price_minor),
            currency=item.currency,
        )

    def line(self) -> str:
        """The line, in the caller's language."""
        return listing.line(
            _("- {quantity} x {sku} {name} at {price}: {amount}"),
            quantity=formats.number(self.quantity),
            sku=self.sku,
            name=self.name,
            price=formats.money(self.price_minor, self.currency),
            amount=formats.money(self.amount_minor, self.currency),
        )


class MoneyMoved(BaseModel):
    """A payment or a refund."""

    kind: PaymentKind
    method: PaymentMethod
    amount: str
    amount_minor: int
    currency: str
    at: Moment
    actor: str

    @classmethod
    def of(cls, payment: Payment) -> Self:
        return cls(
            kind=PaymentKind(payment.kind),
            method=PaymentMethod(payment.method),
            **both_ways(payment.currency, amount=payment.amount_minor),
            currency=payment.currency,
            at=payment.created_at,
            actor=payment.actor,
        )

    def line(self) -> str:
        """The payment, in the caller's language."""
        return _("- {at} {kind} ({method}): {amount}, by {actor}").format(
            at=formats.moment(self.at),
            kind=self.kind.label,
            method=self.method.label,
            amount=formats.money(self.amount_minor, self.currency),
            actor=self.actor,
        )


class FullOrder(OrderSummary, Dated):
    """An order with its lines, customer and payments.

    `lines` are some of `line_count`, by sku; `next_line` is where the others begin. `next_statuses` are where the order
    can go from here, and `next_calls` the tools that bring it there.
    """

    discount: str
    discount_minor: int
    note: str
    lines: list[OrderLine]
    next_line: int | None = None
    payments: list[MoneyMoved]
    next_statuses: list[OrderStatus]
    next_calls: dict[OrderStatus, str] = Field(default_factory=dict)

    @classmethod
    def in_full(cls, details: OrderDetails, *, first_line: int = 1, **more: Any) -> Self:
        """The order, with its lines from one on, and what else the class holds."""
        next_line = first_line + MAX_SHOWN_LINES
        steps = orders.next_statuses(details.order)
        return cls.of(
            details.order,
            line_count=len(details.items),
            unit_count=sum(item.quantity for item in details.items),
            **both_ways(details.order.currency, discount=details.order.discount_minor),
            note=details.order.note,
            lines=[OrderLine.of(item) for item in details.items[first_line - 1 : next_line - 1]],
            next_line=next_line if next_line <= len(details.items) else None,
            payments=[MoneyMoved.of(payment) for payment in details.payments],
            next_statuses=steps,
            next_calls={step: orders.TOOLS_OF_STATUSES[step] for step in steps},
            **more,
        )

    def words(self) -> str:
        """The order on a few lines, in the caller's language."""
        return "\n".join([self._heading(), *self._cancellation(), *self._lines(), *self._ending()])

    def _heading(self) -> str:
        return _("Order {number} ({status}), {day}, {customer}: {total}").format(
            number=self.number,
            status=self.status.label,
            day=formats.day(self.placed_at or self.created_at),
            customer=self.customer.words() if self.customer else _("walk-in"),
            total=formats.money(self.total_minor, self.currency),
        )

    def _cancellation(self) -> list[str]:
        return [_("Cancelled: {moment}").format(moment=formats.moment(self.cancelled_at))] if self.cancelled_at else []

    def _lines(self) -> list[str]:
        shown = [line.line() for line in self.lines]
        if self.next_line is not None:
            shown.append(
                _("- and {lines} more lines: call get_order with number={number} and first_line={line}").format(
                    lines=formats.number(self.line_count - self.next_line + 1), number=self.number, line=self.next_line
                )
            )
        if self.discount_minor:
            discount = formats.money(self.discount_minor, self.currency)
            shown.append(_("- Discount: {discount}").format(discount=discount))
        return shown

    def _ending(self) -> list[str]:
        lines = [payment.line() for payment in self.payments]
        if self.note:
            lines.append(_("- Note: {note}").format(note=self.note))
        if self.next_statuses:
            calls = ((status.label, _call(status, tool)) for status, tool in self.next_calls.items())
            steps = _(", ").join(_("{status} ({call})").format(status=label, call=call) for label, call in calls)
            lines.append(_("It can become: {steps}").format(steps=steps))
        return lines


def _call(status: OrderStatus, tool: str) -> str:
    return f"{tool} status={status.value}" if tool == "update_order_status" else tool
