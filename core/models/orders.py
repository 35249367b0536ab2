"""What a tenant has sold."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models.products import Product
from core.models.tenants import TenantUser
from rls.models import Tenanted


class OrderStatus(models.TextChoices):
    """Where an order stands."""

    DRAFT = "draft", _("draft")
    PLACED = "placed", _("placed")
    PAID = "paid", _("paid")
    SHIPPED = "shipped", _("shipped")
    DELIVERED = "delivered", _("delivered")
    CANCELLED = "cancelled", _("cancelled")


class Order(Tenanted):
    """An order; `number` identifies it inside its tenant."""

    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=OrderStatus, default=OrderStatus.DRAFT)
    placed_by = models.ForeignKey(TenantUser, on_delete=models.RESTRICT, db_constraint=False, db_index=False, null=True)

    class Meta:
        default_related_name = "orders"
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="order_number_unique")]
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="order_newest"),
            models.Index(fields=["tenant", "placed_by"], name="order_placed_by"),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"


class OrderItem(Tenanted):
    """A line of an order, with the price at the time."""

    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="items"
    )
    product = models.ForeignKey(Product, on_delete=models.RESTRICT, db_constraint=False, db_index=False)
    quantity = models.PositiveIntegerField()
    price_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        default_related_name = "order_items"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "order", "product"], name="orderitem_product_unique"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orderitem_quantity_positive"),
        ]
        indexes = [models.Index(fields=["tenant", "product"], name="orderitem_product")]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"
