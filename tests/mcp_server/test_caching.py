"""An answer that is kept is given again to whom it is an answer, and for as long as it is true."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from core import settings, variables
from core.models import Product
from mcp_server import MCP, Principal, Refusal, anyone, by_token, current_principal
from mcp_server import server as sdk
from mcp_server.call import entries
from mcp_server.declare.tools import Endpoint
from mcp_server.http.authentication import Authenticate
from mcp_server.http.context import current_root
from mcp_server.ledger import buffer
from mcp_server.ledger.models import CallRecord
from mcp_server.tokens import tokens
from mcp_server.tokens.models import ApiToken
from rls import tenant_context
from tests.mcp_server.test_app import asked, call
from tests.support import raw, redis
from tests.support.processes import Process, connected, free_port, serving
from tests.support.redis import needs_redis
from tests.support.servers import own
from tests.support.world import World, working

REDIS_BACKEND = "django.core.cache.backends.redis.RedisCache"
IN_MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "test_caching"}
WRITE_EVENT = """
    INSERT INTO mcp_ledger_auditevent (tenant_id, action, subject, details, actor)
    VALUES (%s, 'rename', 'products', '{}', 'somebody')
"""
RESTORED_EVENT = """
    INSERT INTO mcp_ledger_auditevent (tenant_id, action, subject, details, actor, transaction_id)
    VALUES (%s, 'rename', 'products', '{}', 'somebody', (pg_current_xact_id())::text::bigint + 1000000)
"""
Story = Callable[[httpx2.AsyncClient], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    entries.ENTRIES.begin_anew()
    with override_settings(CACHES={"default": IN_MEMORY}):
        yield
        caches["default"].clear()


class Shelf:
    """A server that counts how often its functions run."""

    def __init__(self, name: str = "shelf", authenticate: Authenticate = anyone, **options: Any) -> None:
        self.runs = 0
        self.during: Callable[[], object] = lambda: None
        self.mcp = mcp = MCP(name, apps=[], authenticate=authenticate, **options)

        @mcp.tool(scope=None, read_only=True, cache=60)
        def names(prefix: str = "", secret: SecretStr | None = None) -> list[str]:
            """Names of products."""
            self.runs += 1
            found = [product.name for product in Product.objects.filter(name__startswith=prefix).order_by("name")]
            self.during()
            return [*found, secret.get_secret_value()] if secret else found

        @mcp.tool(scope=None, read_only=True, cache=60)
        async def names_async() -> list[str]:
            """Names of products."""
            self.runs += 1
            return [product.name async for product in Product.objects.order_by("name")]

        @mcp.tool(scope=None, read_only=True, cache=60)
        def who() -> str:
            """Who asks."""
            self.runs += 1
            return current_principal().name

        @mcp.tool(scope=None, read_only=True, cache=60)
        def where() -> str:
            """A link."""
            self.runs += 1
            return current_root()

        @mcp.tool(scope=None, read_only=True, cache=60)
        def refuse() -> str:
            """Refuses."""
            self.runs += 1
            raise Refusal("Not today.")

        @mcp.tool(scope=None, read_only=True, cache=60)
        def fail() -> CallToolResult:
            """Says that it has failed."""
            self.runs += 1
            return CallToolResult(content=[TextContent(type="text", text="no")], is_error=True)

        @mcp.tool(scope=None, read_only=False)
        def rename(name: str) -> str:
            """Rename every product."""
            Product.objects.update(name=name)
            return name

    def asked(self, story: Story) -> Any:
        return asked(self.mcp.asgi(), story)


async def said(client: httpx2.AsyncClient, tool: str, slug: str = "acme", token: str = "", **arguments: Any) -> Any:
    """What the tool says, as structured content where it has some."""
    answer = await call(client, f"/mcp/{slug}/", "tools/call", token, name=tool, arguments=arguments)
    result = answer.json()["result"]
    return result.get("structuredContent", {}).get("result", result["content"][0]["text"])


@pytest.mark.parametrize("tool", ["names", "names_async"])
def test_the_same_call_runs_once(tool: str, acme: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        path = "/mcp/acme/"
        answers = [await call(client, path, "tools/call", name=tool, arguments={}) for _ in range(3)]
        return [each.json() for each in answers]

    answers = shelf.asked(story)

    assert answers[0]["result"]["structuredContent"] == {"result": ["Acme anvil"]}
    assert answers == [answers[0]] * 3
    assert shelf.runs == 1


@pytest.mark.parametrize("tool", ["names", "names_async"])
def test_a_change_is_in_every_answer_after_it(tool: str, acme: World) -> None:
    # Two servers of one name are two workers: neither hears of the other but by the database and the cache.
    first, second = Shelf(), Shelf()

    before = [shelf.asked(lambda client: said(client, tool)) for shelf in (first, second)]
    first.asked(lambda client: said(client, "rename", name="Feather"))
    after = [shelf.asked(lambda client: said(client, tool)) for shelf in (second, first)]

    assert before == [["Acme anvil"]] * 2
    assert after == [["Feather"]] * 2
    assert (first.runs, second.runs) == (1, 1)


def test_a_change_of_another_tenant_is_none(acme: World, globex: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> Any:
        await said(client, "names")
        await said(client, "rename", "globex", name="Feather")
        return await said(client, "names")

    assert shelf.asked(story) == ["Acme anvil"]
    assert shelf.runs == 1


def test_a_dry_run_and_a_refusal_are_none(acme: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> Any:
        await said(client, "names")
        await said(client, "rename", name="Feather", dry_run=True)
        await said(client, "rename")
        return await said(client, "names")

    assert shelf.asked(story) == ["Acme anvil"]
    assert shelf.runs == 1


def test_changes_of_the_server_that_a_dump_is_from_are_old_ones(acme: World, admin: psycopg.Connection) -> None:
    """It has given out more numbers of transactions than the server where the dump was restored."""
    shelf = Shelf()
    admin.execute(RESTORED_EVENT, [acme.id])

    before = [shelf.asked(lambda client: said(client, "names")) for _ in range(2)]
    shelf.asked(lambda client: said(client, "rename", name="Feather"))
    after = [shelf.asked(lambda client: said(client, "names")) for _ in range(2)]

    assert (before, after) == ([["Acme anvil"]] * 2, [["Feather"]] * 2)
    assert shelf.runs == 2


def test_an_answer_that_was_computed_while_something_changed_is_not_given_again(acme: World) -> None:
    """The read has seen the rows before the change, and is kept after it."""
    reader, writer = Shelf(), Shelf()

    def change() -> None:
        reader.during = lambda: None
        thread = threading.Thread(target=lambda: writer.asked(lambda client: said(client, "rename", name="Feather")))
        thread.start()
        thread.join()

    reader.during = change
    read, again = (reader.asked(lambda client: said(client, "names")) for _ in range(2))

    assert (read, again) == (["Acme anvil"], ["Feather"])


def test_a_change_that_began_before_the_read_and_ended_after_it_is_heard_of(
    acme: World, admin: psycopg.Connection
) -> None:
    """The numbers of transactions are given when they begin: that of the change is smaller than what was seen."""
    shelf = Shelf()
    with psycopg.connect(admin.info.dsn, password=admin.info.password) as slow:
        slow.execute("UPDATE core_product SET name = 'Feather' WHERE tenant_id = %s", [acme.id])
        slow.execute(WRITE_EVENT, [acme.id])
        admin.execute("SELECT pg_current_xact_id()")  # a later one that has ended
        before = [shelf.asked(lambda client: said(client, "names")) for _ in range(2)]
    after = shelf.asked(lambda client: said(client, "names"))

    assert before == [["Acme anvil"]] * 2
    assert after == ["Feather"]
    assert shelf.runs == 2


def test_what_others_write_is_seen_after_its_seconds(acme: World) -> None:
    shelf, started = Shelf(), time.time()
    before = shelf.asked(lambda client: said(client, "names"))
    with tenant_context(acme.id):
        Product.objects.update(name="Feather")

    meanwhile = shelf.asked(lambda client: said(client, "names"))

    [expires_at] = caches["default"]._expire_info.values()  # type: ignore[attr-defined]  # of LocMemCache
    assert (before, meanwhile) == (["Acme anvil"], ["Acme anvil"])
    assert started + 60 <= expires_at <= time.time() + 60


def test_an_answer_is_that_of_its_tenant(acme: World, globex: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        return [await said(client, "names", slug) for slug in ("acme", "globex", "acme", "globex")]

    assert shelf.asked(story) == [["Acme anvil"], ["Globex anvil"]] * 2
    assert shelf.runs == 2


@pytest.mark.parametrize(
    "others",
    [
        {"prefix": "Acme"},
        {"prefix": '","x":"'},
        {"prefix": "Acme anvil\x1f"},
        {"prefix": "null"},
        {"secret": "first"},
        {"prefix": "", "secret": "first"},
    ],
)
def test_other_arguments_are_another_call(others: dict[str, Any], acme: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> None:
        await said(client, "names")
        await said(client, "names", **others)

    shelf.asked(story)

    assert shelf.runs == 2


def test_two_secrets_have_two_answers(acme: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        return [await said(client, "names", secret=secret) for secret in ("first", "second")]

    assert shelf.asked(story) == [["Acme anvil", "first"], ["Acme anvil", "second"]]


@pytest.mark.parametrize(("tool", "runs"), [("names", 2), ("where", 3)])
def test_an_answer_is_in_the_language_and_at_the_address_of_its_request(tool: str, runs: int, acme: World) -> None:
    """The address counts where the function asks for it, to make a link."""
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> None:
        for headers in ({}, {"Accept-Language": "zh-TW"}, {"Host": "127.0.0.1"}, {}, {"Accept-Language": "zh-TW"}):
            client.headers.update({"Accept-Language": "en", "Host": "localhost"} | headers)
            await said(client, tool)

    shelf.asked(story)

    assert shelf.runs == runs


def test_an_answer_is_for_callers_with_the_same_rights(acme: World) -> None:
    scopes: list[frozenset[str]] = [frozenset({"a"}), frozenset({"a", "b"}), frozenset({"a"})]
    callers = [principal(acme, number, scopes=each) for number, each in enumerate(scopes)]
    callers.append(principal(acme, 6, scopes=frozenset({"a"}), person="Ada"))
    callers.append(principal(acme, 3, scopes=frozenset({"a"}), is_read_only=True))
    callers.append(principal(acme, 4, scopes=frozenset({"a"}), tools=frozenset({"names"})))
    callers.append(principal(acme, 5, scopes=frozenset({"a"}), time_zone="Asia/Taipei"))
    shelf = Shelf(authenticate=by_number(callers))

    async def story(client: httpx2.AsyncClient) -> list[int]:
        runs = []
        for number in range(len(callers)):
            await said(client, "names", token=str(number))
            runs.append(shelf.runs)
        return runs

    assert shelf.asked(story) == [1, 2, 2, 2, 3, 4, 5]


def test_an_answer_that_depends_on_who_asks_is_for_him_alone(acme: World) -> None:
    callers = [principal(acme, number) for number in range(2)]
    shelf = Shelf(authenticate=by_number(callers))

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        return [await said(client, "who", token=token) for token in ("0", "1", "0", "1")]

    assert shelf.asked(story) == ["caller 0", "caller 1"] * 2
    assert shelf.runs == 2


def principal(world: World, number: int, **facts: Any) -> Principal:
    return replace(Principal(f"caller {number}", world.id, world.subdomain, "en", id=number), **facts)  # type: ignore[arg-type]


def by_number(callers: list[Principal]) -> Authenticate:
    async def authenticate(request: HTTPConnection, slug: str) -> Principal | None:
        return callers[int(request.headers["Authorization"].removeprefix("Bearer "))]

    return authenticate


def test_one_server_has_no_answers_of_another(acme: World) -> None:
    first, second = Shelf("first"), Shelf("second")

    for shelf in (first, second):
        shelf.asked(lambda client: said(client, "names"))

    assert (first.runs, second.runs) == (1, 1)


@pytest.mark.parametrize("tool", ["refuse", "fail"])
def test_a_failure_is_not_kept(tool: str, acme: World) -> None:
    shelf = Shelf()

    async def story(client: httpx2.AsyncClient) -> None:
        for _ in range(2):
            await said(client, tool)

    shelf.asked(story)

    assert shelf.runs == 2


def test_an_entry_that_is_anothers_is_no_answer(acme: World, globex: World) -> None:
    """As where a client of the cache takes the reply to one request for that to another."""
    shelf = Shelf()
    shelf.asked(lambda client: said(client, "names", "globex"))
    shelf.asked(lambda client: said(client, "names", "acme"))
    cache = caches["default"]
    found = [name.removeprefix(":1:") for name in cache._cache]  # type: ignore[attr-defined]
    first, second = cache.get(found[0]), cache.get(found[1])
    cache.set_many({found[0]: second, found[1]: first})

    answers = [shelf.asked(lambda client, slug=slug: said(client, "names", slug)) for slug in ("acme", "globex")]

    assert answers == [["Acme anvil"], ["Globex anvil"]]
    assert shelf.runs == 4


def test_an_entry_of_another_server_of_the_database_is_no_answer(acme: World) -> None:
    shelf = Shelf()
    shelf.asked(lambda client: said(client, "names"))
    cache = caches["default"]
    [name] = [name.removeprefix(":1:") for name in cache._cache]  # type: ignore[attr-defined]
    cache.set(name, cache.get(name) | {"started_at": "2026-01-01 00:00:00+00"})

    shelf.asked(lambda client: said(client, "names"))

    assert shelf.runs == 2


def test_what_is_kept_is_not_larger_than_what_clients_show(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MAX_LENGTH", 10)
    shelf = Shelf()

    for _ in range(2):
        shelf.asked(lambda client: said(client, "names"))

    assert shelf.runs == 2


def test_a_kept_answer_is_on_record(acme: World) -> None:
    shelf = Shelf()
    for _ in range(2):
        shelf.asked(lambda client: said(client, "names"))

    buffer.flush()

    with tenant_context(acme.id):
        kept = CallRecord.objects.filter(action="names").order_by("created_at")
        assert [(each.outcome, each.rows) for each in kept] == [("ok", 1), ("cached", 1)]


def test_no_client_is_told_to_keep_it_himself(acme: World) -> None:
    """He would not hear of a change. In 2026-07-28 what may be kept says so (`CacheableResult`), and for how long."""
    shelf = Shelf()

    @shelf.mcp.resource("shelf://names", scope=None)
    def names() -> str:
        """Names."""
        return "names"

    async def story(client: httpx2.AsyncClient) -> list[Any]:
        wanted: list[tuple[str, str, dict[str, Any]]] = [
            ("tools/call", "names", {"name": "names", "arguments": {}}),
            ("resources/read", "shelf://names", {"uri": "shelf://names"}),
            ("tools/list", "", {}),
        ]
        results = []
        for method, name, params in wanted:
            client.headers.update(raw.headers("", "2026-07-28", method, name or None))
            del client.headers["Authorization"]
            results.append((await call(client, "/mcp/acme/", method, **params, **raw.META)).json()["result"])
        return results

    called, *others = shelf.asked(story)

    assert called["structuredContent"] == {"result": ["Acme anvil"]}
    assert not {"ttlMs", "cacheScope"} & called.keys()
    assert [(each["ttlMs"], each["cacheScope"]) for each in others] == [(0, "private")] * 2


def test_a_cache_that_fails_fails_nobody(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    url = f"redis://user:s3cret@127.0.0.1:{free_port()}/0"
    shelf = Shelf()

    with override_settings(CACHES={"default": {"BACKEND": REDIS_BACKEND, "LOCATION": url}}):
        answers = [shelf.asked(lambda client: said(client, "names")) for _ in range(2)]

    told = [record for record in caplog.records if record.name == "mcp_server.call.entries"]
    assert answers == [["Acme anvil"]] * 2
    assert shelf.runs == 2
    assert [record.getMessage() for record in told] == ["the cache does not answer: results are computed"]
    assert "s3cret" not in str([vars(record) for record in told])


def test_no_call_of_the_shop_waits_for_a_redis_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_URL", "redis://127.0.0.1:6379/0?socket_timeout=3")

    assert variables.cache("CACHE_URL")["OPTIONS"] == {"socket_connect_timeout": 1, "socket_timeout": 3}


@needs_redis
def test_workers_share_answers_in_a_redis_and_each_hears_of_every_change(acme: World, tmp_path: Path) -> None:
    async def fresh(server: Process) -> str:
        async with connected(server.mcp("acme"), acme.token) as client:
            result: Any = await client.call_tool("shop_fresh", {})
            return str(result.content[0].text)

    async def restock(server: Process) -> None:
        async with connected(server.mcp("acme"), acme.token) as client:
            result = await client.call_tool("adjust_stock", {"sku": "A-1", "quantity": 1, "reason": "purchase"})
            assert not result.is_error, result

    async def story(first: Process, second: Process) -> list[str]:
        found = [await fresh(first), await fresh(second)]
        for writer in (first, second):
            await restock(writer)
            found += [await fresh(second), await fresh(first)]
        return found

    with redis.running(tmp_path) as shared:
        with serving(tmp_path / "first", CACHE_URL=shared.url) as first:
            with serving(tmp_path / "second", CACHE_URL=shared.url) as second:
                found = asyncio.run(story(first, second))

    stocks, numbers = zip(*(each.split(" ") for each in found), strict=True)
    assert stocks == ("5", "5", "6", "6", "7", "7")
    # Each is made once, and given by the other worker too.
    assert numbers[::2] == numbers[1::2]
    assert len(set(numbers)) == 3


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"read_only": False, "cache": 60}, r"remove `cache=60`, or write `read_only=True`"),
        ({"endpoint": Endpoint.PLATFORM, "cache": 60}, r"or write `endpoint=Endpoint\.TENANT`"),
        ({"cache": -1}, r"no number of seconds from 1 to 3600; write `cache=60`"),
        ({"cache": 3601}, "no number of seconds"),
        ({"cache": True}, "no number of seconds"),
        ({"cache": 1.5}, "no number of seconds"),
        ({"cache": "1m"}, "no number of seconds"),
    ],
)
def test_what_can_not_be_kept_is_refused(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=line):

        @own().tool(**{"scope": None, "read_only": True} | options)
        def bad() -> str:
            """Bad."""
            return ""


def test_who_takes_the_context_of_the_sdk_is_refused() -> None:
    mcp = own()

    @mcp.tool(scope=None, read_only=True, cache=60)
    def bad(context: Context[Any, Any]) -> str:
        """Bad."""
        return ""

    with pytest.raises(ImproperlyConfigured, match="with its parameter context it may read and ask"):
        sdk.build(mcp, Endpoint.TENANT)


def test_without_the_ledger_nothing_is_asked_of_the_database(acme: World) -> None:
    mcp = MCP("reads", apps=[], authenticate=anyone)
    runs = []

    @mcp.tool(scope=None, read_only=True, cache=60)
    def read() -> str:
        """Reads."""
        runs.append(1)
        return "read"

    with override_settings(INSTALLED_APPS=[each for each in settings.INSTALLED_APPS if each != "mcp_server.ledger"]):
        for _ in range(2):
            asked(mcp.asgi(), lambda client: said(client, "read"))

    assert len(runs) == 1


def test_a_token_that_ends_gets_no_kept_answer(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.http.kept.PRINCIPAL_LIFETIME", 0.0)
    shelf = Shelf(authenticate=by_token)
    with working():
        token = tokens.create(name="short", slug="acme", scopes=[])
    before = shelf.asked(lambda client: said(client, "names", token=token))
    with working():
        ApiToken.objects.filter(name="short").delete()

    answer = shelf.asked(lambda client: call(client, "/mcp/acme/", "tools/call", token, name="names", arguments={}))

    assert before == ["Acme anvil"]
    assert answer.status_code == 401
