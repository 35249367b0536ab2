"""A connection as one of the database roles, for tests of policies in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections

# What Django's backends add for themselves; the rest says where to connect and as whom.
DJANGO_PARAMETERS = ("context", "cursor_factory", "prepare_threshold")


@contextmanager
def as_role(role: str) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection that is logged in as `role`, in autocommit; it is closed at the end of the block.

    Where to connect and the password are those of the alias in DATABASES whose USER is `role`. Statements go out as
    they are written: no context is sent with them, and no check of a role or of a command tag stands in between.

    Raises ValueError, which names the known roles, where no alias has this USER.
    """
    aliases = {connections.settings[alias].get("USER"): alias for alias in reversed(list(connections.settings))}
    if role not in aliases:
        known = ", ".join(sorted(user for user in aliases if user))
        raise ValueError(f"no alias in DATABASES logs in as {role}: the roles are {known}")
    with psycopg.connect(**_params(aliases[role]), autocommit=True) as connection:
        yield connection


def _params(alias: str) -> dict[str, Any]:
    wrapper = connections.create_connection(alias)
    # pytest-django refuses here in a test that did not ask for the database: until then DATABASES names the real one.
    wrapper.ensure_connection()
    wrapper.close()
    params: dict[str, Any] = wrapper.get_connection_params()
    return {name: value for name, value in params.items() if name not in DJANGO_PARAMETERS}
