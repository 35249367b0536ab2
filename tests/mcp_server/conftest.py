"""A running server for the tests of the door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mcp_server.processes import Process, serving


@pytest.fixture(scope="session")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server as it is by default: stateless, JSON answers, tokens."""
    with serving(tmp_path_factory.mktemp("server") / "log") as process:
        yield process


@pytest.fixture(scope="session")
def stateful_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The server with sessions and SSE, and with handlers of every other kind beside the tools."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, app="tests.shop.asgi:app", MCP_SESSIONS="stateful") as process:
        yield process
