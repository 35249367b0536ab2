"""What the clients of Python have in common: a story that is read, a report that is printed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol


class Client(Protocol):
    """A client at one URL. An answer is (is it an error, its text, its structured content)."""

    async def tools(self) -> list[str]: ...
    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str, Any]: ...
    async def read(self, uri: str) -> str: ...
    async def prompt(self, name: str, arguments: dict[str, str]) -> str: ...


# What `use` does with a client that `connect` connects to a URL.
Use = Callable[[Client], Awaitable[None]]
Connect = Callable[[str, Use], Awaitable[None]]


def run(connect: Callable[[dict[str, Any]], Connect]) -> None:
    """Do what the story says that the first argument names, and print what came of it."""
    story = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps(asyncio.run(_told(story, connect(story)))))  # noqa: T201


async def _told(story: dict[str, Any], connect: Connect) -> dict[str, Any]:
    report: dict[str, Any] = {"calls": [], "resources": {}, "prompts": {}}

    async def use(client: Client) -> None:
        report["tools"] = await client.tools()
        confirmation = None
        for name, arguments in story["calls"]:
            given = {key: confirmation if key == "confirmation" else value for key, value in arguments.items()}
            is_error, text, structured = await client.call(name, given)
            confirmation = structured.get("confirmation") if isinstance(structured, dict) else None
            report["calls"].append([name, is_error, text, structured])
        for uri in story["resources"]:
            report["resources"][uri] = await client.read(uri)
        for name, arguments in story["prompts"]:
            report["prompts"][name] = await client.prompt(name, arguments)

    async def intrude(client: Client) -> None:
        await client.tools()

    await connect(story["url"], use)
    try:
        await connect(story["other_url"], intrude)
    except BaseException as error:  # whatever the client makes of 401
        report["refused"] = type(error).__name__
    return report
