"""Test databases on a PostgreSQL server: a template that is migrated once, and a clone of it for each process."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from rls import audit, provision, roles
from rls.context import PLATFORM_ALIAS
from rls.operations import RunSQLFile
from rls.router import OWNER_ALIAS

# Who logs in: `0000_roles.sql` makes them.
LOGIN_ROLES = ("app_owner", "app_tenant", "app_platform", "app_auditor")

TEMPLATES_SQL = """
SELECT datname
FROM pg_catalog.pg_database
WHERE datistemplate AND pg_catalog.shobj_description(oid, 'pg_database') = %s
"""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server for the tests; `admin_url` is a superuser's.

    The roles are the cluster's: they get the passwords that DATABASES has, and where it has none, one that is derived
    from `admin_url`, so that two runs against one server don't change each other's.
    """

    admin_url: str = field(repr=False)  # a traceback shows the others

    def password(self, role: str) -> str:
        """The password of a role."""
        configured = (each.get("PASSWORD") for each in connections.settings.values() if each.get("USER") == role)
        return next(filter(None, configured), hashlib.sha256(f"{role} {self.admin_url}".encode()).hexdigest())

    def url(self, database: str, role: str) -> str:
        """The URL of a role in a database."""
        place = conninfo_to_dict(self.admin_url)
        user, password, host = (
            quote(str(part), safe="") for part in (role, self.password(role), place.get("host") or "")
        )
        return f"postgresql://{user}:{password}@{host}:{place.get('port') or 5432}/{database}"

    def use(self, database: str) -> None:
        """Point Django's connections at a database of this server."""
        use({alias: self.url(database, role) for alias, role in aliases().items()})

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """A migrated database for one process, which Django's connections are pointed at; dropped at the end."""
        with self._alone() as admin:
            template = self._template(admin)
            _drop(admin, name)
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
            # Rights on a database are not copied with it.
            self.provision(name)
        self.use(name)
        try:
            yield name
        finally:
            disconnect()
            with psycopg.connect(self.admin_url, autocommit=True) as admin:
                _drop(admin, name)

    def provision(self, name: str) -> None:
        """Create the database where it is missing, and set roles and rights."""
        provision.provision(
            self.admin_url, database=name, passwords={role: self.password(role) for role in LOGIN_ROLES}
        )

    @contextmanager
    def _alone(self) -> Iterator[psycopg.Connection]:
        """Processes take turns: roles and templates are the cluster's."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute("SELECT pg_advisory_lock(hashtext('rls.testing'))")
            yield admin

    def _template(self, admin: psycopg.Connection) -> str:
        """The migrated template, made by the first process that asks; it stays for the next run."""
        name = f"template_{digest()}"
        found = admin.execute("SELECT FROM pg_database WHERE datname = %s AND datistemplate", [name]).fetchone()
        if found is not None:
            return name
        owner = f"rls.testing, {settings.BASE_DIR}"
        for (older,) in admin.execute(TEMPLATES_SQL, [owner]).fetchall():
            admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(older)))
            _drop(admin, older)
        _drop(admin, name)
        self.provision(name)
        self.use(name)
        call_command("migrate", verbosity=0)
        disconnect()
        admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(owner)))
        admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(name)))
        return name


def aliases() -> dict[str, str]:
    """The role of each alias in DATABASES.

    Raises ImproperlyConfigured where one that is needed is missing, and where one has another role: it would go on
    pointing at the real database.
    """
    found = {alias: str(connections.settings[alias].get("USER")) for alias in connections.settings}
    for alias in (DEFAULT_DB_ALIAS, PLATFORM_ALIAS, OWNER_ALIAS):
        if found.get(alias) not in LOGIN_ROLES:
            raise ImproperlyConfigured(f'the tests need DATABASES["{alias}"] with a USER of {", ".join(LOGIN_ROLES)}')
    for alias, role in found.items():
        if role not in LOGIN_ROLES:
            raise ImproperlyConfigured(
                f'DATABASES["{alias}"] logs in as {role}, so it can\'t be pointed at the test database: '
                "leave it out of the settings that the tests use"
            )
    return found


def use(urls: Mapping[str, str]) -> None:
    """Point the connections of these aliases at these URLs."""
    for alias, url in urls.items():
        place = conninfo_to_dict(url)
        connections[alias].close()
        close_pool(alias)
        connections.settings[alias].update(
            NAME=place["dbname"],
            USER=place["user"],
            PASSWORD=place["password"],
            HOST=place.get("host", ""),
            PORT=place["port"],
        )


def disconnect() -> None:
    """Close this thread's connections, and those that wait in a pool."""
    connections.close_all()
    for alias in connections.settings:
        close_pool(alias)


def close_pool(alias: str) -> None:
    """Close the pool of an alias, if it has one."""
    wrapper: Any = connections[alias]
    if getattr(wrapper, "pool", None):
        wrapper.close_pool()


def require_bound() -> None:
    """Raise ImproperlyConfigured where row-level security would not bind the roles that the tests serve as."""
    for alias in (DEFAULT_DB_ALIAS, PLATFORM_ALIAS):
        connections[alias].ensure_connection()
        roles.refuse_unbound(connections[alias].connection)


def digest() -> str:
    """A digest of whose template it is, and of what is run to make it: migrations, their SQL files, the library's."""
    parts = [str(settings.BASE_DIR).encode(), audit.install_sql().encode()]
    parts += [file.read_bytes() for file in provision.FILES]
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    for _, migration in sorted(loader.disk_migrations.items()):
        parts.append(Path(str(sys.modules[migration.__module__].__file__)).read_bytes())
        parts += [each.sql().encode() for each in migration.operations if isinstance(each, RunSQLFile)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
