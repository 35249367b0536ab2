"""Whatever fits a published schema is answered in words: no crash, and no row of another tenant."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_server.declare.tools import Endpoint
from tests.support import schemas
from tests.support.processes import Process
from tests.support.servers import shop_tools
from tests.support.world import World, platform_token

pytestmark = pytest.mark.slow

NAMES = {each: [spec.name for spec in shop_tools(each)] for each in Endpoint}
READING = {spec.name for each in Endpoint for spec in shop_tools(each) if spec.is_read_only}
EXAMPLES = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
# It takes a reason alone, and runs every rule each time.
FEWER = {"run_isolation_audit": settings(EXAMPLES, max_examples=50)}
# What is there, in acme and in globex alike, so that a call gets further than "there is no such row".
KNOWN: dict[str, list[Any]] = {
    "sku": ["A-1", "a-1", "A-2"],
    "number": [1, 2],
    "quantity": [1, 5],
    "customer": ["wile@globex.example", "wile@acme.example"],
    "customer_email": ["wile@globex.example", "wile@acme.example"],
    "items": [[{"sku": "A-1", "quantity": 1}]],
    "period": ["today", "this_month", "last_90_days", "2026"],
    "search": ["anvil", "Globex"],
    "status": ["paid", "shipped"],
    "tenant_id": ["acme", "globex"],
    "reason": ["a test"],
    "size": ["small"],
    "orders": [1],
}


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    with httpx2.Client(headers=headers, timeout=300) as client:
        yield client


def post(http: httpx2.Client, server: Process, tenant: str, token: str, method: str, params: dict[str, Any]) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return http.post(server.mcp(tenant), json=message, headers={"Authorization": f"Bearer {token}"})


def arguments(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of the schema, in which some properties have values that are known to be there."""
    known = {name: values for name, values in KNOWN.items() if name in schema["properties"]}
    chosen = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in known.items()})
    small = fixed(schema)
    built = st.builds(lambda given, some: given | some | small, schemas.values(schema), chosen)
    return built.filter(Draft202012Validator(schema).is_valid)


def fixed(schema: dict[str, Any]) -> dict[str, Any]:
    """What keeps a call small."""
    return {name: value for name, value in {"size": "small", "orders": 1}.items() if name in schema["properties"]}


def schema_of(http: httpx2.Client, server: Process, tenant: str, token: str, name: str) -> dict[str, Any]:
    listed = post(http, server, tenant, token, "tools/list", {}).json()["result"]["tools"]
    [schema] = [tool["inputSchema"] for tool in listed if tool["name"] == name]
    return dict(schema)


def outcome(answer: httpx2.Response) -> str:
    """The text of an answer, which is never a crash."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert "result" in body, body
    text = str(body["result"]["content"][0]["text"])
    assert "failed unexpectedly" not in text
    assert "The arguments of " not in text, "the schema promises what the tool refuses"
    return text


class Sent:
    """The arguments that a tool was called with. Again they tell nothing new; of a change the second time does."""

    def __init__(self, name: str) -> None:
        self._most = 1 if name in READING else 2
        self._times: Counter[str] = Counter()

    def has_enough_of(self, given_arguments: dict[str, Any]) -> bool:
        known = json.dumps(given_arguments, sort_keys=True)
        self._times[known] += 1
        return self._times[known] > self._most


@pytest.mark.parametrize("name", NAMES[Endpoint.TENANT])
def test_a_tools_schema_keeps_its_word(
    name: str, acme: World, globex: World, server: Process, http: httpx2.Client
) -> None:
    schema, sent = schema_of(http, server, "acme", acme.token, name), Sent(name)

    @EXAMPLES
    @given(arguments(schema))
    def story(given_arguments: dict[str, Any]) -> None:
        if sent.has_enough_of(given_arguments):
            return
        params = {"name": name, "arguments": given_arguments}

        answer = post(http, server, "acme", acme.token, "tools/call", params)

        outcome(answer)
        told = answer.text.replace(json.dumps(given_arguments), "")
        for secret in (globex.id, globex.product_id, globex.order_id, globex.user_id):
            assert str(secret) not in told
        assert "Globex anvil" not in told
        assert "ada@globex" not in told

    story()


@pytest.mark.parametrize("name", NAMES[Endpoint.PLATFORM])
def test_a_platform_tools_schema_keeps_its_word(
    name: str, acme: World, globex: World, server: Process, http: httpx2.Client
) -> None:
    token = platform_token()
    schema, sent = schema_of(http, server, "", token, name), Sent(name)

    @FEWER.get(name, EXAMPLES)
    @given(arguments(schema))
    def story(given_arguments: dict[str, Any]) -> None:
        if sent.has_enough_of(given_arguments):
            return
        params = {"name": name, "arguments": given_arguments}

        outcome(post(http, server, "", token, "tools/call", params))

    story()
