"""A row is refused because it is another tenant's, or for want of a policy of the table: each has its name."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import ProgrammingError, transaction
from psycopg.errors import InsufficientPrivilege

from core.models import Product, Tenant, TenantUser
from rls import CrossTenantWrite, NoTenantContext, PolicyMissing, platform_context, tenant_context
from rls.backends import refusals
from rls.schema.policies import PREDICATE_TEMPLATE, asks_for_the_tenant, policies
from tests.rls.test_errors import INSERT, UPSERT, product, run, run_many
from tests.support.world import World

OURS = PREDICATE_TEMPLATE.format(column="tenant_id")
ALL = "SELECT, INSERT, UPDATE, DELETE"

# What stands in the place of the policy tenant_isolation, and what its table lacks then.
INSTEAD = {
    "none": ("", ALL),
    "of another role": (f"TO app_auditor USING ({OURS})", ALL),
    "restrictive": (f"AS RESTRICTIVE TO app_tenant USING ({OURS})", ALL),
    "to read": (f"FOR SELECT TO app_tenant USING ({OURS})", "INSERT, UPDATE, DELETE"),
    "to update": (f"FOR UPDATE TO app_tenant USING ({OURS})", "SELECT, INSERT, DELETE"),
    "to delete": (f"FOR DELETE TO app_tenant USING ({OURS})", "SELECT, INSERT, UPDATE"),
    # RETURNING, which Django always says, asks the policies to read too.
    "to insert": (f"FOR INSERT TO app_tenant WITH CHECK ({OURS})", "SELECT, UPDATE, DELETE"),
    "of another condition": ("TO app_tenant USING (stock < 0)", ALL),
    "of a narrower check": (f"TO app_tenant USING ({OURS}) WITH CHECK ({OURS} AND stock < 0)", ALL),
}


@pytest.fixture
def replace(admin: psycopg.Connection) -> Iterator[Callable[..., None]]:
    """Puts other policies in the place of `tenant_isolation` on products, for one test."""
    names: list[str] = []

    def replace(*others: str) -> None:
        admin.execute("DROP POLICY IF EXISTS tenant_isolation ON core_product")
        for other in others:
            names.append(f"other_{len(names)}")
            admin.execute(f"CREATE POLICY {names[-1]} ON core_product {other}")

    yield replace
    for name in [*names, "tenant_isolation"]:
        admin.execute(f"DROP POLICY IF EXISTS {name} ON core_product")
    admin.execute(f"CREATE POLICY tenant_isolation ON core_product TO app_tenant USING ({OURS}) WITH CHECK ({OURS})")


@pytest.mark.parametrize("instead", INSTEAD)
def test_a_table_without_a_policy_for_the_role_is_no_write_for_another_tenant(
    instead: str, acme: World, replace: Callable[..., None]
) -> None:
    policy, lacking = INSTEAD[instead]
    replace(*[policy] if policy else [])

    with tenant_context(acme.id), pytest.raises(ProgrammingError) as refused:
        product().save()

    assert type(refused.value) is PolicyMissing
    assert str(refused.value) == (
        f"core_product has no policy that lets app_tenant {lacking}, so PostgreSQL refused a row of whatever tenant\n"
        "HINT:  manage.py rls new core.Product writes the policies where no SQL file does, manage.py migrate makes "
        "them, and manage.py rls audit prints what the database has lost since."
    )
    assert isinstance(refused.value.__cause__, InsufficientPrivilege)


ROADS: list[Callable[[World], object]] = [
    lambda own: product().save(),
    lambda own: product(tenant_id=own.id).save(),
    lambda own: Product.objects.bulk_create([product()]),
    lambda own: run(INSERT.format("tenant_id"), [own.id]),
    lambda own: run(INSERT.format("tenant_id") + " -- ;", [own.id]),
    lambda own: run_many(INSERT.format("tenant_id"), [[own.id], [own.id]]),
    lambda own: Product.objects.bulk_create([product(id=own.product_id)], **UPSERT),
    lambda own: run(
        "MERGE INTO core_product USING (SELECT 1) AS one ON false WHEN NOT MATCHED THEN INSERT"
        " (sku, name, price_minor, currency, stock, is_active) VALUES ('X', 'x', 1, 'EUR', 0, true)"
    ),
    lambda own: run("WITH new AS (" + INSERT.format("tenant_id") + " RETURNING id) SELECT * FROM new", [own.id]),
    lambda own: transaction.atomic(product().save)(),
    lambda own: transaction.atomic(transaction.atomic(product().save))(),
    lambda own: asyncio.run(tenant_context(own.id)(product().asave)()),
]


@pytest.mark.parametrize("write", ROADS)
def test_a_missing_policy_has_a_name_on_every_road(
    write: Callable[[World], object], acme: World, replace: Callable[..., None]
) -> None:
    replace()

    with tenant_context(acme.id), pytest.raises(PolicyMissing):
        write(acme)


def test_an_update_or_a_merge_that_a_policy_refuses_to_write(acme: World, replace: Callable[..., None]) -> None:
    replace(f"FOR SELECT TO app_tenant USING ({OURS})", "FOR UPDATE TO app_tenant USING (true) WITH CHECK (false)")

    with tenant_context(acme.id):
        with pytest.raises(PolicyMissing, match="lets app_tenant INSERT, UPDATE, DELETE,"):
            Product.objects.update(stock=1)
        with pytest.raises(PolicyMissing):
            run("MERGE INTO core_product USING (SELECT 1) AS one ON true WHEN MATCHED THEN UPDATE SET stock = 1")


def test_policies_for_single_commands_are_as_good_together(acme: World, replace: Callable[..., None]) -> None:
    both = [f"FOR {command} TO app_tenant USING ({OURS})" for command in ("SELECT", "UPDATE", "DELETE")]
    replace(*both, f"FOR INSERT TO app_tenant WITH CHECK ({OURS})", "TO app_tenant USING (stock < 0)")

    with tenant_context(acme.id):
        product().save()
        with pytest.raises(CrossTenantWrite):
            product(sku="X-2", tenant_id=uuid.uuid4()).save()
        with pytest.raises(CrossTenantWrite), transaction.atomic():
            Product.objects.update(tenant_id=uuid.uuid4())


def test_the_tenants_own_table_is_keyed_on_its_key(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("GRANT UPDATE (id) ON core_tenant TO app_tenant")
    try:
        with tenant_context(acme.id), pytest.raises(CrossTenantWrite):
            Tenant.objects.update(id=uuid.uuid4())
    finally:
        admin.execute("REVOKE UPDATE (id) ON core_tenant FROM app_tenant")


def test_the_platform_hears_of_its_missing_policy(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("DROP POLICY platform_access ON core_tenantuser")
    try:
        with platform_context(actor="tests", reason="no policy"):
            with pytest.raises(PolicyMissing, match="core_tenantuser has no policy that lets app_platform SELECT"):
                TenantUser.objects.create(tenant_id=acme.id, username="x", email="x@example.com")
            transaction.set_rollback(True, using="platform")
    finally:
        admin.execute(
            "CREATE POLICY platform_access ON core_tenantuser TO app_platform"
            " USING ((SELECT app.require_platform())) WITH CHECK ((SELECT app.require_platform()))"
        )


def test_the_owner_hears_what_is_certain(acme: World, replace: Callable[..., None], admin: psycopg.Connection) -> None:
    run("SET app.migrating = 'on'", using="owner")
    insert = INSERT.format("tenant_id")
    # The policies of a migration are seen by nobody else before it commits: PostgreSQL's own words stay.
    with tenant_context(acme.id), pytest.raises(ProgrammingError) as uncommitted, transaction.atomic(using="owner"):
        run("CREATE TABLE fresh (tenant_id uuid)", using="owner")
        run("INSERT INTO fresh VALUES (%s)", [acme.id], using="owner")
    with pytest.raises(NoTenantContext, match="a row written to core_product belongs to no tenant\nHINT:  Give it a"):
        run(insert, [None], using="owner")
    with pytest.raises(NoTenantContext), transaction.atomic(using="owner"):
        run(insert, [None], using="owner")
    admin.execute("ALTER POLICY owner_migration ON core_product TO app_auditor")
    try:
        with pytest.raises(PolicyMissing, match="lets app_owner"):
            run(insert, [acme.id], using="owner")
    finally:
        admin.execute("ALTER POLICY owner_migration ON core_product TO app_owner")

    assert type(uncommitted.value) is ProgrammingError
    assert "row-level security policy" in str(uncommitted.value)


def test_tables_of_one_name_that_differ_leave_the_name_open(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("CREATE SCHEMA other; CREATE TABLE other.core_product (tenant_id uuid)")
    try:
        with tenant_context(acme.id), pytest.raises(ProgrammingError, match="row-level security policy") as refused:
            product(tenant_id=uuid.uuid4()).save()
    finally:
        admin.execute("DROP SCHEMA other CASCADE")

    assert type(refused.value) is ProgrammingError


def test_a_catalog_that_does_not_answer_leaves_postgresqls_own_words(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "ANSWER_TIMEOUT", 0.2)
    with tenant_context(acme.id), refusals._turn, pytest.raises(ProgrammingError) as silent:
        product(tenant_id=uuid.uuid4()).save()

    assert type(silent.value) is ProgrammingError
    for thread in threading.enumerate():
        if thread.name.startswith("rls-refusal"):
            thread.join()


def test_asking_leaves_no_connection_behind(acme: World, admin: psycopg.Connection) -> None:
    def count() -> int:
        [row] = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_tenant'").fetchall()
        return int(row[0])

    with tenant_context(acme.id):
        Product.objects.count()
        before = count()
        for _ in range(3):
            with pytest.raises(CrossTenantWrite), transaction.atomic():
                product(tenant_id=uuid.uuid4()).save()

    # A server process ends a moment after its connection.
    deadline = time.monotonic() + 300
    while count() > before and time.monotonic() < deadline:
        pass
    assert count() == before


def test_what_postgresql_prints_for_the_template_is_known(admin: psycopg.Connection) -> None:
    printed = admin.execute("SELECT printed FROM app.expected_policies WHERE name = 'public.core_product'").fetchall()

    assert len(printed) == policies("core_product").count("CREATE POLICY") == 3
    assert all(asks_for_the_tenant(text, "tenant_id") for (text,) in printed)
    assert sum(asks_for_the_tenant(text, "id") for (text,) in printed) == 1
    for other in ("true", "(stock < 0)", "(tenant_id = '0'::uuid)", f"({printed[0][0]} OR (stock < 0))"):
        assert not asks_for_the_tenant(other, "tenant_id")


def test_another_comparison_with_the_tenant_is_no_missing_policy(acme: World, replace: Callable[..., None]) -> None:
    replace("TO app_tenant USING (tenant_id = NULLIF(current_setting('app.current_tenant', true), '')::uuid)")

    with tenant_context(acme.id), pytest.raises(CrossTenantWrite):
        product(tenant_id=uuid.uuid4()).save()
