"""pgTAP, which knows nothing of this project, finds the catalog as `policies.pgtap.sql` writes it out by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.support import postgres
from tests.support.postgres import Server

pytestmark = pytest.mark.slow

WITNESS = Path(__file__).with_name("policies.pgtap.sql")
MISSING = "no PostgreSQL here has pgTAP (Debian: apt-get install postgresql-<major>-pgtap)"
UNGUARDED = "ALTER EVENT TRIGGER keep_row_security DISABLE; "

# (drift, what fails): what somebody does with psql, and a test of the witness that says so.
STORIES = [
    ("ALTER POLICY tenant_isolation ON core_product USING (true)", "USING of tenant_isolation on core_product"),
    ("ALTER POLICY tenant_isolation ON core_order WITH CHECK (true)", "WITH CHECK of tenant_isolation on core_order"),
    ("ALTER POLICY platform_access ON core_order USING (true)", "USING of platform_access on core_order"),
    (
        "ALTER POLICY resolver_lookup ON core_tenant TO app_tenant",
        "Policy resolver_lookup for table public.core_tenant",
    ),
    ("DROP POLICY tenant_isolation ON core_orderitem", "Table public.core_orderitem should have the correct policies"),
    ("CREATE POLICY second ON core_order USING (true)", "Table public.core_order should have the correct policies"),
    (UNGUARDED + "ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY", "row-level security is enabled and forced"),
    (UNGUARDED + "ALTER TABLE core_tenant DISABLE ROW LEVEL SECURITY", "row-level security is enabled and forced"),
    ("CREATE TABLE fresh (tenant_id uuid NOT NULL)", "no other table has a column that names a tenant"),
    ("ALTER TABLE core_product ALTER tenant_id DROP NOT NULL", "core_product.tenant_id is never null"),
    ("CREATE UNIQUE INDEX wide ON core_product (sku)", "what is unique is so inside a tenant"),
    ("ALTER TABLE core_order ADD FOREIGN KEY (placed_by_id) REFERENCES core_tenantuser (id)", "no other foreign key"),
    ("ALTER ROLE app_tenant SUPERUSER", "User app_tenant should not be a super user"),
    ("ALTER ROLE app_tenant BYPASSRLS", "nobody but a superuser bypasses row-level security"),
    ("GRANT app_platform TO app_tenant", "app_tenant is no member of app_platform"),
    ("ALTER ROLE app_tenant SET row_security = off", "no role and no database begins with a tenant"),
    ("ALTER TABLE core_product OWNER TO app_platform", "every relation belongs to app_owner"),
    ("GRANT SELECT ON mcp_tokens_apitoken TO app_tenant", "Role app_tenant should be granted no privileges on table"),
    ("GRANT TRUNCATE ON core_order TO PUBLIC", "Role app_tenant should be granted SELECT, INSERT, UPDATE, DELETE"),
    ("GRANT UPDATE (tenant_id) ON mcp_tokens_apitoken TO app_resolver", "no other right on a column"),
    ("GRANT EXECUTE ON FUNCTION set_config TO PUBLIC", "on function pg_catalog.set_config(text, text, boolean)"),
    ("GRANT EXECUTE ON FUNCTION lo_unlink TO app_tenant", "nor can app_tenant call their relatives"),
    (
        "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
        "Role app_tenant should be granted no privileges on language plpgsql",
    ),
    ("GRANT CREATE ON SCHEMA public TO app_tenant", "Role app_tenant should be granted USAGE on schema public"),
    ("CREATE VIEW leak AS SELECT * FROM core_product", "Schema public should have the correct views"),
    ("ALTER FUNCTION app.uuid7 SECURITY DEFINER", "five functions run as their owner"),
    ("ALTER FUNCTION app.no_tenant() IMMUTABLE", "Function app.no_tenant() should be STABLE"),
    ("DROP EVENT TRIGGER refuse_ddl", "both event triggers are there and enabled"),
]


def has_pgtap(server: Server) -> bool:
    with psycopg.connect(server.admin_url) as admin:
        found = admin.execute("SELECT FROM pg_available_extensions WHERE name = 'pgtap'").fetchone()
    return found is not None


def server_with_pgtap(server: Server, stack: ExitStack) -> Server:
    """The server of this run, or one of its own from local binaries. Skips where neither has pgTAP."""
    if has_pgtap(server):
        return server
    try:
        local = stack.enter_context(postgres.embedded("local"))
    except postgres.NoPostgres:
        local = None
    if local and has_pgtap(local):
        return local
    if os.environ.get("CI_REQUIRE_PGTAP") == "1":
        pytest.fail(f"CI_REQUIRE_PGTAP=1, and {MISSING}")
    pytest.skip(MISSING)


@pytest.fixture(scope="module")
def witnessed(postgres_server: Server, django_db_setup: str, django_db_blocker: Any) -> Iterator[str]:
    """A superuser's address of a migrated database, on a server that has pgTAP."""
    with ExitStack() as stack:
        server = server_with_pgtap(postgres_server, stack)
        with django_db_blocker.unblock():
            name = stack.enter_context(server.database(f"{django_db_setup}_pgtap"))
            # Whoever migrates another server has pointed Django's connections at it.
            postgres.use(postgres_server.urls(django_db_setup))
        yield make_conninfo(server.admin_url, dbname=name)


def failures(address: str, drift: str = "") -> list[str]:
    """The tests of the witness that fail after `drift`, which is rolled back with all else."""
    with psycopg.connect(address, autocommit=True) as admin:
        # The witness ends this transaction with its own. Roles are the cluster's: whoever changes them takes turns.
        admin.execute(f"BEGIN; LOCK TABLE pg_authid IN EXCLUSIVE MODE; {drift}")
        said = [
            line
            for result in admin.execute(WITNESS.read_text()).results()
            if result.description
            for (text,) in result.fetchall()
            for line in text.splitlines()
        ]
    planned = int(said[0].removeprefix("1.."))
    ran = [match for line in said if (match := re.match(r"(not )?ok (\d+) - (.+)", line))]
    assert [int(match[2]) for match in ran] == list(range(1, planned + 1)), "change the number in SELECT plan(...)"
    return [match[3] for match in ran if match[1]]


def test_the_catalog_is_as_the_witness_says(witnessed: str) -> None:
    assert failures(witnessed) == []


@pytest.mark.parametrize(("drift", "failing"), STORIES)
def test_the_witness_sees_a_drift(drift: str, failing: str, witnessed: str) -> None:
    failed = failures(witnessed, drift)

    assert any(failing in description for description in failed), failed
