"""What a tenant chooses for itself: language, money, time, and what an assistant may do without asking."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.db import connection, transaction
from django.utils.translation import gettext as _

from core import amounts, currencies, defaults, formats
from core.amounts import AmountInvalid
from core.models import Order, Product, TenantSettings
from core.services import time_zones
from core.services.field_changes import FieldChange
from core.services.rows import Columns, statement
from mcp_server import approval, sentences
from mcp_server.errors import Refusal

OF_SETTINGS = Columns(TenantSettings, *(field.attname for field in TenantSettings._meta.concrete_fields))
GET = statement("SELECT {columns} FROM core_tenantsettings", columns=OF_SETTINGS.sql("core_tenantsettings"))


class SettingsInvalid(Refusal):
    """A setting can't have this value."""


class Choices(TypedDict, total=False):
    """Settings to change; what is missing or None stays. `max_order` is in the currency's own unit."""

    locale: str | None
    currency: str | None
    time_zone: str | None
    low_stock_threshold: int | None
    max_discount_percent: int | None
    max_order: Decimal | None
    max_stock_change: int | None


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """The settings as they are now, and those that have changed."""

    now: TenantSettings
    changes: list[FieldChange]

    @property
    def changed(self) -> list[str]:
        """The names of the choices that have changed."""
        return [each.field.removesuffix("_minor") for each in self.changes]


def get() -> TenantSettings:
    """The settings of the open tenant context; the defaults, not saved, where the tenant has none."""
    with connection.cursor() as cursor:
        cursor.execute(GET)
        found = cursor.fetchone()
    return OF_SETTINGS.read(found) if found else TenantSettings()


def locales() -> str:
    """Which languages there are, for whoever has named another one."""
    return _("The locale must be one of: {locales}.").format(locales=", ".join(defaults.Locale))


def lock() -> TenantSettings:
    """The same, saved and locked until the transaction ends: whoever holds it is the tenant's only holder.

    Take it before any lock of a product or an order.
    """
    row = TenantSettings.objects.select_for_update().first()
    if row is None:
        TenantSettings.objects.get_or_create()
        row = TenantSettings.objects.select_for_update().get()
    return row


def change(**choices: Unpack[Choices]) -> SettingsChange:
    """Change settings, and ask a person before a cap is raised or the currency changes.

    With the currency the largest order changes too: it keeps its number of units, 50,000 TWD become 50,000 JPY.

    Raises SettingsInvalid: a value that is not offered, or a new currency where something has a price already, or
    without the decimals that an amount has. AmountInvalid: the currency has no such amount.
    """
    wanted: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
    if not wanted:
        return SettingsChange(get(), [])
    with transaction.atomic():
        row = lock()
        currency = wanted.get("currency", row.currency)
        if currency != row.currency:
            _check_currency(currency)
        wanted |= _amounts(row, currency, wanted.pop("max_order", None))
        changes = {name: value for name, value in wanted.items() if getattr(row, name) != value}
        _check(changes)
        questions = _questions(row, changes)
        if questions:
            approval.ask(sentences.joined(questions))
        made = [FieldChange(name, getattr(row, name), value) for name, value in changes.items()]
        for name, value in changes.items():
            setattr(row, name, value)
        row.save(update_fields=list(changes))
    return SettingsChange(row, made)


def _amounts(row: TenantSettings, currency: str, max_order: Decimal | None) -> dict[str, int]:
    """The amounts of the settings that are to be, in the currency that is to be."""
    if max_order is not None:
        return {"max_order_minor": amounts.minor(max_order, currency)}
    if currency == row.currency:
        return {}
    kept = amounts.major(row.max_order_minor, row.currency)
    try:
        return {"max_order_minor": amounts.minor(kept.normalize(), currency)}
    except AmountInvalid as error:
        raise SettingsInvalid(
            _(
                "The largest order that an assistant may place without asking is {total}, which is no amount of "
                "{currency}. Call again with max_order too, in {currency}."
            ).format(total=formats.money(row.max_order_minor, row.currency), currency=currency)
        ) from error


def _check(changes: dict[str, Any]) -> None:
    if "locale" in changes and changes["locale"] not in list(defaults.Locale):
        raise SettingsInvalid(locales())
    if "time_zone" in changes:
        _check_time_zone(changes["time_zone"])
    if changes.get("max_discount_percent", 0) > 100:
        raise SettingsInvalid(_("max_discount_percent must be a number from 0 to 100."))


def _check_time_zone(name: str) -> None:
    if name in time_zones.names():
        return
    if time_zones.is_reversed(name):
        raise SettingsInvalid(
            _(
                "The sign of {name} is the other way round: Etc/GMT-8 is ahead of UTC. Use the IANA name of a city's "
                "time zone, as in Area/City."
            ).format(name=repr(name))
        )
    if found := time_zones.suggestions(name):
        raise SettingsInvalid(
            _("There is no time zone {name}. Did you mean {example}? A time zone has an IANA name.").format(
                name=repr(name), example=_(", ").join(map(repr, found))
            )
        )
    raise SettingsInvalid(
        _("There is no time zone {name}. Use the IANA name of a city's time zone, as in Area/City.").format(
            name=repr(name)
        )
    )


def _check_currency(code: str) -> None:
    if code in currencies.NOT_MONEY:
        raise SettingsInvalid(
            _(
                "Nobody pays in {code}: ISO 4217 has it for accounts, metals or tests. Use the three letters of a "
                "currency, such as TWD or EUR."
            ).format(code=code)
        )
    if code not in currencies.MONEY:
        raise SettingsInvalid(_no_such_currency(code))
    if Product.objects.exists() or Order.objects.exists():
        raise SettingsInvalid(
            _(
                "The currency can't be changed any more: products or orders have prices in it. Call "
                "manage_tenant_settings without currency."
            )
        )


def _no_such_currency(code: str) -> str:
    shown = repr(formats.short(code))
    if meant := currencies.meant(code):
        return _(
            "There is no currency {code}. Use the three letters of ISO 4217, such as TWD or EUR. Did you mean {meant}?"
        ).format(code=shown, meant=meant)
    return _("There is no currency {code}. Use the three letters of ISO 4217, such as TWD or EUR.").format(code=shown)


def _questions(row: TenantSettings, changes: dict[str, Any]) -> list[str]:
    questions = []
    if "currency" in changes:
        questions.append(
            _(
                "Change the currency of this shop from {before} to {after}? The largest order that an assistant may "
                "place without asking is then {limit}; it is {limit_before} now."
            ).format(
                before=row.currency,
                after=changes["currency"],
                limit=formats.money(changes.get("max_order_minor", row.max_order_minor), changes["currency"]),
                limit_before=formats.money(row.max_order_minor, row.currency),
            )
        )
    if changes.get("max_discount_percent", 0) > row.max_discount_percent:
        questions.append(
            _(
                "Raise the largest discount that an assistant may give without asking from {before}% to {after}%?"
            ).format(before=row.max_discount_percent, after=changes["max_discount_percent"])
        )
    if "currency" not in changes and changes.get("max_order_minor", 0) > row.max_order_minor:
        questions.append(
            _("Raise the largest order that an assistant may place without asking from {before} to {after}?").format(
                before=formats.money(row.max_order_minor, row.currency),
                after=formats.money(changes["max_order_minor"], row.currency),
            )
        )
    if changes.get("max_stock_change", 0) > row.max_stock_change:
        questions.append(
            _(
                "Raise the largest stock change that an assistant may make without asking from {before} to "
                "{after} units?"
            ).format(before=formats.number(row.max_stock_change), after=formats.number(changes["max_stock_change"]))
        )
    return questions
