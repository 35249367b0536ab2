"""Tenants and their users."""

from __future__ import annotations

from typing import Annotated, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core.mcp_tools import listing
from core.roles import Role
from core.scopes import Scope
from core.services import tenants
from core.services.tenants import TenantFacts
from mcp_server.call.signature import Cursor, Limit
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, Endpoint, tool

TenantId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        description='The subdomain of a tenant, such as "test2"; list_tenants shows them.',
    ),
]


class TenantSummary(BaseModel):
    """A tenant, in a list."""

    name: str
    subdomain: str
    is_active: bool
    user_count: int
    created_at: Moment

    @classmethod
    def of(cls, facts: TenantFacts) -> Self:
        return cls(
            name=facts.name,
            subdomain=facts.subdomain,
            is_active=facts.is_active,
            user_count=facts.user_count,
            created_at=facts.created_at,
        )


class TenantList(Dated, Answer):
    """The tenants that the caller may see, oldest first."""

    is_verbatim = True

    tenants: list[TenantSummary]
    has_more: bool
    next_cursor: str | None

    def text(self) -> str:
        lines = [
            listing.line(
                _("- {name} ({subdomain}) - {status} - {users} users - created {created}"),
                name=tenant.name,
                subdomain=tenant.subdomain,
                status=status(tenant.is_active),
                users=tenant.user_count,
                created=f"{timezone.localtime(tenant.created_at):%Y-%m-%d %H:%M:%S}",
            )
            for tenant in self.tenants
        ]
        return "\n".join([_("Tenants:"), *lines, *listing.more(self.next_cursor)])


class TenantInfo(TenantSummary, Dated, Answer):
    """One tenant."""

    is_verbatim = True

    def text(self) -> str:
        return "\n".join(
            [
                _("Tenant:"),
                _("- Name: {name}").format(name=self.name),
                _("- Subdomain: {subdomain}").format(subdomain=self.subdomain),
                _("- Created: {created}").format(created=timezone.localtime(self.created_at)),
                _("- Status: {status}").format(status=status(self.is_active)),
                _("- Users: {users}").format(users=self.user_count),
            ]
        )


class UserSummary(BaseModel):
    """A user, in a list."""

    username: str
    email: str
    role: str


class UserList(Answer):
    """Users of a tenant, by name."""

    users: list[UserSummary]
    has_more: bool
    next_cursor: str | None

    def text(self) -> str:
        if not self.users:
            return _("No users.")
        lines = [
            listing.line(
                _("- {name} ({role}) - {email}"), name=user.username, role=Role(user.role).label, email=user.email
            )
            for user in self.users
        ]
        return "\n".join([_("Users:"), *lines, *listing.more(self.next_cursor)])


def status(is_active: bool) -> str:
    """Whether a tenant works, in the caller's language."""
    return _("active") if is_active else _("suspended")


@tool(scope=Scope.TENANTS_READ, title="List tenants", read_only=True, endpoint=Endpoint)
def list_tenants(
    random_string: Annotated[str, Field(max_length=100, description="Ignored.")] = "",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> TenantList:
    """List the tenants: at a tenant's endpoint that tenant alone, at the platform's endpoint all of them.

    For one tenant call get_tenant_info instead.
    """
    found, next_cursor = tenants.page(limit=limit, cursor=cursor)
    return TenantList(
        tenants=[TenantSummary.of(facts) for facts in found],
        has_more=next_cursor is not None,
        next_cursor=next_cursor,
    )


@tool(scope=Scope.TENANTS_READ, title="Tenant information", read_only=True)
def get_tenant_info() -> TenantInfo:
    """Show this tenant: name, subdomain, status, age and number of users.

    For products, orders and revenue call get_comprehensive_tenant_stats instead.
    """
    return TenantInfo.of(tenants.get())


@tool(
    scope=Scope.TENANTS_READ,
    title="Tenant information",
    read_only=True,
    endpoint=Endpoint.PLATFORM,
    name="get_tenant_info",
)
def get_any_tenant_info(tenant_id: TenantId) -> TenantInfo:
    """Show one tenant: name, subdomain, status, age and number of users. For all tenants call list_tenants instead."""
    return TenantInfo.of(tenants.get(tenant_id))


@tool(scope=Scope.USERS_READ, title="List users", read_only=True)
def get_tenant_users(limit: Limit = 20, cursor: Cursor = None) -> UserList:
    """List this tenant's users by name, with their roles. For their number alone call get_tenant_info instead."""
    found = tenants.users(limit=limit, cursor=cursor)
    return UserList(
        users=[UserSummary(username=user.username, email=user.email, role=user.role) for user in found.rows],
        has_more=found.has_more,
        next_cursor=found.cursor,
    )
