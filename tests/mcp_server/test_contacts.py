"""Addresses and phone numbers: whoever lacks the scope to see them finds none in anything that he is told."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import zipfile
import zlib
from typing import Any

import httpx2
import pytest

from core.models import Customer, Order, TenantUser
from core.roles import SCOPES_OF_ROLES, Role
from core.scopes import Scope
from core.services import demo
from mcp_server import MCP, Refusal, anyone, contacts
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.clients.story import CALLS, PROMPTS
from tests.core.test_commands import run
from tests.mcp_server.test_app import asked
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.world import World, working

PHONES = ["+886 912 345 678", "02-2345-6789", "0912-345-678"]
BLIND = frozenset(Scope) - {Scope.CUSTOMERS_CONTACT}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("wile@acme.example", "w***@***"),
        ("Wile <wile@acme.example>, ada@x.example.", "Wile <w***@***>, a***@***."),
        ("請寄給：王小明@例子.台灣。謝謝", "請寄給：王***@***。謝謝"),
        ("root@localhost and x@[127.0.0.1]", "r***@*** and x***@***"),
        ("call +886 912 345 678 or 02-2345-6789", "call ***78 or ***89"),
        ("(02) 2345-6789; 0912 345 678; +886-2-2345-6789", "***89; ***78; ***89"),
        ("(02)2345-6789, (607) 123 4567", "***89, ***67"),
        ("o'brien@acme.example, x{a}@acme.example", "o***@***, x***@***"),
        ("'wile@acme.example' {wile@acme.example}", "'w***@***' {w***@***}"),
        ('"Wile E."@acme.example', '"***@***'),
        ("王小明＠例子.台灣", "王***@***"),
        # None of these is one.
        ("f(2026) 123, (2026) 10 pieces", "f(2026) 123, (2026) 10 pieces"),
        ("2 @ 45.00", "2 @ 45.00"),
        ("2026-11-23T10:05:00+08:00", "2026-11-23T10:05:00+08:00"),
        ("+10 pieces, 2026-11-23 14:05", "+10 pieces, 2026-11-23 14:05"),
        ("01a2224b-0123-4567-8901-61bd35e77beb", "01a2224b-0123-4567-8901-61bd35e77beb"),
        ("€1,234.00 and 0.125", "€1,234.00 and 0.125"),
        ("w***@*** and ***78", "w***@*** and ***78"),
    ],
)
def test_a_text_is_masked(text: str, masked: str) -> None:
    assert contacts.masked_text(text) == masked
    assert contacts.masked_text(masked) == masked


def test_a_value_is_masked_by_what_it_holds_and_by_what_it_is_called() -> None:
    value = {
        "phone": "12345",
        "home_phone": "",
        "email": "whoever",
        "note": ["wile@acme.example"],
        "total": 0,
        "inside": json.dumps({"customer_phone": "4711", "sku": "A-1"}),
        "uri": "mailto:wile@acme.example",
    }

    assert contacts.masked(value) == {
        "phone": "***45",
        "home_phone": "",
        "email": "w***@***",
        "note": ["w***@***"],
        "total": 0,
        "inside": '{"customer_phone": "***11", "sku": "A-1"}',
        "uri": "mailto:wile@acme.example",
    }


def test_what_is_called_as_the_protocol_calls_things_hides_nothing() -> None:
    image = {"type": "image", "data": "x@y.example", "mimeType": "image/png"}
    value = {"data": [{"email": "wile"}], "url": {"note": "wile@acme.example"}, "more": {"data": "wile@acme.example"}}

    assert contacts.masked(value | {"image": image}) == {
        "data": [{"email": "w***@***"}],
        "url": {"note": "w***@***"},
        "more": {"data": "w***@***"},
        "image": image,
    }


@pytest.mark.parametrize(
    "name", ["phone", "phones", "phone_numbers", "mobilePhone", "phoneNumber", "customer_tel", "faxes"]
)
def test_a_field_is_one_of_numbers_however_its_name_is_written(name: str) -> None:
    assert contacts.masked({name: ["0912345678"], "hotel": "0912345678"}) == {name: ["***78"], "hotel": "0912345678"}


@pytest.mark.parametrize("name", ["email", "emails", "e_mail", "emailAddress", "customerEmail", "mail_addresses"])
def test_a_field_is_one_of_addresses_however_its_name_is_written(name: str) -> None:
    assert contacts.masked({name: ["whoever"], "mailbox": "whoever"}) == {name: ["w***@***"], "mailbox": "whoever"}


def test_names_are_masked_too_and_none_takes_the_place_of_another() -> None:
    value = {"wile@acme.example": 1, "will@acme.example": 2, "ada@acme.example": 3}

    assert contacts.masked(value) == {"w***@***": 1, "w***@*** (2)": 2, "a***@***": 3}


def test_a_change_of_a_phone_number_is_masked_by_the_field_that_it_names() -> None:
    assert contacts.masked({"field": "phone", "before": "4711", "after": "0912345678", "unit": ""}) == {
        "field": "phone",
        "before": "***11",
        "after": "***78",
        "unit": "",
    }


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "asked_for"), [("resources/read", {"uri": "shelf://taken"}), ("prompts/get", {"name": "write"})]
)
def test_the_refusal_of_a_resource_and_a_prompt_is_masked(
    method: str, asked_for: dict[str, Any], era: Era, acme: World
) -> None:
    mcp = MCP("contacts", apps=[], authenticate=anyone, contacts_scope="see", scopes_on_request=["see"])

    @mcp.resource("shelf://taken", scope=None)
    def taken() -> str:
        """Refuses."""
        raise Refusal("Ask wile@acme.example or +886 912 345 678.")

    @mcp.prompt(scope=None)
    def write() -> str:
        """Refuses."""
        return taken()

    async def story(client: httpx2.AsyncClient) -> str:
        headers = raw.headers("", era, method, *asked_for.values()) | {"Accept": raw.BOTH}
        return (await client.post("/mcp/acme/", json=raw.message(method, asked_for, era), headers=headers)).text

    told = asked(mcp.asgi(), story)

    assert "Ask w***@*** or ***78." in told


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    text = "a" * 200_000 + " @ " + "+1" * 50_000 + "0" * 200_000

    assert contacts.masked_text(text) == text


class Caller:
    """Sends messages with one token, and keeps whatever it is told."""

    def __init__(self, server: Process, token: str) -> None:
        self.told: list[str] = []
        self._url = server.mcp("acme")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Accept-Language": "en",
        }

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx2.post(self._url, json=message, headers=self._headers, timeout=60)
        self.told.append(answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = self.ask("tools/call", name=tool, arguments=arguments)
        found: dict[str, Any] = answer.get("result", {}).get("structuredContent") or {}
        return found


@pytest.fixture
def shop(acme: World) -> World:
    """Demo data, and addresses where nobody has made a field for one."""
    with tenant_context(acme.id):
        demo.create(seed=1)
        for customer, phone in zip(Customer.objects.order_by("email"), PHONES * 100, strict=False):
            customer.phone = phone
            customer.save()
        Order.objects.update(note="Call rita@secret.example or +886 987 654 321 first")
    return acme


def secrets(world: World) -> set[str]:
    """What nobody without the scope may read."""
    with tenant_context(world.id):
        emails = {
            *Customer.objects.values_list("email", flat=True),
            *TenantUser.objects.values_list("email", flat=True),
        }
        phones = {each for each in Customer.objects.values_list("phone", flat=True) if each}
    return emails | phones | {"rita@secret.example", "+886 987 654 321"}


def token_with(scopes: frozenset[Scope]) -> str:
    with working():
        return tokens.create(name="blind", slug="acme", scopes=scopes)


def tell_everything(caller: Caller) -> None:
    """Call every tool that there is for the caller, read every resource, get every prompt."""
    there = {each["name"] for each in caller.ask("tools/list")["result"]["tools"]}
    # Those of tests/shop are not the project's.
    ours = {name for name in there if not name.startswith("shop_")}
    assert ours <= {each.tool for each in CALLS}, "add a call of it to tests/clients/story.py"
    confirmation = ""
    for each in CALLS:
        if each.tool in there:
            confirmed = {"confirmation": confirmation} if "confirmation" in each.arguments else {}
            confirmation = caller.call(each.tool, each.arguments | confirmed).get("confirmation") or confirmation
    for uri in ("tenant://info", "tenant://schema", "order://1", "order://2", "product://A-1", "report://sales/today"):
        caller.ask("resources/read", uri=uri)
    for name, (arguments, _) in PROMPTS.items():
        caller.ask("prompts/get", name=name, arguments=arguments)


def seen(caller: Caller, secrets: set[str]) -> set[str]:
    told = "\n".join(caller.told)
    return {each for each in secrets if each in told}


def test_a_viewer_is_told_no_address_by_anything(server: Process, shop: World) -> None:
    run("members add --tenant acme --user mei --role viewer --create")
    viewer = Caller(server, run("tokens create --tenant acme --user mei --name laptop").strip())

    tell_everything(viewer)

    assert seen(viewer, secrets(shop)) == set()
    assert "w***@***" in "".join(viewer.told)


def test_whoever_has_every_scope_but_this_is_told_none_either(server: Process, shop: World) -> None:
    blind = Caller(server, token_with(BLIND))

    tell_everything(blind)

    # What it has written itself it knows.
    assert seen(blind, secrets(shop) - {"ada@told.example"}) == set()


def test_whoever_has_the_scope_is_told_them(server: Process, shop: World) -> None:
    seeing = Caller(server, token_with(frozenset(Scope)))

    tell_everything(seeing)

    assert {"wile@acme.example", "rita@secret.example", "+886 987 654 321"} <= seen(seeing, secrets(shop))


def test_no_address_can_be_guessed_by_its_beginning(server: Process, shop: World) -> None:
    asked = {
        "ref": {"type": "ref/prompt", "name": "customer_follow_up"},
        "argument": {"name": "customer", "value": "w"},
    }

    answers = [
        Caller(server, token_with(scopes)).ask("completion/complete", **asked)["result"]["completion"]
        for scopes in (SCOPES_OF_ROLES[Role.VIEWER], SCOPES_OF_ROLES[Role.STAFF])
    ]

    assert answers[0] == {"values": [], "total": 0, "hasMore": False}
    assert "wile@acme.example" in answers[1]["values"]


def test_a_cursor_can_not_be_read(server: Process, acme: World) -> None:
    with tenant_context(acme.id):
        # Before all others.
        TenantUser.objects.create(username="0ada@acme.example")

    page = Caller(server, token_with(BLIND)).call("get_tenant_users", {"limit": 1})

    assert page["users"][0]["username"] == "0***@***"
    assert b"ada" not in b"".join(map(opened, re.split("[.:]", page["next_cursor"])))


def opened(part: str) -> bytes:
    """A part of a cursor, as whoever has no key can read it."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return part.encode()
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "xlsx"])
def test_an_export_without_the_scope_holds_no_address(format: str, server: Process, shop: World) -> None:
    blind, seeing = Caller(server, token_with(BLIND)), Caller(server, token_with(frozenset(Scope)))
    # In the audit log too.
    seeing.call("create_order", {"items": [{"sku": "A-1", "quantity": 1}], "customer_email": "wile@acme.example"})

    files = []
    for caller in (blind, seeing):
        made = caller.call("export_tenant_data", {"format": format})
        assert made["contacts_masked"] == (caller is blind)
        files.append(plain(httpx2.get(made["url"], timeout=60).content))

    words = secrets(shop)
    assert {each for each in words if each in files[0]} == set()
    assert {each for each in words if each in files[1]} == words


def plain(data: bytes) -> str:
    """The texts of a file, whether it is packed or not."""
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return "\n".join(packed.read(name).decode() for name in packed.namelist())
    return data.decode()
