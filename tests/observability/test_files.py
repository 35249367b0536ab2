"""The dashboard and the alerts ask for what a server tells: names, labels, and values of labels."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mcp_server import metrics
from rls.audit import reports
from tests.support import figures
from tests.support.figures import Figures
from tests.support.processes import serving

FILES = Path("docs/observability")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and os.environ.get("CI_REQUIRE_PROMTOOL") != "1",
    reason="promtool is not installed (Debian: apt-get install prometheus)",
)

ALERT = re.compile(r"- alert: (\w+)\n +expr: (?:>-\n((?: {10}.+\n)+)|(.+)\n)")
# Of PromQL: a metric, or what is applied to one (Prometheus, "Querying basics").
SELECTOR = re.compile(r"\b([a-z_][a-z0-9_]*)\b(?!\s*\()(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
KEYWORDS = {"by", "without", "on", "ignoring", "and", "or", "unless", "offset", "bool"}
# What Prometheus adds itself (Prometheus, "Jobs and instances").
OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_EVERY_TARGET = {"job", "instance"}
# A variable of the dashboard.
VARIABLE = "$name"


def alerts() -> dict[str, str]:
    """The expression of each alert."""
    found = ALERT.findall((FILES / "rules.yml").read_text())
    return {name: " ".join((folded or line).split()) for name, folded, line in found}


def panels() -> dict[str, str]:
    """The expressions of the dashboard, each with its place."""
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }


EXPRESSIONS = panels() | alerts()


@pytest.fixture(scope="module")
def told(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every name that a server and the audit tell, with its labels."""
    port = figures.free_ports()
    with serving(tmp_path_factory.mktemp("told") / "log", MCP_METRICS=str(port)):
        of_a_server = figures.at(port)
    of_the_audit = Figures(list(text_string_to_metric_families(reports.prometheus([]) + "\n")))
    names = of_a_server.labels() | of_the_audit.labels()
    for name in [name for name in names if name.endswith("_bucket")]:
        names[name.removesuffix("_bucket")] = names[name] - {"le"}
    return names


def selected(expression: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each metric of an expression, with the labels that it is asked for by and their values."""
    # A time range has letters of its own, and so have the labels after `by`.
    bare = re.sub(r"\[[^\]]*\]", "", GROUPING.sub("", expression))
    for name, matchers in SELECTOR.findall(bare):
        if name not in KEYWORDS:
            yield name, MATCHER.findall(matchers)


def test_there_are_expressions() -> None:
    assert len(alerts()) == (FILES / "rules.yml").read_text().count("- alert:")
    assert len(alerts()) > 10
    assert len(panels()) > 20


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_each_name_and_label_is_told(expression: str, told: dict[str, set[str]]) -> None:
    known = told | OF_PROMETHEUS
    found = list(selected(expression))
    grouped = {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",")}

    assert found
    for name, matchers in found:
        assert name in known, f"no metric is called {name}: the names are in docs/reference/mcp-server.md"
        assert {label for label, _ in matchers} | grouped <= known[name] | OF_EVERY_TARGET, name


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_each_value_of_a_label_is_one_that_it_can_have(expression: str) -> None:
    values = {
        "kind": {*metrics.REFUSALS, metrics.OTHER, "tool", "resource", "prompt", "subscription"},
        "outcome": {*metrics.OUTCOMES, metrics.FAILED},
        "level": {"error", "warning"},
        "job": {"mcp"},
        "name": {VARIABLE},
    }

    for _, matchers in selected(expression):
        for label, wanted in matchers:
            for each in [wanted] if label == "name" else wanted.split("|"):
                assert any(re.fullmatch(each, value) or each == value for value in values[label]), (label, each)


def test_every_metric_is_on_the_dashboard(told: dict[str, set[str]]) -> None:
    shown = {name for expression in panels().values() for name, _ in selected(expression)}
    ours = {
        name
        for name in told
        if name.startswith(("mcp_", "rls_")) and not name.endswith(("_created", "_count", "_sum", "_seconds"))
    }

    assert ours - shown == set()


def test_the_reference_lists_every_metric_with_its_labels(told: dict[str, set[str]]) -> None:
    listed = {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in re.findall(r"^\|([^|]+)\|([^|]*)\|", _table("| metric | labels | says |"), re.M)
        for name in re.findall(r"`(\w+)`", names)
    }
    ours = {
        name: labels
        for name, labels in told.items()
        if name.startswith("mcp_") and not name.endswith(("_created", "_count", "_sum", "_bucket"))
    }

    assert listed == ours


def test_the_reference_lists_every_kind_of_refusal() -> None:
    first_cells = [line.split("|")[1] for line in _table("| `kind` of a refusal | is |").splitlines()]
    listed = {kind for cell in first_cells for kind in re.findall(r"`(\w+)`", cell)}

    assert listed == {*metrics.REFUSALS, metrics.OTHER}


def _table(heading: str) -> str:
    """The rows of a table of the reference."""
    _, _, found = Path("docs/reference/mcp-server.md").read_text().partition(heading)
    return found.strip().partition("\n\n")[0]


def test_the_guide_says_what_each_alert_means() -> None:
    guide = Path("docs/how-to/watch-it-in-grafana.md").read_text()

    assert set(re.findall(r"^\| `(\w+)` \|", guide, re.M)) == set(alerts())


@needs_promtool
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "docs/observability/prometheus.yml"],
        ["check", "rules", "docs/observability/rules.yml"],
        ["test", "rules", "tests/observability/alerts.yml"],
    ],
    ids=" ".join,
)
def test_prometheus_takes_the_files_and_each_alert_fires(command: list[str]) -> None:
    assert PROMTOOL, "CI_REQUIRE_PROMTOOL=1, and promtool is not installed"

    done = subprocess.run([PROMTOOL, *command], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_in_which_it_fires() -> None:
    cases = Path("tests/observability/alerts.yml").read_text()

    for name in alerts():
        assert re.search(rf"alertname: {name}\n +exp_alerts:\n", cases), (
            f"{name}: add a case to tests/observability/alerts.yml"
        )
