"""What the platform sees of the whole installation."""

from __future__ import annotations

from typing import Self

from django.utils.translation import gettext as _

from core import formats
from core.mcp_tools import listing
from core.mcp_tools.tools.tenants import status
from core.scopes import Scope
from core.services import isolation, platform_stats
from core.services.estimates import MAX_COUNTED_ROWS
from core.services.platform_stats import PlatformFigures, TenantFigures
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Answer, Endpoint, tool
from rls.audit import Finding, Level

MAX_FINDINGS = 50


class PlatformStats(Dated, Answer):
    """Figures over all tenants, as of `as_of`, and the twenty tenants with most orders.

    `next_step` says how to see others; `estimates` names the figures that are not counted, because they are large.
    Where orders are among them, the `largest` are those with most of the newest 10,000 orders.
    """

    tenants_active: int
    tenants_suspended: int
    users: int
    products: int
    orders: int
    estimates: list[str]
    largest: list[TenantFigures]
    as_of: Moment
    next_step: str | None

    @classmethod
    def of(cls, figures: PlatformFigures) -> Self:
        totals = {
            "tenants_active": figures.active,
            "tenants_suspended": figures.suspended,
            "users": figures.users,
            "products": figures.products,
            "orders": figures.orders,
        }
        is_all = figures.active.rows + figures.suspended.rows == len(figures.largest)
        return cls(
            **{name: total.rows for name, total in totals.items()},
            estimates=[name for name, total in totals.items() if not total.is_exact],
            largest=figures.largest,
            as_of=figures.as_of,
            next_step=None if is_all else _("To see the others, call list_tenants."),
        )

    def text(self) -> str:
        total = _(
            "{active} active tenants, {suspended} suspended; {users} users, {products} products, {orders} orders."
        ).format(
            active=self._number("tenants_active"),
            suspended=self._number("tenants_suspended"),
            users=self._number("users"),
            products=self._number("products"),
            orders=self._number("orders"),
        )
        as_of = _("As of {moment}").format(moment=formats.moment(self.as_of))
        lines = [total, *self._heading(), *map(_line, self.largest), as_of]
        return "\n".join([*lines, self.next_step] if self.next_step else lines)

    def _number(self, name: str) -> str:
        number = formats.number(getattr(self, name))
        return _("about {number}").format(number=number) if name in self.estimates else number

    def _heading(self) -> list[str]:
        if "orders" not in self.estimates:
            return []
        heading = _("The tenants with most of the newest {count} orders:")
        return [heading.format(count=formats.number(MAX_COUNTED_ROWS))]


class IsolationAudit(Answer):
    """What the audit found: all of it counted, the first fifty findings named; `next_step` names the others."""

    is_green: bool
    errors: int
    warnings: int
    findings: list[Finding]
    next_step: str | None

    @classmethod
    def of(cls, findings: list[Finding]) -> Self:
        errors = sum(each.level is Level.ERROR for each in findings)
        return cls(
            is_green=not findings,
            errors=errors,
            warnings=len(findings) - errors,
            findings=findings[:MAX_FINDINGS],
            next_step=_others(len(findings) - MAX_FINDINGS) if len(findings) > MAX_FINDINGS else None,
        )

    def text(self) -> str:
        if self.is_green:
            return _("Isolation audit: green. The database matches the SQL files.")
        lines = [
            _("Isolation audit: red, {errors} errors, {warnings} warnings.").format(
                errors=formats.number(self.errors), warnings=formats.number(self.warnings)
            )
        ]
        lines += [f"- {each.level} {each.rule} {each.object}: {each.finding}\n  {each.mend}" for each in self.findings]
        return "\n".join([*lines, self.next_step] if self.next_step else lines)


def _line(tenant: TenantFigures) -> str:
    return listing.line(
        _("- {name} ({subdomain}) - {status} - {users} users, {products} products, {orders} orders"),
        name=tenant.name,
        subdomain=tenant.subdomain,
        status=status(tenant.is_active),
        users=formats.number(tenant.users),
        products=formats.number(tenant.products),
        orders=formats.number(tenant.orders),
    )


def _others(count: int) -> str:
    return _("And {count} more: `manage.py rls audit` lists all findings.").format(count=formats.number(count))


@tool(scope=Scope.TENANTS_READ, title="Platform figures", read_only=True, endpoint=Endpoint.PLATFORM)
def get_platform_stats() -> PlatformStats:
    """Count tenants, users, products and orders over all tenants, with the twenty largest tenants. What is more than
    10,000 is estimated, and said to be.

    To list all tenants with their age call list_tenants instead.
    """
    return PlatformStats.of(platform_stats.get())


@tool(scope=Scope.AUDIT_READ, title="Run the isolation audit", read_only=True, endpoint=Endpoint.PLATFORM)
def run_isolation_audit() -> IsolationAudit:
    """Compare the live database with the SQL files, and list whatever could let a row cross tenants, with the SQL that
    mends it. It reads the catalog and no tenant's rows. For figures call get_platform_stats instead."""
    return IsolationAudit.of(isolation.findings())
