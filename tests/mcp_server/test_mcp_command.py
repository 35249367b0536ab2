"""`manage.py mcp list`, `inspect` and `call`: a look at a server, and a real call, for whoever runs it."""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import os
import shlex
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import translation
from jsonschema import Draft202012Validator

from core.models import Product
from core.scopes import Scope
from mcp_server import MCP, Endpoint
from mcp_server.declare import examples
from mcp_server.ledger.models import AuditEvent
from mcp_server.management import calling, listing
from mcp_server.management.commands.mcp import NO_CALLER_TEXT
from mcp_server.server import build
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.support import programs
from tests.support.servers import own, shop
from tests.support.world import World, platform_token, working

NAMES = "call get_tenant_products --tenant acme"
RESTOCK = "call adjust_stock --tenant acme --arg sku=A-1 --arg quantity=3 --arg reason=purchase"
AS_OPERATOR = "--as-operator --scope products:write"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCP_TOKEN", raising=False)


def mcp(command: str) -> str:
    """What `manage.py mcp <command>` prints."""
    out = StringIO()
    with translation.override("en"):
        call_command("mcp", *shlex.split(command), stdout=out)
    return out.getvalue()


def refused(command: str) -> CommandError:
    with pytest.raises(CommandError) as error:
        mcp(command)
    return error.value


def stock(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").stock


def actors(world: World, action: str) -> list[str]:
    with tenant_context(world.id):
        return list(AuditEvent.objects.filter(action=action).values_list("actor", flat=True))


def platform_audit(admin: psycopg.Connection) -> list[tuple[Any, ...]]:
    query = "SELECT actor, reason, origin FROM app.platform_audit WHERE origin LIKE '%mcp call%' ORDER BY id"
    return admin.execute(query).fetchall()


# list and inspect.


def test_everything_is_listed_with_its_scope() -> None:
    rows = [line.split() for line in mcp("list").splitlines() if line.startswith("  ")]

    found = {(name, scope) for name, _, scope, *_ in rows}
    registry = shop().registry()
    tools = [*registry.tools(Endpoint.TENANT), *registry.tools(Endpoint.PLATFORM)]
    assert found >= {(spec.name, spec.scope or "-") for spec in tools}
    assert found >= {(spec.name, spec.scope or "-") for spec in registry.prompts().values()}
    assert found >= {(str(spec.uri), spec.scope or "-") for spec in registry.resources()}
    assert len(rows) == len(registry.specs())


def test_a_program_is_told_the_same() -> None:
    found = json.loads(mcp("list --json"))

    assert len(found) == len(shop().registry().specs())
    assert {
        "group": "Tools of a tenant",
        "name": "adjust_stock",
        "kind": "changes",
        "scope": "products:write",
    }.items() <= (next(each for each in found if each["name"] == "adjust_stock").items())
    assert next(each for each in found if each["name"] == "add_numbers")["scope"] is None


def test_a_server_that_offers_nothing_has_no_heading() -> None:
    assert listing.listed(own()) == ""


def test_a_tool_is_shown_with_schemas_example_and_cost() -> None:
    said = mcp("inspect adjust_stock")

    assert "tool adjust_stock, at the endpoint of a tenant" in said
    assert "scope         products:write" in said
    assert "changes; may ask a person first" in said
    assert "core.mcp_tools.tools.inventory.adjust_stock" in said
    assert "about 3" in said
    assert (
        "manage.py mcp call adjust_stock --tenant acme --arg 'sku=<sku>' --arg quantity=1 --arg reason=purchase" in said
    )
    assert '"maximum": 2147483647' in said.partition("input schema")[2]
    assert "output schema" in said


def test_a_name_at_two_endpoints_is_shown_twice() -> None:
    said = mcp("inspect list_tenants")

    assert "tool list_tenants, at the endpoint of a tenant" in said
    assert "tool list_tenants, at the endpoint of the platform" in said
    assert "manage.py mcp call list_tenants --platform\n" in said


def test_resources_and_prompts_are_shown_too() -> None:
    product, briefing = mcp("inspect product://{sku}"), mcp("inspect daily_briefing")

    assert "media type      application/json" in product
    assert "can be watched  yes" in product
    assert "required." in product
    assert "prompt daily_briefing" in briefing
    assert "reports:read" in briefing


def test_an_unknown_name_is_told_those_that_are_there() -> None:
    error = refused("inspect no_such_tool")

    assert str(error).startswith("nothing is called 'no_such_tool'; there are add_numbers, ")


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", Endpoint)
async def test_the_example_of_each_tool_fits_its_schema(endpoint: Endpoint) -> None:
    for tool in await build(shop(), endpoint).list_tools():
        Draft202012Validator(tool.input_schema).validate(examples.arguments(tool.input_schema))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "maximum": -2}, -2),
        ({"type": "integer"}, 1),
        ({"type": ["null", "boolean"]}, True),
        ({"anyOf": [{"type": "null"}, {"enum": ["b", "a"]}]}, "b"),
        ({"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 2}, ["2026-01-31"] * 2),
        ({"type": "object", "properties": {"a": {"const": 3}, "b": {}}, "required": ["a"]}, {"a": 3}),
        ({"type": "string", "minLength": 12}, "<name>......"),
        ({"type": "string", "maxLength": 3}, "<na"),
        ({"type": "string", "pattern": "^[0-9]+$"}, "1"),
        ({"type": "string", "pattern": "^[a-z]{3,}$"}, "example"),
        ({}, "<name>"),
    ],
)
def test_an_example_fits_whatever_a_schema_says(schema: dict[str, Any], value: Any) -> None:
    assert examples.value(schema, "name") == value
    Draft202012Validator(schema).validate(value)


# call: who calls.


def test_a_token_calls_with_its_own_rights(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_TOKEN", acme.token)

    assert "Acme anvil" in mcp(NAMES)
    assert mcp(RESTOCK)
    assert stock(acme) == 8
    assert actors(acme, "adjust_stock") == ["acme token"]


def test_a_token_comes_in_by_the_input_too(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{acme.token}\n"))

    assert "Acme anvil" in mcp(f"{NAMES} --token-stdin")


def test_without_a_caller_nothing_is_called(acme: World) -> None:
    error = refused(RESTOCK)

    assert (str(error), error.returncode) == (NO_CALLER_TEXT, 2)
    assert stock(acme) == 5


def test_a_token_of_another_tenant_is_answered_like_an_unknown_one(
    acme: World, globex: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = set()
    for token, tenant in [(globex.token, "acme"), ("tmcp_unknown", "acme"), (acme.token, "nowhere"), ("a b", "acme")]:
        monkeypatch.setenv("MCP_TOKEN", token)
        error = refused(f"call get_tenant_products --tenant {tenant}")
        said.add((str(error).split(".")[0] if token != "a b" else "", error.returncode))

    assert {code for _, code in said} == {2}
    assert {text for text, _ in said if text} == {
        "This token does not open this address: it is unknown, expired, revoked, or made for another"
    }


def test_a_narrow_token_is_refused_in_words(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with working():
        narrow = tokens.create(name="narrow", slug="acme", scopes=[Scope.PRODUCTS_READ])
    monkeypatch.setenv("MCP_TOKEN", narrow)

    error = refused(RESTOCK)

    assert error.returncode == 1
    assert stock(acme) == 5


def test_the_operator_has_no_scope_that_was_not_named(acme: World) -> None:
    error = refused(f"{RESTOCK} --as-operator")

    assert error.returncode == 1
    assert stock(acme) == 5


def test_the_operator_is_named_and_on_record_before_the_call(acme: World, admin: psycopg.Connection) -> None:
    assert mcp(f"{RESTOCK} {AS_OPERATOR} --reason 'ticket 42'")

    assert stock(acme) == 8
    assert actors(acme, "adjust_stock") == [getpass.getuser()]
    assert platform_audit(admin) == [(getpass.getuser(), "ticket 42", "manage.py mcp call adjust_stock")]


def test_an_operator_of_a_tenant_that_is_not_there_calls_nothing(acme: World, admin: psycopg.Connection) -> None:
    error = refused(f"call adjust_stock --tenant nowhere {AS_OPERATOR}")

    assert error.returncode == 2
    assert str(error) == "there is no active tenant 'nowhere'; say the name that stands in its URL"
    assert len(platform_audit(admin)) == 1


def test_the_platform_is_called_with_its_token_or_by_the_operator(
    acme: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_operator = mcp("call list_tenants --platform --as-operator --scope tenants:read --arg reason=look")
    monkeypatch.setenv("MCP_TOKEN", platform_token())
    by_token = mcp("call list_tenants --platform --arg reason=look")
    monkeypatch.setenv("MCP_TOKEN", acme.token)
    error = refused("call list_tenants --platform --arg reason=look")

    assert "Acme" in by_operator
    assert by_token == by_operator
    assert error.returncode == 2


def test_a_projects_own_way_to_know_its_callers_is_asked(acme: World) -> None:
    seen = []

    async def authenticate(connection: Any, slug: str) -> None:
        seen.append((slug, str(connection.url), connection.headers["authorization"]))

    with pytest.raises(CommandError, match="does not open this address"):
        asyncio.run(
            calling.bearer_of(
                MCP("own", apps=[], authenticate=authenticate), "t", slug="acme", root="https://x.example"
            )
        )

    assert seen == [("acme", "https://x.example/mcp/acme/", "Bearer t")]


# call: arguments and answers.


@pytest.fixture
def operator(acme: World) -> str:
    return "--as-operator --scope products:read --scope products:write --scope orders:write"


def test_the_structured_content_is_printed_for_programs(operator: str) -> None:
    found = json.loads(mcp(f"{NAMES} --json {operator}"))

    assert [product["sku"] for product in found["products"]] == ["A-1"]


def test_values_are_read_as_the_schema_says(operator: str) -> None:
    assert "A-1" in mcp(f"{NAMES} --arg search=anvil --arg limit=1 {operator}")
    order = 'call create_order --tenant acme --arg \'items=[{"sku": "A-1", "quantity": 1}]\' --arg dry_run=true'
    assert json.loads(mcp(f"{order} --json {operator}"))["dry_run"] is True


def test_a_text_stays_a_text() -> None:
    schema = {
        "properties": {"sku": {"type": "string"}, "note": {"type": ["string", "null"]}, "count": {"type": "integer"}}
    }

    found = calling.arguments(schema, ["sku=12", "note=null", "count=12", "more=a=b", "odd={"])

    assert found == {"sku": "12", "note": "null", "count": 12, "more": "a=b", "odd": "{"}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("--arg limit", 2, "--arg limit: write --arg name=value"),
        ("--arg =1", 2, "--arg =1: write --arg name=value"),
        ("--arg limit=1 --arg limit=2", 2, "--arg limit is given twice"),
        ("--arg limits=1", 1, "limit"),
        ("--arg limit=many", 1, "limit"),
        ("--scope nothing:read", 2, "the server has no scope 'nothing:read'; it has audit:read"),
    ],
)
def test_a_mistake_says_what_to_write(operator: str, arguments: str, code: int, sentence: str) -> None:
    error = refused(f"{NAMES} {operator} {arguments}")

    assert sentence in str(error)
    assert error.returncode == code


def test_a_scope_without_the_operator_is_a_mistake(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_TOKEN", acme.token)

    assert "--scope is for --as-operator" in str(refused(f"{NAMES} --scope products:read"))


def test_an_unknown_tool_is_not_called(operator: str) -> None:
    error = refused(f"call no_such_tool --tenant acme {operator}")

    assert error.returncode == 2
    assert "manage.py mcp list names those that are" in str(error)


@pytest.mark.slow
def test_exit_codes_tell_a_refusal_from_a_call_that_was_not_made(acme: World) -> None:
    def run(*more: str, **environment: str) -> Any:
        command = ["manage.py", "mcp", "call", "get_product", "--tenant", "acme", *more]
        return programs.run(command, environment={**os.environ, **environment})

    found = run("--arg", "sku=A-1", "--json", MCP_TOKEN=acme.token)
    missing = run("--arg", "sku=none", MCP_TOKEN=acme.token)
    nobody = run("--arg", "sku=A-1", MCP_TOKEN="tmcp_unknown")

    assert [each.returncode for each in (found, missing, nobody)] == [0, 1, 2]
    assert json.loads(found.stdout)["sku"] == "A-1"
    assert "CommandError: " in missing.stderr
    assert "Traceback" not in missing.stderr + nobody.stderr
    assert acme.token not in found.stdout + found.stderr + missing.stderr
