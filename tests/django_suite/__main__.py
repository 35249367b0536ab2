"""`python -m tests.django_suite [label ...]`: exit 0 where Django's suite differs on our backend as the list says."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.django_suite import labels as choice  # noqa: E402
from tests.django_suite import source  # noqa: E402
from tests.django_suite.comparison import PASSED, Verdict, differences, judge, read_entries  # noqa: E402
from tests.django_suite.suite import OURS, STOCK, Suite, Unfinished  # noqa: E402
from tests.support import postgres  # noqa: E402  (it imports models)

LIST = Path(__file__).with_name("differences.toml")
PROCESSES = 2
BATCHES = 8


def run(suite: Suite, labels: Sequence[str]) -> Verdict:
    """Run these labels on our backend, and on Django's what did not pass there."""
    ours: dict[str, str] = {}
    batches = choice.deal(labels, BATCHES, suite.tests)
    with ThreadPoolExecutor(PROCESSES) as pool:
        runs = [pool.submit(suite.run, OURS, batch, name=f"ours_{number}") for number, batch in enumerate(batches)]
        try:
            for number, each in enumerate(as_completed(runs), 1):
                ours |= each.result()
                say(f"{number} of {len(runs)} batches, {len(ours)} tests")
        except Unfinished:
            pool.shutdown(cancel_futures=True)
            raise
    rest = [name for name, outcome in ours.items() if outcome != PASSED]
    stock = suite.run(STOCK, rest, name="stock") if rest else {}
    found = differences(ours, stock)
    say(f"{len(ours)} tests, {len(rest)} did not pass, {len(found)} of them pass on Django's own backend")
    return judge(found, read_entries(LIST, django=django.get_version()), labels)


def main(wanted: Sequence[str]) -> int:
    """The exit status: 0 where differences and list are the same, 1 where they part, 2 where nothing was found out."""
    os.environ.setdefault("TEST_PG", "embedded")
    started = time.monotonic()
    try:
        tests = source.tests()
        with postgres.running() as server:
            labels = list(wanted) or choice.everything(tests)
            lacking = choice.lacking(labels, server.admin_url)
            if lacking:
                say(f"left out, because {server.source} has not their extensions: {', '.join(lacking)}")
            suite = Suite(tests, server.admin_url)
            with suite.role():
                verdict = run(suite, [label for label in labels if label not in lacking])
    except (source.NoSource, postgres.NoPostgres, Unfinished) as error:
        say(str(error))
        return 2
    for name in verdict.unexplained:
        say(f"not explained: {name}")
    for name in verdict.stale:
        say(f"stale: {name} passes now, or is no longer there: take it from {LIST.name}")
    say(f"{'as the list says' if verdict.is_good else 'NOT as the list says'}, in {time.monotonic() - started:.0f} s")
    return 0 if verdict.is_good else 1


def say(text: str) -> None:
    """One line of the report."""
    sys.stdout.write(f"django-suite: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
