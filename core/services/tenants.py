"""Tenants: what one sees of itself, and what the platform does with all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count, F, QuerySet, Value
from django.db.models.functions import Coalesce

from core.errors import DomainError
from core.models import Tenant, TenantSettings, TenantUser


class TenantNotFound(DomainError):
    """No tenant in sight has this subdomain."""


class TenantInvalid(DomainError):
    """The tenant can't be saved like this."""


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """A tenant and the number of its users."""

    id: UUID
    name: str
    subdomain: str
    is_active: bool
    locale: str
    created_at: datetime
    user_count: int


def find() -> list[TenantFacts]:
    """Every tenant in sight, oldest first: one's own in a tenant context, all of them in a platform context."""
    return [_facts(tenant) for tenant in _with_counts()]


def get(subdomain: str | None = None) -> TenantFacts:
    """The tenant with this subdomain; in a tenant context, where None is enough, one's own.

    Raises TenantNotFound.
    """
    tenants = _with_counts()
    if subdomain is not None:
        tenants = tenants.filter(subdomain=subdomain)
    tenant = tenants.first()
    if tenant is None:
        raise TenantNotFound(f"There is no tenant {subdomain!r}. Call list_tenants to see the subdomains.")
    return _facts(tenant)


def users() -> QuerySet[TenantUser]:
    """The users of the open tenant context, by name."""
    return TenantUser.objects.all()


def create(*, subdomain: str, name: str, locale: str = "zh-hant") -> Tenant:
    """A new active tenant. Needs a platform context.

    Raises TenantInvalid: the subdomain is taken or malformed, or the locale is not offered.
    """
    tenant = Tenant(subdomain=subdomain, name=name)
    try:
        tenant.full_clean(exclude=["id", "created_at"])
        TenantSettings(tenant=tenant, locale=locale).clean_fields(exclude=["id", "created_at", "tenant"])
    except ValidationError as error:
        raise TenantInvalid(" ".join(error.messages)) from error
    tenant.save(force_insert=True)
    TenantSettings.objects.create(tenant=tenant, locale=locale)
    return tenant


def set_active(subdomain: str, *, active: bool) -> None:
    """Suspend a tenant, or let it work again. Every door asks for this on each request. Needs a platform context.

    Raises TenantNotFound.
    """
    if not Tenant.objects.filter(subdomain=subdomain).update(is_active=active):
        raise TenantNotFound(f"There is no tenant {subdomain!r}. `manage.py tenants list` shows the subdomains.")


def delete(subdomain: str) -> dict[str, int]:
    """Delete a tenant with every row it has; the answer counts them by model. Needs a platform context.

    Raises TenantNotFound.
    """
    tenant = Tenant.objects.filter(subdomain=subdomain).first()
    if tenant is None:
        raise TenantNotFound(f"There is no tenant {subdomain!r}. `manage.py tenants list` shows the subdomains.")
    return tenant.delete()[1]


def _with_counts() -> QuerySet[Tenant]:
    locale = Coalesce(F("settings__locale"), Value(TenantSettings().locale))
    return Tenant.objects.annotate(user_count=Count("users"), locale=locale).order_by("created_at", "subdomain")


def _facts(tenant: Tenant) -> TenantFacts:
    return TenantFacts(
        id=tenant.id,
        name=tenant.name,
        subdomain=tenant.subdomain,
        is_active=tenant.is_active,
        locale=tenant.locale,  # type: ignore[attr-defined]  # the same
        created_at=tenant.created_at,
        user_count=tenant.user_count,  # type: ignore[attr-defined]  # annotated by _with_counts
    )
