"""Settings of one run of Django's `runtests.py`: its databases, and who records what becomes of each test."""

import os

from psycopg.conninfo import conninfo_to_dict

_place = conninfo_to_dict(os.environ["DJANGO_SUITE_PLACE"])


def _database(alias: str) -> dict[str, object]:
    name = f"{_place['dbname']}_{alias}"
    return {
        "ENGINE": os.environ["DJANGO_SUITE_ENGINE"],
        "NAME": _place["dbname"],
        "USER": _place["user"],
        "PASSWORD": _place["password"],
        "HOST": _place.get("host", ""),
        "PORT": _place.get("port", ""),
        "TEST": {"NAME": name},
    }


DATABASES = {"default": _database("default"), "other": _database("other")}
TEST_RUNNER = "tests.django_suite.runner.Runner"

# What the suite's own settings say (tests/test_sqlite.py).
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
