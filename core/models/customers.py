"""Whom a tenant sells to."""

from __future__ import annotations

from django.db import models
from django.db.models import Func
from django.db.models.functions import Lower

from rls.models import Tenanted

# What can't be seen and is left over by Unicode's form NFKC, as PostgreSQL reads it.
INVISIBLE = (
    r"[\u0001-\u0020\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E"
    r"\u2060-\u206F\u2800\uFE00-\uFE0F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E0FFF]"
)
NFKC = "normalize(%(expressions)s, NFKC)"


class Customer(Tenanted):
    """A person or a firm that orders; `email` identifies it inside its tenant."""

    email = models.EmailField(help_text="In the form of `core.addresses.normal`.")
    name = models.CharField(max_length=200)
    phone = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        default_related_name = "customers"
        constraints = [
            # Unique inside a tenant: a global constraint would tell one tenant whom another sells to.
            models.UniqueConstraint(fields=["tenant", "email"], name="customer_email_unique"),
            # So that one address has one form, whoever writes it.
            models.CheckConstraint(
                condition=models.Q(email=Lower(Func("email", template=NFKC))) & ~models.Q(email__regex=INVISIBLE),
                name="customer_email_normal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
