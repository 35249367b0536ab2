"""Spans of OpenTelemetry: of a request over HTTP, of each message in it, and of each statement that this sends.

Who wants them sets up an SDK before a server is made (mcp_server.spans.export, or opentelemetry-instrument); otherwise
nothing is done for them. See docs/adr/0056.

# Note [No data in a span]
Spans leave the machine, for people who may see no tenant's rows. So a span holds names that the code declares, the
tenant's slug and the request's id: no argument, no URI, no path, no text of a statement or of an error.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, Tracer

FLUSH_TIMEOUT = 5.0

# One where spans are made.
_tracers: list[Tracer] = []


def begin() -> None:
    """Make spans from now on, where somebody has set up an SDK."""
    if _tracers or isinstance(trace.get_tracer_provider(), ProxyTracerProvider | NoOpTracerProvider):
        return
    from mcp_server.spans import statements

    _tracers.append(trace.get_tracer("mcp_server"))
    statements.begin()


def tracer() -> Tracer | None:
    """What makes spans; None where nobody wants them."""
    return _tracers[0] if _tracers else None


def flush() -> None:
    """Send what has not been sent yet. It blocks, for FLUSH_TIMEOUT seconds at most."""
    # An SDK does it at the exit of Python, which a server that is ended by a signal does not come to.
    if _tracers and (send := getattr(trace.get_tracer_provider(), "force_flush", None)):
        send(int(FLUSH_TIMEOUT * 1000))


def trace_id() -> str:
    """The trace that the current span belongs to, in hexadecimal; '' where there is none."""
    context = trace.get_current_span().get_span_context() if _tracers else trace.INVALID_SPAN_CONTEXT
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""
