from pathlib import Path

from django.db import migrations

from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("mcp_ledger", "0004_platform_events")]

    operations = [RunSQLFile("0005_transactions", directory=SQL_DIRECTORY)]
