"""Lists and serves the declared resources and prompts.

Not with the SDK's own registries, whose parts are used here: why is in docs/adr/0030.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connections
from django.utils.translation import gettext as _
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    Resource,
    ResourceTemplate,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION
from pydantic import AnyUrl

from mcp_server import metrics
from mcp_server.call import given, refusals, sizes
from mcp_server.declare import messages
from mcp_server.declare.arguments import MAX_ARGUMENT_LENGTH, Offered
from mcp_server.declare.prompts import PromptSpec
from mcp_server.declare.registry import Registry
from mcp_server.declare.resources import Content, ResourceSpec, contents_of
from mcp_server.read.claims import Claims
from mcp_server.read.reading import NotThere, served
from mcp_server.texts import is_storable
from rls.context import PLATFORM_ALIAS

# Until 2025-11-25 (MCP specification, "Resources", error handling); the SDK has no name for it any more.
RESOURCE_NOT_FOUND = -32002


class ReadableServer(MCPServer[Any]):
    """An MCPServer that offers what is declared with `@resource` and `@prompt`, before what was added to it by hand.

    Titles and descriptions are in the language of the request.
    """

    offered: Registry

    async def claims(self) -> Claims:
        """What there is for the caller beside tools; what was added by hand needs no scope."""
        readable, offered = self.offered.resources(), self.offered.prompts().values()
        completable: list[Offered] = [*readable, *offered]
        added = await super().list_resources() or await super().list_resource_templates()
        return Claims(
            resources=bool(readable or added),
            # The feed of changes connects as the platform does: see mcp_server.watch.feed.
            watching=PLATFORM_ALIAS in connections and any(spec.rows is not None for spec in readable),
            prompts=bool(offered or await super().list_prompts()),
            completions=any(argument.complete for each in completable for argument in each.arguments.values()),
        )

    async def list_resources(self) -> list[Resource]:
        found = [spec for spec in self.offered.resources() if not spec.arguments]
        return [*(Resource(uri=str(spec.uri), **_words(spec)) for spec in found), *await super().list_resources()]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        found = [spec for spec in self.offered.resources() if spec.arguments]
        declared = [ResourceTemplate(uri_template=str(spec.uri), **_words(spec)) for spec in found]
        return [*declared, *await super().list_resource_templates()]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        found = self.offered.find(str(uri))
        if found is None:
            return await self._added_resource(uri, context)
        spec, arguments = found
        given = spec.parameters.filled(arguments, context)
        try:
            contents = await served(spec, spec.function, given, lambda found: contents_of(found, spec.mime_type))
        except NotThere as error:
            metrics.refused("unknown_name")
            raise _not_found(uri, error.message, context) from error
        except MCPError as error:
            raise MCPError(error.code, error.message, data={"uri": str(uri)}) from error
        return contents if isinstance(contents, InputRequiredResult) else _fitted_contents(contents)

    async def _added_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        try:
            return await super().read_resource(uri, context)
        except ResourceNotFoundError as error:
            metrics.refused("unknown_name")
            text = _(
                "There is no resource {uri}. Call resources/list and resources/templates/list to see the resources."
            )
            raise _not_found(uri, text.format(uri=refusals.short(str(uri))), context) from error

    async def list_prompts(self) -> list[Prompt]:
        declared = [_listed(spec) for spec in self.offered.prompts().values()]
        return [*declared, *await super().list_prompts()]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        spec = self.offered.prompts().get(name)
        if spec is None:
            return await self._added_prompt(name, arguments, context)
        given = spec.parameters.filled(_checked(spec, arguments or {}), context)
        written = await served(spec, spec.function, given, messages.messages_of)
        if isinstance(written, InputRequiredResult):
            return written
        if spec.is_text_only:
            written = [messages.plain(each) for each in written]
        return GetPromptResult(description=str(spec.description), messages=_fitted_messages(written))

    async def _added_prompt(
        self, name: str, arguments: dict[str, Any] | None, context: Context[Any, Any] | None
    ) -> GetPromptResult | InputRequiredResult:
        known = [prompt.name for prompt in await self.list_prompts()]
        if name not in known:
            metrics.refused("unknown_name")
            raise MCPError(INVALID_PARAMS, refusals.no_such_prompt(name, known))
        return await super().get_prompt(name, arguments, context)


def _not_found(uri: AnyUrl | str, text: str, context: Context[Any, Any] | None) -> MCPError:
    """The error for a URI that names nothing. The newest protocol version has it among the invalid parameters."""
    version = context.request_context.protocol_version if context else LATEST_MODERN_VERSION
    code = RESOURCE_NOT_FOUND if version in HANDSHAKE_PROTOCOL_VERSIONS else INVALID_PARAMS
    return MCPError(code, text, data={"uri": str(uri)})


def _words(spec: ResourceSpec) -> dict[str, Any]:
    """What is said of a resource, or of a template of them."""
    said = {"title": str(spec.title), "description": str(spec.description)}
    return {"name": spec.name, "mime_type": spec.mime_type, **said}


def _listed(spec: PromptSpec) -> Prompt:
    arguments = [
        PromptArgument(name=name, description=str(argument.description), required=name in spec.parameters.required)
        for name, argument in spec.arguments.items()
    ]
    return Prompt(name=spec.name, title=str(spec.title), description=str(spec.description), arguments=arguments)


def _checked(spec: PromptSpec, arguments: dict[str, str]) -> dict[str, str]:
    """The arguments that say something. One that there is not is refused, where the prompt has any."""
    found = {name: text for name, text in arguments.items() if name not in spec.arguments or not given.is_blank(text)}
    if not spec.arguments:
        return {}
    if refusal := refusals.unknown(spec.name, found, spec.arguments):
        raise MCPError(INVALID_PARAMS, refusal)
    if missing := [name for name in spec.arguments if name in spec.parameters.required and name not in found]:
        words = _("{name} needs {names}. Get it again with a value for each.")
        raise MCPError(INVALID_PARAMS, words.format(name=spec.name, names=", ".join(missing)))
    for name, text in found.items():
        if len(text) > MAX_ARGUMENT_LENGTH or not is_storable(text):
            words = _("{name} is a text of at most {length} characters, none of them NUL or half a character.")
            raise MCPError(INVALID_PARAMS, words.format(name=name, length=MAX_ARGUMENT_LENGTH))
    return found


def _fitted(texts: list[str]) -> Iterator[str]:
    try:
        return iter(sizes.fitted_texts(texts))
    except ToolError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error


def _fitted_contents(contents: list[Content]) -> list[ReadResourceContents]:
    texts = _fitted([each.data for each in contents if isinstance(each.data, str)])
    return [
        ReadResourceContents(content=next(texts) if isinstance(each.data, str) else each.data, mime_type=each.mime_type)
        for each in contents
    ]


def _fitted_messages(written: list[PromptMessage]) -> list[PromptMessage]:
    texts = _fitted([text for each in written if (text := messages.text_of(each)) is not None])
    return [each if messages.text_of(each) is None else messages.shortened(each, next(texts)) for each in written]
