"""The one template of the policies. Every SQL file is written from it, and the audit compares with it."""

from __future__ import annotations

PREDICATE = (
    "{column} = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant()))"
)

POLICIES = """\
ALTER TABLE {table}
    ENABLE ROW LEVEL SECURITY,
    FORCE ROW LEVEL SECURITY;  -- binds the owner too

CREATE POLICY tenant_isolation ON {table}
    TO app_tenant
    -- The sub-select is evaluated once per statement; no_tenant() raises, so a forgotten context is loud.
    USING ({predicate})
    WITH CHECK ({predicate});

CREATE POLICY platform_access ON {table}
    TO app_platform
    USING ((SELECT app.require_platform()))
    WITH CHECK ((SELECT app.require_platform()));

CREATE POLICY owner_migration ON {table}
    TO app_owner
    -- Inside a tenant context a data migration is scoped; outside it sees every row.
    USING ((SELECT app.require_migrating()) AND {column} = COALESCE((SELECT app.tenant_or_null()), {column}))
    WITH CHECK ((SELECT app.require_migrating()) AND {column} = COALESCE((SELECT app.tenant_or_null()), {column}));
"""


# How PostgreSQL prints the predicates of the three; `app.expected_policies` says the same.
PRINTED = (
    "({column} = ( SELECT COALESCE((NULLIF(current_setting('app.current_tenant'::text, true), ''::text))::uuid,"
    ' app.no_tenant()) AS "coalesce"))',
    "( SELECT app.require_platform() AS require_platform)",
    "(( SELECT app.require_migrating() AS require_migrating) AND ({column} = COALESCE(( SELECT app.tenant_or_null()"
    " AS tenant_or_null), {column})))",
)


def policies(table: str, column: str = "tenant_id") -> str:
    """The SQL that puts `table` under row-level security, keyed on its uuid column `column`."""
    return POLICIES.format(table=table, column=column, predicate=PREDICATE.format(column=column))


def is_ours(predicate: str, *columns: str) -> bool:
    """Whether PostgreSQL prints `predicate` for one of the template's, keyed on one of `columns`."""
    return any(predicate == printed.format(column=column) for printed in PRINTED for column in columns)
