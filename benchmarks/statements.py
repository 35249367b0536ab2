"""The cost of row-level security for each kind of statement, against the statement with a tenant filter by hand.

    python -m benchmarks.statements > table.md

No ORM: each is one statement, its values bound before the clock starts. Four sides run it in turns, in one run:

    policy      psycopg as app_tenant, the variable set on its connection
    filtered    psycopg as a superuser, whom no policy binds; the text holds the filter
    prefixed    Django's cursor of `default`, which sends the tenant with the statement
    stock       Django's cursor of `stock`, as a superuser; the text holds the filter

Prints the medians of policy / filtered and of prefixed / stock, with the first and third quartile. Each sitting has
new connections and another order of kinds: what a server process has run before decides whether its heap takes a page
fault in each statement, and that can be a quarter of a short one. A kind whose sides disagree about its rows, or whose
plan is not the one that it names, stops the run.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from django.db import connections
from psycopg.conninfo import make_conninfo

from benchmarks import common
from rls import tenant_context
from rls.schema.policies import policies
from rls.testing.server import disconnect
from tests.support import postgres

SITTINGS = 5
ROUNDS = 8
TENANTS = 20
PRODUCTS = 10_000
ORDERS = 2_000
LINES = 5
REPEATS = 40

TENANT = "(NULLIF(current_setting('app.current_tenant', true), ''))::uuid"

TABLES = f"""
-- No parallel workers: the processes of one statement would race each other on a small machine.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET max_parallel_workers_per_gather = 0', current_database()); END $$;

CREATE TABLE bench_item (
    tenant_id uuid NOT NULL DEFAULT {TENANT},
    number integer NOT NULL,
    name text NOT NULL,
    name_lower text COLLATE "C" GENERATED ALWAYS AS (lower(name)) STORED,
    price numeric(12, 2) NOT NULL,
    price_minor bigint NOT NULL,
    attributes jsonb NOT NULL,
    batch text GENERATED ALWAYS AS (attributes ->> 'batch') STORED
);
CREATE TABLE bench_unindexed (tenant_id uuid NOT NULL DEFAULT {TENANT}, number integer NOT NULL);

-- The rows of the tenants lie among each other, as they do where tenants work at the same time.
INSERT INTO core_tenant (name, subdomain, is_active)
SELECT 'Tenant ' || n, 'tenant-' || n, true FROM generate_series(1, {TENANTS}) AS n;
INSERT INTO core_product (tenant_id, sku, name, price_minor, currency, stock, is_active, created_at)
SELECT t.id, 'S-' || n, 'Thing ' || n, n, 'EUR', 5, true, now() - n * interval '1 minute'
FROM core_tenant AS t CROSS JOIN generate_series(1, {PRODUCTS}) AS n ORDER BY n;
INSERT INTO core_order (tenant_id, number, status)
SELECT t.id, n, 'placed' FROM core_tenant AS t CROSS JOIN generate_series(1, {ORDERS}) AS n ORDER BY n;
INSERT INTO core_orderitem (tenant_id, order_id, product_id, quantity, price_minor, currency)
SELECT o.tenant_id, o.id, p.id, 2, p.price_minor, 'EUR'
FROM core_order AS o
CROSS JOIN generate_series(1, {LINES}) AS line
JOIN core_product AS p ON p.tenant_id = o.tenant_id AND p.sku = 'S-' || 1 + (o.number * {LINES} + line) % {PRODUCTS}
ORDER BY o.number;
INSERT INTO bench_item (tenant_id, number, name, price, price_minor, attributes)
SELECT t.id, n, 'Thing ' || n, n / 100.0, n, jsonb_build_object('batch', 'B-' || n % ({PRODUCTS} / 10), 'colour', 'red')
FROM core_tenant AS t CROSS JOIN generate_series(1, {PRODUCTS}) AS n ORDER BY n;
INSERT INTO bench_unindexed (tenant_id, number) SELECT tenant_id, number FROM bench_item;

CREATE INDEX bench_price ON bench_item (tenant_id, price);
CREATE INDEX bench_price_minor ON bench_item (tenant_id, price_minor);
CREATE INDEX bench_upper ON bench_item (tenant_id, upper(name));
CREATE INDEX bench_like ON bench_item (tenant_id, name text_pattern_ops);
CREATE INDEX bench_lower ON bench_item (tenant_id, name_lower);
CREATE INDEX bench_attributes ON bench_item USING gin (attributes jsonb_path_ops);
CREATE INDEX bench_batch ON bench_item (tenant_id, batch);
{policies("bench_item")}
{policies("bench_unindexed")}
GRANT SELECT ON bench_item, bench_unindexed TO app_tenant;
"""

TRIGRAM = "CREATE EXTENSION pg_trgm; CREATE INDEX bench_trigram ON bench_item USING gin (name gin_trgm_ops);"

PRODUCT = "INSERT INTO core_product ([tenant_id, ]sku, name, price_minor, currency, stock, is_active) VALUES "
NEW_ROW = "([:tenant, ]gen_random_uuid()::text, 'New', 1999, 'EUR', 5, true)"
DOOMED = f"""
INSERT INTO core_product (id, tenant_id, sku, name, price_minor, currency, stock, is_active)
SELECT md5('doomed' || n)::uuid, :tenant, 'doomed-' || n, 'New', 1999, 'EUR', 5, true
FROM generate_series(1, {REPEATS}) AS n
"""
# What the writes leave, away. VACUUM, so that one kind does not read the dead rows of another.
SWEEP = ("DELETE FROM core_product WHERE name = 'New'", "VACUUM ANALYZE core_product")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of statement.

    In `sql`, what stands in [brackets] is written by hand only and left to the policy on the other side; `:tenant` is
    the tenant, `:value` one of `values` after the other. `rows` is how many rows a statement returns or writes.
    `plan` is a pattern that EXPLAIN shows on both sides; with `policy_plan` it shows that one under the policy.
    `arrange` is run by the superuser before each side, and not timed.
    """

    name: str
    sql: str
    plan: str
    policy_plan: str = ""
    rows: int = 1
    values: Sequence[str] = ("",)
    repeats: int = REPEATS
    arrange: str = ""

    @property
    def reads(self) -> bool:
        return self.sql.startswith("SELECT")

    def text(self, tenant_id: UUID, value: str, *, by_hand: bool) -> str:
        text = re.sub(r"\[(.*?)\]", r"\1" if by_hand else "", self.sql)
        return text.replace(":tenant", f"'{tenant_id}'").replace(":value", value)

    def texts(self, tenant_id: UUID, *, by_hand: bool) -> list[str]:
        values = (self.values[number % len(self.values)] for number in range(self.repeats))
        return [self.text(tenant_id, value, by_hand=by_hand) for value in values]


@dataclass(frozen=True, slots=True)
class Side:
    """Who runs the statements, and whether their text holds the filter."""

    name: str
    cursor: Any
    by_hand: bool


def kinds(admin: psycopg.Connection, tenant_id: UUID, *, has_trigram: bool) -> list[Kind]:
    """What is measured, on rows of this tenant."""

    def ids(table: str, key: str) -> list[str]:
        query = f"SELECT id FROM {table} WHERE tenant_id = %s ORDER BY {key} LIMIT %s"
        return [str(row[0]) for row in admin.execute(query, [tenant_id, REPEATS])]

    product_ids = ids("core_product", "md5(sku)")
    order_ids = ids("core_order", "md5(number::text)")
    id_list = ", ".join(f"'{product_id}'" for product_id in product_ids[:20])
    numbers = [str(PRODUCTS // 4 + 7 * number) for number in range(REPEATS)]
    return [
        Kind(
            name="select by primary key",
            sql="SELECT id, sku, name, price_minor FROM core_product WHERE id = ':value'[ AND tenant_id = :tenant]",
            values=product_ids,
            plan=r"Index Scan using core_product_\w+ .*\n +Index Cond: .*\bid = ",
        ),
        Kind(
            name="list of 20, newest first",
            sql="SELECT id, sku, name, price_minor FROM core_product[ WHERE tenant_id = :tenant]"
            " ORDER BY created_at DESC, id DESC LIMIT 20",
            rows=20,
            plan=r"Limit\n(?s:.*)Index Scan using product_newest .*\n +Index Cond: .*tenant_id = ",
        ),
        Kind(
            name="`IN` list of 20 keys",
            sql=f"SELECT id, sku, name, price_minor FROM core_product WHERE id IN ({id_list})"
            "[ AND tenant_id = :tenant]",
            rows=20,
            plan=r"Index Cond: .*\bid = ANY",
        ),
        Kind(
            name=f"count of a tenant's {PRODUCTS:,} rows",
            sql="SELECT count(*) FROM core_product[ WHERE tenant_id = :tenant]",
            repeats=10,
            plan=r"Index Only Scan using .*\n +Index Cond: \(tenant_id = ",
        ),
        Kind(
            name=f"aggregate, scan of all {TENANTS * PRODUCTS:,} rows",
            sql="SELECT count(*), sum(number) FROM bench_unindexed[ WHERE tenant_id = :tenant]",
            repeats=3,
            plan=r"Seq Scan on bench_unindexed",
        ),
        Kind(
            name=f"join: the {LINES} lines of an order with their products",
            sql="SELECT i.quantity, p.sku, p.name FROM core_orderitem AS i"
            " JOIN core_product AS p ON p.id = i.product_id[ AND p.tenant_id = :tenant]"
            " WHERE i.order_id = ':value'[ AND i.tenant_id = :tenant]",
            values=order_ids,
            rows=LINES,
            plan=r"(?s)Nested Loop.*orderitem_product_unique.*Index Cond: .*order_id = .*core_product_\w+ .*\bid = ",
        ),
        Kind(
            name=f"join: all {ORDERS * LINES:,} lines of a tenant with their products",
            sql="SELECT sum(i.quantity * p.price_minor) FROM core_orderitem AS i"
            " JOIN core_product AS p ON p.id = i.product_id[ AND p.tenant_id = :tenant][ WHERE i.tenant_id = :tenant]",
            repeats=3,
            plan=r"Hash Join",
        ),
        Kind(name="insert one", sql=PRODUCT + NEW_ROW, plan=r"Insert on core_product"),
        Kind(
            name="insert 100 in one statement",
            sql=PRODUCT + ", ".join([NEW_ROW] * 100),
            rows=100,
            repeats=5,
            plan=r"Insert on core_product",
        ),
        Kind(
            name="update by primary key",
            sql="UPDATE core_product SET stock = stock + 1 WHERE id = ':value'[ AND tenant_id = :tenant]",
            values=product_ids,
            plan=r"Index Scan using core_product_\w+ .*\n +Index Cond: .*\bid = ",
        ),
        Kind(
            name="delete by primary key",
            sql="DELETE FROM core_product WHERE id = md5('doomed:value')::uuid[ AND tenant_id = :tenant]",
            values=[str(number) for number in range(1, REPEATS + 1)],
            arrange=DOOMED,
            plan=r"Index Scan using core_product_\w+ .*\n +Index Cond: .*\bid = ",
        ),
        Kind(
            name="upsert of a row that is there",
            sql=PRODUCT + "([:tenant, ]'S-:value', 'Thing', 1999, 'EUR', 5, true)"
            " ON CONFLICT (tenant_id, sku) DO UPDATE SET stock = core_product.stock + excluded.stock",
            values=numbers,
            plan=r"Conflict Arbiter Indexes: product_sku_unique",
        ),
        *not_leakproof(numbers, has_trigram=has_trigram),
    ]


def not_leakproof(numbers: list[str], *, has_trigram: bool) -> Iterator[Kind]:
    """What a policy keeps from its index, each followed by what to write instead."""
    select = "SELECT number, name FROM bench_item WHERE "
    tenant = "[ AND tenant_id = :tenant]"

    yield Kind(
        name="numeric `=`",
        sql=f"{select}price = :value / 100.0{tenant}",
        values=numbers,
        repeats=10,
        plan=r"Index Cond: .*price = ",
        policy_plan=r"Filter: \(price = ",
    )
    yield Kind(
        name="instead: `=` on integer minor units",
        sql=f"{select}price_minor = :value{tenant}",
        values=numbers,
        plan=r"Index Cond: .*price_minor = ",
    )
    yield Kind(
        name="`upper(name) =`, which `iexact` writes",
        sql=f"{select}upper(name) = 'THING :value'{tenant}",
        values=numbers,
        repeats=10,
        plan=r"Index Cond: .*upper\(name\) = ",
        policy_plan=r"Filter: \(upper\(name\) = ",
    )
    yield Kind(
        name="instead: `=` on a stored lower column",
        sql=f"{select}name_lower = 'thing :value'{tenant}",
        values=numbers,
        plan=r"Index Cond: .*name_lower = ",
    )
    yield Kind(
        name="`LIKE 'x%'`",
        sql=f"{select}name LIKE 'Thing :value%'{tenant}",
        values=numbers,
        repeats=10,
        plan=r"Index Cond: .*name ~>=~ ",
        policy_plan=r"Filter: \(name ~~ ",
    )
    yield Kind(
        name="instead: `^@` on a stored lower column",
        sql=f"{select}name_lower ^@ 'thing :value'{tenant}",
        values=numbers,
        plan=r"Index Cond: .*name_lower >= ",
    )
    yield Kind(
        name="instead: range on a stored lower column",
        sql=f"{select}name_lower >= 'thing :value' AND name_lower < 'thing :value~'{tenant}",
        values=numbers,
        plan=r"Index Cond: .*name_lower >= ",
    )
    if has_trigram:
        yield Kind(
            name="trigram `ILIKE '%x%'`",
            sql=f"{select}name ILIKE '%:value%'{tenant}",
            values=numbers,
            repeats=10,
            plan=r"Bitmap Index Scan on bench_trigram",
            policy_plan=r"Filter: \(name ~~\* ",
        )
    batches = [str(int(number) % (PRODUCTS // 10)) for number in numbers]
    yield Kind(
        name="jsonb `@>`",
        sql=select + """attributes @> '{"batch": "B-:value"}'""" + tenant,
        values=batches,
        rows=10,
        repeats=10,
        plan=r"Bitmap Index Scan on bench_attributes",
        policy_plan=r"Filter: \(attributes @> ",
    )
    yield Kind(
        name="instead: `=` on a stored column of the jsonb",
        sql=f"{select}batch = 'B-:value'{tenant}",
        values=batches,
        rows=10,
        plan=r"Index Cond: .*batch = ",
    )


def run(cursor: Any, texts: list[str]) -> tuple[float, int]:
    """How long the statements take, results and all, and how many rows they return or write."""
    rows = 0
    started = time.perf_counter()
    for text in texts:
        cursor.execute(text)
        if cursor.description:
            cursor.fetchall()
        rows += cursor.rowcount
    return time.perf_counter() - started, rows


def check_rows(kind: Kind, sides: list[Side], tenant_id: UUID) -> None:
    """Raise unless every side returns the same rows for each value, as many as the kind says."""
    for value in kind.values[: kind.repeats]:
        answers = {}
        for side in sides:
            side.cursor.execute(kind.text(tenant_id, value, by_hand=side.by_hand))
            answers[side.name] = sorted(map(repr, side.cursor.fetchall()))
        first, *others = answers.values()
        if len(first) != kind.rows or any(other != first for other in others):
            raise SystemExit(f"{kind.name}, {value!r}: the sides read different rows: {answers}")


def check_plans(kind: Kind, sides: list[Side], tenant_id: UUID) -> None:
    """Raise unless EXPLAIN shows what the kind says."""
    for side in sides:
        pattern = kind.plan if side.by_hand else kind.policy_plan or kind.plan
        for value in kind.values[: kind.repeats]:
            side.cursor.execute("EXPLAIN (COSTS OFF) " + kind.text(tenant_id, value, by_hand=side.by_hand))
            plan = "\n".join(line for (line,) in side.cursor.fetchall())
            if not re.search(pattern, plan):
                raise SystemExit(f"{kind.name}, {side.name}: the plan has no {pattern!r}:\n{plan}")


def measure(kind: Kind, sides: list[Side], admin: psycopg.Connection, tenant_id: UUID) -> Iterator[tuple[float, float]]:
    """The ratios of each round: of the policy alone, and of policy and prefix."""
    texts = {side.name: kind.texts(tenant_id, by_hand=side.by_hand) for side in sides}
    for number in range(ROUNDS + 1):
        taken = {}
        for side in sides if number % 2 else reversed(sides):
            if kind.arrange:
                admin.execute(kind.arrange.replace(":tenant", f"'{tenant_id}'"))
            taken[side.name], rows = run(side.cursor, texts[side.name])
            if rows != kind.rows * kind.repeats:
                raise SystemExit(f"{kind.name}, {side.name}: {rows} rows, not {kind.rows * kind.repeats}")
        if number:  # the first one warms up
            yield taken["policy"] / taken["filtered"], taken["prefixed"] / taken["stock"]


@contextmanager
def four_sides(server: postgres.Server, database: str, tenant_id: UUID) -> Iterator[list[Side]]:
    """The sides, each with its connection, in autocommit."""
    serving = server.url(database, "app_tenant")
    superuser = make_conninfo(server.admin_url, dbname=database)
    with (
        closing(psycopg.connect(serving, autocommit=True, cursor_factory=psycopg.ClientCursor)) as policy,
        closing(psycopg.connect(superuser, autocommit=True, cursor_factory=psycopg.ClientCursor)) as filtered,
        connections["default"].cursor() as prefixed,
        connections["stock"].cursor() as stock,
        tenant_context(tenant_id),
    ):
        policy.execute(f"SET app.current_tenant = '{tenant_id}'")
        for cursor in (filtered, stock):  # app_tenant has one by its role, and it arms a timer for each statement
            cursor.execute("SET statement_timeout = '30s'")
        yield [
            Side("policy", policy.cursor(), by_hand=False),
            Side("filtered", filtered.cursor(), by_hand=True),
            Side("prefixed", prefixed, by_hand=False),
            Side("stock", stock, by_hand=True),
        ]
    disconnect()


def fill(admin: psycopg.Connection) -> bool:
    """Make tables and rows. Returns whether the server has pg_trgm."""
    # The tests' server does not wait for commits, and VACUUM marks no page whose commit is on its way.
    admin.execute("SET synchronous_commit = on")
    admin.execute(TABLES)
    has_trigram = bool(admin.execute("SELECT FROM pg_available_extensions WHERE name = 'pg_trgm'").rowcount)
    if has_trigram:
        admin.execute(TRIGRAM)
    admin.execute("VACUUM ANALYZE")
    return has_trigram


def main() -> None:
    with (
        common.database() as (server, database),
        closing(psycopg.connect(make_conninfo(server.admin_url, dbname=database), autocommit=True)) as admin,
    ):
        has_trigram = fill(admin)
        [(tenant_id,)] = admin.execute("SELECT id FROM core_tenant WHERE subdomain = 'tenant-7'")
        measured = kinds(admin, tenant_id, has_trigram=has_trigram)
        ratios: dict[str, list[tuple[float, float]]] = {kind.name: [] for kind in measured}
        for _ in range(SITTINGS):
            with four_sides(server, database, tenant_id) as sides:
                for kind in random.sample(measured, len(measured)):
                    check_plans(kind, sides, tenant_id)
                    if kind.reads:
                        check_rows(kind, sides, tenant_id)
                    ratios[kind.name] += measure(kind, sides, admin, tenant_id)
                    if not kind.reads:
                        for statement in SWEEP:
                            admin.execute(statement)
        print("| statement | policy alone | policy + prefix |")
        print("|---|---|---|")
        for name, pairs in ratios.items():
            alone, prefixed = zip(*pairs, strict=True)
            print(f"| {name} | {common.shown(alone)} | {common.shown(prefixed)} |")
        [(version,)] = admin.execute("SHOW server_version")
        print()
        print(
            f"PostgreSQL {version}; {TENANTS} tenants with {PRODUCTS:,} products and {ORDERS * LINES:,} lines of orders"
            f" each; {SITTINGS * ROUNDS} rounds in turns; median (first to third quartile)."
            + ("" if has_trigram else " Trigrams were left out: the server has no pg_trgm.")
        )


if __name__ == "__main__":
    main()
