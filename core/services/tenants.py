"""Tenants: what one sees of itself, and what the platform does with all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from core import defaults
from core.models import Tenant, TenantSettings, TenantUser
from core.models.tenants import SUBDOMAIN_VALIDATOR
from core.services import settings, tenant_rows
from core.services.querysets import made_once
from mcp_server import approval, pages
from mcp_server.errors import Refusal
from mcp_server.pages import Page
from mcp_server.texts import is_storable
from rls.context import PLATFORM_ALIAS

MAX_SUBDOMAIN_LENGTH, MAX_NAME_LENGTH = 63, 100
PAGE_SIZE = 1000


class TenantNotFound(Refusal):
    """No visible tenant has this subdomain."""

    def __init__(self, subdomain: str) -> None:
        super().__init__(
            _(
                "There is no tenant {subdomain}. Call list_tenants, or `manage.py tenants list`, to see the subdomains."
            ).format(subdomain=repr(subdomain))
        )


class TenantInvalid(Refusal):
    """The tenant would not be valid."""


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


def find() -> Iterator[TenantFacts]:
    """The visible tenants, oldest first: one's own in a tenant context, all of them in a platform context.

    They are read as they are asked for, PAGE_SIZE in a statement.
    """
    found, cursor = page(limit=PAGE_SIZE, cursor=None)
    yield from found
    while cursor is not None:
        found, cursor = page(limit=PAGE_SIZE, cursor=cursor)
        yield from found


def page(*, limit: int, cursor: str | None) -> tuple[list[TenantFacts], str | None]:
    """Some of them, and the cursor for the next ones. Raises InvalidCursor."""
    found = pages.page(
        _with_counts(), order=("created_at", "subdomain"), limit=limit, cursor=cursor, of={"list": "tenants"}
    )
    return [_facts(tenant) for tenant in found.rows], found.cursor


def get(subdomain: str = "") -> TenantFacts:
    """The tenant with this subdomain; in a tenant context, where '' is enough, one's own.

    Raises TenantNotFound.
    """
    tenants = _with_counts()
    if subdomain:
        tenants = tenants.filter(subdomain=subdomain)
    return _facts(_known(tenants, subdomain))


def users(*, limit: int, cursor: str | None) -> Page[TenantUser]:
    """The users of the open tenant context, by name. Raises InvalidCursor."""
    return pages.page(
        TenantUser.objects.all(), order=("username", "id"), limit=limit, cursor=cursor, of={"list": "users"}
    )


def create(*, subdomain: str, name: str, locale: str = defaults.LOCALE) -> Tenant:
    """A new active tenant. Needs a platform context.

    Raises TenantInvalid: the subdomain is taken or malformed, there is no name, or the locale is not offered.
    """
    tenant = Tenant(subdomain=subdomain, name=name.strip())
    _require_names(tenant)
    if locale not in list(defaults.Locale):
        raise TenantInvalid(settings.locales())
    try:
        with transaction.atomic(using=PLATFORM_ALIAS):
            tenant.save(force_insert=True)
    except IntegrityError as error:
        raise TenantInvalid(
            _("A tenant with the subdomain {subdomain} exists already. Choose another subdomain.").format(
                subdomain=repr(subdomain)
            )
        ) from error
    TenantSettings.objects.create(tenant=tenant, locale=locale)
    return tenant


def _require_names(tenant: Tenant) -> None:
    try:
        SUBDOMAIN_VALIDATOR(tenant.subdomain)
    except ValidationError as error:
        raise TenantInvalid(str(error.message)) from error
    if len(tenant.subdomain) > MAX_SUBDOMAIN_LENGTH:
        raise TenantInvalid(
            _("A subdomain must have at most {length} characters (a DNS label, RFC 1035 2.3.1).").format(
                length=MAX_SUBDOMAIN_LENGTH
            )
        )
    if not (0 < len(tenant.name) <= MAX_NAME_LENGTH and is_storable(tenant.name)):
        raise TenantInvalid(
            _("A tenant must have a name of 1 to {length} characters, none of them NUL or half a character.").format(
                length=MAX_NAME_LENGTH
            )
        )


def set_active(subdomain: str, *, active: bool) -> Tenant:
    """Suspend a tenant, or resume it. Every endpoint checks this on each request. Needs a platform context.

    Raises TenantNotFound.
    """
    tenant = known(subdomain)
    tenant.is_active = active
    tenant.save(update_fields=["is_active"])
    return tenant


def known(subdomain: str) -> Tenant:
    """The tenant with this subdomain, suspended or not. Needs a platform context. Raises TenantNotFound."""
    return _known(Tenant.objects.filter(subdomain=subdomain), subdomain)


def delete(subdomain: str) -> dict[str, int]:
    """Delete a tenant with every row it has; the answer counts them by model. Needs a platform context.

    Asks for approval with what there is. Raises TenantNotFound.
    """
    # The lock keeps out new rows, each of which refers to the tenant: what is counted is what goes.
    tenant = _known(Tenant.objects.select_for_update().filter(subdomain=subdomain), subdomain)
    approval.ask(
        _("Delete the tenant {subdomain} ({name}) with all its data: {rows}? This can't be undone.").format(
            subdomain=tenant.subdomain, name=tenant.name, rows=tenant_rows.in_words(tenant_rows.count(tenant))
        ),
        # Its subdomain can be another tenant's tomorrow.
        about=tenant.id,
    )
    return tenant_rows.delete(tenant)


def _known(tenants: QuerySet[Tenant], subdomain: str) -> Tenant:
    tenant = tenants.first()
    if tenant is None:
        raise TenantNotFound(subdomain)
    return tenant


@made_once
def _with_counts() -> QuerySet[Tenant]:
    """The visible tenants, oldest first, each with its language and how many users it has."""
    # Sub-selects, which are run for the rows of a page: a join would be grouped before the page is cut from it.
    users = TenantUser.objects.filter(tenant=OuterRef("pk")).order_by().values("tenant")
    locale = TenantSettings.objects.filter(tenant=OuterRef("pk")).values("locale")
    return Tenant.objects.annotate(
        user_count=Coalesce(Subquery(users.annotate(rows=Count("pk")).values("rows")), 0),
        locale=Coalesce(Subquery(locale), Value(TenantSettings().locale)),
    ).order_by("created_at", "subdomain")


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
