"""Other people's Django projects that use rls, in miniature."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support import programs

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

RUN = """
import importlib, sys, warnings
from django.core.management import execute_from_command_line

warnings.simplefilter("ignore", RuntimeWarning)
for command in sys.argv[1:]:
    importlib.invalidate_caches()
    execute_from_command_line(["manage.py", *command.split()])
"""


class Project:
    """Another Django project that uses rls, in a directory of its own."""

    def __init__(self, path: Path, urls: dict[str, str]) -> None:
        self.path = path
        self.environment = (
            os.environ
            | urls
            | {
                "DJANGO_SETTINGS_MODULE": "settings",
                "PYTHONPATH": f"{path}:{ROOT}",
                # Bytecode is good for a module of the same size and second, and tests write theirs anew.
                "PYTHONDONTWRITEBYTECODE": "1",
            }
        )

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
        done = programs.run(["-c", RUN, *commands], cwd=self.path, environment=self.environment)
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
    done = programs.run(["-c", ISOLATION], cwd=project.path, environment=project.environment)
    assert done.stdout == "isolated\n", done.stderr
    return True
