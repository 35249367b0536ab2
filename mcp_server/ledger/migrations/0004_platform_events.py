from pathlib import Path

from django.db import migrations

from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("mcp_ledger", "0003_changes")]
    operations = [RunSQLFile("0004_platform_events", directory=SQL_DIRECTORY)]
