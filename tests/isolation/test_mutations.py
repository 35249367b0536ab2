"""Shown to bite: with its guard removed, a case fails.

Every case of the modules below is found by itself, with each of its values, and run without each guard in turn until
it fails; one that passes without any of them proves nothing. What another guard
keeps stands in KEPT_BY, beside that guard.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import copy_context
from types import ModuleType
from typing import Any

import psycopg
import pytest
from django.core.signing import TimestampSigner
from django.db import connection
from django.test import override_settings
from psycopg_pool import ConnectionPool

import rls
from core.models import OrderItem, Tenant
from core.services import exports, tenant_rows
from mcp_server import pages
from mcp_server.tokens.models import ApiToken
from rls import blocks, context, middleware
from rls.backends.postgresql import base, cursor, statements
from rls.backends.postgresql.connection import Connection
from rls.context import PLATFORM_ALIAS, current_tenant_id
from tests.isolation import (
    test_blocks,
    test_entries,
    test_handles,
    test_hostile_sql,
    test_leaks,
    test_lifetime,
    test_mcp_endpoint,
    test_no_context,
    test_pgbouncer,
    test_platform_work,
    test_read_only,
    test_reads,
    test_tenant_life,
    test_writes,
)
from tests.isolation.test_pgbouncer import bouncer  # noqa: F401  (a fixture)
from tests.mcp_server import test_asgi
from tests.rls import test_middleware, test_platform, test_reading
from tests.support.postgres import Server
from tests.support.world import Saved

pytestmark = pytest.mark.slow

Guard = Callable[[psycopg.Connection, pytest.MonkeyPatch], AbstractContextManager[None]]
Case = functools.partial[Any]

FAILURE = (Exception, pytest.fail.Exception)
TABLES = ("core_tenant", *(model._meta.db_table for model in tenant_rows.models() if model is not ApiToken))
UNGUARDED = "ALTER EVENT TRIGGER keep_row_security DISABLE; "
GUARDED = "; ALTER EVENT TRIGGER keep_row_security ENABLE"


@contextmanager
def without(admin: psycopg.Connection, remove: str, restore: str) -> Iterator[None]:
    """The database without one of its guards."""
    admin.execute(remove)
    try:
        yield
    finally:
        admin.execute(restore)


def sql(remove: str, restore: str) -> Guard:
    """A guard of the database."""
    return lambda admin, monkeypatch: without(admin, remove, restore)


def granted(right: str, role: str = "PUBLIC") -> Guard:
    """A right that is granted to nobody who serves."""
    return sql(f"GRANT {right} TO {role}", f"REVOKE {right} FROM {role}")


def everybodys_rows(tenant: Tenant) -> dict[str, int]:
    """A deletion that forgets whose rows are to go."""
    return {model._meta.label: model._base_manager.all()._raw_delete(PLATFORM_ALIAS) for model in tenant_rows.models()}


def patched(target: object, name: str, value: object) -> Guard:
    """A guard of Python."""

    @contextmanager
    def replaced(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            yield

    return replaced


def both(*guards: Guard) -> Guard:
    """Guards of which each is enough."""

    @contextmanager
    def removed(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with ExitStack() as stack:
            for guard in guards:
                stack.enter_context(guard(admin, monkeypatch))
            yield

    return removed


def definition(admin: psycopg.Connection, table: str, policy: str) -> str:
    """The statement that makes a policy again."""
    row = admin.execute(
        "SELECT pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy"
        " WHERE polrelid = %s::regclass AND polname = %s",
        [table, policy],
    ).fetchone()
    assert row is not None
    return f"CREATE POLICY {policy} ON {table} TO app_tenant USING ({row[0]}) WITH CHECK ({row[1]})"


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
def no_row_security(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Policies are asked of nobody."""
    alter = "; ".join(f"ALTER TABLE {table} {{0}} ROW LEVEL SECURITY" for table in TABLES)
    with without(admin, UNGUARDED + alter.format("DISABLE"), alter.format("ENABLE") + GUARDED):
        yield


@contextmanager
def no_prefix(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Statements carry nothing. No context could be entered then, so the policies are open."""
    with (
        open_policies(admin, monkeypatch),
        patched(base.Cursor, "_prefix", lambda self: "SELECT 1;")(admin, monkeypatch),
    ):
        yield


@contextmanager
def lingering_prefix(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first tenant that is sent stays for good."""
    prefix, sent = base.Cursor._prefix, []

    def first(self: base.Cursor) -> str:
        if current_tenant_id():
            sent.append(prefix(self))
        return sent[0] if sent else prefix(self)

    with patched(base.Cursor, "_prefix", first)(admin, monkeypatch):
        yield


GUARDS: list[Guard] = [open_policies, no_row_security, no_prefix, lingering_prefix]


@contextmanager
def no_look_at_suspension(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """app.resolve_principal() lets a suspended tenant in."""
    row = admin.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid = 'app.resolve_principal(text, bytea)'::regprocedure"
    ).fetchone()
    assert row is not None
    with without(admin, row[0].replace("AND n.is_active", ""), row[0]):
        yield


def hostile(statement: str) -> Case:
    return functools.partial(test_hostile_sql.test_a_hostile_statement_gets_nothing, statement=statement)


def refused(statement: str) -> Case:
    return functools.partial(
        test_hostile_sql.test_what_the_serving_role_has_no_business_with_is_refused, statement=statement
    )


def statistics(statement: str) -> Case:
    return functools.partial(test_leaks.test_statistics_hold_no_value_of_another_tenant, statement=statement)


def unjudged(self: base.Cursor, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
    """Statements go out as they are bound, alone where that is asked for."""
    base.stock.Cursor._execute_send(self, query, force_extended=force_extended or self._is_alone, binary=binary)


def anybodys_record(connection: object) -> int | None:
    """That of the context, whatever connection asks."""
    work = context._platform.get()
    return work and work.record


def open_anyhow(self: context.tenant_context) -> None:
    """Inside whatever is open."""
    context._innermost.set(context._Open(self, self.tenant_id, context._innermost.get()))


@contextmanager
def in_a_savepoint(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SET CONSTRAINTS runs in a savepoint of its own, which is released."""
    with (
        patched(statements, "is_local", lambda text: False)(admin, monkeypatch),
        patched(base.Cursor, "_refuse_set", lambda self, text, *, is_own: None)(admin, monkeypatch),
    ):
        yield


def skip_white_space(text: str, place: int) -> int:
    """What knows no comments."""
    return len(text) - len(text[place:].lstrip())


@contextmanager
def any_record(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """app.require_platform() takes a record of its own transaction, and one that has ended."""
    row = admin.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid = 'app.require_platform()'::regprocedure"
    ).fetchone()
    assert row is not None
    weak = re.sub(r"AND a\.xid IS DISTINCT.*?\)\) THEN", ") THEN", row[0], flags=re.DOTALL)
    assert weak != row[0]
    with without(admin, weak, row[0]):
        yield


def in_a_comment(statement: str) -> Case:
    template, value = test_entries.TEMPLATES[0]
    case = test_entries.test_a_value_inside_a_comment_gains_nothing
    return functools.partial(case, statement=statement, template=template, value=value)


LINE = "ALTER TABLE core_orderitem "
COMPOSITE = "CONSTRAINT core_orderitem_product_id_tenant_fkey"
PLAIN_KEY = sql(
    f"{LINE} DROP {COMPOSITE}; {LINE} ADD CONSTRAINT plain FOREIGN KEY (product_id) REFERENCES core_product (id)",
    f"{LINE} DROP CONSTRAINT plain; DELETE FROM core_orderitem;"
    f"{LINE} ADD {COMPOSITE} FOREIGN KEY (tenant_id, product_id) REFERENCES core_product (tenant_id, id)",
)
PRODUCT = OrderItem._meta.get_field("product")


@contextmanager
def nothing_about_exports(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The policies are open and the handle of an export is signed for everybody: either alone keeps it."""
    anybodys = TimestampSigner(salt="export", sep=".")
    with (
        open_policies(admin, monkeypatch),
        patched(exports, "_signer", lambda: anybodys)(admin, monkeypatch),
    ):
        yield


# What only reads, each kind in this process.
READING: list[Case] = [
    functools.partial(test_read_only.test_what_is_read_cannot_write, kind=kind) for kind in test_read_only.READS
]

KEPT_BY: dict[str, tuple[Guard, list[Case]]] = {
    "FORCE": (
        sql(
            UNGUARDED + "ALTER TABLE core_product NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE core_product FORCE ROW LEVEL SECURITY" + GUARDED,
        ),
        [functools.partial(test_no_context.test_the_owner_sees_rows_only_while_it_migrates)],
    ),
    "composite foreign keys": (
        PLAIN_KEY,
        [
            functools.partial(test_writes.test_a_child_cannot_point_at_another_tenants_parent, child=PRODUCT),
            functools.partial(test_writes.test_a_child_is_not_born_of_another_tenants_parent),
        ],
    ),
    "unique constraints that start with the tenant": (
        sql("CREATE UNIQUE INDEX wide ON core_product (sku) WHERE sku = 'SAME'", "DROP INDEX wide"),
        [functools.partial(test_writes.test_the_same_unique_value_is_free_in_each_tenant)],
    ),
    "the revoke of set_config": (
        granted("EXECUTE ON FUNCTION set_config(text, text, boolean)"),
        [hostile(statement) for statement in test_hostile_sql.HOSTILE if "MATERIALIZED" in statement]
        + [hostile(test_hostile_sql.UNION)],
    ),
    "the revoke of query_to_xml": (
        granted("EXECUTE ON FUNCTION query_to_xml(text, boolean, boolean, text)"),
        [hostile(test_hostile_sql.TEXT)],
    ),
    "the revokes of what is no row": (
        granted(
            "EXECUTE ON FUNCTION lo_get(oid), pg_cancel_backend(int), pg_advisory_lock(bigint), pg_ls_dir(text)",
            "app_tenant",
        ),
        [
            refused(f"SELECT {call}")
            for call in ("lo_get(1)", "pg_cancel_backend(1)", "pg_advisory_lock(1)", "pg_ls_dir('.')")
        ],
    ),
    "the revoke of pg_notify": (
        granted("EXECUTE ON FUNCTION pg_notify(text, text)", "app_tenant"),
        [refused(test_hostile_sql.FORGED_IN_A_SELECT)],
    ),
    "the rights on the statistics": (
        granted("SELECT ON pg_statistic, pg_statistic_ext_data", "app_tenant"),
        [statistics(statement) for statement in test_leaks.STATISTICS if "FROM pg_statistic" in statement],
    ),
    "row-level security, which pg_stats asks for": (no_row_security, [statistics("SELECT * FROM pg_stats")]),
    "the revoke of other sessions": (
        sql(
            "GRANT SELECT ON pg_stat_activity TO app_tenant;"
            "GRANT EXECUTE ON FUNCTION pg_stat_get_activity TO app_tenant",
            "REVOKE ALL ON pg_stat_activity FROM app_tenant;"
            "REVOKE ALL ON FUNCTION pg_stat_get_activity FROM app_tenant",
        ),
        [statistics("SELECT query FROM pg_stat_activity")],
    ),
    "the rights on the audit table": (
        granted("UPDATE ON app.platform_audit", "app_platform, app_tenant"),
        [
            functools.partial(
                test_platform.test_the_audit_is_append_only,
                statement="UPDATE app.platform_audit SET actor = 'nobody'",
                alias=alias,
            )
            for alias in ("platform", "default")
        ],
    ),
    "the extended protocol": (
        patched(base.Cursor, "_execute_send", base.stock.Cursor._execute_send),
        [
            hostile(test_hostile_sql.STACKED),
            functools.partial(
                test_hostile_sql.test_a_placeholder_in_quotes_stacks_no_statement,
                statement="SELECT name FROM core_product WHERE sku = '%s'",
                value=test_hostile_sql.INJECTED,
            ),
        ],
    ),
    "the command tag": (
        patched(base.Cursor, "_check_tag", lambda self: None),
        [
            refused("LISTEN everything"),
            refused(test_hostile_sql.FORGED),
            refused("LOCK TABLE core_product IN ACCESS SHARE MODE"),
            functools.partial(
                test_hostile_sql.test_nothing_held_reaches_the_next_request,
                stolen="DECLARE stolen CURSOR WITH HOLD FOR",
            ),
        ],
    ),
    "the command tag, and the look at what a SET leaves": (
        both(
            patched(base.Cursor, "_check_tag", lambda self: None),
            patched(base.Cursor, "_refuse_set", lambda self, text, *, is_own: None),
        ),
        [functools.partial(test_hostile_sql.test_what_was_set_on_the_session_does_not_reach_the_next_request)],
    ),
    "as_tenant_id()": (
        patched(context, "as_tenant_id", lambda value: value),
        [functools.partial(test_no_context.test_what_is_no_uuid_is_refused_before_any_sql, value="abc")],
    ),
    "require_active()": (
        patched(context, "require_active", lambda tenant_id: None),
        [
            functools.partial(test_no_context.test_an_unknown_tenant_is_refused_on_entering),
            functools.partial(test_no_context.test_a_suspended_tenant_is_refused_on_entering),
            *(
                functools.partial(test_tenant_life.test_a_suspended_tenant_is_refused_inside, use=use)
                for use in test_tenant_life.INSIDE[:3]
            ),
        ],
    ),
    "the look at is_active in app.resolve_principal()": (
        no_look_at_suspension,
        [
            functools.partial(test_tenant_life.test_a_suspended_tenant_is_refused_at_every_door, process="server"),
            functools.partial(test_tenant_life.test_an_open_stream_of_a_suspended_tenant_takes_no_message),
            functools.partial(test_tenant_life.test_a_running_stdio_server_of_a_suspended_tenant_refuses),
        ],
    ),
    "the tenant in a cursor's seal": (
        patched(pages, "_salt", lambda of: "cursor"),
        [functools.partial(test_handles.test_a_cursor_is_refused_elsewhere, listed=test_handles.of_products)],
    ),
    "the tenant in an export's handle, and its policy": (
        nothing_about_exports,
        [
            functools.partial(test_handles.test_an_export_does_not_exist_elsewhere),
            functools.partial(test_handles.test_a_link_leads_nowhere_at_another_tenants_url),
        ],
    ),
    "the policies of handles": (
        open_policies,
        [
            functools.partial(test_handles.test_an_export_cannot_be_named_by_its_id),
            functools.partial(test_handles.test_a_key_is_free_elsewhere),
        ],
    ),
    "the tenant in the deletion of its rows": (
        patched(tenant_rows, "delete", everybodys_rows),
        [functools.partial(test_tenant_life.test_a_deleted_tenant_leaves_nothing_and_takes_nothing_along)],
    ),
    "the refusal of platform work inside a tenant": (
        patched(context, "current_tenant_id", lambda: None),
        [
            functools.partial(test_lifetime.test_tenant_and_platform_contexts_exclude_each_other),
            functools.partial(test_platform_work.test_a_view_of_a_tenant_does_not_begin_platform_work),
        ],
    ),
    "the refusal of a tenant inside platform work": (
        patched(context, "platform_is_open", lambda: False),
        [functools.partial(test_lifetime.test_tenant_and_platform_contexts_exclude_each_other)],
    ),
    "the order in which contexts are left": (
        patched(context.tenant_context, "_close", lambda self, error: context._innermost.set(None)),
        [functools.partial(test_lifetime.test_leaving_contexts_out_of_order_is_an_error)],
    ),
    "refuse_server_cursor()": (
        patched(base, "refuse_server_cursor", lambda *args, **options: None),
        [functools.partial(test_lifetime.test_a_server_side_cursor_is_refused)],
    ),
    "the look at the pool": (
        both(
            patched(ConnectionPool, "drain", lambda self: None),
            patched(Connection, "has_ended", lambda self: False),
        ),
        [functools.partial(test_lifetime.test_one_dead_connection_has_its_neighbours_looked_at)],
    ),
    "the judge of what is bound": (
        patched(base.Cursor, "_execute_send", unjudged),
        [
            # Not what would change the role itself, which is the cluster's.
            *(in_a_comment(statement) for statement in test_entries.LASTING if "CURRENT_USER" not in statement),
            functools.partial(test_entries.test_what_is_refused_in_the_middle_takes_what_was_sent_along),
        ],
    ),
    "the look at comments": (
        patched(statements, "_skip_blank", skip_white_space),
        [
            *(
                functools.partial(test_entries.test_a_comment_before_a_statement_changes_nothing, comment=comment)
                for comment in test_entries.COMMENTS[:4]
            ),
            functools.partial(
                test_entries.test_a_comment_between_words_changes_nothing,
                statement="SET /* a */ LOCAL -- b\n statement_timeout = '9s'",
            ),
        ],
    ),
    "the look at what follows SET LOCAL": (
        patched(statements, "is_local", lambda text: text.upper().startswith("SET")),
        [
            functools.partial(
                test_entries.test_a_name_that_begins_like_a_keyword_is_set_for_no_session, statement="SET LOCAL.x = '1'"
            )
        ],
    ),
    "the savepoint that SET CONSTRAINTS does without": (
        in_a_savepoint,
        [
            functools.partial(
                test_entries.test_what_a_savepoint_took_back_of_the_constraints_is_not_in_force,
                statement="SET CONSTRAINTS ALL {}",
            )
        ],
    ),
    "the turns of threads": (
        patched(cursor, "turn", lambda connection: nullcontext()),
        [
            functools.partial(
                test_entries.test_a_connection_that_threads_share_crosses_nobody,
                statement="SELECT name FROM core_product WHERE name <> ';'",
            )
        ],
    ),
    "the revoke of setseed": (
        granted("EXECUTE ON FUNCTION setseed(double precision)", "app_tenant"),
        [functools.partial(test_entries.test_random_does_not_go_on_from_another_tenants_seed)],
    ),
    "the look at what a SET leaves": (
        patched(base.Cursor, "_refuse_set", lambda self, text, *, is_own: None),
        [
            functools.partial(test_entries.test_random_does_not_go_on_from_another_tenants_seed),
            functools.partial(test_entries.test_a_name_that_was_made_up_is_not_seen_by_the_next_tenant),
            functools.partial(test_entries.test_a_name_is_looked_up_whatever_shape_rows_have),
        ],
    ),
    "the refusal of what ends a transaction": (
        patched(base.Cursor, "_refuse_lasting", lambda self, text: None),
        [
            *(
                functools.partial(test_platform.test_work_does_not_end_its_own_transaction, word=word)
                for word in ("COMMIT", "ROLLBACK")
            ),
            functools.partial(test_hostile_sql.test_nothing_held_reaches_the_next_request, stolen="PREPARE stolen AS"),
        ],
    ),
    "the connection of platform work": (
        patched(cursor, "platform_record", anybodys_record),
        [functools.partial(test_platform.test_work_in_another_thread_is_no_part_of_it)],
    ),
    "the refusal of pipelines": (
        patched(base.Cursor, "_refuse_pipeline", lambda self: None),
        [functools.partial(test_entries.test_a_pipeline_is_refused_by_name, within=nullcontext)],
    ),
    "the READ ONLY that goes with each statement": (
        patched(cursor, "is_read_only", lambda: False),
        [
            *READING,
            *(
                functools.partial(test_reading.test_a_write_is_refused_in_words, name=name, is_atomic=is_atomic)
                for name in test_reading.WRITES
                for is_atomic in (False, True)
            ),
            functools.partial(test_reading.test_a_transaction_cannot_be_made_to_write_before_its_first_query),
            functools.partial(test_reading.test_it_follows_the_task_into_the_threads_of_the_async_orm),
            functools.partial(test_reading.test_platform_work_can_only_read_in_it_and_is_recorded),
        ],
    ),
    "rls.read_only() around what only reads": (patched(rls, "read_only", nullcontext), READING),
    "the refusal of a context in a generator": (
        patched(blocks, "refuse_generator", lambda frame: None),
        [
            *(
                functools.partial(test_blocks.test_a_generator_opens_no_context, generator=generator)
                for generator in test_blocks.GENERATORS
            ),
            functools.partial(test_blocks.test_an_async_generator_opens_no_context, generator=test_blocks.async_rows),
            functools.partial(test_blocks.test_a_generator_that_threads_step_opens_no_context),
        ],
    ),
    "the refusal of another tenant inside one": (
        patched(context.tenant_context, "_open", open_anyhow),
        [functools.partial(test_lifetime.test_another_tenants_context_is_refused_inside_one)],
    ),
    "the look at what a decorated function returns": (
        patched(blocks, "refuse_iterator", lambda function, result: result),
        [
            functools.partial(test_blocks.test_a_decorator_refuses_what_runs_where_it_is_consumed, lazy=lazy)
            for lazy in test_blocks.LAZY[3:]
        ],
    ),
    "the look at what is to be awaited": (
        patched(blocks, "is_async", lambda function: False),
        [functools.partial(test_blocks.test_a_decorator_holds_whatever_can_be_called)],
    ),
    "the context of a callback": (
        patched(base.ContextWrapper, "on_commit", base.stock.DatabaseWrapper.on_commit),
        [
            functools.partial(test_blocks.test_a_callback_runs_for_who_registered_it),
            functools.partial(test_blocks.test_a_callback_of_nobody_runs_for_nobody),
            functools.partial(test_blocks.test_a_callback_of_a_migration_keeps_its_tenant),
        ],
    ),
    "outside()": (
        patched(middleware, "outside", nullcontext),
        [functools.partial(test_blocks.test_a_request_has_the_context_of_its_url_alone)],
    ),
    "the look at what a resolver gives": (
        patched(context, "as_tenant_id", lambda value: value),
        [
            functools.partial(test_blocks.test_what_a_resolver_makes_up_is_no_tenant, resolved=resolved)
            for resolved in ("acme", "")
        ],
    ),
    "the look for a record that is committed and goes on": (
        any_record,
        [
            functools.partial(
                test_platform.test_a_record_that_can_be_rolled_back_opens_nothing,
                before="SELECT app.open_platform('me', 'in the same transaction', '')",
            ),
            functools.partial(test_platform.test_a_record_opens_nothing_once_it_has_ended),
        ],
    ),
    "keep_streaming()": (
        patched(middleware, "keep_streaming", lambda response, tenant_id: response),
        [
            functools.partial(test_middleware.test_two_streams_read_in_turns_stay_apart),
            functools.partial(test_middleware.test_two_async_streams_read_in_turns_stay_apart),
            functools.partial(test_blocks.test_a_body_that_is_closed_early_ends_in_its_tenants_context, is_async=False),
            functools.partial(test_blocks.test_a_body_that_another_thread_closes_ends_in_its_tenants_context),
        ],
    ),
}


def named(case: Case) -> str:
    return str(case.func.__name__)


NAMED = {named(case) for _, kept in KEPT_BY.values() for case in kept}

# The guard is in the process of the server; a view of the same process is in KEPT_BY.
NAMED |= {"test_a_tool_of_a_tenant_does_not_begin_platform_work"}


def cases(*modules: ModuleType) -> list[Case]:
    """Every test function of the modules with each of its values."""
    return [
        case
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("test_") and name not in NAMED and function.__module__ == module.__name__
        if not marks(functools.partial(function), "xfail")
        for case in with_each_value(function)
    ]


def marks(case: Case, name: str) -> list[pytest.Mark]:
    return [mark for mark in getattr(case.func, "pytestmark", []) if mark.name == name]


def with_each_value(function: Callable[..., Any]) -> list[Case]:
    choices = []
    for mark in marks(functools.partial(function), "parametrize"):
        names, values = mark.args
        names = [names] if isinstance(names, str) else names
        choices.append([dict(zip(names, value if len(names) > 1 else [value], strict=True)) for value in values])
    return [
        functools.partial(function, **dict(itertools.chain(*map(dict.items, each))))
        for each in itertools.product(*choices)
    ]


@contextmanager
def intact(admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No guard is removed."""
    yield


def fails(
    case: Case, guard: Guard, request: pytest.FixtureRequest, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether the case fails without the guard, called as pytest would, on tenants of its own."""
    saved: Saved = request.getfixturevalue("saved")
    saved.clear()
    fixtures: dict[str, object] = {name: saved.put(name) for name in ("acme", "globex")}
    wanted = [name for name in inspect.signature(case.func).parameters if name not in case.keywords]
    fixtures |= {name: request.getfixturevalue(name) for name in wanted if name not in fixtures}
    for mark in marks(case, "usefixtures"):
        request.getfixturevalue(mark.args[0])
    fresh_connections()
    with ExitStack() as stack:
        stack.enter_context(guard(admin, monkeypatch))
        for mark in marks(case, "urls"):
            stack.enter_context(override_settings(ROOT_URLCONF=mark.args[0]))
        try:
            # A case that fails may leave a context open.
            copy_context().run(carried_out, case, {name: fixtures[name] for name in wanted})
        except FAILURE:
            return True
        finally:
            fresh_connections()
    return False


def carried_out(case: Case, given: Mapping[str, object]) -> None:
    """The case from its beginning to its end, also one that is async."""
    running = case(**given)
    if inspect.iscoroutine(running):
        asyncio.run(running)


def fresh_connections() -> None:
    connection.close()
    connection.close_pool()


CASES = cases(
    test_reads,
    test_writes,
    test_no_context,
    test_lifetime,
    test_leaks,
    test_platform_work,
    test_tenant_life,
    test_handles,
    test_blocks,
    test_entries,
    *([test_pgbouncer] if test_pgbouncer.PGBOUNCER else []),
)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_case_fails_without_its_guard(
    case: Case, request: pytest.FixtureRequest, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not fails(case, intact, request, admin, monkeypatch)
    assert any(fails(case, guard, request, admin, monkeypatch) for guard in GUARDS), (
        "it passes without any guard: what does it prove?"
    )


@pytest.mark.parametrize(
    ("guard", "case"),
    [
        pytest.param(guard, case, id=f"{name}, {named(case)}")
        for name, (guard, kept) in KEPT_BY.items()
        for case in kept
    ],
)
def test_a_case_fails_without_the_guard_that_keeps_it(
    guard: Guard, case: Case, request: pytest.FixtureRequest, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not fails(case, intact, request, admin, monkeypatch)
    assert fails(case, guard, request, admin, monkeypatch)


def test_what_procedural_code_writes_is_refused_twice(
    request: pytest.FixtureRequest, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = hostile(test_hostile_sql.DO)
    language = granted("USAGE ON LANGUAGE plpgsql")

    assert not fails(attack, language, request, admin, monkeypatch)
    monkeypatch.setattr(base.Cursor, "_check_tag", lambda self: None)
    assert not fails(attack, intact, request, admin, monkeypatch)
    assert fails(attack, language, request, admin, monkeypatch)


def test_a_refusal_to_serve_needs_the_look_at_the_role(postgres_server: Server, database: str) -> None:
    blind = "from rls import roles\nroles.refuse_unbound = lambda connection: None\n"
    superuser = f"{postgres_server.admin_url.rpartition('/')[0]}/{database}"

    refused, started = (
        test_asgi.run(["-c", program], DATABASE_URL=superuser)
        for program in (test_asgi.LIFESPAN, blind + test_asgi.LIFESPAN)
    )

    assert (refused.returncode != 0, started.returncode) == (True, 0)


AT_THE_DOOR = [
    test_mcp_endpoint.test_two_hundred_interleaved_calls_of_both_eras,
    test_mcp_endpoint.test_sessions_and_sse_keep_tenants_apart,
    test_mcp_endpoint.test_stdio_serves_its_tenant,
    test_mcp_endpoint.test_resources_prompts_and_completions_run_in_the_context_too,
    test_mcp_endpoint.test_a_tool_that_raises_or_is_cancelled_leaves_nothing,
    test_mcp_endpoint.test_what_is_read_of_a_tenant_is_its_own,
    test_mcp_endpoint.test_what_is_suggested_to_a_tenant_is_its_own,
    test_mcp_endpoint.test_what_a_tenant_hears_is_its_own,
]


@pytest.mark.parametrize("case", AT_THE_DOOR, ids=lambda case: case.__name__)
def test_the_door_needs_the_policies(
    case: Callable[..., Any],
    request: pytest.FixtureRequest,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [case, *_] = with_each_value(case)
    wanted = {
        name: request.getfixturevalue(name) for name in inspect.signature(case).parameters if name not in case.keywords
    }

    with open_policies(admin, monkeypatch), pytest.raises(FAILURE):
        case(**wanted)
