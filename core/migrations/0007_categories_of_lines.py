from typing import Any, ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import OuterRef, Subquery


def keep_categories(apps: Any, schema_editor: Any) -> None:
    """A line that was there had its product's category, as far as anybody knows."""
    alias = schema_editor.connection.alias
    products = apps.get_model("core", "Product").objects.using(alias).filter(id=OuterRef("product_id"))
    lines = apps.get_model("core", "OrderItem").objects.using(alias)
    lines.update(category=Subquery(products.values("category")[:1]))


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0006_moments_of_orders")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            "orderitem",
            "category",
            models.CharField(
                blank=True, db_default="", default="", help_text="The product's when it was ordered.", max_length=100
            ),
        ),
        migrations.RunPython(keep_categories, migrations.RunPython.noop),
    ]
