"""What a tenant chooses for itself."""

from __future__ import annotations

from typing import Annotated, Self

from django.utils import translation
from django.utils.translation import gettext as _
from pydantic import Field

from core import amounts, defaults, formats
from core.defaults import Locale
from core.mcp_tools import value_changes
from core.mcp_tools.units import Amount, Priced, both_ways
from core.scopes import Scope
from core.services import settings
from core.services.settings import SettingsChange
from core.services.stock import MAX_STOCK
from mcp_server.call.units import Zoned
from mcp_server.declare.tools import Change, ValueChange, tool


class TenantSettingsAnswer(Priced, Zoned, Change):
    """The settings as they are now, and the names of those that have changed."""

    locale: str
    time_zone: str
    low_stock_threshold: int
    max_discount_percent: int
    max_order: str
    max_order_minor: int
    max_stock_change: int
    changed: list[str]
    found: list[ValueChange] = Field(exclude=True)

    @classmethod
    def of(cls, change: SettingsChange) -> Self:
        row = change.now
        return cls(
            locale=row.locale,
            currency=row.currency,
            time_zone=row.time_zone,
            low_stock_threshold=row.low_stock_threshold,
            max_discount_percent=row.max_discount_percent,
            **both_ways(row.currency, max_order=row.max_order_minor),
            max_stock_change=row.max_stock_change,
            changed=change.changed,
            found=_found(change),
        )

    def subject(self) -> str:
        return "settings"

    def has_changed(self) -> bool:
        return bool(self.changed)

    def value_changes(self) -> list[ValueChange]:
        return self.found

    def text(self) -> str:
        # Whoever chooses a language is answered in it.
        with translation.override(self.locale if "locale" in self.changed else translation.get_language()):
            return "\n".join(
                [
                    _("The settings are now as follows ({names} changed):").format(names=", ".join(self.changed))
                    if self.changed
                    else _("Settings:"),
                    _("- Language: {language}").format(language=dict(defaults.LANGUAGES)[self.locale]),
                    _("- Currency: {currency}").format(currency=self.currency),
                    _("- Time zone: {time_zone}").format(time_zone=self.time_zone),
                    _("- Reorder level of new products: {units}").format(
                        units=formats.number(self.low_stock_threshold)
                    ),
                    _("- Largest discount that an assistant may give without asking: {percent}").format(
                        percent=formats.percent(self.max_discount_percent / 100)
                    ),
                    _("- Largest order that an assistant may place without asking: {total}").format(
                        total=formats.money(self.max_order_minor, self.currency)
                    ),
                    _("- Largest stock change that an assistant may make without asking: {units}").format(
                        units=formats.number(self.max_stock_change)
                    ),
                ]
            )


@tool(
    scope=Scope.SETTINGS_WRITE,
    title="Settings",
    read_only=False,
    destructive=True,
    idempotent=True,
    asks=True,
    changes_callers=True,
)
def manage_tenant_settings(
    locale: Annotated[Locale | None, Field(description="The language of answers.")] = None,
    currency: Annotated[
        str | None, Field(max_length=40, description="ISO 4217 code; fixed once there are products or orders.")
    ] = None,
    time_zone: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="IANA name of the time zone, such as Asia/Taipei."),
    ] = None,
    low_stock_threshold: Annotated[
        int | None, Field(ge=0, le=MAX_STOCK, description="Default reorder level of new products.")
    ] = None,
    max_discount_percent: Annotated[
        int | None, Field(ge=0, le=100, description="Largest discount that an assistant may give without asking.")
    ] = None,
    max_order: Annotated[
        Amount | None,
        Field(description='Largest order total that it may place without asking, such as "480" or "19.99".'),
    ] = None,
    max_stock_change: Annotated[
        int | None,
        Field(ge=0, le=MAX_STOCK, description="Largest stock change, in units, that it may make without asking."),
    ] = None,
) -> TenantSettingsAnswer:
    """Change this tenant's settings; settings that are not given stay. Without arguments it shows them. For the
    tenant's name, age and number of users call get_tenant_info."""
    return TenantSettingsAnswer.of(
        settings.change(
            locale=locale,
            currency=currency,
            time_zone=time_zone,
            low_stock_threshold=low_stock_threshold,
            max_discount_percent=max_discount_percent,
            max_order=max_order,
            max_stock_change=max_stock_change,
        )
    )


def _found(change: SettingsChange) -> list[ValueChange]:
    """What has changed. With the currency, an amount is in another one than before."""
    currencies = next(((each.before, each.after) for each in change.changes if each.field == "currency"), None)
    if currencies is None:
        return value_changes.kept(change.changes, change.now.currency)
    found = []
    for each in change.changes:
        if each.field == "max_order_minor":
            before, after = (
                f"{amounts.text(int(minor), str(currency))} {currency}"
                for minor, currency in zip((each.before, each.after), currencies, strict=True)
            )
            found.append(ValueChange("max_order", before, after))
        else:
            found.append(ValueChange(each.field, each.before, each.after))
    return found
