"""What a tenant has sold."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from core import defaults
from core.models.customers import Customer
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


# From each status, where an order can go. What is not here can't happen.
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.DRAFT: frozenset({OrderStatus.PLACED, OrderStatus.CANCELLED}),
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.DELIVERED}),
    OrderStatus.DELIVERED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}


class Order(Tenanted):
    """An order; `number` identifies it inside its tenant.

    `total_minor` is the sum of its lines less `discount_minor`, in the minor unit of `currency`; it changes only
    together with a line, under a lock of this row. A draft takes nothing from stock. An order counts in figures on
    the day of `placed_at`, and is taken back on that of `cancelled_at`; neither ever changes.
    """

    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=OrderStatus, default=OrderStatus.DRAFT)
    customer = models.ForeignKey(Customer, on_delete=models.RESTRICT, db_constraint=False, db_index=False, null=True)
    placed_by = models.ForeignKey(TenantUser, on_delete=models.RESTRICT, db_constraint=False, db_index=False, null=True)
    currency = models.CharField(
        max_length=3, default=defaults.CURRENCY, db_default=defaults.CURRENCY, help_text="ISO 4217."
    )
    discount_minor = models.PositiveBigIntegerField(default=0, db_default=0)
    total_minor = models.PositiveBigIntegerField(default=0, db_default=0)
    note = models.TextField(blank=True, default="", db_default="")
    placed_at = models.DateTimeField(null=True, help_text="When it left draft.")
    cancelled_at = models.DateTimeField(null=True, help_text="When it was cancelled.")
    listed_at = models.GeneratedField(
        expression=Coalesce("placed_at", "created_at"),
        output_field=models.DateTimeField(),
        db_persist=True,
        help_text="Where it stands in lists: when it was placed, or else created.",
    )

    class Meta:
        default_related_name = "orders"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="order_number_unique"),
            models.CheckConstraint(
                condition=models.Q(status=OrderStatus.CANCELLED, cancelled_at__isnull=False)
                | ~models.Q(status=OrderStatus.CANCELLED) & models.Q(cancelled_at__isnull=True),
                name="order_cancelled_with_its_time",
            ),
        ]
        indexes = [
            models.Index("tenant", models.F("listed_at").desc(), models.F("id").desc(), name="order_newest"),
            models.Index("tenant", "status", models.F("listed_at").desc(), models.F("id").desc(), name="order_status"),
            models.Index(
                "tenant", "customer", models.F("listed_at").desc(), models.F("id").desc(), name="order_customer"
            ),
            models.Index(fields=["tenant", "placed_at"], name="order_placed_at"),
            models.Index(fields=["tenant", "cancelled_at"], name="order_cancelled_at"),
            models.Index(fields=["tenant", "placed_by"], name="order_placed_by"),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"


class OrderItem(Tenanted):
    """A line of an order, with the price and the category at the time."""

    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="items"
    )
    product = models.ForeignKey(Product, on_delete=models.RESTRICT, db_constraint=False, db_index=False)
    category = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="The product's when it was ordered."
    )
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


class PaymentKind(models.TextChoices):
    """Which way money went."""

    PAYMENT = "payment", _("payment")
    REFUND = "refund", _("refund")


class PaymentMethod(models.TextChoices):
    """How money went."""

    CASH = "cash", _("cash")
    CARD = "card", _("card")
    TRANSFER = "transfer", _("bank transfer")
    OTHER = "other", _("other")


class Payment(Tenanted):
    """That money came in or went back for an order: a fact, written once and never changed."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    kind = models.CharField(max_length=10, choices=PaymentKind)
    method = models.CharField(max_length=10, choices=PaymentMethod)
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    actor = models.CharField(max_length=100, help_text="The name of the token that wrote it.")

    class Meta:
        default_related_name = "payments"
        constraints = [
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payment_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["tenant", "order"], name="payment_order"),
            models.Index(fields=["tenant", "created_at"], name="payment_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"
