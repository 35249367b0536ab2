"""Remembers on which connection a migration runs, to explain why a statement that went elsewhere failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_alias: ContextVar[str | None] = ContextVar("rls_migrating", default=None)


@contextmanager
def on(alias: str) -> Iterator[None]:
    """Within the block, `alias` is the connection that migrates."""
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def hint(alias: str) -> str | None:
    """What to tell a migration whose statement failed on `alias`; None where `alias` is the one that migrates.

    The router sends Model.objects to the serving connection, which sees nothing that the migration has not committed.
    """
    migrating = _alias.get()
    if migrating is None or migrating == alias:
        return None
    return (
        f'A migration runs on the connection "{migrating}", and this statement went to "{alias}": in RunPython say '
        f"Model.objects.using(schema_editor.connection.alias), in a receiver of post_migrate .using(using), with "
        f'call_command() database="{migrating}".'
    )
