"""What is no message, and what names nothing: the protocol's own errors, in both eras and every transport."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server.stdio import stdio_server
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR

from mcp_server import server
from mcp_server.declare.tools import Endpoint
from mcp_server.http import context, envelopes
from mcp_server.tokens import resolver
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message, post
from tests.support.servers import shop
from tests.support.world import World

pytestmark = pytest.mark.slow

# In older versions; the newest has it among the invalid parameters.
RESOURCE_NOT_FOUND = -32002
CALL = {"name": "add_numbers", "arguments": {"a": 1, "b": 2}}
servers = pytest.mark.parametrize("process", ["server", "stateful_server"])


@pytest.fixture
def running(process: str, request: pytest.FixtureRequest) -> Process:
    found: Process = request.getfixturevalue(process)
    return found


def in_session(running: Process, process: str, world: World, era: Era) -> dict[str, str]:
    return raw.session(running, world) if process == "stateful_server" and era == "legacy" else {}


@servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("id_", [None, 1.5, 1.0, True, False, {}, {"a": 1}, [], [1]])
def test_an_id_that_is_none_is_refused(id_: Any, era: Era, process: str, running: Process, acme: World) -> None:
    more = in_session(running, process, acme, era)

    answer = post(running, acme, message("tools/call", CALL, era, id=id_), era, **more)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == INVALID_REQUEST
    assert answer.json()["id"] is None


@servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("id_", [0, -1, 2**60, "", "a", "1.5", "ü"])
def test_an_id_that_is_one_comes_back(id_: Any, era: Era, process: str, running: Process, acme: World) -> None:
    more = in_session(running, process, acme, era)

    answer = post(running, acme, message("tools/call", CALL, era, id=id_), era, **more)

    assert answer.status_code == 200
    assert raw.result(answer)["id"] == id_
    assert raw.result(answer)["result"]["structuredContent"] == {"result": 3}


@servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"nonsense", b'"progressToken', b'{"jsonrpc": "2.0"}}', b"\xff\xfe", b'{"id": NaN}', b"[" * 5000],
)
def test_what_is_no_json_is_a_parse_error(body: bytes, era: Era, process: str, running: Process, acme: World) -> None:
    answer = post(running, acme, body, era, **in_session(running, process, acme, era))

    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["id"]) == (PARSE_ERROR, None)


@servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("body", "id_"),
    [
        ([], None),
        ([message("tools/list")], None),
        ("tools/list", None),
        (7, None),
        (None, None),
        ({}, None),
        ({"jsonrpc": "2.0", "id": 7}, 7),
        (message("tools/list", jsonrpc="1.0", id=7), 7),
        (message("tools/list", jsonrpc=2.0, id="seven"), "seven"),
        ({"id": 7, "method": "tools/list"}, 7),
        (message("tools/list", method=None, id=7), 7),
        (message("tools/list", method=["tools/list"], id=7), 7),
        (message("tools/list", params=[], id=7), 7),
        (message("tools/list", params="all", id=7), 7),
        (message("tools/list", params=0, id=7), 7),
        ({"jsonrpc": "2.0", "method": "notifications/initialized", "params": []}, None),
        ({"jsonrpc": "2.0", "id": None, "result": {}}, None),
    ],
)
def test_what_is_no_message_is_an_invalid_request(
    body: Any, id_: Any, era: Era, process: str, running: Process, acme: World
) -> None:
    answer = post(running, acme, json.dumps(body).encode(), era, **in_session(running, process, acme, era))

    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["id"]) == (INVALID_REQUEST, id_)


@servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/call", {"name": "get_tenant_inf", "arguments": {}}, INVALID_PARAMS),
        ("tools/call", {"name": "", "arguments": {}}, INVALID_PARAMS),
        ("tools/call", {"arguments": {}}, INVALID_PARAMS),
        ("tools/call", {"name": "add_numbers", "arguments": [1, 2]}, INVALID_PARAMS),
        ("tools/call", {"name": "add_numbers", "arguments": "a"}, INVALID_PARAMS),
        ("prompts/get", {"name": "weekly_briefing"}, INVALID_PARAMS),
        ("prompts/get", {"name": "daily_briefing", "arguments": {"x": 1}}, INVALID_PARAMS),
        ("resources/read", {}, INVALID_PARAMS),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "no"}}, INVALID_PARAMS),
        ("tools/list", {"cursor": "invented"}, INVALID_PARAMS),
        ("tools/list", {"cursor": 5}, INVALID_PARAMS),
        ("prompts/list", {"cursor": "invented"}, INVALID_PARAMS),
        ("resources/list", {"cursor": "invented"}, INVALID_PARAMS),
        ("resources/templates/list", {"cursor": "invented"}, INVALID_PARAMS),
        ("tools/destroy", {}, METHOD_NOT_FOUND),
        ("", {}, METHOD_NOT_FOUND),
    ],
)
def test_what_names_nothing_is_the_protocols_error(
    method: str, params: dict[str, Any], code: int, era: Era, process: str, running: Process, acme: World
) -> None:
    more = in_session(running, process, acme, era)

    answer = post(running, acme, message(method, params, era), era, **more)

    status = {METHOD_NOT_FOUND: 404, INVALID_PARAMS: 400}[code] if era == "2026-07-28" else 200
    assert (answer.status_code, raw.result(answer)["id"]) == (status, 1)
    assert raw.result(answer)["error"]["code"] == code
    assert raw.result(answer)["error"]["message"]


@servers
@pytest.mark.parametrize(("method", "params"), [("tools/call", {"name": 5}), ("resources/read", {"uri": {}})])
def test_a_name_of_the_wrong_type(
    method: str, params: dict[str, Any], process: str, running: Process, acme: World
) -> None:
    older = post(running, acme, message(method, params), **in_session(running, process, acme, "legacy"))
    newest = post(running, acme, message(method, params, "2026-07-28"), "2026-07-28")

    assert raw.result(older)["error"]["code"] == INVALID_PARAMS
    # No header can say the same as the body, which is looked at first.
    assert (newest.status_code, newest.json()["error"]["code"]) == (400, HEADER_MISMATCH)


@servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("uri", ["product://A-2", "order://99", "nothing://at-all", "report://sales/someday", ""])
def test_a_resource_that_is_not_there(uri: str, era: Era, process: str, running: Process, acme: World) -> None:
    more = in_session(running, process, acme, era)

    error = raw.result(post(running, acme, message("resources/read", {"uri": uri}, era), era, **more))["error"]

    assert error["code"] == (RESOURCE_NOT_FOUND if era == "legacy" else INVALID_PARAMS)
    assert error["data"] == {"uri": uri}


@pytest.mark.parametrize("method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list"])
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("cursor", [{}, {"cursor": ""}])
def test_no_cursor_is_the_list(cursor: dict[str, Any], era: Era, method: str, server: Process, acme: World) -> None:
    answer = post(server, acme, message(method, cursor, era), era)

    assert answer.status_code == 200
    assert "result" in answer.json()


@pytest.mark.anyio
@pytest.mark.parametrize("id_", [None, 1.5, True, {}])
async def test_the_older_pair_refuses_them_too(id_: Any, stateful_server: Process, acme: World) -> None:
    async with httpx2.AsyncClient(headers=raw.headers(acme.token), timeout=raw.SOON) as client:
        async with client.stream("GET", stateful_server.mcp("acme") + "sse") as stream:
            lines = stream.aiter_lines()
            path = next(line[6:] for line in [await anext(lines), await anext(lines)] if line.startswith("data: "))
            bodies: list[Any] = [json.dumps(message("ping", id=id_)), "{", "[]"]
            answers = [await client.post(stateful_server.url + path, content=body) for body in bodies]

    assert [answer.status_code for answer in answers] == [400] * 3
    codes = [answer.json()["error"]["code"] for answer in answers]
    assert codes == [INVALID_REQUEST, PARSE_ERROR, INVALID_REQUEST]


@pytest.mark.parametrize("process", ["stateful_server"])
def test_what_a_handler_raises_is_told_nobody(process: str, running: Process, acme: World) -> None:
    more = raw.session(running, acme)

    answer = post(running, acme, message("prompts/get", {"name": "crash"}), **more)

    error = raw.result(answer)["error"]
    assert error["code"] == -32603
    assert "the secret of the crash" not in answer.text
    reference = error["message"].rpartition("reference ")[2].rstrip(".")
    [record] = raw.log_lines(running, reference=reference)
    assert "the secret of the crash" in record["traceback"]


class Output:
    """A stdout that says when everything is written that is waited for."""

    def __init__(self, count: int) -> None:
        self.lines: list[str] = []
        self.count = count
        self.is_written = anyio.Event()

    async def write(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == self.count:
            self.is_written.set()

    async def flush(self) -> None:
        """Nothing is kept back."""


async def over_stdio(mcp: Any, lines: list[str]) -> list[dict[str, Any]]:
    """What the SDK's stdio transport writes for these lines, in front of a server of ours."""
    output: Any = Output(len([line for line in lines if line]))
    sending, receiving = anyio.create_memory_object_stream[str](len(lines))
    messages: Any = envelopes.Messages(receiving)
    served = mcp._lowlevel_server
    with sending, receiving:
        for line in lines:
            sending.send_nowait(line + "\n")
        async with (
            stdio_server(stdin=messages, stdout=output) as (reading, writing),
            anyio.create_task_group() as tasks,
        ):
            messages.answer_on(writing)
            tasks.start_soon(served.run, reading, writing, served.create_initialization_options())
            with anyio.fail_after(raw.SOON):
                await output.is_written.wait()
            sending.close()
    return [json.loads(line) for line in output.lines]


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_a_line_that_is_no_message_is_answered_over_stdio_too(era: Era, acme: World) -> None:
    bad = [message("tools/list", {}, era, id=each) for each in (None, 1.5, True, {})]
    first = message("initialize", raw.INITIALIZE) if era == "legacy" else message("server/discover", {}, era)
    lines = [json.dumps(first), "{", "[]", "", *map(json.dumps, bad), json.dumps(message("no/such", {}, era, id=9))]

    with context.serving_stdio(lambda: resolver.open_endpoint("acme")):
        answers = await over_stdio(server.build(shop(), Endpoint.TENANT), lines)

    found = {
        code: sum(each.get("error", {}).get("code") == code for each in answers) for code in (-32700, -32600, -32601)
    }
    assert found == {PARSE_ERROR: 1, INVALID_REQUEST: 5, METHOD_NOT_FOUND: 1}
    assert [each["id"] for each in answers if "result" in each] == [1]
    assert {each["id"] for each in answers if each.get("error", {}).get("code") in (PARSE_ERROR, INVALID_REQUEST)} == {
        None
    }
