"""A model that is renamed, moved, dropped or refers elsewhere: its policies and keys go with it, there and back."""

from __future__ import annotations

import re

import pytest

from tests.support.projects import SHOP, Project

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "{after}")]
    operations = [
        {operations},
    ]
"""

NOTE = """
class Note(Tenanted):
    text = models.TextField()
"""

PART = """
class Part(Tenanted):
    widget = models.ForeignKey(Widget, models.CASCADE, db_constraint=False, db_index=False)
"""

PLAIN_PART = """
class Part(Tenanted):
    widget = models.TextField(default="")
"""

TENANT = SHOP[: SHOP.index("class Widget")]

OF_GADGETS = (
    TENANT
    + """
class Gadget(Tenanted):
    name = models.CharField(max_length=50)

class Part(Tenanted):
    gadget = models.ForeignKey(Gadget, models.CASCADE, db_constraint=False, db_index=False)
"""
)

ANOTHER_WIDGET = """
    widget = models.ForeignKey("Widget", models.CASCADE, db_constraint=False, db_index=False, null=True)

class Widget(Tenanted):
    size = models.IntegerField()
"""


def migration(project: Project, name: str, after: str, *operations: str) -> None:
    text = MIGRATION.format(after=after, operations=",\n        ".join(operations))
    project.write(f"shop/migrations/{name}.py", text)


def leaf(project: Project) -> str:
    """The shop's last migration: their names are numbered."""
    return max(path.stem for path in (project.path / "shop/migrations").glob("0*.py"))


def shop_with_parts(project: Project) -> str:
    """Tenants, widgets, their parts and notes, complete; the name of the last migration."""
    project.write("shop/models.py", SHOP + PART + NOTE)
    project.manage("makemigrations shop", "rls new --all", "check")
    return leaf(project)


def goes_there_and_back(project: Project, *stops: str) -> None:
    """Forwards and backwards over `stops`, migrations of the shop, with a green audit at each; then from nothing."""
    order = [*stops, *reversed(stops[:-1])]
    walk = [command for stop in order for command in (f"migrate shop {stop}", "rls audit")]

    project.manage("check", "makemigrations --check")
    said = project.manage(*walk, "migrate shop zero", "migrate", "rls audit")

    assert said.count("audit: green") == len(order) + 1


def test_a_model_is_renamed_and_its_old_name_used_again(live_project: Project) -> None:
    project = live_project
    before = shop_with_parts(project)
    rename = 'migrations.RenameModel("Widget", "Gadget")', 'migrations.RenameField("Part", "widget", "gadget")'
    migration(project, "0100_gadget", before, *rename)
    project.write("shop/models.py", OF_GADGETS + NOTE)
    project.manage("makemigrations --check", "check")
    assert "no model lacks anything" in project.manage("rls new --all")

    project.write("shop/models.py", OF_GADGETS + ANOTHER_WIDGET + NOTE)
    project.manage("makemigrations shop", "rls new --all")

    # The table of gadgets keeps the name shop_widget_tenant_key, and that of parts the key of what is `gadget` now.
    written = "".join(path.read_text() for path in (project.path / "migrations_sql").glob("*.sql"))
    assert "ALTER TABLE shop_widget ADD CONSTRAINT shop_widget1_tenant_key UNIQUE (tenant_id, id)" in written
    assert "ADD CONSTRAINT shop_part_widget_id1_tenant_fkey" in written
    goes_there_and_back(project, before, "0100_gadget", leaf(project))


MOVES = {
    "table": "migrations.AlterModelTable('Widget', 'elsewhere')",
    "table, by hand": "migrations.SeparateDatabaseAndState("
    "[migrations.RunSQL('ALTER TABLE shop_widget RENAME TO elsewhere', 'ALTER TABLE elsewhere RENAME TO shop_widget')],"
    " [migrations.AlterModelTable('Widget', 'elsewhere')])",
    "table, apart": "migrations.SeparateDatabaseAndState([migrations.AlterModelTable('Widget', 'elsewhere')],"
    " [migrations.AlterModelTable('Widget', 'elsewhere')])",
}


@pytest.mark.parametrize("kind", MOVES)
def test_a_table_gets_another_name_and_a_new_model_the_old_one(kind: str, live_project: Project) -> None:
    project = live_project
    before = shop_with_parts(project)
    migration(project, "0100_elsewhere", before, MOVES[kind])
    elsewhere = SHOP + '\n    class Meta:\n        db_table = "elsewhere"\n'
    project.write("shop/models.py", elsewhere + PART + NOTE)
    assert "no model lacks anything" in project.manage("check", "rls new --all")

    project.write("shop/models.py", elsewhere + PART + NOTE + NOTE.replace("Note", "New") + TABLE_OF_WIDGETS)
    project.manage("makemigrations shop", "rls new --all")

    goes_there_and_back(project, before, "0100_elsewhere", leaf(project))


TABLE_OF_WIDGETS = """
    class Meta:
        db_table = "shop_widget"
"""

REMOVALS = {
    "a model": (SHOP, ["migrations.DeleteModel('Part')"]),
    "a parent and its child": (TENANT, ["migrations.DeleteModel('Part')", "migrations.DeleteModel('Widget')"]),
    "a parent after the field": (
        TENANT + PLAIN_PART,
        [
            "migrations.RemoveField('Part', 'widget')",
            "migrations.DeleteModel('Widget')",
            "migrations.AddField('Part', 'widget', models.TextField(default=''))",
        ],
    ),
    "in the database alone": (
        SHOP,
        [
            "migrations.SeparateDatabaseAndState([migrations.DeleteModel('Part')], [])",
            "migrations.SeparateDatabaseAndState([], [migrations.DeleteModel('Part')])",
        ],
    ),
    "after another name": (SHOP, ["migrations.RenameModel('Part', 'Piece'), migrations.DeleteModel('Piece')"]),
    "a field": (
        SHOP + PLAIN_PART,
        [
            "migrations.RemoveField('Part', 'widget')",
            "migrations.AddField('Part', 'widget', models.TextField(default=''))",
        ],
    ),
    "a field that becomes another": (
        SHOP + PART.replace("ForeignKey(Widget, models.CASCADE, db_constraint=False, db_index=False)", "UUIDField()"),
        ["migrations.AlterField('Part', 'widget', models.UUIDField())"],
    ),
    "a field of another type": (
        SHOP + PLAIN_PART,
        [
            "migrations.AlterField('Part', 'widget', models.TextField(default=''))",
        ],
    ),
    "a field that refers elsewhere": (
        SHOP + NOTE + PART.replace("Widget", "Note"),
        [
            "migrations.AlterField('Part', 'widget', models.ForeignKey("
            "'shop.Note', models.CASCADE, db_constraint=False, db_index=False))",
        ],
    ),
}


@pytest.mark.parametrize("kind", REMOVALS)
def test_what_is_taken_away_comes_back_with_its_policies_and_keys(kind: str, live_project: Project) -> None:
    project = live_project
    before = shop_with_parts(project)
    text, operations = REMOVALS[kind]
    migration(project, "0100_gone", before, *operations)
    project.write("shop/models.py", text if "class Note" in text else text + NOTE)
    said = project.refused("check")
    assert "(rls.E030) The migration shop.0100_gone (" in said
    assert "HINT: manage.py rls new --all writes a SQL file that drops it before" in said

    said = project.manage("rls new --all")

    assert "wrote shop/migrations/0100_gone.py" in said
    goes_there_and_back(project, before, leaf(project))


def test_a_model_that_moves_to_another_app_keeps_its_table(live_project: Project) -> None:
    project = live_project
    before = shop_with_parts(project)
    project.write("shop/models.py", SHOP + NOTE)
    state = "migrations.SeparateDatabaseAndState([], [migrations.DeleteModel('Part')])"
    migration(project, "0100_moved", before, state)
    moved = PART.replace("(Widget", '("shop.Widget"') + TABLE_OF_WIDGETS.replace("widget", "part")
    project.write("reviews/models.py", "from django.db import models\nfrom rls.models import Tenanted\n" + moved)
    project.manage("makemigrations reviews --skip-checks")
    made = project.read("reviews/migrations/0001_initial.py")
    apart = re.sub(
        r"operations = \[(.*)\n    \]\n",
        r"operations = [migrations.SeparateDatabaseAndState([], [\1])]\n",
        made,
        flags=re.DOTALL,
    )
    project.write("reviews/migrations/0001_initial.py", apart)

    assert "no model lacks anything" in project.manage("check", "rls new --all")
    project.manage("migrate", "rls audit")
