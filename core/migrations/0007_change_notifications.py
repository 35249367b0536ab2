from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import InstallAudit, RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0006_locale_is_a_setting")]
    operations: ClassVar[list[Operation]] = [
        InstallAudit(),  # what it may call is in a rule
        RunSQLFile("0023_change_notifications"),
    ]
