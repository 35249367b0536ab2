"""Counts what a tool call does, in figures that no load of the machine disturbs.

Statements are those that Django logs, savepoints included; a message of the backend (tenant and statement together) is
one. Python calls are counted in the event loop's thread and in every worker. What threads do that work when they like
is counted nowhere: the pool's own, and the one that writes the records of calls.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal
from unittest import mock

import anyio.to_thread
from django.test import override_settings
from psycopg_pool import ConnectionPool
from starlette.types import ASGIApp, Message

from mcp_server.jobs import Threads
from mcp_server.ledger.buffer import THREAD_NAME

Era = Literal["2026-07-28", "2025-11-25"]
MODERN: Era = "2026-07-28"
OLDER: Era = "2025-11-25"

# How a transaction begins and ends, as Django logs it.
ENDS = ("BEGIN", "COMMIT", "ROLLBACK")
# How the threads that work when they like are named: those of psycopg_pool, that of the trail, and what sends spans.
OWN_THREADS = ("pool-", THREAD_NAME, "Otel")


class Counts(logging.Handler):
    """What was counted: statements with how transactions began and ended, trips to a thread, and check-outs of a
    connection of the database.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.trips = self.connections = 0

    def emit(self, record: logging.LogRecord) -> None:
        if not str(record.threadName).startswith(OWN_THREADS):
            self.sent.append(str(getattr(record, "sql", "")))

    @property
    def ends(self) -> int:
        """How often a transaction began or ended."""
        return sum(each in ENDS for each in self.sent)

    @property
    def statements(self) -> int:
        """How many statements were sent, apart from those that begin or end a transaction."""
        return len(self.sent) - self.ends


@contextmanager
def counting() -> Iterator[Counts]:
    """Within the block, what is sent and who goes to a thread is counted."""
    counts, run_sync, submit, start, getconn = (
        Counts(),
        anyio.to_thread.run_sync,
        ThreadPoolExecutor.submit,
        Threads.start,
        ConnectionPool.getconn,
    )

    async def run_sync_counted(function: Any, *args: Any, **options: Any) -> Any:
        counts.trips += 1
        return await run_sync(function, *args, **options)

    def submit_counted(*args: Any, **options: Any) -> Any:
        counts.trips += 1
        return submit(*args, **options)

    def start_counted(*args: Any, **options: Any) -> Any:
        counts.trips += 1
        return start(*args, **options)

    def getconn_counted(*args: Any, **options: Any) -> Any:
        counts.connections += not _is_own_thread()
        return getconn(*args, **options)

    logger = logging.getLogger("django.db.backends")
    level = logger.level
    logger.addHandler(counts)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        with (
            override_settings(DEBUG=True),
            mock.patch.object(anyio.to_thread, "run_sync", run_sync_counted),
            mock.patch.object(ThreadPoolExecutor, "submit", submit_counted),
            mock.patch.object(Threads, "start", start_counted),
            mock.patch.object(ConnectionPool, "getconn", getconn_counted),
        ):
            yield counts
    finally:
        logger.propagate = True
        logger.setLevel(level)
        logger.removeHandler(counts)


class PythonCalls:
    """Counts calls of Python functions, in all threads that begin after `install`."""

    def __init__(self) -> None:
        self._counter = itertools.count()
        self._is_on = False

    def install(self) -> None:
        """Called once, before the threads begin whose calls count."""
        threading.setprofile(self._begin)
        sys.setprofile(self._count)

    def begin(self) -> None:
        """Count from now on."""
        self._counter, self._is_on = itertools.count(), True

    def end(self) -> int:
        """How many calls there were since `begin`."""
        self._is_on = False
        return next(self._counter)

    def _count(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and self._is_on:
            next(self._counter)

    def _begin(self, frame: FrameType, event: str, argument: object) -> None:
        sys.setprofile(None if _is_own_thread() else self._count)


def _is_own_thread() -> bool:
    return threading.current_thread().name.startswith(OWN_THREADS)


@dataclass(frozen=True, slots=True)
class Door:
    """An ASGI application that is called in process, without a client's or a socket's cost."""

    app: ASGIApp

    async def call(self, path: str, token: str, tool: str, arguments: dict[str, Any], era: Era) -> dict[str, Any]:
        """The result of a tool call. Raises AssertionError where it is an error, or a question to a person."""
        head, body = request(path, token, tool, arguments, era)
        answer = await self.send(path, head, body)
        result: dict[str, Any] = json.loads(answer).get("result", {})
        assert result.get("content"), answer
        assert not result.get("isError"), answer
        return result

    async def send(self, path: str, head: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        """The body of the answer to a POST."""
        given = iter([{"type": "http.request", "body": body, "more_body": False}])
        parts: list[bytes] = []

        async def receive() -> Message:
            for message in given:
                return message
            await asyncio.Event().wait()  # the client stays
            raise AssertionError

        async def send(message: Message) -> None:
            parts.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": head,
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8_000),
        }
        await self.app(scope, receive, send)
        return b"".join(parts)


def request(
    path: str, token: str, tool: str, arguments: dict[str, Any], era: Era
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body of a tool call; without a token where it is ''."""
    headers = {
        "host": "127.0.0.1:8000",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": era,
    }
    if token:
        headers["authorization"] = f"Bearer {token}"
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if era == MODERN:
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers["content-length"] = str(len(body))
    return [(name.encode(), value.encode()) for name, value in headers.items()], body
