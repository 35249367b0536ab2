"""Tenants and their users."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core.models import TenantUser
from core.principals import Scope
from core.services import tenants
from core.services.tenants import TenantFacts
from mcp_server.registry import Answer, Door, tool


class TenantSummary(BaseModel):
    """A tenant, in a list."""

    name: str
    subdomain: str
    is_active: bool
    user_count: int
    created_at: datetime

    @classmethod
    def of(cls, facts: TenantFacts) -> Self:
        return cls(
            name=facts.name,
            subdomain=facts.subdomain,
            is_active=facts.is_active,
            user_count=facts.user_count,
            created_at=facts.created_at,
        )


class TenantList(Answer):
    """The tenants in sight of the caller."""

    tenants: list[TenantSummary]

    def text(self) -> str:
        lines = [
            _("- {name} ({subdomain}) - {status} - {users} users - created {created}").format(
                name=tenant.name,
                subdomain=tenant.subdomain,
                status=status(tenant.is_active),
                users=tenant.user_count,
                created=f"{tenant.created_at:%Y-%m-%d %H:%M:%S}",
            )
            for tenant in self.tenants
        ]
        return "\n".join([_("Tenants:"), *lines])


class TenantInfo(TenantSummary, Answer):
    """One tenant."""

    def text(self) -> str:
        return "\n".join(
            [
                _("Tenant:"),
                _("- Name: {name}").format(name=self.name),
                _("- Subdomain: {subdomain}").format(subdomain=self.subdomain),
                _("- Created: {created}").format(created=self.created_at),
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
    """The users of a tenant."""

    users: list[UserSummary]

    def text(self) -> str:
        if not self.users:
            return _("No users.")
        lines = [
            _("- {username} ({role}) - {email}").format(username=user.username, role=_(user.role), email=user.email)
            for user in self.users
        ]
        return "\n".join([_("Users:"), *lines])


def status(is_active: bool) -> str:
    """Whether a tenant works, in the caller's language."""
    return _("active") if is_active else _("suspended")


@tool(scope=Scope.TENANTS_READ, title="List tenants", read_only=True, door=Door)
def list_tenants(
    random_string: Annotated[str, Field(description="Ignored: for clients that can't call without arguments.")] = "",
) -> TenantList:
    """List the tenants in sight: at a tenant's URL that tenant alone, at the platform's URL all of them."""
    return TenantList(tenants=[TenantSummary.of(facts) for facts in tenants.find()])


@tool(scope=Scope.TENANTS_READ, title="Tenant information", read_only=True)
def get_tenant_info() -> TenantInfo:
    """Show this tenant: name, subdomain, status, age and number of users."""
    return TenantInfo.of(tenants.get())


@tool(
    scope=Scope.TENANTS_READ,
    title="Tenant information",
    read_only=True,
    door=Door.PLATFORM,
    name="get_tenant_info",
)
def get_any_tenant_info(
    tenant: Annotated[str, Field(description='The subdomain of a tenant, such as "test1"; list_tenants shows them.')],
) -> TenantInfo:
    """Show one tenant: name, subdomain, status, age and number of users."""
    return TenantInfo.of(tenants.get(tenant))


@tool(scope=Scope.USERS_READ, title="List users", read_only=True)
def get_tenant_users() -> UserList:
    """List this tenant's users by name, with their roles. For the number alone call get_tenant_info."""
    return UserList(users=[_summary(user) for user in tenants.users()])


def _summary(user: TenantUser) -> UserSummary:
    return UserSummary(username=user.username, email=user.email, role=user.role)
