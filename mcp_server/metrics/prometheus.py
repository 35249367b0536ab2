"""The metrics, in the default registry of prometheus_client: what a project counts there itself is told along."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING
from weakref import WeakSet

import django
from django.db import connections
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import mcp_server
from mcp_server import metrics, workers
from mcp_server.declare.registry import Spec
from mcp_server.declare.tools import Endpoint
from mcp_server.ledger.buffer import BUFFER
from mcp_server.metrics import FAILED, OTHER, REFUSALS
from rls import errors, signals

if TYPE_CHECKING:
    from mcp_server.server import EndpointServer

# Seconds. A page of 20 rows takes a few milliseconds; a statement of a tenant is ended after thirty seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

CALLS = Counter("mcp_calls", "Calls, by how they have ended", ["endpoint", "kind", "name", "outcome"])
DURATION = Histogram(
    "mcp_call_duration_seconds", "How long calls have taken", ["endpoint", "kind", "name"], buckets=BUCKETS
)
REFUSED = Counter("mcp_refusals", "Requests, calls and statements that were refused, by why", ["kind"])
LOST_RECORDS = Counter("mcp_trail_records_lost", "Records of calls that will not be written")
BUILD = Gauge("mcp_build_info", "1, with the versions that run", ["version", "mcp", "django", "python"])

# How calls end that an alert waits for.
FIRST_OUTCOMES = ("ok", FAILED, "connection lost")
REFUSALS_OF_POSTGRESQL = {
    errors.NoTenantContext: "no_tenant",
    errors.NoPlatformContext: "no_platform",
    errors.CrossTenantWrite: "cross_tenant_write",
    errors.PolicyMissing: "policy_missing",
    errors.WriteRefused: "write_in_a_read",
}


class Counts:
    """Counts into the metrics. The children of a metric are kept here: to look one up costs more than to count."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, str, str], tuple[Counter, Histogram]] = {}
        # From zero on, so that the first of each is seen as an increase.
        self._refused = {kind: REFUSED.labels(kind) for kind in (*REFUSALS, OTHER)}

    def called(self, endpoint: str, kind: str, name: str, outcome: str, seconds: float) -> None:
        """A call has ended."""
        key = (endpoint, kind, name, outcome)
        found = self._calls.get(key)
        if found is None:
            found = self._calls[key] = CALLS.labels(*key), DURATION.labels(*key[:3])
        calls, duration = found
        calls.inc()
        duration.observe(seconds)

    def refused(self, kind: str) -> None:
        """Something was refused."""
        self._refused[kind].inc()

    def lost_records(self, count: int) -> None:
        """So many records of calls will not be written."""
        LOST_RECORDS.inc(count)


class Now(Collector):
    """What there is at the moment when Prometheus asks. It is asked in a thread of its own."""

    def __init__(self) -> None:
        self.servers: WeakSet[EndpointServer] = WeakSet()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: without it the registry would collect at the import."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One metric after the other."""
        pools = workers.pools()
        yield _gauge("mcp_workers", "Worker threads for calls", sum(pool.count for pool in pools))
        yield _gauge("mcp_workers_busy", "Worker threads that work", sum(pool.busy for pool in pools))
        yield _gauge("mcp_calls_waiting", "Calls that wait for a worker", sum(pool.waiting for pool in pools))
        streams = sum(server.open_streams for server in list(self.servers))
        yield _gauge("mcp_streams_open", "Open streams of subscriptions", streams)
        yield _gauge("mcp_trail_records_waiting", "Records of calls that are not written yet", len(BUFFER))
        yield from _connections()


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)


def _connections() -> Iterator[GaugeMetricFamily]:
    """Of each alias with a pool."""
    most = GaugeMetricFamily("mcp_pool_connections_max", "Connections that a pool may have", labels=["alias"])
    opened = GaugeMetricFamily("mcp_pool_connections", "Connections that a pool has", labels=["alias", "state"])
    waiting = GaugeMetricFamily("mcp_pool_requests_waiting", "Who waits for a connection", labels=["alias"])
    for alias in connections:
        # A wrapper of this thread, which connects to nothing.
        pool = getattr(connections[alias], "pool", None)
        if pool is None:
            continue
        figures = pool.get_stats()
        idle = figures["pool_available"]
        most.add_metric([alias], figures["pool_max"])
        opened.add_metric([alias, "idle"], idle)
        opened.add_metric([alias, "in use"], figures["pool_size"] - idle)
        waiting.add_metric([alias], figures["requests_waiting"])
    yield from (most, opened, waiting)


def _begin_at_zero(server: EndpointServer) -> None:
    """What is offered is told before its first call, so that the first failure is seen as an increase."""
    specs: list[Spec] = [*server.registry.tools(server.endpoint)]
    if server.endpoint is Endpoint.TENANT:
        specs += [*server.registry.resources(), *server.registry.prompts().values()]
    for spec in specs:
        DURATION.labels(server.endpoint.value, spec.kind, spec.name)
        for outcome in FIRST_OUTCOMES:
            CALLS.labels(server.endpoint.value, spec.kind, spec.name, outcome)


def _statement_refused(sender: type[Exception], **facts: object) -> None:
    metrics.refused(REFUSALS_OF_POSTGRESQL.get(sender, OTHER))


COUNTS = Counts()
NOW = Now()
REGISTRY.register(NOW)
signals.refused.connect(_statement_refused)
BUILD.labels(mcp_server.__version__, version("mcp"), django.get_version(), platform.python_version()).set(1)


@contextmanager
def watching(servers: Iterable[EndpointServer]) -> Iterator[None]:
    """Within the block, what these have open is told."""
    mine = list(servers)
    for server in mine:
        _begin_at_zero(server)
    NOW.servers.update(mine)
    try:
        yield
    finally:
        NOW.servers.difference_update(mine)
