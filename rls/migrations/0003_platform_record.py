from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import LIBRARY, InstallAudit, RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("rls", "0002_audit")]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0024_platform_outcome", directory=LIBRARY),
        RunSQLFile("0026_platform_record", directory=LIBRARY),
        InstallAudit(),
    ]
