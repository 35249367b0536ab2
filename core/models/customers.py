"""Whom a tenant sells to."""

from __future__ import annotations

from django.db import models

from rls.models import Tenanted


class Customer(Tenanted):
    """A person or a firm that orders; `email` identifies it inside its tenant."""

    email = models.EmailField(help_text="Lower case.")
    name = models.CharField(max_length=200)
    phone = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        default_related_name = "customers"
        constraints = [
            # Unique inside a tenant: a global constraint would tell one tenant whom another sells to.
            models.UniqueConstraint(fields=["tenant", "email"], name="customer_email_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
