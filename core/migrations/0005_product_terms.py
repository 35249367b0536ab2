from django.db import migrations, models

from core.migrations import _words

BATCH_SIZE = 1000


def index_again(apps, schema_editor):
    """Replace the terms of every product by those of the frozen rules."""
    alias = schema_editor.connection.alias
    products = apps.get_model("core", "Product").objects.using(alias).order_by("id")
    term = apps.get_model("core", "ProductTerm")
    terms = term.objects.using(alias)
    last = None
    while batch := list((products.filter(id__gt=last) if last else products)[:BATCH_SIZE]):
        terms.filter(product__in=[product.id for product in batch]).delete()
        terms.bulk_create(
            [
                term(tenant_id=product.tenant_id, product_id=product.id, term=text)
                for product in batch
                for text in sorted(_terms(product))
            ],
            batch_size=5000,
        )
        last = batch[-1].id


def _terms(product):
    return _words.terms(product.name) | _words.terms(product.sku) | _words.terms(product.category)


class Migration(migrations.Migration):
    dependencies = [("core", "0004_customer_addresses")]

    operations = [
        migrations.AlterField(
            model_name="productterm",
            name="term",
            field=models.CharField(
                db_collation="C", help_text="Folded: without case, accents and signs.", max_length=64
            ),
        ),
        migrations.RunPython(index_again, migrations.RunPython.noop),
    ]
