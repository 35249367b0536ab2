"""What an assistant may not decide alone: a service asks, and whoever stands between it and a person answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mcp_server import threads

# Takes a question and what it is about; returns to agree, and raises to refuse.
Asker = Callable[[str, str], None]

# Outside of an assistant's call whoever calls is the person.
_asker: ContextVar[Asker | None] = ContextVar("approval_asker", default=None)


def ask(question: str, *, about: object = "") -> None:
    """Return where a person has agreed to this very question; the asker raises otherwise.

    The question is a whole sentence in the caller's language, with the figures that matter: what will happen, and how
    much of it. Ask before the first write: until a person has agreed, what follows is rolled back.

    Args:
        about: the id of what the question names, where a name can be taken by another thing later. A yes is good for
            this one alone.

    Raises LookupError: no context is open, as in a plain thread that a tool has started.
    """
    asker = _asker.get()
    if asker is None:
        # In a plain thread of a tool, this would be taken for a person's yes.
        threads.require_context("ask")
        return
    asker(question, str(about))


@contextmanager
def answered_by(asker: Asker) -> Iterator[None]:
    """Within the block, `asker` is called with each question."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)
