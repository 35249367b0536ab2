"""Models from statements that are written by hand."""

from __future__ import annotations

import pytest
from django.db import connection

from core.models import Customer, Product
from core.services.rows import Columns, statement
from rls import tenant_context
from tests.support.world import World


def test_what_is_not_read_is_read_where_it_is_asked_for(acme: World) -> None:
    columns = Columns(Product, "stock", "sku")
    with tenant_context(acme.id), connection.cursor() as cursor:
        cursor.execute(statement("SELECT {columns} FROM core_product AS p", columns=columns.sql("p")))
        product = columns.read(cursor.fetchone())

        assert (product.id, product.sku, product.stock) == (acme.product_id, "A-1", 5)
        assert product.get_deferred_fields() >= {"name", "price_minor"}
        assert product.name == "Acme anvil"


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"Customer has no phones; it has id, created_at, tenant_id, email, name, phone"
    ):
        Columns(Customer, "phones")
