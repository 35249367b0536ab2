"""What SQL text says about policies and keys, whatever it calls them."""

from __future__ import annotations

import pytest

from rls.schema.facts import Facts, Origin, Place
from rls.schema.keys import TenantForeignKey, TenantKey

MADE = """
CREATE POLICY tenant_isolation ON shop_part USING (true);
ALTER TABLE shop_widget ADD CONSTRAINT shop_widget_tenant_key UNIQUE (tenant_id, id);
CREATE UNIQUE INDEX CONCURRENTLY "By id" ON shop_part (tenant_id, id);
ALTER TABLE shop_part ADD FOREIGN KEY (tenant_id, widget_id) REFERENCES shop_widget (tenant_id, id);
"""
WIDGET, PART = TenantKey("shop_widget", "id"), TenantKey("shop_part", "id")
REFERENCE = TenantForeignKey("shop_part", "widget_id", "shop_widget", "id")


def facts(*texts: str) -> Facts:
    found = Facts()
    for text in (MADE, *texts):
        found.take(text, Origin(("shop", "0001_initial"), "0001_shop"))
    return found


def names(found: Facts) -> list[str]:
    return [key.name for key in [*found.tenant_keys, *found.foreign_keys]]


def test_a_key_has_the_name_that_the_text_or_postgresql_gives_it() -> None:
    found = facts()

    assert names(found) == ["shop_widget_tenant_key", "By id", "shop_part_tenant_id_widget_id_fkey"]
    assert [key.is_index for key in found.tenant_keys] == [False, True]
    [_, index] = found.tenant_keys
    assert (index.add, index.drop) == (
        'CREATE UNIQUE INDEX "By id" ON shop_part (tenant_id, id);',
        'DROP INDEX "By id";',
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ALTER TABLE shop_part DROP CONSTRAINT shop_part_tenant_id_widget_id_fkey", [WIDGET, PART]),
        (
            "ALTER TABLE ONLY public.shop_part DROP CONSTRAINT IF EXISTS shop_part_tenant_id_widget_id_fkey CASCADE",
            [WIDGET, PART],
        ),
        ('DROP INDEX CONCURRENTLY IF EXISTS public."By id"', [WIDGET, REFERENCE]),
        ("DROP TABLE shop_part", [WIDGET]),
        ("ALTER TABLE shop_part DROP CONSTRAINT shop_widget_tenant_key", [WIDGET, PART, REFERENCE]),
        ("-- ALTER TABLE shop_part DROP CONSTRAINT shop_part_tenant_id_widget_id_fkey", [WIDGET, PART, REFERENCE]),
    ],
)
def test_what_is_dropped_by_name_is_gone(text: str, left: list[object]) -> None:
    found = facts(text)

    assert [*found.tenant_keys, *found.foreign_keys] == left


def test_what_is_renamed_by_text_is_followed() -> None:
    found = facts(
        "ALTER TABLE shop_widget RENAME TO gadget; ALTER TABLE shop_part RENAME COLUMN widget_id TO gadget_id;"
        "ALTER TABLE shop_part RENAME gadget_id TO of_id;"
        "ALTER TABLE shop_part RENAME CONSTRAINT shop_part_tenant_id_widget_id_fkey TO refers;"
        'ALTER INDEX IF EXISTS "By id" RENAME TO by_id; ALTER TABLE public.shop_part RENAME TO "Part"'
    )

    assert list(found.policies) == ["Part"]
    assert found.policies["Part"].table == "shop_part"
    assert list(found.tenant_keys) == [TenantKey("gadget", "id"), TenantKey("Part", "id")]
    assert list(found.foreign_keys) == [TenantForeignKey("Part", "of_id", "gadget", "id")]
    assert names(found) == ["shop_widget_tenant_key", "by_id", "refers"]


def test_a_name_that_a_renamed_table_keeps_is_not_given_again() -> None:
    found = facts(
        "ALTER TABLE shop_widget RENAME TO gadget",
        "ALTER TABLE x ADD CONSTRAINT shop_widget1_tenant_key UNIQUE (tenant_id, id)",
    )

    assert found.free(WIDGET).name == "shop_widget2_tenant_key"
    assert found.free(TenantKey("shop_other", "id")).name == "shop_other_tenant_key"
    # A foreign key's name is one in its table, and a name is never too long.
    assert found.free(REFERENCE).name == "shop_part_widget_id_tenant_fkey"
    long = TenantKey("t" * 63, "id")
    found.take(long.add, Origin(("shop", "0002_long"), "0002_long"))
    assert found.free(long).name != long.name
    assert len(found.free(long).name) == 63


@pytest.mark.parametrize(
    ("text", "is_led"),
    [
        ("CREATE INDEX ON shop_log (tenant_id, id)", True),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY public.shop_log USING brin (tenant_id)", True),
        ('CREATE UNIQUE INDEX i ON shop_log ("tenant_id", name, size)', True),
        ("ALTER TABLE shop_log ADD UNIQUE (tenant_id, name, size)", True),
        ("ALTER TABLE shop_log ADD PRIMARY KEY (tenant_id, id)", True),
        ("CREATE INDEX ON shop_log (tenant_id) WHERE name = 'x'", False),
        ("CREATE INDEX ON shop_log (id, tenant_id)", False),
        ("CREATE INDEX ON shop_log (tenant_ids)", False),
    ],
)
def test_an_index_that_leads_with_the_tenant_is_seen(text: str, is_led: bool) -> None:
    found = facts(text)

    assert found.led == ({"shop_log"} if is_led else set())
    found.move(Place("shop_log"), Place("elsewhere"))
    assert found.led == ({"elsewhere"} if is_led else set())


def test_exceptions_are_read_from_their_inserts_alone() -> None:
    found = facts(
        "INSERT INTO app.declared_exceptions (rule, object, reason) VALUES\n"
        "    ('index-useless', 'CREATE INDEX i ON public.\"Log\" USING gin (facts)', 'The platform''s.'),\n"
        "    ('key-missing', 'public.shop_log.outer_id', 'A parcel''s; of the carrier.');",
        "INSERT INTO shop_log VALUES ('key-missing', 'public.shop_log.other_id', 'no')",
        "-- INSERT INTO app.declared_exceptions VALUES ('key-missing', 'public.shop_log.third_id', 'no')",
    )

    assert {rule for rule, _ in found.declared} == {"index-useless", "key-missing"}
    assert found.is_declared("index-useless", r"CREATE INDEX i ON public\.Log .*")
    assert found.is_declared("key-missing", r"public\.shop_log\.outer_id")
    assert not found.is_declared("key-missing", r"public\.shop_log\.(?:other|third)_id")
