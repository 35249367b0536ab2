"""Orders of the open tenant context: finding them, and what every step of an order has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from core import periods
from core.models import TRANSITIONS, Customer, Order, OrderItem, OrderStatus, Payment, Product
from core.periods import Period
from core.services import customers
from core.services.querysets import made_once
from core.services.rows import Columns, statement
from mcp_server import pages
from mcp_server.errors import Refusal

# The tool that brings an order into a status.
TOOLS_OF_STATUSES = {
    OrderStatus.PLACED: "place_order",
    OrderStatus.PAID: "update_order_status",
    OrderStatus.SHIPPED: "update_order_status",
    OrderStatus.DELIVERED: "update_order_status",
    OrderStatus.CANCELLED: "cancel_order",
}

NEWEST_FIRST = ("-listed_at", "-id")
# The columns of a row of a list; the others are read where they are asked for.
LISTED = (
    *("id", "number", "status", "currency", "total_minor", "created_at", "placed_at", "cancelled_at", "listed_at"),
    *("customer__email", "customer__name"),
)

# What an order in full is made of, and what a sale looks at.
OF_ORDER = Columns(
    Order,
    *("number", "status", "customer_id", "currency", "discount_minor", "total_minor", "note"),
    *("created_at", "placed_at", "cancelled_at"),
)
OF_CUSTOMER = Columns(Customer, "email", "name")
OF_ITEM = Columns(OrderItem, "product_id", "quantity", "price_minor", "currency")
OF_PRODUCT = Columns(Product, "sku", "name", "is_active", "stock")

# A row for each line, by sku, or one row without a line. Payments are read where there are any.
DETAILS = statement(
    """
    SELECT COALESCE(payment.is_there, false),
           {order}, {customer}, {item}, {product}
    FROM core_order AS o
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM core_payment AS payment WHERE payment.order_id = o.id LIMIT 1
    ) AS payment ON true
    LEFT JOIN core_customer AS customer ON customer.id = o.customer_id
    LEFT JOIN core_orderitem AS item ON item.order_id = o.id
    LEFT JOIN core_product AS product ON product.id = item.product_id
    WHERE o.number = %s
    ORDER BY product.sku
    """,
    order=OF_ORDER.sql("o"),
    customer=OF_CUSTOMER.sql("customer"),
    item=OF_ITEM.sql("item"),
    product=OF_PRODUCT.sql("product"),
)
# Where in a row of it each begins.
ORDER = 1
CUSTOMER = ORDER + len(OF_ORDER)
ITEM = CUSTOMER + len(OF_CUSTOMER)
PRODUCT = ITEM + len(OF_ITEM)


class OrderNotFound(Refusal):
    """No order has this number."""


class NotAllowed(Refusal):
    """The order can't change from its status to this one."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order in a list, with how many lines it has and how many units they hold."""

    order: Order
    lines: int
    units: int


@dataclass(frozen=True, slots=True)
class OrderRows:
    """Some orders; `cursor` asks for the next ones and is None at the end."""

    rows: list[OrderRow]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class OrderDetails:
    """An order with its lines, by sku, and its payments and refunds, oldest first."""

    order: Order
    items: list[OrderItem]
    payments: list[Payment]


def find(
    *, status: OrderStatus | None = None, customer_email: str = "", period: Period | None = None
) -> QuerySet[Order]:
    """The orders in this status, of this customer, of this period; newest first. Raises CustomerInvalid.

    An order is of the day on which it was placed, as in figures; one that never was, of that on which it was created.
    """
    orders = _listed()
    if status is not None:
        orders = orders.filter(status=status)
    if email := customers.address(customer_email):
        known = Customer.objects.filter(email=email)
        # A scalar sub-select: the index of a customer's orders can begin with its value.
        orders = orders.filter(customer_id=known.values("id")[:1])
    if period is not None:
        orders = orders.filter(listed_at__gte=period.start, listed_at__lt=period.end)
    return orders


def page(
    *, status: OrderStatus | None = None, customer_email: str = "", period: str = "", limit: int, cursor: str | None
) -> OrderRows:
    """One page of `find`, in one statement; `period` is text that `core.periods` knows.

    Raises CustomerInvalid, UnknownPeriod, InvalidCursor.
    """
    found = find(status=status, customer_email=customer_email, period=periods.parse(period) if period else None)
    of = {"list": "orders", "status": status, "customer": customers.address(customer_email), "period": period}
    rows = pages.page(found, order=NEWEST_FIRST, limit=limit, cursor=cursor, of=of)
    return OrderRows([_row(order) for order in rows.rows], rows.cursor)


def get(number: int) -> OrderDetails:
    """The order with this number: in one statement, in two where it has payments. Raises OrderNotFound."""
    with connection.cursor() as cursor:
        cursor.execute(DETAILS, [number])
        rows = cursor.fetchall()
    if not rows:
        raise OrderNotFound(_("There is no order {number}. Call list_orders to see the numbers.").format(number=number))
    order = OF_ORDER.read(rows[0][ORDER:CUSTOMER])
    if order.customer_id is not None:
        order.customer = OF_CUSTOMER.read(rows[0][CUSTOMER:ITEM])
    return OrderDetails(
        order=order,
        items=[_item(order, row) for row in rows if row[ITEM] is not None],
        payments=list(order.payments.order_by("created_at", "id")) if rows[0][0] else [],
    )


def lock(number: int) -> OrderDetails:
    """The same, locked until the transaction ends: before any product. One statement more. Raises OrderNotFound."""
    with connection.cursor() as cursor:
        # Apart from what is read: whoever has waited here sees the lines as they are now.
        cursor.execute("SELECT FROM core_order WHERE number = %s FOR UPDATE", [number])
    return get(number)


def require_step(order: Order, status: OrderStatus) -> None:
    """Raise NotAllowed, which names the allowed statuses, where the order can't change to this one."""
    if status in TRANSITIONS[OrderStatus(order.status)]:
        return
    facts = {"number": order.number, "now": OrderStatus(order.status).label, "wanted": status.label}
    if allowed := next_statuses(order):
        steps = _(", ").join(
            _("{status} ({call})").format(status=step.label, call=TOOLS_OF_STATUSES[step]) for step in allowed
        )
        raise NotAllowed(
            _("Order {number} is {now} and can't become {wanted}. It can become: {steps}.").format(**facts, steps=steps)
        )
    raise NotAllowed(
        _("Order {number} is {now} and can't become {wanted}: its status is final. Call get_order to see it.").format(
            **facts
        )
    )


def next_statuses(order: Order) -> list[OrderStatus]:
    """The statuses that the order can change to, in the order of an order's life."""
    allowed = TRANSITIONS[OrderStatus(order.status)]
    return [status for status in OrderStatus if status in allowed]


@made_once
def _listed() -> QuerySet[Order]:
    """All orders, newest first, with the columns of a row of a list and its size."""
    items = OrderItem.objects.filter(order=OuterRef("pk")).order_by().values("order")
    lines, units = (Subquery(items.annotate(size=size).values("size")) for size in (Count("id"), Sum("quantity")))
    orders = Order.objects.select_related("customer").only(*LISTED)
    return orders.annotate(line_count=Coalesce(lines, 0), unit_count=Coalesce(units, 0)).order_by(*NEWEST_FIRST)


def _row(order: Any) -> OrderRow:
    return OrderRow(order, order.line_count, order.unit_count)


def _item(order: Order, row: tuple[Any, ...]) -> OrderItem:
    item = OF_ITEM.read(row[ITEM:PRODUCT])
    item.order = order
    item.product = OF_PRODUCT.read(row[PRODUCT:])
    return item
