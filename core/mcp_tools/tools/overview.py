"""A tenant in figures."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.utils.translation import gettext as _

from core import formats
from core.mcp_tools.bounds import REPORT_TIMEOUT
from core.mcp_tools.units import Priced, with_texts
from core.models import OrderStatus
from core.scopes import Scope
from core.services import overview
from core.services.overview import CategoryStats, ProductStats, TenantStats
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, tool


class ProductStatsAnswer(Priced, Dated, Answer):
    """The tenant's products in figures."""

    tenant: str
    products: int
    active: int
    inactive: int
    low_stock: int
    out_of_stock: int
    units: int
    stock_value: str
    stock_value_minor: int
    categories: list[CategoryStats]
    more_categories: int
    as_of: Moment

    @classmethod
    def of(cls, stats: ProductStats) -> Self:
        return cls(**with_texts(stats, stats.currency))

    def text(self) -> str:
        lines = [
            _("Tenant {name}: {total} products, {active} active").format(
                name=self.tenant, total=formats.number(self.products), active=formats.number(self.active)
            ),
            _("Low stock: {low}, out of stock: {out}, units on hand: {units}, worth {value} at today's prices.").format(
                low=formats.number(self.low_stock),
                out=formats.number(self.out_of_stock),
                units=formats.number(self.units),
                value=formats.money(self.stock_value_minor, self.currency),
            ),
            *map(_category_line, self.categories),
        ]
        if self.more_categories:
            lines.append(_("And {count} more categories.").format(count=formats.number(self.more_categories)))
        return "\n".join([*lines, _as_of(self.as_of)])


class TenantStatsAnswer(Priced, Dated, Answer):
    """How much the tenant has of everything."""

    tenant: str
    users: int
    products: int
    active_products: int
    customers: int
    orders: int
    orders_by_status: dict[str, int]
    revenue: str
    revenue_minor: int
    revenue_this_month: str
    revenue_this_month_minor: int
    as_of: Moment

    @classmethod
    def of(cls, stats: TenantStats) -> Self:
        return cls(**with_texts(stats, stats.currency))

    def text(self) -> str:
        statuses = (f"{OrderStatus(name).label} {formats.number(n)}" for name, n in self.orders_by_status.items())
        return "\n".join(
            [
                _("Tenant {name}").format(name=self.tenant),
                _("- Users: {users}").format(users=formats.number(self.users)),
                _("- Products: {total}, {active} active").format(
                    total=formats.number(self.products), active=formats.number(self.active_products)
                ),
                _("- Customers: {count}").format(count=formats.number(self.customers)),
                _("- Orders: {count} ({statuses})").format(
                    count=formats.number(self.orders), statuses=_(", ").join(statuses)
                ),
                _("- Revenue: {total}, this month {recent}").format(
                    total=formats.money(self.revenue_minor, self.currency),
                    recent=formats.money(self.revenue_this_month_minor, self.currency),
                ),
                _as_of(self.as_of),
            ]
        )


def _as_of(moment: datetime) -> str:
    return _("As of {moment}").format(moment=formats.moment(moment))


def _category_line(each: CategoryStats) -> str:
    return _("- {category}: products {products}, units {units}").format(
        category=each.category or _("(no category)"),
        products=formats.number(each.products),
        units=formats.number(each.units),
    )


@tool(scope=Scope.PRODUCTS_READ, title="Product statistics", read_only=True, timeout=REPORT_TIMEOUT)
def get_product_stats() -> ProductStatsAnswer:
    """Count this tenant's products, those low or out of stock, units on hand and their value, with the largest
    categories.

    For the products themselves call get_tenant_products; for sales call get_sales_statistics.
    """
    return ProductStatsAnswer.of(overview.products())


@tool(scope=Scope.REPORTS_READ, title="Tenant statistics", read_only=True, timeout=REPORT_TIMEOUT, cache=60)
def get_comprehensive_tenant_stats() -> TenantStatsAnswer:
    """Count everything this tenant has: users, products, customers, orders by status, and revenue so far.

    For one period, or a comparison, call get_sales_statistics instead; for stock call get_product_stats.
    """
    return TenantStatsAnswer.of(overview.everything())
