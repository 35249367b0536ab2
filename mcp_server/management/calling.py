"""One call of a tool in this process, through everything that a call over HTTP passes behind its authentication."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError
from django.db import connections
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import AudioContent, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, TextContent
from starlette.requests import HTTPConnection

from mcp_server import server
from mcp_server.app import MCP
from mcp_server.connect import addresses
from mcp_server.declare.schemas import Schema
from mcp_server.declare.tools import Endpoint
from mcp_server.http import bearer
from mcp_server.http.authentication import AUTHENTICATE_KEY, Backend, PrincipalToken, Refused
from mcp_server.http.context import serving_stdio
from mcp_server.management.platform import user, working
from mcp_server.principals import Principal
from mcp_server.tokens import resolver
from rls.context import PLATFORM_ALIAS

# What a command ends with that did not come as far as its call.
NOT_CALLED = 2


def not_called(sentence: str) -> CommandError:
    """The failure of a command that has called nothing."""
    return CommandError(sentence, returncode=NOT_CALLED)


async def bearer_of(mcp: MCP, token: str, *, slug: str, root: str) -> Principal:
    """Whom a token stands for at a tenant's URL, or, where `slug` is '', at the platform's: the server's own
    `authenticate` says so, as for a request. Raises CommandError.
    """
    authenticate = mcp.authenticate if slug else mcp.authenticate_platform
    backend = Backend(authenticate, mcp.default_scopes())
    try:
        _, caller = await backend.authenticate(_request(backend, addresses.endpoint(mcp, root, slug), slug, token))
    except Refused as refused:
        challenge = refused.challenge if refused.challenge is not bearer.TOKEN_MISSING else bearer.TOKEN_INVALID
        raise not_called(challenge.description) from None
    if not isinstance(caller.access_token, PrincipalToken):
        raise not_called(bearer.TOKEN_INVALID.description)
    return caller.access_token.principal


def operator(mcp: MCP, scopes: Iterable[str], *, slug: str, command: str, reason: str) -> Principal:
    """Whoever runs this process, with these scopes and no other. It is platform work, on record before it begins.

    Raises CommandError: the server has no such scope, or there is no such tenant.
    """
    granted = frozenset(scopes)
    if unknown := sorted(granted - mcp.scopes()):
        raise not_called(f"the server has no scope {unknown[0]!r}; it has {', '.join(sorted(mcp.scopes()))}")
    if PLATFORM_ALIAS not in connections:
        raise not_called(
            f"--as-operator is platform work, and DATABASES has no alias {PLATFORM_ALIAS!r}; call with a token"
        )
    name = user()
    with working(command, reason):
        is_there = not slug or resolver.active_tenant(slug) is not None
    found = resolver.open_endpoint(slug) if slug and is_there else None
    if slug and found is None:
        raise not_called(f"there is no active tenant {slug!r}; say the name that stands in its URL")
    nobody = found or Principal(name, None, "", id=name)
    return replace(nobody, name=name, id=f"operator:{name}", scopes=granted)


async def call(mcp: MCP, principal: Principal, tool: str, given: list[str]) -> CallToolResult:
    """Call a tool as this principal. `given` are the arguments as "name=value". Raises CommandError."""
    endpoint = Endpoint.PLATFORM if principal.tenant_id is None else Endpoint.TENANT
    served = server.build(mcp, endpoint)
    if tool not in {spec.name for spec in mcp.registry().tools(endpoint)}:
        raise not_called(f"there is no tool {tool!r} at this endpoint; manage.py mcp list names those that are")
    with serving_stdio(lambda: principal):
        # What is raised inside the client's task group would come out of it as an ExceptionGroup.
        async with Client(served) as client:
            done = await _done(client, tool, given)
    if isinstance(done, CommandError):
        raise done
    return done


def arguments(schema: Schema, given: list[str]) -> dict[str, Any]:
    """The arguments that "name=value" stand for: a text where the schema has one, otherwise what JSON reads in it.

    Raises CommandError.
    """
    found: dict[str, Any] = {}
    for each in given:
        name, is_given, value = each.partition("=")
        if not is_given or not name:
            raise not_called(f"--arg {each}: write --arg name=value")
        if name in found:
            raise not_called(f"--arg {name} is given twice; a list is one value: --arg '{name}=[1, 2]'")
        found[name] = _value(schema.get("properties", {}).get(name, {}), value)
    return found


def text(result: CallToolResult) -> str:
    """What a person reads of an answer; what is no text is named."""
    return "\n".join(map(_block, result.content))


def structured(result: CallToolResult) -> str:
    """What a program reads: the structured content, or, of a tool that has none, its content."""
    blocks = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in result.content]
    found = {"content": blocks} if result.structured_content is None else result.structured_content
    return json.dumps(found, ensure_ascii=False, indent=2)


async def _done(client: Client, tool: str, given: list[str]) -> CallToolResult | CommandError:
    listed = {each.name: each.input_schema for each in (await client.list_tools()).tools}
    try:
        return await client.call_tool(tool, arguments(listed.get(tool, {}), given))
    except MCPError as error:
        return CommandError(error.message)
    except CommandError as error:
        return error


def _request(backend: Backend, url: str, slug: str, token: str) -> HTTPConnection:
    parts = urlsplit(url)
    headers = {"host": parts.netloc, "authorization": f"Bearer {token}"}
    return HTTPConnection(
        {
            "type": "http",
            "method": "POST",
            "scheme": parts.scheme,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": None,
            "server": None,
            "path_params": {"tenant": slug},
            AUTHENTICATE_KEY: backend,
        }
    )


def _value(schema: Schema, value: str) -> Any:
    if "string" in _types(schema):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _types(schema: Schema) -> set[str]:
    named = schema.get("type", [])
    own = {named} if isinstance(named, str) else set(named)
    return own.union(*(_types(each) for each in schema.get("anyOf", ())))


def _block(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return f"[{block.type}, {block.mime_type}]"
        case EmbeddedResource():
            return f"[resource {block.resource.uri}]"
        case _:
            return f"[link {block.uri}]"
