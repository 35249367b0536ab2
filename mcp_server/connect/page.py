"""The page that a browser sees at the URL of an endpoint: what this is, and how to connect a client.

It holds no data. Nothing is looked up for it, so the page of a tenant that exists is that of one that does not, and a
list of tools is for those who have a token.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.template import Context, Engine, Template
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from mcp_server.configuration import public_url
from mcp_server.connect import clients
from mcp_server.connect.clients import Client, Guide, Kind, Server
from mcp_server.declare.tools import Endpoint
from mcp_server.http import languages

if TYPE_CHECKING:
    from mcp_server.app import MCP

HTML, STREAM = "text/html", "text/event-stream"
HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8")
STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    # Nothing is loaded or run, and no page holds it in a frame. Links to clients are none of a policy's business.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # At the same URL clients get something else.
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and what to paste for it; where `link` is not '', the text is a URL, and `link` what stands on it."""

    instruction: str
    text: str = ""
    link: str = ""


def is_for_a_person(scope: Scope) -> bool:
    """Whether a browser asks for a page: it names HTML, and neither a stream of events nor a session."""
    if scope["method"] not in ("GET", "HEAD") or any(name == b"mcp-session-id" for name, _ in scope["headers"]):
        return False
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1").lower()
    ranges = [each.partition(";")[0].strip() for each in accepted.split(",")]
    return HTML in ranges and STREAM not in ranges


class Page:
    """Answers every request with the page of one endpoint, in the language that the request asks for."""

    def __init__(self, mcp: MCP, endpoint: Endpoint) -> None:
        self._mcp = mcp
        self._takes_token, self._signs_in = mcp.asks_for_token(endpoint), mcp.asks_to_sign_in(endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        language = _language(request)
        with translation.override(language):
            text = _template().render(Context(self._facts(request)))
        headers = HEADERS | {"Content-Language": language}
        response = HTMLResponse(text, headers=headers)
        if scope["method"] == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    def _facts(self, request: HTTPConnection) -> dict[str, Any]:
        slug = request.path_params.get("tenant", "")
        server = Server.at(_url(request, slug), slug or self._mcp.name, takes_token=self._takes_token)
        return {
            "language": _language(request),
            "title": str(self._mcp.title or self._mcp.name),
            "description": str(self._mcp.description),
            "about": _about(server, has_tenant=bool(slug), signs_in=self._signs_in),
            "address_heading": _("Address"),
            "clients_heading": _("Connect a client"),
            "url": server.url,
            "guides": [_shown(clients.guide(client, server), server) for client in Client],
            # A constant; what stands in it would be wrong as a text of HTML.
            "style": mark_safe(STYLE),  # noqa: S308
        }


def _language(request: HTTPConnection) -> str:
    return languages.of_page(request.headers.get("accept-language", ""))


def _about(server: Server, *, has_tenant: bool, signs_in: bool) -> list[str]:
    texts = {
        _(
            "This address is for AI assistants, which connect to it over the Model Context Protocol (MCP). Connect one "
            "below, and then ask it in plain words."
        ): True,
        _("A client needs a token. Whoever runs this server hands it out."): server.takes_token,
        _("The first time, the client opens a page where you sign in."): signs_in,
        _("This page holds no data, and looks the same for a name that nobody has."): has_tenant,
    }
    return [text for text, is_said in texts.items() if is_said]


def _shown(guide: Guide, server: Server) -> dict[str, Any]:
    steps = [
        *([Step(_("Put the token into the environment:"), clients.export(server))] if guide.reads_environment else []),
        *([Step(_("One of these is enough."))] if len(guide.snippets) > 1 else []),
        *(
            Step(each.instruction, each.text, _link(guide.client) if each.kind is Kind.LINK else "")
            for each in guide.snippets
        ),
    ]
    return {"title": guide.client.label, "steps": steps, "notes": guide.notes}


def _link(client: Client) -> str:
    return _("Connect {client}").format(client=client.label)


def _url(request: HTTPConnection, slug: str) -> str:
    """The URL of the endpoint as clients reach it: with the path of this request, wherever the server is mounted."""
    root = public_url() or f"{request.url.scheme}://{request.url.netloc}"
    above = request.scope["path"].removesuffix("/").removesuffix(slug) if slug else request.scope["path"]
    return f"{root}{quote(above.rstrip('/'))}/" + (f"{quote(slug, safe='')}/" if slug else "")


@functools.cache
def _template() -> Template:
    return Engine(dirs=[str(HERE)]).get_template("page.html")
