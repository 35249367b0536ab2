"""Marks the cases of the promise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.isolation)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """A pool of exactly one connection."""
    pool = connection.settings_dict["OPTIONS"]["pool"]
    kept = pool["max_size"]
    connection.close()
    connection.close_pool()
    pool["max_size"] = 1
    yield
    connection.close()
    connection.close_pool()
    pool["max_size"] = kept
