"""Who a token lets in, and how little is kept of it."""

from __future__ import annotations

import hashlib

import psycopg
import pytest
from django.db import ProgrammingError, connection

from core.scopes import Scope
from mcp_server.tokens import resolver, tokens
from rls import tenant_context
from tests.support.world import World, platform_token, working

TABLES = ("mcp_tokens_apitoken", "mcp_tokens_platformtoken")


def test_a_token_opens_its_own_tenant(acme: World) -> None:
    principal = resolver.authenticate(acme.token, slug="acme")

    assert principal is not None
    assert (principal.tenant_id, principal.slug, principal.locale) == (acme.id, "acme", "en")
    assert principal.name == "acme token"
    assert principal.subject == f"{acme.id}:{principal.id}"


def test_the_scopes_of_a_token_come_back(acme: World) -> None:
    scopes = {Scope.ORDERS_READ, Scope.PRODUCTS_READ}
    with working():
        token = tokens.create(name="reader", slug="acme", scopes=scopes)

    principal = resolver.authenticate(token, slug="acme")

    assert principal is not None
    assert principal.scopes == scopes


def test_so_does_what_it_may_not_do_although_its_scopes_allow_it(acme: World) -> None:
    with working():
        token = tokens.create(name="narrow", slug="acme", tools=["get_product"], is_read_only=True)
        operator = tokens.create(name="narrow", slug=None, tools=["list_tenants"], is_read_only=True)

    principals = [resolver.authenticate(token, slug="acme"), resolver.authenticate_platform(operator)]

    assert [(each and (each.tools, each.is_read_only)) for each in principals] == [
        (frozenset({"get_product"}), True),
        (frozenset({"list_tenants"}), True),
    ]
    every = resolver.authenticate(acme.token, slug="acme")
    assert every is not None
    assert (every.tools, every.is_read_only) == (None, False)


@pytest.mark.parametrize("subdomain", ["globex", "nowhere", "ACME", " acme", "acm_", "acme\x00", ""])
def test_a_token_opens_no_other_url(acme: World, globex: World, subdomain: str) -> None:
    assert resolver.authenticate(acme.token, slug=subdomain) is None


@pytest.mark.parametrize("token", ["", "tmcp_", "tmcp_unknown", "tmcpp_unknown", "tmcp_\x00"])
def test_an_unknown_token_opens_nothing(acme: World, token: str) -> None:
    assert resolver.authenticate(token, slug="acme") is None
    assert resolver.authenticate_platform(token) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core_tenant SET is_active = false WHERE subdomain = 'acme'",
        "UPDATE mcp_tokens_apitoken SET revoked_at = now() WHERE name = 'acme token'",
        "UPDATE mcp_tokens_apitoken SET expires_at = now() WHERE name = 'acme token'",
    ],
    ids=["suspended", "revoked", "expired"],
)
def test_a_token_ends_at_once(acme: World, globex: World, admin: psycopg.Connection, change: str) -> None:
    assert resolver.authenticate(acme.token, slug="acme") is not None

    admin.execute(change)

    assert resolver.authenticate(acme.token, slug="acme") is None
    assert resolver.authenticate(globex.token, slug="globex") is not None


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_platform_token_ends_at_once(admin: psycopg.Connection, column: str) -> None:
    token = platform_token()
    assert resolver.authenticate_platform(token) is not None

    admin.execute(f"UPDATE mcp_tokens_platformtoken SET {column} = now()")

    assert resolver.authenticate_platform(token) is None


def test_a_platform_token_is_none_at_a_tenants_url_and_the_reverse(acme: World) -> None:
    token = platform_token()

    assert resolver.authenticate(token, slug="acme") is None
    assert resolver.authenticate_platform(acme.token) is None
    platform = resolver.authenticate_platform(token)
    assert platform is not None
    assert platform.tenant_id is None


def test_a_token_without_the_prefix_of_its_door_is_none(acme: World, admin: psycopg.Connection) -> None:
    platform_token()
    for table, token in (("mcp_tokens_apitoken", "tmcpp_a"), ("mcp_tokens_platformtoken", "tmcp_b")):
        admin.execute(f"UPDATE {table} SET digest = %s", [resolver.digest(token)])

    assert resolver.authenticate("tmcpp_a", slug="acme") is None
    assert resolver.authenticate_platform("tmcp_b") is None


def test_only_a_digest_of_a_token_is_stored(acme: World, admin: psycopg.Connection) -> None:
    stored = {"mcp_tokens_apitoken": acme.token, "mcp_tokens_platformtoken": platform_token()}

    for table, token in stored.items():
        text, digest = admin.execute(f"SELECT t::text, t.digest FROM {table} AS t").fetchone() or ("", b"")
        secret = token.partition("_")[2]
        assert digest == hashlib.sha256(token.encode()).digest()
        assert secret not in text
        assert secret.encode().hex() not in text  # as bytea prints it


@pytest.mark.parametrize(
    ("last_used_at", "is_written"),
    [("NULL", True), ("now() - interval '30 s'", False), ("now() - interval '61 s'", True)],
)
def test_the_use_of_a_token_is_written_at_most_once_a_minute(
    acme: World, admin: psycopg.Connection, last_used_at: str, is_written: bool
) -> None:
    platform = platform_token()
    for table in TABLES:
        admin.execute(f"UPDATE {table} SET last_used_at = {last_used_at}")

    resolver.authenticate(acme.token, slug="acme")
    resolver.authenticate_platform(platform)

    for table in TABLES:
        answer = admin.execute(f"SELECT last_used_at > now() - interval '20 s' FROM {table}").fetchall()
        assert answer == [(is_written,)], table


def test_a_refused_token_does_not_count_as_used(acme: World, admin: psycopg.Connection) -> None:
    platform = platform_token()
    for table in TABLES:
        admin.execute(f"UPDATE {table} SET revoked_at = now()")

    resolver.authenticate(acme.token, slug="acme")
    resolver.authenticate_platform(platform)

    for table in TABLES:
        assert admin.execute(f"SELECT last_used_at FROM {table}").fetchall() == [(None,)], table


def test_nothing_is_resolved_inside_a_tenant_context(acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        for subdomain, token in (("globex", globex.token), ("acme", acme.token)):
            with pytest.raises(ProgrammingError, match="resolved before a tenant context is open"):
                resolver.authenticate(token, slug=subdomain)
        with pytest.raises(ProgrammingError, match="resolved before a tenant context is open"):
            resolver.open_endpoint("globex")


def test_an_open_door_leads_to_an_active_tenant_only(acme: World, globex: World, admin: psycopg.Connection) -> None:
    admin.execute("UPDATE core_tenant SET is_active = false WHERE subdomain = 'globex'")

    visitor = resolver.open_endpoint("acme")

    assert visitor is not None
    assert (visitor.tenant_id, visitor.id, visitor.name) == (acme.id, None, "public")
    assert [resolver.open_endpoint(name) for name in ("globex", "nowhere", "")] == [None, None, None]


@pytest.mark.parametrize("table", TABLES)
def test_the_serving_role_cannot_read_tokens(acme: World, table: str) -> None:
    with (
        tenant_context(acme.id),
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match=f"permission denied for table {table}"),
    ):
        cursor.execute(f"SELECT count(*) FROM {table}")
