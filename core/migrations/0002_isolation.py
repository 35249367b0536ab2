from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("core", "0001_models"),
        ("rls", "0002_audit"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
    ]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("0004_core_tenant"),
        RunSQLFile("0005_core_tenantuser"),
        RunSQLFile("0006_core_product"),
        RunSQLFile("0007_core_order"),
        RunSQLFile("0008_core_orderitem"),
        RunSQLFile("0011_django_tables"),
        RunSQLFile("0012_core_tenantsettings"),
        RunSQLFile("0013_core_customer"),
        RunSQLFile("0014_core_order_customer_id"),
        RunSQLFile("0015_core_payment"),
        RunSQLFile("0016_core_stockmovement"),
        RunSQLFile("0017_core_productterm"),
        RunSQLFile("0020_core_export"),
        RunSQLFile("0021_core_exportpart"),
    ]
