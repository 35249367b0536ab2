"""A proof on the live database that tenants cannot reach each other's rows of a model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, DatabaseError, IntegrityError, connections, transaction
from django.db.models import Model
from psycopg.errors import InsufficientPrivilege

from rls import audit
from rls.audit import matrix
from rls.checks.models import is_tenanted
from rls.checks.settings import tenant_model
from rls.context import checked_tenant_context
from rls.errors import CrossTenantWrite, IsolationError, NoTenantContext
from rls.router import OWNER_ALIAS
from rls.testing.roles import as_role

# The columns that a statement of a role can name: those it has the right on, else the tenant's, to be refused.
COLUMNS_SQL = """
SELECT quote_ident(attname)
FROM pg_catalog.pg_attribute
WHERE attrelid = %(table)s::regclass
  AND attnum > 0
  AND NOT attisdropped
  AND attgenerated = ''
  AND (attname = %(tenant)s OR pg_catalog.has_column_privilege(%(role)s, attrelid, attnum, %(command)s))
ORDER BY pg_catalog.has_column_privilege(%(role)s, attrelid, attnum, %(command)s) DESC,
         attname = %(tenant)s DESC,
         attnum
"""


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a model, as SQL writes it, and what the serving role may name in it."""

    label: str
    model: type[Model]
    name: str
    key: str
    tenant: str
    updatable: str
    insertable: str
    findings: Sequence[audit.Finding]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a tenant: its key, and all of it as JSON."""

    key: Any
    values: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a statement ended: in so many rows, or in an error."""

    rows: int
    error: DatabaseError | None = None

    @property
    def is_denied(self) -> bool:
        """PostgreSQL refused for want of a right on the table, before any policy."""
        named = isinstance(self.error, IsolationError)
        return isinstance(self.error and self.error.__cause__, InsufficientPrivilege) and not named

    def __str__(self) -> str:
        if self.error is None:
            return f"{self.rows} row(s)"
        return f"{type(self.error).__name__}: {str(self.error).splitlines()[0]}"


def assert_isolated(model: type[Model]) -> None:
    """Prove, with the rows that the test has committed, that tenants cannot reach each other's rows of `model`.

    As the serving role, for each tenant that has rows: in its context the ORM and SQL read exactly its own, an UPDATE
    or a DELETE of another's row by its key meets none, one without a condition meets only its own, and neither can its
    own rows be moved to another tenant nor a new one be written for it. Without a context nothing is read. What a role
    has no right to is refused, and refused is isolated: a model that the serving role may not even read passes. Then
    the audit must have no finding on the table. Nothing is kept of what is tried, and a context that is open around the
    call makes no difference.

    Raises AssertionError, which says what failed and what mends it; also where fewer than two tenants have rows, and
    for a model that is not tenanted.
    """
    # A context of its own: the owner sees all tenants' rows outside a tenant's context only.
    Context().run(_prove, model._meta.concrete_model or model)


def _prove(model: type[Model]) -> None:
    label = model._meta.label
    if not is_tenanted(model) and model is not tenant_model():
        raise AssertionError(f"{label} is not tenanted, so nothing isolates it: derive it from rls.models.Tenanted")
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        raise AssertionError("assert_isolated looks as several roles, which see what is committed: leave atomic()")
    table = _table(model)
    rows = _rows(table)
    if len(rows) < 2:
        raise AssertionError(
            f"{label} has rows of {len(rows)} tenant(s), and a proof needs two: "
            f"commit one for each of two tenants{_audited(table)}"
        )
    tenants = sorted(rows)
    for place, tenant in enumerate(tenants):
        other = tenants[place - 1]
        _reads_its_own(table, tenant, rows[tenant])
        _meets_no_other(table, tenant, rows[other][0])
        _writes_only_its_own(table, tenant, rows[tenant])
        _writes_for_no_other(table, tenant, other, rows[other][0])
    _reads_nothing_without_a_context(table)
    if table.findings:
        raise AssertionError(f"{label}: the audit has findings on {table.name}" + _audited(table))


def _table(model: type[Model]) -> Table:
    with transaction.atomic(using=OWNER_ALIAS), connections[OWNER_ALIAS].cursor() as cursor:
        name = matrix.relation(OWNER_ALIAS, model)
        if name is None:
            raise AssertionError(f"{model._meta.label} has no table: a migration makes it")
        key = str(model._meta.pk and model._meta.pk.column)
        tenant = "tenant_id" if is_tenanted(model) else key
        cursor.execute("SELECT quote_ident(%s), quote_ident(%s)", [key, tenant])
        quoted_key, quoted_tenant = cursor.fetchone()
        role = connections.settings[DEFAULT_DB_ALIAS]["USER"]
        columns = {}
        for command in ("UPDATE", "INSERT"):
            cursor.execute(COLUMNS_SQL, {"table": name, "tenant": tenant, "role": role, "command": command})
            columns[command] = [column for (column,) in cursor.fetchall()]
    named = re.compile(rf"(?<![\w.\"]){re.escape(name)}(?![\w\"])")
    return Table(
        label=model._meta.label,
        model=model,
        name=name,
        key=quoted_key,
        tenant=quoted_tenant,
        updatable=columns["UPDATE"][0],
        insertable=", ".join(columns["INSERT"]),
        findings=[finding for finding in audit.run(OWNER_ALIAS) if named.search(finding.object)],
    )


def _rows(table: Table) -> dict[UUID, list[Row]]:
    """Every row, by tenant, as the owner sees them while it migrates."""
    rows = defaultdict(list)
    with transaction.atomic(using=OWNER_ALIAS), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("SET LOCAL app.migrating = 'on'")
        cursor.execute(f"SELECT {table.tenant}, {table.key}, to_jsonb(t)::text FROM {table.name} AS t ORDER BY 2")
        for tenant, key, values in cursor.fetchall():
            rows[tenant].append(Row(key, values))
    return dict(rows)


def _reads_its_own(table: Table, tenant: UUID, rows: Sequence[Row]) -> None:
    counted = _try(tenant, f"SELECT {table.key} FROM {table.name}")
    if counted.is_denied:
        return
    if counted.error or counted.rows != len(rows):
        _fail(table, f"in the context of {tenant} SQL must read its {len(rows)} row(s), and the answer is {counted}")
    with checked_tenant_context(tenant):
        found = set(table.model._base_manager.using(DEFAULT_DB_ALIAS).values_list("pk", flat=True))
    if found != {row.key for row in rows}:
        _fail(table, f"in the context of {tenant} the ORM must read its {len(rows)} row(s), and reads {len(found)}")


def _meets_no_other(table: Table, tenant: UUID, other: Row) -> None:
    for command in (f"UPDATE {table.name} SET {table.updatable} = {table.updatable}", f"DELETE FROM {table.name}"):
        met = _try(tenant, f"{command} WHERE {table.key} = %s", other.key)
        if not met.is_denied and (met.error or met.rows):
            verb = command.partition(" ")[0]
            _fail(
                table,
                f"in the context of {tenant} {verb} of another tenant's row by its key must meet none, "
                f"and the answer is {met}",
            )


def _writes_only_its_own(table: Table, tenant: UUID, rows: Sequence[Row]) -> None:
    # A statement that reads no column of the table is not filtered by what may be read (PostgreSQL, CREATE POLICY).
    own = f"(jsonb_populate_record(NULL::{table.name}, %s::jsonb)).{table.updatable}"
    updated = _try(tenant, f"UPDATE {table.name} SET {table.updatable} = {own}", rows[0].values)
    deleted = _try(tenant, f"DELETE FROM {table.name}")
    # To give a tenant's rows the tenant that they have breaks no key; another's rows can meet one. Of a DELETE that the
    # key of a child stops nothing is learned.
    is_broken = table.updatable == table.tenant and isinstance(updated.error, IntegrityError)
    if updated.rows > len(rows) or deleted.rows > len(rows) or is_broken:
        _fail(
            table,
            f"in the context of {tenant} UPDATE and DELETE of all rows must meet its {len(rows)} row(s), "
            f"and the answers are {updated} and {deleted}",
        )


def _writes_for_no_other(table: Table, tenant: UUID, other: UUID, others: Row) -> None:
    # The row is there already, so that one that gets past the policy is stopped by a key.
    insert = (
        f"INSERT INTO {table.name} ({table.insertable}) OVERRIDING SYSTEM VALUE "
        f"SELECT {table.insertable} FROM jsonb_populate_record(NULL::{table.name}, %s::jsonb)"
    )
    # With a condition the new row would have to be one that may be read, too.
    move = f"UPDATE {table.name} SET {table.tenant} = %s"
    for what, written in (
        ("moving its own rows to another tenant", _try(tenant, move, other)),
        ("inserting a row for another tenant", _try(tenant, insert, others.values)),
    ):
        if not written.is_denied and not isinstance(written.error, CrossTenantWrite):
            _fail(
                table,
                f"in the context of {tenant} {what} must be refused as CrossTenantWrite, and the answer is {written}",
            )


def _reads_nothing_without_a_context(table: Table) -> None:
    read = _try(None, f"SELECT {table.key} FROM {table.name}")
    if not read.is_denied and not isinstance(read.error, NoTenantContext):
        _fail(table, f"without a context reading must raise NoTenantContext, and the answer is {read}")
    # The backend asks PostgreSQL to refuse; the policy must refuse by itself, for whoever has psql.
    with as_role(connections.settings[DEFAULT_DB_ALIAS]["USER"]) as connection:
        try:
            rows = connection.execute(f"SELECT {table.key} FROM {table.name}".encode()).rowcount
        except InsufficientPrivilege:
            return
    _fail(table, f"a session that names no tenant must be refused, and the answer is {rows} row(s)")


def _try(tenant: UUID | None, statement: str, *params: Any) -> Outcome:
    """How `statement` ends for the serving role, in the context of `tenant` or in none; nothing of it is kept."""
    context: AbstractContextManager[object] = checked_tenant_context(tenant) if tenant else nullcontext()
    try:
        with context, transaction.atomic(using=DEFAULT_DB_ALIAS):
            with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
                cursor.execute(statement, params)
                rows: int = cursor.rowcount
            transaction.set_rollback(True, using=DEFAULT_DB_ALIAS)
    except DatabaseError as error:
        return Outcome(0, error)
    return Outcome(rows)


def _fail(table: Table, what: str) -> None:
    where = _audited(table) or f". manage.py rls explain {table.label} shows the policies"
    raise AssertionError(f"{table.label} is not isolated: {what}{where}")


def _audited(table: Table) -> str:
    """What the audit finds on the table, and what mends it."""
    findings = [f"\n  {each.rule}: {each.object}: {each.finding}\n    mend: {each.mend}" for each in table.findings]
    return "".join([". The audit says:" if findings else "", *findings])
