"""Sales to compute figures of: in the open tenant context, at a chosen time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.models import Customer, Order, OrderItem, OrderStatus, Payment, Product

PRICE = 1000


def product(sku: str, **facts: Any) -> Product:
    """A product that was there long before."""
    created_at = datetime.fromisoformat("2020-01-01T00:00Z")
    defaults = {"name": sku.lower(), "price_minor": PRICE, "currency": "EUR", "stock": 10, "created_at": created_at}
    return Product.objects.create(sku=sku, **defaults | facts)


def sell(
    sold: Product,
    quantity: int,
    at: str,
    *,
    status: OrderStatus = OrderStatus.PAID,
    discount: int = 0,
    customer: Customer | None = None,
    cancelled: str = "",
) -> Order:
    """An order of one product, placed at a time in UTC; what is cancelled was so at once, or when `cancelled` says."""
    order = Order.objects.create(
        number=Order.objects.count() + 1,
        status=OrderStatus.CANCELLED if cancelled else status,
        customer=customer,
        currency="EUR",
        discount_minor=discount,
        total_minor=quantity * PRICE - discount,
        placed_at=moment(at),
        cancelled_at=moment(cancelled or at) if cancelled or status is OrderStatus.CANCELLED else None,
    )
    line = OrderItem(order=order, product=sold, category=sold.category, quantity=quantity)
    line.price_minor, line.currency = PRICE, "EUR"
    line.save()
    return order


def cancel(order: Order, at: str) -> None:
    """Cancel an order at a time in UTC."""
    Order.objects.filter(id=order.id).update(status=OrderStatus.CANCELLED, cancelled_at=moment(at))


def pay(order: Order, amount_minor: int, at: str, kind: str = "payment") -> None:
    """Money that came in, or went back."""
    Payment.objects.create(
        order=order,
        kind=kind,
        method="card",
        amount_minor=amount_minor,
        currency="EUR",
        actor="x",
        created_at=moment(at),
    )


def moment(at: str) -> datetime:
    """ "2026-03-10" or "2026-03-10T23:30", in UTC; a day is its noon."""
    return datetime.fromisoformat(f"{at if 'T' in at else f'{at}T12:00'}Z")
