"""The command line of the Inspector."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

TIMEOUT = 120  # seconds


class Inspector:
    """Runs one method at one URL."""

    def __init__(self, program: list[str], token: str, place: Path) -> None:
        self._program = program
        self._options = ["--transport", "http", "--header", f"Authorization: Bearer {token}"]
        self._environment = os.environ | {"HOME": str(place), "MCP_CATALOG_PATH": str(place / "catalog.json")}

    def start(self, url: str, method: str, *options: str) -> subprocess.CompletedProcess[str]:
        """What it prints."""
        command = [*self._program, "--cli", url, *self._options, "--method", method, *options]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )

    def ask(self, url: str, method: str, *options: str) -> dict[str, Any]:
        """The result of a method; with `--strict`, of a list whose schemas every client takes."""
        done = self.start(url, method, *options)
        assert done.stdout.strip(), f"{method}: {done.stderr[-2000:]}"
        assert done.returncode == 0 or "--strict" not in options, done.stderr[-2000:]
        result: dict[str, Any] = json.loads(done.stdout)
        return result


def tell(program: list[str], story: dict[str, Any], place: Path) -> dict[str, Any]:
    """Do what the story says; what came of it."""
    inspector, url = Inspector(program, story["token"], place), story["url"]
    report: dict[str, Any] = {"calls": [], "resources": {}, "prompts": {}}
    report["tools"] = [tool["name"] for tool in inspector.ask(url, "tools/list", "--strict")["tools"]]
    confirmation = None
    for name, arguments in story["calls"]:
        given = arguments | ({"confirmation": confirmation} if "confirmation" in arguments else {})
        pairs = [part for key, value in given.items() for part in ("--tool-arg", f"{key}={_said(value)}")]
        result = inspector.ask(url, "tools/call", "--tool-name", name, *pairs)
        structured = result.get("structuredContent")
        confirmation = structured.get("confirmation") if isinstance(structured, dict) else None
        report["calls"].append([name, result.get("isError", False), result["content"][0]["text"], structured])
    for uri in story["resources"]:
        report["resources"][uri] = inspector.ask(url, "resources/read", "--uri", uri)["contents"][0]["text"]
    for name, arguments in story["prompts"]:
        pairs = [part for key, value in arguments.items() for part in ("--prompt-args", f"{key}={value}")]
        result = inspector.ask(url, "prompts/get", "--prompt-name", name, *pairs)
        report["prompts"][name] = result["messages"][0]["content"]["text"]
    refused = inspector.start(story["other_url"], "tools/list")
    report["refused"] = refused.stderr if refused.returncode else ""
    return report


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
