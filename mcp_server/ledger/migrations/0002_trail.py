from __future__ import annotations

from pathlib import Path
from typing import Any

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import rls.models
from rls.operations import RunSQLFile

SQL_DIRECTORY = Path(__file__).resolve().parent.parent / "sql"


def _attributes() -> list[tuple[str, models.CharField[Any, Any]]]:
    """Who has called, and from where."""
    texts = {
        "actor_id": (200, "The id of the caller, whose name may change; empty for a public endpoint."),
        "request_id": (64, "What the log calls the request."),
        "client": (200, "The program and its version, as it says itself."),
        "address": (64, "The network address of the client; empty over stdio."),
    }
    return [
        (name, models.CharField(blank=True, default="", db_default="", help_text=text, max_length=length))
        for name, (length, text) in texts.items()
    ]


def _actor() -> models.CharField[Any, Any]:
    return models.CharField(help_text="The name of the caller: of a token, or a user.", max_length=100)


class Migration(migrations.Migration):
    dependencies = [
        ("mcp_ledger", "0001_ledger"),
        migrations.swappable_dependency(settings.RLS_TENANT_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CallRecord",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("actor", _actor()),
                *_attributes(),
                ("kind", models.CharField(help_text="tool, resource or prompt.", max_length=16)),
                ("action", models.CharField(help_text="Its name.", max_length=200)),
                (
                    "arguments",
                    models.JSONField(default=dict, help_text="What the client has sent, without secrets, and cut."),
                ),
                ("outcome", models.CharField(help_text="As in the log: ok, refused, or a reference.", max_length=40)),
                ("duration_ms", models.FloatField(help_text="Milliseconds until there was an answer.")),
                ("rows", models.PositiveIntegerField(help_text="How many items the answer lists.", null=True)),
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
                "default_related_name": "mcp_call_records",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="mcp_callrecord_newest",
                    ),
                    django.contrib.postgres.indexes.BrinIndex(fields=["created_at"], name="mcp_callrecord_age"),
                ],
            },
        ),
        *(migrations.AddField("auditevent", name, field) for name, field in _attributes()),
        migrations.AlterField("auditevent", "actor", _actor()),
        migrations.AddIndex(
            "auditevent", django.contrib.postgres.indexes.BrinIndex(fields=["created_at"], name="mcp_auditevent_age")
        ),
        RunSQLFile("0002_trail", directory=SQL_DIRECTORY),
    ]
