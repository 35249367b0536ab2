"""`Limits`: what a project allows, in words, and what holds where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.core.exceptions import ImproperlyConfigured
from limits import RateLimitItem, parse_many

RATE_EXAMPLE = "1200/minute; 200000/day"


@dataclass(frozen=True)
class Limits:
    """How many messages are taken from whom, and how many at once.

    Rates are written as in `limits` ("Rate limit string notation"): "1200/minute; 200000/day". '' stands for no limit,
    and so does 0 for `at_once`.

    Args:
        tenant: of all callers of a tenant together.
        principal: of one caller: one token, one user; where nobody says who calls, one address.
        failed_logins: of one address, answers with 401.
        at_once: messages of one tenant that one process has under way: a part of them works, the others wait.

    Raises ImproperlyConfigured: a rate is none.
    """

    tenant: str = "1200/minute; 200000/day"
    principal: str = "600/minute; 100000/day"
    failed_logins: str = "60/minute"
    at_once: int = 40

    def __post_init__(self) -> None:
        for name in ("tenant", "principal", "failed_logins"):
            _checked(name, getattr(self, name))
        if self.at_once < 0:
            raise ImproperlyConfigured(f"Limits(at_once={self.at_once}): write a number from 1 up, or 0 for no limit")

    @cached_property
    def of_tenants(self) -> list[RateLimitItem]:
        """`tenant`, each rate by itself."""
        return _checked("tenant", self.tenant)

    @cached_property
    def of_principals(self) -> list[RateLimitItem]:
        """`principal`."""
        return _checked("principal", self.principal)

    @cached_property
    def of_failed_logins(self) -> list[RateLimitItem]:
        """`failed_logins`."""
        return _checked("failed_logins", self.failed_logins)


def rates(text: str) -> list[RateLimitItem]:
    """The rates in a text, that of the longest period first; none where it is blank. Raises ValueError: one is none."""
    found = sorted(parse_many(text) if text.strip() else [], key=lambda rate: -rate.get_expiry())
    if any(rate.amount < 1 for rate in found):
        raise ValueError(f"{text!r} takes nothing")
    return found


def _checked(name: str, text: str) -> list[RateLimitItem]:
    try:
        return rates(text)
    except ValueError:
        raise ImproperlyConfigured(
            f"Limits({name}={text!r}) is no rate: write it as {RATE_EXAMPLE!r}, or '' for no limit"
        ) from None
