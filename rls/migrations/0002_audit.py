from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import SQL_DIRECTORY, InstallAudit, RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("rls", "0001_tenant_context")]
    operations: ClassVar[list[Operation]] = [RunSQLFile("0003_audit", directory=SQL_DIRECTORY), InstallAudit()]
