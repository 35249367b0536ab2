"""The operations that write the server's SQL for a project's own models, whatever these are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter

from mcp_server.operations import Announce, InstallResolver
from mcp_server.operations.names import identifier, literal, table_of
from tests.support import programs
from tests.support.postgres import Server
from tests.support.projects import SETTINGS, Project

pytestmark = pytest.mark.slow

# Names that are nothing without their quotes, and another field in the URL than the example's.
MODELS = """
from django.db import models
from rls.models import Keyed, Tenanted

class Clinic(Keyed):
    handle = models.CharField(max_length=20, unique=True, db_column="Name in URL")
    alias = models.SlugField(unique=True)
    is_active = models.BooleanField(default=True)
    is_open = models.BooleanField(default=True, db_column="Open?")

    class Meta:
        db_table = "OurClinics"

class Preference(Tenanted):
    speech = models.CharField(max_length=10, db_column="select")
    zone = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant"], name="one_a_clinic")]

class Ward(Tenanted):
    name = models.CharField(max_length=20)

    class Meta:
        db_table = "Ward-List"
"""

MIGRATION = """\
from django.db import migrations
from mcp_server.operations import Announce, InstallResolver

class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = {operations}
"""

OPERATIONS = """[
    InstallResolver(
        tenant="care.Clinic",
        slug="handle",
        active="is_open",
        locale="care.Preference.speech",
        time_zone="care.Preference.zone",
        default_locale="it's",
    ),
    Announce("Ward"),
    Announce("care.Clinic"),
]"""

CLINICS = """
import django
django.setup()
from care.models import Clinic
from rls import platform_context

with platform_context(actor="tests", reason="arrange"):
    for name in ("north", "south"):
        print(Clinic.objects.create(handle=name, alias=name[0]).id)
"""

STORY = """
import django
django.setup()
from django.db import ProgrammingError
from care.models import Clinic, Preference, Ward
from mcp_server.tokens import resolver, tokens
from rls import platform_context, tenant_context

with platform_context(actor="tests", reason="arrange"):
    north, south = (Clinic.objects.get(handle=handle) for handle in ("north", "south"))
    token = tokens.create(name="ward round", slug="north", scopes=["wards:read"])
    of_south = tokens.create(name="other", slug="south", scopes=[])
    operator = tokens.create(name="operator", slug=None, scopes=["wards:read"])

def told(slug):
    found = resolver.authenticate(token, slug=slug)
    return found and (found.name, found.tenant_id == north.id, found.slug, found.locale, found.time_zone, *found.scopes)

assert told("north") == ("ward round", True, "north", "it's", "UTC", "wards:read"), told("north")
assert told("south") is told("n") is told("") is None
assert resolver.authenticate(of_south, slug="south").tenant_id == south.id
assert resolver.authenticate_platform(operator).tenant_id is None
with tenant_context(south.id):
    Ward.objects.create(name="one")
with tenant_context(north.id):
    Preference.objects.create(speech="de", zone="Europe/Berlin")
    Ward.objects.create(name="one")
    Ward.objects.update(name="two")
    for ask in (lambda: resolver.authenticate(of_south, slug="south"), lambda: resolver.open_endpoint("south")):
        try:
            ask()
        except ProgrammingError as error:
            assert "before a tenant context is open" in str(error)
        else:
            raise AssertionError("the resolver answered inside a tenant context")
assert told("north")[3:5] == ("de", "Europe/Berlin")
assert resolver.authenticate(of_south, slug="south").locale == "it's"
with platform_context(actor="tests", reason="arrange"):
    Ward.objects.update(name="three")  # in both
    Clinic.objects.filter(handle="north").update(is_open=False)
assert told("north") is resolver.open_endpoint("north") is None
"""


@pytest.fixture
def clinic(tmp_path: Path, postgres_server: Server, database: str) -> Iterator[Project]:
    """Another project's models with their policies, and the operations in its last migration, on an empty database."""
    name = f"{database}_clinic"
    postgres_server.provision(name)
    project = Project(tmp_path, postgres_server.urls(name))
    project.write(
        "settings.py",
        SETTINGS.replace('"shop", "reviews"', '"care", "mcp_server", "mcp_server.tokens", "mcp_server.ledger"')
        .replace(
            '{"shop.Tenant": "The root of isolation."}',
            '{"care.Clinic": "The root of isolation.", "mcp_tokens.PlatformToken": "Tokens of the platform."}',
        )
        .replace('RLS_TENANT_MODEL = "shop.Tenant"', 'RLS_TENANT_MODEL = "care.Clinic"'),
    )
    project.write("care/__init__.py", "")
    project.write("care/models.py", MODELS)
    project.write("care/migrations/__init__.py", "")
    project.manage("makemigrations care", "rls new --all")
    add_migration(project, "0100_endpoints", OPERATIONS)
    yield project
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def add_migration(project: Project, name: str, operations: str) -> None:
    last = max(path.stem for path in (project.path / "care/migrations").glob("0*.py"))
    needed = [("care", last), ("mcp_server", "0001_change_notifications"), ("mcp_tokens", "0003_tokens_of_members")]
    project.write(f"care/migrations/{name}.py", MIGRATION.format(dependencies=needed, operations=operations))


def run(project: Project, code: str) -> str:
    done = programs.run(["-c", code], cwd=project.path, environment=project.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_projects_tenants_are_resolved_and_its_changes_announced(clinic: Project) -> None:
    clinic.manage("check", "migrate")
    assert "audit: green" in clinic.manage("rls audit")

    with psycopg.connect(clinic.environment["PLATFORM_DATABASE_URL"], autocommit=True) as listening:
        listening.execute("LISTEN tenant_changes")
        north, _ = run(clinic, CLINICS).splitlines()
        listening.execute("SELECT app.watch_tenants(%s)", [[UUID(north)]])
        run(clinic, STORY)
        listening.execute("SELECT 1")
        heard = [notify.payload for notify in listening.notifies(timeout=0)]

    # Nobody watches the other one.
    assert [message.rpartition(" ")[0] for message in heard] == [
        *[f"{north} Ward-List"] * 3,
        f"{north} OurClinics",
    ]
    assert heard[-1].rpartition(" ")[2] == north


def test_the_operations_leave_nothing_behind_when_they_are_reversed(clinic: Project) -> None:
    clinic.manage("migrate care 0004", "migrate mcp_server", "migrate mcp_tokens", "migrate mcp_ledger")
    before = objects(clinic)

    clinic.manage("migrate")
    assert objects(clinic) != before
    clinic.manage("migrate care 0004")

    assert objects(clinic) == before
    assert "audit: green" in clinic.manage("rls audit")
    clinic.manage("migrate")
    run(clinic, CLINICS)
    run(clinic, STORY)


def objects(project: Project) -> list[tuple[str, ...]]:
    """What is declared, and the functions, triggers and policies that there are."""
    with psycopg.connect(project.environment["OWNER_DATABASE_URL"]) as owner:
        return owner.execute(
            "SELECT 'grant', object, role_name || privileges::text FROM app.declared_grants"
            " UNION ALL SELECT rule, object, '' FROM app.declared_exceptions"
            " UNION ALL SELECT 'function', oid::regprocedure::text, '' FROM pg_proc"
            " WHERE pronamespace = 'app'::regnamespace"
            " UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
            " UNION ALL SELECT 'policy', polrelid::regclass::text, polname FROM pg_policy"
            " UNION ALL SELECT 'right', attrelid::regclass::text, attname || attacl::text FROM pg_attribute"
            " WHERE attacl::text ~ 'app_resolver' ORDER BY 1, 2, 3"
        ).fetchall()


def test_a_later_resolver_takes_the_place_of_the_former(clinic: Project) -> None:
    add_migration(clinic, "0101_other_name", '[InstallResolver(tenant="Clinic", slug="alias", default_time_zone="")]')
    clinic.manage("migrate")

    assert "audit: green" in clinic.manage("rls audit")
    told = run(
        clinic,
        "import django; django.setup()\n"
        "from care.models import Clinic\n"
        "from mcp_server.tokens import resolver\n"
        "from rls import platform_context\n"
        'with platform_context(actor="tests", reason="arrange"):\n'
        '    Clinic.objects.create(handle="north", alias="n")\n'
        'found = resolver.open_endpoint("n")\n'
        'print(resolver.open_endpoint("north"), found.slug, repr(found.locale), repr(found.time_zone))',
    )
    assert told == "None n '' ''"
    assert [name for kind, _, name in objects(clinic) if kind == "policy" and name == "resolver_lookup"] == [
        "resolver_lookup"
    ]
    assert [(table, right.split("{")[0]) for kind, table, right in objects(clinic) if kind == "right"] == [
        ('"OurClinics"', "alias"),
        ('"OurClinics"', "id"),
        ('"OurClinics"', "is_active"),
        ("mcp_tokens_apitoken", "last_used_at"),
        ("mcp_tokens_platformtoken", "last_used_at"),
    ]


def test_what_an_operation_runs_is_seen_before_it_runs(clinic: Project) -> None:
    told = clinic.manage("sqlmigrate care 0100 --database owner")

    assert 'FROM public."OurClinics" AS n' in told
    assert 'WHERE n."Name in URL" = wanted_slug' in told
    assert 'CREATE TRIGGER notify_insert AFTER INSERT ON public."Ward-List"' in told
    assert "<" not in "".join(line for line in told.splitlines() if line.startswith("CREATE"))


@pytest.fixture(scope="module")
def state() -> ProjectState:
    """The models of this repository as their migrations know them."""
    return MigrationLoader(None).project_state()


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (InstallResolver(tenant="core.Tenant", slug="name"), "two tenants could have one URL; say unique=True"),
        (InstallResolver(tenant="core.Tenant", slug="subdomain", active="name"), "it is no BooleanField"),
        (InstallResolver(tenant="core.Tenant", slug="host"), "core.Tenant has no field host where this migration runs"),
        (InstallResolver(tenant="core.Nobody", slug="subdomain"), "no migration before this one makes core.Nobody"),
        (
            InstallResolver(tenant="core.Tenant", slug="subdomain", locale="core.Product.category"),
            "core.Product may have several rows for a tenant",
        ),
        (
            InstallResolver(tenant="core.Tenant", slug="subdomain", locale="mcp_tokens.PlatformToken.name"),
            "mcp_tokens.PlatformToken has no field tenant",
        ),
        (InstallResolver(tenant="auth.User", slug="username"), "(tenant='auth.User'): its key is no UUIDField"),
        (
            InstallResolver(tenant="core.Tenant", slug="subdomain", members="core.Nobody"),
            "no migration before this one makes core.Nobody",
        ),
        (
            InstallResolver(tenant="core.Tenant", slug="subdomain", members="mcp_tokens.PlatformToken"),
            "mcp_tokens.PlatformToken has no field tenant",
        ),
        (
            InstallResolver(tenant="core.Tenant", slug="subdomain", members="core.TenantUser"),
            "core.TenantUser has no field user",
        ),
        (Announce("core.Nobody"), "no migration before this one makes core.Nobody"),
        (Announce("Nobody"), "no migration before this one makes Nobody"),
        (Announce("auth.User"), "its key is no UUIDField"),
        (Announce("mcp_tokens.PlatformToken"), "mcp_tokens.PlatformToken has no field tenant"),
    ],
    ids=lambda each: each.describe() if not isinstance(each, str) else "",
)
def test_a_mistake_is_a_sentence(state: ProjectState, operation: Announce | InstallResolver, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        operation.forwards_sql("core", state)

    assert sentence in str(error.value)


def test_a_resolver_without_tokens_names_the_lines_to_write(state: ProjectState) -> None:
    without = state.clone()
    without.remove_model("mcp_tokens", "apitoken")

    with pytest.raises(ImproperlyConfigured) as error:
        InstallResolver(tenant="core.Tenant", slug="subdomain").forwards_sql("core", without)

    assert 'say "mcp_server.tokens" in INSTALLED_APPS, and ("mcp_tokens", "0003_tokens_of_members")' in str(error.value)


@pytest.mark.parametrize(
    ("name", "sql"),
    [("core_tenant", "core_tenant"), ("id", "id"), ("user", '"user"'), ("Ward", '"Ward"'), ('a"b', '"a""b"')],
)
def test_a_name_is_quoted_where_it_has_to_be(name: str, sql: str) -> None:
    assert identifier(name) == sql


def test_a_text_is_quoted() -> None:
    assert literal("it's") == "'it''s'"


def test_a_table_may_be_in_another_schema() -> None:
    class Elsewhere(models.Model):
        class Meta:
            app_label = "elsewhere"
            db_table = '"care"."Wards"'

        def __str__(self) -> str:
            return ""

    assert table_of(Elsewhere) == '"care"."Wards"'


def test_an_operation_is_written_as_it_was_said() -> None:
    resolver = InstallResolver(tenant="core.Tenant", slug="subdomain", locale="core.TenantSettings.locale")

    for operation in (resolver, Announce("core.Product")):
        written, imports = MigrationWriter.serialize(operation)
        names: dict[str, Any] = {}
        exec("\n".join([*imports, f"again = {written}"]), names)
        assert names["again"].deconstruct() == operation.deconstruct()
