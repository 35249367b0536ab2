"""Serving connections survive a database that restarts or stops answering."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import connections
from django.db.backends.postgresql import base as stock
from psycopg import Connection as PsycopgConnection

from rls.backends.postgresql.connection import Connection
from rls.backends.postgresql.pulse import Pulse

# Seconds to wait for a connection of the pool while the database does not answer: the caller has waited already.
POOL_TIMEOUT_IN_SILENCE = 4


def keep_pulses() -> None:
    """Keep one connection per pooled alias for its pulse. A serving process calls it once. See Note [Silence]."""
    for wrapper in connections.all():
        if isinstance(wrapper, LastingWrapper) and wrapper.pool:
            wrapper.pulse.keep()


class LastingWrapper(stock.DatabaseWrapper):
    """A wrapper whose pooled connections ask the database's pulse; where one has ended, the pool replaces them all."""

    _pulses: ClassVar[dict[str, Pulse]] = {}

    @property
    def pool(self) -> Any:
        """Django's pool, made of connections of our class, where the settings ask for a pool; else None."""
        options = self.settings_dict["OPTIONS"]
        if options.get("pool") is True:
            options["pool"] = {"connection_class": Connection}
        elif options.get("pool"):
            options["pool"].setdefault("connection_class", Connection)
        return super().pool

    @property
    def pulse(self) -> Pulse:
        """The pulse of this alias: one per process, shared by the wrappers of all threads."""
        return self._pulses.setdefault(self.alias, Pulse(self.get_connection_params))

    def get_new_connection(self, conn_params: dict[str, Any]) -> PsycopgConnection[Any]:
        if pool := self.pool:
            usual = self.settings_dict["OPTIONS"]["pool"].get("timeout", 30)
            pool.timeout = min(usual, POOL_TIMEOUT_IN_SILENCE) if self.pulse.was_missed() else usual
        connection: PsycopgConnection[Any] = super().get_new_connection(conn_params)
        # A restarted server has closed every pooled connection; each of them would fail one caller.
        while pool and isinstance(connection, Connection) and connection.has_ended():
            pool.putconn(connection)
            pool.drain()
            connection = super().get_new_connection(conn_params)
        if isinstance(connection, Connection):
            connection.pulse = self.pulse
            connection.pulse.renew()
        return connection

    def close_pool(self) -> None:
        super().close_pool()
        if (pulse := self._pulses.pop(self.alias, None)) is not None:
            pulse.end()

    def _close(self) -> None:
        has_ended = self.connection is not None and self.connection.closed
        super()._close()  # type: ignore[misc]  # missing in the stubs
        if has_ended and self.pool:
            # A connection that has ended means a restarted server: the others in the pool would fail the next callers.
            self.pool.drain()
