"""What the commands of the platform share: who works, and why."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from mcp_server.errors import Refusal
from rls import platform_context


def add_reason(parser: ArgumentParser) -> None:
    """The option that every command of the platform takes."""
    parser.add_argument("--reason", default="", help="why, for the audit (default: the command itself)")


@contextmanager
def working(command: str, reason: str) -> Iterator[None]:
    """A platform context for the operating system's user; an anticipated failure becomes the command's sentence."""
    try:
        with platform_context(actor=user(), reason=reason or command, origin=f"manage.py {command}"):
            yield
    except Refusal as error:
        raise CommandError(str(error)) from error


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name in the user database, as in a container
        return "operator"
