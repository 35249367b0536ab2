"""Runs the official conformance suite, which `make conformance` installs into .local/conformance."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.node import LOCAL, node

HERE = Path(__file__).parent
SUITE = LOCAL / "conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js"
AUTHORIZED = HERE / "authorized.mjs"
VERSIONS = ("2025-06-18", "2025-11-25", "2026-07-28")
# What counts: the other statuses say that a check was not applicable, or tell what was sent.
PASSED, FAILED = "SUCCESS", ("FAILURE", "WARNING")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a scenario, as the suite found it."""

    scenario: str
    id: str
    status: str
    error: str

    @property
    def name(self) -> str:
        """The scenario and the check."""
        return f"{self.scenario} {self.id}"


def is_installed() -> bool:
    """Whether the suite can be run here."""
    return node() is not None and SUITE.exists()


def run(url: str, token: str, version: str, results: Path) -> list[Check]:
    """Every check of the suite that applies to a version of the protocol."""
    program = node()
    assert program is not None, "the suite is not there: run `make conformance`"
    command = [program, "--import", AUTHORIZED, SUITE, "server", "--url", url, "--suite", "all"]
    subprocess.run(
        [*command, "--spec-version", version, "-o", results],
        env=os.environ | {"MCP_TOKEN": token},
        capture_output=True,
        check=False,  # it fails where a check does
        timeout=500,
    )
    return [check for check in _read(results) if check.status in (PASSED, *FAILED)]


def _read(results: Path) -> Iterator[Check]:
    for path in sorted(results.glob("**/checks.json")):
        scenario = path.parent.name.removeprefix("server-")[: -len("-2026-11-28T00-00-00-000Z")]
        for check in json.loads(path.read_text()):
            yield Check(scenario, check["id"], check["status"], str(check.get("errorMessage") or ""))
