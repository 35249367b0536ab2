"""Projects of other people for the tests of what `manage.py` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.development.environment import ROLES
from tests.support.postgres import Server
from tests.support.projects import Project, make


@pytest.fixture
def project(tmp_path: Path, postgres_server: Server) -> Project:
    """A project with two models and no migration for them; it needs no database."""
    return make(tmp_path, {variable: postgres_server.url("none", role) for variable, role in ROLES.items()})


@pytest.fixture
def live_project(tmp_path: Path, postgres_server: Server, database: str) -> Iterator[Project]:
    """The same on an empty database."""
    name = f"{database}_scaffold"
    postgres_server.provision(name)
    yield make(tmp_path, postgres_server.urls(name))
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
