"""Cases 11-13 and 21: no context."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

import rls
from core.models import Order, OrderItem, Product, Tenant, TenantUser
from core.services import tenants
from rls import NoTenantContext, tenant_context
from tests.support.world import World, working


def run(sql: str) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(sql)


STATEMENTS: list[Callable[[], object]] = [
    lambda: list(Product.objects.all()),
    lambda: list(Tenant.objects.all()),
    lambda: Order.objects.exists(),
    lambda: OrderItem.objects.update(quantity=9),
    lambda: TenantUser.objects.all()._raw_delete("default"),
    lambda: Product.objects.create(sku="X", name="x", price_minor=1, currency="EUR"),
    lambda: run("SELECT count(*) FROM core_product"),
    lambda: run("UPDATE core_product SET stock = 0"),
    lambda: run("DELETE FROM core_orderitem"),
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_without_a_context_is_a_named_error(statement: Callable[[], object], acme: World) -> None:
    with pytest.raises(NoTenantContext) as refused:
        statement()

    assert "rls.tenant_context" in str(refused.value)


def test_every_tenanted_table_refuses_without_a_context(acme: World, admin: psycopg.Connection) -> None:
    tables = [
        name
        for (name,) in admin.execute(
            "SELECT name FROM app.tenanted_tables WHERE has_table_privilege('app_tenant', oid, 'SELECT')"
        )
    ]

    assert {"public.core_tenant", "public.core_product", "public.core_order"} <= set(tables)
    for table in tables:
        with pytest.raises(NoTenantContext):
            run(f"SELECT * FROM {table}")


@pytest.mark.parametrize(
    "value", ["", " ", "abc", "1234", "{}", True, None, 7, b"", "00000000-0000-0000-0000-00000000000"]
)
def test_what_is_no_uuid_is_refused_before_any_sql(value: object) -> None:
    sent = connection.execute_wrapper(lambda *call: pytest.fail("SQL was sent"))

    with sent, pytest.raises(ValueError, match="a tenant id is a UUID"), tenant_context(value):  # type: ignore[arg-type]
        pytest.fail("entered")


def test_an_unknown_tenant_is_refused_on_entering() -> None:
    with pytest.raises(rls.UnknownTenant), tenant_context(uuid.uuid4()):
        pytest.fail("entered")

    assert rls.current_tenant_id() is None


def test_a_suspended_tenant_is_refused_on_entering(acme: World) -> None:
    with working():
        tenants.set_active("acme", active=False)

    with pytest.raises(rls.TenantSuspended), tenant_context(acme.id):
        pytest.fail("entered")

    assert rls.current_tenant_id() is None


def test_the_empty_string_that_postgresql_leaves_behind_is_no_context(acme: World) -> None:
    with transaction.atomic(), tenant_context(acme.id):
        Product.objects.count()

    assert connection.connection.pgconn.exec_(b"SHOW app.current_tenant").get_value(0, 0) == b""
    with pytest.raises(NoTenantContext):
        Product.objects.count()


def test_a_value_that_was_set_on_the_session_is_not_a_context(acme: World) -> None:
    connection.ensure_connection()
    connection.connection.pgconn.exec_(f"SET app.current_tenant = '{acme.id}'".encode())

    with pytest.raises(NoTenantContext):
        Product.objects.count()
    connection.connection.close()


def test_an_empty_table_refuses_too() -> None:
    for model in (Product, Order, OrderItem, TenantUser, Tenant):
        with pytest.raises(NoTenantContext):
            model.objects.count()


def test_a_context_that_was_left_does_not_linger_in_its_transaction(acme: World) -> None:
    with transaction.atomic():
        with tenant_context(acme.id):
            assert Product.objects.count() == 1

        with pytest.raises(NoTenantContext), transaction.atomic():
            Product.objects.count()


def test_a_command_without_a_context_fails_and_with_one_is_scoped(acme: World, globex: World) -> None:
    with pytest.raises(CommandError, match="no tenant context is open"):
        call_command("dumpdata", "core.product", verbosity=0)

    counted = "from core.models import Product; assert Product.objects.count() == 1"
    with pytest.raises(NoTenantContext):
        call_command("shell", "-v0", command=counted)

    with tenant_context(acme.id):
        call_command("shell", "-v0", command=counted)


def test_the_owner_sees_rows_only_while_it_migrates(acme: World, globex: World) -> None:
    owner = Product.objects.using("owner")
    with pytest.raises(DatabaseError, match="only while it migrates"):
        owner.count()

    with connections["owner"].cursor() as cursor:
        cursor.execute("SET app.migrating = 'on'")
    assert owner.count() == 2
    with tenant_context(acme.id):
        assert owner.count() == 1
    with transaction.atomic(using="owner"):
        with tenant_context(acme.id):
            assert owner.count() == 1
        assert owner.count() == 2
