from pathlib import Path

from django.db import migrations, models

from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("mcp_tokens", "0002_narrower_tokens")]
    operations = [
        migrations.AddField(
            "apitoken",
            "member",
            models.UUIDField(
                blank=True,
                editable=False,
                help_text="The member of the tenant for whom it acts, and with whom it ends.",
                null=True,
            ),
        ),
        RunSQLFile("0003_tokens_of_members", directory=SQL_DIRECTORY),
    ]
