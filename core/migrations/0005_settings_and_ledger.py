from typing import Any, ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from core.services import search

# What was there before the ledger: stock gets its opening movement, an order its total and the time it was placed.
LEDGER = """
INSERT INTO core_stockmovement (tenant_id, product_id, quantity, stock_after, reason, note, actor)
    SELECT tenant_id, id, stock, stock, 'opening', '', 'migration' FROM core_product WHERE stock > 0;
UPDATE core_order AS o
    SET total_minor = i.total, currency = i.currency
    FROM (SELECT order_id, sum(quantity * price_minor) AS total, min(currency) AS currency
          FROM core_orderitem GROUP BY order_id) AS i
    WHERE i.order_id = o.id;
UPDATE core_order SET placed_at = created_at WHERE status NOT IN ('draft', 'cancelled');
INSERT INTO core_tenantsettings
    (tenant_id, locale, currency, time_zone, low_stock_threshold, max_discount_percent, max_order_minor, max_stock_change)
    SELECT n.id, n.locale, COALESCE((SELECT min(p.currency) FROM core_product AS p WHERE p.tenant_id = n.id), 'TWD'),
           'Asia/Taipei', 5, 10, 5000000, 1000
    FROM core_tenant AS n;
"""


def index_products(apps: Any, schema_editor: Any) -> None:
    """Make the products that are there findable."""
    alias = schema_editor.connection.alias
    product_term = apps.get_model("core", "ProductTerm")
    for product in apps.get_model("core", "Product").objects.using(alias).iterator():
        product_term.objects.using(alias).bulk_create(
            product_term(tenant_id=product.tenant_id, product_id=product.id, term=term)
            for term in search.terms(product)
        )


EMPTY = "DELETE FROM core_stockmovement; DELETE FROM core_tenantsettings"


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0004_shop_isolation")]
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(LEDGER, EMPTY),
        migrations.RunPython(index_products, migrations.RunPython.noop),
    ]
