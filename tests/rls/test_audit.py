"""The audit: green on what the files make, red on every drift, and the SQL that it prints mends."""

from __future__ import annotations

import io
import os
import shutil
import subprocess

import psycopg
import pytest
from django.core.management import CommandError, call_command

from core.binaries import find_binaries
from rls import audit
from tests.postgres import Server

ISOLATION = "migrations_sql/audit.sql"

# (drift, rule, object)
DRIFTS = [
    ("DROP POLICY tenant_isolation ON core_product", "policy-missing", "core_product"),
    ("ALTER POLICY tenant_isolation ON core_product USING (true)", "policy-differs", "core_product.tenant_isolation"),
    (
        "ALTER POLICY tenant_isolation ON core_order WITH CHECK (true)",
        "policy-differs",
        "core_order.tenant_isolation",
    ),
    ("ALTER POLICY tenant_isolation ON core_order TO PUBLIC", "policy-differs", "core_order.tenant_isolation"),
    ("CREATE POLICY second ON core_product TO app_tenant USING (true)", "policy-extra", "core_product.second"),
    ("ALTER TABLE core_product ALTER tenant_id DROP NOT NULL", "tenant-nullable", "core_product"),
    ("CREATE UNIQUE INDEX wide ON core_product (sku)", "unique-without-tenant", "wide"),
    (
        "ALTER TABLE core_order ADD CONSTRAINT plain FOREIGN KEY (placed_by_id) REFERENCES core_tenantuser (id)",
        "foreign-key-without-tenant",
        "core_order.plain",
    ),
    ("ALTER TABLE core_product OWNER TO postgres", "owner-wrong", "core_product"),
    ("GRANT TRUNCATE ON core_product TO app_tenant", "grant-too-wide", "TRUNCATE on core_product"),
    ("GRANT SELECT ON core_product TO PUBLIC", "grant-too-wide", "SELECT on core_product"),
    (
        "GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO PUBLIC",
        "function-open",
        "set_config(text,text,boolean)",
    ),
    ("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC", "language-open", "plpgsql"),
    ("ALTER ROLE app_tenant BYPASSRLS", "role-too-strong", "app_tenant"),
    ("GRANT app_platform TO app_tenant", "role-membership", "app_tenant"),
    ("ALTER ROLE app_tenant SET app.current_tenant = 'x'", "variable-default", "role app_tenant"),
    ("CREATE VIEW leak AS SELECT * FROM core_product", "view-as-owner", "leak"),
    ("CREATE MATERIALIZED VIEW leak AS SELECT 1 AS one FROM core_product", "view-as-owner", "leak"),
    ("ALTER EVENT TRIGGER keep_row_security DISABLE", "guard-missing", "keep_row_security"),
    ("ALTER EVENT TRIGGER refuse_ddl DISABLE", "guard-missing", "refuse_ddl"),
    ("ALTER POLICY platform_access ON core_order USING (true)", "policy-differs", "core_order.platform_access"),
    ("ALTER POLICY owner_migration ON core_order USING (true)", "policy-differs", "core_order.owner_migration"),
    ("CREATE POLICY second ON core_order TO app_platform USING (true)", "policy-extra", "core_order.second"),
    (
        "CREATE OR REPLACE FUNCTION app.tenant_or_null() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid'",
        "function-behind-policy",
        "app.tenant_or_null",
    ),
    ("ALTER FUNCTION app.open_platform SECURITY DEFINER", "function-behind-policy", "app.open_platform"),
    ("GRANT SELECT ON core_apitoken TO app_tenant", "grant-too-wide", "SELECT on core_apitoken"),
    ("GRANT UPDATE ON core_tenant TO app_tenant", "grant-too-wide", "UPDATE on core_tenant"),
    ("GRANT SELECT ON auth_user TO app_tenant", "grant-too-wide", "SELECT on auth_user"),
    ("GRANT DELETE ON app.platform_audit TO app_platform", "grant-too-wide", "DELETE on app.platform_audit"),
    ("GRANT CREATE ON SCHEMA public TO app_tenant", "grant-too-wide", "CREATE on SCHEMA public"),
    ("GRANT UPDATE ON pg_settings TO PUBLIC", "catalog-open", "UPDATE on pg_settings"),
    ("GRANT SELECT ON pg_stat_activity TO PUBLIC", "catalog-open", "SELECT on pg_stat_activity"),
    ("GRANT EXECUTE ON FUNCTION ts_stat(text) TO PUBLIC", "function-open", "ts_stat(text)"),
    ("ALTER ROLE app_resolver LOGIN", "role-too-strong", "app_resolver"),
    ("ALTER ROLE app_tenant SET row_security = off", "variable-default", "role app_tenant"),
    (
        "CREATE OR REPLACE FUNCTION app.no_tenant() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT NULL::uuid'",
        "function-behind-policy",
        "app.no_tenant",
    ),
    (
        "CREATE FUNCTION app.leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT count(*) FROM public.core_product'; GRANT EXECUTE ON FUNCTION app.leak() TO app_tenant",
        "definer-callable",
        "app.leak()",
    ),
    (
        "ALTER EVENT TRIGGER keep_row_security DISABLE; ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY",
        "row-security-off",
        "core_product",
    ),
    (
        "ALTER EVENT TRIGGER keep_row_security DISABLE; ALTER TABLE core_product DISABLE ROW LEVEL SECURITY",
        "row-security-off",
        "core_product",
    ),
    (
        "CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)",
        "policy-missing",
        "fresh",
    ),
    ("CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)", "index-missing", "fresh"),
]


@pytest.fixture
def scratch(postgres_server: Server, database: str) -> psycopg.Connection:
    """A superuser in a transaction that is rolled back: drift that nobody else sees."""
    with psycopg.connect(postgres_server.admin_url, dbname=database) as connection:
        # Roles are the cluster's: another worker may not change one meanwhile.
        connection.execute("LOCK TABLE pg_authid IN EXCLUSIVE MODE")
        yield connection
        connection.rollback()


def findings(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    return connection.execute("SELECT rule, object, mend FROM app.isolation_findings").fetchall()


def test_a_database_that_only_the_files_touched_is_green() -> None:
    out = io.StringIO()

    call_command("rls", "audit", stdout=out)

    assert out.getvalue().strip() == "audit: green"
    assert audit.run("auditor") == []


@pytest.mark.parametrize(("drift", "rule", "target"), DRIFTS)
def test_a_drift_is_found_and_its_object_named(drift: str, rule: str, target: str, scratch: psycopg.Connection) -> None:
    assert findings(scratch) == []

    scratch.execute(drift)

    assert (rule, target) in [(found, name) for found, name, _ in findings(scratch)]


MENDABLE = [
    drift for drift, rule, _ in DRIFTS if rule not in ("guard-missing", "function-behind-policy", "index-missing")
]


@pytest.mark.parametrize("drift", MENDABLE)
def test_the_sql_that_is_printed_mends(drift: str, scratch: psycopg.Connection) -> None:
    if "EVENT TRIGGER" in drift:
        drift = drift.partition("; ")[2]
        scratch.execute("ALTER EVENT TRIGGER keep_row_security DISABLE")
        kept = [("guard-missing", "keep_row_security")]
    else:
        kept = []
    scratch.execute(drift)

    # A mend may uncover the next: a new table needs a policy, then an index.
    for _ in range(3):
        for rule, _, mend in findings(scratch):
            if rule != "guard-missing":
                scratch.execute(mend)

    assert [(rule, name) for rule, name, _ in findings(scratch)] == kept


def test_the_command_is_red_and_names_the_object(admin: psycopg.Connection) -> None:
    out = io.StringIO()
    admin.execute("CREATE POLICY second ON core_product TO app_tenant USING (true)")
    try:
        with pytest.raises(CommandError, match=r"audit: red, 1 finding"):
            call_command("rls", "audit", stdout=out)
    finally:
        admin.execute("DROP POLICY second ON core_product")

    assert "policy-extra  core_product.second" in out.getvalue()
    assert "DROP POLICY second ON core_product;" in out.getvalue()


def psql() -> str:
    """The psql of whatever PostgreSQL is here."""
    found = shutil.which("psql")
    return found or str(find_binaries().directory / "psql")


def test_psql_says_the_same_with_its_exit_status(admin: psycopg.Connection) -> None:
    command = [psql(), "--no-psqlrc", os.environ["AUDITOR_DATABASE_URL"], "-f", ISOLATION]
    green = subprocess.run(command, capture_output=True, text=True, check=False)
    admin.execute("DROP POLICY tenant_isolation ON core_orderitem")
    try:
        red = subprocess.run(command, capture_output=True, text=True, check=False)
        mend = next(mend for rule, _, mend in findings(admin) if rule == "policy-missing")
    finally:
        admin.execute(next(mend for rule, _, mend in findings(admin) if rule == "policy-missing"))
    again = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (green.returncode, red.returncode, again.returncode) == (0, 3, 0)
    assert "audit: green" in green.stdout
    assert "policy-missing" in red.stdout
    assert mend[:60] in red.stdout
