"""The development environment: an embedded PostgreSQL and generated secrets in `.local/`, where nothing is configured.

It is a default and not a mode: DATABASE_URL, from the environment or `.env`, always wins.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from core import variables
from rls.embedded import Cluster, EmbeddedError
from rls.provision import FILES, provision

LOCAL = variables.BASE_DIR / ".local"
DATABASE = "tenants"

# The role behind each database URL of core.settings.
ROLES = {
    "DATABASE_URL": "app_tenant",
    "PLATFORM_DATABASE_URL": "app_platform",
    "OWNER_DATABASE_URL": "app_owner",
    "AUDITOR_DATABASE_URL": "app_auditor",
}


def is_configured() -> bool:
    """Whether the operator named a database. Raises ImproperlyConfigured where `.env` can't be read."""
    variables.read_file()
    return variables.is_set("DATABASE_URL")


@contextmanager
def environment() -> Iterator[None]:
    """Within the block the settings find a database: the configured one, or the embedded one, started or joined.

    Raises ImproperlyConfigured as is_configured() does, and EmbeddedError, one sentence, where the embedded server
    can't run here.
    """
    if is_configured():
        yield
        return
    with _usable():
        LOCAL.mkdir(mode=0o711, exist_ok=True)
    cluster = Cluster(LOCAL / "postgres")
    with cluster.running():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the block is left
        with _usable():
            kept = _secrets()
            _provision_once(cluster, kept)
        os.environ.setdefault("SECRET_KEY", kept["SECRET_KEY"])
        for variable, role in ROLES.items():
            os.environ[variable] = cluster.url(DATABASE, role, kept[role])
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(cluster.binaries.directory)])
        yield


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, psycopg.Error) as error:
        raise EmbeddedError(f"{LOCAL} is unusable ({error}): mend that, or move it away") from error


def kept_secrets() -> dict[str, str]:
    """What `.local/secrets.json` holds, readable by this user alone: passwords, and the tokens of the demo."""
    path = LOCAL / "secrets.json"
    return json.loads(path.read_text()) if path.exists() else {}


def keep_secrets(new: dict[str, str]) -> None:
    """Add `new` to `.local/secrets.json`, or put it in the place of what has the same name."""
    LOCAL.mkdir(mode=0o711, exist_ok=True)
    draft = LOCAL / "secrets.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(kept_secrets() | new, indent=1))
    draft.replace(LOCAL / "secrets.json")


def _secrets() -> dict[str, str]:
    kept = kept_secrets()
    missing = {"SECRET_KEY", *ROLES.values()} - kept.keys()
    if missing:
        keep_secrets({name: secrets.token_urlsafe(32) for name in missing})
    return kept_secrets()


def _provision_once(cluster: Cluster, kept: dict[str, str]) -> None:
    """Provision a new data directory, and again after the superuser part has changed."""
    stamp = cluster.directory.parent / "provisioned"
    # A new data directory has a new password.
    identity = cluster.url().rpartition("@")[0].encode()
    wanted = hashlib.sha256(identity + b"".join(file.read_bytes() for file in FILES)).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        provision(cluster.url(), database=DATABASE, passwords={role: kept[role] for role in ROLES.values()})
        stamp.write_text(wanted)
