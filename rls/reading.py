"""Blocks in which nothing can be written: PostgreSQL refuses it, whatever runs in them.

# Note [Read only]
The backend sends `SET LOCAL transaction_read_only=on` with each statement of such a block, as it sends the tenant: it
costs no message, and no transaction is held open. What is injected can't undo it. PostgreSQL lets a transaction write
again only before its first query or at the end of a savepoint (SET TRANSACTION, "Notes"), and the next statement
brings the setting along before it is planned.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from django.db import connections, transaction

from rls import blocks

_is_read_only: ContextVar[bool] = ContextVar("rls_is_read_only", default=False)


def is_read_only() -> bool:
    """Whether the statements of this task or thread can't write."""
    return _is_read_only.get()


@contextmanager
def read_only() -> Iterator[None]:
    """Within the block no statement can write, in whatever context or transaction: Note [Read only].

    That goes for the serving roles and for the owner, by whose backends it is sent, and for no other backend.

    It follows `await`, `sync_to_async` and callbacks of `on_commit`, as a tenant context does. A transaction that is
    open already can write again after the block.

    Raises WriteRefused: from the statement that writes. IsolationError: on entering, in a generator.
    """
    blocks.refuse_generator(sys._getframe(1))
    with ExitStack() as savepoints:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block:
                # PostgreSQL gives a transaction back at the end of a savepoint what it could do before it.
                savepoints.enter_context(transaction.atomic(using=connection.alias))
        token = _is_read_only.set(True)
        try:
            yield
        finally:
            _is_read_only.reset(token)
