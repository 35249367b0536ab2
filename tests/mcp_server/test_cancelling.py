"""A call that is cancelled: its change is rolled back, or reported done. Every road, and every moment."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from mcp.shared import jsonrpc_dispatcher

from core.models import Product, Tenant
from mcp_server.ledger.models import AuditEvent, IdempotencyKey
from rls import tenant_context
from tests.support import programs, raw
from tests.support.held import ASLEEP, IN_COMMIT, LONG, ON_A_ROW, commits_held, products_locked, sessions, until
from tests.support.processes import Era, Process, connected, connected_over_sse, serving
from tests.support.world import World, platform_token

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

Message = dict[str, Any]
RESTOCK = {"name": "shop_restock", "arguments": {"sku": "A-1", "idempotency_key": "k"}}
SLEEP = {"name": "shop_slow", "arguments": {"seconds": 600}}
ASYNC_SLEEP = {"name": "shop_slow_async", "arguments": {"seconds": 600}}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Road:
    """A way to a server on which a request can be cancelled by its id."""

    name: str

    def call(self, params: Message, number: int = 7) -> Future[Message | None]:
        """Ask, with this id; the future holds the answer, or None where none comes."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Cancel request 7."""
        raise NotImplementedError

    def outcomes(self) -> list[str]:
        """Of the calls that were logged."""
        raise NotImplementedError


class Session(Road):
    """Streamable HTTP of the older protocol, with a session."""

    def __init__(self, server: Process, subdomain: str, token: str, threads: ThreadPoolExecutor) -> None:
        self.name, self._server, self._threads = server.name, server, threads
        self._asked: list[Future[Message | None]] = []
        self._before = len(outcomes_in(server.log))
        self._http = httpx2.Client(timeout=LONG, base_url=server.mcp(subdomain))
        self._http.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
            }
        )
        opened = self._http.post("", json=initialize())
        self._http.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        self._http.post("", json={"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, params: Message, number: int = 7) -> Future[Message | None]:
        self._asked.append(self._threads.submit(self._call, request(number, params)))
        return self._asked[-1]

    def _call(self, message: Message) -> Message | None:
        answer = self._http.post("", json=message)
        lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        return dict(json.loads(lines[-1].removeprefix("data: ")))

    def cancel(self) -> None:
        assert self._http.post("", json=cancelled(7)).status_code == 202

    def outcomes(self) -> list[str]:
        return outcomes_in(self._server.log)[self._before :]

    @contextmanager
    def running(self) -> Iterator[Session]:
        with closing(self._http):
            yield self
            wait(self._asked, LONG)


class Stdio(Road):
    """stdio, of either protocol."""

    def __init__(self, world: World, log: Path, meta: Message | None) -> None:
        self.name, self._log, self._meta = f"stdio of {os.getpid()}", log, meta
        command = ["manage.py", "mcp", "stdio", "--tenant", world.subdomain]
        self.process = programs.Conversation(command, log, environment=os.environ | {"PGAPPNAME": self.name})
        self._answers: dict[Any, Future[Message | None]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if meta is None:
            self._ask(initialize()).result(LONG)
            self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, params: Message, number: int = 7) -> Future[Message | None]:
        return self._ask(request(number, params if self._meta is None else params | {"_meta": self._meta}))

    def cancel(self) -> None:
        self.write(cancelled(7) if self._meta is None else cancelled(7, _meta=self._meta))

    def outcomes(self) -> list[str]:
        return outcomes_in(self._log)

    def write(self, message: Message) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _ask(self, message: Message) -> Future[Message | None]:
        self._answers[message["id"]] = future = Future[Message | None]()
        self.write(message)
        return future

    def _read(self) -> None:
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") in self._answers:
                self._answers.pop(answer["id"]).set_result(answer)
        for future in self._answers.values():
            future.set_result(None)

    @contextmanager
    def running(self) -> Iterator[Stdio]:
        try:
            yield self
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(LONG)
            assert self.process.stdin
            self.process.stdin.close()
            self.process.stdout.close()


def request(number: int, params: Message) -> Message:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def initialize() -> Message:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


def cancelled(number: int, **more: Any) -> Message:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number, **more}}


def outcomes_in(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line["outcome"] for line in lines if line["message"] == "tool call"]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(10) as pool:
        yield pool


@pytest.fixture(params=["session", "stdio", "stdio, 2026-07-28"])
def road(request: pytest.FixtureRequest, acme: World, threads: ThreadPoolExecutor, tmp_path: Path) -> Iterator[Road]:
    if request.param == "session":
        server = request.getfixturevalue("stateful_server")
        with Session(server, acme.subdomain, acme.token, threads).running() as session:
            yield session
        return
    meta = MODERN if request.param.endswith("28") else None
    with Stdio(acme, tmp_path / "log", meta).running() as stdio:
        yield stdio


def stock(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").stock


def traces(world: World) -> tuple[int, int]:
    """Events and keys of the change."""
    with tenant_context(world.id):
        return AuditEvent.objects.filter(action="shop_restock").count(), IdempotencyKey.objects.filter(key="k").count()


def test_a_change_that_is_cancelled_in_a_statement_is_rolled_back(
    road: Road, acme: World, admin: psycopg.Connection
) -> None:
    with products_locked(admin):
        answer = road.call(RESTOCK)
        until(lambda: sessions(admin, road.name, ON_A_ROW))
        road.cancel()
        # While the row is still locked: its statement was cancelled.
        until(lambda: not sessions(admin, road.name, ON_A_ROW))
    until(lambda: road.outcomes() == ["cancelled"])

    assert stock(acme) == 5
    assert traces(acme) == (0, 0)
    if isinstance(road, Session):
        told = answer.result(LONG)
        assert told
        assert told["error"]["message"] == "Request cancelled"


def test_a_change_that_is_cancelled_in_its_commit_is_done_and_reported(
    road: Road, acme: World, admin: psycopg.Connection
) -> None:
    with commits_held(admin) as commits:
        answer = road.call(RESTOCK)
        until(lambda: sessions(admin, road.name, IN_COMMIT))
        road.cancel()
        commits.release()
        told = answer.result(LONG)

    assert told
    assert told["result"]["structuredContent"]["stock"] == 6
    assert stock(acme) == 6
    assert traces(acme) == (1, 1)
    assert road.outcomes() == ["ok"]


def test_a_change_that_is_cancelled_before_it_begins_never_does(
    road: Road, acme: World, admin: psycopg.Connection
) -> None:
    with products_locked(admin):
        # As many as a tenant has workers: the next one waits for its turn.
        others = [road.call({"name": "shop_restock", "arguments": {"sku": "A-1"}}, 100 + n) for n in range(5)]
        until(lambda: len(sessions(admin, road.name, ON_A_ROW)) == 5)
        answer = road.call(RESTOCK)
        # Over HTTP the cancellation may come first, and is nobody's then.
        until(lambda: (road.cancel(), answer.done() or isinstance(road, Stdio))[1])
    for each in others:
        each.result(LONG)

    assert traces(acme)[1] == 0
    if isinstance(road, Session):
        told = answer.result(LONG)
        assert told
        assert told["error"]["message"] == "Request cancelled"


@pytest.mark.parametrize("params", [SLEEP, ASYNC_SLEEP], ids=["def", "async def"])
def test_a_read_that_is_cancelled_frees_its_connection(
    params: Message, road: Road, admin: psycopg.Connection, acme: World
) -> None:
    road.call(params)
    until(lambda: sessions(admin, road.name, ASLEEP))
    road.cancel()

    until(lambda: not sessions(admin, road.name, ASLEEP))
    until(lambda: road.outcomes() == ["cancelled"])


def test_a_change_of_the_platform_that_is_cancelled_is_rolled_back(
    acme: World, admin: psycopg.Connection, threads: ThreadPoolExecutor, stateful_server: Process
) -> None:
    suspend = {"name": "suspend_tenant", "arguments": {"tenant_id": acme.subdomain, "reason": "they asked"}}
    with Session(stateful_server, "", platform_token(), threads).running() as road:
        with admin.transaction():
            admin.execute("SELECT FROM core_tenant FOR UPDATE")
            road.call(suspend)
            until(lambda: sessions(admin, road.name, "wait_event_type = 'Lock'"))
            road.cancel()
            until(lambda: not sessions(admin, road.name, "wait_event_type = 'Lock'"))
        until(lambda: road.outcomes() == ["cancelled"])

    with tenant_context(acme.id):
        assert Tenant.objects.get().is_active


def test_a_server_that_is_stopped_finishes_what_commits(
    acme: World, admin: psycopg.Connection, threads: ThreadPoolExecutor, tmp_path: Path, database: str
) -> None:
    with serving(tmp_path / "log") as server, commits_held(admin) as commits:
        headers = {"Authorization": f"Bearer {acme.token}", "Accept": "application/json, text/event-stream"}
        answer = threads.submit(
            httpx2.post, server.mcp("acme"), json=request(7, RESTOCK), headers=headers, timeout=LONG
        )
        until(lambda: sessions(admin, server.name, IN_COMMIT))
        os.kill(server.pid, signal.SIGTERM)
        commits.release()

        assert answer.result(LONG).json()["result"]["structuredContent"]["stock"] == 6


def test_a_client_over_sse_that_stops_waiting_leaves_nothing_half_done(
    stateful_server: Process, acme: World, admin: psycopg.Connection
) -> None:
    async def story() -> None:
        with products_locked(admin):
            async with connected_over_sse(stateful_server.mcp("acme"), acme.token) as client:
                call = asyncio.ensure_future(client.call_tool("shop_restock", RESTOCK["arguments"]))
                await asyncio.to_thread(until, lambda: sessions(admin, stateful_server.name, ON_A_ROW))
                call.cancel()
                await asyncio.to_thread(until, lambda: not sessions(admin, stateful_server.name, ON_A_ROW))

    asyncio.run(story())
    until(lambda: outcomes_in(stateful_server.log)[-1] == "cancelled")

    assert (stock(acme), traces(acme)) == (5, (0, 0))


@pytest.mark.parametrize("process", ["server", "stateful_server"])
@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
def test_who_hangs_up_leaves_nothing_half_done(
    era: Era, process: str, request: pytest.FixtureRequest, acme: World, admin: psycopg.Connection
) -> None:
    server: Process = request.getfixturevalue(process)

    async def story() -> None:
        with products_locked(admin):
            async with connected(server.mcp("acme"), acme.token, era) as client:
                call = asyncio.ensure_future(client.call_tool("shop_restock", {"sku": "A-1", "idempotency_key": "k"}))
                await asyncio.to_thread(until, lambda: sessions(admin, server.name, ON_A_ROW))
                call.cancel()
                await asyncio.wait([call])

    asyncio.run(story())
    until(lambda: not sessions(admin, server.name, "state <> 'idle'"))

    # In the older protocols hanging up need not be a cancellation.
    done = traces(acme)
    assert done in ([(0, 0)] if era == raw.MODERN else [(0, 0), (1, 1)])
    assert stock(acme) == 5 + done[0]
    until(lambda: outcomes_in(server.log)[-1] == ("ok" if done[0] else "cancelled"))


@pytest.mark.parametrize("process", ["server", "stateful_server"])
@pytest.mark.parametrize("accept", [raw.BOTH, "application/json", "text/event-stream"])
@pytest.mark.parametrize("meta", [{}, {"progressToken": "t"}], ids=["plain", "progress"])
def test_hanging_up_cancels_a_call_of_the_newer_protocol(
    meta: Message, accept: str, process: str, request: pytest.FixtureRequest, acme: World, admin: psycopg.Connection
) -> None:
    server: Process = request.getfixturevalue(process)
    before = len(outcomes_in(server.log))

    with products_locked(admin):
        with asked(server, acme, accept, meta):
            until(lambda: sessions(admin, server.name, ON_A_ROW))
        # While the row is still locked: its statement was cancelled.
        until(lambda: not sessions(admin, server.name, ON_A_ROW))
    until(lambda: outcomes_in(server.log)[before:] == ["cancelled"])

    assert (stock(acme), traces(acme)) == (5, (0, 0))


@pytest.mark.parametrize("meta", [{}, {"progressToken": "t"}], ids=["plain", "progress"])
def test_hanging_up_on_a_commit_is_too_late(
    meta: Message, server: Process, acme: World, admin: psycopg.Connection
) -> None:
    before = len(outcomes_in(server.log))
    hang_ups = len(raw.log_lines(server, message="the client hung up"))

    with commits_held(admin) as commits:
        with asked(server, acme, raw.BOTH, meta):
            until(lambda: sessions(admin, server.name, IN_COMMIT))
        raw.wait_for_log(server, hang_ups + 1, message="the client hung up")
        commits.release()
        until(lambda: outcomes_in(server.log)[before:] == ["ok"])

    assert (stock(acme), traces(acme)) == (6, (1, 1))


@contextmanager
def asked(server: Process, world: World, accept: str, meta: Message) -> Iterator[None]:
    """Within the block a client of the newer protocol waits for its restock; then it hangs up."""
    params = RESTOCK | {"_meta": MODERN | meta}
    body = json.dumps(request(7, params)).encode()
    sent = raw.headers(world.token, "2026-07-28", "tools/call", "shop_restock")
    head = raw.head(world, **sent | {"Accept": accept, "Content-Length": str(len(body))})
    with raw.connection(server) as opened:
        opened.sendall(head + b"\r\n" + body)
        yield


def test_the_list_of_requests_that_can_be_cancelled_is_where_we_look_for_it() -> None:
    dispatcher: Callable[..., Any] = jsonrpc_dispatcher.JSONRPCDispatcher
    made = dispatcher(None, None)

    assert made._in_flight == {}
    assert {"scope", "dctx"} <= set(jsonrpc_dispatcher._InFlight.__slots__)
    assert "_dispatcher" in jsonrpc_dispatcher._JSONRPCDispatchContext.__dataclass_fields__
