"""What a caller may not use is not there: no list has it, and to ask for it is to ask for a name that was made up."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import httpx2
import pytest
from mcp_types import PromptMessage
from pydantic import Field
from starlette.requests import HTTPConnection

from core.scopes import Scope
from mcp_server import MCP, Argument, Principal
from mcp_server.declare import messages
from mcp_server.declare.registry import MAX_PARTS, Registry
from mcp_server.declare.tools import Endpoint
from mcp_server.tokens import tokens
from tests.mcp_server.test_app import asked, call
from tests.mcp_server.test_resources import narrow
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message, post
from tests.support.servers import own, shop
from tests.support.world import World, platform_token, working

LISTS = {
    "tools/list": ("tools", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "name"),
}
READING = [Scope.PRODUCTS_READ]
MADE_UP = "made_up_by_tests"


def some_tool() -> str:
    """Do something."""
    return "done"


def regional(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    """Say a region."""
    return region


def answered(
    server: Process, world: World, method: str, params: dict[str, Any], era: Era, token: str = "", **headers: str
) -> httpx2.Response:
    return post(server, world, message(method, params, era), era, token=token, **headers)


def listed(server: Process, world: World, method: str, era: Era, token: str) -> set[str]:
    kind, key = LISTS[method]
    return {each[key] for each in raw.result(answered(server, world, method, {}, era, token))["result"][kind]}


def scopes_of(kind: str) -> dict[str, str | None]:
    """The scope of everything that the shop and tests/shop offer to tenants, by the name in its list."""
    offered = shop().registry()
    found: dict[str, dict[str, str | None]] = {
        "tools/list": {spec.name: spec.scope for spec in offered.tools(Endpoint.TENANT)},
        "resources/list": {str(spec.uri): spec.scope for spec in offered.resources() if not spec.arguments},
        "resources/templates/list": {str(spec.uri): spec.scope for spec in offered.resources() if spec.arguments},
        "prompts/list": {spec.name: spec.scope for spec in offered.prompts().values()},
    }
    return found[kind]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", LISTS)
def test_a_list_holds_what_the_token_may_use(method: str, era: Era, server: Process, acme: World) -> None:
    scopes = scopes_of(method)

    everything = listed(server, acme, method, era, acme.token)
    some = listed(server, acme, method, era, narrow(acme, *READING))

    assert everything >= scopes.keys()
    assert some & scopes.keys() == {name for name, scope in scopes.items() if scope in (None, *READING)}
    assert some < everything


@pytest.mark.parametrize("era", ERAS)
def test_each_hidden_tool_is_answered_like_one_that_was_made_up(era: Era, server: Process, acme: World) -> None:
    token = narrow(acme, *READING)
    hidden = {spec.name for spec in shop().registry().tools(Endpoint.TENANT) if spec.scope not in (None, *READING)}
    arguments = {"sku": "A-1", "limit": 0, "dry_run": True}

    def called(name: str) -> tuple[int, str]:
        answer = answered(server, acme, "tools/call", {"name": name, "arguments": arguments}, era, token)
        # A name that resembles one which the caller may use is told so, made up or not.
        return answer.status_code, re.sub(r" Did you mean [^?]*\?", "", answer.text.replace(name, MADE_UP))

    expected = called(MADE_UP)

    assert hidden
    assert {name: called(name) for name in hidden} == dict.fromkeys(hidden, expected)
    assert "get_product" in expected[1]
    assert not any(name in expected[1] for name in hidden)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "key", "hidden", "made_up", "more"),
    [
        ("resources/read", "uri", "order://1", "ordre://1", {}),
        ("resources/read", "uri", "report://sales/today", "roport://sales/today", {}),
        ("prompts/get", "name", "customer_follow_up", "customer_fallow_ap", {"arguments": {"customer": "x"}}),
    ],
)
def test_so_is_what_is_read(
    method: str, key: str, hidden: str, made_up: str, more: dict[str, Any], era: Era, server: Process, acme: World
) -> None:
    token = narrow(acme, *READING)

    answers = [answered(server, acme, method, {key: name, **more}, era, token) for name in (hidden, made_up)]

    told = [answer.text.replace(name, "") for answer, name in zip(answers, (hidden, made_up), strict=True)]
    assert told[0] == told[1]
    assert answers[0].status_code == answers[1].status_code
    assert "error" in raw.result(answers[0])


@pytest.mark.parametrize("era", ERAS)
def test_so_is_what_is_suggested(era: Era, server: Process, acme: World) -> None:
    token = narrow(acme, *READING)
    refs = [
        [{"type": "ref/resource", "uri": uri} for uri in ("order://{number}", "ordre://{number}")],
        [{"type": "ref/prompt", "name": name} for name in ("customer_follow_up", "customer_fallow_ap")],
    ]

    for pair in refs:
        argument = {"name": "number" if "uri" in pair[0] else "customer", "value": ""}
        told = [
            answered(server, acme, "completion/complete", {"ref": ref, "argument": argument}, era, token).text
            for ref in pair
        ]
        assert told[0] == told[1]
        assert "There is no argument" in told[0]


@pytest.mark.parametrize("era", ERAS)
def test_what_no_word_resembles_is_not_meant(era: Era, server: Process, acme: World) -> None:
    """ "Did you mean ..." is said of what the caller may use alone."""
    token = narrow(acme, *READING)

    answer = answered(server, acme, "tools/call", {"name": "cancel_ordr", "arguments": {}}, era, token)

    assert "cancel_order" not in answer.text
    assert "Did you mean 'cancel_order'" in answered(
        server, acme, "tools/call", {"name": "cancel_ordr", "arguments": {}}, era
    ).text.replace("\\u0027", "'")


def test_who_may_use_nothing_is_told_so(acme: World) -> None:
    async def nobody(connection: HTTPConnection, slug: str) -> Principal:
        return Principal("nobody", tenant_id=acme.id, slug=slug, locale="en", id="nobody")

    mcp = MCP("closed", apps=[], authenticate=nobody)
    mcp.tool(scope="names:read", read_only=True)(some_tool)

    answer = asked(mcp.asgi(), lambda client: call(client, "/mcp/acme/", "tools/call", name="some_tool", arguments={}))

    assert answer.json()["error"]["message"] == "There is no tool some_tool, and no other for you."


def test_what_is_kept_by_clients_is_kept_for_one(server: Process, acme: World) -> None:
    for method in [*LISTS, "server/discover"]:
        found = raw.result(answered(server, acme, method, {}, "2026-07-28"))["result"]

        assert found["cacheScope"] == "private", method


def test_the_greeting_says_nothing_of_what_is_not_there(acme: World) -> None:
    async def caller(connection: HTTPConnection, slug: str) -> Principal:
        scopes = frozenset(connection.headers.get("X-Scopes", "").split())
        return Principal("tests", tenant_id=acme.id, slug=slug, locale="en", id="tests", scopes=scopes)

    mcp = MCP("greeting", instructions="It is a shelf.", apps=[], authenticate=caller)
    mcp.tool(scope="a:write", read_only=False)(some_tool)

    async def story(client: httpx2.AsyncClient) -> list[str]:
        said = []
        for method, era in (("initialize", "legacy"), ("server/discover", "2026-07-28")):
            for scopes in ("a:write", ""):
                body = message(method, raw.INITIALIZE if era == "legacy" else {}, era)
                sent = raw.headers("", era, method) | {"Accept": raw.BOTH, "X-Scopes": scopes}
                answer = await client.post("/mcp/acme/", json=body, headers=sent)
                said.append(answer.json()["result"]["instructions"])
        return said

    greeted, silent, *modern = asked(mcp.asgi(), story)

    assert modern == [greeted, silent]
    assert "Changes: with dry_run=true" in greeted
    assert "Changes: " not in silent
    assert "It is a shelf." in silent


def test_at_the_platforms_url_it_is_so_too(server: Process, acme: World) -> None:
    platform = World(acme.id, "", "Platform", platform_token(), *[acme.id] * 4)
    with working():
        token = tokens.create(name="narrow", slug=None, scopes=[Scope.AUDIT_READ])

    everything = listed(server, platform, "tools/list", "2026-07-28", platform.token)
    some = listed(server, platform, "tools/list", "2026-07-28", token)

    assert "create_tenant" in everything - some
    assert "run_isolation_audit" in some


def test_a_header_that_does_not_fit_tells_of_no_tool(acme: World) -> None:
    async def caller(connection: HTTPConnection, slug: str) -> Principal:
        scopes = frozenset(connection.headers.get("X-Scopes", "").split())
        return Principal("tests", tenant_id=acme.id, slug=slug, locale="en", id="tests", scopes=scopes)

    mcp = MCP("regional", apps=[], authenticate=caller)
    mcp.tool(scope="regions:read", read_only=True)(regional)

    async def story(client: httpx2.AsyncClient) -> list[tuple[int, str]]:
        told = []
        for name, scopes in (("regional", "regions:read"), ("regional", ""), ("ragionel", "")):
            body = message("tools/call", {"name": name, "arguments": {"region": "here"}}, "2026-07-28")
            sent = raw.headers("", "2026-07-28", "tools/call", name) | {"Accept": raw.BOTH, "X-Scopes": scopes}
            answer = await client.post("/mcp/acme/", json=body, headers=sent | {"Mcp-Param-Region": "elsewhere"})
            told.append((answer.status_code, answer.text.replace(name, "")))
        return told

    seen, hidden, made_up = asked(mcp.asgi(), story)

    assert json.loads(seen[1])["error"]["code"] == -32020
    assert hidden == made_up
    assert "There is no tool" in hidden[1]


def test_a_prompt_may_name_what_its_reader_can_not_read(acme: World) -> None:
    async def caller(connection: HTTPConnection, slug: str) -> Principal:
        return Principal("tests", tenant_id=acme.id, slug=slug, locale="en", id="tests", scopes=frozenset({"a:read"}))

    mcp = MCP("linking", apps=[], authenticate=caller)

    @mcp.resource("shelf://{name}", scope="b:read")
    def shelf(name: Annotated[str, Argument("Its name.")]) -> str:
        """A shelf."""
        return name

    @mcp.prompt(scope="a:read")
    def look() -> list[PromptMessage]:
        """Look."""
        return [messages.reading("shelf://{name}", name="top")]

    answer = asked(mcp.asgi(), lambda client: call(client, "/mcp/acme/", "prompts/get", name="look"))

    assert "shelf://top" in answer.json()["result"]["messages"][0]["content"]["text"]


@pytest.mark.parametrize("era", ERAS)
def test_a_token_that_reads_only_sees_no_tool_that_changes_something(era: Era, server: Process, acme: World) -> None:
    with working():
        token = tokens.create(name="reader", slug="acme", scopes=Scope, is_read_only=True)
    specs = shop().registry().tools(Endpoint.TENANT)

    seen = listed(server, acme, "tools/list", era, token)

    assert seen & {spec.name for spec in specs} == {spec.name for spec in specs if spec.is_read_only}
    told = [
        answered(server, acme, "tools/call", {"name": name, "arguments": {}}, era, token).text.replace(name, "")
        for name in ("shop_rename", MADE_UP)
    ]
    assert re.sub(r" Did you mean [^?]*\?", "", told[0]) == told[1]


@pytest.mark.parametrize("era", ERAS)
def test_a_token_of_some_tools_sees_those(era: Era, server: Process, acme: World) -> None:
    with working():
        token = tokens.create(name="narrow", slug="acme", tools=["get_product", "adjust_stock"])

    assert listed(server, acme, "tools/list", era, token) == {"get_product", "adjust_stock"}
    # What is read follows the scopes, which are those of the tools.
    assert listed(server, acme, "resources/templates/list", era, token) == {"product://{sku}"}
    answer = raw.result(answered(server, acme, "tools/call", {"name": "list_orders", "arguments": {}}, era, token))
    assert "There is no tool list_orders. Call one of: adjust_stock, get_product." in answer["error"]["message"]


def test_what_callers_may_use_is_kept_for_so_many() -> None:
    mcp = own()
    mcp.tool(scope="a:read", read_only=True)(some_tool)
    whole = mcp.registry()

    def part(*scopes: str) -> Registry:
        principal = Principal("tests", None, "", id="tests", scopes=frozenset(scopes))
        return whole.usable_by(principal)

    first = part("a:read")
    assert part("a:read") is first
    for number in range(MAX_PARTS):
        assert not part(f"{number}:read").has_tool(Endpoint.TENANT, "some_tool")
    assert part("a:read") is not first
    assert part("a:read").has_tool(Endpoint.TENANT, "some_tool")
    assert first.whole is whole
