"""A psycopg connection that cancels its statement when the caller has left, and closes when the database is silent."""

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

# Seconds that a statement may wait before the pulse is asked, and seconds that it may take to end once it is cancelled.
PULSE_INTERVAL = 1
CANCEL_TIMEOUT = 3


class Beating(Protocol):
    """What a connection asks whether the database still answers: see `rls.backends.postgresql.pulse.Pulse`."""

    def beats(self) -> bool: ...


class Silent(OperationalError):
    """The database did not answer, so the connection was closed. What it was doing may have been committed or not."""


class Connection(psycopg.Connection[Any]):
    """A connection whose statements can be called off (`rls.backends.interruption`); it never waits for a dead peer."""

    pulse: Beating | None = None
    # Seconds after which a statement is given up without asking the pulse: the pulse's own connection has such a limit.
    timeout: float | None = None

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        # psycopg looks up every tenth of a second (its _WAIT_INTERVAL), so that Ctrl-C is heard.
        return super().wait(self._attended(gen), *args, **options)

    def has_ended(self) -> bool:
        """Whether the server has closed the connection since it was last used. Reads the socket and sends nothing."""
        try:
            while not self.closed and self._has_news():  # a notice may precede the end of the stream
                self.pgconn.consume_input()
        except OperationalError:
            return True
        return self.closed

    def _attended(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """The generator of a statement, with our two questions asked whenever psycopg's wait returns empty-handed.

        psycopg's generators (psycopg.generators) yield what they wait for and are sent the ready state of the socket;
        0, `not ready`, means that a tenth of a second passed and nothing came.
        """
        is_called_off = question_here()
        began = monotonic()
        ends: float | None = None
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready:
                    if ends is None and is_called_off():
                        ends = monotonic() + CANCEL_TIMEOUT
                        self._cancel()
                    self._give_up(monotonic() - began, ends)
                state = gen.send(ready)
        except StopIteration as end:
            if ends is not None:  # it finished before the cancellation reached it; nobody wants the answer
                raise CalledOff from None
            answer: T = end.value
            return answer
        except QueryCanceled:
            if ends is None:  # statement_timeout or an operator cancelled it, not we
                raise
            raise CalledOff from None

    def _cancel(self) -> None:
        try:
            self.cancel_safe(timeout=CANCEL_TIMEOUT)
        except psycopg.Error:
            # A cancel request travels on a connection of its own; where none is to be had, only closing is left.
            self.pgconn.finish()
            raise CalledOff from None

    def _give_up(self, waited: float, ends: float | None) -> None:
        """Close the connection where nothing will come.

        Raises CalledOff `CANCEL_TIMEOUT` seconds after a cancellation, and Silent where the database does not answer.
        """
        if ends is not None and monotonic() > ends:
            self.pgconn.finish()
            raise CalledOff
        is_late = self.timeout is not None and waited > self.timeout
        if is_late or (waited > PULSE_INTERVAL and self.pulse is not None and not self.pulse.beats()):
            self.pgconn.finish()
            raise Silent("the database does not answer")

    def _has_news(self) -> bool:
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
