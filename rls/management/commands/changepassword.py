"""`changepassword`, where the users are: on the `platform` connection unless another is named."""

from __future__ import annotations

from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandParser

from rls.context import PLATFORM_ALIAS


class Command(changepassword.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=PLATFORM_ALIAS)
