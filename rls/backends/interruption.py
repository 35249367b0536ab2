"""Calling off what a thread does for somebody who no longer waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_called_off: ContextVar[Callable[[], bool] | None] = ContextVar("rls_is_called_off", default=None)


class CalledOff(BaseException):
    """The work was called off. No Exception: what catches those must not go on."""


@contextmanager
def called_off_when(question: Callable[[], bool]) -> Iterator[None]:
    """Within the block, a statement that waits asks `question` every tenth of a second, and ends where it says True.

    The first statement that notices raises CalledOff. Those after it run: they are what rolls back.
    """
    is_told = False

    def ask() -> bool:
        nonlocal is_told
        is_told, was_told = is_told or question(), is_told
        return is_told and not was_told

    token = _is_called_off.set(ask)
    try:
        yield
    finally:
        _is_called_off.reset(token)


def refuse_called_off() -> None:
    """Before a statement is sent. What ends a transaction goes out all the same: it is asked of no cursor."""
    if question_here()():
        raise CalledOff


def question_here() -> Callable[[], bool]:
    """What a statement asks while it waits."""
    return _is_called_off.get() or _never


def _never() -> bool:
    return False
