"""Runs tests inside a tenant context and writes down what became of each."""

from __future__ import annotations

import json
import os
import re
import unittest
from pathlib import Path
from typing import Any
from uuid import UUID

from django.test.runner import DiscoverRunner

from rls.context import checked_tenant_context
from tests.django_suite.comparison import FAILED, PASSED, SKIPPED

TENANT = UUID("00000000-0000-4000-8000-000000000001")

# What unittest calls the failure of a whole class, module or import.
GROUP = re.compile(
    r"(?:setUp|tearDown)(?:Class|Module) \((?P<name>[\w.]+)\)|unittest\.loader\._FailedTest\.(?P<label>[\w.]+)"
)


class Result(unittest.TextTestResult):
    """A result that knows what became of each test, by its id. One that failed in a part of it failed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.outcomes: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self._note(PASSED, test)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._note(PASSED, test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(SKIPPED, test)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._note(FAILED, test)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._note(FAILED, test)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._note(FAILED, test)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(FAILED, test)

    def _note(self, outcome: str, test: unittest.TestCase) -> None:
        test = getattr(test, "test_case", test)  # a subtest's own
        group = GROUP.fullmatch(test.id())
        name = (group["name"] or group["label"]) if group else test.id()
        if self.outcomes.get(name) != FAILED:
            self.outcomes[name] = outcome


class Runner(DiscoverRunner):
    """Django's runner, with a tenant context open around databases and tests."""

    def get_resultclass(self) -> type[Result]:
        return Result

    def run_tests(self, test_labels: list[str], **options: Any) -> int:
        with checked_tenant_context(TENANT):
            return super().run_tests(test_labels, **options)

    def suite_result(self, suite: unittest.TestSuite, result: Result, **options: Any) -> int:
        Path(os.environ["DJANGO_SUITE_OUTCOMES"]).write_text(json.dumps(result.outcomes))
        return super().suite_result(suite, result, **options)
