from typing import Any, ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import F, Max, OrderBy, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce


def date_cancellations(apps: Any, schema_editor: Any) -> None:
    """What is cancelled was cancelled when its units came back; a draft had none, and nobody knows more than its age."""
    alias = schema_editor.connection.alias
    returns = apps.get_model("core", "StockMovement").objects.using(alias).filter(order=OuterRef("pk"), reason="return")
    returned_at = returns.order_by().values("order").annotate(at=Max("created_at")).values("at")
    orders = apps.get_model("core", "Order").objects.using(alias).filter(status="cancelled")
    orders.update(cancelled_at=Coalesce(Subquery(returned_at), F("placed_at"), F("created_at")))


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0005_product_terms")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            "order", "cancelled_at", models.DateTimeField(help_text="When it was cancelled.", null=True)
        ),
        migrations.RunPython(date_cancellations, migrations.RunPython.noop),
        migrations.AddConstraint(
            "order",
            models.CheckConstraint(
                condition=Q(status="cancelled", cancelled_at__isnull=False)
                | ~Q(status="cancelled") & Q(cancelled_at__isnull=True),
                name="order_cancelled_with_its_time",
            ),
        ),
        migrations.AddField(
            "order",
            "listed_at",
            models.GeneratedField(
                expression=Coalesce("placed_at", "created_at"),
                output_field=models.DateTimeField(),
                db_persist=True,
                help_text="Where it stands in lists: when it was placed, or else created.",
            ),
        ),
        migrations.RemoveIndex("order", "order_newest"),
        migrations.RemoveIndex("order", "order_status"),
        migrations.RemoveIndex("order", "order_customer"),
        migrations.AddIndex(
            "order",
            models.Index(
                F("tenant"),
                OrderBy(F("listed_at"), descending=True),
                OrderBy(F("id"), descending=True),
                name="order_newest",
            ),
        ),
        migrations.AddIndex(
            "order",
            models.Index(
                F("tenant"),
                F("status"),
                OrderBy(F("listed_at"), descending=True),
                OrderBy(F("id"), descending=True),
                name="order_status",
            ),
        ),
        migrations.AddIndex(
            "order",
            models.Index(
                F("tenant"),
                F("customer"),
                OrderBy(F("listed_at"), descending=True),
                OrderBy(F("id"), descending=True),
                name="order_customer",
            ),
        ),
        migrations.AddIndex("order", models.Index(fields=["tenant", "cancelled_at"], name="order_cancelled_at")),
    ]
