"""Tokens: minted once, shown once, kept as a digest. All of it is platform work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now

from core.models import ApiToken, PlatformToken, Tenant, TenantUser
from core.scopes import Scope
from core.services import tenants
from mcp_server import principals
from mcp_server.errors import Refusal


class TokenNotFound(Refusal):
    """No token has this id."""


class TokenInvalid(Refusal):
    """The token can't be saved like this."""


class UserNotFound(Refusal):
    """The tenant has no such user."""


def create(
    *,
    name: str,
    subdomain: str | None,
    scopes: Iterable[Scope] = tuple(Scope),
    username: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Mint a token for the tenant with this subdomain, or, where it is None, for the platform.

    The answer is the token itself, which nothing keeps. Raises TokenInvalid, TenantNotFound and UserNotFound.
    """
    if not 0 < len(name.strip()) <= 100:
        raise TokenInvalid("A token's name has 1 to 100 characters: it says in logs and audit rows who uses it.")
    facts = {"name": name, "scopes": sorted(scopes), "expires_at": expires_at}
    if subdomain is None:
        if username is not None:
            raise TokenInvalid("A platform token acts for no tenant's user: name a tenant, or no user.")
        token = principals.new_token(principals.PLATFORM_PREFIX)
        PlatformToken.objects.create(digest=principals.digest(token), **facts)
        return token
    tenant = Tenant.objects.filter(subdomain=subdomain).first()
    if tenant is None:
        raise tenants.TenantNotFound(subdomain)
    token = principals.new_token(principals.TENANT_PREFIX)
    ApiToken.objects.create(tenant=tenant, user=_user(tenant, username), digest=principals.digest(token), **facts)
    return token


def find() -> list[ApiToken | PlatformToken]:
    """Every token, platform tokens first, then by tenant and age."""
    return [
        *PlatformToken.objects.order_by("created_at"),
        *ApiToken.objects.select_related("tenant").order_by("tenant__subdomain", "created_at"),
    ]


def revoke(token_id: UUID) -> None:
    """End a token now. Raises TokenNotFound."""
    for model in (ApiToken, PlatformToken):
        if model.objects.filter(id=token_id).update(revoked_at=Now()):
            return
    raise TokenNotFound(f"There is no token {token_id}. `manage.py tokens list` shows the ids.")


def _user(tenant: Tenant, username: str | None) -> TenantUser | None:
    if username is None:
        return None
    user = TenantUser.objects.filter(tenant=tenant, username=username).first()
    if user is None:
        raise UserNotFound(f"Tenant {tenant.subdomain!r} has no user {username!r}.")
    return user
