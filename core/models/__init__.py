"""The domain's models. Each is tenanted, or listed in `settings.RLS_SHARED_MODELS` with a reason."""

from core.models.orders import Order, OrderItem, OrderStatus
from core.models.products import Product
from core.models.tenants import Role, Tenant, TenantUser
from core.models.tokens import ApiToken, PlatformToken

__all__ = [
    "ApiToken",
    "Order",
    "OrderItem",
    "OrderStatus",
    "PlatformToken",
    "Product",
    "Role",
    "Tenant",
    "TenantUser",
]
