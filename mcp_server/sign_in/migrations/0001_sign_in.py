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
        ("mcp_tokens", "0001_tokens"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Client",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "redirect_uris",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=2000), size=None),
                ),
                (
                    "last_used_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("resource", models.CharField(max_length=2000)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50), size=None),
                ),
                ("redirect_uri", models.CharField(max_length=2000)),
                ("code_digest", models.BinaryField(max_length=32)),
                ("code_challenge", models.CharField(max_length=128)),
                ("code_expires_at", models.DateTimeField()),
                ("code_used_at", models.DateTimeField(null=True)),
                ("token_id", models.UUIDField(null=True)),
                ("access_digest", models.BinaryField(max_length=32, null=True)),
                ("refresh_digest", models.BinaryField(max_length=32, null=True)),
                ("refresh_expires_at", models.DateTimeField(null=True)),
                ("client", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="mcp_sign_in.client")),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "default_related_name": "mcp_consents",
                "constraints": [
                    models.UniqueConstraint(fields=("code_digest",), name="mcp_consent_code_unique"),
                    models.UniqueConstraint(fields=("access_digest",), name="mcp_consent_access_unique"),
                ],
            },
        ),
        RunSQLFile("0001_sign_in", directory=SQL_DIRECTORY),
    ]
