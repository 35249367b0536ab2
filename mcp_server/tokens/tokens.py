"""Tokens: minted once, shown once, kept as a digest. All of it is platform work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now

from mcp_server.app import NO_SERVER_TEXT, mounted
from mcp_server.errors import Refusal
from mcp_server.tokens import resolver
from mcp_server.tokens.models import ApiToken, PlatformToken


class TokenNotFound(Refusal):
    """No token has this id."""


class TokenInvalid(Refusal):
    """The token can't be saved like this."""


class ServerNotFound(Refusal):
    """No server says which scopes there are."""


class TenantNotFound(Refusal):
    """No active tenant has this slug."""


def create(
    *, name: str, slug: str | None, scopes: Iterable[str] | None = None, expires_at: datetime | None = None
) -> str:
    """Mint a token for the tenant with this slug, or, where it is None, for the platform.

    Without `scopes` it has every scope that there is now, but for those that a server gives on request only. The
    answer is the token itself, which nothing keeps.
    Raises TokenInvalid, TenantNotFound, and, without `scopes`, ServerNotFound.
    """
    if not 0 < len(name.strip()) <= 100:
        raise TokenInvalid("A token's name has 1 to 100 characters: it says in logs and audit rows who uses it.")
    granted = sorted(str(scope) for scope in (default_scopes() if scopes is None else scopes))
    facts = {"name": name, "scopes": granted, "expires_at": expires_at}
    if slug is None:
        token = resolver.new_token(resolver.PLATFORM_PREFIX)
        PlatformToken.objects.create(digest=resolver.digest(token), **facts)
        return token
    tenant_id = resolver.active_tenant(slug)
    if tenant_id is None:
        raise TenantNotFound(f"There is no active tenant {slug!r}. Say the name that stands in the tenant's URL.")
    token = resolver.new_token(resolver.TENANT_PREFIX)
    ApiToken.objects.create(tenant_id=tenant_id, digest=resolver.digest(token), **facts)
    return token


def every_scope() -> frozenset[str]:
    """Every scope of the servers that the project mounts. Raises ServerNotFound: there is none."""
    servers = mounted()
    if not servers:
        raise ServerNotFound(f"No scope can be given: {NO_SERVER_TEXT}; or say the scopes.")
    return frozenset[str]().union(*(mcp.scopes() for mcp in servers))


def default_scopes() -> frozenset[str]:
    """Those that a token has where none is named."""
    return every_scope() - frozenset[str]().union(*(mcp.scopes_on_request for mcp in mounted()))


def find() -> list[ApiToken | PlatformToken]:
    """Every token, platform tokens first, then by tenant and age."""
    return [
        *PlatformToken.objects.order_by("created_at"),
        *ApiToken.objects.select_related("tenant").order_by("tenant_id", "created_at"),
    ]


def revoke(token_id: UUID) -> None:
    """End a token now. Raises TokenNotFound."""
    for model in (ApiToken, PlatformToken):
        if model.objects.filter(id=token_id).update(revoked_at=Now()):
            return
    raise TokenNotFound(f"There is no token {token_id}. `manage.py tokens list` shows the ids.")
