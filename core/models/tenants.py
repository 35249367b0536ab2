"""Tenants, their users, and who may sign in for them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.roles import Role
from rls.models import Keyed, Tenanted

SUBDOMAIN_VALIDATOR = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z",
    _("A subdomain must consist of lower-case letters, digits and inner hyphens (a DNS label, RFC 1035 2.3.1)."),
)

# What PostgreSQL has sampled of this index says how many tenants are suspended (see core.services.estimates).
SUSPENDED_INDEX = "tenant_suspended"


class Tenant(Keyed):
    """One customer of the installation; `subdomain` is its name in URLs.

    It is the root of isolation: under row-level security a tenant sees exactly its own row.
    """

    name = models.CharField(max_length=100)
    subdomain = models.CharField(max_length=63, unique=True, validators=[SUBDOMAIN_VALIDATOR])
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["created_at", "subdomain"]
        indexes = [
            models.Index(fields=["created_at", "subdomain"], name="tenant_oldest"),
            models.Index(fields=["subdomain"], condition=models.Q(is_active=False), name=SUSPENDED_INDEX),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.subdomain})"


class TenantUser(Tenanted):
    """A person who works for a tenant, as its orders name him; `Membership` says who may sign in."""

    username = models.CharField(max_length=50)
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role, default=Role.STAFF)

    class Meta:
        default_related_name = "users"
        ordering = ["username"]
        constraints = [
            # Unique inside a tenant: a global constraint would tell one tenant which names another has taken.
            models.UniqueConstraint(fields=["tenant", "username"], name="tenantuser_username_unique"),
        ]

    def __str__(self) -> str:
        return self.username


class Membership(Tenanted):
    """That a user of the installation may act for a tenant, in a role. Only the platform writes it.

    A user may be a member of several tenants, and a tenant sees its own members alone.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        default_related_name = "memberships"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_user_unique"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"
