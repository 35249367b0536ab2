"""A tool whose schema is written by hand: published word for word, and kept."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcp_server import MCP, anyone, checks
from mcp_server import server as sdk
from mcp_server.declare.tools import Endpoint
from mcp_server.ledger.models import AuditEvent
from rls import tenant_context
from tests.mcp_server.test_app import asked, call
from tests.support.servers import own
from tests.support.world import World

# Either of two, which annotations can't say.
EITHER: dict[str, Any] = {
    "type": "object",
    "properties": {"sku": {"type": "string"}, "name": {"type": "string", "maxLength": 20}},
    "oneOf": [{"required": ["sku"]}, {"required": ["name"]}],
}


@pytest.fixture
def mcp() -> MCP:
    """A server with a tool that changes something, and takes one of two."""
    mcp = MCP("either", apps=[], authenticate=anyone)

    @mcp.tool(scope=None, read_only=False, input_schema=EITHER)
    def pick(sku: str = "", name: str = "") -> str:
        """Picks a product."""
        return sku or name

    return mcp


def text(mcp: MCP, **arguments: Any) -> str:
    """The text of the answer at acme's URL."""
    answer = asked(
        mcp.asgi(), lambda client: call(client, "/mcp/acme/", "tools/call", name="pick", arguments=arguments)
    )
    return str(answer.json()["result"]["content"][0]["text"])


def test_what_the_server_adds_stands_beside_it(acme: World, mcp: MCP) -> None:
    answer = asked(mcp.asgi(), lambda client: call(client, "/mcp/acme/", "tools/list")).json()

    [tool] = answer["result"]["tools"]
    assert tool["inputSchema"]["oneOf"] == EITHER["oneOf"]
    assert tool["inputSchema"]["properties"].keys() == {"sku", "name", "idempotency_key", "dry_run"}


def test_arguments_are_judged_by_it_before_anything_is_changed(acme: World, mcp: MCP) -> None:
    neither, both, long = text(mcp), text(mcp, sku="A-1", name="Anvil"), text(mcp, name="x" * 21)

    assert neither.startswith("The arguments of pick are not valid: arguments: ")
    assert both.startswith('The arguments of pick are not valid: arguments: Input should fit {"oneOf": ')
    assert 'name: Input should fit {"maxLength": 20}' in long
    with tenant_context(acme.id):
        assert not AuditEvent.objects.filter(action="pick").exists()


def test_what_fits_is_done(acme: World, mcp: MCP) -> None:
    assert text(mcp, sku="A-1", idempotency_key="mine") == "A-1"
    assert "Dry run" in text(mcp, name="Anvil", dry_run=True)
    with tenant_context(acme.id):
        assert AuditEvent.objects.filter(action="pick").count() == 1


def test_what_stands_for_nothing_is_not_given(acme: World, mcp: MCP) -> None:
    assert text(mcp, sku="A-1", name=None) == "A-1"


def test_a_text_of_the_client_is_not_told_back_whole(acme: World, mcp: MCP) -> None:
    assert len(text(mcp, name="x" * 100_000)) < 1_000


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "objekt"}, r"its input_schema is no JSON Schema: .*; correct \$\.type"),
        ({"type": "string"}, r'not that of an object, as arguments are; write `"type": "object"` in it'),
        ({"properties": {"sku": {}}}, r'write `"type": "object"` in it'),
        ({"type": "object"}, r'differ in sku; write `"sku": \{"type": "string"\}` among the properties'),
        ({"type": "object", "properties": {"sku": {}, "to": {}}}, "differ in to; write `to: str` among its parameters"),
    ],
)
def test_one_that_is_none_or_names_others_is_found_at_the_start(schema: dict[str, Any], line: str) -> None:
    mcp = own()

    @mcp.tool(scope=None, read_only=True, input_schema=schema)
    def bad(sku: str = "") -> str:
        """Bad."""
        return sku

    [error] = checks.unservable_tools(mcp.registry())
    with pytest.raises(ImproperlyConfigured, match=line):
        sdk.build(mcp, Endpoint.TENANT)

    assert error.id == "mcp_server.E005"
    assert error.hint
