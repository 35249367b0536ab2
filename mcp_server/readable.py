"""The part of a tenant's server that is read: resources and prompts, as the registries have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    PromptArgument,
    Resource,
    ResourceTemplate,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION
from pydantic import AnyUrl

from core.principals import Principal
from mcp_server import prompt_registry, resource_registry
from mcp_server.arguments import LONGEST, Offered
from mcp_server.claims import Claims
from mcp_server.prompt_registry import PromptSpec
from mcp_server.reading import NotThere, read

# Until 2025-11-25 (MCP specification, "Resources", error handling); the SDK has no name for it any more.
RESOURCE_NOT_FOUND = -32002


class ReadableServer(MCPServer[Any]):
    """An MCPServer that offers what is declared with `@resource` and `@prompt`, before what was added to it by hand.

    Titles and descriptions are in the language of the request.
    """

    async def claims(self, principal: Principal) -> Claims:
        """What is there for the principal beside tools; what was added by hand needs no scope."""
        resources = [spec for spec in resource_registry.resources() if spec.scope in principal.scopes]
        prompts = [spec for spec in prompt_registry.prompts().values() if spec.scope in principal.scopes]
        offered: list[Offered] = [*resources, *prompts]
        added = await super().list_resources() or await super().list_resource_templates()
        return Claims(
            resources=bool(resources or added),
            watching=any(spec.rows is not None for spec in resources),
            prompts=bool(prompts or await super().list_prompts()),
            completions=any(argument.complete for each in offered for argument in each.arguments.values()),
        )

    async def list_resources(self) -> list[Resource]:
        declared = [
            Resource(
                uri=str(spec.uri),
                name=spec.name,
                title=str(spec.title),
                description=str(spec.description),
                mime_type=spec.mime_type,
            )
            for spec in resource_registry.resources()
            if not spec.arguments
        ]
        return [*declared, *await super().list_resources()]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        declared = [
            ResourceTemplate(
                uri_template=str(spec.uri),
                name=spec.name,
                title=str(spec.title),
                description=str(spec.description),
                mime_type=spec.mime_type,
            )
            for spec in resource_registry.resources()
            if spec.arguments
        ]
        return [*declared, *await super().list_resource_templates()]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        found = resource_registry.find(str(uri))
        if found is None:
            return await self._added_resource(uri, context)
        spec, arguments = found
        try:
            contents = await read(spec, spec.function, **arguments)
        except NotThere as error:
            raise _not_found(uri, error.message, context) from error
        except MCPError as error:
            raise MCPError(error.code, error.message, data={"uri": str(uri)}) from error
        return [ReadResourceContents(content=each.data, mime_type=each.mime_type) for each in contents]

    async def _added_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        try:
            return await super().read_resource(uri, context)
        except ResourceNotFoundError as error:
            text = _("There is no resource {uri}. List the resources and their templates for what there is.")
            raise _not_found(uri, text.format(uri=uri), context) from error

    async def list_prompts(self) -> list[Prompt]:
        declared = [_listed(spec) for spec in prompt_registry.prompts().values()]
        return [*declared, *await super().list_prompts()]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        spec = prompt_registry.prompts().get(name)
        if spec is None:
            return await self._added_prompt(name, arguments, context)
        given = arguments or {}
        _check(spec, given)
        messages = await read(spec, spec.function, **given)
        return GetPromptResult(description=str(spec.description), messages=messages)

    async def _added_prompt(
        self, name: str, arguments: dict[str, Any] | None, context: Context[Any, Any] | None
    ) -> GetPromptResult | InputRequiredResult:
        known = [prompt.name for prompt in await self.list_prompts()]
        if name not in known:
            raise MCPError(INVALID_PARAMS, f"There is no prompt {name}. Get one of: {', '.join(known)}.")
        return await super().get_prompt(name, arguments, context)


def _not_found(uri: AnyUrl | str, text: str, context: Context[Any, Any] | None) -> MCPError:
    """The error for a URI that names nothing. The newest protocol version has it among the invalid parameters."""
    version = context.request_context.protocol_version if context else LATEST_MODERN_VERSION
    code = RESOURCE_NOT_FOUND if version in HANDSHAKE_PROTOCOL_VERSIONS else INVALID_PARAMS
    return MCPError(code, text, data={"uri": str(uri)})


def _listed(spec: PromptSpec) -> Prompt:
    arguments = [
        PromptArgument(name=name, description=str(argument.description), required=False)
        for name, argument in spec.arguments.items()
    ]
    return Prompt(name=spec.name, title=str(spec.title), description=str(spec.description), arguments=arguments)


def _check(spec: PromptSpec, given: dict[str, str]) -> None:
    unknown = sorted(given.keys() - spec.arguments.keys())
    if unknown:
        takes = f"It takes: {', '.join(spec.arguments)}." if spec.arguments else "It takes no arguments."
        raise MCPError(INVALID_PARAMS, f"{spec.name} does not take {', '.join(map(repr, unknown))}. {takes}")
    for name, text in given.items():
        if len(text) > LONGEST or "\0" in text:
            raise MCPError(INVALID_PARAMS, f"{name} is a text of at most {LONGEST} characters, none of them NUL.")
