"""Data to look at: a shop, and how its trade went until today."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from core import currencies, days
from core.models import Customer, MovementReason, Order, OrderStatus, Product, StockMovement, TenantSettings, TenantUser
from core.services import demo_goods, demo_rows, demo_story, search, settings, stock
from core.services.demo_rows import BATCH_SIZE, Writer
from core.services.demo_story import Ledger
from mcp_server.errors import Refusal

MAX_DISCOUNT_PERCENT = 10  # of the goods


class NothingToSell(Refusal):
    """No product of the demo shop is for sale any more."""


class ShopTrades(Refusal):
    """The tenant has orders of its own, among which invented ones would stand for ever."""


class Size(StrEnum):
    """How large a shop."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Shop:
    """What a size stands for."""

    products: int
    customers: int
    orders: int
    days: int


SHOPS = {
    Size.SMALL: Shop(products=8, customers=3, orders=5, days=30),
    Size.MEDIUM: Shop(products=200, customers=100, orders=1_000, days=90),
    Size.LARGE: Shop(products=2_000, customers=1_000, orders=10_000, days=365),
}


@dataclass(frozen=True, slots=True)
class DemoCounts:
    """How many rows were added."""

    users: int
    products: int
    customers: int
    orders: int
    order_items: int
    movements: int
    payments: int


def create(
    *,
    size: Size = Size.SMALL,
    orders: int | None = None,
    seed: int = 1,
    actor: str = "demo",
    on_progress: Callable[[int, int], None] | None = None,
) -> DemoCounts:
    """Fill the open tenant context with a shop; the same seed gives the same one, with its days counted from today.

    What is there already stays as it is, so a second call only adds orders; they are placed after the last movement
    of the products that they take.

    Args:
        orders: how many, where it is not what the size stands for.
        actor: who has done all this, for the ledger.
        on_progress: called with the number of orders that are written, and of all.

    Raises NothingToSell.
    """
    shop = SHOPS[size]
    chance = random.Random(seed)  # noqa: S311  (a demo, not a secret)
    day, zone = timezone.localdate(), timezone.get_current_timezone()
    today, opened_at = (days.start(each, zone).astimezone(UTC) for each in (day, day - timedelta(days=shop.days)))
    with transaction.atomic():
        chosen = settings.lock()
        users, user_count = _users()
        customers, customer_count = _customers(shop, opened_at, today)
        known, new = _products(shop, chosen, opened_at)
        ledger = _ledger(known, new, chance)
        available = {
            product: ledger.last.get(product, product.created_at) for product in [*known, *new] if product.is_active
        }
        if not available:
            raise NothingToSell(
                _("None of the demo products is active. Call set_product_active with the sku {sku} first.").format(
                    sku=demo_goods.GOODS[0].sku
                )
            )
        made = demo_story.sales(
            shop.orders if orders is None else orders,
            available=available,
            customers=customers,
            until=today if min(available.values()) < today else timezone.now(),
            smallest_discount=currencies.smallest_used(chosen.currency),
            most_discount=min(MAX_DISCOUNT_PERCENT, chosen.max_discount_percent),
            chance=chance,
        )
        demo_story.trade(made, ledger)
        Product.objects.bulk_update({move.product for move in ledger.moves}, ["stock"], batch_size=BATCH_SIZE)
        item_count, payment_count = Writer(chosen.currency, users, actor).write(made, ledger.moves, on_progress)
    return DemoCounts(
        users=user_count,
        products=len(new),
        customers=customer_count,
        orders=len(made),
        order_items=item_count,
        movements=len(ledger.moves),
        payments=payment_count,
    )


def require_trial_shop() -> None:
    """Raise ShopTrades where the open tenant context has an order, beyond drafts, of somebody who is not of the demo.

    Until the open transaction ends nobody places another.
    """
    settings.lock()
    invented = [email for _name, email in demo_goods.customers()]
    if Order.objects.exclude(status=OrderStatus.DRAFT).exclude(customer__email__in=invented).exists():
        raise ShopTrades(
            _(
                "This shop trades: it has orders that are not of the demo, and no tool would take invented ones out "
                "again. Nothing was changed. Use a tenant for trials; an operator creates one."
            )
        )


def _users() -> tuple[list[TenantUser], int]:
    found = [
        TenantUser.objects.get_or_create(username=name, defaults={"email": f"{name}@example.com", "role": role})
        for name, role in demo_goods.USERS
    ]
    return [user for user, _is_new in found], sum(is_new for _user, is_new in found)


def _customers(shop: Shop, since: datetime, until: datetime) -> tuple[list[Customer], int]:
    """All goods of the size, and how many of them are new; they came one after the other."""
    people = demo_goods.customers(shop.customers)
    known = list(Customer.objects.filter(email__in=[email for _name, email in people]))
    emails = {customer.email for customer in known}
    new = demo_rows.insert(
        Customer(name=name, email=email, created_at=since + (until - since) * 0.8 * number / len(people))
        for number, (name, email) in enumerate(people)
        if email not in emails
    )
    return known + new, len(new)


def _products(shop: Shop, chosen: TenantSettings, since: datetime) -> tuple[list[Product], list[Product]]:
    """Those of the size that are there, locked, and those that are new: these have no stock yet."""
    goods = demo_goods.goods(shop.products)
    known = stock.lock(Product.objects.filter(sku__in=[good.sku for good in goods]).values_list("id", flat=True))
    skus = {product.sku for product in known.values()}
    new = demo_rows.insert(
        Product(
            sku=good.sku,
            name=good.name,
            category=good.category,
            price_minor=good.price * currencies.unit(chosen.currency),
            currency=chosen.currency,
            reorder_level=chosen.low_stock_threshold,
            is_active=good.is_active,
            created_at=since + timedelta(seconds=number),
        )
        for number, good in enumerate(goods)
        if good.sku not in skus
    )
    search.index_all(new)
    return list(known.values()), new


def _ledger(known: Sequence[Product], new: Sequence[Product], chance: random.Random) -> Ledger:
    """A ledger that goes on where that of the known products has ended, and opens with some of each new one."""
    ends = dict(
        StockMovement.objects.filter(product__in=known).values_list("product_id").annotate(Max("created_at")).order_by()
    )
    ledger = Ledger({product: ends[product.id] for product in known if product.id in ends})
    for product in new:
        ledger.move(product, chance.randint(2, 60), MovementReason.OPENING, product.created_at)
    return ledger
