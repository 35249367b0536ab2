"""The guides deploy.md, use-the-audit-in-ci.md and back-up-and-restore.md, followed on clusters of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from core.development.environment import ROLES
from rls.embedded import Cluster
from rls.embedded.binaries import EmbeddedError, find_binaries
from tests.support.following import Reader, reading
from tests.support.pages import Block, blocks
from tests.support.processes import connected, free_port, wait_until_ready

pytestmark = pytest.mark.slow

DEPLOY = Path("docs/how-to/deploy.md")
RESTORE = Path("docs/how-to/back-up-and-restore.md")
AUDIT = Path("docs/how-to/use-the-audit-in-ci.md")
PASSWORD = "of this cluster alone"
LOGINS = ("app_owner", "app_tenant", "app_platform", "app_auditor")


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody with a shell: the superuser of a cluster, in the directory of the project."""

    cluster: Cluster
    place: Path
    secrets: dict[str, str] = field(default_factory=lambda: {"SECRET_KEY": "k" * 40})

    def environment(self) -> dict[str, str]:
        admin = urlsplit(self.cluster.url())
        ours = {name for name in os.environ if name.endswith("DATABASE_URL") or name.startswith(("PG", "DJANGO"))}
        return {name: value for name, value in os.environ.items() if name not in ours} | {
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(self.cluster.binaries.directory), os.environ["PATH"]]
            ),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(admin.port),
            "PGUSER": "postgres",
            "PGPASSWORD": str(admin.password),
        }

    def urls(self) -> dict[str, str]:
        return {name: self.cluster.url("shop", role, PASSWORD) for name, role in ROLES.items()}

    def run(self, command: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """A line of a page, with the project's Python; dumps lie in a directory of this test."""
        line = command.replace(".venv/bin/python", sys.executable).replace("shop.dump", str(self.place / "shop.dump"))
        done = subprocess.run(
            ["sh", "-c", line],
            env=self.environment() | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done

    def set_passwords(self) -> None:
        """What `\\password` does, which asks at a terminal."""
        with psycopg.connect(self.cluster.url(), autocommit=True) as admin:
            for role in LOGINS:
                admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD)))

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """This operator, going through a page block by block, with the variables of a process in the environment."""
        environment = self.environment() | self.urls() | self.secrets
        with reading(Path.cwd(), environment) as reader:
            reader.replaced = {".venv/bin/python": "python"}
            reader.psql = "psql -d shop -v ON_ERROR_STOP=1"
            yield reader

    def audit(self) -> subprocess.CompletedProcess[str]:
        return self.run('psql "$AUDITOR_DATABASE_URL" -f migrations_sql/audit.sql', check=False, **self.urls())

    def manage(self, command: str) -> str:
        return self.run(f".venv/bin/python manage.py {command}", **self.urls(), **self.secrets).stdout.strip()


@contextmanager
def operator(name: str) -> Iterator[Operator]:
    """An operator of a new cluster, which has nothing of ours."""
    place = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    place.chmod(0o711)
    try:
        with Cluster(place / "postgres", binaries=find_binaries(["embedded"]), throwaway=True).running() as cluster:
            yield Operator(cluster, place)
    except EmbeddedError as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def commands(page: Path, heading: str) -> list[str]:
    return [command for block in blocks(page) if block.heading == heading for command in block.commands()]


@pytest.fixture(scope="module")
def deployed() -> Iterator[Operator]:
    """A shop that is deployed as the page says, up to its first tenant."""
    with operator("deployed") as someone:
        for command in commands(DEPLOY, "1. The database: roles, then revokes"):
            # Those at psql's own prompt set passwords.
            if command.startswith("createdb") or " -f " in command:
                someone.run(command)
        someone.set_passwords()
        with someone.reading() as reader:
            for block in (block for block in blocks(DEPLOY) if is_at_the_prompt(block)):
                reader.follow(block)
        yield someone


# The parts of deploy.md that are followed elsewhere: by the fixture above, below, and in tests/test_pages.py.
FOLLOWED = {"1. The database: roles, then revokes", "Managed PostgreSQL", "4. Serve", "When a call is cancelled"}


def is_at_the_prompt(block: Block) -> bool:
    return block.language != "text" and block.heading not in FOLLOWED


def test_what_is_deployed_has_its_limits_its_tenant_and_a_green_audit(deployed: Operator) -> None:
    with psycopg.connect(deployed.cluster.url("shop")) as admin:
        limit = admin.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app_tenant'").fetchone()

    assert limit == (200,)
    assert deployed.manage("tenants list").startswith("acme\tAcme\tactive")
    assert "audit: green" in deployed.audit().stdout


def test_the_audit_is_used_in_ci_as_the_page_says() -> None:
    with operator("ci") as job, job.reading() as reader:
        reader.replaced["audit.json"] = str(job.place / "audit.json")
        reader.replaced["audit.sarif"] = str(job.place / "audit.sarif")
        reader.replaced["rls.prom.new"] = str(job.place / "rls.prom.new")
        reader.replaced["/var/lib/node_exporter"] = str(job.place)
        reader.shell.run(f"export GITHUB_STEP_SUMMARY={job.place}/summary")
        before, *rest = [block for block in blocks(AUDIT) if block.language in {"sh", "console"}]
        for statement in before.statements():
            if "manage.py check" in statement:
                job.set_passwords()  # as the comment before it says
            reader.follow(replace(before, text=statement))
        for block in rest:
            levels = "--fail-on" in block.text
            if levels:
                job.run('psql -d shop -c "GRANT USAGE ON LANGUAGE sql TO PUBLIC"')  # as nobody could revoke it
            reader.follow(block)
            assert "audit: green" in reader.said or not levels

        assert json.loads((job.place / "audit.json").read_text())["findings"] == []
        assert json.loads((job.place / "audit.sarif").read_text())["version"] == "2.1.0"
        assert (job.place / "summary").stat().st_size
        assert "rls_audit_findings" in (job.place / "rls.prom").read_text()


def test_the_audit_runs_at_a_platform_that_is_served_as_the_page_says(deployed: Operator) -> None:
    [command] = [each for each in commands(DEPLOY, "4. Serve") if "-m mcp_server" in each]
    port, known = free_port(), deployed.urls() | deployed.secrets
    for name, value in re.findall(r"(\w+)=(\S+)", command):
        assert value != "..." or name in known, f"{name} is nothing that the page has made"
    written = re.sub(r"(\w+)=\.\.\.", lambda match: f"{match[1]}='{known[match[1]]}'", command)
    written = re.sub(r"PORT=\d+", f"PORT={port}", written).replace(".venv/bin/python", f"exec {sys.executable}")
    token = deployed.manage("tokens create --platform --name ops")
    log = deployed.place / "log"
    environment = deployed.environment() | {"DJANGO_SETTINGS_MODULE": "core.settings"}
    with log.open("wb") as output:
        process = subprocess.Popen(["sh", "-c", written], env=environment, stdout=output, stderr=output)

    async def story() -> Any:
        async with connected(f"http://127.0.0.1:{port}/mcp/", token) as client:
            return await client.call_tool("run_isolation_audit", {"reason": "a look"})

    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", lambda: process.poll() is not None, log)
        result = asyncio.run(story())
    finally:
        process.terminate()
        process.wait(60)

    assert not result.is_error, result.content[0].text
    assert json.loads(json.dumps(result.structured_content))["findings"] == []


def test_after_a_restore_one_command_makes_it_as_it_was_built(deployed: Operator) -> None:
    [dump], restore = commands(RESTORE, "Dump"), commands(RESTORE, "Restore")
    [mend, look] = commands(RESTORE, "Make it as it was built")
    deployed.run(dump)

    with operator("restored") as restored:
        shutil.copy(deployed.place / "shop.dump", restored.place)
        for command in restore:
            restored.run(command)
        restored.set_passwords()
        before = restored.audit()
        restored.run(mend)
        restored.run(mend)  # it changes nothing that is in place
        after = restored.run(look, **restored.urls())

        assert before.returncode == 3, "the dump holds all of it: the command is no more needed"
        assert "audit: green" in after.stdout
        assert restored.manage("tenants list").startswith("acme\tAcme\tactive")
        assert restored.manage("rls matrix") == deployed.manage("rls matrix")


def test_a_plain_dump_is_restored_too(deployed: Operator) -> None:
    [mend, look] = commands(RESTORE, "Make it as it was built")
    [plain] = re.findall(r"restored with `(psql .+?)`", RESTORE.read_text(encoding="utf-8"))
    roles = [command for command in commands(RESTORE, "Restore") if "pg_restore" not in command]
    with operator("plain") as restored:
        file = restored.place / "shop.sql"
        deployed.run(f"pg_dump -d shop --clean --if-exists -f {file}")
        for command in [*roles, plain.replace("shop.sql", str(file)), mend]:
            restored.run(command)
        restored.set_passwords()

        assert "audit: green" in restored.run(look, **restored.urls()).stdout
