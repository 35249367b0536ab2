"""How long the calls of one tenant, B, wait while another, A, calls the dearest tool over 64 connections.

    python -m benchmarks.noisy [SECONDS]      # of a turn, and each of these is measured in ROUNDS turns

B reads a page of 20 products again and again, as fast as its limits allow. In turns A does nothing, and A calls over 64
connections: of a server without limits, and of one with the limits that hold from the start, where A once waits as it
is told, and once does not. All in one run, with one process of the server on a processor of its own.

Prints a table, and ends with an error where B waits more than twice as long beside an A that is limited.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import common  # isort: skip

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks import bounds, servers
from benchmarks.counting import MODERN, request
from benchmarks.servers import OURS, Running
from core.scopes import Scope
from mcp_server.tokens import tokens
from rls import platform_context
from tests.support.world import make_tenant

WIDTH = 64
ROUNDS, SECONDS = 3, 10.0
# Of a turn that are not counted: what A began before ends, and what it begins reaches its height.
SETTLING = 2.0
# B's tokens, each with a client, and the seconds from one call to the next: below 600 a minute.
QUIET_CLIENTS, INTERVAL = 2, 0.125
# B waits at most so many times as long as beside an A that does nothing.
MOST = 2.0
PRODUCTS = 10_000
ORDERS = 20_000
DEAREST, CHEAP = "get_business_insights", "get_tenant_products"

ROWS = """
INSERT INTO core_product (tenant_id, sku, name, category, price_minor, currency, stock, reorder_level, is_active)
SELECT %(tenant)s, 'SKU-' || n, '高山烏龍茶 ' || n, 'category-' || n %% 50, 48000 + n, 'EUR', n %% 900, 5, true
FROM generate_series(1, %(products)s) AS n;
INSERT INTO core_order (tenant_id, number, status, currency, total_minor, placed_at, created_at)
SELECT %(tenant)s, 100000 + n, 'paid', 'EUR', n * 100, now() - n * interval '5 minutes',
       now() - n * interval '5 minutes'
FROM generate_series(1, %(orders)s) AS n;
INSERT INTO core_orderitem (tenant_id, order_id, product_id, quantity, price_minor, currency)
SELECT o.tenant_id, o.id, p.id, 2, 100, 'EUR'
FROM core_order AS o CROSS JOIN LATERAL (
    SELECT id FROM core_product WHERE tenant_id = %(tenant)s ORDER BY sku OFFSET o.number %% 50 LIMIT 2
) AS p
WHERE o.tenant_id = %(tenant)s AND o.number > 100000;
"""


@dataclass(slots=True)
class Turns:
    """What B waited in the turns of one kind, and what became of A's calls."""

    title: str
    waits: list[float] = field(default_factory=list)
    answered: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def p95(self) -> float:
        """In seconds."""
        return statistics.quantiles(self.waits, n=20)[18]


@dataclass(frozen=True, slots=True)
class Noise:
    """How A calls: whether it waits for `Retry-After` where it is refused."""

    heeds: bool


class Caller:
    """One connection that is kept, and one call at a time on it."""

    def __init__(self, port: int, slug: str, token: str, tool: str, arguments: Sequence[dict[str, object]]) -> None:
        """`arguments` are those of its calls, one after the other, and again."""
        requests = [_request(port, f"/mcp/{slug}/", token, tool, each) for each in arguments]
        self._requests = itertools.cycle(requests)
        self._port = port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        self._writer.close()

    async def call(self) -> int | None:
        """Call once. None where it was answered, or the seconds after which to call again."""
        self._writer.write(next(self._requests))
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        if b"content-length" in fields:
            body = await self._reader.readexactly(int(fields[b"content-length"]))
        else:
            body = await self._reader.readuntil(b"0\r\n\r\n")
        if b"retry-after" in fields:
            return int(fields[b"retry-after"])
        if b'"isError":true' in body or not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not an answer: {head.decode()}{body[:500].decode(errors='replace')}")
        return None


def _request(port: int, path: str, token: str, tool: str, arguments: dict[str, object]) -> bytes:
    head, body = request(path, token, tool, arguments, MODERN)
    lines = [f"POST {path} HTTP/1.1".encode(), *(name + b": " + value for name, value in head)]
    return b"\r\n".join(lines).replace(b"127.0.0.1:8000", b"127.0.0.1:%d" % port) + b"\r\n\r\n" + body


async def turn(quiet: list[Caller], noisy: list[Caller], noise: Noise | None, seconds: float, found: Turns) -> None:
    """One turn: B calls, and A as it is said."""
    for each in [*quiet, *noisy]:
        await each.open()
    ends = time.perf_counter() + seconds + SETTLING
    counts_from = ends - seconds
    await asyncio.gather(
        *(_listen(each, ends, counts_from, found) for each in quiet),
        *(_shout(each, noise, ends, counts_from, found) for each in (noisy if noise else [])),
    )
    found.seconds += seconds
    for each in [*quiet, *noisy]:
        each.close()


async def _listen(caller: Caller, ends: float, counts_from: float, found: Turns) -> None:
    while (started := time.perf_counter()) < ends:
        if await caller.call() is not None:
            raise SystemExit("B was refused, who does not call too often")
        waited = time.perf_counter() - started
        if started >= counts_from:
            found.waits.append(waited)
        await asyncio.sleep(max(0.0, INTERVAL - waited))


async def _shout(caller: Caller, noise: Noise, ends: float, counts_from: float, found: Turns) -> None:
    while (now := time.perf_counter()) < ends:
        seconds = await caller.call()
        if now >= counts_from:
            found.answered += seconds is None
            found.refused += seconds is not None
        if seconds is not None and noise.heeds:
            await asyncio.sleep(min(seconds, max(0.0, ends - time.perf_counter())))


async def measure(
    with_limits: Running, without: Running, keys: Mapping[str, list[str]], seconds: float
) -> dict[str, tuple[Turns, Turns]]:
    """For each kind of A: what B waited beside it, and, between its turns, beside an A that does nothing."""
    kinds = {
        "no limits": (without, Noise(heeds=False)),
        "limits; A calls on": (with_limits, Noise(heeds=False)),
        "limits; A waits as it is told": (with_limits, Noise(heeds=True)),
    }
    found = {title: (Turns(title), Turns(title)) for title in kinds}
    callers = {}
    for server in (with_limits, without):
        quiet = [Caller(server.port, "quiet", token, CHEAP, [{"limit": 20}]) for token in keys["quiet"]]
        noisy = [Caller(server.port, "noisy", keys["noisy"][0], DEAREST, _periods(each)) for each in range(WIDTH)]
        callers[server.port] = quiet, noisy
    for number in range(ROUNDS):
        order = [*kinds][number % len(kinds) :] + [*kinds][: number % len(kinds)]
        for title in order:
            server, noise = kinds[title]
            idle, loud = found[title]
            await turn(*callers[server.port], None, seconds, idle)
            await turn(*callers[server.port], noise, seconds, loud)
    return found


def _periods(number: int) -> list[dict[str, object]]:
    """Others for each connection, so that no answer was kept before."""
    return [{"period": f"last_{30 + (each * WIDTH + number) % 700}_days"} for each in range(11)]


def fill(admin: psycopg.Connection, tenant: object) -> None:
    with psycopg.ClientCursor(admin) as cursor:
        cursor.execute(ROWS, {"tenant": tenant, "products": PRODUCTS, "orders": ORDERS})


def shown(found: Mapping[str, tuple[Turns, Turns]]) -> list[str]:
    lines = [
        "| | B beside an idle A: p50, p95 ms | beside A's 64: p50, p95 ms | p95 of idle | A: answers/s, refusals/s |",
        "|---|---|---|---|---|",
    ]
    for title, (idle, loud) in found.items():
        lines.append(
            f"| {title} | {_both(idle)} | {_both(loud)} | {loud.p95 / idle.p95:.2f}x "
            f"| {loud.answered / loud.seconds:,.1f}, {loud.refused / loud.seconds:,.1f} |"
        )
    return lines


def _both(turns: Turns) -> str:
    return f"{statistics.median(turns.waits) * 1000:.1f}, {turns.p95 * 1000:.1f}"


def main() -> None:
    seconds = float(sys.argv[1]) if sys.argv[1:] else SECONDS
    with ExitStack() as stack:
        server, name = stack.enter_context(common.database())
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-noisy-"))
        admin = stack.enter_context(
            closing(psycopg.connect(make_conninfo(server.admin_url, dbname=name), autocommit=True))
        )
        keys = {}
        for slug, count in (("quiet", QUIET_CLIENTS), ("noisy", 1)):
            world = make_tenant(slug, slug.title())
            fill(admin, world.id)
            with platform_context(actor="benchmarks", reason="arrange"):
                keys[slug] = [
                    tokens.create(name=f"{slug} {number}", slug=slug, scopes=Scope) for number in range(count)
                ]
        admin.execute("VACUUM ANALYZE")
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings"}
        log = Path(place) / "log"
        running = [
            stack.enter_context(servers.running(replace(OURS, environment=limits), environment, log))
            for limits in (bounds.DEFAULT, bounds.NONE)
        ]
        found = asyncio.run(measure(running[0], running[1], keys, seconds))
    print("\n".join(shown(found)))
    loud = [title for title, (idle, beside) in found.items() if title != "no limits" and beside.p95 > MOST * idle.p95]
    if loud:
        raise SystemExit(f"B waits more than {MOST:g} times as long: {', '.join(loud)}")


if __name__ == "__main__":
    main()
