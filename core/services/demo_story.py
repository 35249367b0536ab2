"""How the demo shop's trade went: made up in memory, and consistent, before anything of it is written."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from core.models import Customer, MovementReason, OrderStatus, PaymentMethod, Product

T = TypeVar("T")

TICK = timedelta(microseconds=1)

# Each step of an order, how long it takes at most, and how many of a hundred orders take it.
STEPS = (
    (OrderStatus.PLACED, timedelta(minutes=40), 96),
    (OrderStatus.PAID, timedelta(days=1), 94),
    (OrderStatus.SHIPPED, timedelta(days=2), 94),
    (OrderStatus.DELIVERED, timedelta(days=4), 97),
)
METHODS = (PaymentMethod.CARD, PaymentMethod.CARD, PaymentMethod.TRANSFER, PaymentMethod.CASH)


@dataclass(slots=True, eq=False)
class Sale:
    """An order as it went; `at` says when it took each step."""

    customer: Customer | None
    lines: list[tuple[Product, int]]
    discount_minor: int
    method: PaymentMethod
    created_at: datetime
    status: OrderStatus = OrderStatus.DRAFT
    at: dict[OrderStatus, datetime] = field(default_factory=dict)

    @property
    def total_minor(self) -> int:
        """The goods less the discount."""
        return sum(product.price_minor * quantity for product, quantity in self.lines) - self.discount_minor


@dataclass(frozen=True, slots=True)
class Move:
    """A movement of the ledger."""

    product: Product
    quantity: int
    stock_after: int
    reason: MovementReason
    at: datetime
    sale: Sale | None


@dataclass(slots=True)
class Ledger:
    """The products on sale, when each of them last moved, and the movements that are made up from then on."""

    last: dict[Product, datetime]
    moves: list[Move] = field(default_factory=list)

    def move(
        self, product: Product, quantity: int, reason: MovementReason, at: datetime, sale: Sale | None = None
    ) -> None:
        """Move stock; before a sale that there is too little for, goods are bought."""
        if product.stock + quantity < 0:
            self.move(product, 20 - quantity * 4, MovementReason.PURCHASE, at - timedelta(hours=1))
        # Nothing happens to a product before what has happened to it.
        at = max(at, self.last[product] + TICK) if product in self.last else at
        self.last[product] = at
        product.stock += quantity
        self.moves.append(Move(product, quantity, product.stock, reason, at, sale))


def sales(
    count: int,
    *,
    available: dict[Product, datetime],
    customers: Sequence[Customer],
    until: datetime,
    smallest_discount: int,
    most_discount: int,
    chance: random.Random,
) -> list[Sale]:
    """Orders in the order of their creation, none of which needs a product or a customer before that is there.

    Args:
        available: from when on each product can be ordered; at least one.
        smallest_discount: in minor units; each is a multiple of it.
        most_discount: in percent of the goods.
    """
    # Whoever comes first is bought most: another one for each seed.
    shelf = sorted(available, key=lambda product: product.sku)
    chance.shuffle(shelf)
    shelf.sort(key=lambda product: available[product])
    since = [available[product] for product in shelf]
    known = sorted(customers, key=lambda customer: (customer.created_at, customer.email))
    joined = [customer.created_at for customer in known]
    times = sorted(since[0] + (until - since[0]) * chance.random() for _ in range(count))
    made = []
    for at in times:
        lines = _lines(shelf[: bisect_right(since, at)], chance)
        goods = sum(product.price_minor * quantity for product, quantity in lines)
        percent = chance.randint(0, most_discount) if chance.random() < 0.1 else 0
        regulars = known[: bisect_right(joined, at)]
        buyer = _one(regulars, chance) if regulars and chance.random() < 0.95 else None
        discount = goods * percent // 100 // smallest_discount * smallest_discount
        sale = Sale(buyer, lines, discount, chance.choice(METHODS), at)
        _go_on(sale, until, chance)
        made.append(sale)
    return made


def trade(made: Sequence[Sale], ledger: Ledger) -> None:
    """Write what the orders took from stock, and gave back, into the ledger, in the order of time."""
    events = []
    for number, sale in enumerate(made):
        for step, reason, sign in (
            (OrderStatus.PLACED, MovementReason.SALE, -1),
            (OrderStatus.CANCELLED, MovementReason.RETURN, 1),
        ):
            if step in sale.at:
                events += [
                    (sale.at[step], number, line, sign * quantity, reason)
                    for line, (_, quantity) in enumerate(sale.lines)
                ]
    for at, number, line, quantity, reason in sorted(events):
        ledger.move(made[number].lines[line][0], quantity, reason, at, made[number])


def _lines(shelf: Sequence[Product], chance: random.Random) -> list[tuple[Product, int]]:
    wanted = {_one(shelf, chance): chance.randint(1, 4) for _ in range(chance.randint(1, 3))}
    return list(wanted.items())


def _one(rows: Sequence[T], chance: random.Random) -> T:
    """One of the rows, the first of them more often than the last."""
    return rows[int(len(rows) * chance.random() ** 2)]


def _go_on(sale: Sale, until: datetime, chance: random.Random) -> None:
    """Let the order take its steps; what would come after `until` has not happened yet."""
    at = sale.created_at
    for status, longest, percent in STEPS:
        at += longest * chance.uniform(0.05, 1)
        if at >= until or chance.randrange(100) >= percent:
            break
        sale.status = status
        sale.at[status] = at
    if sale.status in (OrderStatus.PLACED, OrderStatus.PAID):
        at = sale.at[sale.status] + timedelta(days=2) * chance.uniform(0.05, 1)
        if at < until and chance.random() < 0.7:
            sale.status = OrderStatus.CANCELLED
            sale.at[OrderStatus.CANCELLED] = at
