"""What a tenant chooses for itself."""

from __future__ import annotations

from django.db import models

from core import defaults
from rls.models import Tenanted


class TenantSettings(Tenanted):
    """One row a tenant. A tenant without one has the defaults; the row is also what serialises order numbers."""

    locale = models.CharField(max_length=10, default=defaults.LOCALE, choices=defaults.LANGUAGES)
    currency = models.CharField(
        max_length=3, default=defaults.CURRENCY, help_text="ISO 4217; of every product and order."
    )
    time_zone = models.CharField(max_length=64, default=defaults.TIME_ZONE, help_text="IANA name; days begin there.")
    low_stock_threshold = models.PositiveIntegerField(default=5, help_text="Reorder level of a product without one.")
    max_discount_percent = models.PositiveSmallIntegerField(
        default=10, help_text="Of an order's goods; above it an assistant asks a person."
    )
    max_order_minor = models.PositiveBigIntegerField(
        default=5_000_000, help_text="Total of an order in the currency's minor unit; above it an assistant asks."
    )
    max_stock_change = models.PositiveIntegerField(
        default=1_000, help_text="Units moved by one adjustment; above it an assistant asks."
    )

    class Meta:
        default_related_name = "settings"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="tenantsettings_tenant_unique"),
            models.CheckConstraint(condition=models.Q(max_discount_percent__lte=100), name="tenantsettings_percent"),
        ]

    def __str__(self) -> str:
        return f"{self.locale} {self.currency} {self.time_zone}"
