"""Python programs as processes of their own, which begin where the imports of other people's packages are done.

To import the SDK and Django takes most of the time of a short program, and the tests start hundreds. So each is a fork
of one process (the fork server of multiprocessing) that has imported packages, and nothing of this repository: our
modules and the settings are read anew, from the environment that the program is given.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self

# Modules that start no thread and read no settings.
PACKAGES = [
    "mcp.server.mcpserver",
    "mcp.server.stdio",
    "mcp.client.streamable_http",
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "starlette.applications",
    "psycopg_pool",
    "django.core.management",
    "django.core.handlers.asgi",
    "django.db.models",
    "django.db.backends.postgresql.base",
    "django.forms",
    "django.template.backends.django",
    "django.contrib.admin.options",
    "rest_framework.fields",
    "environ",
    "babel.dates",
    "babel.numbers",
    "anyascii",
    "anyio._backends._asyncio",
    "cryptography.x509",
    "email_validator",
    "iso4217",
    "jwt.algorithms",
    "limits.aio.storage",
    "limits.storage",
    "regex",
    "rich.console",
]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([*PACKAGES, "tests.support.warm"])


def start(
    command: list[str],
    output: Path,
    *,
    environment: dict[str, str],
    errors: Path | None = None,
    cwd: Path | None = None,
) -> ForkServerProcess:
    """Start what `python <command>` starts: `-m module ...`, `-c program ...` or `file ...`.

    It writes to `output`, also its errors where `errors` names no other file.
    """
    process = FORKS.Process(target=_become, args=(command, output, errors, environment, cwd or Path.cwd()), daemon=True)
    process.start()
    return process


def run(
    command: list[str], *, environment: dict[str, str], cwd: Path | None = None, timeout: float | None = 300
) -> subprocess.CompletedProcess[str]:
    """Start it, and wait for its end. Raises TimeoutExpired after so many seconds."""
    with tempfile.TemporaryDirectory(prefix="program-") as place:
        output, errors = Path(place) / "stdout", Path(place) / "stderr"
        process = start(command, output, environment=environment, errors=errors, cwd=cwd)
        process.join(timeout)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout or 0)
        process.close()
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())


class Conversation:
    """What `python <command>` starts, with a pipe to its input and another one from its output.

    Its errors go to a file. The names are those of `subprocess.Popen`, and mean the same.
    """

    def __init__(
        self,
        command: list[str],
        errors: Path,
        *,
        environment: dict[str, str],
        input_file: Path | None = None,
        cwd: Path | None = None,
    ) -> None:
        """The program reads `input_file` where one is named, and there is no `stdin` then."""
        theirs_in, ours_in = FORKS.Pipe(duplex=False)
        ours_out, theirs_out = FORKS.Pipe(duplex=False)
        given = input_file or theirs_in
        with theirs_in, ours_in, ours_out, theirs_out:
            self._process = FORKS.Process(
                target=_become, args=(command, theirs_out, errors, environment, cwd or Path.cwd(), given), daemon=True
            )
            self._process.start()
            self.stdin = None if input_file else os.fdopen(os.dup(ours_in.fileno()), "wb")
            self.stdout = os.fdopen(os.dup(ours_out.fileno()), "rb")
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.stdin:
            self.stdin.close()
        self.stdout.close()
        self.kill()
        self.wait()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(
    command: list[str],
    output: Path | Connection,
    errors: Path | None,
    environment: dict[str, str],
    cwd: Path,
    given: Path | Connection | None = None,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    os.chdir(cwd)
    if given:
        _put(given, 0, os.O_RDONLY)
        sys.stdin = os.fdopen(0, closefd=False)
    _write_to(output, errors)
    kind, *rest = command
    packages = [path for path in sys.path if path.startswith((sys.prefix, sys.base_prefix))]
    own = str(Path(kind).resolve().parent) if kind.endswith(".py") else str(cwd)
    sys.path[:] = [own, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *packages]
    try:
        if kind == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = command
            runpy.run_path(kind, run_name="__main__")
    finally:
        # multiprocessing leaves without them.
        atexit._run_exitfuncs()


def _write_to(output: Path | Connection, errors: Path | None) -> None:
    """What the interpreter does with its standard streams: the first buffers, the second writes lines."""
    for name, number, place in (("stdout", 1, output), ("stderr", 2, errors or output)):
        _put(place, number, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        setattr(sys, name, os.fdopen(number, "w", buffering=-1 if number == 1 else 1, closefd=False))


def _put(place: Path | Connection, number: int, flags: int) -> None:
    """Open a file, or take the end of a pipe, as the stream of this number."""
    file = os.open(place, flags, 0o600) if isinstance(place, Path) else place.fileno()
    os.dup2(file, number)
    if isinstance(place, Path):
        os.close(file)
    else:
        place.close()
