"""Who is calling: asked of `app.resolve_principal()` before a tenant context exists (see `InstallResolver`)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from mcp_server import configuration
from mcp_server.principals import Principal
from rls.backends import lost
from rls.context import PLATFORM_ALIAS

# Secret scanners find tokens by their prefix.
TENANT_PREFIX = "tmcp_"
PLATFORM_PREFIX = "tmcpp_"


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


def active_tenant(slug: str) -> UUID | None:
    """The id of the active tenant with this slug, for platform work; None where there is none."""
    row = _ask(slug, None, PLATFORM_ALIAS) if slug and "\0" not in slug else None
    return cast(UUID, row[1]) if row else None


def _resolve(slug: str | None, token_digest: bytes | None, *, alias: str = DEFAULT_DB_ALIAS) -> Principal | None:
    if slug is not None and "\0" in slug:  # PostgreSQL has no such text
        return None
    row = lost.again(lambda: _ask(slug, token_digest, alias), also=lost.is_read_only)
    if row is None:
        return None
    name, tenant_id, found, locale, time_zone, token_id, scopes, tools, is_read_only, person, role = row
    return Principal(
        name,
        tenant_id,
        found,
        locale,
        time_zone,
        token_id,
        _at_most(frozenset(scopes or ()), role),
        None if tools is None else frozenset(tools),
        is_read_only,
        person,
    )


def _at_most(scopes: frozenset[str], role: str | None) -> frozenset[str]:
    """Of the scopes of a token those that the role of its member has now; all where it acts for nobody, or roles say
    nothing.
    """
    return scopes if role is None else scopes & configuration.scopes_of_role(role)


def _ask(slug: str | None, token_digest: bytes | None, alias: str) -> tuple[Any, ...] | None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT name, tenant_id, slug, locale, time_zone, token_id, scopes, tools, is_read_only, person, role"
            " FROM app.resolve_principal(%s, %s)",
            [slug, token_digest],
        )
        return cast(tuple[Any, ...] | None, cursor.fetchone())
