"""The ledger of stock."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models.orders import Order
from core.models.products import Product
from rls.models import Tenanted


class MovementReason(models.TextChoices):
    """Why units came or went."""

    OPENING = "opening", _("opening stock")
    PURCHASE = "purchase", _("purchase")
    SALE = "sale", _("sale")
    RETURN = "return", _("return")
    DAMAGE = "damage", _("damage or loss")
    COUNT = "count", _("stock count")


class StockMovement(Tenanted):
    """Units that came (positive) or went (negative), why, and by whom: written once and never changed.

    The sum of a product's movements is its stock on hand; `stock_after` is that sum, this movement included.
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    quantity = models.IntegerField()
    stock_after = models.PositiveIntegerField()
    reason = models.CharField(max_length=10, choices=MovementReason)
    note = models.CharField(max_length=200, blank=True, default="")
    order = models.ForeignKey(Order, on_delete=models.CASCADE, db_constraint=False, db_index=False, null=True)
    actor = models.CharField(max_length=100, help_text="The name of the token that wrote it.")

    class Meta:
        default_related_name = "movements"
        constraints = [models.CheckConstraint(condition=~models.Q(quantity=0), name="stockmovement_moves")]
        indexes = [
            models.Index(
                "tenant", "product", models.F("created_at").desc(), models.F("id").desc(), name="stockmovement_product"
            ),
            models.Index(fields=["tenant", "created_at"], name="stockmovement_time"),
            models.Index(fields=["tenant", "order"], name="stockmovement_order"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+d} {self.reason}"
