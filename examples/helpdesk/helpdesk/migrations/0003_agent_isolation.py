from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("helpdesk", "0002_organisation_isolation"),
        ("rls", "0002_audit"),
    ]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0002_helpdesk_agent"),
    ]
