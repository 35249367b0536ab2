"""The settings of this library, and what holds where a project sets none of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS

# Worker threads where the database has no pool, and the connections of a pool that does not say how many
# (psycopg_pool.ConnectionPool, "max_size").
WORKERS_WITHOUT_POOL = 10
DEFAULT_POOL_SIZE = 4
MAX_PORT = 65_535
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def has_sessions() -> bool:
    """MCP_SESSIONS: "stateless", where any process serves any request, or "stateful": sessions and HTTP+SSE.

    Raises ImproperlyConfigured for any other value.
    """
    found = getattr(settings, "MCP_SESSIONS", "stateless")
    if found not in ("stateless", "stateful"):
        raise ImproperlyConfigured(f"MCP_SESSIONS is {found!r}; set it to stateless or stateful")
    return bool(found == "stateful")


def allowed_origins() -> Collection[str]:
    """MCP_ALLOWED_ORIGINS: whose pages may call from a browser, each as https://app.example.com."""
    origins: Collection[str] = getattr(settings, "MCP_ALLOWED_ORIGINS", ())
    return origins


def public_url() -> str:
    """PUBLIC_URL: the address that clients use, without a slash at its end; '' where it is the one they name."""
    return str(getattr(settings, "PUBLIC_URL", "")).rstrip("/")


def scopes_of_role(role: str) -> frozenset[str]:
    """MCP_ROLES: what a member may do at most, by his role; nothing where the role is not in the table."""
    roles: Mapping[str, Collection[str]] = getattr(settings, "MCP_ROLES", {})
    return frozenset(map(str, roles.get(role, ())))


def member_model() -> str:
    """MCP_MEMBER_MODEL: the model that InstallResolver(members=...) names, as "app.Model"; '' where there is none."""
    return str(getattr(settings, "MCP_MEMBER_MODEL", ""))


def metrics_address() -> tuple[str, int] | None:
    """MCP_METRICS: where the first process tells Prometheus what it counts, as "9464", which is at 127.0.0.1, or
    "0.0.0.0:9464"; None where it is '', and nothing is counted.

    Raises ImproperlyConfigured for anything else.
    """
    found = str(getattr(settings, "MCP_METRICS", "")).strip()
    if not found:
        return None
    host, _, port = found.rpartition(":")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= MAX_PORT) or ("[" in host) != (":" in host):
        raise ImproperlyConfigured(
            f"MCP_METRICS is {found!r}: set it to a port of this machine, as 9464, or to an address and a port, as "
            "0.0.0.0:9464 or [::1]:9464"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def redis_url() -> str:
    """The Redis of the default cache (CACHES), which all processes share; '' where it is another kind of cache."""
    locations = settings.CACHES.get("default", {}).get("LOCATION", "")
    first = locations if isinstance(locations, str) else next(iter(locations), "")
    return first if first.startswith(REDIS_SCHEMES) else ""


def worker_count() -> int:
    """How many calls a process works on at once: as many as its pool of the tenants' role has connections."""
    pool = settings.DATABASES[DEFAULT_DB_ALIAS].get("OPTIONS", {}).get("pool")
    if not pool:
        return WORKERS_WITHOUT_POOL
    sizes = pool if isinstance(pool, dict) else {}
    return int(sizes.get("max_size") or sizes.get("min_size", DEFAULT_POOL_SIZE))
