"""What an assistant may not decide alone: a service asks, and whoever stands between it and a person answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Outside of an assistant's call whoever calls is the person.
_asker: ContextVar[Callable[[str], None] | None] = ContextVar("approval_asker", default=None)


def ask(question: str) -> None:
    """Return where a person has agreed to this very question; the asker raises otherwise.

    The question is a whole sentence in the caller's language, with the figures that matter: what will happen, and how
    much of it. Ask before the first write.
    """
    answer = _asker.get()
    if answer is not None:
        answer(question)


@contextmanager
def answered_by(answer: Callable[[str], None]) -> Iterator[None]:
    """Within the block, `answer` is called with each question; it returns to agree, and raises to refuse."""
    token = _asker.set(answer)
    try:
        yield
    finally:
        _asker.reset(token)
