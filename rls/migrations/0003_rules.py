from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import InstallAudit


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("rls", "0002_audit")]
    # Rule 0020 lets the function that announces changes take advisory locks.
    operations: ClassVar[list[Operation]] = [InstallAudit()]
