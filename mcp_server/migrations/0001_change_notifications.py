from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from mcp_server.operations.writing import SQL_DIRECTORY
from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = [("rls", "0002_audit")]
    operations: ClassVar[list[Operation]] = [RunSQLFile("0001_change_notifications", directory=SQL_DIRECTORY)]
