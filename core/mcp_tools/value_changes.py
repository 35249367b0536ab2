"""What of a row has changed: as the audit keeps it, and as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from core import amounts, defaults, formats
from core.models import OrderStatus
from core.services.field_changes import FieldChange
from mcp_server.declare.tools import ValueChange

MINOR = "_minor"
CHOICES_OF_FIELDS: dict[str, list[tuple[str, Any]]] = {"locale": defaults.LANGUAGES, "status": OrderStatus.choices}


def kept(changes: Iterable[FieldChange], currency: str) -> list[ValueChange]:
    """The changes of a row whose amounts are in this currency: an amount both ways, as in answers."""
    return [each for change in changes for each in _both_ways(change, currency)]


def lines(changes: Iterable[ValueChange]) -> Iterator[str]:
    """A line for each value that was another one before, in the caller's language; of an amount once."""
    found = list(changes)
    names = {change.field for change in found}
    for change in found:
        if f"{change.field}{MINOR}" not in names:
            yield line(change)


def line(change: ValueChange) -> str:
    """The line of one value."""
    before, after = (_shown(change, value) for value in (change.before, change.after))
    return _("- {field}: {before}, now {after}").format(
        field=_labels().get(change.field, change.field), before=before, after=after
    )


def _both_ways(change: FieldChange, currency: str) -> Iterator[ValueChange]:
    if not change.field.endswith(MINOR):
        yield ValueChange(change.field, change.before, change.after)
        return
    before, after = (amounts.text(int(minor), currency) for minor in (change.before, change.after))
    yield ValueChange(change.field.removesuffix(MINOR), before, after, unit=currency)
    yield ValueChange(change.field, change.before, change.after, unit=currency)


def _shown(change: ValueChange, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return _number(change, value)
    choices: dict[str, Any] = dict(CHOICES_OF_FIELDS.get(change.field, []))
    return str(choices.get(value, value or "-"))


def _number(change: ValueChange, value: int) -> str:
    if change.unit and change.field.endswith(MINOR):
        return formats.money(value, change.unit)
    return formats.percent(value / 100) if change.field.endswith("_percent") else formats.number(value)


def _labels() -> dict[str, str]:
    return {
        "name": _("Name"),
        "description": _("Description"),
        "category": _("Category"),
        "price_minor": _("Price"),
        "reorder_level": _("Reorder level"),
        "is_active": _("For sale"),
        "stock": _("Stock"),
        "status": _("Status"),
        "locale": _("Language"),
        "currency": _("Currency"),
        "time_zone": _("Time zone"),
        "low_stock_threshold": _("Reorder level of new products"),
        "max_discount_percent": _("Largest discount without asking"),
        "max_order": _("Largest order without asking"),
        "max_order_minor": _("Largest order without asking"),
        "max_stock_change": _("Largest stock change without asking"),
    }
