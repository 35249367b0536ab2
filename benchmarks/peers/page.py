"""What the servers of other people's packages answer with, and the statement that finds it."""

from __future__ import annotations

import os
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

LIMIT = 20
POOL = {"min_size": 1, "max_size": 10}
COLUMNS = "sku, name, category, price_minor, currency, stock, stock <= reorder_level AS is_low, is_active"
NEWEST = f"SELECT {COLUMNS} FROM core_product {{}} ORDER BY created_at DESC, id DESC LIMIT {LIMIT + 1}"


class Product(BaseModel):
    """A product, in a list."""

    sku: str
    name: str
    category: str
    price_minor: int
    currency: str
    stock: int
    is_low: bool
    is_active: bool


class Page(BaseModel):
    """Some products; whether there are more."""

    products: list[Product]
    has_more: bool


def pool() -> ConnectionPool[Connection[DictRow]]:
    """The connections of a server."""
    return ConnectionPool(os.environ["PEER_DATABASE_URL"], kwargs={"row_factory": dict_row}, open=True, **POOL)


def under_policy(connections: ConnectionPool[Connection[DictRow]]) -> Page:
    """The newest products, where row-level security is told the tenant by hand, in a transaction."""
    with connections.connection() as connection:
        connection.execute(sql.SQL("SET LOCAL app.current_tenant = {}").format(os.environ["PEER_TENANT"]))
        return page(connection.execute(NEWEST.format("")).fetchall())


def filtered(connections: ConnectionPool[Connection[DictRow]]) -> Page:
    """The newest products, filtered by hand, by a role that no policy binds."""
    with connections.connection() as connection:
        found = connection.execute(NEWEST.format("WHERE tenant_id = %s"), [os.environ["PEER_TENANT"]])
        return page(found.fetchall())


def page(rows: list[dict[str, Any]]) -> Page:
    """The page that these rows make."""
    return Page(products=[Product(**row) for row in rows[:LIMIT]], has_more=len(rows) > LIMIT)
