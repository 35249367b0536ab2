"""deploy/bootstrap.py as make runs it: another process, in a project of its own, without the internet."""

import ast
import base64
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[2] / "deploy/bootstrap.py"
PATIENCE = 120


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Project:
    """A project with bootstrap.py, and packages to install that lie in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.packages = root / "packages"
        self.packages.mkdir()
        (root / "deploy").mkdir()
        shutil.copy(SOURCE, root / "deploy")

    def package(self, name: str) -> str:
        """Make a wheel and return its line in a lock file."""
        wheel = self.packages / f"{name}-1.0-py3-none-any.whl"
        facts = f"{name}-1.0.dist-info"
        files = {
            f"{name}.py": "",
            f"{facts}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{facts}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},{_record_hash(text)},{len(text)}\n" for path, text in files.items())
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in {**files, f"{facts}/RECORD": record + f"{facts}/RECORD,,\n"}.items():
                archive.writestr(path, text)
        return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"

    def lock(self, *lines: str, name: str = "requirements.txt") -> None:
        (self.root / name).write_text("".join(lines))

    def start(self, name: str = "requirements.txt", **environment: str) -> subprocess.Popen[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
        isolated = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.packages)}
        return subprocess.Popen(
            [sys.executable, "deploy/bootstrap.py", name],
            cwd=self.root,
            env=inherited | isolated | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str = "requirements.txt", **environment: str) -> tuple[int, str]:
        """The exit code, and what was said."""
        process = self.start(name, **environment)
        said, complaints = process.communicate(timeout=PATIENCE)
        return process.returncode, said + complaints

    def has(self, name: str) -> bool:
        return any(self.venv.glob(f"lib/python*/site-packages/{name}.py"))


def _record_hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def no_network() -> Iterator[dict[str, str]]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        yield {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": index, "PIP_RETRIES": "0"}


def test_an_old_python_is_told_what_to_do_in_one_sentence(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.BootstrapError) as refusal:
        bootstrap.check_python((3, 9, 2), "/usr/bin/python3")

    assert str(refusal.value) == ("needs Python 3.11 or newer; this is 3.9.2 (/usr/bin/python3). Set PYTHON=...")
    bootstrap.check_python((3, 11, 0), "/usr/bin/python3")


def test_an_old_python_can_parse_it() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 8))


def test_a_second_call_with_the_same_lock_does_nothing(project: Project, no_network: dict[str, str]) -> None:
    project.lock(project.package("tiny"))
    assert project.run() == (0, "Installing requirements.txt into .venv, once ...\n")
    assert project.has("tiny")
    before = project.venv.stat().st_mtime_ns

    assert project.run(**no_network) == (0, "")
    assert project.venv.stat().st_mtime_ns == before


def test_the_development_lock_serves_for_the_lock_it_contains(project: Project) -> None:
    tiny, tool = project.package("tiny"), project.package("tool")
    project.lock(tiny)
    project.lock(tiny, tool, name="requirements-dev.txt")

    assert project.run("requirements-dev.txt")[0] == 0

    assert project.has("tool")
    assert project.run("requirements.txt") == (0, "")
    project.lock(project.package("other"))
    assert project.run("requirements.txt")[0] == 0
    assert project.has("other")


def test_without_a_network_there_is_one_sentence_and_no_venv(project: Project, no_network: dict[str, str]) -> None:
    project.lock(project.package("tiny"))

    code, said = project.run(**no_network)

    assert code == 1
    _progress, sentence = said.splitlines()
    assert sentence.startswith("bootstrap: could not download the packages: check the network, or PIP_INDEX_URL")
    assert not project.venv.exists()


def test_a_package_that_differs_from_its_hash_is_not_installed(project: Project) -> None:
    project.lock("tiny==1.0 --hash=sha256:" + "0" * 64)
    project.package("tiny")

    code, said = project.run()

    assert code == 1
    assert said.splitlines()[1:] == [
        "bootstrap: a package differs from its hash in requirements.txt: find out who changed it"
    ]
    assert not project.venv.exists()


def test_an_update_that_cannot_be_downloaded_leaves_what_works(project: Project, no_network: dict[str, str]) -> None:
    tiny = project.package("tiny")
    project.lock(tiny)
    assert project.run()[0] == 0

    project.lock(tiny, project.package("more"))
    assert project.run(**no_network)[0] == 1

    assert project.has("tiny")
    project.lock(tiny)
    assert project.run(**no_network) == (0, "")


def test_ctrl_c_leaves_one_sentence_and_no_venv(project: Project) -> None:
    project.lock(project.package("tiny"))
    interrupted = project.start()
    deadline = time.monotonic() + PATIENCE
    while not project.venv.exists():
        assert time.monotonic() < deadline, ".venv was never begun"
        time.sleep(0.01)

    os.killpg(interrupted.pid, signal.SIGINT)
    said = interrupted.communicate(timeout=PATIENCE)[1]

    assert interrupted.returncode == 1
    assert said.splitlines()[1:] == ["bootstrap: interrupted before .venv was ready: run it again"]
    assert not project.venv.exists()


def test_an_unfinished_venv_is_made_anew(project: Project) -> None:
    project.lock(project.package("tiny"))
    (project.venv / "lib/half").mkdir(parents=True)

    assert project.run()[0] == 0

    assert project.has("tiny")
    assert not (project.venv / "lib/half").exists()


def test_calls_at_the_same_time_install_once(project: Project) -> None:
    project.lock(project.package("tiny"))

    calls = [project.start(), project.start()]
    said = [call.communicate(timeout=PATIENCE)[1] for call in calls]

    assert [call.returncode for call in calls] == [0, 0]
    assert sorted(said) == ["", "Installing requirements.txt into .venv, once ...\n"]


def test_modules_on_pythonpath_are_kept_out(project: Project) -> None:
    project.lock(project.package("tiny"))
    (project.root / "path").mkdir()
    (project.root / "path/pip.py").write_text("raise SystemExit('the pip of PYTHONPATH')")

    assert project.run(PYTHONPATH=str(project.root / "path"))[0] == 0
