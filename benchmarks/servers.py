"""The servers that `benchmarks.calls` compares: how each is started, and what it is asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import bounds
from benchmarks.counting import MODERN, OLDER, Era, request

PEERS = Path(".local/peers/bin/python")
TOOL = "get_tenant_products"
# What `python -m mcp_server` serves with; the others get what they understand of it.
OURS_OPTIONS = ["--http", "mcp_server.http.connections:Protocol"]
UVICORN_OPTIONS = ["--ws", "none", "--timeout-keep-alive", "75", "--no-access-log", "--log-level", "warning"]
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# The processor of the servers; benchmarks.common gives the last one to PostgreSQL and the load.
SERVER_CPU = min(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: a module with an application, served by uvicorn with these options, or by gunicorn's threads; ours by
    its own command.

    `is_bound` says whether it connects as the role that policies bind, or as a superuser who filters by hand.
    """

    title: str
    app: str
    python: Path = Path(sys.executable)
    is_bound: bool = True
    is_wsgi: bool = False
    has_command: bool = False
    eras: tuple[Era, ...] = (MODERN, OLDER)
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    path: str = "/mcp"
    has_token: bool = False

    def command(self, port: int) -> list[str]:
        """What starts it."""
        if self.is_wsgi:
            gunicorn = [
                "gunicorn",
                "--worker-class",
                "gthread",
                "--workers",
                "1",
                "--threads",
                "8",
                "--keep-alive",
                "75",
            ]
            return [str(self.python), "-m", *gunicorn, "--bind", f"127.0.0.1:{port}", self.app]
        if self.has_command:
            return [str(self.python), "-m", "mcp_server"]
        options = [*UVICORN_OPTIONS, *self.options]
        return [str(self.python), "-m", "uvicorn", self.app, "--port", str(port), *options]

    def request(self, port: int, era: Era, token: str) -> bytes:
        """A call, as it is on the wire."""
        head, body = request(self.path, token if self.has_token else "", TOOL, {"limit": 20}, era)
        lines = [f"POST {self.path} HTTP/1.1".encode(), *(name + b": " + value for name, value in head)]
        return b"\r\n".join(lines).replace(b"127.0.0.1:8000", f"127.0.0.1:{port}".encode()) + b"\r\n\r\n" + body


SLUG = "bench"
SKETCH = Peer("sketch: SDK + Django's ORM + our backend", "benchmarks.peers.sketch:app")
OURS = Peer(
    "**ours**",
    "core.asgi:application",
    has_command=True,
    environment=bounds.UNREACHED,
    path=f"/mcp/{SLUG}/",
    has_token=True,
)
OFF = Peer(
    "**ours, without token, limits, log and translation**",
    "benchmarks.peers.ours_off:app",
    options=tuple(OURS_OPTIONS),
    environment={"LOG_LEVEL": "WARNING", **bounds.NONE},
    path=f"/mcp/{SLUG}/",
)
SERVERS = [
    Peer("Starlette + psycopg + RLS, no MCP", "benchmarks.peers.bare:app", eras=(MODERN,)),
    Peer("SDK 2.3 + psycopg + RLS", "benchmarks.peers.sdk:app"),
    SKETCH,
    Peer("django-mcpz 1.2, WSGI threads, no RLS", "benchmarks.peers.mcpz:wsgi", PEERS, is_bound=False, is_wsgi=True),
    Peer("django-mcpz 1.2, ASGI, no RLS", "benchmarks.peers.mcpz:app", PEERS, is_bound=False),
    Peer("FastMCP 4.2 + psycopg, no RLS", "benchmarks.peers.fast:app", PEERS, is_bound=False),
    OFF,
    OURS,
]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; `name` is how PostgreSQL knows its sessions."""

    peer: Peer
    port: int
    process: subprocess.Popen[bytes]
    name: str

    def stop(self) -> None:
        """End it, and wait for that."""
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cpu(self) -> float:
        """Seconds of processor time that it has used, with its children."""
        return sum(_stat(pid)[0] for pid in _tree(self.process.pid))

    def memory(self) -> int:
        """Bytes that it holds in memory, with its children."""
        return sum(_stat(pid)[1] for pid in _tree(self.process.pid))


@contextmanager
def running(peer: Peer, environment: Mapping[str, str], log: Path) -> Iterator[Running]:
    """The server, on its processor, for the length of the block."""
    port = _free_port()
    name = f"bench {port}"
    with log.open("a") as output:
        process = subprocess.Popen(
            peer.command(port),
            env={**environment, **peer.environment, "PGAPPNAME": name, "PYTHONPATH": ".", "PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        os.sched_setaffinity(process.pid, {SERVER_CPU})  # before it has threads, which inherit it
    server = Running(peer, port, process, name)
    try:
        _wait_for(process, port, log)
        yield server
    finally:
        server.stop()


def cpu_of(pids: set[int]) -> dict[int, float]:
    """Seconds of processor time of processes; one that has ended is left out."""
    return {pid: _stat(pid)[0] for pid in pids if Path(f"/proc/{pid}").exists()}


def rows_in(body: bytes) -> list[str]:
    """The skus of an answer, of whichever server. Raises ValueError where it is no page."""
    answer = json.loads(body)
    content = answer.get("result", {}).get("structuredContent", answer)
    if "products" not in content:
        raise ValueError(body[:500].decode())
    return [row["sku"] for row in content["products"]]


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"{' '.join(map(str, process.args))} did not start:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _stat(pid: int) -> tuple[float, int]:
    """Seconds of processor time, and bytes in memory (proc_pid_stat(5): fields 14, 15 and 24)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE_BYTES
