"""What is forgotten or refused has a name, and is still what Django and psycopg made of it."""

from __future__ import annotations

import asyncio
import pickle
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, ProgrammingError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from psycopg.errors import InsufficientPrivilege

import rls
from core.models import Product, Tenant
from rls import CrossTenantWrite, NoPlatformContext, NoTenantContext, platform_context, signals, tenant_context
from rls.backends.errors import QUOTED_NAME
from tests.isolation.test_writes import snapshot
from tests.support.world import World

INSERT = (
    "INSERT INTO core_product ({}, sku, name, price_minor, currency, stock, is_active)"
    " VALUES (%s, 'X', 'x', 1, 'EUR', 0, true)"
)


def run(statement: str, params: Any = None, *, using: str = "default") -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(statement, params)


def run_many(statement: str, params: Iterable[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(statement, params)


def product(**facts: Any) -> Product:
    return Product(**{"sku": "X-1", "name": "unspoken", "price_minor": 1, "currency": "EUR"} | facts)


def cause(error: BaseException) -> InsufficientPrivilege:
    """psycopg's error behind one of ours."""
    assert isinstance(error, rls.IsolationError)
    assert isinstance(error, ProgrammingError)
    assert isinstance(error.__cause__, InsufficientPrivilege)
    assert error.__cause__.sqlstate == "42501"
    return error.__cause__


WITHOUT_A_CONTEXT: list[Callable[[], object]] = [
    lambda: list(Product.objects.all()),
    lambda: next(Product.objects.iterator()),
    lambda: product().save(),
    lambda: Product.objects.bulk_create([product()]),
    lambda: Product.objects.update(stock=0),
    lambda: list(Product.objects.raw("SELECT * FROM core_product")),
    lambda: connection.cursor().execute("SELECT 1 FROM core_product"),
    lambda: run("SELECT 1 FROM core_product -- ;"),
    lambda: run("EXPLAIN SELECT 1 FROM core_product"),
    lambda: run_many("UPDATE core_product SET stock = %s", [[1], [2]]),
]


@pytest.mark.parametrize("statement", WITHOUT_A_CONTEXT)
def test_a_forgotten_tenant_has_a_name(statement: Callable[[], object], acme: World) -> None:
    with pytest.raises(NoTenantContext) as refused:
        statement()

    assert str(refused.value).startswith("no tenant context is open")
    assert "with rls.tenant_context(tenant_id)" in str(refused.value)
    assert cause(refused.value).diag.source_function == "check_enable_rls"


def test_a_refusal_is_told_to_whoever_listens_once(acme: World, globex: World) -> None:
    told: list[type[BaseException]] = []

    def hear(sender: type[BaseException], error: BaseException, **facts: object) -> None:
        assert isinstance(error, sender)
        told.append(sender)
        raise ZeroDivisionError  # which changes nothing for who was refused

    signals.refused.connect(hear)
    try:
        with pytest.raises(NoTenantContext):
            Product.objects.count()
        with pytest.raises(CrossTenantWrite), tenant_context(acme.id):
            Product.objects.update(tenant_id=globex.id)
        with pytest.raises(ProgrammingError):  # of no policy
            run("SELECT no_column")
    finally:
        signals.refused.disconnect(hear)

    assert told == [NoTenantContext, CrossTenantWrite]


async def aiterate() -> list[Product]:
    return [row async for row in Product.objects.all()]


@pytest.mark.parametrize(
    "statement",
    [aiterate, Product.objects.acount, lambda: product().asave(), lambda: Product.objects.abulk_create([product()])],
)
def test_a_forgotten_tenant_has_a_name_in_async_code(statement: Callable[[], Awaitable[object]], acme: World) -> None:
    async def awaited() -> None:
        await statement()

    with pytest.raises(NoTenantContext) as refused:
        asyncio.run(awaited())

    cause(refused.value)


def test_the_text_of_our_own_functions_has_the_name_too(acme: World) -> None:
    with pytest.raises(NoTenantContext) as tenant:
        run("SELECT app.no_tenant()")
    with pytest.raises(NoPlatformContext) as platform:
        run("SELECT app.require_platform()", using="platform")

    assert cause(tenant.value).diag.message_primary == "no tenant context is open"
    assert cause(platform.value).diag.message_primary == "no platform context is open"


def test_a_forgotten_platform_context_has_a_name(acme: World) -> None:
    with pytest.raises(NoPlatformContext, match=r"with rls\.platform_context\(") as refused:
        Tenant.objects.using("platform").count()
    with pytest.raises(NoPlatformContext), tenant_context(acme.id):
        Product.objects.using("platform").count()
    with pytest.raises(NoTenantContext), platform_context(actor="tests", reason="another connection"):
        Product.objects.using("default").count()

    assert cause(refused.value).diag.source_function == "check_enable_rls"


UPSERT = {"update_conflicts": True, "update_fields": ["name"], "unique_fields": ["id"]}

ACROSS: list[Callable[[World, World], object]] = [
    lambda own, other: product(tenant_id=other.id).save(),
    lambda own, other: product(tenant_id=None).save(),
    lambda own, other: Product.objects.create(tenant_id=uuid.uuid4(), sku="X", name="unspoken", price_minor=1),
    lambda own, other: Product.objects.bulk_create([product(), product(sku="X-2", tenant_id=other.id)]),
    lambda own, other: Product.objects.update(tenant_id=other.id),
    lambda own, other: Product.objects.bulk_update([Product(id=own.product_id, tenant_id=other.id)], ["tenant"]),
    lambda own, other: Product.objects.bulk_create([product(id=other.product_id)], **UPSERT),
    lambda own, other: run(
        INSERT.format("id") + " ON CONFLICT (id) DO UPDATE SET tenant_id = %s", [own.product_id, other.id]
    ),
    lambda own, other: run(INSERT.format("tenant_id"), [other.id]),
    lambda own, other: connection.cursor().execute("UPDATE core_product SET tenant_id = %s -- ;", [other.id]),
    lambda own, other: run_many(INSERT.format("tenant_id"), [[own.id], [other.id]]),
    lambda own, other: run(
        "MERGE INTO core_product USING (SELECT 1) AS one ON true WHEN MATCHED THEN UPDATE SET tenant_id = %s",
        [other.id],
    ),
    lambda own, other: asyncio.run(tenant_context(own.id)(product(tenant_id=other.id).asave)()),
]


@pytest.mark.parametrize("write", ACROSS)
def test_a_write_for_another_tenant_has_a_name(
    write: Callable[[World, World], object], acme: World, globex: World, admin: psycopg.Connection
) -> None:
    before = [snapshot(admin, world) for world in (acme, globex)]

    with tenant_context(acme.id), pytest.raises(CrossTenantWrite) as refused:
        write(acme, globex)

    assert str(refused.value) == (
        f"a row written to core_product would not belong to the open tenant {acme.id}; "
        "leave tenant_id unset: the database fills it"
    )
    assert cause(refused.value).diag.source_function == "ExecWithCheckOptions"
    assert [snapshot(admin, world) for world in (acme, globex)] == before


def test_the_owner_hears_of_a_write_for_another_tenant(acme: World, globex: World) -> None:
    run("SET app.migrating = 'on'", using="owner")

    with tenant_context(acme.id), pytest.raises(CrossTenantWrite, match=str(acme.id)):
        run("UPDATE core_product SET tenant_id = %s", [globex.id], using="owner")


def test_another_refusal_keeps_its_own_text(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("CREATE POLICY few ON core_product AS RESTRICTIVE TO app_tenant WITH CHECK (stock < 100)")
    admin.execute("CREATE POLICY readable ON core_product AS RESTRICTIVE FOR SELECT TO app_tenant USING (true)")
    try:
        with tenant_context(acme.id):
            with pytest.raises(ProgrammingError, match='"few"') as restrictive:
                product(stock=100).save()
            with pytest.raises(CrossTenantWrite):
                product(tenant_id=uuid.uuid4()).save()
    finally:
        admin.execute("DROP POLICY few ON core_product; DROP POLICY readable ON core_product")
    with tenant_context(acme.id), pytest.raises(ProgrammingError, match="permission denied") as right:
        run("SELECT 1 FROM mcp_tokens_platformtoken")
    with pytest.raises(ProgrammingError, match="affected by row-level security") as unplanned:
        run("SET row_security = off", using="owner")
        run("SELECT 1 FROM core_product", using="owner")

    assert {type(refused.value) for refused in (restrictive, right, unplanned)} == {ProgrammingError}


def test_a_refused_plan_inside_a_context_is_not_a_forgotten_context(acme: World, admin: psycopg.Connection) -> None:
    admin.execute(
        "CREATE FUNCTION app.unfiltered() RETURNS bigint LANGUAGE sql STABLE SET row_security = off"
        " AS 'SELECT count(*) FROM public.core_product'; GRANT EXECUTE ON FUNCTION app.unfiltered() TO app_tenant"
    )
    try:
        with tenant_context(acme.id), pytest.raises(ProgrammingError) as refused:
            run("SELECT app.unfiltered()")
    finally:
        admin.execute("DROP FUNCTION app.unfiltered()")

    assert type(refused.value) is ProgrammingError


@pytest.mark.parametrize("name", ["core_product", "with space", "Größe"])
@pytest.mark.parametrize(
    "message",
    [
        'new row violates row-level security policy (USING expression) for table "{}"',
        "neue Zeile verletzt Policy für Sicherheit auf Zeilenebene für Tabelle »{}«",
        "el nuevo registro viola la política de seguridad de registros para la tabla «{}»",
        "la nouvelle ligne viole la politique de sécurité au niveau ligne pour la table «\xa0{}\xa0»",
        '新しい行はテーブル"{}"の行レベルセキュリティポリシ(USING式)に違反しています',
    ],
)
def test_the_table_is_found_in_every_translation(message: str, name: str) -> None:
    assert QUOTED_NAME.findall(message.format(name)) == [name]


def test_a_transaction_and_its_connection_are_marked_as_before(acme: World) -> None:
    with tenant_context(acme.id):
        with transaction.atomic(), pytest.raises(CrossTenantWrite):
            with transaction.atomic():
                Product.objects.update(tenant_id=uuid.uuid4())
        with pytest.raises(TransactionManagementError), transaction.atomic():
            with pytest.raises(DatabaseError):
                product(tenant_id=uuid.uuid4()).save()
            Product.objects.count()
    connection.errors_occurred = False
    with pytest.raises(NoTenantContext):
        Product.objects.count()

    assert connection.errors_occurred
    with tenant_context(acme.id):
        assert Product.objects.count() == 1


def test_psycopg_itself_raises_its_own_errors(acme: World) -> None:
    connection.ensure_connection()

    with pytest.raises(InsufficientPrivilege), connection.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM core_product")


@pytest.mark.parametrize("error", [NoTenantContext(), NoPlatformContext(), CrossTenantWrite("what, and what to do")])
def test_an_error_comes_back_from_another_process(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy)) == (type(error), str(error))


def test_an_unknown_or_suspended_tenant_is_told_what_to_do(acme: World, admin: psycopg.Connection) -> None:
    with (
        pytest.raises(rls.UnknownTenant, match=r"take the id from the table of core\.Tenant"),
        tenant_context(uuid.uuid4()),
    ):
        pytest.fail("entered")
    admin.execute("UPDATE core_tenant SET is_active = false")

    with pytest.raises(rls.TenantSuspended, match="set is_active on the platform"), tenant_context(acme.id):
        pytest.fail("entered")
