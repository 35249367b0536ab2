"""`rls.testing`: the proof bites, a role is that role, and each test begins with what the migrations left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from psycopg import errors

from core.models import Order, OrderItem, Product, Tenant, TenantUser
from mcp_server.tokens.models import ApiToken, PlatformToken
from rls import audit, current_tenant_id
from rls.testing import as_role, assert_isolated, server
from rls.testing.rows import MAX_DEAD_ROWS, Rows
from tests.support.postgres import Server
from tests.support.world import World, make_tenant

pytestmark = pytest.mark.slow

SILENT = "tenant_id = (SELECT NULLIF(current_setting('app.current_tenant', true), '')::uuid)"


@pytest.fixture
def drift(admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A superuser whom no event trigger corrects; afterwards the audit's own SQL mends what was changed."""
    with psycopg.connect(admin.info.dsn, password=admin.info.password, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection
        for _ in range(5):
            for finding in audit.run("owner"):
                connection.execute(finding.mend)
        assert audit.run("owner") == []


@pytest.mark.parametrize("model", [Tenant, TenantUser, Product, Order, OrderItem, ApiToken])
def test_a_model_of_ours_is_isolated(model: Any, acme: World, globex: World) -> None:
    assert_isolated(model)


def test_three_tenants_and_many_rows_are_isolated(acme: World, globex: World) -> None:
    third = make_tenant("initech", "Initech")
    with as_role("app_tenant") as connection:
        connection.execute(f"SET app.current_tenant = '{third.id}'")
        connection.execute(
            "INSERT INTO core_product (sku, name, price_minor, currency, stock, is_active)"
            " SELECT 'B-' || n, 'Bolt; or nut', 1, 'EUR', n, true FROM generate_series(1, 50) AS n"
        )

    assert_isolated(Product)


@pytest.mark.parametrize(
    ("change", "property_", "rule"),
    [
        (
            "ALTER POLICY tenant_isolation ON core_product USING (true)",
            r"SQL must read its 1 row\(s\), and the answer is 2 row\(s\)",
            "policy-differs",
        ),
        (
            "ALTER TABLE core_product DISABLE ROW LEVEL SECURITY",
            r"SQL must read its 1 row\(s\), and the answer is 2 row\(s\)",
            "row-security-off",
        ),
        (
            "DROP POLICY tenant_isolation ON core_product",
            r"SQL must read its 1 row\(s\), and the answer is 0 row\(s\)",
            "policy-missing",
        ),
        (
            "CREATE POLICY loose ON core_product FOR SELECT TO app_tenant USING (true)",
            r"SQL must read its 1 row\(s\), and the answer is 2 row\(s\)",
            "policy-extra",
        ),
        (
            # An UPDATE with a condition would have to read the rows.
            "CREATE POLICY loose ON core_product FOR UPDATE TO app_tenant USING (true)",
            r"UPDATE and DELETE of all rows must meet its 1 row\(s\), and the answers are IntegrityError",
            "policy-extra",
        ),
        (
            "CREATE POLICY loose ON core_orderitem FOR DELETE TO app_tenant USING (true)",
            r"UPDATE and DELETE of all rows must meet its 1 row\(s\), and the answers are 1 row\(s\) and 2 row\(s\)",
            "policy-extra",
        ),
        (
            "ALTER POLICY tenant_isolation ON core_orderitem WITH CHECK (true)",
            "moving its own rows to another tenant must be refused as CrossTenantWrite, and the answer is Integrity",
            "policy-differs",
        ),
        (
            "CREATE POLICY loose ON core_product FOR INSERT TO app_tenant WITH CHECK (true)",
            "inserting a row for another tenant must be refused as CrossTenantWrite, and the answer is IntegrityError",
            "policy-extra",
        ),
        (
            f"ALTER POLICY tenant_isolation ON core_product USING ({SILENT}) WITH CHECK ({SILENT})",
            r"a session that names no tenant must be refused, and the answer is 0 row\(s\)",
            "policy-differs",
        ),
        (
            "ALTER POLICY tenant_isolation ON core_tenant USING (true)",
            r"SQL must read its 1 row\(s\), and the answer is 2 row\(s\)",
            "policy-differs",
        ),
        (
            "ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY",
            r"core\.Product: the audit has findings on public\.core_product",
            "row-security-off",
        ),
    ],
)
def test_a_weaker_table_fails_by_the_property_that_it_lost(
    change: str, property_: str, rule: str, acme: World, globex: World, drift: psycopg.Connection
) -> None:
    model = {model._meta.db_table: model for model in (Tenant, Product, OrderItem)}
    table = next(name for name in change.split() if name.startswith("core_"))
    assert_isolated(model[table])

    drift.execute(change)

    with pytest.raises(AssertionError, match=f"(?s){property_}.*The audit says:\n  {rule}: public.{table}.*mend: "):
        assert_isolated(model[table])


def test_a_right_on_one_column_is_tried(acme: World, globex: World, drift: psycopg.Connection) -> None:
    drift.execute("REVOKE UPDATE ON core_product FROM app_tenant; GRANT UPDATE (name) ON core_product TO app_tenant")
    try:
        drift.execute("CREATE POLICY loose ON core_product FOR UPDATE TO app_tenant USING (true) WITH CHECK (true)")

        with pytest.raises(AssertionError, match=r"all rows must meet its 1 row\(s\), and the answers are 2 row\(s\)"):
            assert_isolated(Product)
    finally:
        drift.execute("REVOKE UPDATE (name) ON core_product FROM app_tenant")
        drift.execute("GRANT UPDATE ON core_product TO app_tenant")


def test_refused_is_isolated(acme: World, globex: World, drift: psycopg.Connection) -> None:
    rights = "SELECT, INSERT, UPDATE, DELETE ON core_orderitem"
    drift.execute(f"REVOKE {rights} FROM app_tenant")
    try:
        assert_isolated(OrderItem)
        # It is the right that is missing: with it, a table without its policy is found.
        drift.execute("ALTER TABLE core_orderitem DISABLE ROW LEVEL SECURITY")
        with pytest.raises(AssertionError, match="the audit has findings on"):
            assert_isolated(OrderItem)
    finally:
        drift.execute(f"GRANT {rights} TO app_tenant")


@pytest.mark.parametrize("model", [Product, Tenant])
def test_rows_of_one_tenant_prove_nothing(model: Any, acme: World) -> None:
    with pytest.raises(AssertionError, match=r"has rows of 1 tenant\(s\), .*: commit one for each of two tenants$"):
        assert_isolated(model)


def test_what_is_not_committed_proves_nothing(acme: World, globex: World) -> None:
    with pytest.raises(AssertionError, match=r"leave atomic\(\)$"), transaction.atomic():
        assert_isolated(Product)


def test_a_shared_model_is_not_isolated() -> None:
    with pytest.raises(AssertionError, match=r"mcp_tokens\.PlatformToken is not tenanted"):
        assert_isolated(PlatformToken)


def test_nothing_is_kept_and_an_open_context_stays(
    acme: World, globex: World, admin: psycopg.Connection, tenant: Tenant, tenant_context: UUID
) -> None:
    tables = ("core_tenant", "core_product", "core_order", "core_orderitem", "app.platform_audit")
    before = [admin.execute(f"SELECT t::text, xmin FROM {table} AS t ORDER BY 1").fetchall() for table in tables]

    assert_isolated(OrderItem)

    after = [admin.execute(f"SELECT t::text, xmin FROM {table} AS t ORDER BY 1").fetchall() for table in tables]
    assert after == before
    assert current_tenant_id() == tenant_context == tenant.id


@pytest.mark.parametrize("role", ["app_tenant", "app_platform", "app_owner", "app_auditor"])
def test_as_role_is_that_role_and_no_more(role: str, acme: World, database: str) -> None:
    with as_role(role) as connection:
        row = connection.execute("SELECT session_user, current_user, current_database()").fetchone()
        settings = connection.execute(
            "SELECT current_setting('app.current_tenant', true), current_setting('row_security')"
        ).fetchone()
        refused = "SELECT FROM core_product"
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(refused)
        # In autocommit, so the refusal leaves no transaction behind.
        connection.execute("SELECT 1")

    assert row == (role, role, database)
    assert settings == (None, "on")
    assert connection.cursor_factory is psycopg.Cursor
    assert connection.closed


def test_as_role_reads_what_the_policies_show(acme: World, globex: World) -> None:
    with as_role("app_tenant") as connection:
        connection.execute(f"SET app.current_tenant = '{acme.id}'")

        assert connection.execute("SELECT id FROM core_product").fetchall() == [(acme.product_id,)]


def test_an_unknown_role_is_named_with_the_known_ones() -> None:
    known = "app_auditor, app_owner, app_platform, app_tenant"
    with pytest.raises(ValueError, match=f"logs in as postgres: the roles are {known}$"), as_role("postgres"):
        pass


def test_as_role_does_not_reach_a_database_that_is_blocked(django_db_blocker: Any) -> None:
    with django_db_blocker.block(), pytest.raises(RuntimeError, match="Database access not allowed"):
        with as_role("app_tenant"):
            pass


def test_two_tenants_are_committed(tenant: Tenant, other_tenant: Tenant, admin: psycopg.Connection) -> None:
    rows = admin.execute("SELECT id, name, subdomain FROM core_tenant ORDER BY name").fetchall()

    assert rows == [(other_tenant.id, "other-tenant", "other-tenant"), (tenant.id, "tenant", "tenant")]


def test_the_context_is_open(tenant_context: UUID, tenant: Tenant, other_tenant: Tenant) -> None:
    Product.objects.create(sku="A-1", name="Anvil", price_minor=1, currency="EUR", stock=1)

    assert current_tenant_id() == tenant.id
    assert Product.objects.get().tenant_id == tenant.id


@pytest.mark.parametrize("time", ["first", "second"])
def test_no_row_of_a_test_meets_the_next(time: str, admin: psycopg.Connection) -> None:
    declared = "SELECT count(*) FROM app.declared_grants WHERE reason <> 'changed'"
    types = "SELECT count(*) FROM django_content_type"
    assert admin.execute("SELECT count(*) FROM core_tenant").fetchone() == (0,)
    assert admin.execute("SELECT count(*) FROM app.platform_audit").fetchone() == (0,)
    assert admin.execute(f"SELECT ({declared}) > 10, ({types}) > 10").fetchone() == (True, True)
    assert audit.run("owner") == []

    make_tenant("acme", "Acme")
    admin.execute("UPDATE app.declared_grants SET reason = 'changed'; TRUNCATE django_content_type CASCADE")


def test_what_the_migrations_left_is_put_back_as_it_was(acme: World, admin: psycopg.Connection) -> None:
    rows = Rows(admin)
    tables = ("core_product", "core_orderitem", "app.declared_grants", "auth_permission", "django_content_type")
    contents = [admin.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall() for table in tables]
    assert all(contents)

    make_tenant("globex", "Globex")
    admin.execute("INSERT INTO auth_group (name) VALUES ('new')")
    admin.execute("TRUNCATE core_tenant, django_content_type CASCADE; DELETE FROM app.declared_grants")
    rows.restore()

    assert [admin.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall() for table in tables] == contents
    assert admin.execute("SELECT count(*) FROM auth_group").fetchone() == (0,)


def test_what_was_written_can_be_written_again_as_it_was(admin: psycopg.Connection) -> None:
    rows = Rows(admin)
    make_tenant("acme", "Acme's {} \\ anvils")
    admin.execute("INSERT INTO auth_group (name) VALUES ('%s'), (E'two\nlines')")
    tables = ("core_tenant", "core_product", "core_exportpart", "mcp_ledger_idempotencykey", "auth_group")
    contents = [admin.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall() for table in tables]
    assert all(contents)

    statements = rows.written()
    rows.restore()
    assert admin.execute("SELECT count(*) FROM core_tenant").fetchone() == (0,)
    rows.run(statements)

    assert [admin.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall() for table in tables] == contents


def test_a_table_that_had_many_rows_is_as_short_as_before(admin: psycopg.Connection) -> None:
    rows = Rows(admin)
    admin.execute("INSERT INTO auth_group (name) SELECT n::text FROM generate_series(1, %s) AS n", [MAX_DEAD_ROWS + 1])

    rows.restore()

    assert admin.execute("SELECT pg_relation_size('auth_group')").fetchone() == (0,)


def test_what_waits_for_its_commit_is_waited_for(admin: psycopg.Connection) -> None:
    rows = Rows(admin)
    with psycopg.connect(admin.info.dsn, password=admin.info.password) as other:
        other.execute("INSERT INTO auth_group (name) VALUES ('late')")
        with admin.transaction():
            admin.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(errors.LockNotAvailable), admin.transaction():
                rows.restore()
        other.commit()

    rows.restore()

    assert admin.execute("SELECT count(*) FROM auth_group").fetchone() == (0,)


def test_the_template_is_another_for_other_sql(tmp_path: Path, settings: Any) -> None:
    shutil.copytree("migrations_sql", tmp_path / "migrations_sql")
    settings.BASE_DIR = tmp_path
    before = server.digest()
    assert server.digest() == before

    with (tmp_path / "migrations_sql" / "0006_core_product.sql").open("a") as file:
        file.write("-- changed\n")

    assert server.digest() != before


def test_the_template_is_made_once(postgres_server: Server, database: str, admin: psycopg.Connection) -> None:
    made = "SELECT datname, oid FROM pg_database WHERE datname ~ '^template_[0-9a-f]{12}$' ORDER BY 1"
    before = admin.execute(made).fetchall()
    try:
        with postgres_server.database(f"{database}_again"):
            during = admin.execute(made).fetchall()
    finally:
        postgres_server.use(database)

    mine = f"template_{server.digest()}"
    assert [row for row in before if row[0] == mine] == [row for row in during if row[0] == mine] != []


def test_no_traceback_shows_the_superusers_password(postgres_server: Server) -> None:
    assert "postgresql://" not in repr(postgres_server)


def test_an_alias_that_would_stay_at_the_real_database_is_refused() -> None:
    connections.settings["legacy"] = connections.settings["default"] | {"USER": "shop"}
    try:
        with pytest.raises(ImproperlyConfigured, match=r'DATABASES\["legacy"\] logs in as shop'):
            server.aliases()
    finally:
        del connections.settings["legacy"]


def test_a_needed_alias_that_is_missing_is_named() -> None:
    owner = connections.settings.pop("owner")
    try:
        with pytest.raises(ImproperlyConfigured, match=r'the tests need DATABASES\["owner"\] with a USER of app_owner'):
            server.aliases()
    finally:
        connections.settings["owner"] = owner


@pytest.mark.django_db
def test_a_role_that_no_policy_binds_is_refused_at_the_start(postgres_server: Server, database: str) -> None:
    try:
        server.use({"default": postgres_server.url(database, "app_owner")})
        with pytest.raises(ImproperlyConfigured, match="refusing to serve as app_owner"):
            server.require_bound()
    finally:
        server.use({"default": postgres_server.url(database, "app_tenant")})


def test_a_password_of_the_settings_is_the_roles(postgres_server: Server, database: str) -> None:
    configured = connections.settings["auditor"]
    password = configured["PASSWORD"]
    try:
        configured["PASSWORD"] = "p@ss/word"
        assert postgres_server.url(database, "app_auditor").startswith("postgresql://app_auditor:p%40ss%2Fword@")
    finally:
        configured["PASSWORD"] = password
    assert postgres_server.password("app_auditor") == password
