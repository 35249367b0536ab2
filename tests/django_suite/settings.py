"""Settings of one run of `runtests.py`: those that Django's tests come with, other databases, and who takes notes."""

import os

from psycopg.conninfo import conninfo_to_dict
from test_sqlite import *  # noqa: F403  (runtests.py is started beside it)

_place = conninfo_to_dict(os.environ["DJANGO_SUITE_PLACE"])

DATABASES = {
    alias: {
        "ENGINE": os.environ["DJANGO_SUITE_ENGINE"],
        "NAME": _place["dbname"],
        "USER": _place["user"],
        "PASSWORD": _place["password"],
        "HOST": _place.get("host", ""),
        "PORT": _place.get("port", ""),
        "TEST": {"NAME": f"{_place['dbname']}_{alias}"},
    }
    for alias in ("default", "other")
}
TEST_RUNNER = "tests.django_suite.runner.Runner"
