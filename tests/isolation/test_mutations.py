"""Shown to bite: with its guard removed, a case fails.

Every case of the modules below is found by itself and run without each guard in turn; one that passes without
any of them proves nothing, unless it says here what else it keeps.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection
from psycopg_pool import ConnectionPool

from rls.backends.postgresql import base
from rls.context import current_tenant_id
from tests.isolation import (
    test_hostile_sql,
    test_lifetime,
    test_mcp_door,
    test_no_context,
    test_reads,
    test_writes,
)
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


TABLES = ("core_tenant", "core_tenantuser", "core_product", "core_order", "core_orderitem")


@contextmanager
def open_policies(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every policy lets every row through."""
    drop = "DROP POLICY tenant_isolation ON {0}; "
    opened = drop + "CREATE POLICY tenant_isolation ON {0} TO app_tenant USING (true)"
    with ExitStack() as stack:
        for table in TABLES:
            restore = drop.format(table) + definition(admin, table, "tenant_isolation")
            stack.enter_context(without(admin, opened.format(table), restore))
        yield


@contextmanager
def no_prefix(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Statements carry nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(base.Cursor, "_prefix", lambda self: "SELECT 1;")
        yield


@contextmanager
def lingering_prefix(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first tenant that is sent stays for good."""
    prefix, sent = base.Cursor._prefix, []

    def first(self: base.Cursor) -> str:
        if current_tenant_id():
            sent.append(prefix(self))
        return sent[0] if sent else prefix(self)

    with monkeypatch.context() as patch:
        patch.setattr(base.Cursor, "_prefix", first)
        yield


@contextmanager
def neither(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No policy and no prefix: what refuses without a context is kept by both."""
    with open_policies(admin, monkeypatch), no_prefix(admin, monkeypatch):
        yield


GUARDS = [open_policies, no_prefix, lingering_prefix, neither]

# What keeps these is neither policy nor prefix: it is named, and has its own mutation below where it can be removed.
KEPT_OTHERWISE = {
    "test_the_same_unique_value_is_free_in_each_tenant": "unique constraints start with the tenant",
    "test_a_child_cannot_point_at_another_tenants_parent": "composite foreign keys",
    "test_not_even_the_platform_can_join_two_tenants": "composite foreign keys",
    "test_an_upsert_does_not_reach_another_tenants_row": "the key and WITH CHECK, each alone",
    "test_what_is_no_uuid_is_refused_before_any_sql": "as_tenant_id()",
    "test_the_empty_string_that_postgresql_leaves_behind_is_no_context": "NULLIF in the policy, and the empty prefix",
    "test_one_dead_connection_has_its_neighbours_looked_at": "the pool is checked when a connection is found broken",
    "test_a_server_side_cursor_is_refused": "refuse_server_cursor()",
    "test_tenant_and_platform_contexts_exclude_each_other": "PlatformRefused",
    "test_leaving_contexts_out_of_order_is_an_error": "tenant_context._close()",
}


def cases(*modules: ModuleType) -> list[Callable[..., Any]]:
    """Every test function of the modules, a parametrised one with its first values."""
    found = []
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and name not in KEPT_OTHERWISE and function.__module__ == module.__name__:
                found.append(with_first_values(function))
    return found


def with_first_values(function: Callable[..., Any]) -> functools.partial[Any]:
    values: dict[str, Any] = {}
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, first = mark.args[0], mark.args[1][0]
            if isinstance(names, str):
                values[names] = first
            else:
                values |= dict(zip(names, first, strict=True))
    return functools.partial(function, **values)


CASES = cases(test_reads, test_writes, test_no_context, test_lifetime)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.func.__name__)
def test_a_case_fails_without_its_guard(
    case: Callable[..., Any],
    acme: World,
    globex: World,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fixtures = {"acme": acme, "globex": globex, "admin": admin}
    wanted = {name: fixtures[name] for name in inspect.signature(case).parameters if name in fixtures}
    bitten = False

    for guard in GUARDS:
        with guard(admin, monkeypatch):
            try:
                case(**wanted)
            except (Exception, pytest.fail.Exception):
                bitten = True
        connection.close()
        connection.close_pool()

    assert bitten, "it passes without any guard: what does it prove?"


def test_a_restart_needs_the_look_at_the_pool(
    acme: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConnectionPool, "check", lambda self: None)

    with pytest.raises(DatabaseError):
        test_lifetime.test_one_dead_connection_has_its_neighbours_looked_at(acme, admin)

    connection.close_pool()  # the dead ones are still in it


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


AT_THE_DOOR = [
    test_mcp_door.test_two_hundred_interleaved_calls_of_both_eras,
    test_mcp_door.test_sessions_and_sse_keep_tenants_apart,
    test_mcp_door.test_stdio_serves_its_tenant,
    test_mcp_door.test_resources_prompts_and_completions_run_in_the_context_too,
    test_mcp_door.test_a_tool_that_raises_or_is_cancelled_leaves_nothing,
]


@pytest.mark.parametrize("case", AT_THE_DOOR, ids=lambda case: case.__name__)
def test_the_door_needs_the_policies(
    case: Callable[..., Any],
    request: pytest.FixtureRequest,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = with_first_values(case)
    wanted = {
        name: request.getfixturevalue(name) for name in inspect.signature(case).parameters if name not in case.keywords
    }

    with open_policies(admin, monkeypatch), pytest.raises((Exception, pytest.fail.Exception)):
        case(**wanted)
