"""How long a query of a tool may take, and how many rows its answer may have."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import httpx2
import pytest
from asgiref.sync import sync_to_async
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from django.test import override_settings
from django.utils import translation
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from core.models import Product
from mcp_server import MCP, Endpoint, anyone, checks, reference, server
from mcp_server.call import rows, sizes
from mcp_server.management import listing
from rls import tenant_context
from rls.context import PLATFORM_ALIAS
from tests.mcp_server.test_app import asked, call
from tests.support.servers import own
from tests.support.world import World, platform_token

Limit = Annotated[int, Field(ge=1, le=1000)]


@dataclass(frozen=True)
class Room:
    name: str
    seats: list[int]


@dataclass(frozen=True, slots=True)
class Floor:
    rooms: tuple[Room, ...]


class Booking(TypedDict):
    rooms: list[Room]
    by: str


class House(BaseModel):
    floor: Floor
    address: str = "1 Main Street"


class Street(NamedTuple):
    first: str
    second: str
    third: str
    houses: list[str]


ROOMS = [Room("Attic", [1, 2, 3]), Room("Cellar", [4])]


def sleep(seconds: float, using: str = DEFAULT_DB_ALIAS) -> str:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
    return "slept"


def serving() -> MCP:
    """A server whose tools are bounded."""
    mcp = MCP("bounded", apps=[], authenticate=anyone, platform=True)

    @mcp.tool(scope=None, read_only=True, timeout=0.25)
    def nap(seconds: float) -> str:
        """Sleep in a query."""
        return sleep(seconds)

    @mcp.tool(scope=None, read_only=True, timeout=0.25)
    async def nap_later(seconds: float) -> str:
        """Sleep in a query of the async ORM."""
        return await sync_to_async(sleep)(seconds)

    @mcp.tool(scope=None, read_only=False, timeout=0.25)
    def restock_and_nap(seconds: float) -> str:
        """Change something, and sleep."""
        Product.objects.update(stock=7)
        return sleep(seconds)

    @mcp.tool(scope="tenants:read", read_only=True, timeout=0.25, endpoint=Endpoint.PLATFORM)
    def nap_everywhere(seconds: float) -> str:
        """Sleep in platform work."""
        return sleep(seconds, using=PLATFORM_ALIAS)

    @mcp.tool(scope=None, read_only=True, max_rows=2)
    def rooms(count: int) -> list[Room]:
        """List rooms."""
        return [Room(f"Room {number}", []) for number in range(count)]

    @mcp.tool(scope=None, read_only=True, max_rows=2)
    async def rooms_later(count: int) -> list[Room]:
        """List rooms, later."""
        return rooms(count)

    @mcp.tool(scope=None, read_only=True, max_rows=2)
    def skus_from(number: int) -> list[str]:
        """List SKUs, as a query that has not been sent yet."""
        return Product.objects.order_by("sku").values_list("sku", flat=True)[number:]  # type: ignore[return-value]

    @mcp.tool(scope=None, read_only=True, max_rows=2)
    def skus_by_name() -> dict[str, list[str]]:
        """List SKUs, inside of something."""
        return {"all": Product.objects.values_list("sku", flat=True)}  # type: ignore[dict-item]

    @mcp.tool(scope=None, read_only=True, max_rows=2)
    def paged_rooms(limit: Limit = 20, cursor: str | None = None) -> list[Room]:
        """List a page of rooms."""
        return rooms(limit)

    @mcp.tool(scope=None, read_only=False, max_rows=2)
    def restock(count: int) -> list[Room]:
        """Change something, and list rooms."""
        Product.objects.update(stock=7)
        return rooms(count)

    return mcp


def answer(name: str, arguments: dict[str, Any], *, at: str = "/mcp/acme/", token: str = "") -> dict[str, Any]:
    async def story(client: httpx2.AsyncClient) -> dict[str, Any]:
        found = await call(client, at, "tools/call", token, name=name, arguments=arguments)
        result: dict[str, Any] = found.json()["result"]
        return result

    return asked(serving().asgi(), story)  # type: ignore[no-any-return]  # what the story returns


def text(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


ASK_FOR_LESS = "Ask for less: with more filters, for a shorter period, or for one thing at a time."


@pytest.mark.parametrize("name", ["nap", "nap_later", "restock_and_nap"])
def test_a_query_that_takes_longer_than_its_tool_may_is_said_so(name: str, acme: World) -> None:
    result = answer(name, {"seconds": 10})

    assert result["isError"]
    assert text(result) == (
        f"This call took too long, and nothing was changed: a query of {name} may take 0.25 s. {ASK_FOR_LESS}"
    )
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 5


@pytest.mark.parametrize("name", ["nap", "nap_later"])
def test_a_query_within_its_time_is_answered(name: str, acme: World) -> None:
    assert text(answer(name, {"seconds": 0})) == "slept"


def test_platform_work_is_bounded_too(acme: World) -> None:
    result = answer("nap_everywhere", {"seconds": 10, "reason": "a test"}, at="/mcp/", token=platform_token())

    assert result["isError"]
    assert "nap_everywhere" in text(result)
    assert "0.25" in text(result)


@pytest.mark.parametrize("name", ["rooms", "rooms_later"])
def test_a_list_with_more_rows_than_its_tool_gives_is_refused(name: str, acme: World) -> None:
    result = answer(name, {"count": 3})

    assert result["isError"]
    assert "structuredContent" not in result
    assert text(result) == (
        f"This answer has more than 2 rows, and {name} gives no more. None is shown, because a part would be taken "
        f"for all of them. {ASK_FOR_LESS}"
    )
    assert [each["name"] for each in answer(name, {"count": 2})["structuredContent"]["result"]] == ["Room 0", "Room 1"]


def test_where_there_are_pages_a_shorter_one_is_named(acme: World) -> None:
    said = text(answer("paged_rooms", {"limit": 3}))

    assert said.endswith("Call paged_rooms limit=2 instead, and continue with its next_cursor.")


@pytest.mark.parametrize("options", [{}, {"dry_run": True}])
def test_a_change_whose_answer_has_too_many_rows_is_not_made(options: dict[str, Any], acme: World) -> None:
    result = answer("restock", {"count": 3} | options)

    assert result["isError"]
    assert "for all of them. Nothing was changed. Ask for less" in text(result)
    with tenant_context(acme.id):
        assert Product.objects.get().stock == 5


def test_the_words_are_in_the_callers_language() -> None:
    mcp = serving()
    [spec] = [each for each in mcp.registry().tools(Endpoint.TENANT) if each.name == "restock"]

    with translation.override("zh-hant"), pytest.raises(ToolError, match="筆") as refusal:
        rows.within(spec, ROOMS * 2)

    assert "沒有任何變更" in str(refusal.value)


@pytest.mark.parametrize(
    ("found", "count"),
    [
        (ROOMS, 2),
        (tuple(ROOMS), 2),
        ([], 0),
        ("a text", 0),
        (None, 0),
        (7, 0),
        (Room("Attic", [1, 2, 3]), 3),
        (Floor(tuple(ROOMS)), 2),
        (House(floor=Floor(tuple(ROOMS))), 2),
        (Booking(rooms=ROOMS, by="Ann"), 2),
        (Street("a", "b", "c", ["1", "2"]), 2),
        ({str(number): number for number in range(sizes.MAX_FIELDS)}, 0),
        ({str(number): number for number in range(sizes.MAX_FIELDS + 1)}, sizes.MAX_FIELDS + 1),
    ],
)
def test_the_longest_list_of_an_answer_counts(found: Any, count: int) -> None:
    assert rows.row_count(found) == count


@pytest.mark.parametrize(
    ("name", "arguments", "is_refused"),
    [("skus_from", {"number": 0}, True), ("skus_from", {"number": 1}, False), ("skus_by_name", {}, True)],
)
def test_the_rows_of_a_query_count(name: str, arguments: dict[str, Any], is_refused: bool, acme: World) -> None:
    with tenant_context(acme.id):
        Product.objects.bulk_create(
            Product(sku=f"B-{number}", name="Bell", price_minor=100, currency="EUR") for number in range(2)
        )

    result = answer(name, arguments)

    assert ("This answer has more than 2 rows" in text(result)) == is_refused
    assert is_refused or result["structuredContent"]["result"] == ["B-0", "B-1"]


def test_of_an_iterator_no_more_is_read_than_it_takes_to_know() -> None:
    mcp, read = own(), itertools.count()

    @mcp.tool(scope=None, read_only=True, max_rows=2)
    def numbers() -> list[int]:
        """Numbers without an end."""
        raise NotImplementedError

    [spec] = mcp.registry().tools(Endpoint.TENANT)
    with pytest.raises(ToolError):
        rows.within(spec, read)

    assert next(read) == 3
    assert rows.within(spec, iter([1, 2])) == [1, 2]


@pytest.mark.parametrize(
    ("bounds", "line"),
    [
        ({"timeout": 0}, r"has timeout=0, which is no time that a query may take; .*`timeout=5`"),
        ({"timeout": -1}, r"has timeout=-1"),
        ({"timeout": float("inf")}, r"has timeout=inf"),
        ({"max_rows": 0}, r"has max_rows=0, which leaves no row to show; .*`max_rows=500`"),
    ],
)
def test_a_bound_that_is_none_is_refused(bounds: dict[str, Any], line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=line):
        own().tool(scope=None, read_only=True, **bounds)(sleep_documented)


def sleep_documented(seconds: float) -> str:
    """Sleep."""
    return sleep(seconds)


def test_the_rows_of_a_text_are_not_bounded() -> None:
    mcp = own()
    mcp.tool(scope=None, read_only=True, max_rows=5)(sleep_documented)

    [error] = checks.unservable_tools(mcp.registry())
    with pytest.raises(ImproperlyConfigured, match=r"has max_rows, and returns a text or content"):
        server.build(mcp, Endpoint.TENANT)

    assert error.id == "mcp_server.E005"


PATIENT = """
from mcp_server import MCP, anyone
mcp = MCP("patient", apps=[], authenticate=anyone, platform=True)

@mcp.tool(scope=None, read_only=True, timeout=45)
def too_long() -> str:
    '''Takes longer than app_tenant.'''
    return ""

@mcp.tool(scope=None, read_only=True, timeout=30)
def just_so() -> str:
    '''Takes as long as app_tenant.'''
    return ""

@mcp.tool(scope="tenants:read", read_only=True, timeout=45)
def unbounded() -> str:
    '''Another one that is too long.'''
    return ""

application = mcp.asgi()
"""


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project whose tools may take longer than their role."""
    (tmp_path / "patient_asgi.py").write_text(PATIENT)
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(ASGI_APPLICATION="patient_asgi.application"):
        yield


def found(**options: Any) -> list[Any]:
    return [each for each in run_checks(**options) if each.id == "mcp_server.E008"]


def test_a_timeout_that_its_role_does_not_reach_is_found_by_a_check(patient: None, acme: World) -> None:
    first, second = found(databases=["default", "platform"])

    assert first.msg == (
        "The tool too_long (patient_asgi.too_long) has timeout=45, and a statement of the role app_tenant ends after "
        "30 seconds."
    )
    assert first.hint.endswith("ALTER ROLE app_tenant SET statement_timeout = '45000ms'.")
    assert "unbounded" in second.msg


@pytest.mark.parametrize("options", [{}, {"tags": ["mcp"]}, {"databases": ["owner"]}, {"tags": [Tags.database]}])
def test_the_check_asks_no_database_that_it_is_not_given(options: dict[str, Any], patient: None) -> None:
    assert found(**options) == []


def test_the_bounds_stand_in_the_reference_and_in_what_inspect_prints(acme: World) -> None:
    mcp = MCP("documented", apps=[])

    @mcp.tool(scope="rooms:read", read_only=True, timeout=2.5, max_rows=200)
    def rooms() -> list[Room]:
        """List rooms."""
        return ROOMS

    assert "reads; scope `rooms:read`; at most 2.5 s a query; at most 200 rows\n" in reference.page(mcp)
    assert "2.5 s a query, 200 rows, 20000 tokens in an answer" in listing.inspected(mcp, "rooms")
