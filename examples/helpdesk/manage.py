#!/usr/bin/env python
"""Django's command line, on the database of development.py."""

import os
import sys

from development import database

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with database():
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
