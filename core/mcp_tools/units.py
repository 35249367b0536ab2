"""Money in answers, with what it takes to read it: a currency's decimals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from pydantic import BaseModel, computed_field

from core import formats


class Priced(BaseModel):
    """Has amounts of money, in the minor unit of its currency: 1999 with 2 decimals is 19.99."""

    currency: str

    @computed_field  # type: ignore[prop-decorator]  # pydantic wants it above a property
    @property
    def decimals(self) -> int:
        return formats.decimals(self.currency)

    def unit_note(self) -> str:
        return _("Money: {currency}, {decimals} decimals.").format(currency=self.currency, decimals=self.decimals)
