"""Money in arguments and answers: a decimal text in the currency's own unit, and in answers the minor unit too."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from django.utils.translation import gettext as _
from pydantic import BaseModel, BeforeValidator, WithJsonSchema, computed_field

from core import amounts, currencies

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# What a tool takes; the service that knows the currency says whether it has so many decimals.
SCHEMA = {"type": "string", "pattern": f"^{amounts.DECIMAL_TEXT}$"}
Amount = Annotated[Decimal, BeforeValidator(amounts.parse), WithJsonSchema(SCHEMA)]


class Priced(BaseModel):
    """Has amounts of money, each both ways: `price` is "19.99" in the currency's own unit, and `price_minor` is 1999 in
    the minor unit, of which `decimals` says how many digits it has."""

    unit_field: ClassVar[str] = "currency"

    currency: str

    @computed_field  # type: ignore[prop-decorator]  # pydantic wants it above a property
    @property
    def decimals(self) -> int:
        return currencies.decimals(self.currency)

    @staticmethod
    def unit_note(currency: str) -> str:
        decimals = currencies.decimals(currency)
        return _("Money: {currency}, {decimals} decimals.").format(currency=currency, decimals=decimals)


def both_ways(currency: str, **minors: int) -> dict[str, Any]:
    """Amounts in the minor unit, by name, as the fields of an answer: price=1999 is price="19.99", price_minor=1999."""
    found: dict[str, Any] = {}
    for name, minor in minors.items():
        found |= {name: amounts.text(minor, currency), f"{name}_minor": minor}
    return found


def with_texts(facts: DataclassInstance, currency: str) -> dict[str, Any]:
    """The fields of a dataclass, with a decimal text beside each that is in the minor unit."""
    found = {field.name: getattr(facts, field.name) for field in fields(facts)}
    minors = {name.removesuffix("_minor"): value for name, value in found.items() if name.endswith("_minor")}
    return found | both_ways(currency, **minors)
