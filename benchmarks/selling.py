"""How many orders of one product a server places in a second, and how long each takes: the worst case of a sale.

    python -m benchmarks.selling

16 clients place drafts that are there already, against a server process of its own. At the end stock and movements have
to add up, and what was not in stock has to be refused.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import common  # isort: skip

import httpx2
from django.db.models import Sum

from benchmarks.counting import MODERN, request
from core.models import MovementReason, Order, OrderStatus, Product
from core.services import drafts, stock
from core.services.drafts import Wanted
from rls import tenant_context
from tests.support import processes
from tests.support.processes import Process
from tests.support.world import World, make_tenant

CLIENTS = 16
ORDERS = 800
# What can't be sold.
SHORT = 40
WARM_UP = 32


def arrange(world: World) -> list[int]:
    """The numbers of the drafts, of one unit each, of which SHORT are too many."""
    with tenant_context(world.id):
        product = Product.objects.create(sku="HOT", name="Hot", price_minor=1, currency="EUR")
        stock.move({product: ORDERS + WARM_UP - SHORT}, reason=MovementReason.OPENING, actor="bench")
        return [drafts.create(items=[Wanted("HOT", 1)]).order.number for _ in range(ORDERS + WARM_UP)]


async def place(http: httpx2.AsyncClient, world: World, number: int) -> bool:
    """Whether the order was placed."""
    path = f"/mcp/{world.subdomain}/"
    head, body = request(path, world.token, "place_order", {"number": number}, MODERN)
    answer = await http.post(path, content=body, headers=head)
    result: dict[str, Any] = answer.json()["result"]
    if result.get("isError") and "can't be placed: HOT" not in result["content"][0]["text"]:
        raise SystemExit(f"order {number}: {result}")
    return not result.get("isError")


async def client(
    http: httpx2.AsyncClient, world: World, numbers: Iterator[int], taken: list[float], placed: list[bool]
) -> None:
    for number in numbers:
        started = time.perf_counter()
        placed.append(await place(http, world, number))
        taken.append(time.perf_counter() - started)


def processor_seconds(pid: int) -> float:
    """User and system time of a process (Linux, proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(server: Process, world: World, numbers: list[int]) -> None:
    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=server.url, limits=limits, timeout=120) as http:
        await sell(http, world, numbers[:WARM_UP])
        spent, started = processor_seconds(server.pid), time.perf_counter()
        taken, placed = await sell(http, world, numbers[WARM_UP:])
        seconds = time.perf_counter() - started
    milliseconds = statistics.quantiles([1000 * each for each in taken], n=100)
    print(f"  {CLIENTS} clients, one product: {placed.count(True) / seconds:.0f} orders a second")
    print(f"  p50 {milliseconds[49]:.0f} ms, p99 {milliseconds[98]:.0f} ms")
    print(f"  processor time of the server per call: {1000 * (processor_seconds(server.pid) - spent) / ORDERS:.1f} ms")


async def sell(http: httpx2.AsyncClient, world: World, numbers: list[int]) -> tuple[list[float], list[bool]]:
    """How long each call took, and which were placed."""
    taken: list[float] = []
    placed: list[bool] = []
    each = iter(numbers)
    await asyncio.gather(*(client(http, world, each, taken, placed) for _ in range(CLIENTS)))
    return taken, placed


def check(world: World) -> None:
    """Raise unless all that was in stock was sold once."""
    with tenant_context(world.id):
        product = Product.objects.get(sku="HOT")
        moved = product.movements.aggregate(units=Sum("quantity"))["units"]
        sold = Order.objects.filter(status=OrderStatus.PLACED).count()
        if (product.stock, moved, sold) != (0, 0, ORDERS + WARM_UP - SHORT):
            raise SystemExit(f"stock {product.stock}, movements {moved}, orders {sold}")


def main() -> None:
    with common.database(shares_processor=False) as (source, _), tempfile.TemporaryDirectory() as place:
        world = make_tenant("acme", "Acme")
        numbers = arrange(world)
        print(source.source)
        with processes.serving(Path(place) / "server.log") as server:
            asyncio.run(measure(server, world, numbers))
        check(world)


if __name__ == "__main__":
    main()
