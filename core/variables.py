"""What the settings read from the environment, `.env` and files (`<name>_FILE`), checked.

Each raises ImproperlyConfigured: one sentence that names the variable and says what to write, and never its value
where that may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from mcp_server.limits.rules import RATE_EXAMPLE, rates

BASE_DIR = Path(__file__).resolve().parent.parent
MIN_SECRET_LENGTH = 32
SCHEMES = ("postgres", "postgresql")
EXAMPLE_URL = "postgresql://user:password@host:5432/database"
CACHE_SCHEMES = ("redis", "rediss")
# Seconds. Without them whoever asks a Redis that says nothing waits for ever.
CACHE_TIMEOUTS = {"socket_connect_timeout": 1, "socket_timeout": 1}
EXAMPLE_CACHE_URL = "redis://user:password@host:6379/0"

env = environ.FileAwareEnv()


def read_file() -> None:
    """Add what `.env` beside manage.py holds to the environment, which wins."""
    path = BASE_DIR / ".env"
    if not path.exists():
        return
    try:
        # environ takes a file that can't be read for one that is not there.
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} can't be read ({error}): mend that, or move it away") from None
    environ.Env.read_env(path)


def secret(variable: str) -> str:
    """A text that nobody guesses, of MIN_SECRET_LENGTH characters or more."""
    return _long_enough(variable, _text(variable).strip())


def former_secrets(variable: str) -> list[str]:
    """Such texts, with commas between them; none where the variable is not set."""
    keys = [key.strip() for key in _text(variable, default="").split(",")]
    return [_long_enough(variable, key) for key in keys if key]


def number(variable: str, *, default: int, least: int) -> int:
    """A whole number from `least` up."""
    text = _text(variable, default=str(default)).strip()
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise ImproperlyConfigured(f"{variable} is {text!r}: set it to a whole number from {least} up")
    return int(text)


def choice(variable: str, *, default: str, among: Collection[str]) -> str:
    """One of these texts."""
    text = _text(variable, default=default)
    if text not in among:
        raise ImproperlyConfigured(f"{variable} is {text!r}; set it to {' or '.join(among)}")
    return text


def database(variable: str, engine: str) -> dict[str, Any]:
    """A database of Django's DATABASES, from a URL like EXAMPLE_URL; what stands after its `?` goes to libpq."""
    url = _text(variable).strip()
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in SCHEMES and bool(parts.path.strip("/")) and "@" not in parts.path
        found: dict[str, Any] = environ.Env.db_url_config(url, engine=engine)
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_one = False
    if not is_one:
        raise ImproperlyConfigured(
            f"{variable} is no URL of a database: write {EXAMPLE_URL}, and a / in the password as %2F"
        )
    return found


def rate(variable: str, *, default: str) -> str:
    """How much is taken in which time, as RATE_EXAMPLE; '' for any."""
    text = _text(variable, default=default).strip()
    try:
        rates(text)
    except ValueError:
        raise ImproperlyConfigured(
            f"{variable} is {text!r}: write rates as {RATE_EXAMPLE!r}, or leave it empty for no limit"
        ) from None
    return text


def cache(variable: str) -> dict[str, Any]:
    """A cache of Django's CACHES: a Redis, from a URL like EXAMPLE_CACHE_URL, or the memory of the process."""
    url = _text(variable, default="").strip()
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in CACHE_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_one = False
    if not is_one:
        raise ImproperlyConfigured(
            f"{variable} is no URL of a Redis: write {EXAMPLE_CACHE_URL}, and a / in the password as %2F"
        )
    found: dict[str, Any] = environ.Env.cache_url_config(url)
    return found | {"OPTIONS": CACHE_TIMEOUTS | found.get("OPTIONS", {})}


def is_set(variable: str) -> bool:
    """Whether the variable, or the one that names its file, is in the environment."""
    return variable in os.environ or f"{variable}_FILE" in os.environ


def _text(variable: str, **default: str) -> str:
    with _sentence(variable):
        found: str = env.str(variable, **default)
    return found


def _long_enough(variable: str, text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH:
        raise ImproperlyConfigured(
            f"{variable} needs keys of at least {MIN_SECRET_LENGTH} characters; openssl rand -base64 32 makes one"
        )
    return text


@contextmanager
def _sentence(variable: str) -> Iterator[None]:
    try:
        yield
    except ImproperlyConfigured:
        raise ImproperlyConfigured(f"{variable} is not set: README.md says what it holds, under Settings") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{variable}_FILE names a file that can't be read ({error})") from None
