"""What stands out in a period."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from core import formats, periods
from core.mcp_tools.bounds import REPORT_TIMEOUT
from core.mcp_tools.tools.periods import PeriodName, Span
from core.mcp_tools.units import Priced, with_texts
from core.scopes import Scope
from core.services import insights
from core.services.insights import Buyers, Insights
from core.services.sellers import StockOut, StoppedSeller
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, tool

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
P = TypeVar("P", bound=BaseModel)


class Seller(BaseModel):
    """A product with the units sold in the period, and its stock."""

    sku: str
    name: str
    units: int
    revenue: str
    revenue_minor: int
    stock: int


class UnusualDay(BaseModel):
    """A day with far more or far less revenue than the median day."""

    day: date
    revenue: str
    revenue_minor: int
    usual: str
    usual_minor: int


class UnusualOrder(BaseModel):
    """An order whose total is far above the others; three quarters of them have a total of at most `usual`."""

    number: int
    total: str
    total_minor: int
    usual: str
    usual_minor: int


class RefundRate(BaseModel):
    """The money refunded and received; `percent` is null where none was received."""

    percent: float | None
    refunded: str
    refunded_minor: int
    received: str
    received_minor: int


class Figure(BaseModel, Generic[T]):
    """A value, the period it is of, when it was read, and how it was computed."""

    value: T
    period: Span
    as_of: Moment
    method: str

    @classmethod
    def of(cls, figure: insights.Figure[Any], value: T) -> Self:
        return cls(value=value, period=Span.of(figure.period), as_of=figure.as_of, method=figure.method)


class InsightsAnswer(Priced, Dated, Answer):
    """What stands out in a period; each figure says what it stands on."""

    best_sellers: Figure[list[Seller]]
    worst_sellers: Figure[list[Seller]]
    stock_outs: Figure[list[StockOut]]
    customers: Figure[Buyers]
    unusual_days: Figure[list[UnusualDay]]
    unusual_orders: Figure[list[UnusualOrder]]
    stopped_sellers: Figure[list[StoppedSeller]]
    refund_rate: Figure[RefundRate]

    @classmethod
    def of(cls, found: Insights) -> Self:
        def priced(shape: type[P], rows: Iterable[DataclassInstance]) -> list[P]:
            return [shape(**with_texts(each, found.currency)) for each in rows]

        best, worst = (priced(Seller, each.value) for each in (found.best_sellers, found.worst_sellers))
        days, orders = found.unusual_days, found.unusual_orders
        [rate] = priced(RefundRate, [found.refund_rate.value])
        return cls(
            currency=found.currency,
            best_sellers=Figure[list[Seller]].of(found.best_sellers, best),
            worst_sellers=Figure[list[Seller]].of(found.worst_sellers, worst),
            stock_outs=Figure[list[StockOut]].of(found.stock_outs, found.stock_outs.value),
            customers=Figure[Buyers].of(found.customers, found.customers.value),
            unusual_days=Figure[list[UnusualDay]].of(days, priced(UnusualDay, days.value)),
            unusual_orders=Figure[list[UnusualOrder]].of(orders, priced(UnusualOrder, orders.value)),
            stopped_sellers=Figure[list[StoppedSeller]].of(found.stopped_sellers, found.stopped_sellers.value),
            refund_rate=Figure[RefundRate].of(found.refund_rate, rate),
        )

    def text(self) -> str:
        buyers, span = self.customers.value, self.customers.period
        figures: dict[str, Figure[Any]] = {
            _("Customers"): self.customers,
            _("Refund rate"): self.refund_rate,
            _("Best sellers"): self.best_sellers,
            _("Worst sellers"): self.worst_sellers,
            _("Stock that runs out soon"): self.stock_outs,
            _("Unusual days"): self.unusual_days,
            _("Unusually large orders"): self.unusual_orders,
            _("Products that stopped selling"): self.stopped_sellers,
        }
        return "\n".join(
            [
                _("From {first} to {last}, as of {moment}:").format(
                    **span.days(), moment=formats.moment(self.customers.as_of)
                ),
                _("Customers: {new} new, {returning} returning").format(
                    new=formats.number(buyers.new), returning=formats.number(buyers.returning)
                ),
                self._refunds(),
                *_section(_("Best sellers"), map(_seller, self.best_sellers.value)),
                *_section(_("Worst sellers"), map(_seller, self.worst_sellers.value)),
                *_section(_("Stock that runs out soon"), map(_stock_out, self.stock_outs.value)),
                *_section(_("Unusual days"), map(self._day, self.unusual_days.value)),
                *_section(_("Unusually large orders"), map(self._order, self.unusual_orders.value)),
                *_section(_("Products that stopped selling"), map(_stopped, self.stopped_sellers.value)),
                *_section(
                    _("How it is computed"),
                    (_("{name}: {text}").format(name=name, text=figure.method) for name, figure in figures.items()),
                ),
            ]
        )

    def _refunds(self) -> str:
        rate = self.refund_rate.value
        return _("Refund rate: {percent} ({refunded} of {received})").format(
            percent="-" if rate.percent is None else formats.percent(rate.percent / 100),
            refunded=formats.money(rate.refunded_minor, self.currency),
            received=formats.money(rate.received_minor, self.currency),
        )

    def _day(self, each: UnusualDay) -> str:
        return _("{day}: {revenue}, usually {usual}").format(
            day=formats.day(each.day),
            revenue=formats.money(each.revenue_minor, self.currency),
            usual=formats.money(each.usual_minor, self.currency),
        )

    def _order(self, each: UnusualOrder) -> str:
        return _("Order {number}: {total}, three quarters of the orders are up to {usual}").format(
            number=each.number,
            total=formats.money(each.total_minor, self.currency),
            usual=formats.money(each.usual_minor, self.currency),
        )


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"- {line}" for line in lines]
    return [_("{title}:").format(title=title), *found] if found else [_("{title}: none").format(title=title)]


def _named(each: Seller | StockOut | StoppedSeller) -> dict[str, str]:
    return {"sku": each.sku, "name": formats.short(each.name), "stock": formats.number(each.stock)}


def _seller(each: Seller) -> str:
    return _("{sku} {name}: {units} sold, {stock} in stock").format(**_named(each), units=formats.number(each.units))


def _stock_out(each: StockOut) -> str:
    return _("{sku} {name}: {stock} in stock, {days} days left, until {day}").format(
        **_named(each), days=formats.number(each.days_left), day=formats.day(each.expected_on)
    )


def _stopped(each: StoppedSeller) -> str:
    return _("{sku} {name}: {units} sold in the period before, {stock} in stock").format(
        **_named(each), units=formats.number(each.units_before)
    )


@tool(scope=Scope.REPORTS_READ, title="Business insights", read_only=True, timeout=REPORT_TIMEOUT, cache=60)
def get_business_insights(
    period: PeriodName = "last_30_days",
    limit: Annotated[int, Field(ge=1, le=20, description="Largest number of entries in each list.")] = 5,
) -> InsightsAnswer:
    """Find what stands out in a period: best and worst sellers, stock that runs out, new and returning customers,
    unusual days and orders, refunds. Each figure says how it is computed.

    For plain totals and trends call get_sales_statistics; for what to reorder now call get_inventory.
    """
    return InsightsAnswer.of(insights.find(periods.parse(period), limit=limit))
