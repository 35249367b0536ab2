"""Stops the database work of a thread when nobody waits for its result any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_called_off: ContextVar[Callable[[], bool] | None] = ContextVar("rls_is_called_off", default=None)


class CalledOff(BaseException):
    """The work was called off. It is no Exception, so that `except Exception` does not let the work go on."""


@contextmanager
def called_off_when(question: Callable[[], bool]) -> Iterator[None]:
    """Within the block, a statement that waits asks `question` every tenth of a second, and is cancelled on True.

    The first statement that learns of it raises CalledOff. Later ones run, because a rollback consists of them.
    `question` is called in the thread that works, and must not block.
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
    """Raise CalledOff before a statement is sent. The end of a transaction uses no cursor, so it never comes here."""
    if question_here()():
        raise CalledOff


def question_here() -> Callable[[], bool]:
    """The question of the innermost block; outside of any block one that always says False."""
    return _is_called_off.get() or _never


def _never() -> bool:
    return False
