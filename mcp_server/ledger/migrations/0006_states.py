from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import rls.models
from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("mcp_ledger", "0005_transactions"),
        migrations.swappable_dependency(settings.RLS_TENANT_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="State",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("handle", models.CharField(help_text="What the caller shows to get it.", max_length=32)),
                ("owner", models.CharField(help_text="SHA-256 of the caller, in hexadecimal digits.", max_length=64)),
                ("value", models.TextField(help_text="A JSON value, in ASCII.")),
                ("expires_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.RLS_TENANT_MODEL,
                    ),
                ),
            ],
            options={
                "default_related_name": "mcp_states",
                "indexes": [
                    models.Index(fields=["tenant", "owner", "expires_at"], name="mcp_state_owner"),
                    models.Index(fields=["tenant", "expires_at"], name="mcp_state_age"),
                ],
                "constraints": [models.UniqueConstraint(fields=("tenant", "handle"), name="mcp_state_unique")],
            },
        ),
        RunSQLFile("0006_states", directory=SQL_DIRECTORY),
    ]
