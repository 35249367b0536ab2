"""Tokens: minted once, shown once, kept as a digest. All of it is platform work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from mcp_server.app import MCP, NO_SERVER_TEXT, mounted
from mcp_server.declare.tools import Endpoint, ToolSpec
from mcp_server.errors import Refusal
from mcp_server.tokens import members, resolver
from mcp_server.tokens.members import Member
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
    *,
    name: str,
    slug: str | None,
    scopes: Iterable[str] | None = None,
    tools: Iterable[str] | None = None,
    is_read_only: bool = False,
    expires_at: datetime | None = None,
    user: str | None = None,
) -> str:
    """Mint a token for the tenant with this slug, or, where it is None, for the platform.

    With `user`, the name with which a member of the tenant signs in, it acts for him: it may never do more than his
    role, and ends when he is no member any more, or not active.

    With `tools` it has these alone, and with `is_read_only` none that changes something. Without `scopes` it has those
    that `tools` need; without both, every scope that there is now, and that his role has, but for those that a server
    gives on request only. The answer is the token itself, which nothing keeps.
    Raises TokenInvalid, TenantNotFound, MemberNotFound, and, with `tools` or without `scopes`, ServerNotFound.
    """
    if not 0 < len(name.strip()) <= 100:
        raise TokenInvalid("A token's name has 1 to 100 characters: it says in logs and audit rows who uses it.")
    asked = None if scopes is None else {str(scope) for scope in scopes}
    if tools is not None:
        tools = sorted(set(tools))
        needed = _scopes_of(tools, Endpoint.PLATFORM if slug is None else Endpoint.TENANT, asked, is_read_only)
        asked = needed if asked is None else asked
    facts: dict[str, Any] = {
        "name": name,
        "tools": tools,
        "is_read_only": is_read_only,
        "expires_at": expires_at,
    }
    if slug is None:
        if user is not None:
            raise TokenInvalid("A platform token acts for no member of a tenant. Leave out one of the two.")
        token = resolver.new_token(resolver.PLATFORM_PREFIX)
        scopes = default_scopes() if asked is None else asked
        PlatformToken.objects.create(digest=resolver.digest(token), scopes=sorted(scopes), **facts)
        return token
    tenant_id = resolver.active_tenant(slug)
    if tenant_id is None:
        raise TenantNotFound(f"There is no active tenant {slug!r}. Say the name that stands in the tenant's URL.")
    member = None if user is None else members.get(tenant_id, user)
    token = resolver.new_token(resolver.TENANT_PREFIX)
    ApiToken.objects.create(
        tenant_id=tenant_id,
        digest=resolver.digest(token),
        scopes=sorted(_scopes_for(member, asked)),
        member=None if member is None else member.id,
        **facts,
    )
    return token


def _scopes_for(member: Member | None, asked: set[str] | None) -> frozenset[str]:
    """The scopes of a token for this member. Raises TokenInvalid: his role has not all of them."""
    wanted = default_scopes() if asked is None else frozenset(asked)
    if member is None or member.scopes is None:
        return wanted
    lacking = ", ".join(sorted(wanted - member.scopes))
    if asked is not None and lacking:
        raise TokenInvalid(f"{member.name} is {member.role} there, which has no {lacking}. Leave it out.")
    return wanted & member.scopes


def _scopes_of(tools: list[str], endpoint: Endpoint, asked: set[str] | None, is_read_only: bool) -> set[str]:
    """The scopes that the tools need. Raises TokenInvalid: the token could not call one of them."""
    found: dict[str, ToolSpec] = {spec.name: spec for mcp in _servers() for spec in mcp.registry().tools(endpoint)}
    for name in tools:
        spec = found.get(name)
        if spec is None:
            raise TokenInvalid(f"There is no tool {name!r} at this endpoint. `manage.py mcp reference` shows them.")
        if is_read_only and not spec.is_read_only:
            raise TokenInvalid(f"{name} changes something, and the token is to read only. Leave out one of the two.")
        if asked is not None and spec.scope is not None and spec.scope not in asked:
            raise TokenInvalid(f"{name} needs the scope {spec.scope}. Add it, or name no scope at all.")
    return {str(found[name].scope) for name in tools if found[name].scope is not None}


def every_scope() -> frozenset[str]:
    """Every scope of the servers that the project mounts. Raises ServerNotFound: there is none."""
    return frozenset[str]().union(*(mcp.scopes() for mcp in _servers()))


def default_scopes() -> frozenset[str]:
    """Those that a token has where none is named."""
    return every_scope() - frozenset[str]().union(*(mcp.scopes_on_request for mcp in mounted()))


def _servers() -> list[MCP]:
    servers = mounted()
    if not servers:
        raise ServerNotFound(f"No scope can be given: {NO_SERVER_TEXT}; or say the scopes.")
    return servers


def find() -> list[ApiToken | PlatformToken]:
    """Every token, platform tokens first, then by tenant and age."""
    return [
        *PlatformToken.objects.order_by("created_at"),
        *ApiToken.objects.select_related("tenant").order_by("tenant_id", "created_at"),
    ]


def of_members(member_ids: Iterable[UUID]) -> list[ApiToken]:
    """The tokens that act for these members and were not revoked, newest first, each with its tenant."""
    found = ApiToken.objects.filter(member__in=list(member_ids), revoked_at=None)
    return list(found.select_related("tenant").order_by("-created_at"))


def revoke_all_of(member_id: UUID) -> None:
    """End every token that acts for a member, now."""
    ApiToken.objects.filter(member=member_id, revoked_at=None).update(revoked_at=Now())


def revoke(token_id: UUID) -> None:
    """End a token now. Raises TokenNotFound."""
    for model in (ApiToken, PlatformToken):
        if model.objects.filter(id=token_id).update(revoked_at=Now()):
            return
    raise TokenNotFound(f"There is no token {token_id}. `manage.py tokens list` shows the ids.")
