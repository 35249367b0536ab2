"""The audit: green on what the files make, red on every drift, and the SQL that it prints mends."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from prometheus_client.parser import text_string_to_metric_families

from rls import audit
from rls.audit import Level
from rls.embedded.binaries import find_binaries
from rls.files import SQL_DIRECTORY
from tests.support import programs
from tests.support.postgres import Server
from tests.support.processes import free_port

pytestmark = pytest.mark.slow

AUDIT_FILE = Path("migrations_sql/audit.sql")
UNGUARDED = "ALTER EVENT TRIGGER keep_row_security DISABLE; "

# (rule, how the object's name begins, drift): what psql does, and how it is called when it is found.
STORIES = [
    # Row-level security itself.
    ("row-security-off", "public.core_product", UNGUARDED + "ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY"),
    ("row-security-off", "public.core_product", UNGUARDED + "ALTER TABLE core_product DISABLE ROW LEVEL SECURITY"),
    ("row-security-off", "public.core_tenant", UNGUARDED + "ALTER TABLE core_tenant DISABLE ROW LEVEL SECURITY"),
    # Policies.
    ("policy-missing", "public.core_product", "DROP POLICY tenant_isolation ON core_product"),
    ("policy-missing", "public.core_tenant", "DROP POLICY platform_access ON core_tenant"),
    ("policy-missing", "public.fresh", "CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)"),
    ("policy-missing", "public.part_1", "CREATE TABLE part (tenant_id uuid NOT NULL, note text) PARTITION BY HASH (tenant_id);"
     " CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0)"),
    ("policy-differs", "public.core_product.tenant_isolation", "ALTER POLICY tenant_isolation ON core_product USING (true)"),
    ("policy-differs", "public.core_order.tenant_isolation", "ALTER POLICY tenant_isolation ON core_order WITH CHECK (true)"),
    ("policy-differs", "public.core_order.tenant_isolation", "ALTER POLICY tenant_isolation ON core_order TO PUBLIC"),
    ("policy-differs", "public.core_order.platform_access", "ALTER POLICY platform_access ON core_order USING (true)"),
    ("policy-differs", "public.core_order.owner_migration", "ALTER POLICY owner_migration ON core_order USING (true)"),
    ("policy-differs", "public.core_tenant.tenant_isolation",
     "DROP POLICY tenant_isolation ON core_tenant;"
     " CREATE POLICY tenant_isolation ON core_tenant FOR SELECT TO app_tenant USING (is_active)"),
    ("policy-extra", "public.core_product.second FOR ALL TO app_tenant USING (true)",
     "CREATE POLICY second ON core_product TO app_tenant USING (true)"),
    ("policy-extra", "public.core_order.second FOR ALL TO app_platform USING (true)",
     "CREATE POLICY second ON core_order TO app_platform USING (true)"),
    ("policy-extra", "public.core_tenant.resolver_lookup FOR SELECT TO app_tenant USING (true)",
     "ALTER POLICY resolver_lookup ON core_tenant TO app_tenant"),
    ("policy-extra", "public.core_order.odd RESTRICTIVE FOR ALL TO public USING ((number > 0))",
     "CREATE POLICY odd ON core_order AS RESTRICTIVE USING (number > 0)"),
    # Keys.
    ("tenant-nullable", "public.core_product", "ALTER TABLE core_product ALTER tenant_id DROP NOT NULL"),
    ("tenant-unreferenced", "public.fresh", "CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)"),
    ("foreign-key-without-tenant", "public.core_order.plain FOREIGN KEY (placed_by_id)",
     "ALTER TABLE core_order ADD CONSTRAINT plain FOREIGN KEY (placed_by_id) REFERENCES core_tenantuser (id)"),
    ("foreign-key-without-tenant", "public.core_orderitem.crossed FOREIGN KEY (product_id, tenant_id)",
     "ALTER TABLE core_orderitem ADD CONSTRAINT crossed FOREIGN KEY (product_id, tenant_id)"
     " REFERENCES core_product (tenant_id, id)"),
    ("unique-without-tenant", "CREATE UNIQUE INDEX wide ON public.core_product", "CREATE UNIQUE INDEX wide ON core_product (sku)"),
    ("unique-without-tenant", "CREATE UNIQUE INDEX wide ON public.core_product", "CREATE UNIQUE INDEX wide ON core_product (lower(sku)) WHERE stock > 0"),
    ("unique-without-tenant", "CREATE UNIQUE INDEX wide ON public.core_product", "ALTER TABLE core_product ADD CONSTRAINT wide UNIQUE (sku)"),
    ("unique-without-tenant", "CREATE UNIQUE INDEX numbered_pkey ON public.numbered",
     "CREATE TABLE numbered (id bigint PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES core_tenant (id))"),
    ("index-missing", "public.fresh", "CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)"),
    ("index-useless", "CREATE INDEX slow ON public.core_product", "CREATE INDEX slow ON core_product (tenant_id, upper(name))"),
    ("index-useless", "CREATE INDEX slow ON public.core_product", "ALTER TABLE core_product ADD amount numeric; CREATE INDEX slow ON core_product (amount)"),
    ("index-useless", "CREATE INDEX slow ON public.core_product", "CREATE INDEX slow ON core_product (name varchar_pattern_ops)"),
    ("index-useless", "CREATE INDEX slow ON public.core_product", "ALTER TABLE core_product ADD facts jsonb; CREATE INDEX slow ON core_product USING gin (facts)"),
    # Roles.
    ("owner-wrong", "public.core_product", "ALTER TABLE core_product OWNER TO postgres"),
    ("owner-wrong", "public.core_order", "ALTER TABLE core_order OWNER TO app_tenant"),
    ("owner-wrong", "app.platform_audit", "ALTER TABLE app.platform_audit OWNER TO app_platform"),
    ("owner-wrong", "public", "ALTER SCHEMA public OWNER TO postgres"),
    ("role-too-strong", "app_tenant", "ALTER ROLE app_tenant SUPERUSER"),
    ("role-too-strong", "app_tenant", "ALTER ROLE app_tenant BYPASSRLS"),
    ("role-too-strong", "app_platform", "ALTER ROLE app_platform CREATEROLE"),
    ("role-too-strong", "app_resolver", "ALTER ROLE app_resolver LOGIN"),
    ("role-membership", "app_tenant", "GRANT app_platform TO app_tenant"),
    ("role-membership", "app_tenant", "GRANT postgres TO app_tenant"),
    ("role-membership", "app_tenant", "GRANT app_owner TO app_tenant"),
    ("role-membership", "app_auditor", "GRANT pg_read_all_data TO app_auditor"),
    ("role-bypasses", "reporting", "CREATE ROLE reporting BYPASSRLS; GRANT pg_read_all_data TO reporting"),
    ("role-unlimited", "app_tenant", "ALTER ROLE app_tenant RESET statement_timeout"),
    ("role-unlimited", "app_tenant", "ALTER ROLE app_tenant SET lock_timeout = 0"),
    ("role-unlimited", "app_platform", "ALTER ROLE app_platform CONNECTION LIMIT -1"),
    # Rights.
    ("grant-too-wide", "TRUNCATE on public.core_product", "GRANT TRUNCATE ON core_product TO app_tenant"),
    ("grant-too-wide", "SELECT on public.core_product", "GRANT SELECT ON core_product TO PUBLIC"),
    ("grant-too-wide", "REFERENCES (id) on public.core_order", "GRANT REFERENCES (id) ON core_order TO app_platform"),
    ("grant-too-wide", "SELECT on public.mcp_tokens_apitoken", "GRANT SELECT ON mcp_tokens_apitoken TO app_tenant"),
    ("grant-too-wide", "UPDATE on public.core_tenant", "GRANT UPDATE ON core_tenant TO app_tenant"),
    ("grant-too-wide", "SELECT WITH GRANT OPTION on public.core_order",
     "GRANT SELECT ON core_order TO app_tenant WITH GRANT OPTION"),
    ("grant-too-wide", "SELECT on public.django_admin_log_id_seq", "GRANT SELECT ON django_admin_log_id_seq TO app_platform"),
    ("shared-undeclared", "SELECT on public.auth_user", "GRANT SELECT ON auth_user TO app_tenant"),
    ("shared-undeclared", "DELETE on app.platform_audit", "GRANT DELETE ON app.platform_audit TO app_platform"),
    ("shared-undeclared", "SELECT on public.rates", "CREATE TABLE rates (day date); GRANT SELECT ON rates TO app_tenant"),
    ("shared-undeclared", "INSERT on app.declared_exceptions", "GRANT INSERT ON app.declared_exceptions TO app_platform"),
    ("schema-open", "CREATE on SCHEMA public", "GRANT CREATE ON SCHEMA public TO app_tenant"),
    ("schema-open", "CREATE on SCHEMA app", "GRANT CREATE ON SCHEMA app TO app_resolver"),
    ("default-privileges", "TABLES of app_owner",
     "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT SELECT ON TABLES TO app_tenant"),
    ("default-privileges", "TABLES of app_owner",
     "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC"),
    ("default-privileges", "FUNCTIONS of app_owner",
     "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC"),
    # What only a superuser can shut.
    ("catalog-open", "UPDATE on pg_catalog.pg_settings", "GRANT UPDATE ON pg_settings TO PUBLIC"),
    ("catalog-open", "SELECT on pg_catalog.pg_stat_activity", "GRANT SELECT ON pg_stat_activity TO PUBLIC"),
    ("catalog-open", "SELECT on pg_catalog.pg_statistic", "GRANT SELECT ON pg_statistic TO app_tenant"),
    ("catalog-open", "EXECUTE on pg_catalog.pg_read_file(text)", "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC"),
    ("function-open", "set_config(text,text,boolean)",
     "GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO PUBLIC"),
    ("function-open", "ts_stat(text)", "GRANT EXECUTE ON FUNCTION ts_stat(text) TO app_tenant"),
    ("function-open", "pg_stat_get_live_tuples(oid)", "GRANT EXECUTE ON FUNCTION pg_stat_get_live_tuples(oid) TO PUBLIC"),
    ("language-open", "plpgsql", "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC"),
    ("guard-missing", "keep_row_security", "ALTER EVENT TRIGGER keep_row_security DISABLE"),
    ("guard-missing", "refuse_ddl", "DROP EVENT TRIGGER refuse_ddl"),
    ("guard-missing", "keep_row_security",
     "CREATE OR REPLACE FUNCTION app.keep_row_security() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"),
    # Functions.
    ("definer-callable",
     "app.leak() as postgres, md5 ",
     "CREATE FUNCTION app.leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER"
     " AS 'SELECT count(*) FROM public.core_product'; GRANT EXECUTE ON FUNCTION app.leak() TO app_tenant"),
    ("function-behind-policy", "app.tenant_or_null()",
     "CREATE OR REPLACE FUNCTION app.tenant_or_null() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid'"),
    ("function-behind-policy", "app.no_tenant()",
     "CREATE FUNCTION app.no_tenant(int) RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';"
     "CREATE OR REPLACE FUNCTION app.no_tenant() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT NULL::uuid'"),
    ("function-behind-policy", "app.open_platform(text,text,text)", "ALTER FUNCTION app.open_platform SECURITY DEFINER"),
    ("function-behind-policy", "app.require_platform()", "ALTER FUNCTION app.require_platform OWNER TO app_platform"),
    ("function-behind-policy", "app.is_declared(text,text)",
     "CREATE OR REPLACE FUNCTION app.is_declared(rule text, object text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true'"),
    ("function-behind-policy", "app.roles",
     "CREATE OR REPLACE VIEW app.roles AS SELECT 1 AS place, 'app_owner' AS role_name, true AS is_owner, false AS is_client"),
    ("function-behind-policy", "app.table_grants",
     "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW app.table_grants AS SELECT * FROM ('"
     " || rtrim(pg_get_viewdef('app.table_grants'), ';') || ') AS v WHERE false'; END $$"),
    ("function-volatility", "app.no_tenant()", "ALTER FUNCTION app.no_tenant() IMMUTABLE"),
    ("function-volatility", "app.tenant_or_null()", "ALTER FUNCTION app.tenant_or_null() VOLATILE"),
    ("leakproof-marked", "public.peek(text), md5 ",
     "CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true'"),
    ("leakproof-marked", "texticlike(text,text), md5 ", "ALTER FUNCTION texticlike(text, text) LEAKPROOF"),
    ("leakproof-marked", "numeric_eq(numeric,numeric), md5 ", "ALTER FUNCTION numeric_eq(numeric, numeric) LEAKPROOF"),
    # Values that stay.
    ("variable-default", "role app_tenant", "ALTER ROLE app_tenant SET app.current_tenant = 'x'"),
    ("variable-default", "role app_tenant", "ALTER ROLE app_tenant SET row_security = off"),
    ("variable-default", "role app_owner", "ALTER ROLE app_owner SET app.migrating = 'on'"),
    ("variable-default", "database {database}", "ALTER DATABASE {database} SET app.current_tenant = 'x'"),
    ("variable-default", "role app_platform",
     "ALTER ROLE app_platform IN DATABASE {database} SET app.platform_audit_id = '1'"),
    ("variable-default", "public.touch()",
     "CREATE FUNCTION touch() RETURNS void LANGUAGE sql SET app.current_tenant = 'x' AS ''"),
    # Ways around.
    ("view-as-owner", "public.leak, md5 ", "CREATE VIEW leak AS SELECT * FROM core_product"),
    ("view-as-owner", "public.leak, md5 ",
     "CREATE VIEW inner_leak WITH (security_invoker = true) AS SELECT * FROM core_product;"
     " CREATE VIEW leak AS SELECT * FROM inner_leak"),
    ("view-as-owner", "public.leak, md5 ", "CREATE MATERIALIZED VIEW leak AS SELECT 1 AS one FROM core_product"),
    ("rule-rewrites", "public.core_product.copy, md5 ",
     "CREATE TABLE copied (sku text); CREATE RULE copy AS ON INSERT TO core_product DO ALSO INSERT INTO copied VALUES (NEW.sku)"),
    ("trigger-undeclared", "public.core_product.copy calls public.copy, md5 ",
     "CREATE TABLE copied (sku text); CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS"
     " 'BEGIN INSERT INTO public.copied VALUES (NEW.sku); RETURN NEW; END';"
     " CREATE TRIGGER copy AFTER INSERT ON core_product FOR EACH ROW EXECUTE FUNCTION copy()"),
    ("parent-without-tenant", "public.core_product",
     "CREATE TABLE anything (sku varchar(64) NOT NULL); ALTER TABLE core_product INHERIT anything"),
    ("extension-widens", "server elsewhere",
     "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere"),
    # What stands for PostgreSQL's own.
    ("policy-differs", "public.core_product.platform_access",
     "CREATE FUNCTION no(oid[], oid[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';"
     " CREATE OPERATOR <> (LEFTARG = oid[], RIGHTARG = oid[], FUNCTION = no);"
     " ALTER POLICY platform_access ON core_product TO app_platform, app_tenant; REVOKE ALL ON FUNCTION no FROM PUBLIC"),
    ("definer-callable", "public.leak() as postgres, md5 ",
     "CREATE FUNCTION has_function_privilege(text, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';"
     " CREATE FUNCTION leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.core_product'"),
    ("definer-callable", "public.leak() as postgres, md5 ",
     "CREATE FUNCTION leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT count(*) FROM core_product; END"),
    ("definer-callable", "public.step(bigint,integer) as postgres, md5 ",
     "CREATE FUNCTION step(bigint, integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER"
     " AS 'SELECT count(*) FROM public.core_product'; REVOKE ALL ON FUNCTION step FROM PUBLIC;"
     " CREATE AGGREGATE counted(integer) (SFUNC = step, STYPE = bigint); REVOKE ALL ON FUNCTION counted FROM PUBLIC"),
    ("policy-stands-on", "public.core_product.tenant_isolation",
     "CREATE FUNCTION as_uuid(text) RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';"
     " REVOKE ALL ON FUNCTION as_uuid FROM PUBLIC; CREATE CAST (text AS uuid) WITH FUNCTION as_uuid(text);"
     " DROP POLICY tenant_isolation ON core_product; CREATE POLICY tenant_isolation ON core_product TO app_tenant"
     " USING (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))"
     " WITH CHECK (tenant_id = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant())))"),
    ("function-callable", "public.run(text) for app_tenant, app_platform, app_auditor, md5 ",
     "CREATE FUNCTION run(statement text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE statement; END'"),
    ("function-callable", "app.require_platform() for app_tenant, md5 ",
     "GRANT EXECUTE ON FUNCTION app.require_platform() TO app_tenant"),
    ("function-callable", "app.uuid7()", "REVOKE EXECUTE ON FUNCTION app.uuid7() FROM app_tenant"),
    ("function-behind-policy", "app.uuid7()",
     "CREATE OR REPLACE FUNCTION app.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT gen_random_uuid()'"),
    # Keys that are there and not kept.
    ("key-unchecked", "public.core_orderitem.core_orderitem_product_id_tenant_fkey", "ALTER TABLE core_orderitem DISABLE TRIGGER ALL"),
    ("key-unchecked", "public.core_orderitem.late",
     "ALTER TABLE core_orderitem DROP CONSTRAINT core_orderitem_product_id_tenant_fkey;"
     " ALTER TABLE core_orderitem ADD CONSTRAINT late FOREIGN KEY (tenant_id, product_id)"
     " REFERENCES core_product (tenant_id, id) NOT VALID"),
    ("key-unchecked", "public.core_product_tenant_key",
     "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'core_product_tenant_key'::regclass"),
    ("key-missing", "public.core_orderitem.product_id",
     "ALTER TABLE core_orderitem DROP CONSTRAINT core_orderitem_product_id_tenant_fkey"),
    ("unique-without-tenant", "CREATE UNIQUE INDEX wide ON public.core_product",
     "CREATE UNIQUE INDEX wide ON core_product (name) INCLUDE (tenant_id)"),
    ("unique-without-tenant", "CREATE INDEX apart ON public.core_product",
     "ALTER TABLE core_product ADD CONSTRAINT apart EXCLUDE USING hash (sku WITH =)"),
    ("tenant-hidden", "public.notes.notes_whose_fkey",
     "CREATE TABLE notes (whose uuid NOT NULL REFERENCES core_tenant (id), note text)"),
    # Who else can act as us, and what else is ours to own.
    ("role-membership", "eve", "CREATE ROLE eve; GRANT app_platform TO eve"),
    ("role-membership", "app_owner", "GRANT app_resolver TO app_owner WITH ADMIN OPTION"),
    ("role-membership", "app_owner", "ALTER ROLE app_owner INHERIT; REVOKE app_resolver FROM app_owner; GRANT app_resolver TO app_owner"),
    ("owner-wrong", "table public.auth_user", "ALTER TABLE auth_user OWNER TO app_tenant"),
    ("owner-wrong", "database {database}", "CREATE ROLE eve; ALTER DATABASE {database} OWNER TO eve"),
    ("schema-open", "CREATE on SCHEMA public", "CREATE ROLE eve; GRANT CREATE ON SCHEMA public TO eve"),
    ("schema-open", "TEMPORARY on DATABASE {database}", "GRANT TEMP ON DATABASE {database} TO PUBLIC"),
    ("parameter-granted", "SET on PARAMETER session_replication_role",
     "GRANT SET ON PARAMETER session_replication_role TO app_tenant"),
    ("grant-too-wide", "SELECT on large object 4242",
     "SELECT lo_create(4242); GRANT SELECT ON LARGE OBJECT 4242 TO PUBLIC"),
    ("catalog-open", "SELECT (stavalues1) on pg_catalog.pg_statistic", "GRANT SELECT (stavalues1) ON pg_statistic TO app_tenant"),
    ("view-as-owner", "public.peek, md5 ",
     "CREATE VIEW peek AS SELECT digest FROM mcp_tokens_platformtoken; GRANT SELECT ON peek TO app_tenant"),
    # The audit of platform work.
    ("trigger-undeclared", "app.platform_audit.drop calls public.drop, md5 ",
     "CREATE FUNCTION drop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
     " CREATE TRIGGER drop BEFORE INSERT ON app.platform_audit FOR EACH ROW EXECUTE FUNCTION drop()"),
    ("rule-rewrites", "app.platform_audit.drop, md5 ",
     "CREATE RULE drop AS ON INSERT TO app.platform_audit DO INSTEAD NOTHING"),
    ("audit-log-altered", "app.platform_audit.actor",
     "ALTER TABLE app.platform_audit DROP CONSTRAINT platform_audit_actor_check"),
    ("audit-log-altered", "app.platform_audit.role_name",
     "ALTER TABLE app.platform_audit ALTER role_name SET DEFAULT 'nobody'"),
    ("audit-log-altered", "app.platform_audit", "ALTER TABLE app.platform_audit ENABLE ROW LEVEL SECURITY"),
    ("setting-weak", "role app_auditor", "ALTER ROLE app_auditor RESET default_transaction_read_only"),
    ("variable-default", "every role", "ALTER ROLE ALL SET app.current_tenant = 'x'"),
    ("leakproof-marked", "sqrt", "ALTER FUNCTION dsqrt(double precision) LEAKPROOF; ALTER FUNCTION sqrt(double precision) LEAKPROOF"),
    ("guard-missing", "refuse_ddl", "ALTER FUNCTION app.refuse_ddl() SET session_replication_role = 'replica'"),
    ("rule-rewrites", "public.peek.steal, md5 ",
     "CREATE VIEW peek WITH (security_invoker = true) AS SELECT 1 AS one;"
     " CREATE RULE steal AS ON INSERT TO peek DO INSTEAD DELETE FROM core_product"),
    ("definer-callable", "app.peek() as postgres, md5 ",
     "CREATE FUNCTION app.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.core_tenant';"
     " REVOKE ALL ON FUNCTION app.peek() FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.peek() TO app_auditor"),
    ("schema-open", "CREATE on SCHEMA pg_catalog", "GRANT CREATE ON SCHEMA pg_catalog TO app_owner"),
    ("unique-without-tenant", "CREATE UNIQUE INDEX part_wide ON ONLY public.part",
     "CREATE TABLE part (tenant_id uuid NOT NULL, sku text, CONSTRAINT part_wide UNIQUE (sku)) PARTITION BY LIST (sku);"
     " CREATE TABLE part_1 PARTITION OF part FOR VALUES IN ('a')"),
    ("role-unlimited", "app_tenant", "ALTER ROLE app_tenant IN DATABASE {database} SET statement_timeout = 0"),
    ("audit-log-altered", "app.platform_audit.id", "ALTER TABLE app.platform_audit DROP CONSTRAINT platform_audit_pkey CASCADE"),
    ("audit-log-altered", "app.platform_audit.xid", "ALTER TABLE app.platform_audit ALTER xid DROP NOT NULL"),
    ("audit-log-altered", "app.platform_audit",
     "ALTER TABLE app.platform_outcome SET UNLOGGED; ALTER TABLE app.platform_audit SET UNLOGGED"),
    ("audit-log-altered", "app.platform_outcome", "ALTER TABLE app.platform_outcome SET UNLOGGED"),
    ("audit-log-altered", "app.platform_outcome", "ALTER TABLE app.platform_outcome ENABLE ROW LEVEL SECURITY"),
    ("audit-log-altered", "app.platform_outcome.id", "ALTER TABLE app.platform_outcome DROP CONSTRAINT platform_outcome_pkey"),
    ("audit-log-altered", "app.platform_outcome.id",
     "ALTER TABLE app.platform_outcome DROP CONSTRAINT platform_outcome_id_fkey"),
    ("audit-log-altered", "app.platform_outcome.outcome",
     "ALTER TABLE app.platform_outcome DROP CONSTRAINT platform_outcome_outcome_check"),
    ("audit-log-altered", "app.platform_outcome.ended_at", "ALTER TABLE app.platform_outcome ALTER ended_at DROP DEFAULT"),
    ("shared-undeclared", "UPDATE on app.platform_outcome", "GRANT UPDATE ON app.platform_outcome TO app_platform"),
    ("function-open", "setseed(double precision)", "GRANT EXECUTE ON FUNCTION setseed(double precision) TO PUBLIC"),
    ("catalog-open", "EXECUTE on pg_catalog.set_config(text,text,boolean)",
     "GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO app_platform"),
    ("function-behind-policy", "app.no_tenant()", "ALTER FUNCTION app.no_tenant() PARALLEL UNSAFE"),
    ("published", "every publishes public.core_product", "CREATE PUBLICATION every FOR TABLES IN SCHEMA public"),
    ("published", "everything publishes public.core_product", "CREATE PUBLICATION everything FOR TABLE core_product"),
]  # fmt: skip


@pytest.fixture
def scratch(postgres_server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A superuser in a transaction that is rolled back: drift that nobody else sees."""
    with psycopg.connect(postgres_server.admin_url, dbname=database) as connection:
        # Roles are the cluster's: another worker may not change one meanwhile.
        connection.execute("LOCK TABLE pg_authid IN EXCLUSIVE MODE")
        yield connection
        connection.rollback()


def findings(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    return connection.execute("SELECT rule, object, mend FROM app.isolation_findings").fetchall()


def mend(connection: psycopg.Connection, printed: str) -> None:
    """Run what the audit prints as psql would: `\\i` runs a file."""
    for line in printed.splitlines():
        statement = Path(line.removeprefix("\\i ")).read_text() if line.startswith("\\i ") else line
        connection.execute("SET ROLE app_owner" if "rls/sql/0002" in line or "audit/" in line else "RESET ROLE")
        connection.execute(statement)
        connection.execute("RESET ROLE")


@pytest.mark.django_db
def test_a_database_that_only_the_files_touched_is_green() -> None:
    out = io.StringIO()

    call_command("rls", "audit", stdout=out)

    assert out.getvalue().strip() == "audit: green"
    assert audit.run("auditor") == []


@pytest.mark.parametrize(("rule", "target", "drift"), STORIES)
def test_a_story(rule: str, target: str, drift: str, scratch: psycopg.Connection, database: str) -> None:
    assert findings(scratch) == []

    scratch.execute(drift.replace("{database}", database))
    found = findings(scratch)

    begins = target.format(database=database)
    assert any(each == rule and name.startswith(begins) for each, name, _ in found), found

    for _ in range(20):  # a mend may uncover the next: a new table needs a policy, then an index
        if not (left := findings(scratch)):
            break
        mend(scratch, left[0][2])

    assert left == []


def test_every_rule_has_a_story() -> None:
    assert {rule for rule, _, _ in STORIES} == {rule.slug for rule in audit.rules()}


def test_rules_are_numbered_and_named_by_their_files() -> None:
    for place, rule in enumerate(audit.rules(), start=1):
        assert rule.number == f"{place:04}"
        assert Path(rule.uri).exists(), rule.slug
        assert f"SELECT '{rule.slug}' AS rule,\n       '{rule.level}' AS level," in rule.query.replace("DISTINCT ", "")
        assert rule.problem.endswith("."), rule.slug
        assert rule.fix.endswith("."), rule.slug


def test_psql_runs_every_rule_and_errors_first() -> None:
    run = re.findall(r"\\ir audit/(\d{4})_", (SQL_DIRECTORY / "audit.sql").read_text())

    assert run == [rule.number for level in Level for rule in audit.rules() if rule.level is level]


def test_what_is_installed_is_what_the_files_say(scratch: psycopg.Connection) -> None:
    source = "SELECT md5(prosrc) FROM pg_proc WHERE oid = 'app.find_weaknesses()'::regprocedure"
    installed = scratch.execute(source).fetchone()

    scratch.execute("SET ROLE app_owner")
    scratch.execute(audit.install_sql())

    assert scratch.execute(source).fetchone() == installed


def test_a_server_that_checks_no_key_is_found(scratch: psycopg.Connection) -> None:
    scratch.execute("SET LOCAL session_replication_role = replica")
    found = findings(scratch)
    scratch.execute("SET LOCAL session_replication_role = DEFAULT")

    assert found == [("setting-weak", "session_replication_role", "ALTER SYSTEM RESET session_replication_role;")]
    assert findings(scratch) == []


def test_a_name_cannot_add_to_what_is_printed(scratch: psycopg.Connection) -> None:
    name = '"x\nDROP TABLE core_order CASCADE; --"'
    scratch.execute(f"CREATE TABLE {name} (tenant_id uuid, note text); GRANT ALL ON {name} TO PUBLIC")
    scratch.execute("DROP TABLE core_tenant CASCADE")  # now nothing tells which table is the root

    for _, _, printed in findings(scratch):
        if "core_order" in printed or "tenant_id" in printed:
            scratch.execute(printed)

    assert scratch.execute("SELECT to_regclass('core_order') IS NOT NULL").fetchone() == (True,)


def test_a_declared_exception_holds_its_content(scratch: psycopg.Connection) -> None:
    """What is declared is no finding, until it is another thing under the same name."""
    scratch.execute("CREATE POLICY odd ON core_order AS RESTRICTIVE USING (number > 0)")
    [(rule, target, _)] = findings(scratch)

    scratch.execute("INSERT INTO app.declared_exceptions VALUES (%s, %s, 'A story.')", [rule, target])
    declared = findings(scratch)
    scratch.execute("ALTER POLICY odd ON core_order USING (true)")
    altered = findings(scratch)

    assert declared == []
    assert [each for each, _, _ in altered] == ["policy-extra"]


def test_what_forces_isolation_can_not_be_declared_away(scratch: psycopg.Connection) -> None:
    scratch.execute("ALTER POLICY tenant_isolation ON core_product USING (true)")
    [(rule, target, _)] = findings(scratch)

    scratch.execute("INSERT INTO app.declared_exceptions VALUES (%s, %s, 'No.')", [rule, target])

    assert [(each, name) for each, name, _ in findings(scratch)] == [(rule, target)]


def test_the_files_are_run_and_not_a_view_that_somebody_replaced(admin: psycopg.Connection) -> None:
    nothing = "SELECT ''::text AS rule, ''::text AS level, ''::text AS object, ''::text AS finding, ''::text AS mend"
    admin.execute(f"CREATE OR REPLACE VIEW app.isolation_findings AS {nothing} WHERE false")
    admin.execute("DROP POLICY tenant_isolation ON core_orderitem")
    try:
        found = audit.run("auditor")
        red = psql_audit()
    finally:
        for each in audit.run("auditor"):
            admin.execute(each.mend)
        admin.execute("SET ROLE app_owner")
        admin.execute(audit.install_sql())
        admin.execute("RESET ROLE")

    assert [(each.rule, each.object) for each in found] == [("policy-missing", "public.core_orderitem")]
    assert red.returncode == 3


def test_an_auditor_with_a_search_path_of_its_own_sees_the_same(admin: psycopg.Connection, database: str) -> None:
    admin.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC")
    admin.execute("CREATE VIEW evil.pg_policy AS SELECT * FROM pg_catalog.pg_policy WHERE false")
    # In this database only: roles are the cluster's.
    auditor = f"ALTER ROLE app_auditor IN DATABASE {database}"
    admin.execute(f"GRANT SELECT ON evil.pg_policy TO PUBLIC; {auditor} SET search_path = evil, pg_catalog")
    try:
        connections["auditor"].close()
        found = audit.run("auditor")
        red = psql_audit()
    finally:
        admin.execute(f"{auditor} RESET search_path; DROP SCHEMA evil CASCADE")
        connections["auditor"].close()

    assert {finding.rule for finding in found} == {"variable-default", "shared-undeclared", "view-as-owner"}
    assert "policy-missing" not in red.stdout


def test_an_audit_that_cannot_run_is_red_and_says_what_to_run(admin: psycopg.Connection) -> None:
    admin.execute("DROP VIEW app.tenanted_tables CASCADE")
    try:
        with pytest.raises(CommandError, match=r"(?s)audit: not run.*run rls/sql/audit/catalog.sql as app_owner"):
            call_command("rls", "audit")
        red = psql_audit()
    finally:
        admin.execute("SET ROLE app_owner")
        admin.execute(audit.install_sql())
        admin.execute("RESET ROLE")

    assert red.returncode == 3


@pytest.mark.parametrize("what", ["the server is down", "no such database", "a wrong password"])
def test_a_database_that_cannot_be_looked_at_has_a_status_of_its_own(what: str, database: str) -> None:
    url = urlsplit(os.environ["AUDITOR_DATABASE_URL"])
    wrong = {
        "the server is down": url._replace(netloc=f"app_auditor:secret@127.0.0.1:{free_port()}"),
        "no such database": url._replace(path="/nowhere"),
        "a wrong password": url._replace(netloc=f"app_auditor:secret@{url.hostname}:{url.port}"),
    }[what].geturl()
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings", "AUDITOR_DATABASE_URL": wrong}

    for command in ("audit", "matrix"):
        by_command = programs.run(["manage.py", "rls", command], environment=environment)
        assert by_command.returncode == 2
        assert by_command.stderr.startswith(f"CommandError: {command}: not run, the database does not answer: ")
        assert by_command.stderr.splitlines()[-1].startswith("check AUDITOR_DATABASE_URL")
        assert "Traceback" not in by_command.stderr
        assert "secret" not in by_command.stderr
    by_psql = subprocess.run([psql(), wrong, "-w", "-f", AUDIT_FILE], capture_output=True, text=True, check=False)

    assert by_psql.returncode == 2


@pytest.fixture
def drifted(admin: psycopg.Connection) -> Iterator[None]:
    """An error and a warning, committed."""
    admin.execute("CREATE POLICY second ON core_product TO app_tenant USING (true)")
    admin.execute("CREATE INDEX slow ON core_product (tenant_id, upper(name))")
    yield
    admin.execute("DROP POLICY second ON core_product; DROP INDEX slow")


def report(*arguments: str) -> str:
    """What the command prints where it is red."""
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"audit: red, 1 error\(s\), 1 warning\(s\)"):
        call_command("rls", "audit", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_is_red_and_names_the_object(drifted: None) -> None:
    printed = report()

    assert "error  policy-extra  public.core_product.second FOR ALL TO app_tenant USING (true)" in printed
    assert "DROP POLICY second ON public.core_product;" in printed
    assert "warning  index-useless  CREATE INDEX slow ON public.core_product" in printed


def test_json_markdown_and_sarif_say_the_same(drifted: None) -> None:
    facts = json.loads(report("--format", "json"))
    sarif = json.loads(report("--format", "sarif"))
    markdown = report("--format", "markdown")

    [run] = sarif["runs"]
    assert (facts["errors"], facts["warnings"]) == (1, 1)
    for finding, result in zip(facts["findings"], run["results"], strict=True):
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert (result["ruleId"], result["level"]) == (finding["rule"], finding["level"])
        assert (rule["id"], rule["defaultConfiguration"]["level"]) == (finding["rule"], finding["level"])
        assert finding["object"] in result["message"]["text"]
        assert result["properties"]["mend"] == finding["mend"]
        assert Path(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]).exists()
        assert f"## {finding['level']}: {finding['rule']}\n\n`{finding['object']}`" in markdown
        assert f"```sql\n{finding['mend']}\n```" in markdown
    assert sarif["version"] == "2.1.0"


def test_prometheus_is_told_how_many_there_are_of_each_rule(drifted: None) -> None:
    began = int(time.time())
    [findings, at] = text_string_to_metric_families(report("--format", "prometheus") + "\n")

    told = {(each.labels["level"], each.labels["rule"]): each.value for each in findings.samples}
    assert {rule for rule, count in told.items() if count} == {("error", "policy-extra"), ("warning", "index-useless")}
    assert set(told) == {(rule.level.value, rule.slug) for rule in audit.rules()}
    assert set(told.values()) == {0, 1}
    assert began <= at.samples[0].value <= time.time() + 1


def test_warnings_pass_where_only_errors_fail(admin: psycopg.Connection) -> None:
    out = io.StringIO()
    admin.execute("CREATE INDEX slow ON core_product (tenant_id, upper(name))")
    try:
        call_command("rls", "audit", "--fail-on", "error", stdout=out)
        with pytest.raises(CommandError):
            call_command("rls", "audit", stdout=io.StringIO())
        lenient, strict = psql_audit("-v", "fail_on=error"), psql_audit()
    finally:
        admin.execute("DROP INDEX slow")

    assert "index-useless" in out.getvalue()
    assert (lenient.returncode, strict.returncode) == (0, 3)
    assert "index-useless" in lenient.stdout


def psql() -> str:
    """The psql of whatever PostgreSQL is here."""
    found = shutil.which("psql")
    return found or str(find_binaries().directory / "psql")


def psql_audit(*arguments: str, file: Path = AUDIT_FILE) -> subprocess.CompletedProcess[str]:
    """The audit as an auditor without Python runs it."""
    command = [psql(), "--no-psqlrc", *arguments, os.environ["AUDITOR_DATABASE_URL"], "-f", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_psql_says_the_same_with_its_exit_status(admin: psycopg.Connection) -> None:
    green = psql_audit()
    admin.execute("DROP POLICY tenant_isolation ON core_orderitem; CREATE INDEX slow ON core_product (upper(name))")
    try:
        found = audit.run("auditor")
        red = psql_audit()
    finally:
        for each in audit.run("auditor"):
            admin.execute(each.mend)
    again = psql_audit()

    assert (green.returncode, red.returncode, again.returncode) == (0, 3, 0)
    assert "audit: green" in green.stdout
    assert "policy-missing" not in green.stdout
    assert len(found) == 2
    for each in found:
        assert "\n    ".join([each.rule, each.level, each.object, each.finding, each.mend]) in red.stdout


def test_a_rule_that_cannot_run_is_not_green(postgres_server: Server) -> None:
    command = [
        psql(),
        "--no-psqlrc",
        postgres_server.admin_url,
        "-f",
        str(SQL_DIRECTORY / "audit/0001_row_security_off.sql"),
    ]

    elsewhere = subprocess.run(command, capture_output=True, text=True, check=False)

    assert elsewhere.returncode == 3
    assert 'relation "app.tenanted_tables" does not exist' in elsewhere.stderr


def test_psql_runs_one_rule_with_its_exit_status(admin: psycopg.Connection) -> None:
    green = psql_audit(file=SQL_DIRECTORY / "audit/0002_policy_missing.sql")
    admin.execute("DROP POLICY tenant_isolation ON core_orderitem")
    try:
        red = psql_audit(file=SQL_DIRECTORY / "audit/0002_policy_missing.sql")
        other = psql_audit(file=SQL_DIRECTORY / "audit/0003_policy_differs.sql")
    finally:
        for each in audit.run("auditor"):
            admin.execute(each.mend)

    assert (green.returncode, red.returncode, other.returncode) == (0, 3, 0)
    assert "public.core_orderitem" in red.stdout
