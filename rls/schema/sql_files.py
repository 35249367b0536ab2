"""The text of the SQL files that `manage.py rls new` writes, each with its revert."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rls.schema.facts import Facts, Origin
from rls.schema.keys import TenantForeignKey, TenantKey, plain, quoted
from rls.schema.policies import policies

RIGHTS = "SELECT, INSERT, UPDATE, DELETE"

# The functions that policies call, and the tables in which a file declares.
LIBRARY_ORIGIN = Origin(("rls", "0002_audit"), "0003_audit")

ROOT_RIGHTS_TEMPLATE = """\
INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('{table}', 'app_tenant', '{{SELECT}}', 'A tenant reads its own row; the platform makes and suspends tenants.');"""

ROOT_REVERT_TEMPLATE = "DELETE FROM app.declared_grants WHERE object = '{table}';"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the table of a model lacks: its policies, the key that others refer to, and foreign keys."""

    table: str
    is_root: bool
    key_column: str
    needs_policies: bool
    tenant_key: TenantKey | None
    foreign_keys: list[TenantForeignKey]

    def __bool__(self) -> bool:
        return bool(self.needs_policies or self.tenant_key or self.foreign_keys)

    @property
    def subject(self) -> str:
        """What the file is about, as a part of its name."""
        if self.needs_policies:
            return plain(self.table)
        columns = [key.column for key in self.foreign_keys]
        what = columns[0] if len(columns) == 1 and self.tenant_key is None else "keys" if columns else "tenant_key"
        return plain(f"{self.table}_{what}")


def origins(plan: Plan, found: Facts) -> list[Origin]:
    """The files that must have run before: those of the parents, else the library's."""
    keys = dict.fromkeys(key.parent_key for key in plan.foreign_keys)
    parents = [found.tenant_keys[key] for key in keys if key in found.tenant_keys]
    own = LIBRARY_ORIGIN if plan.needs_policies else found.policies[plan.table]
    return list(dict.fromkeys(parents or [own]))


def forward(name: str, plan: Plan, found: Facts) -> str:
    """The file `name` that gives a table what `plan` says; `found` is what the files before it write."""
    table = quoted(plan.table)
    parts = [_header(name, plan, found)]
    if plan.needs_policies:
        parts.append(policies(table, quoted(plan.key_column) if plan.is_root else "tenant_id").rstrip())
    if plan.tenant_key:
        parts.append(
            "-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.\n"
            + plan.tenant_key.add
        )
    parts += [key.add for key in plan.foreign_keys]
    if plan.needs_policies and plan.is_root:
        parts.append(f"GRANT SELECT ON {table} TO app_tenant;\nGRANT {RIGHTS} ON {table} TO app_platform;")
        parts.append(ROOT_RIGHTS_TEMPLATE.format(table=_in_schema(table)))
    elif plan.needs_policies:
        parts.append(f"GRANT {RIGHTS} ON {table} TO app_tenant, app_platform;")
    return "\n\n".join(parts) + "\n"


def revert(name: str, plan: Plan) -> str:
    """The revert of the file `name`."""
    number, _, subject = name.partition("_")
    table = quoted(plan.table)
    gone = "no policy is left, so nobody but a superuser sees a row" if plan.needs_policies else "the keys are gone"
    lines = [f"-- Reverts {number} {subject}: {gone}."]
    # In the opposite order of `forward`: PostgreSQL keeps a unique key while a foreign key refers to it.
    lines += [key.drop for key in reversed(plan.foreign_keys)]
    if plan.tenant_key:
        lines.append(plan.tenant_key.drop)
    if plan.needs_policies:
        if plan.is_root:
            lines.append(ROOT_REVERT_TEMPLATE.format(table=_in_schema(table)))
        lines.append(f"REVOKE ALL ON {table} FROM app_tenant, app_platform;")
        names = re.findall(r"CREATE POLICY (\w+)", policies(table))
        lines += [f"DROP POLICY {policy} ON {table};" for policy in reversed(names)]
    return "\n".join(lines) + "\n"


def _header(name: str, plan: Plan, found: Facts) -> str:
    number, _, subject = name.partition("_")
    if not plan.needs_policies:
        title = "keys that hold the tenant"
        holds = "what refers to a row is of its tenant" if plan.tenant_key else ""
        holds = "what a row refers to is of its own tenant" if plan.foreign_keys else holds
    elif plan.is_root:
        title, holds = "the root of isolation", "a tenant sees its own row of this table and can change nothing in it"
    else:
        title, holds = "tenant isolation", "a row is visible and writable only inside its own tenant"
        holds += ", and what it refers to is of that tenant" if plan.foreign_keys else ""
    return header(f"{number} {subject}: {title}", f"Afterwards {holds}.", needs=origins(plan, found))


def header(*lines: str, needs: Sequence[Origin]) -> str:
    """The comment at the head of a file."""
    last = f"Needs: {', '.join(sorted(origin.label for origin in needs))}. Proved by: manage.py rls audit."
    return "\n".join(wrapped for line in [*lines, last] for wrapped in _comment(line))


def _comment(line: str) -> list[str]:
    return textwrap.wrap(line, 117, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False)


def _in_schema(table: str) -> str:
    """As the audit writes it."""
    return table if "." in table else f"public.{table}"
