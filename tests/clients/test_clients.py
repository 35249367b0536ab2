"""Clients that people use, in front of the shop: `make test-clients` installs and runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.scopes import Scope
from core.services import tenants
from mcp_server.declare.tools import Endpoint
from mcp_server.tokens import tokens
from tests.clients import clients
from tests.clients.clients import CLIENTS, Client
from tests.clients.story import CALLS, PROMPTS, RESOURCES
from tests.support.processes import Process
from tests.support.servers import shop_tools
from tests.support.world import World, working

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not clients.are_installed() and "REQUIRE_CLIENTS" not in os.environ,
        reason="the clients are not there: run `make test-clients`",
    ),
]

TOOLS = {spec.name for spec in shop_tools(Endpoint.TENANT)}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.name)
def test_a_client_lists_calls_reads_and_prompts_and_is_refused_elsewhere(
    client: Client, server: Process, globex: World, tmp_path: Path
) -> None:
    with working():
        tenants.create(subdomain="told", name="Told", locale="en")
        token = tokens.create(name="told", slug="told", scopes=Scope)
    story = {
        "url": server.mcp("told"),
        "other_url": server.mcp("globex"),
        "token": token,
        "calls": [[call.tool, call.arguments] for call in CALLS],
        "resources": list(RESOURCES),
        "prompts": [[name, arguments] for name, (arguments, _) in PROMPTS.items()],
    }

    report = client.tell(story, tmp_path)

    assert {name for name in report["tools"] if not name.startswith("shop_")} == TOOLS
    assert [name for name, *_ in report["calls"]] == [call.tool for call in CALLS]
    assert [
        (name, text, structured)
        for call, (name, is_error, text, structured) in zip(CALLS, report["calls"], strict=True)
        if is_error or call.words not in text or not isinstance(structured, dict)
    ] == []
    assert [uri for uri, words in RESOURCES.items() if words not in report["resources"][uri]] == []
    assert [name for name, (_, words) in PROMPTS.items() if words not in report["prompts"][name]] == []
    assert report.get("refused"), "it was not refused at another tenant's URL"


def test_the_story_has_every_tool_of_the_shop() -> None:
    assert {call.tool for call in CALLS} == TOOLS
