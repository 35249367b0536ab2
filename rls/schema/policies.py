"""The one template of the policies. Every SQL file is written from it, and the audit compares with it."""

from __future__ import annotations

import re

# One sub-select, which PostgreSQL evaluates once per statement (an InitPlan). The casts and names are what
# app.expected_policies in rls/sql/audit/catalog.sql compares with, as written and as printed.
PREDICATE_TEMPLATE = (
    "{column} = (SELECT COALESCE(NULLIF(current_setting('app.current_tenant', true), '')::uuid, app.no_tenant()))"
)

POLICIES_TEMPLATE = """\
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


# As PostgreSQL prints them: the predicate of the platform, and one that compares a column with the tenant and no more.
PRINTED_PLATFORM_PREDICATE = "( SELECT app.require_platform() AS require_platform)"
PRINTED_TENANT_PATTERN = re.compile(
    r"(?:\(\( SELECT app\.require_migrating\(\) AS require_migrating\) AND )?"
    r"\((?P<column>[^\s()]+) = (?:(?! AND | OR ).)*app\.(?:current_tenant|tenant_or_null)\b(?:(?! AND | OR ).)*\)"
)


def policies(table: str, column: str = "tenant_id") -> str:
    """The SQL statements that put `table` under row-level security and create its three policies.

    `table` and `column` are names as SQL writes them, quoted where necessary; `column` holds the uuid of the tenant.
    """
    return POLICIES_TEMPLATE.format(table=table, column=column, predicate=PREDICATE_TEMPLATE.format(column=column))


def asks_for_the_tenant(predicate: str, *columns: str) -> bool:
    """Whether a predicate, as PostgreSQL prints it, accepts a row for the tenant in one of `columns` and for no more.

    That of the platform accepts every row.
    """
    compared = PRINTED_TENANT_PATTERN.fullmatch(predicate)
    return predicate == PRINTED_PLATFORM_PREDICATE or (
        compared is not None and compared["column"].strip('"') in columns
    )
