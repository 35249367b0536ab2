"""What is said to a caller that has reached a limit: which, and when to call again. In the caller's language."""

from __future__ import annotations

import math

from django.utils.translation import gettext as _

from mcp_server import sentences


def too_many(amount: int, period: float, *, tenant: str, seconds: float) -> str:
    """That so many messages in a period are all: of a tenant's callers together, or of one caller where it is ''."""
    whose = (
        _("All callers of {tenant} together may send {amount} messages in {period}, and have sent them.")
        if tenant
        else _("You may send {amount} messages in {period}, and have sent them.")
    )
    return sentences.joined(
        [
            whose.format(tenant=tenant, amount=amount, period=duration(period)),
            _("Nothing was done. Call again after {wait}, and not before; then ask for more in one call.").format(
                wait=duration(seconds)
            ),
        ]
    )


def too_many_at_once(amount: int, *, tenant: str) -> str:
    """That so many messages of a tenant are under way."""
    whose = _("{amount} calls of {tenant} are under way, and no more are taken before one of them ends.")
    return sentences.joined(
        [
            whose.format(amount=amount, tenant=tenant),
            _("Nothing was done. Wait for the answers, then call again, with fewer calls at once."),
        ]
    )


def duration(seconds: float) -> str:
    """A time, rounded up, in the unit that people would take."""
    whole = max(1, math.ceil(seconds))
    if whole == 1:
        return _("a second")
    if whole < 120:
        return _("{count} seconds").format(count=whole)
    if whole < 7200:
        return _("{count} minutes").format(count=math.ceil(whole / 60))
    return _("{count} hours").format(count=math.ceil(whole / 3600))
