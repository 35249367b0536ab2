"""Real servers, and what Prometheus reads of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support import figures, programs, raw
from tests.support.figures import Figures
from tests.support.held import until
from tests.support.processes import Process, free_port, serving, wait_until_ready
from tests.support.world import World

pytestmark = pytest.mark.slow

CALL = raw.message("tools/call", {"name": "get_product", "arguments": {"sku": "A-1"}})


@contextmanager
def served_by_two(log: Path, metrics: int) -> Iterator[Process]:
    """`python -m mcp_server` with two workers, as an operator starts it."""
    port = free_port()
    environment = os.environ | {"PORT": str(port), "WORKERS": "2", "MCP_METRICS": str(metrics)}
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "mcp_server"], env=environment, stdout=output, stderr=output)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/healthz", lambda: process.poll() is not None, log)
        yield Process(f"http://127.0.0.1:{port}", log, "", process.pid)
    finally:
        process.terminate()
        process.wait(60)


def both(port: int) -> list[Figures]:
    """Those of the two workers."""
    return [figures.at(port), figures.at(port + 1)]


def test_two_workers_tell_what_each_has_done_and_the_sum_is_right(acme: World, tmp_path: Path) -> None:
    metrics = figures.free_ports()
    with served_by_two(tmp_path / "log", metrics) as server:
        raw.wait_for_log(server, 2, message="metrics are told")
        sent = 0

        def have_both_worked() -> bool:
            nonlocal sent
            # Each on a connection of its own, which the kernel gives to one of them.
            sent += raw.post(server, acme, CALL).status_code == 200
            raw.post(server, acme, CALL, token="tmcp_of-nobody")
            return all(each.sum("mcp_calls_total", name="get_product") for each in both(metrics))

        until(have_both_worked)
        found = both(metrics)

    assert sum(each.sum("mcp_calls_total", name="get_product", outcome="ok") for each in found) == sent
    assert sum(each.sum("mcp_call_duration_seconds_count", name="get_product") for each in found) == sent
    assert sum(each.sum("mcp_refusals_total", kind="invalid_token") for each in found) == sent
    assert [each.sum("mcp_build_info") for each in found] == [1, 1]
    # Of each: those of app_tenant and those of app_platform.
    for each in found:
        assert each.sum("mcp_pool_connections_max", alias="default") == each.sum("mcp_workers")
        assert each.sum("mcp_pool_connections", alias="default") >= 1
        assert each.sum("mcp_pool_requests_waiting") == 0


def test_it_is_told_on_the_loopback_interface_alone(database: str, tmp_path: Path) -> None:
    metrics = figures.free_ports()
    with serving(tmp_path / "log", MCP_METRICS=str(metrics)):
        answer = httpx2.get(f"http://127.0.0.1:{metrics}/metrics")
        # Another address of this machine, at which a server of all interfaces would answer.
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.2:{metrics}/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


def test_nobody_is_counted_for_who_does_not_ask(database: str, tmp_path: Path) -> None:
    program = """
import asyncio, os, sys
import django; django.setup()
from core.asgi import application
async def begin():
    async with application.router.lifespan_context(application):
        print([name for name in sys.modules if name.startswith(("prometheus_client", "mcp_server.metrics."))])
asyncio.run(begin())
"""

    done = programs.run(["-c", program], environment=os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings"})

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("setting", "is_missing", "said"),
    [
        ("9464", True, "pip install 'django-tenant-mcp[metrics]', or unset MCP_METRICS"),
        ("192.0.2.1:9464", False, "metrics can't be told at 192.0.2.1:9464"),
        ("lo calhost:9464", False, "metrics can't be told at lo calhost:9464"),
        ("nonsense", False, "MCP_METRICS is 'nonsense': set it to a port of this machine, as 9464"),
    ],
)
def test_what_can_not_be_told_is_a_sentence_and_no_server(
    setting: str, is_missing: bool, said: str, database: str, tmp_path: Path
) -> None:
    # As it is where it was not installed: no finder finds it.
    hidden = "import sys; sys.modules['prometheus_client'] = None; " if is_missing else ""
    command = f"{hidden}import runpy; runpy.run_module('mcp_server', run_name='__main__')"
    environment = os.environ | {"PORT": str(free_port()), "MCP_METRICS": setting}

    done = programs.run(["-c", command], environment=environment)

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_machine_without_a_free_port_for_it_says_so(database: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        last = 65_535
        taken = stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", last))
        taken.listen()
        environment = os.environ | {"PORT": str(free_port()), "MCP_METRICS": str(last)}

        done = programs.run(["-m", "mcp_server"], environment=environment)

    assert done.returncode != 0
    assert f"ports {last} to {last} of 127.0.0.1 are taken; set MCP_METRICS to another one" in done.stderr
