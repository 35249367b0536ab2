"""Sets up the SDK of OpenTelemetry as the environment asks for (OpenTelemetry, "Environment variable specification").

For the program that serves; a library that is imported sets up nothing for its process.
"""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from opentelemetry import trace
from opentelemetry.trace import ProxyTracerProvider

EXPORTERS = ("otlp", "console", "none")


def begin(service: str) -> None:
    """Send spans where OTEL_TRACES_EXPORTER or OTEL_EXPORTER_OTLP_ENDPOINT is set, as `service` unless
    OTEL_SERVICE_NAME says otherwise. Nothing is done where neither is, and where an SDK is set up already.

    Raises ImproperlyConfigured: the SDK is not installed, or there is no such exporter.
    """
    exporter = wanted()
    if exporter == "none" or not isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError as error:
        raise ImproperlyConfigured(
            "spans are asked for, and the SDK of OpenTelemetry is not installed: "
            "pip install 'django-tenant-mcp[opentelemetry]', or set OTEL_TRACES_EXPORTER=none"
        ) from error
    named = {} if _names_service() else {SERVICE_NAME: service}
    provider = TracerProvider(resource=Resource.create(named))
    # Stdout may be a client's, which speaks MCP over it.
    sending = OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter(out=sys.stderr)
    provider.add_span_processor(BatchSpanProcessor(sending))
    trace.set_tracer_provider(provider)


def wanted() -> str:
    """One of EXPORTERS. Raises ImproperlyConfigured: another one is asked for."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "none"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otherwise = "otlp" if any(os.environ.get(each) for each in endpoints) else "none"
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or otherwise
    if exporter not in EXPORTERS:
        raise ImproperlyConfigured(f"OTEL_TRACES_EXPORTER is {exporter!r}; set it to {' or '.join(EXPORTERS)}")
    return exporter


def _names_service() -> bool:
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes
