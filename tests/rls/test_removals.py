"""What an operation takes away is taken by a SQL file first, which puts it back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db.migrations import operations
from django.db.migrations.state import ProjectState
from django.db.models import CASCADE, ForeignKey, TextField, UUIDField

from rls.operations import RunSQLFile
from rls.schema import removals
from rls.schema.written import Taken, Written

KEY = ("id", UUIDField(primary_key=True))

# As `rls new` writes it, and edited by hand: fewer rights, which are declared, a function of its own, another table.
FORWARD = """\
-- 0001 shop_log: tenant isolation
-- Afterwards a row is visible only inside its own tenant; nobody changes it.

CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END; $$;

-- The rows of a log.
CREATE POLICY tenant_isolation ON shop_log
    TO app_tenant
    USING (tenant_id = 'a; b'::uuid);

-- What children refer to.
ALTER TABLE shop_log ADD CONSTRAINT shop_log_tenant_key UNIQUE (tenant_id, id);

ALTER TABLE shop_log ADD CONSTRAINT shop_log_of_id_tenant_fkey
    FOREIGN KEY (tenant_id, of_id) REFERENCES shop_order (tenant_id, id);

GRANT SELECT, INSERT ON shop_log TO app_tenant;
INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.shop_log', 'app_tenant', '{SELECT,INSERT}', 'It''s append-only; nobody edits.');
CREATE TRIGGER stamp BEFORE INSERT ON shop_log FOR EACH ROW EXECUTE FUNCTION app.stamp();
GRANT SELECT ON shop_logbook TO app_tenant;
"""

REVERT = """\
-- Reverts 0001 shop_log.
REVOKE SELECT ON shop_logbook FROM app_tenant;
DROP TRIGGER stamp ON shop_log;
ALTER TABLE shop_log DROP CONSTRAINT shop_log_of_id_tenant_fkey;
ALTER TABLE shop_log DROP CONSTRAINT shop_log_tenant_key;
DELETE FROM app.declared_grants WHERE object = 'public.shop_log';
REVOKE ALL ON shop_log FROM app_tenant;
DROP POLICY tenant_isolation ON shop_log;
DROP FUNCTION app.stamp();
"""


@pytest.fixture
def directory(tmp_path: Path, settings: Any) -> Path:
    settings.BASE_DIR = tmp_path
    directory = tmp_path / "migrations_sql"
    directory.mkdir()
    (directory / "0001_shop_log.sql").write_text(FORWARD)
    (directory / "0001_shop_log.revert.sql").write_text(REVERT)
    return directory


def taken(*later: Any) -> Taken:
    """What the last operation takes."""
    found = Written(ProjectState())
    made = (
        operations.CreateModel("Order", [KEY]),
        operations.CreateModel("Log", [KEY, ("of", ForeignKey("shop.Order", CASCADE)), ("text", TextField())]),
        RunSQLFile("0001_shop_log"),
    )
    for place, operation in enumerate([*made, *later]):
        found.apply(operation, ("shop", "0002_later"), place)
    [taken] = found.taken
    assert taken.place == len(made) + len(later) - 1
    return taken


DROPS = """\
ALTER TABLE shop_log DROP CONSTRAINT shop_log_of_id_tenant_fkey;
ALTER TABLE shop_log DROP CONSTRAINT shop_log_tenant_key;
DROP TRIGGER stamp ON shop_log;
DELETE FROM app.declared_grants WHERE object = 'public.shop_log';
REVOKE ALL ON shop_log FROM app_tenant;
DROP POLICY tenant_isolation ON shop_log;
"""

MAKES = """\
-- Reverts 0007 gone.

-- The rows of a log.
CREATE POLICY tenant_isolation ON shop_log
    TO app_tenant
    USING (tenant_id = 'a; b'::uuid);

GRANT SELECT, INSERT ON shop_log TO app_tenant;

INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('public.shop_log', 'app_tenant', '{SELECT,INSERT}', 'It''s append-only; nobody edits.');

CREATE TRIGGER stamp BEFORE INSERT ON shop_log FOR EACH ROW EXECUTE FUNCTION app.stamp();

ALTER TABLE shop_log ADD CONSTRAINT shop_log_tenant_key UNIQUE (tenant_id, id);

ALTER TABLE shop_log ADD CONSTRAINT shop_log_of_id_tenant_fkey
    FOREIGN KEY (tenant_id, of_id) REFERENCES shop_order (tenant_id, id);
"""


def test_what_was_edited_by_hand_comes_back_as_it_was(directory: Path) -> None:
    gone = taken(operations.DeleteModel("Log"))

    forward, revert = removals.files("0007_gone", gone, directory)

    assert removals.subject(gone) == "shop_log_removed"
    assert forward == (
        "-- 0007 gone: before shop.0002_later takes it\n"
        "-- Afterwards shop_log has nothing left of what goes with the table; the revert makes it again when "
        "shop.0002_later\n-- is reversed.\n"
        "-- Needs: 0001_shop_log. Proved by: manage.py rls audit.\n" + DROPS
    )
    assert revert == MAKES


def test_a_table_of_another_name_is_called_by_that(directory: Path) -> None:
    gone = taken(
        operations.RenameField("Log", "of", "order"),
        operations.AlterModelTable("Log", "Journal"),
        operations.DeleteModel("Log"),
    )

    forward, revert = removals.files("0007_gone", gone, directory)

    def renamed(text: str) -> str:
        for old, new in (
            ("ON shop_log\n", 'ON "Journal"\n'),
            ("ON shop_log ", 'ON "Journal" '),
            ("of_id)", "order_id)"),
        ):
            text = text.replace(old, new)
        return text.replace("public.shop_log", 'public."Journal"').replace("TABLE shop_log ", 'TABLE "Journal" ')

    assert forward.endswith(renamed(DROPS).replace("ON shop_log;", 'ON "Journal";'))
    assert revert == renamed(MAKES)


def test_a_field_takes_its_key_alone(directory: Path) -> None:
    gone = taken(operations.RemoveField("Log", "of"))

    forward, revert = removals.files("0007_gone", gone, directory)

    assert removals.subject(gone) == "shop_log_of_id_removed"
    assert forward.endswith("\nALTER TABLE shop_log DROP CONSTRAINT shop_log_of_id_tenant_fkey;\n")
    assert "POLICY" not in forward + revert


@pytest.mark.parametrize("operation", [operations.RemoveField("Log", "text"), operations.RenameModel("Log", "Journal")])
def test_what_takes_nothing_is_not_named(operation: Any, directory: Path) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        taken(operation)


def test_a_table_that_is_not_djangos_is_left_alone(directory: Path) -> None:
    unmanaged = operations.AlterModelOptions("Log", {"managed": False})

    with pytest.raises(ValueError, match="not enough values"):
        taken(unmanaged, operations.DeleteModel("Log"))


def test_a_tenant_that_is_taken_takes_everything(directory: Path) -> None:
    tenant = operations.AddField("Log", "tenant", ForeignKey("shop.Order", CASCADE))

    gone = taken(tenant, operations.RemoveField("Log", "tenant"))

    assert removals.files("0007_gone", gone, directory)[1] == MAKES


def test_policies_without_a_file_are_left_to_people(directory: Path) -> None:
    (directory / "0001_shop_log.revert.sql").unlink()

    with pytest.raises(CommandError, match="the policies of shop_log come from 0001_shop_log, which is no SQL file of"):
        removals.files("0007_gone", taken(operations.DeleteModel("Log")), directory)


PLAIN = """\
from django.db import migrations


class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("SELECT 'é'"), migrations.DeleteModel(
            name="Log",
        ),
        migrations.DeleteModel("Order"),
    ]
"""


def test_a_file_is_run_before_the_operation_and_the_rest_of_the_text_stays() -> None:
    changed = removals.inserted(PLAIN, Path("x.py"), {1: ["a"], 2: ["b", "c"]}, 3)

    assert changed == PLAIN.replace(
        "from django.db import migrations\n",
        "from django.db import migrations\nfrom rls.operations import RunSQLFile\n",
    ).replace("migrations.DeleteModel(\n", 'RunSQLFile("a"), migrations.DeleteModel(\n').replace(
        'migrations.DeleteModel("Order")',
        'RunSQLFile("b"),\n        RunSQLFile("c"),\n        migrations.DeleteModel("Order")',
    )
    again = removals.inserted(changed, Path("x.py"), {5: ["d"]}, 6)
    assert again.count("import RunSQLFile") == 1


@pytest.mark.parametrize("made", ["operations = make()", "operations = [*make()]", "pass"])
def test_a_migration_of_another_shape_is_left_to_people(made: str) -> None:
    text = f"class Migration:\n    {made}\n"

    with pytest.raises(
        CommandError, match=r'^x.py has no plain list .* put RunSQLFile\("a"\) before number 2 by hand$'
    ):
        removals.inserted(text, Path("x.py"), {1: ["a"]}, 3)
