"""What a tenant sells."""

from __future__ import annotations

from django.db import models

from rls.models import Tenanted


class Product(Tenanted):
    """Something a tenant sells; `sku` identifies it to people and to models.

    `stock` is the sum of the product's movements (see StockMovement) and changes only together with one, under a
    lock of this row.
    """

    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="", db_default="")
    category = models.CharField(max_length=100, blank=True, default="", db_default="")
    price_minor = models.PositiveBigIntegerField(help_text="In the currency's minor unit: 1999 is 19.99 EUR.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    stock = models.PositiveIntegerField(default=0, help_text="Units on hand.")
    reorder_level = models.PositiveIntegerField(
        default=0, db_default=0, help_text="At this many units or fewer, stock is low."
    )
    headroom = models.GeneratedField(
        expression=models.F("stock") - models.F("reorder_level"),
        output_field=models.IntegerField(),
        db_persist=True,
        help_text="Units above the reorder level: 0 or less is low stock.",
    )
    is_active = models.BooleanField(default=True, help_text="Whether it is for sale.")

    class Meta:
        default_related_name = "products"
        constraints = [
            # Unique inside a tenant: a global constraint would tell one tenant which skus another has taken.
            models.UniqueConstraint(fields=["tenant", "sku"], name="product_sku_unique"),
        ]
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="product_newest"),
            models.Index(
                "tenant", "category", models.F("created_at").desc(), models.F("id").desc(), name="product_category"
            ),
            models.Index(fields=["tenant", "headroom", "id"], name="product_headroom"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"


class ProductTerm(Tenanted):
    """What finds a product by its beginning; see `core.words` and `core.services.search`.

    A prefix is a range of an ordinary index, which row-level security leaves usable; LIKE and trigrams are not
    leakproof, and would be tried on every row of the tenant (PostgreSQL, 41.5 "Rules and Privileges").
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    term = models.CharField(max_length=64, db_collation="C", help_text="Folded: without case, accents and signs.")

    class Meta:
        default_related_name = "terms"
        constraints = [models.UniqueConstraint(fields=["tenant", "term", "product"], name="productterm_unique")]
        indexes = [models.Index(fields=["tenant", "product"], name="productterm_product")]

    def __str__(self) -> str:
        return self.term
