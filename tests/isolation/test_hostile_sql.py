"""Cases 22 and 24: hostile SQL inside a context, as if injected into one statement of a tool."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from core.models import Product
from rls import NoTenantContext, tenant_context
from tests.isolation.test_writes import snapshot
from tests.support.world import World

UNION = (
    "SELECT name FROM core_product WHERE set_config('app.current_tenant', '{b}', true) IS NULL"
    " UNION ALL SELECT name FROM core_product"
)
STACKED = "SELECT 1; SET app.current_tenant = '{b}'; SELECT name FROM core_product"
TEXT = (
    "SELECT query_to_xml($$SET LOCAL app.current_tenant = '{b}'$$, true, true, '')::text"
    " || query_to_xml('SELECT name FROM core_product', true, true, '')::text"
)
DO = "DO $$ BEGIN SET LOCAL app.current_tenant = '{b}'; UPDATE core_product SET name = 'mine'; END $$"
# Another tenant's change that nobody has made.
FORGED = "NOTIFY tenant_changes, '01890000-0000-7000-8000-000000000000 core_product *'"
FORGED_IN_A_SELECT = "SELECT pg_notify('tenant_changes', '01890000-0000-7000-8000-000000000000 core_product *')"

HOSTILE = [
    UNION,
    STACKED,
    TEXT,
    DO,
    "SELECT name FROM core_product UNION SELECT set_config('app.current_tenant', '{b}', true)",
    "WITH switch AS MATERIALIZED (SELECT set_config('app.current_tenant', '{b}', true))"
    " SELECT name FROM switch, core_product",
    "UPDATE core_product SET stock = 5 RETURNING pg_catalog.set_config('app.current_tenant', '{b}', true)",
    "SELECT set_config('app.current_tenant', '{b}', false)",
    "SELECT (SELECT name FROM core_product WHERE set_config('app.current_tenant', '{b}', true) = '{b}' LIMIT 1)",
    "UPDATE pg_settings SET setting = '{b}' WHERE name = 'app.current_tenant'",
    "SET app.current_tenant = '{b}'",
    "SET LOCAL app.current_tenant = '{b}'",
    "SET SESSION app.current_tenant = '{b}'",
    "RESET app.current_tenant",
    "RESET ALL",
    "DISCARD ALL",
    "SET ROLE app_platform",
    "SET ROLE app_owner",
    "SET ROLE postgres",
    "RESET ROLE",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET SESSION AUTHORIZATION app_platform",
    "RESET SESSION AUTHORIZATION",
    "RESET row_security",
    "SET row_security = off",
    "SET app.migrating = 'on'",
    "SET app.platform_audit_id = '1'",
    "ROLLBACK; SET app.current_tenant = '{b}'; SELECT name FROM core_product",
    "COMMIT; SET app.current_tenant = '{b}'; SELECT name FROM core_product",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "SELECT name FROM core_product /* ; */; SET app.current_tenant = '{b}' --",
    "SELECT query_to_xml('SELECT name FROM core_product', true, true, '')",
    "DECLARE stolen CURSOR WITH HOLD FOR SELECT name FROM core_product",
    "PREPARE stolen AS SELECT name FROM core_product",
    "SELECT digest FROM mcp_tokens_apitoken",
    "SELECT name FROM mcp_tokens_platformtoken",
    "SELECT tenant_id FROM app.resolve_principal('globex', NULL)",
    "SELECT app.open_platform('me', 'mine', '')",
    "SELECT query FROM pg_stat_activity",
    "SELECT pg_terminate_backend(pid) FROM pg_locks",
    "SELECT tid FROM currtid2('core_product', '(0,1)') AS tid",
    "SELECT ctid, name FROM core_product WHERE ctid = '{place}'",
    "MERGE INTO core_product AS p USING (SELECT 1) AS one ON true WHEN MATCHED THEN UPDATE SET stock = 5",
    "PREPARE TRANSACTION 'stolen'",
    "EXECUTE stolen",
    "FETCH ALL FROM stolen",
    "(SELECT name FROM core_product)",
    "-- a comment\nSELECT name FROM core_product",
    "",
]

REFUSED = [
    # Rights, and roles.
    "ALTER TABLE core_product DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE core_product OWNER TO app_tenant",
    "ALTER POLICY tenant_isolation ON core_product USING (true)",
    "DROP POLICY tenant_isolation ON core_product",
    "CREATE POLICY mine ON core_product USING (true)",
    "GRANT app_owner TO app_tenant",
    "GRANT app_platform TO CURRENT_USER",
    "GRANT SELECT ON core_product TO PUBLIC",
    "REVOKE SELECT ON core_product FROM app_platform",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "ALTER ROLE app_tenant BYPASSRLS",
    "ALTER ROLE CURRENT_USER PASSWORD 'mine'",
    "ALTER ROLE CURRENT_USER SET row_security = off",
    "ALTER ROLE CURRENT_USER RESET ALL",
    "CREATE ROLE mine",
    "DROP ROLE app_auditor",
    "DROP OWNED BY CURRENT_USER",
    "REASSIGN OWNED BY CURRENT_USER TO app_owner",
    "SET ROLE app_platform",
    "SET SESSION AUTHORIZATION app_platform",
    "SELECT app.open_platform('me', 'mine', '')",
    "SELECT actor FROM app.platform_audit",
    "INSERT INTO app.platform_audit (actor, reason, origin) VALUES ('me', 'mine', '')",
    # What defines, changes or drops something.
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION app.no_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "CREATE PROCEDURE public.mine() LANGUAGE sql AS 'SELECT 1'",
    "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
    "CREATE AGGREGATE public.mine (int) (SFUNC = int4pl, STYPE = int)",
    "CREATE CAST (text AS int) WITH INOUT",
    "CREATE VIEW public.mine AS SELECT * FROM core_product",
    "CREATE MATERIALIZED VIEW mine AS SELECT * FROM core_product",
    "CREATE TABLE app.mine (id int)",
    "CREATE TABLE mine AS SELECT * FROM core_product",
    "SELECT * INTO mine FROM core_product",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE TEMP TABLE mine AS SELECT * FROM core_product",
    "CREATE TEMP VIEW mine AS SELECT 1",
    "CREATE TEMP SEQUENCE mine",
    "CREATE SCHEMA mine",
    "CREATE TYPE mine AS (id int)",
    "CREATE INDEX mine ON core_product (name)",
    "CREATE STATISTICS mine ON sku, name FROM core_product",
    "CREATE RULE mine AS ON INSERT TO core_product DO ALSO NOTIFY mine",
    "CREATE TRIGGER mine BEFORE INSERT ON core_product EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION app.refuse_ddl()",
    "CREATE PUBLICATION mine FOR TABLE core_product",
    "CREATE SUBSCRIPTION mine CONNECTION 'host=127.0.0.1' PUBLICATION mine WITH (connect = false)",
    "CREATE FOREIGN DATA WRAPPER mine",
    "CREATE EXTENSION dblink",
    "CREATE DATABASE mine",
    "ALTER FUNCTION app.no_tenant() IMMUTABLE",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "DROP TABLE core_product",
    "DROP FUNCTION app.no_tenant()",
    "DROP SCHEMA app CASCADE",
    "COMMENT ON TABLE core_product IS 'mine'",
    "SECURITY LABEL ON TABLE core_product IS 'mine'",
    # What reaches all rows, or stops everybody.
    "TRUNCATE core_product",
    "LOCK TABLE core_product IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE core_product IN ACCESS SHARE MODE",
    "VACUUM core_product",
    "ANALYZE core_product",
    "CLUSTER core_product USING core_product_pkey",
    "REINDEX TABLE core_product",
    "CHECKPOINT",
    # What leaves the database.
    "COPY core_product TO STDOUT",
    "COPY core_product FROM STDIN",
    "COPY core_product TO '/tmp/mine'",
    "COPY core_product FROM '/etc/passwd'",
    "COPY core_product TO PROGRAM 'cat'",
    "COPY core_product FROM PROGRAM 'id'",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_get(1)",
    "SELECT data FROM pg_largeobject",
    "SELECT dblink('', 'SELECT 1')",
    "SELECT pg_logical_emit_message(false, 'x', 'y')",
    "LOAD 'plpgsql'",
    # What stays on the connection, or reaches another.
    "LISTEN everything",
    FORGED,
    FORGED_IN_A_SELECT,
    "SELECT app.notify_change()",
    "SELECT app.watch_tenants('{01890000-0000-7000-8000-000000000000}')",
    "SELECT app.unwatch_tenants('{01890000-0000-7000-8000-000000000000}')",
    "SELECT app.await_writers()",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock_shared(1)",
    "SELECT pg_cancel_backend(1)",
    "DISCARD ALL",
    "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
    "PREPARE held AS SELECT 1",
    "DO $$ BEGIN END $$",
]

# How PostgreSQL and the backend refuse. A typing error above would read otherwise.
REFUSAL = (
    # Roles are the cluster's: another process of the tests may be changing one.
    "tuple concurrently updated|"
    "permission denied|must (be|have)|defines nothing|was rolled back|cannot run inside|is not allowed|"
    r"COPY cannot be used|COPY FROM not supported|no security label providers|function dblink\(.*\) does not exist"
)


def attack(statement: str) -> str:
    """Everything that the attacker gets to see: rows, or the message."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            seen = str(cursor.fetchall()) if cursor.description else ""
            while cursor.nextset():
                seen += str(cursor.fetchall()) if cursor.description else ""
            return seen
    except DatabaseError as error:
        return str(error)


def attack_in_transaction(statement: str) -> str:
    """The same, with what the rest of the transaction shows: before and after the savepoint is rolled back."""
    seen = ""
    try:
        with transaction.atomic():
            with transaction.atomic():
                seen += attack(statement)
                seen += attack("SELECT name FROM core_product")
                transaction.set_rollback(True)
            seen += attack("SELECT name FROM core_product")
    except DatabaseError as error:
        seen += str(error)
    return seen


def own_products() -> list[str]:
    return list(Product.objects.values_list("name", flat=True))


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("statement", HOSTILE)
def test_a_hostile_statement_gets_nothing(
    statement: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    before = snapshot(admin, globex)
    [place] = admin.execute("SELECT ctid FROM core_product WHERE tenant_id = %s", [globex.id]).fetchone() or [None]
    statement = statement.format(b=globex.id, place=place)

    with tenant_context(acme.id):
        seen = attack(statement)
        own = own_products()
        seen += attack_in_transaction(statement)
    connection.close()
    with tenant_context(globex.id):
        others = own_products()
    connection.close()

    assert "Globex" not in seen
    assert str(globex.id) not in seen.replace(statement, "")
    assert own == ["Acme anvil"]
    assert others == ["Globex anvil"]
    with pytest.raises(NoTenantContext):
        own_products()
    assert snapshot(admin, globex) == before


@pytest.mark.parametrize("statement", REFUSED)
def test_what_the_serving_role_has_no_business_with_is_refused(statement: str, acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(DatabaseError, match=REFUSAL), connection.cursor() as cursor:
        cursor.execute(statement)

    connection.close()
    with tenant_context(acme.id):
        assert own_products() == ["Acme anvil"]


@pytest.mark.parametrize("within", [transaction.atomic, contextlib.nullcontext])
# COPY leaves the protocol in a state that costs the connection, and with it the transaction.
@pytest.mark.parametrize("statement", [statement for statement in REFUSED if not statement.startswith("COPY")])
def test_what_is_refused_leaves_the_transaction_usable(
    statement: str, within: Callable[[], contextlib.AbstractContextManager[None]], acme: World
) -> None:
    with tenant_context(acme.id), within():
        with contextlib.suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

        assert own_products() == ["Acme anvil"]


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("stolen", ["DECLARE stolen CURSOR WITH HOLD FOR", "PREPARE stolen AS"])
def test_nothing_held_reaches_the_next_request(stolen: str, acme: World, globex: World) -> None:
    statement = f"{stolen} SELECT name FROM core_product"
    with tenant_context(acme.id):
        attack(statement)
        attack_in_transaction(statement)
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.executemany(statement, [()])
    connection.close()

    with tenant_context(globex.id):
        for take in ("FETCH ALL FROM stolen", "EXECUTE stolen"):
            assert "does not exist" in attack(take)


INJECTED = "; SET LOCAL app.current_tenant TO $${b}$$; UPDATE core_product SET name = $$mine$$; --"


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT name FROM core_product WHERE sku = '%s'", INJECTED),
        ("SELECT name FROM core_product WHERE sku = '%s' OR true", "; SELECT 1; --"),
        ("UPDATE core_product SET name = name WHERE sku = '%s'", INJECTED),
    ],
)
def test_a_placeholder_in_quotes_stacks_no_statement(
    statement: str, value: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    before = [snapshot(admin, world) for world in (acme, globex)]
    value = value.format(b=globex.id)

    with tenant_context(acme.id), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(statement, [value])
    with tenant_context(acme.id), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.executemany(statement, [[value]])

    assert [snapshot(admin, world) for world in (acme, globex)] == before


@pytest.mark.usefixtures("one_connection")
def test_what_was_set_on_the_session_does_not_reach_the_next_request(acme: World) -> None:
    with tenant_context(acme.id):
        assert "was rolled back" in attack("SET statement_timeout = '1ms'")
        with transaction.atomic():
            attack("SET statement_timeout = '1ms'")

    with tenant_context(acme.id):
        assert attack("SELECT 1 FROM pg_sleep(0.01)") == "[(1,)]"


def test_a_semicolon_inside_a_value_is_a_value(acme: World) -> None:
    name = "a; DROP TABLE core_product; --"

    with tenant_context(acme.id):
        Product.objects.filter(id=acme.product_id).update(name=name)
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM core_product WHERE name = %s -- a comment; with one", [name])

            assert cursor.fetchall() == [(name,)]


def test_copy_is_refused_to_psycopg_too(acme: World) -> None:
    with tenant_context(acme.id), connection.cursor() as cursor:
        for statement in ("COPY core_product TO STDOUT", "COPY core_product FROM STDIN"):
            with pytest.raises(DatabaseError, match="COPY does not carry a tenant"):
                cursor.copy(statement)
        with pytest.raises(DatabaseError, match="does not carry a tenant"):
            cursor.stream("SELECT name FROM core_product")
