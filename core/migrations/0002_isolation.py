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
        RunSQLFile("0009_core_apitoken"),
        RunSQLFile("0010_resolve_principal"),
        RunSQLFile("0011_django_tables"),
    ]
