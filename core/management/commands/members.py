"""`manage.py members add|change|remove|list`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.models import Tenant
from core.roles import Role
from core.services import members, tenants
from mcp_server.management import platform
from mcp_server.management.platform import add_reason, working


class Command(BaseCommand):
    help = "Manages who may sign in for a tenant, and as what. Each call leaves an audit row."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        for name, explained in (
            ("list", "show the members of a tenant"),
            ("add", "make a user a member"),
            ("change", "give a member another role, which holds for his tokens within a second"),
            ("remove", "end a membership, and the tokens that were made for it"),
        ):
            command = commands.add_parser(name, help=explained)
            command.add_argument("--tenant", required=True, help="the tenant: the name in its URL")
            if name != "list":
                command.add_argument("--user", required=True, help="the name with which he signs in")
            if name in ("add", "change"):
                command.add_argument("--role", required=True, choices=Role.values)
            if name == "add":
                command.add_argument(
                    "--create",
                    action="store_true",
                    help="make the user where there is none, without a password: `manage.py changepassword` sets one",
                )
            add_reason(command)

    def handle(self, *args: Any, command: str, reason: str, tenant: str, **options: Any) -> None:
        with working(f"members {command}", reason):
            getattr(self, command)(tenants.known(tenant), **options)

    def list(self, tenant: Tenant, **options: Any) -> None:
        for each in members.of_tenant(tenant):
            state = "active" if each.user.is_active else "inactive"
            self.stdout.write(f"{each.user.get_username()}\t{each.role}\t{state}\t{each.id}")

    def add(self, tenant: Tenant, *, user: str, role: str, create: bool, **options: Any) -> None:
        found = _user(user, create=create)
        members.add(user=found, tenant=tenant, role=role, actor=platform.user())
        self.stdout.write(f"{user} is {role} of {tenant.subdomain}")

    def change(self, tenant: Tenant, *, user: str, role: str, **options: Any) -> None:
        members.change_role(user=_user(user), tenant=tenant, role=role, actor=platform.user())
        self.stdout.write(f"{user} is {role} of {tenant.subdomain}")

    def remove(self, tenant: Tenant, *, user: str, **options: Any) -> None:
        members.remove(user=_user(user), tenant=tenant, actor=platform.user())
        self.stdout.write(f"{user} is no member of {tenant.subdomain} any more")


def _user(name: str, *, create: bool = False) -> User:
    """The user of this name. Raises CommandError: there is none."""
    found = User.objects.filter(username=name).first()
    if found is None and create:
        return User.objects.create_user(name)
    if found is None:
        raise CommandError(f"There is no user {name!r}. Say --create to make one, or add one in the admin.")
    return found
