"""django-mcpz in a Django without middleware, for WSGI and ASGI; the tenant is filtered by hand."""

from __future__ import annotations

import os

import django
import msgspec
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

POOL = {"min_size": 1, "max_size": 10}
LIMIT = 20
_place = conninfo_to_dict(os.environ["PEER_DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _place["dbname"],
            "USER": _place["user"],
            "PASSWORD": _place["password"],
            "HOST": _place["host"],
            "PORT": _place["port"],
            "OPTIONS": {"pool": POOL},
        }
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this benchmark",
    USE_TZ=True,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402  (needs Django, as do those below)
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.urls import path  # noqa: E402
from django_mcpz.server import MCPServer, public  # noqa: E402


class Row(models.Model):
    """A product, as far as it is read."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=100)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    stock = models.IntegerField()
    reorder_level = models.IntegerField()
    is_active = models.BooleanField()
    created_at = models.DateTimeField()

    class Meta:
        app_label = "peers"
        managed = False
        db_table = "core_product"

    def __str__(self) -> str:
        return self.sku


class Product(msgspec.Struct):
    """A product, in a list."""

    sku: str
    name: str
    category: str
    price_minor: int
    currency: str
    stock: int
    is_low: bool
    is_active: bool


class Page(msgspec.Struct):
    """Some products; whether there are more."""

    products: list[Product]
    has_more: bool


class Asked(msgspec.Struct):
    """The arguments."""

    limit: int = LIMIT


mcp = MCPServer(name="mcpz", version="1", auth=public)


@mcp.tool(description="List this tenant's products, newest first.", read_only=True)
def get_tenant_products(request: HttpRequest, params: Asked) -> Page:
    """The newest products."""
    rows = list(Row.objects.filter(tenant_id=os.environ["PEER_TENANT"]).order_by("-created_at", "-id")[: LIMIT + 1])
    return Page(products=[_product(row) for row in rows[:LIMIT]], has_more=len(rows) > LIMIT)


def _product(row: Row) -> Product:
    return Product(
        sku=row.sku,
        name=row.name,
        category=row.category,
        price_minor=row.price_minor,
        currency=row.currency,
        stock=row.stock,
        is_low=row.stock <= row.reorder_level,
        is_active=row.is_active,
    )


urlpatterns = [path("mcp", mcp)]
app = get_asgi_application()
wsgi = get_wsgi_application()
