#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it works on the development database in `.local/`."""

import os
import sys
from typing import NoReturn


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  (older ones come this far, and would end with a traceback)
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"needs Python 3.11 or newer, and this is {version}: use .venv/bin/python, which make run makes")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.db import OperationalError

        from core.development.environment import environment
        from rls.backends import lost
        from rls.embedded import EmbeddedError
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed for {sys.executable}: use .venv/bin/python, which make run makes")
    try:
        with environment():
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except (EmbeddedError, ImproperlyConfigured) as error:
        stop(str(error))
    except OperationalError as error:
        if not lost.is_lost(error):
            raise
        stop(f"the database does not answer: {error}")


def stop(sentence: str) -> NoReturn:
    """Say why nothing could be done. 1 is what a command says of what it found."""
    sys.stderr.write(f"{sentence}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
