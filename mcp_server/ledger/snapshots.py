"""What the tools of a tenant have changed since a moment, as PostgreSQL counts moments.

# Note [What a snapshot has seen]
A snapshot says which transactions had ended when it was taken (PostgreSQL, 9.28.8 "Transaction ID and Snapshot
Information Functions"). Each change writes an audit event in its transaction, with the number of that transaction. So a
change that a snapshot has not seen is an event whose number the snapshot does not hold: whoever reads after the
commit finds it, in whatever order transactions begin and end. It takes no lock and no counter that writers wait for.

It needs the app `mcp_server.ledger` in INSTALLED_APPS; the module can be imported without it.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import connections, router

# An event whose number is not given out yet is from another server, whose dump was restored here: it is an old one.
# `started_at` goes with a snapshot: the numbers of another server, or of one that was restored, are others.
LOOK = """
    SELECT
        pg_catalog.pg_current_snapshot()::text,
        pg_catalog.pg_postmaster_start_time()::text,
        EXISTS (
            SELECT FROM mcp_ledger_auditevent
            WHERE transaction_id >= pg_catalog.pg_snapshot_xmin(%(since)s::pg_catalog.pg_snapshot)::text::bigint
            AND transaction_id < pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint
            AND NOT pg_catalog.pg_visible_in_snapshot(
                transaction_id::text::pg_catalog.xid8, %(since)s::pg_catalog.pg_snapshot
            )
        )
"""


class Moment(NamedTuple):
    """A moment of one run of a PostgreSQL server."""

    snapshot: str
    started_at: str


def now(since: Moment | None) -> tuple[Moment, bool]:
    """This moment, and whether a tool of the tenant whose context is open has changed something since another one.

    What is not known counts as changed. See Note [What a snapshot has seen].
    """
    # Here, because a project whose tools only read has the call pipeline and not this app.
    from mcp_server.ledger.models import AuditEvent

    with connections[router.db_for_write(AuditEvent)].cursor() as cursor:
        cursor.execute(LOOK, {"since": since.snapshot if since else None})
        snapshot, started_at, is_changed = cursor.fetchone()
    return Moment(snapshot, started_at), since is None or is_changed or since.started_at != started_at
