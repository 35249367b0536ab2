"""What an operator counts: calls, refusals, lost records.

Without MCP_METRICS nothing is counted, and nothing is imported for it. With it each process tells Prometheus at a port
of its own what it has counted: see docs/adr/0046.

Values of labels are names that the code declares, and the words below. What a caller sends is never one, and neither is
a tenant: there may be a hundred thousand of them, and each would be a series of every metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from mcp_server.declare.tools import Endpoint
    from mcp_server.principals import Principal
    from mcp_server.server import EndpointServer

# How a call ends, in the words of the log; whatever else the log has is the reference of a failure.
OUTCOMES = frozenset(
    {"ok", "asked", "refused", "busy", "too long", "connection lost", "connection lost in the commit", "cancelled"}
)
FAILED = "failed"
# What is refused beside calls that a function refuses itself. The first five are the errors of a challenge
# (mcp_server.http.bearer), the next four are limits, then comes what a call asks for, and then what PostgreSQL refuses.
REFUSALS = (
    "unauthorized",
    "invalid_token",
    "invalid_request",
    "insufficient_scope",
    "temporarily_unavailable",
    "failed_logins",
    "principal",
    "tenant",
    "at_once",
    "unknown_name",
    "arguments",
    "no_tenant",
    "no_platform",
    "cross_tenant_write",
    "policy_missing",
    "write_in_a_read",
)
OTHER = "other"


class Named(Protocol):
    """What is called."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...


class Counts(Protocol):
    """Who counts."""

    def called(self, endpoint: str, kind: str, name: str, outcome: str, seconds: float) -> None: ...

    def refused(self, kind: str) -> None: ...

    def lost_records(self, count: int) -> None: ...


# One where this process counts.
_counting: list[Counts] = []


def called(spec: Named, principal: Principal, outcome: str, seconds: float) -> None:
    """A call has ended."""
    for counts in _counting:
        endpoint = "platform" if principal.tenant_id is None else "tenant"
        counts.called(endpoint, spec.kind, spec.name, outcome if outcome in OUTCOMES else FAILED, seconds)


def refused(kind: str) -> None:
    """A request, a call or a statement was refused."""
    for counts in _counting:
        counts.refused(kind if kind in REFUSALS else OTHER)


def lost_records(count: int) -> None:
    """So many records of calls will not be written."""
    for counts in _counting:
        counts.lost_records(count)


def require_installed() -> None:
    """Raise ImproperlyConfigured where the client of Prometheus is missing."""
    if find_spec("prometheus_client") is None:
        raise ImproperlyConfigured(
            "MCP_METRICS is set, and the client of Prometheus is not installed: "
            "pip install 'django-tenant-mcp[metrics]', or unset MCP_METRICS"
        )


@contextmanager
def served(host: str, port: int, servers: Mapping[Endpoint, EndpointServer]) -> Iterator[None]:
    """Within the block, what this process does is counted, and told at `port` or the first free one after it.

    Raises ImproperlyConfigured: the client of Prometheus is not installed, or there is no such port.
    """
    require_installed()
    from mcp_server.metrics import exposition, prometheus

    with prometheus.watching(servers.values()), exposition.at(host, port):
        already = bool(_counting)
        if not already:
            _counting.append(prometheus.COUNTS)
        try:
            yield
        finally:
            if not already:
                _counting.remove(prometheus.COUNTS)
