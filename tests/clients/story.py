"""What each client does in a new tenant: every tool of the shop once, resources, prompts; and what the answers say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool, with words that its answer has in the text."""

    tool: str
    words: str
    arguments: dict[str, Any] = field(default_factory=dict)


# In this order: one needs what another one has made. "confirmation" stands for what the call before it has returned.
CALLS = [
    Call("add_numbers", "3", {"a": 1, "b": 2}),
    Call("create_demo_data", "orders", {"size": "small"}),
    Call("list_tenants", "Told"),
    Call("get_tenant_info", "Told"),
    Call("get_tenant_users", "@"),
    Call("get_tenant_products", "TEA-001", {"search": "tea-001"}),
    Call("get_product", "TEA-001", {"sku": "TEA-001"}),
    Call("get_product_stats", "8"),
    Call("get_inventory", "TEA-001"),
    Call("list_orders", "1", {"limit": 3}),
    Call("get_order", "1", {"number": 1}),
    Call("get_sales_statistics", "orders", {"group_by": "product"}),
    Call("get_business_insights", "orders"),
    Call("get_comprehensive_tenant_stats", "Revenue"),
    Call("create_product", "Rope", {"sku": "ROPE", "name": "Rope", "price": "45", "opening_stock": 3}),
    Call("update_product", "Long rope", {"sku": "ROPE", "name": "Long rope"}),
    Call("adjust_stock", "ROPE", {"sku": "ROPE", "quantity": 2, "reason": "purchase"}),
    Call(
        "create_order",
        "Order 6",
        {
            "items": [{"sku": "ROPE", "quantity": 1}],
            "customer_email": "ada@told.example",
            "customer_name": "Ada",
        },
    ),
    Call("add_order_item", "Order 6", {"number": 6, "sku": "ROPE", "quantity": 1}),
    Call("place_order", "6", {"number": 6}),
    Call("update_order_status", "paid", {"number": 6, "status": "paid", "payment_method": "card"}),
    Call("cancel_order", "6", {"number": 6, "reason": "a test", "dry_run": True}),
    Call("cancel_order", "cancelled", {"number": 6, "reason": "a test", "confirmation": ""}),
    Call("set_product_active", "ROPE", {"sku": "ROPE", "is_active": False, "dry_run": True}),
    Call("set_product_active", "ROPE", {"sku": "ROPE", "is_active": False, "confirmation": ""}),
    Call("manage_tenant_settings", "4", {"low_stock_threshold": 4}),
    Call("export_tenant_data", "http", {"format": "json"}),
    Call("get_audit_log", "export_tenant_data", {"limit": 5}),
]
RESOURCES = {
    "tenant://info": "Told",
    "tenant://schema": "order",
    "order://6": "ROPE",
    "product://ROPE": "Long rope",
    "report://sales/today": "orders",
}
PROMPTS: dict[str, tuple[dict[str, str], str]] = {
    "customer_follow_up": ({"customer": "ada@told.example"}, "draft a short message"),
    "daily_briefing": ({}, "briefing for today"),
    "month_end_report": ({"month": "2026-11"}, "month-end report"),
    "restock_plan": ({}, "restock plan"),
}
