"""`manage.py rls grant`, the check that asks for it, and what Django's own tables need to work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.cache.backends.db import DatabaseCache
from django.core.management import CommandError, call_command
from django.db import connections, models
from django.db.migrations import operations
from django.db.migrations.state import ProjectState

from core.development.environment import ROLES
from core.models import Product, Tenant, TenantUser
from mcp_server.tokens.models import PlatformToken
from rls import router
from rls.checks import settings as setting_checks
from rls.checks import shared
from rls.operations import RunSQLFile
from rls.schema.granted import Granted
from tests.support import programs
from tests.support.postgres import Server
from tests.support.projects import ROOT, SETTINGS, Project

pytestmark = pytest.mark.slow

DJANGO = """
INSTALLED_APPS = [
    "rls", "shop", "people", "geo",
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.sites", "django.contrib.flatpages", "django.contrib.redirects",
    "rest_framework", "rest_framework.authtoken",
]
ALLOWED_HOSTS = ["testserver"]
SITE_ID = 1
AUTH_USER_MODEL = "people.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "DIRS": [BASE_DIR],
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                 "django.contrib.auth.context_processors.auth",
                                                 "django.contrib.messages.context_processors.messages"]}}]
ROOT_URLCONF = "urls"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"},
          "more": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "MoreValues"}}
RLS_SHARED_MODELS |= dict.fromkeys([
    "people.User", "people.User_groups", "people.User_user_permissions", "admin.LogEntry", "auth.Group",
    "auth.Group_permissions", "auth.Permission", "contenttypes.ContentType", "sessions.Session", "sites.Site",
    "flatpages.FlatPage", "flatpages.FlatPage_sites", "redirects.Redirect", "authtoken.Token", "geo.Country",
    "geo.Country_neighbours"], "Not a tenant's: it's the platform's.")
"""

PEOPLE = """
from django.apps import apps
from django.contrib.auth.models import AbstractUser
from django.db import models

class User(AbstractUser):
    phone = models.CharField(max_length=20, blank=True)
"""

SHOP = """
from django.db import models
from rls.models import Keyed, Tenanted

class Tenant(Keyed):
    is_active = models.BooleanField(default=True)

class Widget(Tenanted):
    name = models.CharField(max_length=50)
    country = models.ForeignKey("geo.Country", models.PROTECT, null=True, blank=True)
"""

GEO = """
from django.db import models

class Country(models.Model):
    name = models.CharField(max_length=50)
    neighbours = models.ManyToManyField("self")

    class Meta:
        db_table = "user"
"""

URLS = """
from django.urls import path
from rls.admin import PlatformAdminSite, TenantedAdmin
from people.models import User
from shop.models import Tenant, Widget

site = PlatformAdminSite()
site.register(Tenant)
site.register(User)
class WidgetAdmin(TenantedAdmin):
    fieldsets = [("What it is", {"fields": ["name", "country"]})]

site.register(Widget, WidgetAdmin)
urlpatterns = [path("admin/", site.urls)]
"""

# What Django's own apps do, each as its documentation says, with no word about roles or connections.
DAY = """
import django
django.setup()
from django.contrib.auth import authenticate, get_user_model
from django.contrib.contenttypes.models import ContentType
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect
from django.contrib.sites.models import Site
from django.core.cache import cache, caches
from django.test import Client
from rest_framework.authtoken.models import Token
from rls import platform_context, tenant_context
from geo.models import Country
from shop.models import Tenant, Widget

User = get_user_model()
ada = User.objects.get(username="ada")
assert authenticate(username="ada", password="a long password") == ada
assert ada.has_perm("shop.add_widget") and User.objects.create_user("bob").has_perm("shop.add_widget") is False
token = Token.objects.create(user=ada)
assert Token.objects.select_related("user").get(key=token.key).user == ada

site = Site.objects.get_current()
assert site.domain == "example.com"
page = FlatPage.objects.create(url="/about/", title="About", content="us")
page.sites.add(site)
Redirect.objects.create(site=site, old_path="/old/", new_path="/about/")
browser = Client()
assert b"us" in browser.get("/about/").content
assert browser.get("/old/")["Location"] == "/about/"

land = Country.objects.create(name="Land")
land.neighbours.add(Country.objects.create(name="Sea"))
with platform_context(actor="ada", reason="day two"):
    one, other = Tenant.objects.create(), Tenant.objects.create()
for tenant in (one, other):
    with tenant_context(tenant.pk):
        cache.set(f"{tenant.pk}:n", 1)
        caches["more"].add("shared", 2)
        assert cache.get(f"{tenant.pk}:n") == 1 and caches["more"].get("shared") == 2
        assert cache.incr(f"{tenant.pk}:n") == 2
        Widget.objects.create(name="anvil", country=land)
        assert Widget.objects.select_related("country").get().country.name == "Land"
        assert ContentType.objects.get_for_model(Widget).model == "widget"
        assert ada.has_perm("shop.add_widget")
cache.clear()

assert browser.login(username="ada", password="a long password")
for url in ("/admin/", "/admin/people/user/", "/admin/shop/widget/", f"/admin/people/user/{ada.pk}/change/"):
    assert browser.get(url).status_code == 200, url
assert b'name="tenant"' in browser.get("/admin/shop/widget/add/").content
answer = browser.post("/admin/shop/widget/add/", {"tenant": str(one.pk), "name": "lathe"})
assert answer.status_code == 302, answer.content
with tenant_context(one.pk):
    lathe = Widget.objects.get(name="lathe")
page = f"/admin/shop/widget/{lathe.pk}/change/"
assert b'name="tenant"' not in (shown := browser.get(page).content) and str(one).encode() in shown
assert browser.post(page, {"tenant": str(other.pk), "name": "drill"}).status_code == 302
with tenant_context(one.pk):
    assert Widget.objects.get(pk=lathe.pk).name == "drill"
# As the serving role none of it is in reach.
from django.db import DatabaseError, connections
for table in ("people_user", "people_user_groups", "django_session", "authtoken_token", "cache", '"MoreValues"'):
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
    except DatabaseError as error:
        assert "permission denied" in str(error), error
    else:
        raise AssertionError(table)
print("a day")
"""


def make(path: Path, urls: dict[str, str]) -> Project:
    project = Project(path, urls)
    project.write("settings.py", SETTINGS + DJANGO)
    project.write("urls.py", URLS)
    project.write("flatpages/default.html", "{{ flatpage.content }}")
    for app, text in (("shop", SHOP), ("people", PEOPLE), ("geo", GEO)):
        project.write(f"{app}/__init__.py", "")
        project.write(f"{app}/models.py", text)
        project.write(f"{app}/migrations/__init__.py", "")
    return project


@pytest.fixture
def project(tmp_path: Path, postgres_server: Server) -> Project:
    """A project with apps of Django's and of a third party, and no migration; it needs no database."""
    return make(tmp_path, {variable: postgres_server.url("none", role) for variable, role in ROLES.items()})


@pytest.fixture
def live_project(tmp_path: Path, postgres_server: Server, database: str) -> Iterator[Project]:
    """The same on an empty database."""
    name = f"{database}_grants"
    postgres_server.provision(name)
    yield make(tmp_path, postgres_server.urls(name))
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def begin(project: Project) -> None:
    project.manage("makemigrations people geo", "makemigrations shop", "rls new shop.Tenant", "rls new shop.Widget")


def test_django_and_third_parties_work_by_one_command(live_project: Project) -> None:
    project = live_project
    # Nothing is asked for before there are migrations, so that they can be made.
    begin(project)
    said = project.refused("check")
    assert "HINT: manage.py rls grant people.User writes it; manage.py rls grant --all writes what every" in said
    assert "sites.Site is shared, and no SQL file lets anybody use django_site." in said
    assert "CACHES names the table MoreValues, and no SQL file lets anybody use it." in said
    assert len(re.findall(r"rls\.E021", said)) == 13

    said = project.manage("rls grant geo.Country --tenants-read", "rls grant people.User", "rls grant --all", "check")

    assert "wrote geo/migrations/0002_shared_tables_rights.py" in said
    assert "wrote people/migrations/0002_shared_tables_rights.py" in said
    # What others ship is granted in the app of the tenant model.
    assert "wrote shop/migrations/0004_shared_tables_rights.py" in said
    assert "no shared model lacks a right" in project.manage("rls grant --all")
    project.environment["DJANGO_SUPERUSER_PASSWORD"] = "a long password"
    project.manage("migrate", "createsuperuser --noinput --username ada --email ada@example.com", "migrate")
    assert "audit: green" in project.manage("rls audit")
    done = programs.run(["-c", DAY], cwd=project.path, environment=project.environment)
    assert done.stdout == "a day\n", done.stderr
    assert "Cache table 'cache' already exists" in project.manage("createcachetable")
    project.manage("clearsessions", "remove_stale_contenttypes --database owner --noinput", "showmigrations")

    # There and back again.
    project.manage("migrate shop 0003", "migrate people 0001", "migrate geo 0001")
    assert "audit: green" in project.manage("rls audit")
    project.manage("migrate")
    assert "audit: green" in project.manage("rls audit")
    written = list(project.path.rglob("*_rights.py"))
    for rule in (["format", "--check"], ["check"]):
        subprocess.run([sys.executable, "-m", "ruff", *rule, "--config", ROOT / "pyproject.toml", *written], check=True)


RENAME = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("geo", "{leaf}"), ("shop", "0001_initial")]
    operations = [
        migrations.RenameModel("Country", "Land"),
        migrations.AlterModelTable("Land", "lands"),
        migrations.RenameField("Land", "neighbours", "next_to"),
    ]
"""


def test_a_renamed_model_keeps_its_rights_and_is_declared_anew(live_project: Project) -> None:
    project = live_project
    begin(project)
    project.manage("rls grant geo.Country --tenants-read", "rls grant --all", "migrate")
    for path in ("settings.py", "geo/models.py", "shop/models.py", "urls.py"):
        text = project.read(path).replace("geo.Country_neighbours", "geo.Land_next_to").replace("Country", "Land")
        project.write(
            path, text.replace("neighbours =", "next_to =").replace('db_table = "user"', 'db_table = "lands"')
        )
    project.write("geo/migrations/0003_land.py", RENAME.format(leaf="0002_shared_tables_rights"))
    assert "No changes detected" in project.manage("makemigrations --skip-checks --check")

    said = project.refused("check")
    assert "geo.Land is shared, and no SQL file lets anybody use lands, lands_next_to." in said
    project.manage("rls grant geo.Land", "check", "migrate")

    forward = project.read("migrations_sql/0006_shared_tables_rights.sql")
    assert "SET object = 'public.lands_next_to' WHERE object = 'public.user_neighbours';" in forward
    assert "-- rls: renamed user_neighbours to lands_next_to\n" in forward
    assert "GRANT" not in forward
    assert "audit: green" in project.manage("rls audit")
    # Of what others may use nothing is lost: the table and its rights are one.
    with psycopg.connect(project.environment["OWNER_DATABASE_URL"]) as owner:
        assert owner.execute("SELECT has_table_privilege('app_tenant', 'lands', 'SELECT')").fetchone() == (True,)
        declared = "SELECT object, role_name FROM app.declared_grants WHERE reason ^@ 'Not a' AND object ^@ 'public.l'"
        assert sorted(owner.execute(declared)) == [
            ("public.lands", "app_platform"),
            ("public.lands", "app_tenant"),
            ("public.lands_next_to", "app_platform"),
            ("public.lands_next_to", "app_tenant"),
        ]
    project.manage("migrate geo 0002")
    assert "audit: green" in project.manage("rls audit")
    project.manage("migrate")
    assert "audit: green" in project.manage("rls audit")


def test_what_is_written_says_who_may_do_what(project: Project) -> None:
    begin(project)

    project.manage("rls grant people.User", "rls grant admin.LogEntry sites.Site")

    assert project.read("migrations_sql/0003_shared_tables_rights.sql") == (
        "-- 0003 shared_tables_rights: who may use what tenants have in common\n"
        "-- Afterwards the platform's role works with these tables, and what it may do there is declared; the serving "
        "role has\n-- no right on them.\n"
        "-- Needs: 0003_audit. Proved by: manage.py rls audit.\n\n"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON\n"
        "    people_user,\n    people_user_groups,\n    people_user_user_permissions\n"
        "    TO app_platform;\n\n"
        "INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES\n"
        "    ('public.people_user', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}',"
        " 'Not a tenant''s: it''s the platform''s.'),\n"
        "    ('public.people_user_groups', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}',"
        " 'Not a tenant''s: it''s the platform''s.'),\n"
        "    ('public.people_user_user_permissions', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}',"
        " 'Not a tenant''s: it''s the platform''s.')\n"
        "ON CONFLICT (object, role_name) DO UPDATE SET privileges = EXCLUDED.privileges, reason = EXCLUDED.reason;\n"
    )
    log = project.read("migrations_sql/0004_shared_tables_rights.sql")
    assert "-- It grows and is never rewritten.\nGRANT SELECT, INSERT ON django_admin_log TO app_platform;\n" in log
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON django_site TO app_platform;\n" in log
    assert "app_tenant" not in log


def test_a_relation_that_comes_later_is_granted_alone(project: Project) -> None:
    begin(project)
    project.manage("rls grant --all", "check")
    project.write(
        "geo/models.py",
        GEO.replace("    class Meta", '    seas = models.ManyToManyField("sites.Site")\n\n    class Meta'),
    )
    project.write("settings.py", project.read("settings.py") + 'RLS_SHARED_MODELS["geo.Country_seas"] = "Too."\n')
    project.manage("makemigrations geo")

    assert "geo.Country is shared, and no SQL file lets anybody use user_seas." in project.refused("check")
    project.manage("rls grant geo.Country_seas", "check")

    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON user_seas TO app_platform;" in project.read(
        "migrations_sql/0006_user_seas_rights.sql"
    )


def test_what_comes_first_is_named(project: Project) -> None:
    assert "no migration makes people.User: run makemigrations first" in project.refused("rls grant people.User")
    project.manage("makemigrations people geo")
    assert "the app of RLS_TENANT_MODEL has no migrations in this project: run makemigrations first" in project.refused(
        "rls grant sites.Site"
    )
    project.manage("makemigrations shop", "rls grant sites.Site")
    assert "sites.Site lacks nothing" in project.refused("rls grant sites.Site")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["core.Nothing"], "there is no model core.Nothing: name it as <app>.<Model>, such as auth.User"),
        (["User"], "there is no model User: name it as <app>.<Model>, such as auth.User"),
        (["core.Product"], "core.Product is not a shared model: manage.py rls new core.Product writes its rights"),
        (["core.Tenant"], "core.Tenant is not a shared model: manage.py rls new core.Tenant writes its rights"),
        (["auth.User"], "auth.User lacks nothing: SQL files grant its tables already"),
        ([], "name the models, app_label.Model ..., or use --all alone"),
        (["auth.User", "--all"], "name the models, app_label.Model ..., or use --all alone"),
        (["--all", "--tenants-read"], "name the models, app_label.Model ..., or use --all alone"),
    ],
)
def test_what_has_no_place_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=f"^{re.escape(sentence)}$"):
        call_command("rls", "grant", *arguments)


def test_a_model_without_a_reason_is_refused(settings: Any) -> None:
    settings.RLS_SHARED_MODELS = {}

    with pytest.raises(CommandError, match=re.escape('add "auth.User": "<the reason>" to RLS_SHARED_MODELS first')):
        call_command("rls", "grant", "auth.User")


def test_an_app_that_stands_too_late_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(setting_checks._commands()) == []
    late = [config for config in apps.get_app_configs() if config.name != "rls"] + [apps.get_app_config("rls")]
    monkeypatch.setattr(apps, "get_app_configs", lambda: late)

    [warning] = setting_checks._commands()

    assert (warning.id, warning.hint) == ("rls.W022", 'Put it first: INSTALLED_APPS = ["rls", ...].')


# What the SQL files grant.


def reader(tmp_path: Path, settings: Any, *texts: str) -> Granted:
    """What files with these texts grant in a project with the models geo.Country and geo.Area."""
    settings.BASE_DIR = tmp_path
    found = Granted(ProjectState())
    (tmp_path / "migrations_sql").mkdir()
    for name in ("Country", "Area"):
        fields = [("id", models.BigAutoField(primary_key=True)), ("other", models.ManyToManyField("geo.Country"))]
        found.apply(operations.CreateModel(name, fields), ("geo", "0001_initial"))
    for number, text in enumerate(texts):
        (tmp_path / "migrations_sql" / f"{number}.sql").write_text(text)
        found.apply(RunSQLFile(str(number)), ("geo", "0001_initial"))
    return found


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("GRANT SELECT ON geo_country TO app_platform;", {"geo_country"}),
        ('grant select, insert (a, b) on table public."geo_country", geo_area to app_platform, app_tenant;',
         {"geo_country", "geo_area"}),
        ("GRANT ALL ON ALL TABLES IN SCHEMA public TO app_platform;",
         {"geo_country", "geo_country_other", "geo_area", "geo_area_other"}),
        ("GRANT SELECT ON geo_area TO app_platform; REVOKE ALL ON geo_area FROM app_platform;", set()),
        ("GRANT SELECT ON geo_area TO app_platform, app_tenant; REVOKE ALL PRIVILEGES ON geo_area FROM app_tenant;",
         {"geo_area"}),
        ("GRANT SELECT ON geo_area TO app_platform; REVOKE DELETE ON geo_area FROM app_platform;", {"geo_area"}),
        ("-- GRANT SELECT ON geo_area TO app_platform;", set()),
        ("COMMENT ON TABLE geo_area IS 'GRANT SELECT ON geo_area TO app_platform';", set()),
        ("GRANT USAGE ON SEQUENCE geo_area TO app_platform; GRANT EXECUTE ON FUNCTION geo_area() TO app_platform;"
         " GRANT USAGE ON SCHEMA geo_area TO app_platform; GRANT app_tenant TO geo_area;", set()),
    ],
)  # fmt: skip
def test_a_grant_is_read_as_it_is_written(tmp_path: Path, settings: Any, sql: str, tables: set[str]) -> None:
    found = reader(tmp_path, settings, sql)

    assert set(found.roles) == tables


def test_a_grant_ends_with_its_table_and_follows_its_name(tmp_path: Path, settings: Any) -> None:
    found = reader(tmp_path, settings, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_platform;")

    # Two that change places, one that comes back, one that goes.
    found.apply(operations.RenameModel("Country", "Former"), ("geo", "0001_initial"))
    found.apply(operations.RenameModel("Area", "Country"), ("geo", "0001_initial"))
    found.apply(operations.RemoveField("Former", "other"), ("geo", "0001_initial"))
    assert {table for table in found.roles if not found.lacks(table)} == set()
    assert found.renamed == {
        "geo_former": "geo_country", "geo_country": "geo_area", "geo_country_other": "geo_area_other"
    }  # fmt: skip
    found.apply(operations.RenameModel("Country", "Area"), ("geo", "0001_initial"))
    assert not found.lacks("geo_area")
    # What is declared has followed where a file says so, in the line that `rls grant` writes.
    (tmp_path / "migrations_sql" / "1.sql").write_text("-- rls: renamed geo_country to geo_former\nUPDATE ...;")
    assert found.lacks("geo_former")
    found.apply(RunSQLFile("1"), ("geo", "0002_declared"))
    assert not found.lacks("geo_former")
    found.apply(operations.DeleteModel("Former"), ("geo", "0001_initial"))
    found.apply(
        operations.SeparateDatabaseAndState(state_operations=[operations.DeleteModel("Area")]), ("geo", "0001_initial")
    )
    assert set(found.roles) == {"geo_area", "geo_area_other"}


# Which connection.


def test_what_is_of_the_platform_is_read_there() -> None:
    of_platform = [User, User.groups.through, Group, DatabaseCache("values", {}).cache_model_class]
    of_tenants = [Product, Tenant, PlatformToken]

    routes = router.RoleRouter()
    assert {routes.db_for_read(model) for model in of_platform} == {"platform"}
    assert {routes.db_for_write(model) for model in of_tenants} == {"default"}


def test_users_are_of_the_platform_wherever_their_model_is(settings: Any) -> None:
    settings.AUTH_USER_MODEL = "mcp_tokens.PlatformToken"
    assert router.RoleRouter().db_for_read(PlatformToken) == "platform"

    settings.AUTH_USER_MODEL = "core.TenantUser"  # of a tenant: each knows its own
    assert router.RoleRouter().db_for_read(TenantUser) == "default"


def test_a_historical_model_and_a_proxy_take_the_connection_of_their_table() -> None:
    historical = ProjectState.from_apps(apps).apps.get_model("auth", "User")

    assert router.is_of_platform(historical)
    assert router.is_of_platform(historical.groups.through)
    assert not router.is_of_platform(ProjectState.from_apps(apps).apps.get_model("core", "Product"))


# Which migrations have run.


@pytest.mark.django_db
def test_every_role_reads_which_migrations_have_run(database: str) -> None:
    for alias in ("default", "platform", "owner"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT count(*) > 0 FROM django_migrations")
            assert cursor.fetchone() == (True,)


def test_a_shared_table_of_this_project_that_nobody_may_use_is_named(tmp_path: Path, settings: Any) -> None:
    shutil.copytree("migrations_sql", tmp_path / "migrations_sql")
    settings.BASE_DIR = tmp_path
    file = tmp_path / "migrations_sql" / "0011_django_tables.sql"
    file.write_text(file.read_text().replace("    auth_user_groups,\n", ""))

    [error] = shared.check_shared(None)

    assert error.id == "rls.E021"
    assert error.msg == "auth.User is shared, and no SQL file lets anybody use auth_user_groups."
