"""What is told of an error that nobody has anticipated: a reference to the log."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR
from pydantic import ValidationError

logger = logging.getLogger(__name__)


async def told_by_reference(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """An SDK middleware, around all others. The SDK would tell older clients the text of the error, with the code 0."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):  # the SDK's own: of what a client can do something about
        raise
    except Exception as error:
        if ctx.request_id is None:  # nobody waits for an answer, and the SDK logs it
            raise
        reference = uuid.uuid4().hex[:12]
        logger.exception("a message failed unexpectedly", extra={"mcp_method": ctx.method, "reference": reference})
        raise MCPError(INTERNAL_ERROR, f"{ctx.method} failed unexpectedly. Report reference {reference}.") from error
