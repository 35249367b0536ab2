"""What each tool's call costs in statements, transactions, thread trips, connections and Python calls.

    python -m benchmarks.costs            # prints it
    python -m benchmarks.costs --write    # writes it to tests/core/costs.toml, which a test holds each tool against

Each call goes through the whole application, in process, in a child that does nothing else; it comes after calls of its
kind that are not counted, so that what is kept for a while is there.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import bounds
from benchmarks.counting import MODERN, OLDER, Door, Era, PythonCalls, counting

Arguments = dict[str, Any]
Costs = dict[str, dict[str, dict[str, int]]]

LISTED = Path("tests/core/costs.toml")
PYTHON = (3, 11)
HEADING = """\
# What a call of each tool costs: written by `python -m benchmarks.costs --write`, held by tests/core/test_costs.py.
# statements, apart from `ends`, which begin or end a transaction; thread trips; check-outs of a connection; Python
# calls on Python 3.11, and those of the same call in the older protocol.
"""
# Figures that are the same on every machine, and those that may differ a little.
EXACT = ("statements", "ends", "trips", "connections")
CALLS = ("calls", "calls_older")
MORE, LESS = 1.03, 0.9
# What differs by so little is written as it was, so that a diff shows what has changed.
SAME = 0.01
COUNTED_CALLS = 3
# Of what a child said that failed, in characters: what it logged of each call comes before.
LAST_WORDS = 2_000

TENANT, PLATFORM = "tenant", "platform"
WRITE = "python -m benchmarks.costs --write"


class Caller:
    """Calls the tools of the endpoints, and makes what they need."""

    def __init__(self, door: Door, slug: str, tokens: Mapping[str, str]) -> None:
        self._door, self._slug, self._tokens = door, slug, tokens
        self.era: Era = MODERN
        self.number = 0

    async def call(self, endpoint: str, tool: str, arguments: Arguments, slug: str = "") -> dict[str, Any]:
        """The structured content of an answer."""
        slug = slug or self._slug
        path = f"/mcp/{slug}/" if endpoint == TENANT else "/mcp/"
        token = self._tokens[slug if endpoint == TENANT else PLATFORM]
        result = await self._door.call(path, token, tool, arguments, self.era)
        content: dict[str, Any] = result.get("structuredContent", {})
        return content

    async def confirmed(self, endpoint: str, tool: str, arguments: Arguments) -> Arguments:
        """The arguments, with a person's yes where one has to agree."""
        dry = await self.call(endpoint, tool, {**arguments, "dry_run": True})
        return {**arguments, "confirmation": dry["confirmation"]} if dry.get("confirmation") else arguments

    async def order(self, *steps: str) -> int:
        """The number of a new order, after these steps: "place", "pay"."""
        made = await self.call(TENANT, "create_order", {"items": THREE_LINES})
        number = int(made["number"])
        for step in steps:
            await self.call(TENANT, *ORDER_STEPS[step](number))
        return number

    async def tenant(self, *, is_suspended: bool = False) -> str:
        """The subdomain of a new tenant."""
        self.number += 1
        subdomain = f"new-{self.number}"
        await self.call(PLATFORM, "create_tenant", {"subdomain": subdomain, "name": "New", **REASON})
        if is_suspended:
            await self.call(PLATFORM, "suspend_tenant", {"tenant_id": subdomain, **REASON})
        return subdomain


REASON = {"reason": "a count of what it costs"}
THREE_LINES = [{"sku": f"SKU-{number}", "quantity": 2} for number in (1, 2, 3)]
ORDER_STEPS: dict[str, Callable[[int], tuple[str, Arguments]]] = {
    "place": lambda number: ("place_order", {"number": number}),
    "pay": lambda number: ("update_order_status", {"number": number, "status": "paid", "payment_method": "card"}),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A call that is counted: `arguments` makes what it needs, and says with which arguments it is called."""

    endpoint: str
    tool: str
    arguments: Callable[[Caller, int], Awaitable[Arguments]]
    name: str = ""
    slug: str = ""


def case(
    tool: str, arguments: Callable[[int], Arguments] | None = None, *, endpoint: str = TENANT, name: str = ""
) -> Case:
    """A call whose arguments depend at most on its number."""

    async def made(caller: Caller, number: int) -> Arguments:
        return arguments(number) if arguments else {}

    return Case(endpoint, tool, made, name or tool)


def of_order(tool: str, arguments: Callable[[int], Arguments], *steps: str) -> Case:
    """A call about an order of its own, after these steps, with a person's yes where one has to agree."""

    async def made(caller: Caller, number: int) -> Arguments:
        return await caller.confirmed(TENANT, tool, arguments(await caller.order(*steps)))

    return Case(TENANT, tool, made, tool)


def computed(tool: str) -> Case:
    """A call whose answer is kept, after a change that ends what was kept."""

    async def made(caller: Caller, number: int) -> Arguments:
        await caller.call(TENANT, "adjust_stock", _stock()(number))
        await caller.call(TENANT, "get_tenant_info", {})  # the caller is looked up again after a change
        return {}

    return Case(TENANT, tool, made, tool)


def of_tenant(tool: str, *, is_suspended: bool = False) -> Case:
    """A call of the platform about a tenant of its own."""

    async def made(caller: Caller, number: int) -> Arguments:
        return {"tenant_id": await caller.tenant(is_suspended=is_suspended), **REASON}

    return Case(PLATFORM, tool, made, tool)


async def _deletion(caller: Caller, number: int) -> Arguments:
    return await caller.confirmed(PLATFORM, "delete_tenant", {"tenant_id": await caller.tenant(), **REASON})


async def _return_to_sale(caller: Caller, number: int) -> Arguments:
    off = {"sku": "SKU-4", "is_active": False}
    await caller.call(TENANT, "set_product_active", await caller.confirmed(TENANT, "set_product_active", off))
    return off | {"is_active": True}


def _stock(**more: Any) -> Callable[[int], Arguments]:
    return lambda number: {"sku": "SKU-1", "quantity": 3, "reason": "purchase", **more}


TENANT_CASES = [
    case("add_numbers", lambda number: {"a": number, "b": 2}),
    case("get_product", lambda number: {"sku": "SKU-1"}),
    case("get_tenant_products"),
    case("get_tenant_products", lambda number: {"search": "thing"}, name="get_tenant_products, search"),
    case("get_inventory"),
    case("get_product_stats"),
    case("list_orders"),
    case("get_order", lambda number: {"number": 1}),
    computed("get_sales_statistics"),
    case("get_sales_statistics", name="get_sales_statistics, kept"),
    computed("get_business_insights"),
    case("get_business_insights", name="get_business_insights, kept"),
    computed("get_comprehensive_tenant_stats"),
    case("get_comprehensive_tenant_stats", name="get_comprehensive_tenant_stats, kept"),
    case("get_tenant_info"),
    case("get_tenant_users"),
    case("list_tenants"),
    case("adjust_stock", _stock()),
    case("adjust_stock", lambda number: {**_stock()(number), "idempotency_key": f"{number}"}, name="adjust_stock, key"),
    case("adjust_stock", _stock(dry_run=True), name="adjust_stock, dry run"),
    case("create_product", lambda number: {"sku": f"NEW-{number}", "name": f"New {number}", "price": "9.99"}),
    case("update_product", lambda number: {"sku": "SKU-2", "name": f"Renamed {number}"}),
    Case(TENANT, "set_product_active", _return_to_sale, "set_product_active"),
    case(
        "create_order",
        lambda number: {"items": THREE_LINES, "customer_email": "new@x.example", "customer_name": "New"},
    ),
    of_order("add_order_item", lambda number: {"number": number, "sku": "SKU-5", "quantity": 1}),
    of_order("place_order", lambda number: {"number": number}),
    of_order(
        "update_order_status",
        lambda number: {"number": number, "status": "paid", "payment_method": "card"},
        "place",
    ),
    of_order("cancel_order", lambda number: {"number": number, "reason": "changed their mind"}, "place", "pay"),
    case("manage_tenant_settings", lambda number: {"low_stock_threshold": number}),
    case("export_tenant_data", lambda number: {"format": "json"}),
    case("get_audit_log"),  # of the changes above
    Case(TENANT, "create_demo_data", case("", lambda number: {"orders": 1}).arguments, "create_demo_data", "trial"),
]
PLATFORM_CASES = [
    case("add_numbers", lambda number: {"a": number, "b": 2}, endpoint=PLATFORM),
    case("list_tenants", lambda number: REASON, endpoint=PLATFORM),
    case("get_tenant_info", lambda number: {"tenant_id": "costs", **REASON}, endpoint=PLATFORM),
    case("get_platform_stats", lambda number: REASON, endpoint=PLATFORM),
    case("run_isolation_audit", lambda number: REASON, endpoint=PLATFORM),
    case(
        "create_tenant",
        lambda number: {"subdomain": f"made-{number}", "name": "Made", **REASON},
        endpoint=PLATFORM,
    ),
    of_tenant("suspend_tenant"),
    of_tenant("resume_tenant", is_suspended=True),
    Case(PLATFORM, "delete_tenant", _deletion, "delete_tenant"),
]
CASES = [*TENANT_CASES, *PLATFORM_CASES]


def measured(environment: Mapping[str, str]) -> Costs:
    """What every case costs, by endpoint and name, counted in a child on the database of this environment.

    It writes tenants of its own into that database.
    """
    fixed = {"DJANGO_SETTINGS_MODULE": "core.settings", "PYTHONHASHSEED": "0", "LOG_LEVEL": "INFO", **bounds.UNREACHED}
    command = [sys.executable, "-m", "benchmarks.costs", "--child"]
    child = subprocess.run(command, env={**environment, **fixed}, capture_output=True, text=True, check=False)
    if child.returncode:
        raise RuntimeError(f"the costs were not counted:\n{child.stderr[-LAST_WORDS:]}")
    costs: Costs = json.loads(child.stdout)
    return costs


def listed() -> Costs:
    """The committed list."""
    return tomllib.loads(LISTED.read_text())


def differences(found: Costs, expected: Costs, version: tuple[int, int] = PYTHON) -> list[str]:
    """What differs from the list, as sentences that say what to do. Newer versions of Python may take fewer calls."""
    return [
        line
        for endpoint in found.keys() | expected.keys()
        for line in _of_endpoint(endpoint, found.get(endpoint, {}), expected.get(endpoint, {}), version)
    ]


def _of_endpoint(
    endpoint: str, found: Mapping[str, Any], expected: Mapping[str, Any], version: tuple[int, int]
) -> list[str]:
    lines = []
    for name in sorted(found.keys() | expected.keys()):
        where = f"{name} at the {endpoint}'s endpoint"
        if name not in expected:
            lines.append(f"{where} is not in {LISTED}: run {WRITE}, and look at the diff")
        elif name not in found:
            lines.append(f"{where} is in {LISTED}, and no case of benchmarks/costs.py: run {WRITE}")
        else:
            lines += [f"{where}: {text}" for text in _of_call(found[name], expected[name], version)]
    return lines


def _of_call(found: Mapping[str, int], expected: Mapping[str, int], version: tuple[int, int]) -> list[str]:
    lines = []
    for figure in (*EXACT, *CALLS):
        now, then = found[figure], expected.get(figure, 0)
        is_exact = figure in EXACT
        if now > then * (1 if is_exact else MORE):
            lines.append(f"{now} {figure}, and {then} are listed: make it cheaper; if it has to be so, run {WRITE}")
        elif now < then * (1 if is_exact else LESS) and (is_exact or version == PYTHON):
            lines.append(f"{now} {figure}, and {then} are listed: it got cheaper, so lower the list with {WRITE}")
    return lines


def settled(found: Costs, before: Costs) -> Costs:
    """What was found, but as it was listed before where the Python calls are nearly the same."""

    def figure(name: str, now: int, then: int) -> int:
        return then if name in CALLS and abs(now - then) <= then * SAME else now

    return {
        endpoint: {
            call: {
                name: figure(name, now, before.get(endpoint, {}).get(call, {}).get(name, 0))
                for name, now in figures.items()
            }
            for call, figures in calls.items()
        }
        for endpoint, calls in found.items()
    }


def as_toml(costs: Costs) -> str:
    """The list as it is committed: a call a line, so that a diff shows what became dearer."""
    lines = [HEADING]
    for endpoint, calls in costs.items():
        lines += [f"[{endpoint}]"]
        for name, figures in calls.items():
            facts = ", ".join(f"{figure} = {number}" for figure, number in figures.items())
            lines.append(f"{name if name.isidentifier() else json.dumps(name)} = {{ {facts} }}")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _count() -> Costs:
    """In the child: what every case costs."""
    calls = PythonCalls()
    calls.install()

    from benchmarks.costs_world import make
    from mcp_server.http import kept

    # Whoever has called a moment ago is still known, however busy the machine is.
    kept.PRINCIPAL_LIFETIME = 3_600.0
    caller = Caller(*make())
    gc.disable()  # what it finds, and when, is no part of a call
    return asyncio.run(_counted(caller, calls))


async def _counted(caller: Caller, calls: PythonCalls) -> Costs:
    from core.asgi import application

    costs: Costs = {TENANT: {}, PLATFORM: {}}
    async with application.router.lifespan_context(application):
        for each in CASES:
            costs[each.endpoint][each.name] = await _cost(caller, each, calls)
    return costs


async def _cost(caller: Caller, each: Case, calls: PythonCalls) -> dict[str, int]:
    async def call(era: Era) -> Callable[[], Awaitable[object]]:
        caller.era = era
        caller.number += 1
        arguments = await each.arguments(caller, caller.number)
        return lambda: caller.call(each.endpoint, each.tool, arguments, each.slug)

    async def python_calls(era: Era) -> int:
        await (await call(era))()
        found = []
        for _ in range(COUNTED_CALLS):
            send = await call(era)
            calls.begin()
            await send()
            found.append(calls.end())
        return min(found)

    modern, older = await python_calls(MODERN), await python_calls(OLDER)
    counted = []
    for _ in range(COUNTED_CALLS):
        send = await call(MODERN)
        with counting() as counts:
            await send()
        counted.append((counts.statements, counts.ends, counts.trips, counts.connections))
    # Where this machine stood still for a while, what is kept was forgotten: that call is not the cheapest.
    return dict(zip((*EXACT, *CALLS), (*min(counted), modern, older), strict=True))


def main() -> None:
    if sys.argv[1:] == ["--child"]:
        print(json.dumps(_count()))
        return
    if sys.version_info[:2] != PYTHON and "--write" in sys.argv:
        raise SystemExit(f"the list is for Python {'.'.join(map(str, PYTHON))}: run this with it")
    from benchmarks import common

    with common.database():
        found = measured(os.environ)
    if "--write" in sys.argv:
        LISTED.write_text(as_toml(settled(found, listed() if LISTED.exists() else {})))
    else:
        print(as_toml(found), end="")


if __name__ == "__main__":
    main()
