"""Log records that say which request they are of: a filter for the LOGGING of a project."""

from __future__ import annotations

import logging

from mcp_server import spans
from mcp_server.http import tracing


class OfRequest(logging.Filter):
    """Gives each record the `request_id` of the request that causes it, the `address` that this comes from, and, where
    spans are made, its `trace_id`.

    Records outside of a request get neither. Put it on a handler: `"filters": {"request": {"()":
    "mcp_server.logs.OfRequest"}}`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        trace = tracing.current()
        if trace is not None:
            record.request_id = trace.request_id
            if trace.address:
                record.address = trace.address
            if trace_id := spans.trace_id():
                record.trace_id = trace_id
        return True
