"""A real Redis for a test, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.held import until
from tests.support.processes import free_port

REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(
    REDIS is None and os.environ.get("CI_REQUIRE_REDIS") != "1",
    reason="redis-server is not installed (Debian: apt-get install redis-server)",
)


class Redis:
    """A server that can be stopped and started, and forgets everything when it is."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        assert REDIS, "CI_REQUIRE_REDIS=1, and redis-server is not installed"
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers)

    def stop(self) -> None:
        """End it, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as opened:
                opened.sendall(b"PING\r\n")
                return opened.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def running(directory: Path) -> Iterator[Redis]:
    """A Redis that runs within the block."""
    redis = Redis(directory)
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()
