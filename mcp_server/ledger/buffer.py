"""Records of calls on their way into the database: one thread of the process writes them, many at a time.

No call waits for it. A record is written a second later at most, or as soon as there are BATCH_SIZE of them; a process
that is killed loses no more than that. While the database does not answer, MAX_WAITING of them are kept, and the oldest
of more are lost, which the log says.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import secrets
import threading
from collections import deque
from contextvars import Context
from datetime import datetime
from itertools import islice
from operator import itemgetter
from uuid import UUID

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connections, router

from mcp_server import metrics
from rls.backends import lost
from rls.context import checked_tenant_context

logger = logging.getLogger(__name__)

# Seconds that a record waits, and how many are written before.
MAX_DELAY = 1.0
BATCH_SIZE = 200
# How many wait for a database that does not answer.
MAX_WAITING = 10_000
THREAD_NAME = "mcp-trail"

# An id that is there already is a record whose writing was answered by nobody.
INSERT = """
    INSERT INTO mcp_ledger_callrecord (
        id, created_at, kind, action, arguments, outcome, duration_ms, rows,
        actor, actor_id, request_id, client, address
    )
    SELECT
        id, created_at, kind, action, arguments, outcome, duration_ms, rows,
        actor, actor_id, request_id, client, address
    FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS given (
        id uuid, created_at timestamptz, kind text, action text, arguments jsonb, outcome text,
        duration_ms double precision, rows integer,
        actor text, actor_id text, request_id text, client text, address text
    )
    ON CONFLICT DO NOTHING
"""

# A tenant, and a record of it as JSON.
Waiting = tuple[UUID, str]


class Buffer:
    """The records of one process that are not written yet."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """After a fork: a child has none of our threads, and what waits is its parent's to write."""
        self._waiting: deque[Waiting] = deque()
        self._lost = 0
        self._writing = threading.Lock()
        # A put of this queue and an append are what a call pays: both are C.
        self._begin: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_full = threading.Event()
        self._is_told = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, tenant_id: UUID, record: str) -> None:
        """Take a record, which is a JSON object."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append((tenant_id, record))
        if len(self._waiting) == BATCH_SIZE:
            self._is_full.set()
        if not self._is_told:
            self._is_told = True
            self._begin.put(None)
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Write what waits, now; what can't be written because the database does not answer goes on waiting."""
        # Whoever calls us may be in a tenant's context, and the records are of several tenants.
        Context().run(self._flush)

    def discard(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def end(self) -> None:
        """Write what waits, and say what is lost: the process ends."""
        if self._waiting:
            self.flush()
            self._lost += len(self._waiting)
            self._say_lost()

    def _start(self) -> None:
        with self._writing:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._begin.get()
            self._is_full.wait(MAX_DELAY)
            self._is_full.clear()
            self._is_told = False
            self._flush()
            if self._waiting and not self._is_told:
                self._is_told = True
                self._begin.put(None)

    def _flush(self) -> None:
        with self._writing:
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            waiting.sort(key=itemgetter(0))  # stable: of each tenant in the order of time
            try:
                while waiting:
                    tenant_id = waiting[0][0]
                    batch = [record for each, record in islice(waiting, BATCH_SIZE) if each == tenant_id]
                    self._write(tenant_id, batch)
                    del waiting[: len(batch)]
            except Exception as error:
                # What a standby refuses, the next primary takes.
                if isinstance(error, OperationalError | InterfaceError) or lost.is_read_only(error):
                    self._put_back(waiting)
                    return
                # The thread lives as long as the process, whatever is wrong with the database.
                self._lost += len(waiting)
                logger.exception("records of calls can't be written")
            finally:
                connections.close_all()
            self._say_lost()

    def _write(self, tenant_id: UUID, batch: list[str]) -> None:
        """Write records of one tenant. One that no column holds takes no other with it."""
        try:
            _insert(tenant_id, batch)
        except IntegrityError:
            logger.info("calls of a tenant that is gone are not recorded", extra={"records": len(batch)})
        except DataError:
            if len(batch) == 1:
                self._lost += 1
                return
            middle = len(batch) // 2
            self._write(tenant_id, batch[:middle])
            self._write(tenant_id, batch[middle:])

    def _put_back(self, waiting: list[Waiting]) -> None:
        self._waiting.extendleft(reversed(waiting))
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1

    def _say_lost(self) -> None:
        if self._lost:
            metrics.lost_records(self._lost)
            logger.error("records of calls were lost", extra={"lost": self._lost})
            self._lost = 0


def new_id(at: datetime) -> str:
    """A UUID version 7 (RFC 9562 5.7), as PostgreSQL reads one."""
    noise = secrets.randbits(74)
    number = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | noise >> 62 << 64 | 0x2 << 62 | noise & (1 << 62) - 1
    return f"{number:032x}"


def _insert(tenant_id: UUID, batch: list[str]) -> None:
    # Here, because a project whose tools only read has the call pipeline and not this app.
    from mcp_server.ledger.models import CallRecord

    with checked_tenant_context(tenant_id), connections[router.db_for_write(CallRecord)].cursor() as cursor:
        cursor.execute(INSERT, [f"[{','.join(batch)}]"])


BUFFER = Buffer()


def flush() -> None:
    """Write what this process has not written yet."""
    BUFFER.flush()


atexit.register(BUFFER.end)
os.register_at_fork(after_in_child=BUFFER.begin_anew)
