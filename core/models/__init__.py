"""The domain's models. Each is tenanted, or listed in `settings.RLS_SHARED_MODELS` with a reason."""

from core.models.customers import Customer
from core.models.exports import Export, ExportFormat, ExportPart
from core.models.orders import (
    TRANSITIONS,
    Order,
    OrderItem,
    OrderStatus,
    Payment,
    PaymentKind,
    PaymentMethod,
)
from core.models.products import Product, ProductTerm
from core.models.settings import TenantSettings
from core.models.stock import MovementReason, StockMovement
from core.models.tenants import Membership, Tenant, TenantUser

__all__ = [
    "TRANSITIONS",
    "Customer",
    "Export",
    "ExportFormat",
    "ExportPart",
    "Membership",
    "MovementReason",
    "Order",
    "OrderItem",
    "OrderStatus",
    "Payment",
    "PaymentKind",
    "PaymentMethod",
    "Product",
    "ProductTerm",
    "StockMovement",
    "Tenant",
    "TenantSettings",
    "TenantUser",
]
