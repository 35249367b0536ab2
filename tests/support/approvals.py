"""A person who is asked, and says yes or no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcp_server import approval


class Declined(Exception):
    """What the person's no raises."""


@contextmanager
def agreeing() -> Iterator[list[str]]:
    """Within the block a person agrees to each question; they are in the list."""
    asked: list[str] = []
    with approval.answered_by(lambda question, about: asked.append(question)):
        yield asked


@contextmanager
def declining() -> Iterator[list[str]]:
    """Within the block a person says no to each question; they are in the list."""
    asked: list[str] = []

    def decline(question: str, about: str) -> None:
        asked.append(question)
        raise Declined

    with approval.answered_by(decline):
        yield asked
