"""What a tenant chooses for itself."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from django.utils import translation
from django.utils.translation import gettext as _
from pydantic import Field

from core import formats
from core.mcp_tools.tools.products import MOST_MINOR
from core.mcp_tools.units import Priced
from core.models import LOCALES
from core.scopes import Scope
from core.services import settings
from core.services.settings import SettingsChange
from core.services.stock import MOST
from mcp_server.call.units import Zoned
from mcp_server.declare.tools import Change, tool


class TenantSettingsAnswer(Priced, Zoned, Change):
    """The settings as they are now, and the names of those that have changed."""

    locale: str
    time_zone: str
    low_stock_threshold: int
    max_discount_percent: int
    max_order_minor: int
    max_stock_change: int
    changed: list[str]

    @classmethod
    def of(cls, change: SettingsChange) -> Self:
        row = change.now
        return cls(
            locale=row.locale,
            currency=row.currency,
            time_zone=row.time_zone,
            low_stock_threshold=row.low_stock_threshold,
            max_discount_percent=row.max_discount_percent,
            max_order_minor=row.max_order_minor,
            max_stock_change=row.max_stock_change,
            changed=change.changed,
        )

    def subject(self) -> str:
        return "settings"

    def has_changed(self) -> bool:
        return bool(self.changed)

    def text(self) -> str:
        # Whoever chooses a language is answered in it.
        with translation.override(self.locale if "locale" in self.changed else translation.get_language()):
            return "\n".join(
                [
                    _("The settings are now ({names} changed):").format(names=", ".join(self.changed))
                    if self.changed
                    else _("Settings:"),
                    _("- Language: {language}").format(language=dict(LOCALES)[self.locale]),
                    _("- Currency: {currency}").format(currency=self.currency),
                    _("- Time zone: {time_zone}").format(time_zone=self.time_zone),
                    _("- Stock of a new product is low at: {units}").format(
                        units=formats.number(self.low_stock_threshold)
                    ),
                    _("- Without asking, an assistant may give a discount of up to: {percent}").format(
                        percent=formats.percent(self.max_discount_percent / 100)
                    ),
                    _("- Without asking, an assistant may place an order of up to: {total}").format(
                        total=formats.money(self.max_order_minor, self.currency)
                    ),
                    _("- Without asking, an assistant may change stock by up to: {units}").format(
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
)
def manage_tenant_settings(
    locale: Annotated[Literal["zh-hant", "en"] | None, Field(description="The language that people read.")] = None,
    currency: Annotated[
        str | None, Field(pattern="^[A-Z]{3}$", description="ISO 4217; only before there are products and orders.")
    ] = None,
    time_zone: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="IANA name, such as Asia/Taipei."),
    ] = None,
    low_stock_threshold: Annotated[
        int | None, Field(ge=0, le=MOST, description="Reorder level of new products that are given none.")
    ] = None,
    max_discount_percent: Annotated[
        int | None, Field(ge=0, le=100, description="The largest discount that an assistant gives without asking.")
    ] = None,
    max_order_minor: Annotated[
        int | None,
        Field(ge=0, le=MOST_MINOR, description="The largest order it places without asking, in the minor unit."),
    ] = None,
    max_stock_change: Annotated[
        int | None, Field(ge=0, le=MOST, description="The most units it moves at once without asking.")
    ] = None,
) -> TenantSettingsAnswer:
    """Change this tenant's settings; what is not given stays, and without arguments they are shown. For its name, age
    and number of users call get_tenant_info."""
    return TenantSettingsAnswer.of(
        settings.change(
            locale=locale,
            currency=currency,
            time_zone=time_zone,
            low_stock_threshold=low_stock_threshold,
            max_discount_percent=max_discount_percent,
            max_order_minor=max_order_minor,
            max_stock_change=max_stock_change,
        )
    )
