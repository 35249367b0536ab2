"""Spans of a story with a server, in a process of its own: an SDK is set up once for a whole process."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from tests.support import programs

# The shop's application in process, and requests to it, one after the other; prints its spans.
PROGRAM = """
import asyncio, json, os, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)

import httpx2
from core.asgi import application

async def tell():
    statuses = []
    async with application.router.lifespan_context(application):
        kept.clear()
        transport = httpx2.ASGITransport(app=application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for each in json.loads(os.environ["CALLS"]):
                with {around}:
                    statuses.append((await client.request(**each)).status_code)
        found = [json.loads(span.to_json()) for span in kept.get_finished_spans()]
    print(json.dumps([statuses, found]))

asyncio.run(tell())
"""
OF_NOBODY = "__import__('contextlib').nullcontext()"
OF_AN_INSTRUMENTATION = "trace.get_tracer('another').start_as_current_span('around')"


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended; `parent` and `links` are ids of spans."""

    name: str
    id: str
    trace: str
    parent: str
    kind: str
    status: dict[str, Any]
    facts: dict[str, Any]
    events: list[Any]
    links: list[str]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Span:
        context = told["context"]
        return cls(
            told["name"],
            _hexadecimal(context["span_id"]),
            _hexadecimal(context["trace_id"]),
            _hexadecimal(told["parent_id"] or ""),
            told["kind"].removeprefix("SpanKind."),
            told["status"],
            told["attributes"],
            told["events"],
            [_hexadecimal(link["context"]["span_id"]) for link in told["links"]],
        )


@dataclass(frozen=True, slots=True)
class Story:
    """What a server has answered, and its spans in the order of their ends."""

    statuses: list[int]
    spans: list[Span]
    log: str

    def named(self, name: str) -> list[Span]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]

    def below(self, above: Span) -> list[Span]:
        """The spans whose parent it is."""
        return [span for span in self.spans if span.parent == above.id]


def of(*calls: dict[str, Any], around: str = OF_NOBODY) -> Story:
    """What comes of these requests, which are arguments of `httpx2.AsyncClient.request`."""
    environment = os.environ | {"CALLS": json.dumps(calls), "DJANGO_SETTINGS_MODULE": "core.settings"}
    done = programs.run(["-c", PROGRAM.replace("{around}", around)], environment=environment)
    assert done.returncode == 0, done.stderr
    statuses, found = json.loads(done.stdout)
    return Story(statuses, [Span.of(each) for each in found], done.stderr)


def _hexadecimal(number: str) -> str:
    return number.removeprefix("0x")
