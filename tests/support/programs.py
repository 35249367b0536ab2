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
import subprocess
import sys
import tempfile
from multiprocessing.context import ForkServerProcess
from pathlib import Path

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
    "babel",
]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(PACKAGES)


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


def _become(command: list[str], output: Path, errors: Path | None, environment: dict[str, str], cwd: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
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


def _write_to(output: Path, errors: Path | None) -> None:
    """What the interpreter does with its standard streams: the first buffers, the second writes lines."""
    for name, number, path in (("stdout", 1, output), ("stderr", 2, errors or output)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
        setattr(sys, name, os.fdopen(number, "w", buffering=-1 if number == 1 else 1, closefd=False))
