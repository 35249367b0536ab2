"""Who is calling: the resolver that every door asks before a tenant context exists."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from mcp_server.declare.scopes import declared_scopes
from rls.backends import lost
from rls.context import PLATFORM_ALIAS

# Secret scanners find tokens by their prefix.
TENANT_PREFIX = "tmcp_"
PLATFORM_PREFIX = "tmcpp_"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: a token of one tenant, of the platform, or an open door to one tenant.

    `tenant_id` is None for the platform. `name` is the token's; it is written to logs and audit rows. `locale` and
    `time_zone` are the tenant's settings, and '' for the platform.
    """

    name: str
    tenant_id: UUID | None
    subdomain: str
    locale: str
    time_zone: str
    token_id: UUID | None
    scopes: frozenset[str]

    @property
    def subject(self) -> str:
        """Who this is, qualified with the tenant: two tenants never share a subject."""
        return f"{self.tenant_id or 'platform'}:{self.token_id or 'public'}"


def new_token(prefix: str) -> str:
    """A fresh bearer token: the prefix and 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token. It holds 256 random bits, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()


def authenticate(token: str, *, subdomain: str) -> Principal | None:
    """The principal of a bearer token at a tenant's URL, or None.

    None for a token of another tenant, an unknown, expired or revoked token, an unknown tenant and a
    suspended one alike: the caller learns nothing about which it was.
    """
    return _resolve(subdomain, digest(token)) if token.startswith(TENANT_PREFIX) and subdomain else None


def authenticate_platform(token: str) -> Principal | None:
    """The principal of a platform token, or None."""
    return _resolve(None, digest(token), alias=PLATFORM_ALIAS) if token.startswith(PLATFORM_PREFIX) else None


def open_door(subdomain: str) -> Principal | None:
    """The principal for an active tenant whose caller needs no token: stdio, or MCP_AUTH=public."""
    return _resolve(subdomain, None) if subdomain else None


def _resolve(subdomain: str | None, token_digest: bytes | None, *, alias: str = DEFAULT_DB_ALIAS) -> Principal | None:
    if subdomain is not None and "\0" in subdomain:  # PostgreSQL has no such text
        return None
    row = lost.again(lambda: _ask(subdomain, token_digest, alias), also=lost.is_read_only)
    if row is None:
        return None
    name, tenant_id, found, locale, time_zone, token_id, scopes = row
    granted = declared_scopes() if token_id is None else frozenset(scopes)
    return Principal(name, tenant_id, found, locale, time_zone, token_id, granted)


def _ask(subdomain: str | None, token_digest: bytes | None, alias: str) -> tuple[Any, ...] | None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT name, tenant_id, subdomain, locale, time_zone, token_id, scopes FROM app.resolve_principal(%s, %s)",
            [subdomain, token_digest],
        )
        return cast(tuple[Any, ...] | None, cursor.fetchone())
