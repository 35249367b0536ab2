from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("helpdesk", "0001_initial"),
        ("rls", "0002_audit"),
    ]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0001_helpdesk_organisation"),
    ]
