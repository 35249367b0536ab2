"""Customers of the open tenant context."""

from __future__ import annotations

from django.utils.translation import gettext as _

from core import addresses
from core.models import Customer
from mcp_server.errors import Refusal


class CustomerInvalid(Refusal):
    """These facts do not identify a customer, and can't make a new one."""


def address(email: str) -> str:
    """The e-mail address in the form in which it is stored; empty where nothing can be seen.

    Raises CustomerInvalid: it is no address.
    """
    if not addresses.plain(email):
        return ""
    try:
        return addresses.normal(email)
    except addresses.NotAnAddress:
        raise CustomerInvalid(
            _("'{email}' is not an e-mail address. Correct it, or leave it out.").format(email=email.strip())
        ) from None


def wanted(*, email: str, name: str) -> Customer | None:
    """The customer with this address, or a new one that is not saved yet; None for a walk-in, who gives neither.

    A known customer keeps its name. Raises CustomerInvalid: it is no address, or a new customer's name or address
    is missing.
    """
    email, name = address(email), name.strip()
    if not email:
        _require(
            not name,
            _("A customer is identified by e-mail address. Give customer_email too, or leave out customer_name."),
        )
        return None
    known = Customer.objects.filter(email=email).first()
    if known is not None:
        return known
    _require(
        bool(name),
        _("No customer has the e-mail address {email} yet. Call again with customer_name too.").format(email=email),
    )
    return Customer(email=email, name=name)


def saved(customer: Customer | None) -> Customer | None:
    """The customer as a row: this one, or the one that somebody else has saved meanwhile."""
    if customer is None or not customer._state.adding:
        return customer
    return Customer.objects.get_or_create(email=customer.email, defaults={"name": customer.name})[0]


def _require(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise CustomerInvalid(otherwise)
