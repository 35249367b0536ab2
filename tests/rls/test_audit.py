"""The audit: green on what the files make, red on every drift, and the SQL that it prints mends."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command

from core.binaries import find_binaries
from rls import audit
from rls.audit import Level
from tests.postgres import Server

FILES = Path("migrations_sql")
UNGUARDED = "ALTER EVENT TRIGGER keep_row_security DISABLE; "

# (rule, object, drift): what psql does, and how it is called when it is found.
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
    ("policy-extra", "public.core_tenant.tenant_lookup FOR SELECT TO app_tenant USING (true)",
     "ALTER POLICY tenant_lookup ON core_tenant TO app_tenant"),
    ("policy-extra", "public.core_order.odd RESTRICTIVE FOR ALL TO public USING ((number > 0))",
     "CREATE POLICY odd ON core_order AS RESTRICTIVE USING (number > 0)"),
    # Keys.
    ("tenant-nullable", "public.core_product", "ALTER TABLE core_product ALTER tenant_id DROP NOT NULL"),
    ("tenant-unreferenced", "public.fresh", "CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)"),
    ("foreign-key-without-tenant", "public.core_order.plain",
     "ALTER TABLE core_order ADD CONSTRAINT plain FOREIGN KEY (placed_by_id) REFERENCES core_tenantuser (id)"),
    ("foreign-key-without-tenant", "public.core_orderitem.crossed",
     "ALTER TABLE core_orderitem ADD CONSTRAINT crossed FOREIGN KEY (product_id, tenant_id)"
     " REFERENCES core_product (tenant_id, id)"),
    ("unique-without-tenant", "wide", "CREATE UNIQUE INDEX wide ON core_product (sku)"),
    ("unique-without-tenant", "wide", "CREATE UNIQUE INDEX wide ON core_product (lower(sku)) WHERE stock > 0"),
    ("unique-without-tenant", "wide", "ALTER TABLE core_product ADD CONSTRAINT wide UNIQUE (sku)"),
    ("unique-without-tenant", "numbered_pkey",
     "CREATE TABLE numbered (id bigint PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES core_tenant (id))"),
    ("index-missing", "public.fresh", "CREATE TABLE fresh (tenant_id uuid NOT NULL, note text)"),
    ("index-useless", "slow", "CREATE INDEX slow ON core_product (tenant_id, upper(name))"),
    ("index-useless", "slow", "ALTER TABLE core_product ADD amount numeric; CREATE INDEX slow ON core_product (amount)"),
    ("index-useless", "slow", "CREATE INDEX slow ON core_product (name varchar_pattern_ops)"),
    ("index-useless", "slow", "ALTER TABLE core_product ADD facts jsonb; CREATE INDEX slow ON core_product USING gin (facts)"),
    # Roles.
    ("owner-wrong", "public.core_product", "ALTER TABLE core_product OWNER TO postgres"),
    ("owner-wrong", "app.platform_audit", "ALTER TABLE app.platform_audit OWNER TO app_platform"),
    ("owner-wrong", "public", "ALTER SCHEMA public OWNER TO postgres"),
    ("role-too-strong", "app_tenant", "ALTER ROLE app_tenant SUPERUSER"),
    ("role-too-strong", "app_tenant", "ALTER ROLE app_tenant BYPASSRLS"),
    ("role-too-strong", "app_platform", "ALTER ROLE app_platform CREATEROLE"),
    ("role-too-strong", "app_resolver", "ALTER ROLE app_resolver LOGIN"),
    ("role-membership", "app_tenant", "GRANT app_platform TO app_tenant"),
    ("role-membership", "app_tenant", "GRANT postgres TO app_tenant"),
    ("role-membership", "app_auditor", "GRANT pg_read_all_data TO app_auditor"),
    ("role-bypasses", "reporting", "CREATE ROLE reporting BYPASSRLS; GRANT pg_read_all_data TO reporting"),
    ("role-unlimited", "app_tenant", "ALTER ROLE app_tenant RESET statement_timeout"),
    ("role-unlimited", "app_tenant", "ALTER ROLE app_tenant SET lock_timeout = 0"),
    ("role-unlimited", "app_platform", "ALTER ROLE app_platform CONNECTION LIMIT -1"),
    # Rights.
    ("grant-too-wide", "TRUNCATE on public.core_product", "GRANT TRUNCATE ON core_product TO app_tenant"),
    ("grant-too-wide", "SELECT on public.core_product", "GRANT SELECT ON core_product TO PUBLIC"),
    ("grant-too-wide", "REFERENCES (id) on public.core_order", "GRANT REFERENCES (id) ON core_order TO app_platform"),
    ("grant-too-wide", "SELECT on public.core_apitoken", "GRANT SELECT ON core_apitoken TO app_tenant"),
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
     "app.leak() as postgres, md5 {digest}",
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
    ("function-behind-policy", "app.table_grants",
     "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW app.table_grants AS SELECT * FROM ('"
     " || rtrim(pg_get_viewdef('app.table_grants'), ';') || ') AS v WHERE false'; END $$"),
    ("function-volatility", "app.no_tenant()", "ALTER FUNCTION app.no_tenant() IMMUTABLE"),
    ("function-volatility", "app.tenant_or_null()", "ALTER FUNCTION app.tenant_or_null() VOLATILE"),
    ("leakproof-marked", "peek(text)",
     "CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true'"),
    ("leakproof-marked", "texticlike(text,text)", "ALTER FUNCTION texticlike(text, text) LEAKPROOF"),
    ("leakproof-marked", "numeric_eq(numeric,numeric)", "ALTER FUNCTION numeric_eq(numeric, numeric) LEAKPROOF"),
    # Values that stay.
    ("variable-default", "role app_tenant", "ALTER ROLE app_tenant SET app.current_tenant = 'x'"),
    ("variable-default", "role app_tenant", "ALTER ROLE app_tenant SET row_security = off"),
    ("variable-default", "role app_owner", "ALTER ROLE app_owner SET app.migrating = 'on'"),
    ("variable-default", "database {database}", "ALTER DATABASE {database} SET app.current_tenant = 'x'"),
    ("variable-default", "role app_platform",
     "ALTER ROLE app_platform IN DATABASE {database} SET app.platform_audit_id = '1'"),
    ("variable-default", "touch()",
     "CREATE FUNCTION touch() RETURNS void LANGUAGE sql SET app.current_tenant = 'x' AS ''"),
    # Ways around.
    ("view-as-owner", "leak", "CREATE VIEW leak AS SELECT * FROM core_product"),
    ("view-as-owner", "leak",
     "CREATE VIEW inner_leak WITH (security_invoker = true) AS SELECT * FROM core_product;"
     " CREATE VIEW leak AS SELECT * FROM inner_leak"),
    ("view-as-owner", "leak", "CREATE MATERIALIZED VIEW leak AS SELECT 1 AS one FROM core_product"),
    ("rule-rewrites", "public.core_product.copy",
     "CREATE TABLE copied (sku text); CREATE RULE copy AS ON INSERT TO core_product DO ALSO INSERT INTO copied VALUES (NEW.sku)"),
    ("trigger-undeclared", "public.core_product.copy calls copy, md5 {digest}",
     "CREATE TABLE copied (sku text); CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS"
     " 'BEGIN INSERT INTO public.copied VALUES (NEW.sku); RETURN NEW; END';"
     " CREATE TRIGGER copy AFTER INSERT ON core_product FOR EACH ROW EXECUTE FUNCTION copy()"),
    ("parent-without-tenant", "public.core_product",
     "CREATE TABLE anything (sku varchar(64) NOT NULL); ALTER TABLE core_product INHERIT anything"),
    ("extension-widens", "server elsewhere",
     "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere"),
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
        connection.execute("SET ROLE app_owner" if "migrations_sql/0002" in line or "audit/" in line else "RESET ROLE")
        connection.execute(statement)
        connection.execute("RESET ROLE")


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

    digest = scratch.execute("SELECT md5(prosrc) FROM pg_proc WHERE proname IN ('copy', 'leak')").fetchone()
    target = target.format(database=database, digest=digest and digest[0])
    assert (rule, target) in [(each, name) for each, name, _ in found]

    for _ in range(20):  # a mend may uncover the next: a new table needs a policy, then an index
        if left := findings(scratch):
            mend(scratch, left[0][2])

    assert findings(scratch) == []


def test_every_rule_has_a_story() -> None:
    assert {rule for rule, _, _ in STORIES} == {rule.slug for rule in audit.rules()}


def test_rules_are_numbered_and_named_by_their_files() -> None:
    for place, rule in enumerate(audit.rules(), start=1):
        assert (FILES / "audit" / f"{place:04}_{rule.slug.replace('-', '_')}.sql").exists(), rule.slug
        assert f"SELECT '{rule.slug}' AS rule,\n       '{rule.level}' AS level," in rule.query.replace("DISTINCT ", "")
        assert rule.meaning.endswith("."), rule.slug
        assert rule.remedy.endswith("."), rule.slug


def test_psql_runs_every_rule_and_errors_first() -> None:
    run = re.findall(r"\\ir audit/(\d{4})_", (FILES / "audit.sql").read_text())

    assert run == [rule.number for level in Level for rule in audit.rules() if rule.level is level]


def test_what_is_installed_is_what_the_files_say(scratch: psycopg.Connection) -> None:
    definition = "SELECT pg_get_viewdef('app.isolation_findings')"
    installed = scratch.execute(definition).fetchone()

    scratch.execute("SET ROLE app_owner")
    scratch.execute(audit.view_sql())

    assert scratch.execute(definition).fetchone() == installed


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
    row = admin.execute("SELECT rtrim(pg_get_viewdef('app.isolation_findings'), ';')").fetchone()
    admin.execute(f"CREATE OR REPLACE VIEW app.isolation_findings AS SELECT * FROM ({row[0]}) AS v WHERE false")
    admin.execute("DROP POLICY tenant_isolation ON core_orderitem")
    try:
        [finding] = audit.run("auditor")
        red = psql_audit()
    finally:
        admin.execute(finding.mend)
        admin.execute(audit.view_sql())

    assert (finding.rule, finding.object) == ("policy-missing", "public.core_orderitem")
    assert red.returncode == 3


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
    assert "warning  index-useless  slow" in printed


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
        assert f"## {finding['level']}: {finding['rule']}\n\n`{finding['object']}`" in markdown
        assert f"```sql\n{finding['mend']}\n```" in markdown
    assert sarif["version"] == "2.1.0"


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


def psql_audit(*arguments: str, file: str = "audit.sql") -> subprocess.CompletedProcess[str]:
    """The audit as an auditor without Python runs it."""
    command = [psql(), "--no-psqlrc", *arguments, os.environ["AUDITOR_DATABASE_URL"], "-f", str(FILES / file)]
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


def test_psql_runs_one_rule_with_its_exit_status(admin: psycopg.Connection) -> None:
    green = psql_audit(file="audit/0002_policy_missing.sql")
    admin.execute("DROP POLICY tenant_isolation ON core_orderitem")
    try:
        red = psql_audit(file="audit/0002_policy_missing.sql")
        other = psql_audit(file="audit/0003_policy_differs.sql")
    finally:
        for each in audit.run("auditor"):
            admin.execute(each.mend)

    assert (green.returncode, red.returncode, other.returncode) == (0, 3, 0)
    assert "public.core_orderitem" in red.stdout
