"""The project's settings; `tests/conftest.py` points them at the test database once that is there."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-and-for-nothing-else")
for variable, role in (
    ("DATABASE_URL", "app_tenant"),
    ("PLATFORM_DATABASE_URL", "app_platform"),
    ("OWNER_DATABASE_URL", "app_owner"),
    ("AUDITOR_DATABASE_URL", "app_auditor"),
):
    os.environ.setdefault(variable, f"postgresql://{role}@127.0.0.1:1/not-started")

# The tests call one tenant from one address as often as they can; what a limit does has tests of its own.
for variable in ("MCP_LIMIT_TENANT", "MCP_LIMIT_PRINCIPAL", "MCP_LIMIT_FAILED_LOGINS"):
    os.environ.setdefault(variable, "")
os.environ.setdefault("MCP_LIMIT_AT_ONCE", "0")

from core.settings import *  # noqa: E402, F403  (the environment comes first)

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shop"]  # noqa: F405

# A test arranges beside the server, and calls it at once: it would be given what was true before. Where it is about the
# cache, it names one.
if not os.environ.get("CACHE_URL"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

# One round: the tests sign in by the hundred, and what is tested is not how hard a password is to guess.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
