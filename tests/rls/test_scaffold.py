"""`manage.py rls new`: it writes what a model lacks, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from core.development import ROLES
from rls import scaffold
from rls.policies import policies
from tests.postgres import Server

ROOT = Path.cwd()

SETTINGS = """
import os
from pathlib import Path
from urllib.parse import urlsplit

def database(variable, engine):
    url = urlsplit(os.environ[variable])
    return {"ENGINE": engine, "NAME": url.path[1:], "USER": url.username, "PASSWORD": url.password,
            "HOST": url.hostname, "PORT": url.port}

BASE_DIR = Path(__file__).parent
SECRET_KEY = "only-for-tests-and-for-nothing-else"
INSTALLED_APPS = ["rls", "shop", "reviews"]
DATABASES = {
    "default": database("DATABASE_URL", "rls.backends.postgresql"),
    "platform": database("PLATFORM_DATABASE_URL", "rls.backends.postgresql"),
    "owner": database("OWNER_DATABASE_URL", "rls.backends.owner"),
}
DATABASE_ROUTERS = ["rls.router.RoleRouter"]
RLS_TENANT_MODEL = "shop.Tenant"
RLS_SHARED_MODELS = {"shop.Tenant": "The root of isolation."}
USE_TZ = True
"""

SHOP = """
from django.db import models
from rls.models import Keyed, Tenanted

class Tenant(Keyed):
    is_active = models.BooleanField(default=True)

class Widget(Tenanted):
    name = models.CharField(max_length=50)
"""

REVIEWS = """
from django.db import models
from rls.models import Tenanted

class Review(Tenanted):
    widget = models.ForeignKey("shop.Widget", models.CASCADE, db_constraint=False, related_name="+")
"""

LATER = """\
    instead_of = models.ForeignKey("shop.Widget", models.CASCADE, db_constraint=False, null=True, related_name="+")
"""

MIGRATION = """\
from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("reviews", "0001_initial"),
        ("shop", "0003_widget_isolation"),
    ]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0003_reviews_review"),
    ]
"""

REVIEW_SQL = """\
-- 0003 reviews_review: tenant isolation
-- Afterwards a row is visible and writable only inside its own tenant, and what it refers to is of that tenant.
-- Needs: 0002_shop_widget. Proved by: manage.py rls audit.

{policies}
-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.
ALTER TABLE reviews_review ADD CONSTRAINT reviews_review_tenant_key UNIQUE (tenant_id, id);

ALTER TABLE reviews_review ADD CONSTRAINT reviews_review_widget_id_tenant_fkey
    FOREIGN KEY (tenant_id, widget_id) REFERENCES shop_widget (tenant_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON reviews_review TO app_tenant, app_platform;
"""

REVIEW_REVERT = """\
-- Reverts 0003 reviews_review: no policy is left, so nobody but a superuser sees a row.
ALTER TABLE reviews_review DROP CONSTRAINT reviews_review_widget_id_tenant_fkey;
ALTER TABLE reviews_review DROP CONSTRAINT reviews_review_tenant_key;
REVOKE ALL ON reviews_review FROM app_tenant, app_platform;
DROP POLICY owner_migration ON reviews_review;
DROP POLICY platform_access ON reviews_review;
DROP POLICY tenant_isolation ON reviews_review;
"""

KEY_SQL = """\
-- 0004 reviews_review_instead_of_id: keys that hold the tenant
-- Afterwards what a row refers to is of its own tenant.
-- Needs: 0002_shop_widget. Proved by: manage.py rls audit.

ALTER TABLE reviews_review ADD CONSTRAINT reviews_review_instead_of_id_tenant_fkey
    FOREIGN KEY (tenant_id, instead_of_id) REFERENCES shop_widget (tenant_id, id);
"""


RUN = """
import importlib, sys
from django.core.management import execute_from_command_line

for command in sys.argv[1:]:
    importlib.invalidate_caches()
    execute_from_command_line(["manage.py", *command.split()])
"""


class Project:
    """Another Django project that uses rls, in a directory of its own."""

    def __init__(self, path: Path, urls: dict[str, str]) -> None:
        self.path = path
        self.environment = os.environ | urls | {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{path}:{ROOT}"}

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def files(self) -> set[str]:
        """Every source file, by its path."""
        return {str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.suffix in (".py", ".sql")}

    def run(self, *commands: str) -> tuple[bool, str]:
        """Whether `manage.py <command>` succeeds for each, in one process, and what they say."""
        command = [sys.executable, "-W", "ignore::RuntimeWarning", "-c", RUN, *commands]
        done = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    def manage(self, *commands: str) -> str:
        is_done, said = self.run(*commands)
        assert is_done, said
        return said

    def refused(self, command: str) -> str:
        is_done, said = self.run(command)
        assert not is_done, said
        return said


def make(path: Path, urls: dict[str, str]) -> Project:
    project = Project(path, urls)
    project.write("settings.py", SETTINGS)
    for app, text in (("shop", SHOP), ("reviews", "")):
        project.write(f"{app}/__init__.py", "")
        project.write(f"{app}/models.py", text)
        project.write(f"{app}/migrations/__init__.py", "")
    return project


@pytest.fixture
def project(tmp_path: Path, postgres_server: Server) -> Project:
    """A project with two models and no migration for them; it needs no database."""
    return make(tmp_path, {variable: postgres_server.url("none", role) for variable, role in ROLES.items()})


@pytest.fixture
def live_project(tmp_path: Path, postgres_server: Server, database: str) -> Iterator[Project]:
    """The same on an empty database."""
    name = f"{database}_scaffold"
    postgres_server.provision(name)
    yield make(tmp_path, postgres_server.urls(name))
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_whole_story_of_a_model(live_project: Project) -> None:
    project = live_project
    # No SQL is asked for before makemigrations, which runs the checks.
    project.manage("makemigrations shop")

    said = project.refused("check")
    assert "HINT: manage.py rls new shop.Tenant writes it." in said
    assert "HINT: manage.py rls new shop.Widget writes it." in said
    assert "migrations_sql/0001_shop_tenant.sql" in project.manage("rls new shop.Tenant")
    project.manage("rls new shop.Widget", "check")

    project.write("reviews/models.py", REVIEWS)
    project.manage("makemigrations reviews")
    assert "HINT: manage.py rls new reviews.Review writes it." in project.refused("check")
    before = project.files()
    project.manage("rls new reviews.Review", "check")
    assert project.files() - before == {
        "migrations_sql/0003_reviews_review.sql",
        "migrations_sql/0003_reviews_review.revert.sql",
        "reviews/migrations/0002_review_isolation.py",
    }
    assert project.read("reviews/migrations/0002_review_isolation.py") == MIGRATION
    assert project.read("migrations_sql/0003_reviews_review.sql") == REVIEW_SQL.format(
        policies=policies("reviews_review")
    )
    assert project.read("migrations_sql/0003_reviews_review.revert.sql") == REVIEW_REVERT
    assert "CREATE POLICY tenant_isolation ON reviews_review" in project.manage(
        "sqlmigrate reviews 0002 --database owner"
    )

    project.write("reviews/models.py", REVIEWS + LATER)
    project.manage("check", "makemigrations reviews -n later")
    said = project.refused("check")
    assert "System check identified 1 issue" in said
    assert (
        "HINT: ALTER TABLE reviews_review ADD CONSTRAINT reviews_review_instead_of_id_tenant_fkey FOREIGN KEY "
        "(tenant_id, instead_of_id) REFERENCES shop_widget (tenant_id, id); "
        "manage.py rls new reviews.Review writes it."
    ) in said
    project.manage("rls new reviews.Review", "check")
    assert project.read("migrations_sql/0004_reviews_review_instead_of_id.sql") == KEY_SQL
    assert "reviews.Review lacks nothing" in project.refused("rls new reviews.Review")

    project.manage("migrate")
    assert isolates(project)
    project.manage("migrate reviews zero", "migrate shop zero", "migrate")
    assert isolates(project)
    written = list(project.path.rglob("*_isolation.py"))
    assert len(written) == 4
    for rule in (["format", "--check"], ["check"]):
        subprocess.run([sys.executable, "-m", "ruff", *rule, "--config", ROOT / "pyproject.toml", *written], check=True)


ISOLATION = """
import uuid, django
django.setup()
from django.db import DatabaseError, IntegrityError
from rls import platform_context, tenant_context
from reviews.models import Review
from shop.models import Tenant, Widget

with platform_context(actor="tests", reason="arrange"):
    one, other = Tenant.objects.create(), Tenant.objects.create()
with tenant_context(one.id):
    widget = Widget.objects.create(name="w")
    Review.objects.create(widget=widget, instead_of=widget)
    assert [*Tenant.objects.all()] == [one] and Review.objects.count() == 1
with tenant_context(other.id):
    assert [*Tenant.objects.all()] == [other] and Review.objects.count() == Widget.objects.count() == 0
    mine = Widget.objects.create(name="mine")
    for foreign in ({"widget": widget}, {"widget": mine, "instead_of": widget}):
        try:
            Review.objects.create(**foreign)
        except IntegrityError as error:
            assert "tenant_fkey" in str(error)
        else:
            raise AssertionError(foreign)
    try:
        Tenant.objects.update(is_active=False)
    except DatabaseError as error:
        assert "permission denied" in str(error)
    else:
        raise AssertionError("a tenant changed its own row")
try:
    Review.objects.count()
except DatabaseError:
    print("isolated")
"""


def isolates(project: Project) -> bool:
    """Whether rows of one tenant are out of another's reach, asked as the serving role."""
    command = [sys.executable, "-c", ISOLATION]
    done = subprocess.run(
        command, cwd=project.path, env=project.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "isolated\n", done.stderr
    return True


def test_what_comes_first_is_named(project: Project) -> None:
    project.write("reviews/models.py", REVIEWS)
    before = project.files()
    assert "no migration makes shop.Widget: run makemigrations first" in project.refused("rls new shop.Widget")

    project.manage("makemigrations")
    assert "shop.Widget has no UNIQUE (tenant_id, id) yet: run manage.py rls new shop.Widget first" in project.refused(
        "rls new reviews.Review"
    )

    project.manage("rls new shop.Widget", "rls new reviews.Review")
    project.write("reviews/models.py", REVIEWS + LATER)
    assert "no migration makes reviews.Review.instead_of: run makemigrations first" in project.refused(
        "rls new reviews.Review"
    )
    assert {name for name in project.files() - before if name.endswith(".sql")} == {
        "migrations_sql/0001_shop_widget.sql",
        "migrations_sql/0001_shop_widget.revert.sql",
        "migrations_sql/0002_reviews_review.sql",
        "migrations_sql/0002_reviews_review.revert.sql",
    }

    project.write("shop/migrations/0002_other.py", project.read("shop/migrations/0002_widget_isolation.py"))
    assert (
        "shop has several leaf migrations, 0002_other, 0002_widget_isolation: "
        "run manage.py makemigrations --merge first"
    ) in project.refused("rls new shop.Tenant")
    # Django speaks of it, and the checks stay out of its way.
    project.manage("check")


CIRCLE = """
from django.db import models
from rls.models import Tenanted

class Team(Tenanted):
    leader = models.ForeignKey("Player", models.CASCADE, db_constraint=False, null=True, related_name="+")
    parent = models.ForeignKey("self", models.CASCADE, db_constraint=False, null=True, related_name="+")

class Player(Tenanted):
    team = models.ForeignKey(Team, models.CASCADE, db_constraint=False)

    class Meta:
        db_table = "user"
"""


def test_models_that_refer_to_each_other_take_turns(live_project: Project) -> None:
    project = live_project
    project.write("reviews/models.py", CIRCLE)
    project.manage("makemigrations", "rls new shop.Tenant", "rls new shop.Widget")

    # The constraint on the leader waits until the table of players has its key.
    project.manage("rls new reviews.Team")
    assert "reviews.Player" in project.refused("rls new reviews.Team")
    project.manage("rls new reviews.Player", "rls new reviews.Team")

    project.manage("check")
    assert 'FOREIGN KEY (tenant_id, leader_id) REFERENCES "user" (tenant_id, id)' in project.read(
        "migrations_sql/0005_reviews_team_leader_id.sql"
    )
    project.manage("migrate", "migrate reviews zero", "migrate")


def test_a_parent_whose_file_has_no_key_gets_it(project: Project) -> None:
    project.manage("makemigrations", "rls new shop.Tenant", "rls new shop.Widget")
    by_hand = project.read("migrations_sql/0002_shop_widget.sql")
    project.write("migrations_sql/0002_shop_widget.sql", re.sub(r"ALTER TABLE \w+ ADD .*\n", "", by_hand))
    project.manage("check")
    project.write("reviews/models.py", REVIEWS)
    project.manage("makemigrations")

    project.manage("rls new shop.Widget", "rls new reviews.Review")

    project.manage("check")
    assert project.read("migrations_sql/0003_shop_widget_tenant_key.sql") == (
        "-- 0003 shop_widget_tenant_key: keys that hold the tenant\n"
        "-- Afterwards what refers to a row is of its tenant.\n"
        "-- Needs: 0002_shop_widget. Proved by: manage.py rls audit.\n\n"
        "-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.\n"
        "ALTER TABLE shop_widget ADD CONSTRAINT shop_widget_tenant_key UNIQUE (tenant_id, id);\n"
    )


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("core.Nothing", "there is no model core.Nothing: say <app>.<Model>, such as core.Product"),
        ("Product", "there is no model Product: say <app>.<Model>, such as core.Product"),
        ("core.PlatformToken", r"core.PlatformToken is shared \(RLS_SHARED_MODELS\): it has no policies"),
        ("core.Product", "core.Product lacks nothing"),
        ("core.Tenant", "core.Tenant lacks nothing"),
    ],
)
def test_a_model_that_lacks_nothing_or_has_no_place_is_refused(label: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=f"^{sentence}$"):
        call_command("rls", "new", label)


def test_a_model_that_is_neither_is_refused(settings: Any) -> None:
    settings.RLS_SHARED_MODELS = {}

    with pytest.raises(CommandError, match=r"auth\.User is not tenanted: derive it from rls\.models\.Tenanted first"):
        scaffold.new("auth.User")


def test_a_missing_file_is_not_written_anew(tmp_path: Path, settings: Any) -> None:
    shutil.copytree("migrations_sql", tmp_path / "migrations_sql")
    (tmp_path / "migrations_sql" / "0006_core_product.sql").unlink()
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError, match=r"0006_core_product\.sql is missing: restore it first"):
        scaffold.new("core.Product")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    files = {tmp_path / "sql" / "one": "1", tmp_path / "there": "2"}

    with pytest.raises(CommandError, match="nothing was written"):
        scaffold._write(files)

    assert list((tmp_path / "sql").iterdir()) == []
    assert (tmp_path / "there").read_text() == "mine"


def test_a_projects_first_file_is_0001(tmp_path: Path, settings: Any) -> None:
    settings.BASE_DIR = tmp_path

    assert scaffold._next_number() == 1
    scaffold._write({tmp_path / "migrations_sql" / "0001_core_product.sql": ""})
    assert scaffold._next_number() == 2
