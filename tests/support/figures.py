"""What Prometheus would read of a process."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import httpx2
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import free_port

# As many ports in a row as a test starts processes.
NEEDED_PORTS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """The metrics of one moment."""

    families: list[Metric]

    def sum(self, name: str, /, **labels: str) -> float:
        """Of the samples of this name that have these labels; 0 where there is none."""
        return sum(
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self) -> dict[str, set[str]]:
        """The names of samples, each with those of its labels."""
        return {
            sample.name: {name for each in family.samples if each.name == sample.name for name in each.labels}
            for family in self.families
            for sample in family.samples
        }


def here() -> Figures:
    """Those of this process."""
    return Figures(list(text_string_to_metric_families(generate_latest().decode())))


def at(port: int) -> Figures:
    """Those of the process that tells them at this port of the loopback interface."""
    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics")
    return Figures(list(text_string_to_metric_families(answer.text)))


def free_ports() -> int:
    """The first of NEEDED_PORTS ports in a row that nobody listens at."""
    return next(port for port in iter(free_port, 0) if all(map(_is_free, range(port, port + NEEDED_PORTS))))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
