from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import LIBRARY, RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("rls", "0003_platform_record")]
    operations: ClassVar[list[Operation]] = [RunSQLFile("0025_django_migrations", directory=LIBRARY)]
