"""`manage.py runserver`, which does not start where row-level security would not bind it."""

from __future__ import annotations

from django.contrib.staticfiles.management.commands import runserver
from django.db import DEFAULT_DB_ALIAS, connections

from rls.context import PLATFORM_ALIAS


class Command(runserver.Command):
    def check_migrations(self) -> None:
        # Django's own takes the refusal for a project without a database, and serves.
        for alias in (DEFAULT_DB_ALIAS, PLATFORM_ALIAS):
            connections[alias].ensure_connection()
        super().check_migrations()
