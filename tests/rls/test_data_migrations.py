"""A migration that changes rows works on the owner's connection, and is told where it does not."""

from __future__ import annotations

import pytest

from core.models import Product
from rls import NoTenantContext
from rls.backends import migrating
from tests.support.projects import SHOP, Project
from tests.support.world import World

pytestmark = pytest.mark.slow

MIGRATION = """\
from django.core.management import call_command
from django.db import connection, migrations, models, transaction


def forwards(apps, schema_editor):
    Widget = apps.get_model("shop", "Widget")
    alias = schema_editor.connection.alias
    {forwards}


def backwards(apps, schema_editor):
    Widget = apps.get_model("shop", "Widget")
    {backwards}


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_widget_isolation")]
    operations = [
        {before}migrations.RunPython(forwards, backwards),
    ]
"""

FIXTURE = '[{"model": "shop.widget", "pk": "01900000-0000-7000-8000-000000000001", "fields": {"name": "x"}}]'

RECEIVER = """
from django.db.models.signals import post_migrate

def count(using, **kwargs):
    Widget.objects.{using}count()

post_migrate.connect(count)
"""

HINT = (
    'A migration runs on the connection "owner", and this statement went to "default": in RunPython say '
    "Model.objects.using(schema_editor.connection.alias), in a receiver of post_migrate .using(using), with "
    'call_command() database="owner".'
)


@pytest.fixture
def shop(live_project: Project) -> Project:
    """A shop whose tables are there."""
    live_project.manage("makemigrations shop", "rls new --all", "migrate")
    live_project.write("widgets.json", FIXTURE)
    return live_project


def write(project: Project, forwards: str = "pass", *, backwards: str = "pass", before: str = "") -> None:
    text = MIGRATION.format(forwards=forwards, backwards=backwards, before=before)
    project.write("shop/migrations/0100_data.py", text)


@pytest.mark.parametrize(
    "code",
    [
        "Widget.objects.count()",
        "Widget.objects.update(name='x')",
        "Widget(name='x').save()",
        "Widget._base_manager.first()",
        "connection.cursor().execute('SELECT 1 FROM shop_widget')",
        "transaction.atomic(Widget.objects.count)()",
        "call_command('loaddata', 'widgets.json')",
    ],
)
def test_what_goes_by_the_router_in_a_migration_is_told_the_owners_alias(code: str, shop: Project) -> None:
    write(shop, code)

    said = shop.refused("migrate")

    assert f"no tenant context is open\nHINT:  {HINT}" in said


def test_the_way_back_is_told_too(shop: Project) -> None:
    write(shop, backwards="Widget.objects.count()")
    shop.manage("migrate")

    assert f"rls.errors.NoTenantContext: no tenant context is open\nHINT:  {HINT}" in shop.refused("migrate shop 0003")


def test_what_is_not_committed_yet_is_told_in_a_note(shop: Project) -> None:
    write(
        shop,
        "connection.cursor().execute('SELECT 1 FROM shop_new')",
        before="migrations.RunSQL('CREATE TABLE shop_new ()'), ",
    )

    said = shop.refused("migrate")

    assert 'relation "shop_new" does not exist' in said
    assert said.rstrip().endswith(HINT)


def test_a_receiver_of_post_migrate_is_told_too(shop: Project) -> None:
    shop.write("shop/models.py", SHOP + RECEIVER.format(using=""))
    assert f"HINT:  {HINT}" in shop.refused("migrate")

    shop.write("shop/models.py", SHOP + RECEIVER.format(using="using(using)."))
    shop.manage("migrate")


def test_what_the_hint_says_works(shop: Project) -> None:
    write(
        shop,
        "tenant = apps.get_model('shop', 'Tenant').objects.using(alias).create()\n"
        "    Widget.objects.using(alias).create(tenant=tenant, name='one')\n"
        "    assert Widget.objects.using(alias).update(name='two') == 1",
        backwards="assert Widget.objects.using(schema_editor.connection.alias).delete()[0] == 1",
    )

    shop.manage("migrate", "migrate shop 0003", "migrate")


def test_a_row_without_a_tenant_is_told_what_it_lacks(shop: Project) -> None:
    write(shop, "Widget.objects.using(alias).create(name='one')")

    said = shop.refused("migrate")

    assert "NoTenantContext: a row written to shop_widget belongs to no tenant\nHINT:  Give it a tenant_id" in said


def test_the_hint_is_of_the_migration_and_of_nothing_else(acme: World) -> None:
    with migrating.on("owner"), pytest.raises(NoTenantContext, match="this statement went to") as inside:
        Product.objects.count()
    with migrating.on("default"), pytest.raises(NoTenantContext, match=r"In Python: with rls\.tenant_context"):
        Product.objects.count()
    with pytest.raises(NoTenantContext, match=r"In Python: with rls\.tenant_context"):
        Product.objects.count()

    assert str(inside.value) == f"no tenant context is open\nHINT:  {HINT}"
