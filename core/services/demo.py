"""Data to look at: a small shop."""

from __future__ import annotations

import random
from dataclasses import dataclass

from django.db import connection, transaction

from core.models import Order, OrderItem, OrderStatus, Product, Role, TenantUser

USERS = (("mei", Role.OWNER), ("lin", Role.STAFF), ("hsu", Role.STAFF))
GOODS = (
    ("TEA-001", "高山烏龍茶 150 g", 48000),
    ("TEA-002", "東方美人茶 75 g", 62000),
    ("TEA-003", "日月潭紅茶 100 g", 39000),
    ("POT-001", "紫砂壺 200 ml", 180000),
    ("CUP-001", "白瓷品茗杯", 12000),
    ("CUP-002", "聞香杯組", 26000),
    ("TRAY-001", "竹製茶盤", 95000),
    ("CAN-001", "錫製茶罐", 54000),
)
CURRENCY = "TWD"


@dataclass(frozen=True, slots=True)
class DemoCounts:
    """How many rows were added."""

    users: int
    products: int
    orders: int
    order_items: int


def create(*, orders: int = 5, seed: int = 1) -> DemoCounts:
    """Fill the open tenant context with users, products and orders; the same seed gives the same shop.

    Users and products that are there already stay as they are, so a second call only adds orders.
    """
    chance = random.Random(seed)  # noqa: S311  (a demo, not a secret)
    with transaction.atomic():
        _serialise()
        users = [TenantUser.objects.get_or_create(username=name, defaults=_user(name, role)) for name, role in USERS]
        products = [
            Product.objects.get_or_create(sku=sku, defaults=_product(name, price, chance)) for sku, name, price in GOODS
        ]
        items = _orders([product for product, _ in products], users[0][0], orders, chance)
    return DemoCounts(
        users=sum(is_new for _, is_new in users),
        products=sum(is_new for _, is_new in products),
        orders=orders,
        order_items=items,
    )


def _serialise() -> None:
    """Let one caller at a time number this tenant's demo orders."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('demo ' || app.tenant_or_null()::text, 0))")


def _user(name: str, role: Role) -> dict[str, object]:
    return {"email": f"{name}@example.com", "role": role}


def _product(name: str, price_minor: int, chance: random.Random) -> dict[str, object]:
    return {"name": name, "price_minor": price_minor, "currency": CURRENCY, "stock": chance.randint(0, 80)}


def _orders(products: list[Product], user: TenantUser, count: int, chance: random.Random) -> int:
    last = Order.objects.order_by("-number").values_list("number", flat=True).first() or 0
    orders = [
        Order(number=last + step, status=chance.choice(OrderStatus.values), placed_by=user)
        for step in range(1, count + 1)
    ]
    Order.objects.bulk_create(orders)
    items = [
        OrderItem(
            order=order,
            product=product,
            quantity=chance.randint(1, 4),
            price_minor=product.price_minor,
            currency=product.currency,
        )
        for order in orders
        for product in chance.sample(products, chance.randint(1, 3))
    ]
    OrderItem.objects.bulk_create(items)
    return len(items)
