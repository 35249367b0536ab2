"""Calls that may arrive twice: the answer to the first is kept under the caller's key, for a week.

It needs the app `mcp_server.ledger` in INSTALLED_APPS; the module can be imported without it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.utils import timezone
from django.utils.translation import gettext as _

from mcp_server.errors import Refusal

if TYPE_CHECKING:
    from django.db.models import Manager

    from mcp_server.ledger.models import IdempotencyKey

RETENTION = timedelta(days=7)

# Whoever comes second waits for the first to end. A key that is older than RETENTION is as good as new. What others
# have locked is forgotten another time, so that nobody waits for a key that is not his.
CLAIM = """
    WITH forgotten AS (
        DELETE FROM mcp_ledger_idempotencykey WHERE id IN (
            SELECT id FROM mcp_ledger_idempotencykey
            WHERE created_at < %(expired)s AND key <> %(key)s
            ORDER BY created_at
            LIMIT 100
            FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO mcp_ledger_idempotencykey AS kept (key, action, digest)
    VALUES (%(key)s, %(action)s, %(digest)s)
    ON CONFLICT (tenant_id, key) DO UPDATE
    SET action = excluded.action, digest = excluded.digest, answer = NULL, created_at = excluded.created_at
    WHERE kept.created_at < %(expired)s
    RETURNING key
"""


class KeyReused(Refusal):
    """The key belongs to another call."""


def find(key: str, *, action: str, digest: bytes) -> Any | None:
    """The answer that was kept under this key, or None. Raises KeyReused: another call has the key."""
    row = _keys().filter(key=key).first()
    return _answer(row, action, digest) if row else None


def claim(key: str, *, action: str, digest: bytes) -> Any | None:
    """Take the key for this call until the transaction ends, or return the answer of the call that has it.

    Whoever comes second waits for the first to end. Raises KeyReused.
    """
    facts: dict[str, Any] = {"key": key, "action": action, "digest": digest, "expired": timezone.now() - RETENTION}
    with connections[router.db_for_write(_keys().model)].cursor() as cursor:
        cursor.execute(CLAIM, facts)
        if cursor.fetchone():
            return None
    return _answer(_keys().get(key=key), action, digest)


def keep(key: str, answer: Any) -> None:
    """Keep the answer of the call that has claimed the key."""
    _keys().filter(key=key).update(answer=answer)


def _keys() -> Manager[IdempotencyKey]:
    # Here, because a project whose tools only read has the call pipeline and not this app.
    from mcp_server.ledger.models import IdempotencyKey

    return IdempotencyKey.objects


def _answer(row: IdempotencyKey, action: str, digest: bytes) -> Any:
    if (row.action, bytes(row.digest)) != (action, digest):
        raise KeyReused(
            _(
                "This idempotency_key was used for another call. Use a new one for a new change, "
                "and the same arguments for the same change."
            )
        )
    return row.answer
