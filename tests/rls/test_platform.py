"""The platform context: another role, an actor and a reason, an audit row that stays."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DatabaseError, connections

from core.models import Product, Tenant
from rls import NoPlatformContext, platform_context
from tests.world import World


def test_the_platform_sees_every_tenant(acme: World, globex: World) -> None:
    with platform_context(actor="ada", reason="a look"):
        assert Tenant.objects.count() == 2
        assert Product.objects.count() == 2


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("who", ""), (" ", "why"), ("who", "\n")])
def test_platform_work_needs_an_actor_and_a_reason(actor: str, reason: str) -> None:
    with pytest.raises(ValueError, match="an actor and a reason"), platform_context(actor=actor, reason=reason):
        pytest.fail("entered")


def test_the_audit_row_is_in_the_transaction_of_the_work(admin: psycopg.Connection) -> None:
    with pytest.raises(ZeroDivisionError), platform_context(actor="ada", reason="fails"):
        raise ZeroDivisionError
    with platform_context(actor="ada", reason="works", origin="a test"):
        Tenant.objects.create(subdomain="new", name="New")

    rows = admin.execute(
        "SELECT actor, reason, origin, role_name, address = inet_client_addr(), opened_at <= now()"
        " FROM app.platform_audit"
    ).fetchall()
    assert rows == [("ada", "works", "a test", "app_platform", True, True)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE app.platform_audit SET actor = 'nobody'",
        "DELETE FROM app.platform_audit",
        "TRUNCATE app.platform_audit",
        "ALTER TABLE app.platform_audit ADD note text",
    ],
)
@pytest.mark.parametrize("alias", ["platform", "default"])
def test_the_audit_is_append_only(statement: str, alias: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied|defines nothing"):
        connections[alias].cursor().execute(statement)


def test_the_platform_connection_outside_a_context_is_an_error(acme: World) -> None:
    with pytest.raises(NoPlatformContext):
        Tenant.objects.using("platform").count()


def test_platform_contexts_do_not_nest() -> None:
    with platform_context(actor="ada", reason="outer"), pytest.raises(RuntimeError, match="durable"):
        with platform_context(actor="ada", reason="inner"):
            pytest.fail("entered")
