from pathlib import Path

import django.contrib.postgres.fields
from django.db import migrations, models

from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


def columns(model_name: str) -> list[migrations.AddField]:
    return [
        migrations.AddField(
            model_name,
            "tools",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=128),
                blank=True,
                help_text="Of those that the scopes allow, these alone; empty for all of them.",
                null=True,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name,
            "is_read_only",
            models.BooleanField(default=False, help_text="No tool that changes something is there for it."),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [("mcp_tokens", "0001_tokens")]
    operations = [
        *columns("apitoken"),
        *columns("platformtoken"),
        RunSQLFile("0002_narrower_tokens", directory=SQL_DIRECTORY),
    ]
