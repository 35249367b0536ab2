"""What is counted, and under which labels: names that the code declares, and never what a caller sends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import override_settings

import rls
from core.models import Product
from mcp_server import MCP, Limits, Refusal, configuration, metrics, workers
from mcp_server.http.authentication import anyone, by_token
from mcp_server.ledger.buffer import BUFFER
from tests.mcp_server.test_app import asked, call
from tests.support import figures
from tests.support.figures import Figures
from tests.support.held import until
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def counting() -> Iterator[Callable[[], Figures]]:
    """Within the test a server that begins counts; gives what has been counted since."""
    with override_settings(MCP_METRICS=str(figures.free_ports())):
        yield figures.here


def counted(name: str, before: Figures, /, **labels: str) -> float:
    """How much has been added since."""
    return figures.here().sum(name, **labels) - before.sum(name, **labels)


def shop_of(*functions: Callable[..., Any], **options: Any) -> MCP:
    """A server whose tools are these functions."""
    mcp = MCP("counted", **({"apps": [], "authenticate": anyone} | options))
    for function in functions:
        mcp.tool(scope=None, read_only=True)(function)
    return mcp


def called(mcp: MCP, *names: str, slug: str = "acme", token: str = "") -> list[httpx2.Response]:
    """The answers to calls of tools, one after the other."""

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        return [await call(client, f"/mcp/{slug}/", "tools/call", token, name=name, arguments={}) for name in names]

    answers: list[httpx2.Response] = asked(mcp.asgi(), story)
    return answers


def test_each_call_counts_by_how_it_ends(acme: World, counting: Callable[[], Figures]) -> None:
    def fine() -> str:
        """Answer."""
        return "well"

    def unwilling() -> str:
        """Refuse."""
        raise Refusal("no")

    def broken() -> str:
        """Fail."""
        raise ZeroDivisionError

    before = counting()

    called(shop_of(fine, unwilling, broken), "fine", "fine", "unwilling", "broken")

    found = {
        name: counted("mcp_calls_total", before, endpoint="tenant", kind="tool", name=name, outcome=outcome)
        for name, outcome in [("fine", "ok"), ("unwilling", "refused"), ("broken", "failed")]
    }
    assert found == {"fine": 2, "unwilling": 1, "broken": 1}
    assert counted("mcp_calls_total", before) == 4
    assert counted("mcp_call_duration_seconds_count", before, name="fine") == 2
    assert counted("mcp_call_duration_seconds_bucket", before, name="fine", le="+Inf") == 2


def test_what_is_offered_is_told_before_it_is_called(counting: Callable[[], Figures]) -> None:
    def never_called() -> str:
        """Wait."""
        return ""

    mcp = shop_of(never_called)

    @mcp.resource("note://unread", scope=None)
    def unread() -> str:
        """Read nobody."""
        return ""

    async def story(client: httpx2.AsyncClient) -> set[tuple[str, str, str]]:
        return {
            (sample.labels["kind"], sample.labels["name"], sample.labels["outcome"])
            for family in counting().families
            for sample in family.samples
            if sample.name == "mcp_calls_total"
        }

    told = asked(mcp.asgi(), story)

    for outcome in ("ok", "failed"):
        assert {("tool", "never_called", outcome), ("resource", "unread", outcome)} <= told


def test_no_caller_makes_a_series(acme: World, counting: Callable[[], Figures]) -> None:
    def fine() -> str:
        """Answer."""
        return "well"

    mcp = shop_of(fine, authenticate=by_token)
    called(mcp, "fine", token=acme.token)
    before = {(name, frozenset(labels)) for name, labels in counting().labels().items()}
    known = _values(counting())

    called(mcp, "made_up_by_a_caller", "fine", token=acme.token)
    called(mcp, "fine", slug="a-tenant-of-nobody", token="tmcp_a-token-of-nobody")

    assert _values(counting()) == known
    assert {(name, frozenset(labels)) for name, labels in counting().labels().items()} == before
    assert not [value for value in known if "acme" in value]


def _values(found: Figures) -> set[str]:
    """Every value of a label."""
    return {value for family in found.families for sample in family.samples for value in sample.labels.values()}


def test_who_is_refused_counts_by_why(acme: World, globex: World, counting: Callable[[], Figures]) -> None:
    def fine(number: int = 1) -> str:
        """Answer."""
        return "well"

    before = counting()
    mcp = shop_of(fine, authenticate=by_token, limits=Limits(principal="3/hour"))

    async def story(client: httpx2.AsyncClient) -> None:
        for token in ("", globex.token):
            await call(client, "/mcp/acme/", "tools/call", token, name="fine", arguments={})
        await client.post("/mcp/acme/", json={}, headers={"Authorization": "Bearer a b"})
        for params in ({"name": "nothing"}, {"name": "fine", "arguments": {"more": 1}}, {"name": "fine"}):
            await call(client, "/mcp/acme/", "tools/call", acme.token, **({"arguments": {}} | params))
        for _ in range(2):
            await call(client, "/mcp/acme/", "tools/call", acme.token, name="fine", arguments={})

    asked(mcp.asgi(), story)

    found = {kind: counted("mcp_refusals_total", before, kind=kind) for kind in metrics.REFUSALS}
    assert {kind: count for kind, count in found.items() if count} == {
        "unauthorized": 1,
        "invalid_token": 1,
        "invalid_request": 1,
        "unknown_name": 1,
        "arguments": 1,
        "principal": 2,
    }


def test_an_address_that_is_not_looked_at_counts_too(acme: World, counting: Callable[[], Figures]) -> None:
    before = counting()

    answers = called(shop_of(authenticate=by_token, limits=Limits(failed_logins="1/hour")), "x", "x", "x")

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert counted("mcp_refusals_total", before, kind="failed_logins") == 1


def test_what_postgresql_refuses_counts_by_why(acme: World, globex: World, counting: Callable[[], Figures]) -> None:
    def forgetful() -> str:
        """Read in a thread that has no context."""
        thread = threading.Thread(target=_read_outside)
        thread.start()
        thread.join()
        return ""

    def deceitful() -> str:
        """Write, though it says that it reads."""
        Product.objects.update(name="Mine")
        return ""

    def give_away() -> None:
        with pytest.raises(rls.CrossTenantWrite), rls.tenant_context(acme.id):
            Product.objects.update(tenant_id=globex.id)

    before = counting()

    async def story(client: httpx2.AsyncClient) -> None:
        for name in ("forgetful", "deceitful"):
            await call(client, "/mcp/acme/", "tools/call", name=name, arguments={})
        await workers.run(give_away)

    asked(shop_of(forgetful, deceitful).asgi(), story)

    found = {kind: counted("mcp_refusals_total", before, kind=kind) for kind in metrics.REFUSALS}
    assert {kind: count for kind, count in found.items() if count} == {
        "no_tenant": 1,
        "write_in_a_read": 1,
        "cross_tenant_write": 1,
    }


def _read_outside() -> None:
    try:
        with pytest.raises(rls.NoTenantContext):
            Product.objects.count()
    finally:
        connections.close_all()


def test_a_word_that_is_none_of_ours_is_told_as_another(counting: Callable[[], Figures]) -> None:
    before = counting()

    async def story(client: httpx2.AsyncClient) -> None:
        metrics.refused("a reason of a project's own")

    asked(shop_of().asgi(), story)

    assert counted("mcp_refusals_total", before, kind="other") == 1


def test_workers_and_who_waits_for_one_are_told(acme: World, counting: Callable[[], Figures]) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow() -> str:
        """Wait."""
        begun.release()
        go_on.wait(60)
        return ""

    async def story(client: httpx2.AsyncClient) -> tuple[Figures, Figures]:
        of_a_tenant = max(1, configuration.worker_count() // 2)
        calls = [
            asyncio.create_task(call(client, "/mcp/acme/", "tools/call", name="slow", arguments={}))
            for _ in range(of_a_tenant + 2)
        ]
        for _ in range(of_a_tenant):
            await asyncio.to_thread(begun.acquire)
        await asyncio.to_thread(until, lambda: counting().sum("mcp_calls_waiting") == 2)
        now = counting()
        go_on.set()
        await asyncio.gather(*calls)
        return now, counting()

    during, after = asked(shop_of(slow).asgi(), story)

    most = configuration.worker_count()
    assert during.sum("mcp_workers_busy") == max(1, most // 2)
    assert (during.sum("mcp_calls_waiting"), during.sum("mcp_workers")) == (2, most)
    assert (after.sum("mcp_calls_waiting"), after.sum("mcp_workers_busy")) == (0, 0)


def test_records_that_wait_and_that_are_lost_are_told(acme: World, counting: Callable[[], Figures]) -> None:
    before = counting()

    async def story(client: httpx2.AsyncClient) -> float:
        BUFFER.add(acme.id, "{}")
        metrics.lost_records(3)
        return counting().sum("mcp_trail_records_waiting")

    waiting = asked(shop_of().asgi(), story)

    assert waiting >= 1
    assert counted("mcp_trail_records_lost_total", before) == 3


def test_servers_of_one_process_share_the_port(counting: Callable[[], Figures]) -> None:
    first = configuration.metrics_address()
    assert first is not None
    inner = shop_of()

    async def story(client: httpx2.AsyncClient) -> float:
        async with inner.lifespan():
            pass
        # The inner one has ended, and the outer one goes on.
        found = await asyncio.to_thread(figures.at, first[1])
        with pytest.raises(httpx2.ConnectError):
            await asyncio.to_thread(figures.at, first[1] + 1)
        metrics.refused("arguments")
        return found.sum("mcp_build_info")

    before = counting()
    assert asked(shop_of().asgi(), story) == 1
    assert counted("mcp_refusals_total", before, kind="arguments") == 1


def test_a_server_that_has_ended_tells_and_counts_nothing(counting: Callable[[], Figures]) -> None:
    address = configuration.metrics_address()
    assert address is not None
    called(shop_of())
    before = counting()

    metrics.refused("arguments")

    assert counted("mcp_refusals_total", before) == 0
    with pytest.raises(httpx2.ConnectError):
        figures.at(address[1])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None),
        (" 9464 ", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("metrics.internal:9464", ("metrics.internal", 9464)),
    ],
)
def test_a_port_alone_is_one_of_this_machine(written: str, meant: tuple[str, int] | None) -> None:
    with override_settings(MCP_METRICS=written):
        assert configuration.metrics_address() == meant


@pytest.mark.parametrize("written", ["yes", "0", "65536", "127.0.0.1", "::1:9464", "127.0.0.1:", "１２３４", "-1"])
def test_what_is_no_address_is_a_sentence(written: str) -> None:
    with override_settings(MCP_METRICS=written), pytest.raises(ImproperlyConfigured, match="set it to a port"):
        shop_of().prepare()
