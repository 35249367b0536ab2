"""The clients that `make test-clients` installs into .local/clients, and how each is given a story to tell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients import inspector
from tests.support.node import LOCAL, node

PROGRAMS = Path(__file__).parent / "programs"
INSTALLED = LOCAL / "clients"
ENVIRONMENTS = ("sdk-1", "sdk-2", "node")
# Seconds, for a machine that others use too.
TIMEOUT = 500
LAST_WORDS = 3_000

Story = dict[str, Any]
Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """A client, and how it tells a story, for which it has a directory of its own."""

    name: str
    tell: Callable[[Story, Path], Report]


def are_installed() -> bool:
    """Whether they can be run here."""
    return node() is not None and all((INSTALLED / each / "installed").exists() for each in ENVIRONMENTS)


def python(installed: str, program: str, **facts: Any) -> Callable[[Story, Path], Report]:
    """A client of Python, from one of the environments."""

    def tell(story: Story, place: Path) -> Report:
        path = place / "story.json"
        path.write_text(json.dumps(story | facts))
        return _run([str(INSTALLED / installed / "bin/python"), str(PROGRAMS / program), str(path)], {})

    return tell


def javascript(program: str, **facts: Any) -> Callable[[Story, Path], Report]:
    """A client of Node. Its program stands where it finds the packages."""

    def tell(story: Story, place: Path) -> Report:
        for name in ("told.mjs", program):
            shutil.copy(PROGRAMS / name, INSTALLED / "node")
        path = place / "story.json"
        path.write_text(json.dumps(story | facts))
        return _run([str(node()), str(INSTALLED / "node" / program)], {"STORY": str(path)})

    return tell


def over_mcp_remote(story: Story, place: Path) -> Report:
    """A client that knows stdio alone, with mcp-remote between it and the server."""
    proxy = INSTALLED / "node/node_modules/mcp-remote/dist/proxy.js"
    options = ["--allow-http", "--transport", "http-only", "--header", f"Authorization: Bearer {story['token']}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "MCP_REMOTE_CONFIG_DIR": str(place)}
    command = [str(node()), str(proxy), "{url}", *options]
    return python("sdk-2", "sdk_2.py", era="legacy", command=command, environment=environment)(story, place)


def by_inspector(story: Story, place: Path) -> Report:
    """The command line of the Inspector, started anew for each step."""
    program = INSTALLED / "node/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    return inspector.tell([str(node()), str(program)], story, place)


def _run(command: list[str], more: dict[str, str]) -> Report:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | more
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr[-LAST_WORDS:] + done.stdout[-LAST_WORDS:]
    report: Report = json.loads(done.stdout.splitlines()[-1])
    return report


CLIENTS = [
    Client("Python SDK 2, 2026-07-28", python("sdk-2", "sdk_2.py", era="2026-07-28")),
    Client("Python SDK 2, older", python("sdk-2", "sdk_2.py", era="legacy")),
    Client("Python SDK 1", python("sdk-1", "sdk_1.py")),
    Client("FastMCP", python("sdk-2", "fast.py")),
    Client("openai-agents", python("sdk-2", "agents_.py")),
    Client("langchain-mcp-adapters", python("sdk-1", "langchain_.py")),
    Client("TypeScript SDK 1", javascript("sdk-1.mjs")),
    Client("TypeScript client 2, 2026-07-28", javascript("client-2.mjs", era="2026-07-28")),
    Client("TypeScript client 2, older", javascript("client-2.mjs", era="legacy")),
    Client("mcp-remote", over_mcp_remote),
    Client("Inspector", by_inspector),
]
