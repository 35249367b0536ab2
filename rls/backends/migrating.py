"""Which connection a migration runs on, so that what goes to another one by the router is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_alias: ContextVar[str | None] = ContextVar("rls_migrating", default=None)


@contextmanager
def on(alias: str) -> Iterator[None]:
    """While the block runs, the connection `alias` migrates."""
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def hint(alias: str) -> str | None:
    """What to say to a statement of a migration that went to the connection `alias`; None where that is the right one.

    The router sends it there, where nothing is seen that the migration has not committed yet.
    """
    migrating = _alias.get()
    if migrating is None or migrating == alias:
        return None
    return (
        f'A migration runs on the connection "{migrating}", and this statement went to "{alias}": in RunPython say '
        f"Model.objects.using(schema_editor.connection.alias), in a receiver of post_migrate .using(using), with "
        f'call_command() database="{migrating}".'
    )
