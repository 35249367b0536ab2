from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile

LOCALE = "UPDATE core_tenant AS n SET locale = s.locale FROM core_tenantsettings AS s WHERE s.tenant_id = n.id"


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0005_settings_and_ledger")]
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(migrations.RunSQL.noop, LOCALE),
        RunSQLFile("0022_locale_is_a_setting"),
        migrations.RemoveField(model_name="tenant", name="locale"),
    ]
