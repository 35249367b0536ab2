"""`manage.py psql --tenant test1`: psql as `app_tenant`, inside that tenant's context."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from mcp_server.tokens import resolver


class Command(BaseCommand):
    help = "Opens psql as app_tenant. Without --tenant every tenanted table answers with the named error."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default="", help="the subdomain whose context is open")
        parser.add_argument("parameters", nargs="*", help="for psql, after --")

    def handle(self, *args: Any, tenant: str, parameters: list[str], **options: Any) -> None:
        if tenant:
            principal = resolver.open_endpoint(tenant)
            if principal is None:
                raise CommandError(f"there is no active tenant {tenant!r}; `manage.py tenants list` shows all")
            os.environ["PGOPTIONS"] = f"-c app.current_tenant={principal.tenant_id}"
        try:
            connection.client.runshell(parameters)
        except subprocess.CalledProcessError as error:
            sys.exit(error.returncode)
        except FileNotFoundError as error:
            raise CommandError("psql is not on the PATH; Debian has it in postgresql-client") from error
