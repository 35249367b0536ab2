"""The span of a request over HTTP (OpenTelemetry, "Semantic conventions for HTTP spans")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from starlette.types import Scope

# Where the scope of a request has its route: a path with the names of its variables, and not their values.
ROUTE_KEY = "mcp_server.route"
# RFC 9110, section 9, and RFC 5789. Whatever else a client has written is not told.
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
OTHER_METHOD, OTHER_NAME = "_OTHER", "HTTP"


class HeaderGetter(Getter[Scope]):
    """Reads the trace context of the caller out of the headers of a request (W3C Trace Context)."""

    def get(self, carrier: Scope, key: str) -> list[str] | None:
        return [value.decode("latin-1") for name, value in carrier["headers"] if name == key.encode()] or None

    def keys(self, carrier: Scope) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier["headers"]]


GETTER = HeaderGetter()


@contextmanager
def span(tracer: Tracer, scope: Scope, request_id: str) -> Iterator[Span]:
    """Within the block, a request is answered. It has no span of ours where another one is there already, as that of an
    instrumentation of the ASGI server.
    """
    if trace.get_current_span().get_span_context().is_valid:
        yield trace.INVALID_SPAN
        return
    is_known = scope["method"] in METHODS
    method, name = (scope["method"], scope["method"]) if is_known else (OTHER_METHOD, OTHER_NAME)
    facts = {"http.request.method": method, "url.scheme": scope["scheme"], "request_id": request_id}
    with tracer.start_as_current_span(
        name,
        propagate.extract(scope, getter=GETTER),
        SpanKind.SERVER,
        facts,
        record_exception=False,
        set_status_on_exception=False,
    ) as found:
        try:
            yield found
        except Exception as error:
            found.set_attribute("error.type", type(error).__qualname__)
            found.set_status(StatusCode.ERROR)
            raise
        finally:
            if route := scope.get(ROUTE_KEY):
                found.update_name(f"{name} {route}")
                found.set_attribute("http.route", route)


def answered(span: Span, status: int) -> None:
    """Say with which status it was answered."""
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
