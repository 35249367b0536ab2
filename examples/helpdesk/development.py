"""A PostgreSQL server in `.local/`, for whoever has named none in PGHOST. As a program it serves the helpdesk on it."""

import json
import os
import runpy
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rls.embedded import Cluster
from rls.provision import provision

LOCAL = Path(__file__).resolve().parent / ".local"
DATABASE = "helpdesk"
ROLES = ("app_owner", "app_tenant", "app_platform", "app_auditor")


@contextmanager
def database() -> Iterator[None]:
    """Within the block the environment holds what config/settings.py reads."""
    if "PGHOST" in os.environ:
        yield
        return
    LOCAL.mkdir(mode=0o711, exist_ok=True)
    cluster = Cluster(LOCAL / "postgres")
    with cluster.running():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the block is left
        kept = _secrets()
        provision(
            cluster.url(), database=DATABASE, passwords={role: kept[f"{role.upper()}_PASSWORD"] for role in ROLES}
        )
        os.environ.update(kept, PGHOST="127.0.0.1", PGPORT=str(cluster.port), PGDATABASE=DATABASE)
        yield


def _secrets() -> dict[str, str]:
    """The key of Django and the passwords of the roles, made once and readable by this user alone."""
    path = LOCAL / "secrets.json"
    if not path.exists():
        path.touch(mode=0o600)
        names = ["SECRET_KEY", *(f"{role.upper()}_PASSWORD" for role in ROLES)]
        path.write_text(json.dumps({name: secrets.token_urlsafe(32) for name in names}))
    return json.loads(path.read_text())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with database():
        runpy.run_module("mcp_server", run_name="__main__")
