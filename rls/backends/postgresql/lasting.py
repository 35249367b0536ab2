"""What a wrapper of a serving connection does about a database that restarts, or that falls silent."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import connections
from django.db.backends.postgresql import base as stock
from psycopg import Connection as PsycopgConnection

from rls.backends.postgresql.connection import Connection
from rls.backends.postgresql.pulse import Pulse

# Seconds for a new connection, where the caller has waited for one that fell silent.
HASTE = 4


def keep_pulses() -> None:
    """For a process that serves: from now on a connection is kept for each pulse. See Note [Silence]."""
    for wrapper in connections.all():
        if isinstance(wrapper, LastingWrapper) and wrapper.pool:
            wrapper.pulse.keep()


class LastingWrapper(stock.DatabaseWrapper):
    """Where there is a pool, its connections feel the database's pulse, and one that has ended takes the rest along."""

    _pulses: ClassVar[dict[str, Pulse]] = {}

    @property
    def pool(self) -> Any:
        """Django's pool, of connections of ours, whenever the settings came to ask for one."""
        options = self.settings_dict["OPTIONS"]
        if options.get("pool") is True:
            options["pool"] = {"connection_class": Connection}
        elif options.get("pool"):
            options["pool"].setdefault("connection_class", Connection)
        return super().pool

    @property
    def pulse(self) -> Pulse:
        """The pulse of this database, as this connection's role."""
        return self._pulses.setdefault(self.alias, Pulse(self.get_connection_params))

    def get_new_connection(self, conn_params: dict[str, Any]) -> PsycopgConnection[Any]:
        if self.pool:
            usual = self.settings_dict["OPTIONS"]["pool"].get("timeout", 30)
            self.pool.timeout = min(usual, HASTE) if self.pulse.was_missed() else usual
        connection: PsycopgConnection[Any] = super().get_new_connection(conn_params)
        while self.pool and isinstance(connection, Connection) and connection.has_ended():
            self.pool.putconn(connection)
            self.pool.drain()
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
            # One that has ended means a restarted server: its neighbours would fail the next callers.
            self.pool.drain()
