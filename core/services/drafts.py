"""Draft orders of the open tenant context: making them and adding to them. A draft takes nothing from stock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from core import amounts, formats
from core.models import Order, OrderItem, OrderStatus, Product
from core.services import customers, orders, settings
from core.services.orders import OrderDetails
from mcp_server import approval
from mcp_server.errors import Refusal

MAX_LINES = 200
MAX_UNITS = 1_000_000  # of one line
NO_DISCOUNT = Decimal(0)


class OrderInvalid(Refusal):
    """The order would not be valid."""


class NotForSale(Refusal):
    """Some of the products do not exist, or are not for sale."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A number of units of a product."""

    sku: str
    quantity: int


def create(
    *,
    items: Iterable[Wanted],
    customer_email: str = "",
    customer_name: str = "",
    discount: Decimal = NO_DISCOUNT,
    note: str = "",
) -> OrderDetails:
    """A new draft with the next number, today's prices and categories; the same sku twice is one line.

    Without an e-mail address it is of a walk-in customer. The discount is in the currency's own unit; one above the
    tenant's cap is asked for. Raises OrderInvalid, NotForSale, CustomerInvalid, and AmountInvalid where the currency
    has no such discount.
    """
    with transaction.atomic(savepoint=False):
        chosen = settings.lock()
        discount_minor = amounts.minor(discount, chosen.currency)
        lines = _new_lines(items, chosen.currency)
        total = _total(lines, discount_minor)
        customer = customers.wanted(email=customer_email, name=customer_name)
        _ask_for_discount(discount_minor, goods(lines), chosen.currency, chosen.max_discount_percent)
        order = Order.objects.create(
            number=_next_number(),
            customer=customers.saved(customer),
            currency=chosen.currency,
            discount_minor=discount_minor,
            total_minor=total,
            note=note,
        )
        for line in lines:
            line.order = order
        OrderItem.objects.bulk_create(lines)
    return OrderDetails(order, lines, payments=[])


def add_item(number: int, item: Wanted) -> OrderDetails:
    """Add units of a product to a draft; a product that is in it already keeps its price and category.

    Raises OrderNotFound, OrderInvalid, NotForSale.
    """
    with transaction.atomic(savepoint=False):
        details = orders.lock(number)
        order = details.order
        _require_draft(order)
        lines = {line.product_id: line for line in details.items}
        [new] = _new_lines([item], order.currency)
        line = lines.setdefault(new.product_id, new)
        if line is new:
            line.order = order
        else:
            line.quantity += item.quantity
        order.total_minor = _total(lines.values(), order.discount_minor)
        line.save()
        order.save(update_fields=["total_minor"])
        return orders.get(number)


def goods(lines: Iterable[OrderItem]) -> int:
    """The sum of the lines, in minor units."""
    return sum(line.quantity * line.price_minor for line in lines)


def require_active(products: Iterable[Product]) -> None:
    """Raise NotForSale with the skus of those that are not for sale."""
    if inactive := [product.sku for product in products if not product.is_active]:
        raise NotForSale(
            _(
                "No longer for sale: {skus}. Call get_tenant_products with is_active=true to see what is for "
                "sale, or set_product_active to sell them again."
            ).format(skus=", ".join(inactive))
        )


def _new_lines(items: Iterable[Wanted], currency: str) -> list[OrderItem]:
    """Lines without an order yet, by sku."""
    units: Counter[str] = Counter()
    for item in items:
        units[item.sku] += item.quantity
    products = list(Product.objects.filter(sku__in=units).order_by("sku"))
    _require_known(units.keys() - {product.sku for product in products})
    require_active(products)
    _require_currency(products, currency)
    return [
        OrderItem(
            product=product,
            category=product.category,
            quantity=units[product.sku],
            price_minor=product.price_minor,
            currency=product.currency,
        )
        for product in products
    ]


def _require_known(missing: set[str]) -> None:
    if missing:
        raise NotForSale(
            _("There are no products with these skus: {skus}. Call get_tenant_products to see the skus.").format(
                skus=", ".join(sorted(missing))
            )
        )


def _require_currency(products: list[Product], currency: str) -> None:
    if foreign := [product.sku for product in products if product.currency != currency]:
        raise NotForSale(
            _("Not priced in the order's currency {currency}: {skus}. Leave them out.").format(
                currency=currency, skus=", ".join(foreign)
            )
        )


def _require_draft(order: Order) -> None:
    if order.status != OrderStatus.DRAFT:
        raise OrderInvalid(
            _(
                "Order {number} is {status}, and only a draft can be added to. Call create_order for a new order."
            ).format(number=order.number, status=OrderStatus(order.status).label)
        )


def _total(lines: Iterable[OrderItem], discount_minor: int) -> int:
    """The total to pay, in minor units. Raises OrderInvalid where it is negative, or above MAX_MINOR."""
    lines = list(lines)
    cost = goods(lines)
    if len(lines) > MAX_LINES or cost > amounts.MAX_MINOR or any(line.quantity > MAX_UNITS for line in lines):
        raise OrderInvalid(
            _(
                "An order can have at most {lines} lines, {units} units per line and a total of {total}. Split it "
                "into several orders."
            ).format(
                lines=formats.number(MAX_LINES),
                units=formats.number(MAX_UNITS),
                total=formats.money(amounts.MAX_MINOR, lines[0].currency),
            )
        )
    if discount_minor > cost:
        raise OrderInvalid(
            _("The discount of {discount} is more than the goods cost ({goods}). Give a smaller discount.").format(
                discount=formats.money(discount_minor, lines[0].currency), goods=formats.money(cost, lines[0].currency)
            )
        )
    return cost - discount_minor


def _ask_for_discount(discount_minor: int, cost: int, currency: str, most_percent: int) -> None:
    if discount_minor * 100 > cost * most_percent:
        approval.ask(
            _(
                "The discount of {discount} is {percent} of the goods ({goods}), above the limit of {limit}. "
                "Create the order with this discount?"
            ).format(
                discount=formats.money(discount_minor, currency),
                percent=formats.percent(discount_minor / cost),
                goods=formats.money(cost, currency),
                limit=formats.percent(most_percent / 100),
            )
        )


def _next_number() -> int:
    last = Order.objects.order_by("-number").values_list("number", flat=True).first()
    return (last or 0) + 1
