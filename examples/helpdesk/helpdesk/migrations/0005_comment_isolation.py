from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("helpdesk", "0004_ticket_isolation"),
    ]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0004_helpdesk_comment"),
    ]
