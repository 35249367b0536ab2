"""The life of tenants, at the platform's URL."""

from __future__ import annotations

from typing import Annotated

from django.utils.translation import gettext as _
from pydantic import Field

from core.defaults import Locale
from core.mcp_tools.tools.tenants import TenantId
from core.scopes import Scope
from core.services import tenant_rows, tenants
from mcp_server import sentences
from mcp_server.declare.tools import Change, Endpoint, tool


class TenantChange(Change):
    """A tenant, as it is now."""

    subdomain: str
    name: str
    is_active: bool

    def subject(self) -> str:
        return f"tenant {self.subdomain}"


class NewTenant(TenantChange):
    """A tenant that was created. It has no token yet."""

    locale: str

    def text(self) -> str:
        made = _("Created {name} ({subdomain}).").format(name=self.name, subdomain=self.subdomain)
        return sentences.joined([made, _mint(self.subdomain)])


class SuspendedTenant(TenantChange):
    """A tenant whose requests are refused at every endpoint."""

    def text(self) -> str:
        done = _("Suspended {name} ({subdomain}): its requests are refused from now on.")
        return sentences.joined([done.format(name=self.name, subdomain=self.subdomain), _resume()])


class ResumedTenant(TenantChange):
    """A tenant that is served again."""

    def text(self) -> str:
        return _("Resumed {name} ({subdomain}): its requests are served again.").format(
            name=self.name, subdomain=self.subdomain
        )


class DeletedTenant(Change):
    """What went with a tenant; `deleted` counts the rows by model."""

    subdomain: str
    name: str
    deleted: dict[str, int]

    def subject(self) -> str:
        return f"tenant {self.subdomain}"

    def text(self) -> str:
        return _("Deleted {name} ({subdomain}): {rows}.").format(
            name=self.name, subdomain=self.subdomain, rows=tenant_rows.in_words(self.deleted)
        )


@tool(scope=Scope.TENANTS_WRITE, title="Create a tenant", read_only=False, endpoint=Endpoint.PLATFORM)
def create_tenant(
    subdomain: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
            description='Name of the tenant in URLs: lower-case letters, digits and inner hyphens, such as "test2".',
        ),
    ],
    name: Annotated[
        str, Field(min_length=1, max_length=100, description='Name of the tenant for people, such as "測試租戶2".')
    ],
    locale: Annotated[Locale, Field(description="The language of the tenant's answers.")] = Locale.ZH_HANT,
) -> NewTenant:
    """Create an active tenant without data and without a token; an operator creates tokens with manage.py.

    To serve a suspended tenant again call resume_tenant instead.
    """
    tenant = tenants.create(subdomain=subdomain, name=name, locale=locale)
    return NewTenant(
        subdomain=tenant.subdomain,
        name=tenant.name,
        is_active=tenant.is_active,
        locale=locale,
        next_step=_mint(tenant.subdomain),
    )


@tool(
    scope=Scope.TENANTS_WRITE,
    title="Suspend a tenant",
    read_only=False,
    idempotent=True,
    endpoint=Endpoint.PLATFORM,
    changes_callers=True,
)
def suspend_tenant(tenant_id: TenantId) -> SuspendedTenant:
    """Suspend a tenant: its requests are refused within a second at every endpoint, and its data is kept. To delete it
    call delete_tenant instead."""
    tenant = tenants.set_active(tenant_id, active=False)
    return SuspendedTenant(
        subdomain=tenant.subdomain, name=tenant.name, is_active=tenant.is_active, next_step=_resume()
    )


@tool(
    scope=Scope.TENANTS_WRITE,
    title="Resume a tenant",
    read_only=False,
    idempotent=True,
    endpoint=Endpoint.PLATFORM,
    changes_callers=True,
)
def resume_tenant(tenant_id: TenantId) -> ResumedTenant:
    """Resume a suspended tenant: its requests are served again. For a new tenant call create_tenant instead."""
    tenant = tenants.set_active(tenant_id, active=True)
    return ResumedTenant(subdomain=tenant.subdomain, name=tenant.name, is_active=tenant.is_active)


@tool(
    scope=Scope.TENANTS_WRITE,
    title="Delete a tenant",
    read_only=False,
    destructive=True,
    asks=True,
    endpoint=Endpoint.PLATFORM,
    changes_callers=True,
)
def delete_tenant(tenant_id: TenantId) -> DeletedTenant:
    """Delete a tenant with all its data. A person is asked first, and the deletion can't be undone.

    To keep the data call suspend_tenant instead.
    """
    facts = tenants.get(tenant_id)
    deleted = tenants.delete(tenant_id)
    return DeletedTenant(subdomain=facts.subdomain, name=facts.name, deleted=deleted)


def _mint(subdomain: str) -> str:
    return _(
        "The tenant has no token yet: an operator creates one in a shell with `manage.py tokens create "
        "--tenant {subdomain} --name <name>`."
    ).format(subdomain=subdomain)


def _resume() -> str:
    return _("To serve it again, call resume_tenant.")
