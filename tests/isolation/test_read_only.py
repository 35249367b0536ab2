"""Case 45: a tool that says it only reads can't write, and neither can a resource, a prompt or a completion.

Two cases hold without the guard too, and are to: that what changes something still writes, and that platform work
which reads is recorded. test_mutations takes the guard away in this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import psycopg
import pytest
from django.utils import translation
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import CompletionArgument, PromptMessage, PromptReference

from core.models import Product, StockMovement
from core.scopes import Scope
from mcp_server import server as sdk
from mcp_server.declare import messages, registry
from mcp_server.declare.arguments import Argument
from mcp_server.declare.resources import Content
from mcp_server.declare.tools import Endpoint
from mcp_server.http import context
from mcp_server.principals import Principal
from mcp_server.read import completions
from mcp_server.server import EndpointServer
from rls import tenant_context
from tests.mcp_server.test_pipeline import records
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.servers import own
from tests.support.world import World, platform_token

# Each would let the transaction that it runs in write again, if PostgreSQL or the backend let it.
UNDOING = [
    "SET TRANSACTION READ WRITE",
    "SET LOCAL transaction_read_only = off",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "SAVEPOINT a",
    "RELEASE a",
    "ROLLBACK TO a",
]
# Those that a transaction begins with, and that the serving role may say.
ALLOWED = ["SET TRANSACTION READ WRITE", "SET LOCAL transaction_read_only = off", "SAVEPOINT a"]


def call(server: Process, world: World, name: str, arguments: dict[str, Any] | None = None, **options: Any) -> Any:
    tenant, token, era = (options.get(each) for each in ("tenant", "token", "era"))

    async def story() -> Any:
        url = server.mcp(world.subdomain if tenant is None else tenant)
        headers = {"Accept-Language": "en"}
        async with connected(url, token or world.token, era or "2026-07-28", headers=headers) as client:
            return await client.call_tool(name, arguments or {})

    return asyncio.run(story())


def stock_of(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").stock


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", ["shop_sneak", "shop_sneak_async"])
def test_a_tool_that_says_it_only_reads_cannot_write(name: str, era: Era, acme: World, server: Process) -> None:
    result = call(server, acme, name, era=era)

    text = result.content[0].text
    assert result.is_error
    assert text.startswith(f"{name} may only read, but tried to write. Nothing was changed. Report reference ")
    [record] = records(server, reference=text.rstrip(".").rpartition(" ")[2], level="ERROR")
    assert "an MCP tool that writes is declared with read_only=False" in record["traceback"]
    assert stock_of(acme) == 5


def test_a_platform_tool_that_says_it_only_reads_cannot_write(acme: World, server: Process) -> None:
    given = {"reason": "a test"}

    result = call(server, acme, "shop_sneak_everywhere", given, tenant="", token=platform_token())

    assert result.is_error
    assert "may only read, but tried to write" in result.content[0].text
    assert stock_of(acme) == 5


def test_platform_work_that_reads_is_recorded_as_committed(
    acme: World, server: Process, admin: psycopg.Connection
) -> None:
    result = call(server, acme, "list_tenants", {"reason": "a test"}, tenant="", token=platform_token())

    assert not result.is_error
    ended = admin.execute(
        "SELECT outcome FROM app.platform_audit JOIN app.platform_outcome USING (id) ORDER BY id DESC LIMIT 1"
    )
    assert ended.fetchone() == ("committed",)


@pytest.mark.parametrize(
    "statements",
    # Not set_config(), which is refused by itself.
    [[], *([each] for each in ALLOWED), ["SELECT 1", UNDOING[0]], ["SAVEPOINT a", *UNDOING[:1], "RELEASE a"]],
)
def test_what_is_injected_does_not_let_it_write(statements: list[str], acme: World, server: Process) -> None:
    result = call(server, acme, "shop_sneak_raw", {"statements": statements})

    assert result.is_error
    assert stock_of(acme) == 5


@pytest.mark.parametrize("statement", UNDOING[:3])
def test_what_is_injected_alone_does_not_let_it_write(statement: str, acme: World, server: Process) -> None:
    call(server, acme, "shop_raw", {"statement": statement})
    after = call(server, acme, "shop_raw", {"statement": "UPDATE core_product SET stock = 0 RETURNING stock"})
    written = call(
        server, acme, "shop_raw", {"statement": f"{statement}; UPDATE core_product SET stock = 0 RETURNING stock"}
    )
    hidden = call(
        server,
        acme,
        "shop_raw",
        {
            "statement": "WITH undone AS MATERIALIZED (SELECT set_config('transaction_read_only', 'off', true))"
            " UPDATE core_product SET stock = 0 FROM undone RETURNING stock"
        },
    )

    assert after.is_error
    assert "may only read, but tried to write" in after.content[0].text
    # These two are refused whoever may write: they are two statements, and set_config() is nobody's.
    assert written.is_error
    assert hidden.is_error
    assert stock_of(acme) == 5


def test_a_tool_that_changes_something_still_writes(acme: World, server: Process) -> None:
    result = call(server, acme, "adjust_stock", {"sku": "A-1", "quantity": 3, "reason": "purchase"})

    assert not result.is_error
    assert stock_of(acme) == 8
    with tenant_context(acme.id):
        assert StockMovement.objects.filter(quantity=3).count() == 1


def _write(typed: str, most: int) -> list[str]:
    Product.objects.update(stock=0)
    return [typed]


Word = Annotated[str, Argument("A word.", _write)]


@contextmanager
def sneaky(world: World) -> Iterator[EndpointServer]:
    """A server whose resource, prompt, completion and tools that read write; messages are the world's."""
    mcp = own()

    @mcp.tool(scope=Scope.PRODUCTS_READ, read_only=True)
    def sneak_tool() -> str:
        """Writes."""
        return _write("a", 1)[0]

    @mcp.tool(scope=Scope.PRODUCTS_READ, read_only=True)
    async def sneak_async() -> str:
        """Writes."""
        await Product.objects.aupdate(stock=0)
        return "a"

    @mcp.prompt(title="Sneak", description="Writes.", scope=Scope.PRODUCTS_READ)
    def sneak(word: Word = "") -> list[PromptMessage]:
        return [messages.request(*_write(word, 1))]

    @mcp.resource("sneak://{word}", title="Sneak", description="Writes.", scope=Scope.PRODUCTS_READ)
    def sneak_resource(word: Word) -> list[Content]:
        return [Content(_write(word, 1)[0], "text/plain")]

    caller = Principal("tests", world.id, "acme", "en", "UTC", "tests", frozenset(Scope))
    token = context._principal.set(caller)
    try:
        with registry.serving(mcp.registry()):
            yield sdk.build(mcp, Endpoint.TENANT)
    finally:
        context._principal.reset(token)


READS: dict[str, Callable[[EndpointServer], Awaitable[Any]]] = {
    "prompt": lambda served: served.get_prompt("sneak", {"word": "a"}),
    "resource": lambda served: served.read_resource("sneak://a"),
    "completion": lambda served: completions.complete(
        PromptReference(type="ref/prompt", name="sneak"), CompletionArgument(name="word", value="a"), None
    ),
    "tool": lambda served: served.call_tool("sneak_tool", {}),
    "async tool": lambda served: served.call_tool("sneak_async", {}),
}


@pytest.mark.parametrize("kind", READS)
def test_what_is_read_cannot_write(kind: str, acme: World) -> None:
    with (
        sneaky(acme) as served,
        pytest.raises((MCPError, ToolError), match="may only read, but tried to write"),
        translation.override("en"),
        tenant_context(acme.id),
    ):
        asyncio.run(READS[kind](served))

    assert stock_of(acme) == 5
