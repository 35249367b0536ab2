"""What each MCP client has to be told to connect: a command, a file, or a link.

It is the one source of `manage.py mcp config`, of the page for browsers, and of docs/how-to/connect-a-client.md. No
secret is in it: a client reads the token from an environment variable, or asks for it; where it can do neither, a
placeholder stands where the token belongs.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.translation import gettext as _

# Stands where a token belongs that has to be written into a file.
PLACEHOLDER = "<token>"
# What runs with a token in it is named by its version.
BRIDGE = "mcp-remote@0.15.1"
# What is no part of a name that every client takes.
OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")


class Client(StrEnum):
    """A client, as `manage.py mcp config` names it."""

    CLAUDE_CODE = "claude-code"
    CLAUDE_DESKTOP = "claude-desktop"
    VS_CODE = "vs-code"
    CURSOR = "cursor"
    CODEX = "codex"
    GEMINI_CLI = "gemini-cli"

    @property
    def label(self) -> str:
        """What its maker calls it."""
        return LABELS[self]


LABELS = {
    Client.CLAUDE_CODE: "Claude Code",
    Client.CLAUDE_DESKTOP: "Claude Desktop",
    Client.VS_CODE: "VS Code",
    Client.CURSOR: "Cursor",
    Client.CODEX: "Codex",
    Client.GEMINI_CLI: "Gemini CLI",
}


class Kind(StrEnum):
    """What is done with a snippet."""

    COMMAND = "command"
    FILE = "file"
    LINK = "link"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Server:
    """A server as a client is told of it: its name there, its URL, and whether a token has to be shown."""

    name: str
    url: str
    takes_token: bool = True

    @classmethod
    def at(cls, url: str, name: str, *, takes_token: bool = True) -> Server:
        """The server at this URL. Of the name, what a client might not take becomes a hyphen."""
        return cls(OTHER_CHARACTERS.sub("-", name).strip("-") or "mcp", url, takes_token)

    @property
    def variable(self) -> str:
        """The environment variable that holds the token."""
        return f"MCP_TOKEN_{self.name.replace('-', '_').upper()}"

    def headers(self, token: str) -> dict[str, str]:
        """What every request needs, for a client that writes `token` where it has read one."""
        return {"Authorization": f"Bearer {token}"} if self.takes_token else {}


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to paste. `place` is the path of the file, or where in the client the form is."""

    kind: Kind
    text: str
    language: str = "text"
    place: str = ""

    @property
    def instruction(self) -> str:
        """What to do with it, in the reader's language."""
        match self.kind:
            case Kind.COMMAND:
                return _("Run this:")
            case Kind.FILE:
                return _("Write this into {place}:").format(place=self.place)
            case Kind.LINK:
                return _("Open this link:")
            case Kind.FORM:
                return _("Give this address under {place}:").format(place=self.place)


@dataclass(frozen=True, slots=True)
class Guide:
    """How one client is connected: ways of which one is enough, what there is to know, and whether the token has to
    stand in the client's environment.
    """

    client: Client
    snippets: list[Snippet]
    notes: list[str]
    reads_environment: bool = False

    def only(self, kind: Kind) -> Snippet | None:
        """The way of this kind."""
        return next((each for each in self.snippets if each.kind is kind), None)


def guide(client: Client, server: Server) -> Guide:
    """How this client is connected to this server. The notes are in the reader's language."""
    return GUIDES[client](server)


def export(server: Server) -> str:
    """The command that reads a token into the environment, and leaves it in no history of commands."""
    return f"read -rs {server.variable} && export {server.variable}"


def _claude_code(server: Server) -> Guide:
    token = "${" + server.variable + "}"
    configured = {"type": "http", "url": server.url} | _headers(server, token)
    # A header may be given several times, so it stands last. The quotes keep the variable's name: its value would be
    # written into the file.
    header = [f"Authorization: Bearer {token}"] if server.takes_token else []
    words = ["claude", "mcp", "add", "--scope", "project", "--transport", "http", server.name, server.url]
    command = shlex.join([*words, *(["--header", *header] if header else [])])
    return Guide(
        Client.CLAUDE_CODE,
        [
            Snippet(Kind.COMMAND, command, "sh"),
            Snippet(Kind.FILE, _json({"mcpServers": {server.name: configured}}), "json", ".mcp.json"),
        ],
        _from_environment(server, Client.CLAUDE_CODE),
        server.takes_token,
    )


def _claude_desktop(server: Server) -> Guide:
    if not server.takes_token:
        return Guide(
            Client.CLAUDE_DESKTOP,
            [Snippet(Kind.FORM, server.url, place="Settings > Connectors > Add custom connector")],
            [_("Anthropic's servers connect, not this computer: the address has to be a public one with https.")],
        )
    plain = ["--allow-http"] if server.url.startswith("http:") else []
    # Without a space in an argument: on Windows it would be two.
    bridge = {
        "command": "npx",
        "args": ["-y", BRIDGE, server.url, "--transport", "http-only", *plain, "--header", "Authorization:${BEARER}"],
        "env": {"BEARER": f"Bearer {PLACEHOLDER}"},
    }
    return Guide(
        Client.CLAUDE_DESKTOP,
        [Snippet(Kind.FILE, _json({"mcpServers": {server.name: bridge}}), "json", "claude_desktop_config.json")],
        [
            _(
                "Its own connectors take no token, so it starts mcp-remote, a bridge that others make; Node.js has to "
                "be installed. Settings > Developer > Edit Config opens the file."
            ),
            _(
                "It reads no environment: put the token where {placeholder} stands, and let nobody else read the file."
            ).format(placeholder=PLACEHOLDER),
        ],
    )


def _vs_code(server: Server) -> Guide:
    asked = f"{server.name}-token"
    configured = {"type": "http", "url": server.url} | _headers(server, "${input:" + asked + "}")
    described = f"Token of {server.name}"
    inputs = [{"type": "promptString", "id": asked, "description": described, "password": True}]
    shared = {"inputs": inputs} if server.takes_token else {}
    link = quote(json.dumps({"name": server.name, **configured, **shared}, separators=(",", ":")), safe="")
    return Guide(
        Client.VS_CODE,
        [
            Snippet(Kind.LINK, f"vscode:mcp/install?{link}"),
            Snippet(Kind.FILE, _json({**shared, "servers": {server.name: configured}}), "json", ".vscode/mcp.json"),
        ],
        [_("It asks for the token when it connects, and keeps it encrypted.")] if server.takes_token else [],
    )


def _cursor(server: Server) -> Guide:
    configured = {"url": server.url} | _headers(server, "${env:" + server.variable + "}")
    encoded = base64.b64encode(json.dumps(configured, separators=(",", ":")).encode()).decode()
    query = urlencode({"name": server.name, "config": encoded})
    return Guide(
        Client.CURSOR,
        [
            Snippet(Kind.LINK, f"cursor://anysphere.cursor-deeplink/mcp/install?{query}"),
            Snippet(Kind.FILE, _json({"mcpServers": {server.name: configured}}), "json", ".cursor/mcp.json"),
        ],
        _from_environment(server, Client.CURSOR),
        server.takes_token,
    )


def _codex(server: Server) -> Guide:
    words = ["codex", "mcp", "add", server.name, "--url", server.url]
    lines = [f"[mcp_servers.{server.name}]", f"url = {json.dumps(server.url)}"]
    if server.takes_token:
        words += ["--bearer-token-env-var", server.variable]
        lines.append(f"bearer_token_env_var = {json.dumps(server.variable)}")
    return Guide(
        Client.CODEX,
        [
            Snippet(Kind.COMMAND, shlex.join(words), "sh"),
            Snippet(Kind.FILE, "\n".join(lines), "toml", "~/.codex/config.toml"),
        ],
        _from_environment(server, Client.CODEX),
        server.takes_token,
    )


def _gemini_cli(server: Server) -> Guide:
    token = "${" + server.variable + "}"
    header = ["--header", f"Authorization: Bearer {token}"] if server.takes_token else []
    command = shlex.join(["gemini", "mcp", "add", "--transport", "http", *header, server.name, server.url])
    configured = {"url": server.url, "type": "http"} | _headers(server, token)
    return Guide(
        Client.GEMINI_CLI,
        [
            Snippet(Kind.COMMAND, command, "sh"),
            Snippet(Kind.FILE, _json({"mcpServers": {server.name: configured}}), "json", ".gemini/settings.json"),
        ],
        _from_environment(server, Client.GEMINI_CLI),
        server.takes_token,
    )


GUIDES: dict[Client, Callable[[Server], Guide]] = {
    Client.CLAUDE_CODE: _claude_code,
    Client.CLAUDE_DESKTOP: _claude_desktop,
    Client.VS_CODE: _vs_code,
    Client.CURSOR: _cursor,
    Client.CODEX: _codex,
    Client.GEMINI_CLI: _gemini_cli,
}


def _headers(server: Server, token: str) -> dict[str, Any]:
    headers = server.headers(token)
    return {"headers": headers} if headers else {}


def _from_environment(server: Server, client: Client) -> list[str]:
    if not server.takes_token:
        return []
    text = _("It reads the token from {variable}: start {client} where that is set.")
    return [text.format(variable=server.variable, client=client.label)]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
