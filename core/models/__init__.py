"""The domain's models. Each is tenanted, or listed in `settings.RLS_SHARED_MODELS` with a reason."""

from core.models.customers import Customer
from core.models.exports import Export, ExportFormat, ExportPart
from core.models.orders import (
    SOLD,
    TRANSITIONS,
    Order,
    OrderItem,
    OrderStatus,
    Payment,
    PaymentKind,
    PaymentMethod,
)
from core.models.products import Product, ProductTerm
from core.models.records import AuditEvent, IdempotencyKey
from core.models.settings import LOCALES, TenantSettings
from core.models.stock import MovementReason, StockMovement
from core.models.tenants import Role, Tenant, TenantUser
from core.models.tokens import ApiToken, PlatformToken

__all__ = [
    "LOCALES",
    "SOLD",
    "TRANSITIONS",
    "ApiToken",
    "AuditEvent",
    "Customer",
    "Export",
    "ExportFormat",
    "ExportPart",
    "IdempotencyKey",
    "MovementReason",
    "Order",
    "OrderItem",
    "OrderStatus",
    "Payment",
    "PaymentKind",
    "PaymentMethod",
    "PlatformToken",
    "Product",
    "ProductTerm",
    "Role",
    "StockMovement",
    "Tenant",
    "TenantSettings",
    "TenantUser",
]
