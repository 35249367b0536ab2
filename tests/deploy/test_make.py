"""The packages that make installs, in a project of its own and without the internet."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MAKEFILE = Path(__file__).parents[2] / "Makefile"
DEADLINE = 300


class Project:
    """A project with our Makefile, and packages to install that lie in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.packages = root / "packages"
        self.packages.mkdir()
        shutil.copy(MAKEFILE, root)

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

    def lock(self, *lines: str, name: str = "requirements") -> None:
        (self.root / f"{name}.txt").write_text("".join(lines))

    def start(self, name: str = "requirements", python: str = sys.executable, **more: str) -> subprocess.Popen[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON", "MAKE"))}
        isolated = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.packages)}
        target = "$(DEV_DEPS)" if name.endswith("dev") else "$(RUN_DEPS)"
        (self.root / "installed.mk").write_text(f"include Makefile\n.DEFAULT_GOAL := {target}\n")
        return subprocess.Popen(
            ["make", "-s", "-f", "installed.mk", f"PYTHON={python}"],
            cwd=self.root,
            env=inherited | isolated | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str = "requirements", **more: str) -> tuple[int, str]:
        """The exit code, and what was said."""
        process = self.start(name, **more)
        said, _ = process.communicate(timeout=DEADLINE)
        return process.returncode, said

    def make(self, target: str) -> subprocess.CompletedProcess[str]:
        """What `make <target>` says."""
        return subprocess.run(
            ["make", "-s", target],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def has(self, name: str) -> bool:
        return any(self.venv.glob(f"lib/python*/site-packages/{name}.py"))


def _record_hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_second_call_with_the_same_lock_does_nothing(project: Project) -> None:
    project.lock(project.package("tiny"))
    assert project.run() == (0, "Installing requirements.txt into .venv, once ...\n")
    assert project.has("tiny")
    shutil.rmtree(project.packages)

    assert project.run() == (0, "")


def test_the_development_lock_serves_for_the_lock_it_contains(project: Project) -> None:
    tiny, tool = project.package("tiny"), project.package("tool")
    project.lock(tiny)
    project.lock(tiny, tool, name="requirements-dev")

    assert project.run("requirements-dev")[0] == 0

    assert project.has("tool")
    assert project.run() == (0, "")


def test_a_changed_lock_is_installed_and_what_works_stays_when_it_cannot_be(project: Project) -> None:
    tiny = project.package("tiny")
    project.lock(tiny)
    assert project.run()[0] == 0

    project.lock(tiny, "missing==1.0 --hash=sha256:" + "0" * 64)
    code, said = project.run()

    assert code
    assert "requirements.txt is not installed, and the lines above say why." in said
    assert project.has("tiny")
    project.lock(tiny, project.package("more"))
    assert project.run()[0] == 0
    assert project.has("more")


def test_a_package_that_differs_from_its_hash_is_not_installed(project: Project) -> None:
    project.package("tiny")
    project.lock("tiny==1.0 --hash=sha256:" + "0" * 64)

    code, said = project.run()

    assert code
    assert "DO NOT MATCH THE HASHES" in said
    assert not project.has("tiny")


def test_an_unfinished_environment_is_made_anew(project: Project) -> None:
    project.lock(project.package("tiny"))
    (project.venv / "lib/half").mkdir(parents=True)

    assert project.run()[0] == 0

    assert project.has("tiny")
    assert not (project.venv / "lib/half").exists()


def test_an_interrupted_call_can_be_repeated(project: Project) -> None:
    project.lock(project.package("tiny"))
    interrupted = project.start()
    assert interrupted.stdout is not None
    assert interrupted.stdout.readline() == "Installing requirements.txt into .venv, once ...\n"

    os.killpg(interrupted.pid, signal.SIGINT)
    interrupted.communicate(timeout=DEADLINE)

    assert interrupted.returncode
    assert project.run()[0] == 0
    assert project.has("tiny")


def test_calls_at_the_same_time_install_once(project: Project) -> None:
    project.lock(project.package("tiny"))

    calls = [project.start(), project.start()]
    said = [call.communicate(timeout=DEADLINE)[0] for call in calls]

    assert [call.returncode for call in calls] == [0, 0]
    assert sorted(said) == ["", "Installing requirements.txt into .venv, once ...\n"]


def test_modules_on_pythonpath_are_kept_out(project: Project) -> None:
    project.lock(project.package("tiny"))
    (project.root / "path").mkdir()
    (project.root / "path/pip.py").write_text("raise SystemExit('the pip of PYTHONPATH')")

    assert project.run(PYTHONPATH=str(project.root / "path"))[0] == 0


def test_an_old_python_is_told_what_to_do(project: Project) -> None:
    old = project.root / "python"
    old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "import sys; sys.version_info = (3, 9, 2)\n$1"\n')
    old.chmod(0o755)
    project.lock(project.package("tiny"))

    code, said = project.run(python=str(old))

    assert code
    assert "needs Python 3.11 or newer, and this is 3.9: set PYTHON=..." in said
    assert not project.venv.exists()


def test_a_python_that_is_not_there_is_told_what_to_do(project: Project) -> None:
    project.lock(project.package("tiny"))

    code, said = project.run(python="no-such-python")

    assert code
    assert "no-such-python does not run: set PYTHON=... to a Python 3.11 or newer" in said


def test_nothing_is_cleaned_under_a_program_that_runs_from_it(project: Project) -> None:
    project.lock(project.package("tiny"))
    assert project.run()[0] == 0
    mapped = (
        "import mmap; file = open('.venv/pyvenv.cfg'); kept = mmap.mmap(file.fileno(), 0, prot=1); print(); input()"
    )
    program = subprocess.Popen(
        [project.venv / "bin/python", "-c", mapped],
        cwd=project.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout
    assert program.stdout.readline() == "\n"

    refused = project.make("clean")
    program.communicate("\n", timeout=DEADLINE)
    there = project.has("tiny")
    cleaned = project.make("clean")

    assert refused.returncode
    assert f"make clean: still in use by process {program.pid}: stop make run" in refused.stdout
    assert there
    assert (cleaned.returncode, cleaned.stdout) == (0, "")
    assert not project.venv.exists()
