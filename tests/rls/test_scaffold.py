"""`manage.py rls new`: it writes what a model lacks, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from rls.schema import scaffold
from rls.schema.policies import policies
from tests.support.projects import REVIEWS, ROOT, Project, isolates

INDEXED = """
    class Meta:
        indexes = [models.Index(fields=["tenant", "name"], name="by_name")]
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


def test_what_comes_first_is_named(project: Project) -> None:
    project.write("reviews/models.py", REVIEWS)
    before = project.files()
    assert "no migration makes shop.Widget: run makemigrations first" in project.refused("rls new shop.Widget")

    project.manage("makemigrations")
    # What the parent lacks comes first by itself.
    project.manage("rls new reviews.Review")
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

    said = project.manage("rls new reviews.Team", "check")

    # The constraint on a player's team waits until the table of teams has its key.
    assert [line for line in said.splitlines() if line.endswith("d.sql") or line.endswith("m.sql")] == [
        "wrote migrations_sql/0004_reviews_team.sql",
        "wrote migrations_sql/0005_user_team_id.sql",
    ]
    assert 'FOREIGN KEY (tenant_id, leader_id) REFERENCES "user" (tenant_id, id)' in project.read(
        "migrations_sql/0004_reviews_team.sql"
    )
    assert "reviews.Player lacks nothing" in project.refused("rls new reviews.Player")
    project.manage("migrate", "migrate reviews zero", "migrate")


APPS = {
    "shop": """
from django.db import models
from rls.models import Keyed, Tenanted

class Tenant(Keyed):
    is_active = models.BooleanField(default=True)

class Widget(Tenanted):
    best = models.ForeignKey("reviews.Review", models.CASCADE, db_constraint=False, null=True, related_name="+")
    part_of = models.ForeignKey("self", models.CASCADE, db_constraint=False, null=True)

class Shelf(Tenanted):
    widget = models.ForeignKey(Widget, models.CASCADE, db_constraint=False)
""",
    "reviews": """
from django.db import models
from rls.models import Tenanted

class Answer(Tenanted):
    review = models.ForeignKey("Review", models.CASCADE, db_constraint=False)

class Review(Tenanted):
    shelf = models.ForeignKey("shop.Shelf", models.CASCADE, db_constraint=False, null=True)
""",
}


def test_all_that_every_model_lacks_is_written_in_one_go(live_project: Project) -> None:
    project = live_project
    for app, text in APPS.items():
        project.write(f"{app}/models.py", text)
    project.manage("makemigrations")
    assert "(rls.E016) reviews.Review has no policy." in project.refused("check")

    said = project.manage("rls new --all", "check", "rls new --all")

    # Widgets, shelves and reviews refer to each other in a circle: one constraint comes after the tables.
    assert said.count("wrote migrations_sql/") == 2 * 6
    assert said.rstrip().endswith("no model lacks anything")
    project.manage("makemigrations --check", "migrate", "rls audit", "migrate shop zero", "migrate", "rls audit")


def test_all_stops_before_it_writes_where_a_migration_is_missing(project: Project) -> None:
    project.write("reviews/models.py", REVIEWS)
    project.manage("makemigrations shop")
    before = project.files()

    assert "no migration makes reviews.Review: run makemigrations first" in project.refused("rls new --all")
    project.manage("makemigrations reviews --skip-checks")
    project.write("reviews/models.py", REVIEWS + LATER)
    assert "no migration makes reviews.Review.instead_of: run makemigrations" in project.refused("rls new --all")

    assert project.files() - before == {"reviews/migrations/0001_initial.py"}
    assert "not allowed with argument" in project.refused("rls new shop.Widget --all")
    assert "one of the arguments model --all is required" in project.refused("rls new")


def test_a_name_that_is_taken_by_hand_is_left_alone(project: Project) -> None:
    project.manage("makemigrations", "rls new shop.Tenant")
    project.write("shop/migrations/0007_later.py", project.read("shop/migrations/0002_tenant_isolation.py"))
    later = project.read("shop/migrations/0007_later.py").replace("0001_initial", "0002_tenant_isolation")
    project.write("shop/migrations/0007_later.py", re.sub(r"operations: .*\n.*\n", "operations = [\n", later))
    project.write("migrations_sql/0009_by_hand.sql", "SELECT 1;")

    said = project.manage("rls new --all", "check")

    assert "wrote migrations_sql/0010_shop_widget.sql" in said
    assert "wrote shop/migrations/0008_widget_isolation.py" in said


def test_a_parent_whose_file_has_no_key_gets_it(project: Project) -> None:
    project.manage("makemigrations", "rls new shop.Tenant", "rls new shop.Widget")
    by_hand = project.read("migrations_sql/0002_shop_widget.sql")
    project.write("migrations_sql/0002_shop_widget.sql", re.sub(r"ALTER TABLE \w+ ADD .*\n", "", by_hand))
    # Nothing refers to it yet, and no other index leads with the tenant.
    assert "(rls.E033) shop.Widget has no index that starts with the tenant" in project.refused("check")
    project.write("reviews/models.py", REVIEWS)
    project.write("shop/models.py", project.read("shop/models.py") + INDEXED)
    project.manage("makemigrations --skip-checks")

    project.manage("rls new reviews.Review")

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
        ("core.Nothing", "there is no model core.Nothing: name it as <app>.<Model>, such as helpdesk.Ticket"),
        ("Product", "there is no model Product: name it as <app>.<Model>, such as helpdesk.Ticket"),
        ("mcp_tokens.PlatformToken", r"mcp_tokens.PlatformToken is shared \(RLS_SHARED_MODELS\): it has no policies"),
        ("core.Product", "core.Product lacks nothing: SQL files make its policies and keys already"),
        ("core.Tenant", "core.Tenant lacks nothing: SQL files make its policies and keys already"),
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
        scaffold.write(files)

    assert list((tmp_path / "sql").iterdir()) == []
    assert (tmp_path / "there").read_text() == "mine"

    changes = {tmp_path / "there": "changed", tmp_path / "nowhere": "changed"}
    with pytest.raises(CommandError, match="nothing was written"):
        scaffold.write({tmp_path / "new": "1"}, changes)

    assert not (tmp_path / "new").exists()
    assert (tmp_path / "there").read_text() == "mine"


def test_a_projects_first_file_is_0001(tmp_path: Path, settings: Any) -> None:
    settings.BASE_DIR = tmp_path

    assert scaffold.next_number() == 1
    scaffold.write({tmp_path / "migrations_sql" / "0001_core_product.sql": ""})
    assert scaffold.next_number() == 2
