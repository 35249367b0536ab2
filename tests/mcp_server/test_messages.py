"""What a tool tells the client's log, and from which level on, over each way and in each protocol."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import METHOD_NOT_FOUND, LoggingMessageNotificationParams

from mcp_server import report_message
from rls import tenant_context
from tests.support import raw
from tests.support.processes import ERAS, Era, Process, connected, connected_over_stdio
from tests.support.raw import message, post
from tests.support.world import World

pytestmark = pytest.mark.slow

TOOLS = ["shop_tells", "shop_tells_async"]
TOLD = [("debug", "Looking"), ("info", "Found it"), ("warning", "It is old")]


class Log:
    """What a client is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, object]] = []
        self.progress: list[tuple[float, float | None, str | None]] = []

    async def hear(self, params: LoggingMessageNotificationParams) -> None:
        self.messages.append((params.level, params.data))

    async def hear_progress(self, done: float, total: float | None, text: str | None) -> None:
        self.progress.append((done, total, text))


async def call(connection: AbstractAsyncContextManager[Client], name: str, log: Log, level: str = "") -> None:
    """Call a tool through a client, which says first, where it is an older one, from which level on it is told."""
    async with connection as client:
        if level:
            with pytest.warns(MCPDeprecationWarning):
                await client.set_logging_level(level)
        result = await client.call_tool(name, {}, progress_callback=log.hear_progress)
    assert result.content[0].text == "Told"
    assert log.progress == [(1, 2, "Half of it")]


@pytest.mark.anyio
@pytest.mark.parametrize(("level", "first"), [("debug", 0), ("info", 1), ("notice", 2), ("error", 3)])
@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("process", ["server", "stateful_server"])
async def test_a_request_says_from_which_level_on(
    level: Any, first: int, name: str, process: str, request: pytest.FixtureRequest, acme: World
) -> None:
    server: Process = request.getfixturevalue(process)
    log = Log()

    await call(connected(server.mcp("acme"), acme.token, logging_callback=log.hear, log_level=level), name, log)

    assert log.messages == TOLD[first:]


@pytest.mark.anyio
@pytest.mark.parametrize(("level", "first"), [("", 1), ("debug", 0), ("warning", 2), ("emergency", 3)])
@pytest.mark.parametrize("name", TOOLS)
async def test_a_session_says_from_which_level_on(
    level: str, first: int, name: str, stateful_server: Process, acme: World
) -> None:
    log = Log()

    client = connected(stateful_server.mcp("acme"), acme.token, "legacy", logging_callback=log.hear)
    await call(client, name, log, level)

    assert log.messages == TOLD[first:]


@pytest.mark.anyio
@pytest.mark.parametrize("name", TOOLS)
async def test_older_clients_without_a_session_are_told_progress_alone(name: str, server: Process, acme: World) -> None:
    log = Log()

    await call(connected(server.mcp("acme"), acme.token, "legacy", logging_callback=log.hear), name, log)
    answer = raw.result(post(server, acme, message("logging/setLevel", {"level": "debug"})))

    assert log.messages == []
    assert answer["error"]["code"] == METHOD_NOT_FOUND


@pytest.mark.anyio
@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("era", ERAS)
async def test_stdio_is_a_session(name: str, era: Era, acme: World) -> None:
    log = Log()
    options: dict[str, Any] = {"log_level": "debug"} if era != "legacy" else {}

    client = connected_over_stdio("acme", era, logging_callback=log.hear, **options)
    await call(client, name, log, "debug" if era == "legacy" else "")

    assert log.messages == TOLD


def test_the_level_of_one_session_is_not_that_of_another(stateful_server: Process, acme: World) -> None:
    loud, quiet = raw.session(stateful_server, acme), raw.session(stateful_server, acme)
    for session, level in ((loud, "debug"), (quiet, "error")):
        raw.result(post(stateful_server, acme, message("logging/setLevel", {"level": level}), **session))

    answers = [
        post(stateful_server, acme, message("tools/call", {"name": "shop_tells", "arguments": {}}), **session).text
        for session in (loud, quiet)
    ]

    assert [text.count("notifications/message") for text in answers] == [3, 0]


def test_a_level_that_there_is_not_is_told_with_those_that_there_are(acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(ValueError, match="there is no level 'warn'; write one of debug, info"):
        report_message("Old", "warn")  # type: ignore[arg-type]
