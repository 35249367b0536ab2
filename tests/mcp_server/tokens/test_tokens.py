"""How tokens are minted: for an active tenant, with the scopes that are asked for, or with all."""

from __future__ import annotations

import psycopg
import pytest

from core.scopes import Scope
from mcp_server.tokens import resolver, tokens
from tests.support.world import World, working


def test_a_suspended_tenant_gets_no_token(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("UPDATE core_tenant SET is_active = false")

    with working(), pytest.raises(tokens.TenantNotFound, match="There is no active tenant 'acme'"):
        tokens.create(name="late", slug="acme")


@pytest.mark.parametrize("slug", ["", "nowhere", "acme\x00", "ACME"])
def test_an_unknown_tenant_gets_no_token(acme: World, slug: str) -> None:
    with working(), pytest.raises(tokens.TenantNotFound):
        tokens.create(name="lost", slug=slug)


@pytest.mark.parametrize("name", ["", "  ", "n" * 101])
def test_a_token_says_who_uses_it(acme: World, name: str) -> None:
    with working(), pytest.raises(tokens.TokenInvalid, match="1 to 100 characters"):
        tokens.create(name=name, slug="acme")


def test_without_scopes_a_token_has_those_of_every_server_that_are_not_on_request(acme: World) -> None:
    with working():
        every, none = tokens.create(name="every", slug="acme"), tokens.create(name="none", slug="acme", scopes=[])

    found = [resolver.authenticate(token, slug="acme") for token in (every, none)]

    assert [principal and principal.scopes for principal in found] == [set(map(str, Scope)) - {Scope.DEMO_WRITE}, set()]
