"""Real server processes, and the SDK's client in front of them."""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.support import programs

Era = Literal["legacy", "2026-07-28"]
ERAS: tuple[Era, ...] = ("legacy", "2026-07-28")


# What docs/how-to/deploy.md tells to write.
UVICORN = ["--http", "mcp_server.http.connections:Protocol", "--timeout-keep-alive", "75", "--no-access-log"]


@dataclass(frozen=True, slots=True)
class Process:
    """A running server: `url` without a path, `log` as it is written, `name` as PostgreSQL knows its sessions."""

    url: str
    log: Path
    name: str
    pid: int

    def mcp(self, tenant: str) -> str:
        """The MCP endpoint of a tenant; of the platform where it is ''."""
        return f"{self.url}/mcp/{tenant}/" if tenant else f"{self.url}/mcp/"


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(log: Path, app: str = "core.asgi:application", **environment: str) -> Iterator[Process]:
    """uvicorn with the project's application, as an operator starts it, on the database of this test run."""
    port = free_port()
    environment["PGAPPNAME"] = name = f"server at {port}"
    command = ["-m", "uvicorn", app, "--port", str(port), *UVICORN]
    process = programs.start(command, log, environment=os.environ | environment)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/healthz", lambda: process.exitcode is not None, log)
        yield Process(f"http://127.0.0.1:{port}", log, name, process.pid)
    finally:
        process.terminate()
        process.join(20)


def wait_until_ready(url: str, has_ended: Callable[[], bool], log: Path) -> None:
    """Return when the server answers; fail with its log where it has ended."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if has_ended():
                break
            time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@asynccontextmanager
async def connected(
    url: str, token: str, era: Era = "2026-07-28", headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Client]:
    """The official client over Streamable HTTP, of one protocol era."""
    headers = (headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=era, **options) as client:
            yield client


@asynccontextmanager
async def connected_over_sse(url: str, token: str) -> AsyncIterator[Client]:
    """The official client over the older HTTP+SSE pair."""
    transport = sse_client(f"{url}sse", headers={"Authorization": f"Bearer {token}"})
    async with Client(transport, mode="legacy") as client:
        yield client


@asynccontextmanager
async def connected_over_stdio(tenant: str, era: Era = "2026-07-28", **options: Any) -> AsyncIterator[Client]:
    """The official client in front of `manage.py mcp stdio`."""
    arguments = ["manage.py", "mcp", "stdio", "--tenant", tenant]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(parameters, mode=era, **options) as client:
        yield client
