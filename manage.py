#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it works on the development database in `.local/`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    from django.core.exceptions import ImproperlyConfigured

    from core.development.environment import environment
    from rls.embedded import EmbeddedError

    try:
        with environment():
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except (EmbeddedError, ImproperlyConfigured) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
