"""Why a server does not start, in one sentence."""

from __future__ import annotations

import sys

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from starlette.types import Message, Send


def sentence(error: BaseException | None) -> str:
    """What is to be said of an error; '' where it is none that an operator mends, and its traceback has to be seen."""
    if isinstance(error, OperationalError):
        return f"the database does not answer: {error}"
    return str(error) if isinstance(error, ImproperlyConfigured) else ""


def in_a_sentence(send: Send) -> Send:
    """Says why the lifespan could not begin without the traceback that Starlette sends, which a server logs."""

    async def say(message: Message) -> None:
        # Starlette sends it while it handles the error.
        if message["type"] == "lifespan.startup.failed" and (said := sentence(sys.exc_info()[1])):
            message = {**message, "message": said}
        await send(message)

    return say
