"""What a difference is, and where the differences and the list of them part."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"

# The kinds of entries in differences.toml. What is unsteady may pass as well.
BY_DESIGN, LIMIT, UNSTEADY = "by_design", "limit", "unsteady"


@dataclass(frozen=True, slots=True)
class Entry:
    """A test that may differ, and why."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The differences that nobody has explained, and the entries that no difference stands for."""

    unexplained: list[str]
    stale: list[str]

    @property
    def is_good(self) -> bool:
        """Whether the differences are those of the list."""
        return not self.unexplained and not self.stale


def read_entries(file: Path, *, django: str) -> dict[str, Entry]:
    """The list for this version of Django, by test.

    Raises ValueError where a test is listed twice.
    """
    entries: dict[str, Entry] = {}
    for kind, groups in tomllib.loads(file.read_text()).items():
        for group in groups:
            if not django.startswith(group.get("django", "")):
                continue
            for name in group["tests"]:
                if name in entries:
                    raise ValueError(f"{name} is listed twice: leave it where its reason is the true one")
                entries[name] = Entry(kind, group["reason"])
    return entries


def differences(ours: Mapping[str, str], stock: Mapping[str, str]) -> set[str]:
    """The tests that pass on Django's backend and do not on ours; a class or module, where it failed as a whole."""
    return {name for name, outcome in ours.items() if outcome != PASSED and _passes(name, stock)}


def judge(found: Collection[str], entries: Mapping[str, Entry], labels: Collection[str]) -> Verdict:
    """Hold the differences of a run of these labels against the list."""
    listed = [name for name in entries if is_within(name, labels)]
    return Verdict(
        unexplained=sorted(set(found) - set(entries)),
        stale=sorted(name for name in listed if name not in found and entries[name].kind != UNSTEADY),
    )


def is_within(name: str, labels: Collection[str]) -> bool:
    """Whether a test belongs to one of these modules, classes or tests."""
    return any(name == label or name.startswith(f"{label}.") for label in labels)


def _passes(name: str, outcomes: Mapping[str, str]) -> bool:
    if name in outcomes:
        return outcomes[name] == PASSED
    within = {outcome for each, outcome in outcomes.items() if is_within(each, [name])}
    return PASSED in within and FAILED not in within
