"""The rows of a trade that was made up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from django.db import connection
from django.db.models import Max
from django.db.models.functions import Coalesce

from core.models import Order, OrderItem, OrderStatus, Payment, PaymentKind, StockMovement, TenantUser
from core.services.demo_story import Move, Sale
from rls.models import Tenanted

BATCH_SIZE = 500

Row = TypeVar("Row", bound=Tenanted)


def insert(rows: Iterable[Row]) -> list[Row]:
    """Insert new rows of one model, and return them.

    Django resolves the database's defaults anew for each row, which takes longer than all the rest: here PostgreSQL is
    asked for the keys of all rows, and the tenant, at once.
    """
    new = list(rows)
    with connection.cursor() as cursor:
        cursor.execute("SELECT app.uuid7(), app.tenant_or_null() FROM generate_series(1, %s)", [len(new)])
        for row, defaults in zip(new, cursor.fetchall(), strict=True):
            row.id, row.tenant_id = defaults
    if new:
        type(new[0])._base_manager.bulk_create(new, batch_size=BATCH_SIZE)
    return new


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes orders with all that belongs to them. The open transaction has the lock of the tenant's settings."""

    currency: str
    users: Sequence[TenantUser]
    actor: str

    def write(
        self, made: Sequence[Sale], moves: Iterable[Move], on_progress: Callable[[int, int], None] | None
    ) -> tuple[int, int]:
        """Number the orders and write them, a batch at a time. The answer is the number of lines, and of payments."""
        of_sale: dict[Sale | None, list[Move]] = defaultdict(list)
        for move in moves:
            of_sale[move.sale].append(move)
        self._moves(of_sale[None], {})
        number = Order.objects.aggregate(last=Coalesce(Max("number"), 0))["last"] + 1
        items = payments = 0
        for start in range(0, len(made), BATCH_SIZE):
            batch = made[start : start + BATCH_SIZE]
            orders = self._orders(batch, number + start)
            items += self._items(orders)
            payments += self._payments(orders)
            self._moves(chain.from_iterable(of_sale[sale] for sale in batch), orders)
            if on_progress is not None:
                on_progress(start + len(batch), len(made))
        return items, payments

    def _orders(self, batch: Sequence[Sale], number: int) -> dict[Sale, Order]:
        orders = {
            sale: Order(
                number=each,
                status=sale.status,
                customer=sale.customer,
                placed_by=self.users[each % len(self.users)],
                currency=self.currency,
                discount_minor=sale.discount_minor,
                total_minor=sale.total_minor,
                placed_at=sale.at.get(OrderStatus.PLACED),
                cancelled_at=sale.at.get(OrderStatus.CANCELLED),
                created_at=sale.created_at,
            )
            for each, sale in enumerate(batch, start=number)
        }
        insert(orders.values())
        return orders

    def _items(self, orders: dict[Sale, Order]) -> int:
        return len(
            insert(
                OrderItem(
                    order=order,
                    product=product,
                    category=product.category,
                    quantity=quantity,
                    price_minor=product.price_minor,
                    currency=self.currency,
                    created_at=sale.created_at,
                )
                for sale, order in orders.items()
                for product, quantity in sale.lines
            )
        )

    def _payments(self, orders: dict[Sale, Order]) -> int:
        """The payment of an order, and its refund where the order was cancelled afterwards."""
        steps = ((OrderStatus.PAID, PaymentKind.PAYMENT), (OrderStatus.CANCELLED, PaymentKind.REFUND))
        return len(
            insert(
                Payment(
                    order=order,
                    kind=kind,
                    method=sale.method,
                    amount_minor=sale.total_minor,
                    currency=self.currency,
                    actor=self.actor,
                    created_at=sale.at[step],
                )
                for sale, order in orders.items()
                if OrderStatus.PAID in sale.at and sale.total_minor
                for step, kind in steps
                if step in sale.at
            )
        )

    def _moves(self, moves: Iterable[Move], orders: dict[Sale, Order]) -> None:
        insert(
            StockMovement(
                product=move.product,
                order=orders[move.sale] if move.sale else None,
                quantity=move.quantity,
                stock_after=move.stock_after,
                reason=move.reason,
                actor=self.actor,
                created_at=move.at,
            )
            for move in moves
        )
