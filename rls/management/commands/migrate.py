"""`migrate`, as the owner and with the owner's policies open."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

from rls.backends import migrating
from rls.router import OWNER_ALIAS

# `migrate rls`, whatever the options of the command are for the app that it names.
LIBRARY_MIGRATE_OPTIONS = {
    "app_label": "rls",
    "migration_name": None,
    "verbosity": 0,
    "fake": False,
    "fake_initial": False,
    "run_syncdb": False,
    "prune": False,
}


class Command(migrate.Command):
    """Django's `migrate`, on the `owner` connection unless another is named.

    `app.migrating` opens the policies `owner_migration`: without it FORCE ROW LEVEL SECURITY hides every row
    from the owner too, and a NOT NULL or a data migration would see an empty table.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=OWNER_ALIAS)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if options["plan"] or options["check_unapplied"]:  # they read, which every role may
            super().handle(*args, **options)
            return
        with connection.cursor() as cursor:
            cursor.execute("SET app.migrating = 'on'")
        try:
            with migrating.on(options["database"]):
                if options["app_label"] != "rls":
                    # What tables take their keys and policies from is there before any of them.
                    super().handle(*args, **options | LIBRARY_MIGRATE_OPTIONS)
                super().handle(*args, **options)
        finally:
            connection.close()  # and with it app.migrating
