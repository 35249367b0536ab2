from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import rls.models
from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("rls", "0002_audit"),
        # The tenant model stands in the first migration of its app, as a user model does.
        migrations.swappable_dependency(settings.RLS_TENANT_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PlatformToken",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "name",
                    models.CharField(help_text="Who or what uses it; appears in logs and audit rows.", max_length=100),
                ),
                ("digest", models.BinaryField(help_text="SHA-256 of the token.", max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), help_text='Such as "tickets:read".', size=None
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(editable=False, help_text="To the minute.", null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("digest",), name="mcp_platformtoken_digest_unique")],
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "name",
                    models.CharField(help_text="Who or what uses it; appears in logs and audit rows.", max_length=100),
                ),
                ("digest", models.BinaryField(help_text="SHA-256 of the token.", max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), help_text='Such as "tickets:read".', size=None
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(editable=False, help_text="To the minute.", null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
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
                "default_related_name": "mcp_tokens",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "digest"), name="mcp_apitoken_digest_unique")
                ],
            },
        ),
        RunSQLFile("0001_tokens", directory=SQL_DIRECTORY),
    ]
