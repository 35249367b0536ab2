"""What a call of each tool costs is a committed list: a tool that gets dearer, or is new, is a diff."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from benchmarks import costs
from benchmarks.costs import CASES, PLATFORM, PYTHON, TENANT, Costs
from core.asgi import application
from mcp_server.declare.tools import Endpoint

ENDPOINTS = {Endpoint.TENANT: TENANT, Endpoint.PLATFORM: PLATFORM}
FIGURES = {"statements": 3, "ends": 2, "trips": 2, "connections": 2, "calls": 1000, "calls_older": 1200}


def one(**changed: int) -> Costs:
    """The costs of one tool."""
    return {TENANT: {"open_tickets": FIGURES | changed}}


@pytest.mark.slow
def test_a_call_of_each_tool_costs_what_is_listed(database: str) -> None:
    found = costs.measured(os.environ)

    differing = costs.differences(found, costs.listed(), sys.version_info[:2])

    assert differing == [], "\n".join(differing)


def test_each_tool_of_each_endpoint_is_counted() -> None:
    registry = application.mcp.registry()
    of_the_shop = {
        (name, spec.name)
        for endpoint, name in ENDPOINTS.items()
        for spec in registry.tools(endpoint)
        if spec.function.__module__.startswith("core.")
    }

    missing = of_the_shop - {(case.endpoint, case.tool) for case in CASES}

    assert missing == set(), "add a case for each to benchmarks/costs.py, and run python -m benchmarks.costs --write"


def test_the_list_is_as_it_is_written() -> None:
    assert costs.as_toml(costs.listed()) == costs.LISTED.read_text()


@pytest.mark.parametrize("figure", ["statements", "ends", "trips", "connections"])
@pytest.mark.parametrize("step", [-1, 1])
def test_one_statement_more_or_less_differs(figure: str, step: int) -> None:
    [line] = costs.differences(one(**{figure: FIGURES[figure] + step}), one())

    assert f"{FIGURES[figure] + step} {figure}, and {FIGURES[figure]} are listed" in line
    assert "python -m benchmarks.costs --write" in line


@pytest.mark.parametrize(
    ("calls", "said"),
    [(1031, "make it cheaper"), (1030, None), (970, None), (900, None), (899, "it got cheaper, so lower the list")],
)
def test_python_calls_may_differ_a_little(calls: int, said: str | None) -> None:
    lines = costs.differences(one(calls=calls), one())

    assert [said in line for line in lines if said] == ([True] if said else [])
    assert bool(lines) == bool(said)


def test_a_newer_python_may_take_fewer_calls_and_no_more() -> None:
    newer = (PYTHON[0], PYTHON[1] + 1)

    assert costs.differences(one(calls=500), one(), newer) == []
    assert costs.differences(one(calls=1100), one(), newer) != []


@pytest.mark.parametrize("expected", [{}, {TENANT: {}}])
def test_a_call_that_is_not_listed_differs(expected: dict[str, Any]) -> None:
    [line] = costs.differences(one(), expected)

    assert line.startswith("open_tickets at the tenant's endpoint is not in tests/core/costs.toml: run ")


def test_a_listed_call_that_is_gone_differs() -> None:
    [line] = costs.differences({}, one())

    assert "is in tests/core/costs.toml, and no case of benchmarks/costs.py" in line


def test_what_is_nearly_as_before_is_written_as_before() -> None:
    found = one(calls=1009, calls_older=1213, statements=4)

    [figures] = costs.settled(found, one())[TENANT].values()

    assert figures == FIGURES | {"statements": 4, "calls_older": 1213}
