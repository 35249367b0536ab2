from typing import ClassVar

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

import rls.models
from rls.operations import RunSQLFile

ROLES = [("owner", "owner"), ("manager", "manager"), ("staff", "staff"), ("viewer", "viewer")]


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("core", "0010_variants_of_characters"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations: ClassVar[list[Operation]] = [
        migrations.AlterField("tenantuser", "role", models.CharField(choices=ROLES, default="staff", max_length=10)),
        migrations.CreateModel(
            "Membership",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("role", models.CharField(choices=ROLES, max_length=10)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "default_related_name": "memberships",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "user"), name="membership_user_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", [role for role, _ in ROLES])), name="membership_role_known"
                    ),
                ],
            },
        ),
        RunSQLFile("0022_core_membership"),
    ]
