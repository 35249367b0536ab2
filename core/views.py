"""Django's views of a tenant: JSON for programs. None names a tenant to the database; the middleware's context does."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from core import amounts
from core.middleware import requires, signed
from core.models import Export, Order
from core.scopes import Scope
from core.services import exports, tenants
from core.services import orders as order_service
from core.services import products as product_service
from core.services.export_formats import inert
from core.services.products import Listed, Rows
from rls.backends import lost

INDEX = """\
django-tenant-mcp: one PostgreSQL database, many tenants, and assistants that work on it over MCP.

  MCP of a tenant     {root}/mcp/<tenant>/        Authorization: Bearer <token of the tenant>
  MCP of the platform {root}/mcp/                 Authorization: Bearer <platform token>
  JSON of a tenant    {root}/t/<tenant>/api/info  products, products.csv, orders; the same tokens
  Your own tokens     {root}/accounts/tokens/     sign in as a member of a tenant
  Admin               {root}/admin/

A token comes from: manage.py tokens create --tenant <tenant> --name <name>
"""

MAX_LIMIT = 100

P = ParamSpec("P")
T = TypeVar("T")


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What this is, and how to connect."""
    root = request.build_absolute_uri("/").rstrip("/")
    return HttpResponse(INDEX.format(root=root), content_type="text/plain; charset=utf-8")


@requires(Scope.TENANTS_READ)
@require_safe
def info(request: HttpRequest, tenant: str) -> JsonResponse:
    """The tenant itself."""
    facts = tenants.get()
    return JsonResponse(
        {
            "name": facts.name,
            "subdomain": facts.subdomain,
            "is_active": facts.is_active,
            "locale": facts.locale,
            "created_at": facts.created_at,
            "user_count": facts.user_count,
        }
    )


@requires(Scope.PRODUCTS_READ)
@require_safe
def products(request: HttpRequest, tenant: str) -> JsonResponse:
    """Products, newest first: `?page=1&limit=20`."""
    return _page(request, product_service.find(), _product)


@requires(Scope.ORDERS_READ)
@require_safe
async def orders(request: HttpRequest, tenant: str) -> JsonResponse:
    """Orders, newest first: `?page=1&limit=20`."""
    return await sync_to_async(_page)(request, order_service.find(), _order)


@requires(Scope.PRODUCTS_READ)
@require_safe
async def products_csv(request: HttpRequest, tenant: str) -> StreamingHttpResponse:
    """Every product as CSV (RFC 4180), streamed."""
    return StreamingHttpResponse(
        _csv_lines(product_service.find()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="products.csv"'},
    )


@signed
@require_safe
async def export(request: HttpRequest, tenant: str, handle: str) -> HttpResponseBase:
    """The file of an export, streamed piece by piece. The handle is signed; 404 whatever is wrong with it."""
    try:
        found = await _returning_connection(exports.open, handle)
    except exports.ExportNotFound:
        raise Http404 from None
    headers = {
        "Content-Type": exports.media_type(found),
        "Content-Length": str(found.byte_count),
        "Content-Disposition": f'attachment; filename="{exports.file_name(found, tenant)}"',
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(_parts(found), headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """400, with what was wrong where the view said so."""
    said = str(exception) if isinstance(exception, BadRequest) else "The request is malformed."
    return JsonResponse({"error": "bad_request", "error_description": said}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """404; the exception would name the URL patterns, or another tenant's row."""
    return JsonResponse({"error": "not_found"}, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """500; the log has the rest. 503 where the connection to the database was lost."""
    error = sys.exc_info()[1]
    if error is not None and (lost.is_lost(error) or lost.is_read_only(error)):
        lost.warn(error)
        return JsonResponse({"error": "unavailable"}, status=503, headers={"Retry-After": "1"})
    return JsonResponse({"error": "server_error"}, status=500)


def _page(request: HttpRequest, rows: QuerySet[Any], shape: Any) -> JsonResponse:
    page = Paginator(rows, _number(request, "limit", 20, MAX_LIMIT)).get_page(_number(request, "page", 1, 10**6))
    return JsonResponse(
        {
            "items": [shape(row) for row in page],
            "page": page.number,
            "pages": page.paginator.num_pages,
            "total": page.paginator.count,
        }
    )


def _number(request: HttpRequest, name: str, default: int, maximum: int) -> int:
    text = request.GET.get(name, str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(maximum))
    if not (is_number and 1 <= int(text) <= maximum):
        raise BadRequest(f"{name} is a whole number from 1 to {maximum}, not {text!r}")
    return int(text)


def _product(product: Listed) -> dict[str, Any]:
    return {
        "id": product.id,
        "sku": product.sku,
        "name": product.name,
        "price": amounts.text(product.price_minor, product.currency),
        "price_minor": product.price_minor,
        "currency": product.currency,
        "stock": product.stock,
        "is_active": product.is_active,
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "number": order.number,
        "status": order.status,
        "total": amounts.text(order.total_minor, order.currency),
        "total_minor": order.total_minor,
        "currency": order.currency,
        "created_at": order.created_at,
        "placed_at": order.placed_at,
        "cancelled_at": order.cancelled_at,
    }


async def _csv_lines(rows: Rows) -> AsyncIterator[str]:
    # The mark by which Excel knows UTF-8, as in an export.
    yield "\ufeff" + _csv_line(["sku", "name", "price", "price_minor", "currency", "stock", "is_active"])
    async for row in rows.aiterator(chunk_size=500):
        price = amounts.text(row.price_minor, row.currency)
        yield _csv_line([row.sku, row.name, price, row.price_minor, row.currency, row.stock, row.is_active])


def _csv_line(values: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(inert, values))
    return line.getvalue()


async def _parts(export: Export) -> AsyncIterator[bytes]:
    for number in exports.part_numbers(export):
        yield await _returning_connection(exports.part, export, number)


async def _returning_connection(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function, and give its connection back: a slow download holds none while it waits."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connection.close()

    return await sync_to_async(call)()
