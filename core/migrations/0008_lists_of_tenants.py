from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0007_categories_of_lines")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddIndex("tenant", models.Index(fields=["created_at", "subdomain"], name="tenant_oldest")),
        migrations.AddIndex(
            "tenant",
            models.Index(condition=Q(is_active=False), fields=["subdomain"], name="tenant_suspended"),
        ),
    ]
