"""What an assistant may not decide alone: a service asks, and whoever stands between it and a person answers."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

# Outside of an assistant's call whoever calls is the person.
asker: ContextVar[Callable[[str], None] | None] = ContextVar("approval_asker", default=None)


def ask(question: str) -> None:
    """Return where a person has agreed to this very question; the asker raises otherwise.

    The question is a whole sentence in the caller's language, with the figures that matter: what will happen, and how
    much of it. Ask before the first write.
    """
    answer = asker.get()
    if answer is not None:
        answer(question)
