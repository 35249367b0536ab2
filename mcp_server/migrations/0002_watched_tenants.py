from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from mcp_server.operations.writing import SQL_DIRECTORY
from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("mcp_server", "0001_change_notifications")]
    operations: ClassVar[list[Operation]] = [RunSQLFile("0002_watched_tenants", directory=SQL_DIRECTORY)]
