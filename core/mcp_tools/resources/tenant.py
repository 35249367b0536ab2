"""The tenant itself, and what data it has."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

from django.db.models import Field, ForeignKey, GeneratedField, Model
from django.utils.translation import gettext_lazy as _

from core.mcp_tools.tools.tenants import get_tenant_info
from core.models import (
    Customer,
    Export,
    ExportPart,
    Membership,
    Order,
    OrderItem,
    Payment,
    Product,
    ProductTerm,
    StockMovement,
    Tenant,
    TenantSettings,
    TenantUser,
)
from core.scopes import Scope
from mcp_server.declare.resources import JSON, Content, Row, resource
from mcp_server.ledger.models import AuditEvent, CallRecord, IdempotencyKey, State
from mcp_server.tokens.models import ApiToken

# Which tools read a table, and which write it.
TOOLS_OF_TABLES: dict[type[Model], str] = {
    Tenant: "get_tenant_info",
    TenantSettings: "manage_tenant_settings",
    TenantUser: "get_tenant_users",
    Product: "get_tenant_products, get_product, get_inventory, get_product_stats; create_product, update_product, "
    "set_product_active",
    StockMovement: "get_product; adjust_stock",
    Customer: "get_order, list_orders; create_order",
    Order: "list_orders, get_order, get_sales_statistics; create_order, place_order, update_order_status, cancel_order",
    OrderItem: "get_order, get_sales_statistics; create_order, add_order_item",
    Payment: "get_order, get_sales_statistics; update_order_status, cancel_order",
    AuditEvent: "get_audit_log",
}

# What is not described, and why.
EXCLUDED_MODELS: dict[type[Model], str] = {
    ApiToken: "The platform manages tokens: a tenant's role may not read them.",
    Membership: "Who may sign in: the platform says so, and no tool.",
    ProductTerm: "An index of what products say themselves.",
    CallRecord: "Who has called what: for those who look after the installation.",
    IdempotencyKey: "It remembers calls, and is no data of the shop.",
    State: "What a conversation remembers for a while, and no data of the shop.",
    Export: "A copy of the other rows; export_tenant_data makes one.",
    ExportPart: "The same.",
}

TYPES_OF_FIELDS = {
    "AutoField": "integer",
    "BooleanField": "boolean",
    "DateTimeField": "datetime",
    "IntegerField": "integer",
    "JSONField": "object",
    "PositiveBigIntegerField": "integer",
    "PositiveIntegerField": "integer",
    "PositiveSmallIntegerField": "integer",
    "UUIDField": "uuid",
}


def rows_of_tenant() -> Iterable[Row]:
    return [(model._meta.db_table, None) for model in (Tenant, TenantSettings)]


@resource(
    "tenant://info",
    title=_("Tenant information"),
    description=_("Name, subdomain, status, age and number of users of this tenant."),
    scope=Scope.TENANTS_READ,
    rows=rows_of_tenant,
)
def info() -> list[Content]:
    return [Content.of(get_tenant_info())]


@resource(
    "tenant://schema",
    title=_("Data schema"),
    description=_("Every table of this tenant with its columns, and the tools that read and write it."),
    scope=Scope.TENANTS_READ,
)
def schema() -> list[Content]:
    tables = [_table(model, tools) for model, tools in TOOLS_OF_TABLES.items()]
    guide = (
        "Columns that end in _minor are in the minor unit of the row's currency; tools take amounts in its own unit. "
        "A row is named by its sku, number, e-mail or username."
    )
    return [Content(json.dumps({"guide": guide, "tables": tables}, ensure_ascii=False), JSON)]


def _table(model: type[Model], tools: str) -> dict[str, Any]:
    return {
        "table": model._meta.model_name,
        "is": inspect.cleandoc(model.__doc__ or ""),
        "tools": tools,
        "columns": [_column(field) for field in model._meta.concrete_fields if field.name != "tenant"],
    }


def _column(field: Field[Any, Any]) -> dict[str, Any]:
    column: dict[str, Any] = {"name": field.attname, "type": _type(field)}
    if field.choices:
        column["values"] = [value for value, _label in field.flatchoices]
    if field.null:
        column["nullable"] = True
    if field.help_text:
        column["help"] = str(field.help_text)
    return column


def _type(field: Field[Any, Any]) -> str:
    if isinstance(field, ForeignKey):
        return f"id of {field.related_model._meta.model_name}"
    if isinstance(field, GeneratedField):
        return _type(field.output_field)  # type: ignore[arg-type]  # a generated field has one
    return TYPES_OF_FIELDS.get(field.get_internal_type(), "text")
