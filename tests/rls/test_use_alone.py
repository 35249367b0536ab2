"""The library alone: its wheel in another Django project, which docs/how-to/use-rls-alone.md is the text of."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from rls import audit
from rls.embedded.binaries import EmbeddedError, find_binaries
from rls.files import SQL_DIRECTORY
from rls.testing.server import LOGIN_ROLES
from tests.support.postgres import Server

DOCUMENT = Path("docs/how-to/use-rls-alone.md")

# A block, and the file (or `manage.py shell`) that is named before it.
BLOCK = re.compile(r"(?:`([\w./ ]+)`:\n\n)?```(\w+)\n(.*?)```", re.DOTALL)

# What `django-admin startproject` writes, with the modules at the root.
SETTINGS = """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "only-for-tests-and-for-nothing-else-but-tests-of-ours"
DEBUG = True
ALLOWED_HOSTS = []
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""


URLS = """\
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""

MANAGE = """\
import os, sys
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
"""

# Each test says in its name what becomes of it.
OTHERS = """
import pytest
from django.db.migrations.loader import MigrationLoader
from django.test import SimpleTestCase, TestCase, TransactionTestCase

import rls
from rls.testing import as_role, assert_isolated
from shop.models import Tenant, Widget

def committed():
    with as_role("app_owner") as connection:
        connection.execute("SET app.migrating = 'on'")
        return connection.execute("SELECT name FROM shop_tenant ORDER BY name").fetchall()

def make():
    assert committed() == []
    with rls.platform_context(actor="tests", reason="arrange"):
        Tenant.objects.create(name="mine")
    assert committed() == [("mine",)]

@pytest.mark.django_db
def test_passes_marked():
    make()

@pytest.mark.django_db(transaction=True)
def test_passes_transaction():
    make()

@pytest.mark.django_db(databases=["default"], reset_sequences=True)
def test_passes_databases():
    make()

def test_passes_db(db):
    make()

def test_passes_transactional_db(transactional_db):
    make()

def test_passes_live_server(live_server):
    make()

def test_passes_whatever_the_order(tenant_context, other_tenant, tenant):
    assert committed() == [("other-tenant",), ("tenant",)]

def test_passes_one_tenant(tenant_context):
    Widget.objects.create(name="anvil")
    with pytest.raises(AssertionError, match="rows of 1 tenant"):
        assert_isolated(Widget)

def test_passes_plain():
    assert 1 + 1 == 2

def test_passes_and_says_where(django_db_setup):
    print("database:", django_db_setup)

def test_fails_unmarked():
    Tenant.objects.count()

def test_fails_unmarked_as_role():
    committed()

class TestErrorsTestCase(TestCase):
    def test_errors_test_case(self): pass

class TestErrorsTransactionTestCase(TransactionTestCase):
    def test_errors_transaction_test_case(self): pass

class TestSimple(SimpleTestCase):
    def test_passes_simple(self): pass
"""

OUR_OWN = """
import pytest
from django.db.migrations.loader import MigrationLoader
from shop.models import Tenant

@pytest.fixture
def make_tenant():
    return lambda name: Tenant.objects.create(name=f"our {name}")

def test_a_maker_of_our_own(tenant):
    assert tenant.name == "our tenant"
"""

MORE = """
import pytest
from django.db.migrations.loader import MigrationLoader
from shop.models import Tenant

@pytest.fixture
def make_tenant(make_tenant, monkeypatch):
    monkeypatch.setattr(Tenant._meta.get_field("is_active"), "default", None)
    return make_tenant

def test_a_model_that_needs_more(tenant):
    pass
"""

# The second model of the second day, under another name, with another field.
RENAMED = """
class Component(Tenanted):
    widget = models.ForeignKey(Widget, on_delete=models.CASCADE, db_constraint=False, related_name="components")
    serial = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "serial"], name="part_number_unique")]
"""

RENAME = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("shop", "{leaf}")]
    operations = [
        migrations.RemoveConstraint("Part", "part_number_unique"),
        migrations.RenameField("Part", "number", "serial"),
        migrations.RenameModel("Part", "Component"),
        migrations.AlterField(
            "Component",
            "widget",
            models.ForeignKey("shop.Widget", models.CASCADE, db_constraint=False, related_name="components"),
        ),
        migrations.AddConstraint(
            "Component", models.UniqueConstraint(fields=["tenant", "serial"], name="part_number_unique")
        ),
    ]
"""


class Browser:
    """Fills in forms, with cookies and Django's token."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies = CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.cookies))

    def get(self, path: str) -> str:
        return str(self.opener.open(self.base + path, timeout=300).read().decode())

    def post(self, path: str, **data: str) -> str:
        self.get(path)
        token = next(cookie.value or "" for cookie in self.cookies if cookie.name == "csrftoken")
        body = urlencode(data | {"csrfmiddlewaretoken": token}).encode()
        return str(self.opener.open(self.base + path, body, timeout=300).read().decode())


class Project:
    """Another Django project, in a directory of its own, with the library as its wheel has it."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.path = path
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_", "DJANGO"))}
        self.environment = kept | environment

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | more
        return subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def succeed(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[Browser]:
        """`manage.py runserver`, and a browser in front of it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{probe.getsockname()[1]}"
        log = self.path / "runserver.log"
        with log.open("w") as output:
            command = [sys.executable, "manage.py", "runserver", "--noreload", place]
            server = subprocess.Popen(command, cwd=self.path, env=self.environment, stdout=output, stderr=output)
        try:
            browser = Browser(f"http://{place}")
            deadline = time.monotonic() + 120
            while True:
                try:
                    browser.get("/admin/login/")
                    break
                except URLError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise AssertionError(log.read_text()) from None
                    time.sleep(0.1)
            yield browser
        finally:
            server.terminate()
            server.wait()
        assert "Traceback" not in log.read_text(), log.read_text()
        assert "unapplied migration" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the wheel holds: of pure Python, it is installed by unpacking."""
    directory = tmp_path_factory.mktemp("site-packages")
    zipfile.ZipFile(wheel).extractall(directory)
    return directory


@pytest.fixture(scope="module")
def project(
    installed: Path, tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, database: str
) -> Iterator[Project]:
    """A project before its first line about tenants."""
    path = tmp_path_factory.mktemp("project")
    place = {name: str(value) for name, value in conninfo_to_dict(postgres_server.admin_url).items()}
    name = f"{database}_alone"
    project = Project(
        path,
        {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), *programs(), os.environ["PATH"]]),
            "PYTHONPATH": f"{path}:{installed}:{os.environ.get('PYTHONPATH', '')}",
            "PGHOST": place["host"],
            "PGPORT": place.get("port", "5432"),
            "PGDATABASE": name,
            "PGUSER": place["user"],
            "PGPASSWORD": place["password"],
            "TEST_DATABASE_URL": postgres_server.admin_url,
            **{f"{role.upper()}_PASSWORD": postgres_server.password(role) for role in LOGIN_ROLES},
        },
    )
    project.write("settings.py", SETTINGS)
    project.write("urls.py", URLS)
    project.write("manage.py", MANAGE)
    project.write("shop/__init__.py", "")
    yield project
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        for made in (name, *(template for template, _ in templates(admin, path))):
            admin.execute(f"ALTER DATABASE {made} IS_TEMPLATE false")
            admin.execute(f"DROP DATABASE {made} WITH (FORCE)")


def programs() -> list[str]:
    """Where psql and createdb are, if not on the PATH."""
    try:
        return [str(find_binaries().directory)]
    except EmbeddedError:
        return []


def templates(admin: psycopg.Connection, path: Path) -> list[tuple[str, int]]:
    """The names and the oids of the templates of the project at `path`."""
    found = admin.execute(
        "SELECT datname, oid FROM pg_database WHERE datistemplate AND shobj_description(oid, 'pg_database') = %s",
        [f"rls.testing, {path}"],
    )
    return found.fetchall()


@pytest.fixture(scope="module")
def told(project: Project, postgres_server: Server) -> list[str]:
    """What the blocks of the document print, one after the other."""
    said = []
    for name, language, text in BLOCK.findall(DOCUMENT.read_text()):
        if language == "sh":
            with psycopg.connect(postgres_server.admin_url) as admin:
                if "psql" in text:
                    # Roles are the cluster's: whoever changes them takes turns.
                    admin.execute("LOCK TABLE pg_authid IN EXCLUSIVE MODE")
                said.append(project.succeed("bash", "-ec", text))
        elif name.endswith(" shell"):
            said.append(project.succeed(sys.executable, "manage.py", "shell", "-c", text))
        else:
            before = project.path / name
            project.write(name, (before.read_text() if before.exists() else "") + text)
    return said


def test_the_document_runs_as_it_stands(told: list[str], project: Project) -> None:
    roles, audited, used, superuser, tested, second_day = told

    assert "CREATE EVENT TRIGGER" in roles
    assert audited.rstrip().endswith("audit: green")
    assert used.rstrip().endswith("isolated")
    assert "Superuser created successfully." in superuser
    assert second_day.rstrip().endswith("audit: green")
    assert re.findall(r"\d+ \w+ in", tested) == ["3 passed in", "3 passed in"]
    assert "core" not in project.succeed(sys.executable, "-c", "import rls; print(rls.__file__)")


def test_it_lives_a_second_day(told: list[str], project: Project) -> None:
    def manage(*arguments: str) -> str:
        return project.succeed(sys.executable, "manage.py", *arguments)

    models = project.path / "shop" / "models.py"
    leaf = sorted(path.stem for path in (project.path / "shop" / "migrations").glob("0*.py"))[-1]
    models.write_text(models.read_text().partition("class Part(")[0] + RENAMED)
    project.write("shop/migrations/0099_component.py", RENAME.format(leaf=leaf))

    assert "No changes detected" in manage("makemigrations")
    assert "[ ] 0099_component" in manage("showmigrations", "shop")
    manage("migrate")
    assert "[X] 0099_component" in manage("showmigrations")
    for alias in ("default", "platform", "owner"):
        manage("check", "--database", alias)
        manage("migrate", "--check", "--database", alias)
    assert manage("rls", "audit").rstrip().endswith("audit: green")

    with project.serving() as browser:
        assert "Please enter the correct username" in browser.post("/admin/login/", username="ada", password="no")
        assert "Site administration" in browser.post(
            "/admin/login/?next=/admin/", username="ada", password="only-for-this-example"
        )
        tenants = re.findall(r"/admin/shop/tenant/([\w-]{36})/change/", browser.get("/admin/shop/tenant/"))
        added = browser.post("/admin/shop/widget/add/", tenant=tenants[0], name="lathe")
        assert "was added successfully" in added
        assert "This field is required." in browser.post("/admin/shop/widget/add/", tenant="", name="lathe")
        [page] = re.findall(r'href="(/admin/shop/widget/[\w-]{36}/)change/">[^<]+</a>” was added', added)
        assert "was changed successfully" in browser.post(f"{page}change/", name="drill")
        assert "was deleted successfully" in browser.post(f"{page}delete/", post="yes")
        assert page.split("/")[-2] in browser.get("/admin/")  # of its log
        assert "was added successfully" in browser.post("/admin/auth/group/add/", name="readers")
        assert "already exists" in browser.post("/admin/auth/group/add/", name="readers")


def test_a_changed_migration_makes_another_template(
    told: list[str], project: Project, admin: psycopg.Connection
) -> None:
    [before] = templates(admin, project.path)
    [path] = (project.path / "migrations_sql").glob("*shop_widget.sql")
    path.write_text(path.read_text() + "-- later\n")

    project.succeed(sys.executable, "-m", "pytest", "-q", "test_widgets.py")

    [after] = templates(admin, project.path)
    assert after != before


def test_every_mark_commits_and_what_cannot_work_says_so(
    told: list[str], project: Project, admin: psycopg.Connection
) -> None:
    project.run(sys.executable, "-m", "pytest", "-q", "test_widgets.py")  # whatever has changed the project before
    before = templates(admin, project.path)
    project.write("test_others.py", OTHERS)
    project.write("test_our_own.py", OUR_OWN)
    project.write("test_more.py", MORE)

    done = project.run(sys.executable, "-m", "pytest", "-v", "-rP", "test_others.py", "test_our_own.py", "test_more.py")

    # The template is that of the first run, and the clone is gone.
    assert len(before) == 1
    assert templates(admin, project.path) == before
    clone = re.findall(r"^database: (test_\w+)$", done.stdout, re.MULTILINE)
    assert len(clone) == 1
    assert admin.execute("SELECT FROM pg_database WHERE datname = %s", clone).fetchone() is None
    outcomes = re.findall(r"::test_(passes|fails|errors)\w* (PASSED|FAILED|ERROR)", done.stdout)
    assert len(outcomes) == 15, done.stdout
    assert set(outcomes) == {("passes", "PASSED"), ("fails", "FAILED"), ("errors", "ERROR")}, done.stdout
    assert "test_a_maker_of_our_own PASSED" in done.stdout
    assert "test_a_model_that_needs_more ERROR" in done.stdout
    assert "shop.Tenant needs more than a name" in done.stdout
    assert "override the fixture make_tenant" in done.stdout
    assert "Database access not allowed" in done.stdout
    assert "TestErrorsTestCase is a TestCase of Django's, whose rows other roles would not see" in done.stdout


def test_a_missing_server_is_one_sentence(told: list[str], project: Project) -> None:
    done = project.run(sys.executable, "-m", "pytest", "-q", "test_widgets.py", TEST_DATABASE_URL="")

    assert done.returncode == 1
    assert "the tests need a PostgreSQL server: set TEST_DATABASE_URL" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_library_finds_its_files_in_the_wheel(wheel: Path, installed: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    files = {str(path.relative_to(SQL_DIRECTORY)) for path in SQL_DIRECTORY.rglob("*.sql")}
    code = (
        "from rls import audit, files, provision; import rls.operations\n"
        "assert [path.exists() for path in provision.FILES] == [True, True]\n"
        "print(files.SQL_DIRECTORY, len(audit.rules()), len(audit.install_sql()))"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}

    said = subprocess.run(
        [sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True, check=True
    )

    assert {name.removeprefix("rls/sql/") for name in names if name.startswith("rls/sql/")} == files
    assert said.stdout.split() == [
        str(installed / "rls" / "sql"),
        str(len(audit.rules())),
        str(len(audit.install_sql())),
    ]
