"""A psycopg connection that, while it waits, notices that its caller has gone or that the database is silent."""

from __future__ import annotations

import select
from collections.abc import Generator
from time import monotonic
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg import OperationalError
from psycopg.errors import QueryCanceled

from rls.backends.interruption import CalledOff, question_here

T = TypeVar("T")

# Seconds: after which the pulse is felt, and for which a statement that was called off may take to end.
SUSPICION = 1
LENIENCY = 3


class Beating(Protocol):
    """Who knows whether the database lives."""

    def beats(self) -> bool: ...


class Silent(OperationalError):
    """The database does not answer, and the connection was given up."""


class Connection(psycopg.Connection[Any]):
    """A connection whose statements can be called off (`rls.backends.interruption`); it never waits for a dead peer."""

    pulse: Beating | None = None
    # Seconds, for whoever would rather not wait than feel a pulse.
    patience: float | None = None

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        # psycopg looks up every tenth of a second (its _WAIT_INTERVAL), so that Ctrl-C is heard.
        return super().wait(self._attended(gen), *args, **options)

    def has_ended(self) -> bool:
        """Whether the server has closed it while nobody looked. Nothing is sent."""
        try:
            while not self.closed and self._has_news():  # its last words, and then the end
                self.pgconn.consume_input()
        except OperationalError:
            return True
        return self.closed

    def _attended(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """The generator of a statement (see psycopg.generators): what it is sent is nothing where nothing has come."""
        is_called_off = question_here()
        began = monotonic()
        ends: float | None = None
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready:
                    if ends is None and is_called_off():
                        ends = monotonic() + LENIENCY
                        self._cancel()
                    self._lose_patience(monotonic() - began, ends)
                state = gen.send(ready)
        except StopIteration as end:
            if ends is not None:  # it came to its end all the same
                raise CalledOff from None
            answer: T = end.value
            return answer
        except QueryCanceled:
            if ends is None:
                raise
            raise CalledOff from None

    def _cancel(self) -> None:
        try:
            self.cancel_safe(timeout=LENIENCY)
        except psycopg.Error:
            self.pgconn.finish()
            raise CalledOff from None

    def _lose_patience(self, waited: float, ends: float | None) -> None:
        if ends is not None and monotonic() > ends:
            self.pgconn.finish()
            raise CalledOff
        is_late = self.patience is not None and waited > self.patience
        if is_late or (waited > SUSPICION and self.pulse is not None and not self.pulse.beats()):
            self.pgconn.finish()
            raise Silent("the database does not answer")

    def _has_news(self) -> bool:
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
