"""What the benchmarks share: a migrated database, stock Django beside ours on it, and how ratios are shown.

Importing it sets Django up, so it is imported before any model.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connections  # noqa: E402
from psycopg.conninfo import conninfo_to_dict  # noqa: E402

from tests.support import postgres  # noqa: E402


@contextmanager
def database(*, shares_processor: bool = True) -> Iterator[tuple[postgres.Server, str]]:
    """A server and the name of a migrated database on it. `default` is ours, `stock` is Django's own backend."""
    if shares_processor:
        _share_one_processor()
    with postgres.running() as server, server.database(f"bench_{os.getpid()}") as name:
        postgres.use(server.urls(name))
        _add_stock_connection(server, name)
        yield server, name


def _share_one_processor() -> None:
    """Bind this process, and the server that it starts, to one processor, where the system can.

    Where the scheduler puts the two of a connection otherwise decides more than what is measured: to wake a process on
    another processor can take longer than a short statement.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _add_stock_connection(server: postgres.Server, name: str) -> None:
    """`stock`: Django's own backend, as a superuser."""
    place = conninfo_to_dict(server.admin_url)
    connections.settings["stock"] = connections.settings["default"] | {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": place["user"],
        "PASSWORD": place["password"],
        "OPTIONS": {},
    }


def shown(ratios: Sequence[float]) -> str:
    """The median, with the first and third quartile."""
    low, median, high = statistics.quantiles(ratios, n=4)
    return f"{median:.2f}x ({low:.2f}-{high:.2f})"
