"""What clients are told to connect: the snippets of `manage.py mcp config`, and `server.json`."""

from __future__ import annotations

import base64
import json
import shlex
import tomllib
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from django.utils import translation
from jsonschema import Draft7Validator

from mcp_server import MCP, anyone
from mcp_server.connect import addresses, clients
from mcp_server.connect.clients import Client, Kind, Server
from mcp_server.connect.manifest import SCHEMA, manifest
from tests.support import snippets
from tests.support.servers import own, shop

URL = "https://shop.example.com/mcp/acme/"
ACME = Server.at(URL, "acme")
TOKEN = "MCP_TOKEN_ACME"
# What the registry asks of a server that is called over HTTP (MCP registry, server.json of 2025-12-11).
TEXT, SHORT = {"type": "string"}, {"type": "string", "minLength": 1, "maxLength": 100}
INPUT = {"description": TEXT, "isRequired": {"type": "boolean"}, "isSecret": {"type": "boolean"}, "value": TEXT}
VARIABLES = {"type": "object", "additionalProperties": {"properties": INPUT, "additionalProperties": False}}
HEADER = {
    "properties": INPUT | {"name": TEXT, "variables": VARIABLES},
    "required": ["name"],
    "additionalProperties": False,
}
REMOTE = {
    "properties": {
        "type": {"enum": ["streamable-http"]},
        "url": TEXT | {"pattern": r"^https?://[^\s]+$"},
        "variables": VARIABLES,
        "headers": {"type": "array", "items": HEADER},
    },
    "required": ["type", "url"],
    "additionalProperties": False,
}
REGISTERED = {
    "type": "object",
    "properties": {
        "$schema": {"const": SCHEMA},
        "name": TEXT | {"pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "title": SHORT,
        "description": SHORT,
        "version": TEXT | {"maxLength": 255},
        "remotes": {"type": "array", "items": REMOTE},
    },
    "required": ["name", "description", "version"],
    "additionalProperties": False,
}


def printed(command: str, **options: Any) -> str:
    """What `manage.py mcp <command>` prints, in English."""
    out = StringIO()
    with translation.override("en"):
        call_command("mcp", *shlex.split(command), stdout=out, **options)
    return out.getvalue()


def snippet(client: Client, kind: Kind, server: Server = ACME) -> str:
    found = clients.guide(client, server).only(kind)
    assert found is not None
    return found.text


def configured(client: Client, server: Server = ACME) -> Any:
    """What the file of a client holds, as the client reads it."""
    text = snippet(client, Kind.FILE, server)
    return tomllib.loads(text) if client is Client.CODEX else json.loads(text)


def linked(client: Client, server: Server = ACME) -> Any:
    """The name and the configuration in the link of a client, as the client reads them."""
    link = urlsplit(snippet(client, Kind.LINK, server))
    if client is Client.VS_CODE:
        assert (link.scheme, link.path) == ("vscode", "mcp/install")
        found = json.loads(unquote(link.query))
        return found.pop("name"), found
    assert (link.scheme, link.netloc, link.path) == ("cursor", "anysphere.cursor-deeplink", "/mcp/install")
    query = parse_qs(link.query, strict_parsing=True)
    return query["name"][0], json.loads(base64.b64decode(query["config"][0], validate=True))


def test_files_are_what_each_client_reads() -> None:
    bearer = f"Bearer ${{{TOKEN}}}"

    assert configured(Client.CLAUDE_CODE)["mcpServers"]["acme"] == {
        "type": "http",
        "url": URL,
        "headers": {"Authorization": bearer},
    }
    assert configured(Client.CURSOR)["mcpServers"]["acme"] == {
        "url": URL,
        "headers": {"Authorization": f"Bearer ${{env:{TOKEN}}}"},
    }
    assert configured(Client.CODEX)["mcp_servers"]["acme"] == {"url": URL, "bearer_token_env_var": TOKEN}
    assert configured(Client.GEMINI_CLI)["mcpServers"]["acme"] == {
        "url": URL,
        "type": "http",
        "headers": {"Authorization": bearer},
    }
    vs_code = configured(Client.VS_CODE)
    [asked] = vs_code["inputs"]
    assert (asked["type"], asked["password"]) == ("promptString", True)
    assert vs_code["servers"]["acme"]["headers"] == {"Authorization": f"Bearer ${{input:{asked['id']}}}"}
    bridge = configured(Client.CLAUDE_DESKTOP)["mcpServers"]["acme"]
    assert bridge["command"] == "npx"
    assert not any(" " in argument for argument in bridge["args"])
    assert bridge["env"] == {"BEARER": "Bearer <token>"}


def test_links_hold_what_the_file_does() -> None:
    name, found = linked(Client.CURSOR)
    assert (name, found) == ("acme", configured(Client.CURSOR)["mcpServers"]["acme"])

    name, found = linked(Client.VS_CODE)
    file = configured(Client.VS_CODE)
    assert (name, found) == ("acme", {**file["servers"]["acme"], "inputs": file["inputs"]})


def test_commands_hand_each_argument_over_whole() -> None:
    claude, codex, gemini = (
        shlex.split(snippet(client, Kind.COMMAND)) for client in (Client.CLAUDE_CODE, Client.CODEX, Client.GEMINI_CLI)
    )

    assert claude[:3] == ["claude", "mcp", "add"]
    assert claude[-4:] == ["acme", URL, "--header", f"Authorization: Bearer ${{{TOKEN}}}"]
    assert codex == ["codex", "mcp", "add", "acme", "--url", URL, "--bearer-token-env-var", TOKEN]
    assert gemini[:3] == ["gemini", "mcp", "add"]
    assert gemini[-4:] == ["--header", f"Authorization: Bearer ${{{TOKEN}}}", "acme", URL]


@pytest.mark.parametrize("client", Client)
def test_where_no_token_is_asked_for_none_is_named(client: Client) -> None:
    open_server = Server.at(URL, "acme", takes_token=False)

    guide = clients.guide(client, open_server)
    texts = [unquote(each.text) for each in guide.snippets] + guide.notes

    assert not any(word in text.lower() for text in texts for word in ("token", "bearer", "authorization"))
    assert not guide.reads_environment
    assert any(URL in text for text in texts)


@pytest.mark.parametrize("client", Client)
@pytest.mark.parametrize("slug", ["acme", "x'; touch /tmp/no #", '"},{"', "1 2", "租戶", "a\nb = 1", "..", "${HOME}"])
def test_whatever_stands_for_a_tenant_stays_one_value(client: Client, slug: str) -> None:
    server = addresses.server(shop(), "https://shop.example.com", slug)

    guide = clients.guide(client, server)

    assert server.url == f"https://shop.example.com/mcp/{quote(slug, safe='')}/"
    for each in guide.snippets:
        if each.kind is Kind.COMMAND:
            assert server.url in shlex.split(each.text)
        elif each.kind is Kind.FILE:
            [(name, _)] = next(
                iter(value for key, value in configured(client, server).items() if key != "inputs")
            ).items()
            assert name == server.name
        elif each.kind is Kind.LINK:
            assert linked(client, server)[1]["url"] == server.url


def test_a_bridge_is_told_of_an_address_without_tls() -> None:
    local = addresses.server(shop(), "http://127.0.0.1:8000", "acme")

    assert "--allow-http" in configured(Client.CLAUDE_DESKTOP, local)["mcpServers"]["acme"]["args"]
    assert "--allow-http" not in configured(Client.CLAUDE_DESKTOP)["mcpServers"]["acme"]["args"]


@pytest.mark.parametrize("client", Client)
def test_the_command_prints_what_to_do(client: Client) -> None:
    said = printed(f"config {client} --tenant acme --root https://shop.example.com/")

    guide = clients.guide(client, ACME)
    assert said.startswith(client.label)
    assert all(each.text in said for each in guide.snippets)
    assert (clients.export(ACME) in said) == guide.reads_environment
    for each in guide.snippets:
        alone = printed(f"config {client} --tenant acme --root https://shop.example.com --only {each.kind}")
        assert alone == f"{each.text}\n"


def test_what_to_do_is_said_in_the_installations_language() -> None:
    out = StringIO()
    with translation.override("zh-hant"):
        call_command("mcp", "config", "codex", "--tenant", "acme", stdout=out)

    assert "寫入 ~/.codex/config.toml：" in out.getvalue()
    assert "Write this" not in out.getvalue()


@override_settings(PUBLIC_URL="https://shop.example.com/")
def test_an_address_is_the_public_one_where_none_is_said() -> None:
    assert printed("config codex --tenant acme --only command").split()[5] == URL
    assert "https://shop.example.com/mcp/ " in printed("config codex --platform --only command")


def test_two_tenants_of_one_client_have_two_names() -> None:
    names = {printed(f"config codex --tenant {slug} --only command").split()[3] for slug in ("acme", "globex")}

    assert names == {"acme", "globex"}
    assert "add work " in printed("config codex --tenant acme --name work --only command")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("config emacs --tenant acme", "invalid choice: 'emacs'"),
        ("config codex", "one of the arguments --tenant --platform is required"),
        ("config codex --tenant ''", "--tenant is empty; say the name that stands in the tenant's URL"),
        ("config codex --tenant acme --root shop", "'shop' is no address of an application; write https://app.ex"),
        (
            "config codex --tenant acme --only link",
            "Codex is not connected by a link; say --only with one of command, fi",
        ),
        (
            "server-json",
            "the registry takes servers that everybody reaches with https, and http://127.0.0.1:8000 is none",
        ),
        ("server-json --root https://192.0.2.1", "and https://192.0.2.1 is none; say --root https://app.example.com"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(command: str, sentence: str) -> None:
    with pytest.raises(CommandError) as error:
        printed(command)

    assert sentence in str(error.value)


def test_server_json_is_what_the_registry_takes() -> None:
    found = json.loads(printed("server-json --root https://shop.example.com"))

    Draft7Validator(REGISTERED).validate(found)
    assert found["name"] == "com.example.shop/django-tenant-mcp"
    with translation.override("en"):
        assert (found["version"], found["description"]) == (shop().version, str(shop().description))
    [remote] = found["remotes"]
    assert remote["url"] == "https://shop.example.com/mcp/{tenant}/"
    assert remote["variables"]["tenant"]["isRequired"]
    [header] = remote["headers"]
    assert (header["name"], header["value"], header["isSecret"]) == ("Authorization", "Bearer {token}", True)
    assert header["variables"]["token"] == {
        "description": "A token of that tenant",
        "isRequired": True,
        "isSecret": True,
    }


def test_the_namespace_may_be_another_than_the_host() -> None:
    found = json.loads(printed("server-json --root https://shop.example.com --namespace io.github.acme"))

    assert found["name"] == "io.github.acme/django-tenant-mcp"


def test_an_open_server_asks_the_registry_for_no_token() -> None:
    mcp = MCP("open", version="1.0", title="Open", description="For trials.", authenticate=anyone, apps=[])

    found = manifest(mcp, "https://shop.example.com")

    Draft7Validator(REGISTERED).validate(found)
    assert found["title"] == "Open"
    assert "headers" not in found["remotes"][0]


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            {"description": "For trials."},
            'has no version, and the registry takes none without; write MCP(version="1.0.0")',
        ),
        ({"version": "1.0"}, "does not say what it is for; write one sentence into MCP(description=...)"),
        (
            {"version": "1.0", "description": "x" * 101},
            "has 101 characters, and the registry takes 100; shorten MCP(desc",
        ),
        (
            {"version": "1.0", "description": "x", "title": "x" * 101},
            "the title of the server 'plain' has 101 characters",
        ),
    ],
)
def test_what_the_registry_would_refuse_is_said_before(facts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Exception, match="the server 'plain'") as error:
        manifest(MCP("plain", apps=[], **facts), "https://shop.example.com")

    assert sentence in str(error.value)


def test_the_path_is_where_the_application_was_put() -> None:
    mcp = own("assist")
    mcp.asgi(at="/v1/assist/")

    assert addresses.endpoint(mcp, "https://shop.example.com", "acme") == "https://shop.example.com/v1/assist/acme/"


def test_the_page_for_people_holds_these_very_snippets() -> None:
    with translation.override("en"):
        wanted = snippets.written()

    assert snippets.kept() == wanted, "run python -m tests.support.snippets, and commit what it writes"
