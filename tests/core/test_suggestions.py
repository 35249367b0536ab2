"""Suggestions: one statement each, of one tenant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.services import suggestions
from rls import tenant_context
from tests.support.world import World


@pytest.mark.parametrize(
    ("suggest", "text", "own"),
    [
        (suggestions.skus, "anvil", ["A-1"]),
        (suggestions.skus, "", ["A-1"]),
        (suggestions.order_numbers, "1", ["1"]),
        (suggestions.order_numbers, "", ["1"]),
        (suggestions.order_numbers, "2147483647", []),
        (suggestions.order_numbers, "2147483648", []),
        (suggestions.categories, "", []),
        (suggestions.customers, "wile", ["wile@acme.example"]),
        (suggestions.customers, "", ["wile@acme.example"]),
    ],
)
def test_one_statement_finds_the_tenants_own(
    suggest: Callable[[str, int], list[str]], text: str, own: list[str], acme: World, globex: World
) -> None:
    with tenant_context(acme.id), CaptureQueriesContext(connection) as captured:
        found = suggest(text, 10)

    assert found == own
    statements = [query["sql"] for query in captured if "core_tenant" not in query["sql"].partition("FROM")[2][:20]]
    assert len(statements) <= 1
    assert not any(word in "".join(statements).upper() for word in ("LIKE", "UPPER(", "::NUMERIC"))


@pytest.mark.parametrize("suggest", [suggestions.skus, suggestions.order_numbers, suggestions.customers])
def test_no_more_are_given_than_are_wanted(suggest: Callable[[str, int], list[str]], acme: World) -> None:
    with tenant_context(acme.id):
        assert suggest("", 0) == []


def test_names_of_periods_need_no_statement() -> None:
    assert suggestions.period_names("last_3", 10) == ["last_30_days"]
    assert len(suggestions.months("", 5)) == 5
