"""The official conformance suite against the fixtures: `make conformance` installs and runs it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import official
from tests.conformance.official import PASSED
from tests.support.processes import Process, serving
from tests.support.world import World

pytestmark = pytest.mark.skipif(
    not official.is_installed() and "REQUIRE_CONFORMANCE" not in os.environ,
    reason="the suite is not there: run `make conformance`",
)

BASELINE = Path(__file__).parent / "baseline.toml"


@pytest.fixture(scope="module", params=["stateless", "stateful"])
def sessions(request: pytest.FixtureRequest) -> str:
    """Whether the server has sessions, in the protocols that know them."""
    return str(request.param)


@pytest.fixture(scope="module")
def fixtures(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory, sessions: str) -> Iterator[Process]:
    """A server with what the suite asks for."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, app="tests.conformance.asgi:application", MCP_SESSIONS=sessions) as process:
        yield process


def known(version: str, sessions: str) -> set[str]:
    """The checks that fail."""
    found = tomllib.loads(BASELINE.read_text())["known"]
    return {
        check
        for each in found
        if version in each["versions"] and sessions in each["sessions"]
        for check in each["checks"]
    }


@pytest.mark.parametrize("version", official.VERSIONS)
def test_a_check_passes_or_is_known_to_fail(
    version: str,
    sessions: str,
    fixtures: Process,
    acme: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checks = official.run(fixtures.mcp("acme"), acme.token, version, tmp_path)

    failed = {check.name: f"{check.name}: {check.error}" for check in checks if check.status != PASSED}
    with capsys.disabled():
        print(f"\n{version} {sessions}: {len(checks) - len(failed)}/{len(checks)} checks pass", end=" ")  # noqa: T201
    assert len(checks) > 40, "the suite did not run"
    expected = known(version, sessions)
    assert [text for name, text in failed.items() if name not in expected] == []
    assert expected - failed.keys() == set(), "these pass now: take them out of baseline.toml"
