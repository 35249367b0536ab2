"""Who is calling: the resolver that every endpoint asks before a tenant context exists."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from rls import lost
from rls.context import PLATFORM_ALIAS

# Secret scanners find tokens by their prefix.
TENANT_PREFIX = "tmcp_"
PLATFORM_PREFIX = "tmcpp_"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: of one tenant, or of the platform.

    `name` is for people, and written to audit rows. `tenant_id` is None and `slug` is '' for the platform. `locale` and
    `time_zone` are what the answers are in; '' stands for those of the installation. `id` tells callers of one tenant
    apart: the id of a token or of a user; None where nobody says who calls.
    """

    name: str
    tenant_id: UUID | None
    slug: str
    locale: str = ""
    time_zone: str = ""
    id: UUID | str | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def subject(self) -> str:
        """Who this is, qualified with the tenant: two tenants never share a subject."""
        return f"{self.tenant_id or 'platform'}:{self.id or 'public'}"

    def is_of(self, slug: str) -> bool:
        """Whether it may act at the URL of this tenant; where `slug` is '', at that of the platform."""
        return self.slug == slug and (self.tenant_id is None) == (slug == "")


def new_token(prefix: str) -> str:
    """A fresh bearer token: the prefix and 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token. It holds 256 random bits, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()


def authenticate(token: str, *, slug: str) -> Principal | None:
    """The principal of a bearer token at a tenant's URL, or None.

    None for a token of another tenant, an unknown, expired or revoked token, an unknown tenant and a
    suspended one alike: the caller learns nothing about which it was.
    """
    return _resolve(slug, digest(token)) if token.startswith(TENANT_PREFIX) and slug else None


def authenticate_platform(token: str) -> Principal | None:
    """The principal of a platform token, or None."""
    return _resolve(None, digest(token), alias=PLATFORM_ALIAS) if token.startswith(PLATFORM_PREFIX) else None


def open_endpoint(slug: str, *, scopes: Iterable[str] = ()) -> Principal | None:
    """The principal, with these scopes, for an active tenant whose caller needs no token: whoever knows its URL."""
    principal = _resolve(slug, None) if slug else None
    return principal and replace(principal, scopes=frozenset(map(str, scopes)))


def _resolve(slug: str | None, token_digest: bytes | None, *, alias: str = DEFAULT_DB_ALIAS) -> Principal | None:
    if slug is not None and "\0" in slug:  # PostgreSQL has no such text
        return None
    row = lost.again(lambda: _ask(slug, token_digest, alias), also=lost.is_read_only)
    if row is None:
        return None
    name, tenant_id, found, locale, time_zone, token_id, scopes = row
    return Principal(name, tenant_id, found, locale, time_zone, token_id, frozenset(scopes or ()))


def _ask(slug: str | None, token_digest: bytes | None, alias: str) -> tuple[Any, ...] | None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT name, tenant_id, subdomain, locale, time_zone, token_id, scopes FROM app.resolve_principal(%s, %s)",
            [slug, token_digest],
        )
        return cast(tuple[Any, ...] | None, cursor.fetchone())
