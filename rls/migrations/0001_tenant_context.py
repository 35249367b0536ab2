from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import SQL_DIRECTORY, RunSQLFile


class Migration(migrations.Migration):
    initial = True
    operations: ClassVar[list[Operation]] = [RunSQLFile("0002_tenant_context", directory=SQL_DIRECTORY)]
