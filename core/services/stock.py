"""Stock on hand: the one place where it changes, always together with a movement of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from core import formats
from core.models import MovementReason, Order, Product, StockMovement
from core.services.querysets import made_once
from mcp_server import approval
from mcp_server.errors import Refusal

MAX_STOCK = 2_147_483_647  # PostgreSQL's integer

# Stock and ledger in one statement, however many products there are. What would be below zero or above MAX_STOCK is
# left as it is, and not returned.
MOVE = """
    WITH wanted AS (
        SELECT * FROM unnest(%(products)s::uuid[], %(quantities)s::bigint[]) AS wanted (product_id, quantity)
    ), moved AS (
        UPDATE core_product AS product
        SET stock = product.stock + wanted.quantity
        FROM wanted
        WHERE product.id = wanted.product_id AND product.stock + wanted.quantity BETWEEN 0 AND %(most)s
        RETURNING product.id, product.stock, product.is_active, wanted.quantity
    ), written AS (
        INSERT INTO core_stockmovement (product_id, quantity, stock_after, reason, note, order_id, actor)
        SELECT id, quantity, stock, %(reason)s, %(note)s, %(order)s::uuid, %(actor)s FROM moved
        RETURNING id, created_at, product_id
    )
    SELECT moved.id, moved.stock, moved.is_active, written.id, written.created_at
    FROM moved JOIN written ON written.product_id = moved.id
"""


class OutOfStock(Refusal):
    """The product has fewer units than are needed."""


class TooMuchStock(Refusal):
    """The product would have more units than MAX_STOCK."""


def ask_above_cap(sku: str, quantity: int, *, cap: int) -> None:
    """Ask a person where more units move at once than the tenant lets an assistant move."""
    if abs(quantity) > cap:
        approval.ask(
            _(
                "Change the stock of {sku} by {quantity} units? An assistant may change it by up to {cap} "
                "units without asking."
            ).format(sku=sku, quantity=formats.number(quantity), cap=formats.number(cap))
        )


def lock(product_ids: Iterable[UUID]) -> dict[UUID, Product]:
    """These products, locked until the transaction ends, in the one order that can't deadlock.

    Whoever only refers to one of them does not wait.
    """
    locked = Product.objects.select_for_update(no_key=True).filter(id__in=product_ids).order_by("id")
    return {product.id: product for product in locked}


def move(
    units: Mapping[Product, int], *, reason: MovementReason, actor: str, order: Order | None = None, note: str = ""
) -> list[StockMovement]:
    """Move units of each product, all or none: in where they are positive, out where they are negative.

    One statement for one product, two for more, after which the products hold what was found: their stock, and whether
    they are for sale. They are locked until the transaction ends, so a transaction moves units last. Raises OutOfStock
    and TooMuchStock.
    """
    # Whoever catches a refusal can't commit a part of the moves.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        if len(units) > 1:
            # In a statement of its own: an UPDATE takes its rows in any order.
            lock(product.id for product in units)
        cursor.execute(
            MOVE,
            {
                "products": [product.id for product in units],
                "quantities": list(units.values()),
                "most": MAX_STOCK,
                "reason": reason.value,
                "note": note,
                "order": order.id if order else None,
                "actor": actor,
            },
        )
        moved = {product_id: found for product_id, *found in cursor.fetchall()}
        if unmoved := [product for product in units if product.id not in moved]:
            _refuse(unmoved, units)
    movements = []
    for product, quantity in units.items():
        product.stock, product.is_active, movement_id, created_at = moved[product.id]
        movements.append(
            StockMovement(
                id=movement_id,
                created_at=created_at,
                product=product,
                quantity=quantity,
                stock_after=product.stock,
                reason=reason,
                actor=actor,
                order=order,
                note=note,
            )
        )
    return movements


def recent(product: Product, *, limit: int) -> list[StockMovement]:
    """The latest stock movements of a product, newest first, with their orders."""
    return list(_movements().filter(product=product)[:limit])


@made_once
def _movements() -> QuerySet[StockMovement]:
    """Newest first, with the columns that are shown."""
    columns = ("created_at", "quantity", "stock_after", "reason", "note", "actor", "order__number")
    return StockMovement.objects.select_related("order").only(*columns).order_by("-created_at", "-id")


def _refuse(unmoved: list[Product], units: Mapping[Product, int]) -> None:
    """Raise for the first of these products, after each has got its stock as it is now."""
    now = dict(Product.objects.filter(id__in=[product.id for product in unmoved]).values_list("id", "stock"))
    for product in unmoved:
        product.stock = now.get(product.id, 0)
    first = unmoved[0]
    if units[first] > 0:
        raise TooMuchStock(
            _("A product can have at most {most} units in stock.").format(most=formats.number(MAX_STOCK))
        )
    raise OutOfStock(
        _("{sku} has {stock} units in stock, but {wanted} are needed. Call get_product to see it.").format(
            sku=first.sku, stock=formats.number(first.stock), wanted=formats.number(-units[first])
        )
    )
