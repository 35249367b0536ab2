"""Shown to bite: with one guard removed, the case that it keeps fails."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection

from rls.backends.postgresql import base
from rls.context import current_tenant_id
from tests.isolation import test_hostile_sql, test_lifetime, test_no_context, test_reads, test_writes
from tests.world import World


@contextmanager
def without(admin: psycopg.Connection, remove: str, restore: str) -> Iterator[None]:
    """The database without one of its guards."""
    admin.execute(remove)
    try:
        yield
    finally:
        admin.execute(restore)


def definition(admin: psycopg.Connection, table: str, policy: str) -> str:
    """The statement that makes a policy again."""
    row = admin.execute(
        "SELECT pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy"
        " WHERE polrelid = %s::regclass AND polname = %s",
        [table, policy],
    ).fetchone()
    assert row is not None
    return f"CREATE POLICY {policy} ON {table} TO app_tenant USING ({row[0]}) WITH CHECK ({row[1]})"


OPEN = "DROP POLICY tenant_isolation ON {0}; CREATE POLICY tenant_isolation ON {0} TO app_tenant USING (true)"
READS = [
    lambda a, g, admin: test_reads.test_every_way_to_read_sees_one_tenant(a, g),
    lambda a, g, admin: test_reads.test_async_reads_see_one_tenant(a, g),
    lambda a, g, admin: test_reads.test_raw_sql_sees_one_tenant("SELECT name FROM core_product", a, g),
    lambda a, g, admin: test_reads.test_a_row_of_another_tenant_is_a_missing_row(a, g),
    lambda a, g, admin: test_reads.test_a_queryset_is_evaluated_in_the_context_it_is_read_in(a, g),
    lambda a, g, admin: test_writes.test_a_row_cannot_be_written_for_another_tenant(a, g, admin),
    lambda a, g, admin: test_writes.test_a_row_cannot_be_moved_to_another_tenant(a, g),
    lambda a, g, admin: test_writes.test_another_tenants_row_cannot_be_changed_or_deleted(a, g, admin),
    lambda a, g, admin: test_lifetime.test_threads_and_tasks_are_never_crossed(a, g),
    lambda a, g, admin: test_lifetime.test_a_pooled_connection_serves_one_after_the_other(a, g),
]


@pytest.mark.parametrize("case", READS)
def test_a_case_fails_when_the_policy_is_opened(
    case: Callable[[World, World, psycopg.Connection], None],
    acme: World,
    globex: World,
    admin: psycopg.Connection,
) -> None:
    restore = "DROP POLICY tenant_isolation ON core_product; " + definition(admin, "core_product", "tenant_isolation")
    with (
        without(admin, OPEN.format("core_product"), restore),
        pytest.raises((AssertionError, pytest.fail.Exception)),
    ):
        case(acme, globex, admin)


def test_the_tenant_table_needs_its_policy(acme: World, globex: World, admin: psycopg.Connection) -> None:
    restore = "DROP POLICY tenant_isolation ON core_tenant; " + definition(admin, "core_tenant", "tenant_isolation")

    with without(admin, OPEN.format("core_tenant"), restore), pytest.raises(AssertionError):
        test_reads.test_a_tenant_sees_its_own_row_of_the_tenant_table(acme, globex)


def test_children_need_the_composite_key(acme: World, globex: World, admin: psycopg.Connection) -> None:
    name = "core_orderitem_product_id_tenant_fkey"
    plain = "ALTER TABLE core_orderitem ADD CONSTRAINT plain FOREIGN KEY (product_id) REFERENCES core_product (id)"
    composite = f"ALTER TABLE core_orderitem ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, product_id)"
    restore = (
        "ALTER TABLE core_orderitem DROP CONSTRAINT plain; DELETE FROM core_orderitem; "
        f"{composite} REFERENCES core_product (tenant_id, id)"
    )

    with (
        without(admin, f"ALTER TABLE core_orderitem DROP CONSTRAINT {name}; {plain}", restore),
        pytest.raises(pytest.fail.Exception),
    ):
        test_writes.test_a_child_cannot_point_at_another_tenants_parent("product_id", "product_id", acme, globex)


@pytest.mark.parametrize(
    ("grant", "revoke", "statement"),
    [
        (
            "GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC",
            test_hostile_sql.UNION,
        ),
    ],
)
def test_hostile_sql_needs_the_revokes(
    grant: str, revoke: str, statement: str, acme: World, globex: World, admin: psycopg.Connection
) -> None:
    with without(admin, grant, revoke), pytest.raises((AssertionError, pytest.fail.Exception)):
        test_hostile_sql.test_a_hostile_statement_gets_nothing(statement, acme, globex, admin)


NO_CONTEXT = [
    lambda a, admin: test_no_context.test_a_statement_without_a_context_is_a_named_error(
        test_no_context.STATEMENTS[0], a
    ),
    lambda a, admin: test_no_context.test_every_tenanted_table_refuses_without_a_context(a, admin),
    lambda a, admin: test_no_context.test_an_empty_table_refuses_too(),
    lambda a, admin: test_no_context.test_a_value_that_was_set_on_the_session_is_not_a_context(a),
    lambda a, admin: test_no_context.test_a_context_that_was_left_does_not_linger_in_its_transaction(a),
]


@pytest.mark.parametrize("case", NO_CONTEXT)
def test_no_context_needs_the_empty_prefix(
    case: Callable[[World, psycopg.Connection], None],
    acme: World,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = base.Cursor._prefix

    def only_with_a_tenant(self: base.Cursor) -> str:
        return prefix(self) if current_tenant_id() else f"SET LOCAL app.current_tenant = '{acme.id}';"

    monkeypatch.setattr(base.Cursor, "_prefix", only_with_a_tenant)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        case(acme, admin)


def test_what_procedural_code_writes_is_refused_twice(
    acme: World, globex: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = ("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC", "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")
    attack = functools.partial(test_hostile_sql.test_a_hostile_statement_gets_nothing, test_hostile_sql.DO)

    with without(admin, *grant):
        attack(acme, globex, admin)
    monkeypatch.setattr(base.Cursor, "_check_tag", lambda self: None)
    attack(acme, globex, admin)
    with without(admin, *grant), pytest.raises((AssertionError, pytest.fail.Exception)):
        attack(acme, globex, admin)


def test_stacked_statements_need_the_slow_road(
    acme: World, globex: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base.Cursor, "_execute_send", base.stock.Cursor._execute_send)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_hostile_sql.test_a_hostile_statement_gets_nothing(test_hostile_sql.STACKED, acme, globex, admin)

    connection.close_pool()  # what the statement set is still on a connection


def test_the_context_needs_the_prefix(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.Cursor, "_prefix", lambda self: "SELECT 1;")

    with pytest.raises((AssertionError, DatabaseError)):
        test_reads.test_a_tenant_sees_its_own_row_of_the_tenant_table(acme, acme)
