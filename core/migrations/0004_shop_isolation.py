from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0003_shop")]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0012_core_tenantsettings"),
        RunSQLFile("0013_core_customer"),
        RunSQLFile("0014_core_order_customer_id"),
        RunSQLFile("0015_core_payment"),
        RunSQLFile("0016_core_stockmovement"),
        RunSQLFile("0017_core_productterm"),
        RunSQLFile("0018_core_auditevent"),
        RunSQLFile("0019_core_idempotencykey"),
        RunSQLFile("0020_core_export"),
        RunSQLFile("0021_core_exportpart"),
    ]
