"""The list of differences is exact: what nobody explained fails the run, and so does what nothing stands for."""

from __future__ import annotations

import unittest
from io import StringIO
from pathlib import Path

import django
import pytest

from tests.django_suite.comparison import (
    BY_DESIGN,
    FAILED,
    LIMIT,
    PASSED,
    SKIPPED,
    UNSTEADY,
    Entry,
    differences,
    judge,
    read_entries,
)
from tests.django_suite.labels import deal
from tests.django_suite.runner import Result
from tests.django_suite.source import LOCK, NoSource, pinned

LIST = Path(__file__).with_name("differences.toml")
QUERY, LOOKUP = "queries.tests.QueryTests.test_query", "lookup.tests.LookupTests.test_lookup"


def entry(kind: str = BY_DESIGN) -> Entry:
    return Entry(kind, "a reason")


@pytest.mark.parametrize("outcome", [FAILED, SKIPPED])
def test_what_passes_on_djangos_backend_and_not_on_ours_is_a_difference(outcome: str) -> None:
    assert differences({QUERY: outcome, LOOKUP: PASSED}, {QUERY: PASSED}) == {QUERY}


@pytest.mark.parametrize("stock", [{QUERY: FAILED}, {QUERY: SKIPPED}, {}])
def test_what_does_not_pass_on_djangos_backend_either_is_none(stock: dict[str, str]) -> None:
    assert differences({QUERY: FAILED}, stock) == set()


def test_a_class_that_fails_as_a_whole_is_one_difference() -> None:
    ours = {"queries.tests.QueryTests": FAILED}

    assert differences(ours, {QUERY: PASSED}) == {"queries.tests.QueryTests"}
    assert differences(ours, {QUERY: SKIPPED}) == set()
    assert differences(ours, {"queries.tests.QueryTests": FAILED, QUERY: PASSED}) == set()


def test_a_run_that_differs_as_the_list_says_is_good() -> None:
    verdict = judge({QUERY}, {QUERY: entry(), LOOKUP: entry(UNSTEADY)}, ["queries", "lookup"])

    assert verdict.is_good


def test_an_unexplained_difference_is_not() -> None:
    verdict = judge({QUERY, LOOKUP}, {QUERY: entry()}, ["queries", "lookup"])

    assert (verdict.is_good, verdict.unexplained, verdict.stale) == (False, [LOOKUP], [])


@pytest.mark.parametrize("kind", [BY_DESIGN, LIMIT])
def test_an_entry_that_no_difference_stands_for_is_not(kind: str) -> None:
    verdict = judge({QUERY}, {QUERY: entry(), LOOKUP: entry(kind)}, ["queries", "lookup"])

    assert (verdict.is_good, verdict.unexplained, verdict.stale) == (False, [], [LOOKUP])


@pytest.mark.parametrize("labels", [["queries"], ["lookup.tests.OtherTests"], ["lookup.tests.Lookup"]])
def test_an_entry_is_held_against_a_run_of_its_label_only(labels: list[str]) -> None:
    assert judge((), {LOOKUP: entry()}, labels).is_good
    assert not judge((), {LOOKUP: entry()}, [*labels, "lookup.tests"]).is_good


def test_the_list_gives_each_test_one_reason(tmp_path: Path) -> None:
    file = tmp_path / "list.toml"
    file.write_text(f'[[limit]]\nreason = "a"\ntests = ["{QUERY}"]\n[[by_design]]\nreason = "b"\ntests = ["{QUERY}"]\n')

    with pytest.raises(ValueError, match="listed twice"):
        read_entries(file, django="5.2.19")


def test_an_entry_may_be_of_one_version_of_django(tmp_path: Path) -> None:
    file = tmp_path / "list.toml"
    file.write_text(f'[[limit]]\ndjango = "6."\nreason = "a"\ntests = ["{QUERY}"]\n')

    assert read_entries(file, django="5.2.19") == {}
    assert read_entries(file, django="6.1.3") == {QUERY: Entry(LIMIT, "a")}


@pytest.mark.parametrize("version", ["5.2.19", "6.1.3"])
def test_the_committed_list_can_be_read(version: str) -> None:
    entries = read_entries(LIST, django=version)

    assert entries
    assert {each.kind for each in entries.values()} <= {BY_DESIGN, LIMIT, UNSTEADY}
    assert all(each.reason.strip() for each in entries.values())


def test_a_run_records_what_became_of_each_test() -> None:
    recorded = record(Sample, Broken)

    assert recorded == {
        f"{Sample.__module__}.{Sample.__qualname__}.test_passes": PASSED,
        f"{Sample.__module__}.{Sample.__qualname__}.test_fails": FAILED,
        f"{Sample.__module__}.{Sample.__qualname__}.test_is_skipped": SKIPPED,
        f"{Sample.__module__}.{Sample.__qualname__}.test_fails_in_a_part": FAILED,
        f"{Sample.__module__}.{Sample.__qualname__}.test_fails_as_expected": PASSED,
        f"{Sample.__module__}.{Sample.__qualname__}.test_passes_unexpectedly": FAILED,
        f"{Broken.__module__}.{Broken.__qualname__}": FAILED,
    }


def record(*classes: type[unittest.TestCase]) -> dict[str, str]:
    """What Result makes of these."""
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    runner = unittest.TextTestRunner(StringIO(), resultclass=Result)
    result = runner.run(unittest.TestSuite(map(load, classes)))
    return dict(result.outcomes)


class Sample(unittest.TestCase):
    """A test for each outcome."""

    __test__ = False  # not for pytest

    def test_passes(self) -> None:
        pass

    def test_fails(self) -> None:
        self.fail()

    def test_is_skipped(self) -> None:
        self.skipTest("")

    def test_fails_in_a_part(self) -> None:
        for number in range(2):
            with self.subTest(number=number):
                assert number

    @unittest.expectedFailure
    def test_fails_as_expected(self) -> None:
        self.fail()

    @unittest.expectedFailure
    def test_passes_unexpectedly(self) -> None:
        pass


class Broken(Sample):
    """A class that can't be set up."""

    @classmethod
    def setUpClass(cls) -> None:
        raise ValueError


def test_every_label_is_dealt_once(tmp_path: Path) -> None:
    labels = ["queries", "lookup.tests", "basic"]

    for batches in (1, 2, 8):
        dealt = deal(labels, batches, tmp_path)
        assert sorted(label for batch in dealt for label in batch) == sorted(labels)
        assert all(dealt)


def test_the_installed_django_is_downloaded_by_the_hash_of_the_lock() -> None:
    pin = pinned(LOCK.read_text(), django.get_version())

    assert pin.startswith(f"django=={django.get_version()} ")
    assert "--hash=sha256:" in pin
    assert not pin.endswith("\\")


def test_a_django_that_is_not_locked_is_not_downloaded() -> None:
    with pytest.raises(NoSource, match=r"has no hash for Django 5\.2\.1:"):
        pinned(LOCK.read_text(), "5.2.1")
