"""A server whose boundary the SDK does not run refuses to serve, however it is started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from mcp.server import runner
from mcp.server.mcpserver import MCPServer

from mcp_server import selftest, server
from mcp_server.declare.tools import Endpoint
from mcp_server.http import context, direct
from mcp_server.principals import Principal
from tests.mcp_server.test_asgi import QUICKSTART, SERVE, STDIO, UVICORN, WORKER
from tests.support.processes import free_port
from tests.support.servers import shop
from tests.support.world import World

pytestmark = pytest.mark.slow

BYPASSED = ["tools/call", "resources/read", "prompts/get", "completion/complete", "tools/list", "unknown/method"]
composed = runner.ServerRunner._compose_server_middleware


def bypassing(*methods: str) -> Callable[[Any, Any], Any]:
    """An SDK that runs no middleware for some methods; for all where none is named."""

    def compose(self: Any, inner: Any) -> Any:
        guarded = composed(self, inner)

        async def call(ctx: Any) -> Any:
            return await (inner if ctx.method in methods or not methods else guarded)(ctx)

        return call

    return compose


@pytest.mark.parametrize("endpoint", Endpoint)
def test_a_sound_server_is_built(endpoint: Endpoint) -> None:
    assert isinstance(server.build(shop(), endpoint), MCPServer)


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("method", [*BYPASSED, "resources/list", "prompts/list", "subscriptions/listen", "initialize"])
def test_each_method_is_tried(method: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.ServerRunner, "_compose_server_middleware", bypassing(method))

    with pytest.raises(ImproperlyConfigured, match=f"boundary before {method}\\. Install the version"):
        server.build(shop(), endpoint)


def test_an_sdk_that_runs_no_middleware_serves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.ServerRunner, "_compose_server_middleware", bypassing())

    with pytest.raises(ImproperlyConfigured) as refusal:
        server.build(shop(), Endpoint.TENANT)

    assert all(method in str(refusal.value) for method in BYPASSED)


@pytest.mark.parametrize(
    ("road", "owner"),
    [
        ("serve_one", "mcp.server"),
        ("serve_one", direct.__name__),
        ("serve_connection", "mcp.server"),
        ("_serve_modern_stream", "mcp.server"),
        ("_serve_legacy_stream", "mcp.server"),
    ],
)
def test_each_road_is_tried(road: str, owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that got a runner of its own, without middleware."""
    inner = getattr(runner, road)

    async def unguarded(served: Any, *args: Any, **options: Any) -> Any:
        bare = type(served)("bare")
        bare._request_handlers, bare.middleware = served._request_handlers, []
        return await inner(bare, *args, **options)

    for name, module in list(sys.modules.items()):
        if name.startswith(owner) and getattr(module, road, None) is inner:
            monkeypatch.setattr(module, road, unguarded)

    with pytest.raises(ImproperlyConfigured, match="does not run the tenant boundary"):
        server.build(shop(), Endpoint.TENANT)


def test_an_sdk_that_forgets_the_middleware_it_is_given_serves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MCPServer.__init__

    def forgetful(self: Any, *args: Any, middleware: object = None, **options: Any) -> None:
        made(self, *args, **options)

    monkeypatch.setattr(MCPServer, "__init__", forgetful)

    with pytest.raises(ImproperlyConfigured, match="does not run the tenant boundary"):
        server.build(shop(), Endpoint.TENANT)


def test_nobody_is_refused_though_a_tenant_is_served_over_stdio() -> None:
    with context.serving_stdio(lambda: Principal("public", uuid4(), "acme")):
        selftest.require_boundary(server.build(shop(), Endpoint.TENANT))


# A release of the SDK without middleware, for processes that find it on their path.
BROKEN = """
from mcp.server import runner
runner.ServerRunner._compose_server_middleware = lambda self, inner: inner
"""


@pytest.mark.parametrize("command", [SERVE, UVICORN, WORKER, QUICKSTART, STDIO])
def test_no_way_to_start_serves_without_the_boundary(
    command: list[str], tmp_path: Path, database: str, acme: World
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PORT": str(free_port())}

    refused = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )

    assert refused.returncode != 0
    assert "refusing to serve: mcp " in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize("command", [SERVE, STDIO])
def test_an_operator_reads_one_sentence(command: list[str], tmp_path: Path, database: str, acme: World) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PORT": str(free_port())}

    refused = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )

    assert "Traceback" not in refused.stderr
    assert refused.stderr.count("refusing to serve") == 1
