"""What a tool call costs beside other people's servers: a page of 20 of a tenant's 100,000 products.

    make bench-calls      # python -m benchmarks.calls, after installing the others into .local/peers

All servers run at once, on one processor; one of them is called at a time, from the other processor, in turns. Each
answer is looked at: the 20 newest products of the tenant. Prints a table.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import common  # isort: skip

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks import messages, servers
from benchmarks.counting import MODERN, Era
from benchmarks.load import Load, Wrong
from benchmarks.servers import OURS, PEERS, SERVERS, SKETCH, SLUG, Peer, Running
from core.scopes import Scope
from core.services import tenants
from mcp_server.tokens import tokens
from rls import platform_context, tenant_context

PRODUCTS = 100_000
OTHERS_PRODUCTS = 1_000
WARM_UP = 100
ROUNDS, CALLS, WIDTH = 5, 320, 8
WIDE_ROUNDS, WIDE_CALLS, WIDE = 2, 320, 32
COUNTED_CALLS = 20
# Of the log of servers, in characters, where one of them fails.
LAST_WORDS = 3_000

FILL = """
INSERT INTO core_product (tenant_id, sku, name, category, price_minor, currency, stock, reorder_level, is_active)
SELECT %(tenant)s, %(prefix)s || n, '高山烏龍茶 ' || n, 'category-' || n %% 50, 48000 + n, 'TWD', n %% 900, 5, true
FROM generate_series(1, %(products)s) AS n
"""


@dataclass(slots=True)
class Measured:
    """What was measured of one server, asked in one era."""

    peer: Peer
    era: Era
    statements: float = 0.0
    size: int = 0
    start: float = 0.0
    memory: int = 0
    connections: int = 0
    cpu: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    latencies: dict[int, list[float]] = field(default_factory=lambda: {WIDTH: [], WIDE: []})


@dataclass(frozen=True, slots=True)
class Shop:
    """What is read: the tenant with its token, and what each answer has to show."""

    environment: Mapping[str, str]
    admin: psycopg.Connection
    bound_url: str
    admin_url: str
    token: str
    expected: list[str]
    log: Path

    def of(self, peer: Peer, port: int | None = None) -> dict[str, str]:
        """The environment of a server; `port` is that of a proxy, where PostgreSQL is asked through one."""
        found = {**self.environment, "PEER_DATABASE_URL": self.bound_url if peer.is_bound else self.admin_url}
        if port is None:
            return found
        place = conninfo_to_dict(self.bound_url)["port"]
        return {name: value.replace(f":{place}/", f":{port}/") for name, value in found.items()}

    def check(self, body: bytes) -> None:
        """Raises Wrong where the answer is not the tenant's newest 20."""
        if servers.rows_in(body) != self.expected:
            raise Wrong(f"not the newest products of the tenant: {body[:300].decode(errors='replace')}")

    def load(self, server: Running, era: Era, calls: int, width: int) -> Load:
        """Call a server. Raises SystemExit, with its log, where an answer is wrong."""
        request = server.peer.request(server.port, era, self.token)
        try:
            return Load(port=server.port, request=request, check=self.check, calls=calls, width=width).run()
        except (Wrong, ValueError, OSError) as error:
            server.stop()  # then all that it had to say is in its log
            raise SystemExit(f"{server.peer.title}: {error}\n{self.log.read_text()[-LAST_WORDS:]}") from error

    def backends(self, server: Running) -> set[int]:
        """The processes of PostgreSQL that serve it."""
        found = self.admin.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [server.name])
        return {pid for (pid,) in found}


@contextmanager
def shop() -> Iterator[Shop]:
    """A database with the products of two tenants."""
    with common.database() as (server, name), tempfile.TemporaryDirectory(prefix="bench-calls-") as place:
        admin_url = make_conninfo(server.admin_url, dbname=name)
        with closing(psycopg.connect(admin_url, autocommit=True)) as admin:
            ids = {slug: _tenant(slug, admin, count) for slug, count in ((SLUG, PRODUCTS), ("other", OTHERS_PRODUCTS))}
            admin.execute("VACUUM ANALYZE")
            with platform_context(actor="benchmarks", reason="arrange"):
                token = tokens.create(name="bench", slug=SLUG, scopes=Scope)
            newest = "SELECT sku FROM core_product WHERE tenant_id = %s ORDER BY created_at DESC, id DESC LIMIT 20"
            expected = [sku for (sku,) in admin.execute(newest, [ids[SLUG]])]
            environment = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings", "PEER_TENANT": ids[SLUG]}
            bound_url, log = server.url(name, "app_tenant"), Path(place) / "log"
            place_of_admin = conninfo_to_dict(server.admin_url)
            by_hand = "postgresql://{user}:{password}@{host}:{port}/".format(**place_of_admin) + name
            yield Shop(environment, admin, bound_url, by_hand, token, expected, log)


def _tenant(slug: str, admin: psycopg.Connection, products: int) -> str:
    with platform_context(actor="benchmarks", reason="arrange"):
        tenant = str(tenants.create(subdomain=slug, name=slug.title(), locale="zh-hant").id)
    with tenant_context(tenant), psycopg.ClientCursor(admin) as cursor:
        cursor.execute(FILL, {"tenant": tenant, "prefix": f"{slug}-", "products": products})
    return tenant


def count_statements(shop: Shop, measured: list[Measured]) -> None:
    """How many statements a call sends, in a pass of its own, through a proxy."""
    place = conninfo_to_dict(shop.bound_url)
    for peer in dict.fromkeys(each.peer.app for each in measured):
        mine = [each for each in measured if each.peer.app == peer]
        with (
            messages.counting(place["host"], int(place["port"])) as counter,
            servers.running(mine[0].peer, shop.of(mine[0].peer, counter.port), shop.log) as server,
        ):
            for each in mine:
                shop.load(server, each.era, WARM_UP, WIDTH)
                before = counter.statements
                each.size = shop.load(server, each.era, COUNTED_CALLS, 1).size
                each.statements = (counter.statements - before) / COUNTED_CALLS


def measure(shop: Shop, server: Running, each: Measured, calls: int, width: int) -> None:
    """One turn of a server."""
    pids = shop.backends(server)
    before, theirs_before = server.cpu(), servers.cpu_of(pids)
    load = shop.load(server, each.era, calls, width)
    cpu = server.cpu() - before
    theirs = servers.cpu_of(pids | shop.backends(server))
    each.latencies[width] += load.latencies
    if width == WIDTH:
        each.cpu.append(cpu / calls * 1e6)
        each.database.append(sum(now - theirs_before.get(pid, 0) for pid, now in theirs.items()) / calls * 1e6)
        each.rate.append(calls / load.seconds)


def run(shop: Shop, measured: list[Measured]) -> None:
    """All turns."""
    with ExitStack() as stack:
        started: dict[str, Running] = {}
        for each in measured:
            if each.peer.app not in started:
                server = stack.enter_context(servers.running(each.peer, shop.of(each.peer), shop.log))
                started[each.peer.app] = server
                shop.load(server, each.era, 1, 1)
                each.start = server.cpu()
            shop.load(started[each.peer.app], each.era, WARM_UP, WIDTH)
        for rounds, calls, width in ((ROUNDS, CALLS, WIDTH), (WIDE_ROUNDS, WIDE_CALLS, WIDE)):
            for number in range(rounds):
                for step in range(len(measured)):
                    each = measured[(number + step) % len(measured)]
                    measure(shop, started[each.peer.app], each, calls, width)
        for each in measured:
            server = started[each.peer.app]
            each.memory, each.connections = server.memory(), len(shop.backends(server))


def shown(measured: list[Measured]) -> Iterator[str]:
    """The table."""
    [sketch] = [each for each in measured if each.peer is SKETCH and each.era == MODERN]
    yield (
        "| server | protocol | CPU µs a call | of the sketch | PostgreSQL µs | statements | calls/s | p50, p99 ms at 8 "
        "| at 32 | bytes | MB | connections | CPU s to the first answer |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    for each in measured:
        ratios = [mine / theirs for mine, theirs in zip(each.cpu, sketch.cpu, strict=True)]
        cells = [
            each.peer.title,
            each.era if len(each.peer.eras) > 1 else "-",
            f"{statistics.median(each.cpu):,.0f}",
            f"{statistics.median(ratios):.2f}x",
            f"{statistics.median(each.database):,.0f}",
            f"{each.statements:g}",
            f"{statistics.median(each.rate):,.0f}",
            *(_spread(each.latencies[width]) for width in (WIDTH, WIDE)),
            f"{each.size:,}",
            f"{each.memory / 2**20:.0f}",
            str(each.connections),
            f"{each.start:.2f}" if each.start else "",
        ]
        yield f"| {' | '.join(cells)} |"


def _spread(latencies: list[float]) -> str:
    cuts = statistics.quantiles(latencies, n=100)
    return f"{cuts[49] * 1000:.1f}, {cuts[98] * 1000:.1f}"


def main() -> None:
    if not PEERS.exists():
        raise SystemExit("the servers to compare with are not installed: run make bench-calls")
    words = sys.argv[1:]
    chosen = [peer for peer in SERVERS if peer is SKETCH or not words or any(word in peer.title for word in words)]
    measured = [Measured(peer, era) for peer in chosen for era in peer.eras]
    with shop() as found:
        count_statements(found, measured)
        run(found, measured)
        [[version]] = found.admin.execute("SHOW server_version").fetchall()
    for line in shown(measured):
        print(line)
    print()
    print(
        f"PostgreSQL {version}; {PRODUCTS:,} products; one worker; {ROUNDS} rounds in turns of {CALLS} calls, {WIDTH} "
        f"at once, and {WIDE_ROUNDS} of {WIDE_CALLS}, {WIDE} at once; medians of the rounds. {OURS.title} looks up a "
        "token, and no other server does."
    )


if __name__ == "__main__":
    main()
