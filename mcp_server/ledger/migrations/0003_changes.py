from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mcp_ledger", "0002_trail")]

    operations = [
        migrations.AddField(
            "auditevent",
            "changes",
            models.JSONField(
                default=list, db_default=[], help_text="Values that were others before: field, before, after, unit."
            ),
        ),
        *(
            migrations.AddIndex(
                "auditevent",
                models.Index(
                    models.F("tenant"),
                    models.F(field),
                    models.OrderBy(models.F("created_at"), descending=True),
                    models.OrderBy(models.F("id"), descending=True),
                    name=f"mcp_auditevent_{field}",
                ),
            )
            for field in ("subject", "actor")
        ),
    ]
