"""What is claimed is served, and what is not claimed is not: tried, for each endpoint, era and token."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from django.db import connections
from mcp_types import METHOD_NOT_FOUND

from core.scopes import Scope
from mcp_server.declare.tools import Endpoint
from mcp_server.server import build
from rls.context import PLATFORM_ALIAS
from tests.mcp_server.test_resources import narrow
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message, post
from tests.support.servers import own
from tests.support.world import World, platform_token

ALL = {"tools", "resources", "prompts", "completions"}
# A request of the newest protocol says which messages it wants; older clients say it of a session.
OF_EACH_REQUEST = {"logging"}
# A message for each capability that there is, and what belongs to it.
TRIES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "tools": [("tools/list", {}), ("tools/call", {"name": "add_numbers", "arguments": {"a": 1, "b": 2}})],
    "resources": [("resources/list", {}), ("resources/templates/list", {})],
    "prompts": [("prompts/list", {})],
    "completions": [
        (
            "completion/complete",
            {
                "ref": {"type": "ref/resource", "uri": "report://sales/{period}"},
                "argument": {"name": "period", "value": ""},
            },
        )
    ],
    "tasks": [("tasks/list", {})],
}
SUBSCRIBING = {
    "legacy": ("resources/subscribe", {"uri": "product://A-1"}),
    "2026-07-28": ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["product://A-1"]}}),
}


@pytest.fixture
def platform(acme: World) -> World:
    """The platform's endpoint, as if it were a tenant's."""
    return World(acme.id, "", "Platform", platform_token(), *[acme.id] * 4)


def claimed(server: Process, world: World, era: Era, token: str = "") -> dict[str, Any]:
    asked = message("initialize", raw.INITIALIZE) if era == "legacy" else message("server/discover", {}, era)
    answer = raw.result(post(server, world, asked, era, token=token))
    return dict(answer["result"]["capabilities"])


def is_served(server: Process, world: World, era: Era, method: str, params: dict[str, Any], token: str = "") -> bool:
    """Whether a method is there. A stream is there once it has begun."""
    body = message(method, params, era)
    if method == "subscriptions/listen":
        sent = raw.headers(token or world.token, era, method) | {"Accept": raw.BOTH}
        with httpx2.stream("POST", server.mcp(world.subdomain), json=body, headers=sent, timeout=raw.SOON) as answer:
            return answer.headers["content-type"].startswith("text/event-stream")
    answer = raw.result(post(server, world, body, era, token=token))
    if "error" in answer:
        assert answer["error"]["code"] == METHOD_NOT_FOUND
    return "result" in answer


def assert_true(server: Process, world: World, era: Era, token: str = "") -> dict[str, Any]:
    """Assert that each claim holds, and that nothing else is served; returns the claims."""
    claims = claimed(server, world, era, token)
    for name, tries in TRIES.items():
        for method, params in tries:
            assert is_served(server, world, era, method, params, token) is (name in claims), (name, method)
    assert ("logging" in claims) is (era != "legacy")
    assert not is_served(server, world, era, "logging/setLevel", {"level": "debug"}, token)
    subscribe = claims.get("resources", {}).get("subscribe", False)
    assert is_served(server, world, era, *SUBSCRIBING[era], token) is subscribe
    # Nothing tells of a list that changes: none does, while a process runs.
    assert not any(claims.get(name, {}).get("listChanged", False) for name in ALL)
    assert claims.keys() <= ALL | OF_EACH_REQUEST
    return {name: claim for name, claim in claims.items() if name not in OF_EACH_REQUEST}


@pytest.mark.parametrize("era", ERAS)
def test_a_tenants_endpoint(era: Era, server: Process, acme: World) -> None:
    claims = assert_true(server, acme, era)

    assert claims.keys() == ALL
    assert claims["resources"]["subscribe"] is (era != "legacy")


@pytest.mark.parametrize("era", ERAS)
def test_the_platforms_door_has_tools_only(era: Era, server: Process, platform: World) -> None:
    claims = assert_true(server, platform, era)

    assert claims.keys() == {"tools"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("scopes", "names", "subscribe"),
    [
        ([Scope.REPORTS_READ], ALL, True),
        ([Scope.PRODUCTS_READ, Scope.REPORTS_READ], ALL, True),
        ([Scope.EXPORTS_WRITE], {"tools", "resources"}, False),
        ([Scope.DEMO_WRITE], {"tools"}, False),
        ([Scope.SETTINGS_WRITE, Scope.PRODUCTS_WRITE], {"tools"}, False),
    ],
)
def test_a_token_is_told_of_what_its_scopes_open(
    scopes: list[Scope], names: set[str], subscribe: bool, era: Era, server: Process, acme: World
) -> None:
    claims = assert_true(server, acme, era, narrow(acme, *scopes))

    assert claims.keys() == names
    assert claims.get("resources", {}).get("subscribe", False) is (subscribe and era != "legacy")


def test_a_session_has_messages_and_subscriptions_too(stateful_server: Process, server: Process, acme: World) -> None:
    asked = message("initialize", raw.INITIALIZE)

    answers = [raw.result(post(each, acme, asked))["result"]["capabilities"] for each in (stateful_server, server)]

    with_a_session, without = answers
    assert with_a_session == without | {"logging": {}, "resources": without["resources"] | {"subscribe": True}}


def test_who_lacks_the_scopes_is_told_so_in_its_language(server: Process, acme: World) -> None:
    token = narrow(acme, Scope.DEMO_WRITE)

    errors = [
        raw.result(post(server, acme, message("prompts/list"), token=token, **language))["error"]["message"]
        for language in ({}, {"Accept-Language": "zh-TW"})
    ]

    assert errors == [
        "prompts/list is not offered here, or not to this token. initialize or server/discover tells what is offered.",
        "這裡沒有提供 prompts/list，或這個權杖無權使用。可用的項目請見 initialize 或 server/discover 的回應。",
    ]


def test_without_a_platform_connection_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    mcp = own()

    @mcp.resource("shelf://rows", scope=None, rows=lambda: [("shelf", None)])
    def shelf() -> str:
        """What stands on the shelf."""
        return ""

    served = build(mcp, Endpoint.TENANT)
    connected = asyncio.run(served.claims()).watching
    monkeypatch.delitem(connections.settings, PLATFORM_ALIAS)

    assert connected
    assert not asyncio.run(served.claims()).watching
