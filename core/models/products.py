"""What a tenant sells."""

from __future__ import annotations

from django.db import models

from rls.models import Tenanted


class Product(Tenanted):
    """Something a tenant sells; `sku` identifies it to people and to models."""

    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    price_minor = models.PositiveBigIntegerField(help_text="In the currency's minor unit: 1999 is 19.99 EUR.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    stock = models.PositiveIntegerField(default=0, help_text="Units on hand.")
    is_active = models.BooleanField(default=True)

    class Meta:
        default_related_name = "products"
        constraints = [
            # Unique inside a tenant: a global constraint would tell one tenant which skus another has taken.
            models.UniqueConstraint(fields=["tenant", "sku"], name="product_sku_unique"),
        ]
        indexes = [models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="product_newest")]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"
