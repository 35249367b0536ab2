"""Cases 31-34, whose tests are tests/rls/test_audit.py: no drift that the cases name lacks a story there."""

from __future__ import annotations

import re

import pytest

from tests.rls.test_audit import STORIES

# (what a case names, the rule that must find it, how psql does it)
DRIFTS = [
    ("RLS off", "row-security-off", "DISABLE ROW LEVEL SECURITY"),
    ("no FORCE", "row-security-off", "NO FORCE ROW LEVEL SECURITY"),
    ("policy dropped", "policy-missing", "DROP POLICY tenant_isolation"),
    ("policy replaced by USING (true)", "policy-differs", r"ALTER POLICY tenant_isolation .* USING \(true\)"),
    ("weaker WITH CHECK", "policy-differs", r"ALTER POLICY tenant_isolation .* WITH CHECK \(true\)"),
    ("a second permissive policy", "policy-extra", "CREATE POLICY second .* TO app_tenant"),
    ("a policy for another role", "policy-extra", "CREATE POLICY .* TO app_platform"),
    ("the same name, another role", "policy-differs", "ALTER POLICY tenant_isolation .* TO PUBLIC"),
    ("the same name, another command", "policy-differs", "CREATE POLICY tenant_isolation .* FOR SELECT"),
    ("function behind the policy replaced", "function-behind-policy", "CREATE OR REPLACE FUNCTION app.no_tenant"),
    ("serving role made superuser", "role-too-strong", "ALTER ROLE app_tenant SUPERUSER"),
    ("serving role made BYPASSRLS", "role-too-strong", "ALTER ROLE app_tenant BYPASSRLS"),
    ("serving role made owner", "owner-wrong", "ALTER TABLE core_.* OWNER TO app_tenant"),
    ("serving role made a member of a superuser", "role-membership", "GRANT postgres TO app_tenant"),
    ("serving role made a member of the owner", "role-membership", "GRANT app_owner TO app_tenant"),
    ("grants it should not have", "grant-too-wide", "GRANT .* TO app_tenant"),
    ("variable default on a role", "variable-default", "ALTER ROLE app_tenant SET app.current_tenant"),
    ("variable default on a database", "variable-default", "ALTER DATABASE .* SET app.current_tenant"),
    ("a view without security_invoker", "view-as-owner", "CREATE VIEW leak AS SELECT .* FROM core_"),
    ("a materialized view", "view-as-owner", "CREATE MATERIALIZED VIEW leak AS SELECT .* FROM core_"),
    ("a SECURITY DEFINER function", "definer-callable", "SECURITY DEFINER AS .* FROM public.core_"),
    ("a new table with no policy", "policy-missing", "CREATE TABLE fresh .*tenant_id"),
    ("nullable tenant_id", "tenant-nullable", "ALTER tenant_id DROP NOT NULL"),
    ("no index that leads with tenant_id", "index-missing", "CREATE TABLE fresh"),
    ("plain FK", "foreign-key-without-tenant", r"FOREIGN KEY \(placed_by_id\) REFERENCES core_tenantuser \(id\)"),
    ("UNIQUE without the tenant", "unique-without-tenant", r"UNIQUE \(sku\)"),
]


@pytest.mark.parametrize(("name", "rule", "drift"), DRIFTS)
def test_what_the_cases_name_is_a_story_of_the_audit(name: str, rule: str, drift: str) -> None:
    told = [does for each, _, does in STORIES if each == rule]

    assert any(re.search(drift, does) for does in told), f"tell {name} in tests/rls/test_audit.py: {rule}, {drift}"
