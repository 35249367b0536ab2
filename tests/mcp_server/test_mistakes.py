"""Mistakes in how a tool is declared are told when the server starts, with the line to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.test import override_settings
from mcp_types import InputRequiredResult
from pydantic import BaseModel, Field

from core import settings
from core.models import Product
from mcp_server import MCP, checks
from mcp_server import server as sdk
from mcp_server.declare.tools import Endpoint
from tests.support.servers import own, shop

if TYPE_CHECKING:
    from decimal import Decimal

WHO = r"tool bad \(tests\.mcp_server\.test_mistakes\..*bad\)"


def no_docstring() -> Callable[..., Any]:
    def bad() -> str:
        return ""

    return bad


def no_annotation() -> Callable[..., Any]:
    def bad(a) -> str:  # type: ignore[no-untyped-def]  # the mistake
        """Bad."""
        return str(a)

    return bad


def no_return() -> Callable[..., Any]:
    def bad(a: int):  # type: ignore[no-untyped-def]  # the mistake
        """Bad."""

    return bad


def any_number() -> Callable[..., Any]:
    def bad(*names: str) -> str:
        """Bad."""
        return ""

    return bad


def positional() -> Callable[..., Any]:
    def bad(name: str, /) -> str:
        """Bad."""
        return ""

    return bad


def tenant_id() -> Callable[..., Any]:
    def bad(tenant_id: str) -> str:
        """Bad."""
        return ""

    return bad


def added_name() -> Callable[..., Any]:
    def bad(dry_run: bool) -> str:
        """Bad."""
        return ""

    return bad


def generator() -> Callable[..., Any]:
    def bad() -> Iterator[str]:
        """Bad."""
        yield ""

    return bad


def async_writer() -> Callable[..., Any]:
    async def bad() -> str:
        """Bad."""
        return ""

    return bad


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (no_docstring, r'has no docstring.*; write `"""What it does\."""` below its def'),
        (no_annotation, r"its parameter a has no annotation; write `a: str`"),
        (no_return, r"does not say what it returns; write `def bad\(\.\.\.\) -> str:`"),
        (any_number, r"its parameter names takes any number of values; .*write `names: list\[str\]`"),
        (positional, r"its parameter name is positional-only; remove the `/`"),
        (tenant_id, r"its parameter tenant_id names a tenant.*write `mcp_server\.current_principal\(\)\.tenant_id`"),
        (added_name, r"its parameter dry_run has the name of one that the server adds; write `dry_run_of_mine`"),
        (generator, r"yields, and an answer is sent as a whole; write `return \[\.\.\.\]`"),
        (async_writer, r"must be a plain def.*write `def bad\(\.\.\.\)`"),
    ],
)
def test_a_declaration_is_refused_where_it_stands(make: Callable[[], Callable[..., Any]], line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{WHO}:? {line}"):
        own().tool(scope=None, read_only=False)(make())


def bad_tool() -> Callable[..., Any]:
    def bad() -> str:
        """Bad."""
        return ""

    return bad


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"read_only": True, "asks": True}, r"asks a person, and has no change.*; write `read_only=False`"),
        (
            {"read_only": True, "changes_callers": True},
            r"only reads, and so changes no callers; write `read_only=False`",
        ),
        ({"read_only": False, "endpoint": Endpoint.PLATFORM}, r'changes something, .*; write `scope="tenants:write"`'),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{WHO} {line}"):
        own().tool(scope=None, **options)(bad_tool())


@pytest.mark.parametrize(
    "options",
    [{"scope": None, "asks": True}, {"scope": "all", "endpoint": Endpoint.PLATFORM}],
    ids=["asks", "platform"],
)
def test_a_tool_and_its_server_do_not_both_ask(options: dict[str, Any]) -> None:
    mcp = own()

    @mcp.tool(read_only=False, **options)
    def bad(state: str) -> str | InputRequiredResult:
        """Bad."""
        return InputRequiredResult(request_state=state)

    [error] = checks.unservable_tools(mcp.registry())

    assert "tool bad (" in error.msg
    assert "returns questions of its own, and the server asks for" in error.msg
    assert "InputRequiredResult" in error.hint


def test_a_name_that_the_ledger_does_not_keep_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r'more than the 64 characters .*; write `name="..."`'):
        own().tool(scope=None, read_only=False, name="a" * 65)(bad_tool())


def query_set() -> Callable[..., Any]:
    def bad() -> QuerySet[Product]:
        """Bad."""
        return Product.objects.all()

    return bad


def a_row() -> Callable[..., Any]:
    def bad() -> Product:
        """Bad."""
        return Product()

    return bad


def anything() -> Callable[..., Any]:
    def bad() -> Any:
        """Bad."""

    return bad


def some_bytes() -> Callable[..., Any]:
    def bad() -> dict[str, bytes]:
        """Bad."""
        return {}

    return bad


def unknown_name() -> Callable[..., Any]:
    def bad() -> Decimal:
        """Bad."""
        raise NotImplementedError

    return bad


def takes_a_row() -> Callable[..., Any]:
    def bad(product: Product) -> str:
        """Bad."""
        return ""

    return bad


def alias() -> Callable[..., Any]:
    def bad(sender: Annotated[str, Field(alias="from")]) -> str:
        """Bad."""
        return sender

    return bad


def unfit_default() -> Callable[..., Any]:
    def bad(limit: Annotated[int, Field(ge=1)] = 0) -> str:
        """Bad."""
        return str(limit)

    return bad


class Question(BaseModel):
    """Has a name that every change has."""

    question: str


def taken_field() -> Callable[..., Any]:
    def bad() -> Question:
        """Bad."""
        return Question(question="")

    return bad


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (query_set, rf"{WHO} returns .*has no schema.*write `def bad\(\.\.\.\) -> list\[Row\]:`"),
        (a_row, rf"{WHO} returns .*Product.*has no schema"),
        (anything, rf"{WHO} returns typing\.Any, which has no schema \(it may be anything\)"),
        (some_bytes, rf"{WHO} returns .*has no schema \(JSON has no bytes: return Image or Audio, .* Base64Bytes\)"),
        (unknown_name, rf"{WHO} has an annotation that can't be read.*write `import Decimal`"),
        (takes_a_row, rf"{WHO} has a parameter that no JSON fills .*; write the id of a row"),
        (alias, rf"{WHO}: its parameter sender has an alias.*; remove it"),
        (
            unfit_default,
            rf"{WHO}: its parameter limit has the default 0, which its annotation refuses \(Input should be",
        ),
        (taken_field, r"tool bad changes something, and its answer has a field question.*rename it, or write"),
    ],
)
def test_a_server_does_not_start_with_it_and_a_check_finds_it(
    make: Callable[[], Callable[..., Any]], line: str
) -> None:
    mcp = own()
    mcp.tool(scope=None, read_only=False)(make())

    [error] = checks.unservable_tools(mcp.registry())
    with pytest.raises(ImproperlyConfigured, match=line):
        sdk.build(mcp, Endpoint.TENANT)

    assert error.id == "mcp_server.E005"
    assert "bad" in error.msg
    assert error.hint


def writer(mcp: MCP) -> None:
    @mcp.tool(scope=None, read_only=False)
    def writes() -> str:
        """Writes."""
        return ""


def test_a_writer_needs_the_ledger() -> None:
    mcp = own()
    writer(mcp)

    with (
        override_settings(INSTALLED_APPS=[each for each in settings.INSTALLED_APPS if each != "mcp_server.ledger"]),
        pytest.raises(ImproperlyConfigured, match=r'write `INSTALLED_APPS = \[\.\.\., "mcp_server\.ledger"\]`'),
    ):
        sdk.build(mcp, Endpoint.TENANT)


def test_a_server_whose_tools_only_read_needs_none() -> None:
    mcp = own()

    @mcp.tool(scope=None, read_only=True)
    def reads() -> str:
        """Reads."""
        return ""

    with override_settings(INSTALLED_APPS=[each for each in settings.INSTALLED_APPS if each != "mcp_server.ledger"]):
        assert sdk.build(mcp, Endpoint.TENANT)


def test_the_shop_has_none() -> None:
    assert list(checks.unservable_tools(shop().registry())) == []


def test_a_title_is_made_of_the_name() -> None:
    mcp = own()

    @mcp.tool(scope=None, read_only=True)
    def close_ticket() -> str:
        """Closes."""
        return ""

    [spec] = mcp.registry().tools(Endpoint.TENANT)

    assert spec.title == "Close ticket"
