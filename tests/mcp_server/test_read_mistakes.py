"""Mistakes in how a resource or a prompt is declared are told at the start, with the line to write."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from mcp.server.mcpserver import Context

from mcp_server import Argument
from mcp_server import server as sdk
from mcp_server.declare.tools import Endpoint
from tests.support.decorated import cached
from tests.support.servers import own

if TYPE_CHECKING:
    from decimal import Decimal

Sku = Annotated[str, Argument("The sku of a product.")]
KINDS = ["resource", "prompt"]


def declare(kind: str, function: Any, uri: str = "shelf://{sku}", **options: Any) -> Any:
    """Offer a function on a server of its own; the server."""
    mcp = own()
    if kind == "resource":
        mcp.resource(uri, scope=None, **options)(function)
    else:
        mcp.prompt(scope=None, **options)(function)
    return mcp


def unknown_name() -> Callable[..., Any]:
    def bad(sku: Annotated[Decimal, Argument("A price.")]) -> str:
        """Bad."""
        return str(sku)

    return bad


def unknown_return() -> Callable[..., Any]:
    def bad(sku: Sku) -> Decimal:
        """Bad."""
        raise NotImplementedError

    return bad


def unknown_attribute() -> Callable[..., Any]:
    def bad(sku: datetime.Day) -> str:  # type: ignore[name-defined]  # the mistake
        """Bad."""
        return str(sku)

    return bad


def any_number() -> Callable[..., Any]:
    def bad(*sku: Sku) -> str:
        """Bad."""
        return ""

    return bad


def any_name() -> Callable[..., Any]:
    def bad(**sku: Sku) -> str:
        """Bad."""
        return ""

    return bad


def positional() -> Callable[..., Any]:
    def bad(sku: Sku, /) -> str:
        """Bad."""
        return ""

    return bad


def no_annotation() -> Callable[..., Any]:
    def bad(sku) -> str:  # type: ignore[no-untyped-def]  # the mistake
        """Bad."""
        return ""

    return bad


WHO = r"bad \(tests\.mcp_server\.test_read_mistakes\..*bad\)"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("make", "line"),
    [
        (unknown_name, rf"{WHO} has an annotation that can't be read, that of its parameter sku: .*`import Decimal`"),
        (unknown_return, rf"{WHO} has an annotation that can't be read, that of what it returns: .*`import Decimal`"),
        (unknown_attribute, rf"{WHO} has an annotation .*its parameter sku: .*no attribute 'Day'; write `sku: str`"),
        (any_number, rf"{WHO}: its parameter sku takes any number of values"),
        (any_name, rf"{WHO}: its parameter sku takes any name"),
        (positional, rf"{WHO}: its parameter sku is positional-only; remove the `/`"),
        (no_annotation, r'bad: write sku: Annotated\[str, Argument\("What sku is\."\)\]'),
    ],
)
def test_what_a_client_could_not_fill_is_refused(make: Callable[[], Callable[..., Any]], line: str, kind: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=line):
        declare(kind, make())


def partly() -> Any:
    def good(sku: Sku, more: str) -> str:
        """Good."""
        return sku + more

    return functools.partial(good, more="")


def of_a_class() -> Any:
    class Shelf:
        @classmethod
        def good(cls, sku: Sku) -> str:
            """Good."""
            return sku

    return Shelf.__dict__["good"]


@pytest.mark.parametrize("kind", [*KINDS, "tool"])
@pytest.mark.parametrize(
    "make", [partly, of_a_class, lambda: lambda sku: sku, lambda: "text"], ids=["partial", "class", "lambda", "text"]
)
def test_what_is_no_function_with_a_name_is_refused(make: Callable[[], Any], kind: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"{kind} .* is no function with a name.*write a `def`"):
        own().tool(scope=None, read_only=True)(make()) if kind == "tool" else declare(kind, make(), description="Bad.")


def test_a_method_of_an_object_is_a_function() -> None:
    class Shelf:
        def good(self, sku: Sku) -> str:
            """Good."""
            return f"The shelf of {sku}"

    mcp = declare("resource", Shelf().good)

    [spec] = mcp.registry().resources()
    assert spec.name == "good"


def test_a_resource_says_what_it_returns() -> None:
    def bad(sku: Sku):  # type: ignore[no-untyped-def]  # the mistake
        """Bad."""
        return sku

    with pytest.raises(ImproperlyConfigured, match=r"does not say what it returns.*write `def bad\(\.\.\.\) -> str:`"):
        declare("resource", bad)


def good(sku: Sku, place: Sku = "") -> str:
    """Good."""
    return sku + place


def keywords(*, sku: Sku, place: Sku) -> str:
    """Good."""
    return sku + place


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("shelf://{sku}/{sku}", r"is the resource shelf://\{sku\}/\{sku\}: .*appears more than once"),
        ("shelf://{sku", "Unclosed expression"),
        ("shelf://{my-sku}", r"Invalid variable name 'my-sku'"),
        ("shelf://{a.sku}/{place}", r"a\.sku can't be the name of a parameter; write \{a_sku_\}"),
        ("shelf://{class}/{place}", r"class can't be the name of a parameter; write \{class_\}"),
        ("shelf:/{/sku*}", r"sku stands for several values, and an argument is one text; write \{\+sku\}"),
        ("{sku}/{place}", r"which is no URI; write a scheme before it: myapp://\{sku\}/\{place\}"),
        ("shelf", "which is no URI; write a scheme before it: myapp://shelf"),
        ("shelf://{place}/{sku}", "let it take place, sku, in this order"),
        ("shelf://all{?sku,place}", r'a URI may come without sku; write `sku: Annotated\[\.\.\.\] = ""`'),
    ],
)
def test_a_uri_that_the_function_could_not_be_called_with_is_refused(uri: str, line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=line):
        declare("resource", good, uri)


async def suggested_later(typed: str, most: int) -> list[str]:
    return []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("complete", [suggested_later, lambda typed: [], ["one", "two"]], ids=["async", "one", "list"])
def test_suggestions_that_could_not_be_asked_for_are_refused(complete: Any, kind: str) -> None:
    def bad(sku: str) -> str:
        """Bad."""
        return sku

    bad.__annotations__["sku"] = Annotated[str, Argument("A sku.", complete)]

    with pytest.raises(ImproperlyConfigured, match=r"bad: that of its parameter sku is completed by .*write `def sugg"):
        declare(kind, bad)


@pytest.mark.parametrize("kind", [*KINDS, "tool"])
def test_what_a_decorator_has_wrapped_is_read_with_its_own_names(kind: str) -> None:
    function = cached(unknown_name())
    mcp = own()

    with pytest.raises(ImproperlyConfigured, match=rf"{kind} bad \(.*that of its parameter sku: .*`import Decimal`"):
        if kind == "tool":
            mcp.tool(scope=None, read_only=True)(function)
            sdk.build(mcp, Endpoint.TENANT)
        else:
            declare(kind, function)


async def later(sku: str, place: str = "") -> list[Any]:
    return []


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (lambda: [], "can't be called with its arguments .*; let it take sku, place"),
        (lambda sku, place: [], "can't be called with its arguments .*; let it take sku, place"),
        (later, "must be a plain def; remove the `async`"),
    ],
)
def test_rows_that_could_not_be_asked_are_refused(rows: Any, line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=line):
        declare("resource", good, "shelf://{sku}/{place}", rows=rows)


def test_parameters_that_are_named_are_filled_by_name() -> None:
    mcp = declare("resource", keywords, "shelf://{sku}/{place}")

    [spec] = mcp.registry().resources()
    assert spec.matched("shelf://A-1/top") == {"sku": "A-1", "place": "top"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shelf://{sku}", "shelf://{place}"),
        ("shelf://{+sku}/x", "shelf://{+place}/x"),
        ("a:{sku}{?b}", "a:{place}{?b}"),
    ],
)
def test_two_templates_that_the_same_uris_fit_are_refused(one: str, other: str) -> None:
    mcp = own()
    for uri in (one, other):
        names = [name for name in ("sku", "place", "b") if f"{name}" in uri.partition(":")[2]]
        mcp.resource(uri, scope=None)(taking(*names))

    with pytest.raises(ImproperlyConfigured, match="two resources have the URI"):
        mcp.registry()


def taking(*names: str) -> Callable[..., str]:
    """A function with these parameters."""
    parameters = ", ".join(f"{name}: Sku = ''" for name in names)
    scope: dict[str, Any] = {"Sku": Sku}
    exec(f"def taking({parameters}) -> str:\n    'Takes.'\n    return ''", scope)
    found: Callable[..., str] = scope["taking"]
    return found


@pytest.mark.parametrize("closer", ["shelf://all", "shelf://b{place}", "shelf://é{place}", "shelf://~"])
def test_of_two_that_a_uri_fits_the_closer_one_is_read(closer: str) -> None:
    mcp = own()
    for uri in ("shelf://{sku}", closer):
        names = [name for name in ("sku", "place") if name in uri]
        mcp.resource(uri, scope=None)(taking(*names))

    found = mcp.registry().find(closer.replace("{place}", "1"))

    assert found is not None
    assert str(found[0].uri) == closer


def test_a_tools_parameter_may_not_have_the_name_of_the_pipelines() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"its parameter mcp_context has the name of one .*; write `mcp_con"):

        @own().tool(scope=None, read_only=True)
        def bad(mcp_context: str) -> str:
            """Bad."""
            return mcp_context


@pytest.mark.parametrize("kind", KINDS)
def test_there_it_is_a_name_like_others(kind: str) -> None:
    def fine(mcp_context: Sku) -> str:
        """Fine."""
        return mcp_context

    mcp = declare(kind, fine, "shelf://{mcp_context}")

    assert sdk.build(mcp, Endpoint.TENANT)


@pytest.mark.anyio
async def test_a_context_that_may_be_left_out_is_no_argument() -> None:
    mcp = own()

    @mcp.tool(scope=None, read_only=True)
    def fine(ctx: Context[Any, Any] | None = None) -> str:
        """Fine."""
        return str(ctx)

    [listed] = await sdk.build(mcp, Endpoint.TENANT).list_tools()

    assert "properties" not in listed.input_schema or listed.input_schema["properties"] == {}


def test_a_parameter_that_the_sdk_does_not_take_is_told() -> None:
    mcp = own()

    @mcp.tool(scope=None, read_only=True)
    def bad(_hidden: str) -> str:
        """Bad."""
        return _hidden

    with pytest.raises(
        ImproperlyConfigured, match=r"tool bad \(.*\) has a parameter that can't be published .*_hidden"
    ):
        sdk.build(mcp, Endpoint.TENANT)
