from pathlib import Path

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
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("action", models.CharField(help_text="The tool that was called.", max_length=64)),
                (
                    "subject",
                    models.CharField(
                        blank=True, default="", help_text='What it was about: "ticket 7".', max_length=200
                    ),
                ),
                ("actor", models.CharField(help_text="The name of the token.", max_length=100)),
                ("details", models.JSONField(default=dict, help_text="The arguments of the call.")),
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
                "default_related_name": "mcp_audit_events",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="mcp_auditevent_newest",
                    ),
                    models.Index(
                        models.F("tenant"),
                        models.F("action"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="mcp_auditevent_action",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("key", models.CharField(max_length=200)),
                ("action", models.CharField(help_text="The tool that was called.", max_length=64)),
                ("digest", models.BinaryField(help_text="SHA-256 of the caller and the arguments.", max_length=32)),
                ("answer", models.JSONField(null=True)),
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
                "default_related_name": "mcp_idempotency_keys",
                "indexes": [models.Index(fields=["tenant", "created_at"], name="mcp_idempotencykey_age")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "key"), name="mcp_idempotencykey_unique")],
            },
        ),
        RunSQLFile("0001_ledger", directory=SQL_DIRECTORY),
    ]
