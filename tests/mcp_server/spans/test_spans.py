"""Spans from the request over the tool to the statement, in the trace of the caller, without data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcp_server.spans import requests
from mcp_server.spans.statements import described
from tests.support import programs, raw, spans
from tests.support.processes import free_port, serving
from tests.support.world import World, platform_token

TRACE, CALLER, OTHER_CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
SECRET = "A-1"


def post(slug: str, token: str, method: str, params: dict[str, Any], **headers: str) -> dict[str, Any]:
    """A message of 2026-07-28 as a request."""
    name = params.get("name", params.get("uri"))
    sent = raw.headers(token, "2026-07-28", method, name) | {"Accept": raw.BOTH} | headers
    body = raw.message(method, params, "2026-07-28")
    if "_meta" in params:
        body["params"]["_meta"] = {**raw.META["_meta"], **params["_meta"]}
    return {"method": "POST", "url": f"/mcp/{slug}/" if slug else "/mcp/", "json": body, "headers": sent}


def tool(world: World, name: str, /, **arguments: Any) -> dict[str, Any]:
    return post(world.subdomain, world.token, "tools/call", {"name": name, "arguments": arguments})


@pytest.mark.slow
def test_a_request_holds_its_message_which_holds_its_statements(acme: World) -> None:
    story = spans.of(tool(acme, "get_product", sku=SECRET))

    [request] = story.named("POST /mcp/{tenant}")
    [message] = story.named("tools/call get_product")
    statements = [span for span in story.below(message) if span.name == "SELECT core_product"]
    assert (message.parent, request.parent) == (request.id, "")
    assert statements
    assert {span.trace for span in (request, message, *statements)} == {request.trace}
    assert request.facts["http.response.status_code"] == 200
    assert request.facts["http.route"] == "/mcp/{tenant}"
    assert (message.facts["tenant"], message.facts["gen_ai.tool.name"]) == ("acme", "get_product")
    assert statements[0].facts["db.client.connection.pool.name"] == "default"
    assert {span.kind for span in statements} == {"CLIENT"}
    assert {span.status["status_code"] for span in story.spans} == {"UNSET"}
    # One of each: the SDK makes none beside ours.
    assert [span.name for span in story.below(request) if span.kind == "SERVER"] == ["tools/call get_product"]


@pytest.mark.slow
def test_a_change_and_work_of_the_platform_have_their_statements_too(acme: World) -> None:
    operator = platform_token()

    story = spans.of(
        tool(acme, "adjust_stock", sku=SECRET, quantity=1, reason="count"),
        post("", operator, "tools/call", {"name": "list_tenants", "arguments": {"reason": "a look"}}),
    )

    [change] = story.named("tools/call adjust_stock")
    [listed] = story.named("tools/call list_tenants")
    assert {"WITH core_product", "INSERT mcp_ledger_auditevent"} <= {span.name for span in story.below(change)}
    assert (listed.facts["tenant"], listed.facts["gen_ai.tool.name"]) == ("platform", "list_tenants")
    assert {span.facts["db.client.connection.pool.name"] for span in story.below(listed)} == {"platform"}
    assert story.named("POST /mcp")


@pytest.mark.slow
def test_the_trace_of_the_caller_goes_on(acme: World) -> None:
    call = tool(acme, "get_product", sku=SECRET)
    by_header = {**call, "headers": call["headers"] | {"traceparent": TRACEPARENT}}
    params = {"name": "get_product", "arguments": {"sku": SECRET}}
    brought = {"traceparent": f"00-{TRACE}-{OTHER_CALLER}-01"}
    by_message = post("acme", acme.token, "tools/call", {**params, "_meta": brought})
    by_nonsense = post("acme", acme.token, "tools/call", {**params, "_meta": {"traceparent": ["x"]}})

    story = spans.of(by_header, by_message, by_nonsense)

    first, second, third = story.named("POST /mcp/{tenant}")
    [within] = [span for span in story.named("tools/call get_product") if span.parent == first.id]
    assert (first.trace, first.parent, within.trace) == (TRACE, CALLER, TRACE)
    [of_message] = [span for span in story.named("tools/call get_product") if span.parent == OTHER_CALLER]
    assert (of_message.trace, of_message.links) == (TRACE, [second.id])
    assert [span.name for span in story.below(third) if span.kind == "SERVER"] == ["tools/call get_product"]


@pytest.mark.slow
def test_no_span_holds_data(acme: World, globex: World) -> None:
    made_up = "a name that a caller makes up"

    story = spans.of(
        tool(acme, "get_product", sku="SECRET-SKU"),
        tool(acme, "get_tenant_products", query="SECRET-QUERY"),
        tool(acme, made_up, x="SECRET-ARGUMENT"),
        post("acme", acme.token, "resources/read", {"uri": "product://SECRET-URI"}),
        post("acme", acme.token, made_up, {}),
        post("nowhere-SECRET", "tmcp_SECRET", "tools/list", {}),
        {"method": "GET", "url": "/exports/SECRET", "headers": {"traceparent": "SECRET"}},
        tool(acme, "create_product", sku="SECRET-NEW", name="SECRET-NAME", price="not-SECRET"),
        tool(acme, "create_product", sku=SECRET, name="SECRET-NAME", price="1.00"),
    )

    said = json.dumps([[span.name, span.facts, span.status, span.events] for span in story.spans])
    assert "SECRET" not in said
    assert made_up not in said
    assert [span.events for span in story.spans if span.events] == []
    assert len(story.named("POST /mcp/{tenant}")) == 8
    for span in story.spans:
        assert not span.status.get("description"), span


def test_a_request_that_breaks_off_is_an_error_without_its_text() -> None:
    """As when a stream ends with an error after its answer has begun."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    scope = {"method": "SECRET", "scheme": "http", "headers": [], requests.ROUTE_KEY: "/mcp/{tenant}"}

    with pytest.raises(ValueError, match="SECRET"), requests.span(provider.get_tracer("tests"), scope, "1"):
        raise ValueError("SECRET of a row")

    [span] = kept.get_finished_spans()
    assert "SECRET" not in span.to_json()
    assert (span.name, span.status.status_code.name) == ("HTTP /mcp/{tenant}", "ERROR")
    assert (span.attributes["error.type"], span.attributes["http.request.method"]) == ("ValueError", "_OTHER")


@pytest.mark.slow
def test_what_goes_wrong_is_an_error_by_its_kind(acme: World) -> None:
    story = spans.of(
        tool(acme, "get_product", sku="of-nobody"),
        tool(acme, "no_such_tool"),
        post("acme", "tmcp_of-nobody", "tools/list", {}),
    )

    [refused] = story.named("tools/call get_product")
    [unknown] = story.named("tools/call")
    assert (refused.status["status_code"], refused.facts["error.type"]) == ("ERROR", "tool_error")
    assert (unknown.status["status_code"], unknown.facts["error.type"]) == ("ERROR", "-32602")
    assert [span.facts["http.response.status_code"] for span in story.named("POST /mcp/{tenant}")][-1] == 401
    assert story.statuses[-1] == 401


@pytest.mark.slow
def test_a_log_record_has_the_trace_of_its_span(acme: World) -> None:
    story = spans.of(tool(acme, "get_product", sku=SECRET))

    [message] = story.named("tools/call get_product")
    [record] = [json.loads(line) for line in story.log.splitlines() if '"tool": "get_product"' in line]
    assert record["trace_id"] == message.trace
    assert record["request_id"] == message.facts["request_id"]


@pytest.mark.slow
def test_an_instrumentation_of_the_asgi_server_keeps_its_span(acme: World) -> None:
    story = spans.of(tool(acme, "get_product", sku=SECRET), around=spans.OF_AN_INSTRUMENTATION)

    [around] = story.named("around")
    assert [span.name for span in story.below(around) if span.kind == "SERVER"] == ["tools/call get_product"]
    assert not story.named("POST /mcp/{tenant}")


@pytest.mark.slow
def test_what_the_caller_does_not_sample_has_no_spans(acme: World) -> None:
    call = tool(acme, "get_product", sku=SECRET)
    unsampled = f"00-{TRACE}-{CALLER}-00"
    brought = {"traceparent": TRACEPARENT}

    story = spans.of(
        {**call, "headers": call["headers"] | {"traceparent": unsampled}},
        {
            **post(
                "acme",
                acme.token,
                "tools/call",
                {"name": "get_product", "arguments": {"sku": SECRET}, "_meta": brought},
            ),
            "headers": call["headers"] | {"traceparent": unsampled},
        },
    )

    assert story.statuses == [200, 200]
    # What the message itself says of its trace counts.
    assert [(span.parent, span.links) for span in story.spans if span.kind == "SERVER"] == [(CALLER, [])]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ('SELECT "core_product"."id" FROM "core_product" WHERE "core_product"."sku" = %s', "SELECT core_product"),
        ('/*traceparent=1*/ UPDATE "core_product" SET "stock" = 1', "UPDATE core_product"),
        ("-- a word\n  insert into core_order (number) values (1)", "INSERT core_order"),
        ("SELECT 'from somebody' FROM nowhere", "SELECT"),
        ("WITH found AS (SELECT 1 FROM core_order) SELECT * FROM found", "WITH core_order"),
        ("COPY x", "SQL"),
        ("", "SQL"),
    ],
)
def test_a_statement_is_called_by_what_it_does_to_a_table_of_ours(sql: str, name: str) -> None:
    assert described(sql)[0] == name


@pytest.mark.slow
def test_an_operator_turns_it_on_in_the_environment(acme: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(
        log, OTEL_TRACES_EXPORTER="console", OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=here"
    ) as server:
        assert raw.post(server, acme, raw.message("tools/call", {"name": "get_product", "arguments": {"sku": "A-1"}}))

    written = log.read_text()
    assert '"name": "tools/call get_product"' in written
    assert '"service.name": "django-tenant-mcp"' in written
    assert '"deployment.environment.name": "here"' in written


@pytest.mark.parametrize(
    ("environment", "is_missing", "said"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            False,
            "OTEL_TRACES_EXPORTER is 'zipkin'; set it to otlp or console or none",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True, "pip install 'django-tenant-mcp[opentelemetry]'"),
    ],
)
@pytest.mark.slow
def test_what_can_not_be_sent_is_a_sentence_and_no_server(
    environment: dict[str, str], is_missing: bool, said: str, database: str
) -> None:
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None; " if is_missing else ""
    command = f"{hidden}import runpy; runpy.run_module('mcp_server', run_name='__main__')"

    done = programs.run(["-c", command], environment=os.environ | {"PORT": str(free_port())} | environment)

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
