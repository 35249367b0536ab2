"""The link of an export: whoever has it reads the file, for an hour, at its tenant's URL and nowhere else."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections
from django.test import AsyncClient

import rls
from core.logs import JSONFormatter
from core.models import Export, ExportFormat, ExportPart, Order
from core.services import exports
from tests.core.test_exports import content, make, signed_at
from tests.support.processes import Process
from tests.support.world import World


def link(world: World, made: Export) -> str:
    with rls.tenant_context(world.id):
        return f"/t/{world.subdomain}/exports/{exports.handle(made)}"


def exported(world: World, format: ExportFormat = ExportFormat.JSONL) -> tuple[Export, bytes]:
    with rls.tenant_context(world.id):
        made = make(format)
        return made.export, content(made)


def get(url: str) -> Any:
    return async_to_sync(AsyncClient(raise_request_exception=False).get)(url)


@async_to_sync
async def download(url: str) -> tuple[Any, bytes]:
    """The answer and its body; between the chunks no context is open, and no connection is held."""
    response: Any = await AsyncClient().get(url)
    body = b""
    async for chunk in response.streaming_content:
        assert rls.current_tenant_id() is None
        assert await sync_to_async(lambda: connections["default"].connection)() is None
        assert len(chunk) <= exports.PART_SIZE
        body += chunk
    return response, body


@pytest.mark.parametrize(
    ("format", "media_type", "suffix"),
    [
        (ExportFormat.CSV, "application/zip", "zip"),
        (ExportFormat.JSON, "application/json", "json"),
        (ExportFormat.JSONL, "application/jsonl", "jsonl"),
        (ExportFormat.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ],
)
def test_the_link_is_the_file(format: ExportFormat, media_type: str, suffix: str, acme: World, globex: World) -> None:
    made, file = exported(acme, format)

    response, body = download(link(acme, made))

    assert (response.status_code, body) == (200, file)
    assert response["Content-Type"] == media_type
    assert response["Content-Length"] == str(len(file))
    assert response["Content-Disposition"] == (f'attachment; filename="acme-{made.created_at:%Y%m%d-%H%M%S}.{suffix}"')
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_file_of_several_pieces_arrives_whole(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Order.objects.update(note="x" * 2_500_000)
    made, file = exported(acme)

    _, body = download(link(acme, made))

    assert len(file) > 2 * exports.PART_SIZE
    assert body == file


def test_every_refusal_is_the_same_answer(acme: World, globex: World, admin: psycopg.Connection) -> None:
    made, _ = exported(acme)
    of_globex, _ = exported(globex)
    good = link(acme, made)
    handle = good.rpartition("/")[2]
    admin.execute("UPDATE core_tenant SET is_active = false WHERE subdomain = 'globex'")
    admin.execute("INSERT INTO core_tenant (name, subdomain, is_active) VALUES ('Initech', 'initech', true)")
    assert get(good).status_code == 200

    answers = {
        "another tenant's URL": get(f"/t/initech/exports/{handle}"),
        "a suspended tenant's URL": get(f"/t/globex/exports/{handle}"),
        "a suspended tenant's own": get(link_of_suspended(globex, of_globex)),
        "an unknown tenant": get(f"/t/nowhere/exports/{handle}"),
        "no possible tenant": get(f"/t/acme%00/exports/{handle}"),
        "expired": get(f"/t/acme/exports/{signed_at(acme.id, made, 3601)}"),
        "tampered": get(f"{good[:-1]}_"),
        "the id alone": get(f"/t/acme/exports/{made.id}"),
        "no possible text": get("/t/acme/exports/%00"),
        "a bearer token for a handle": get(f"/t/acme/exports/{acme.token}"),
        "no such page": get("/t/acme/export"),
    }

    for reason, answer in answers.items():
        assert (answer.status_code, answer.json()) == (404, {"error": "not_found"}), reason


def link_of_suspended(world: World, made: Export) -> str:
    return f"/t/{world.subdomain}/exports/{signed_at(world.id, made, 0)}"


def test_a_link_ends_with_its_export(acme: World) -> None:
    made, _ = exported(acme)
    with rls.tenant_context(acme.id):
        Export.objects.filter(id=made.id).delete()

    assert get(link(acme, made)).status_code == 404


@async_to_sync
async def read_until_gone(url: str, made: Export) -> None:
    response: Any = await AsyncClient().get(url)
    chunks: AsyncIterator[bytes] = aiter(response.streaming_content)
    await anext(chunks)
    async with rls.tenant_context(made.tenant_id):
        await Export.objects.filter(id=made.id).adelete()
    await anext(chunks)


def test_a_download_whose_export_goes_meanwhile_breaks_off(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Order.objects.update(note="x" * 2_500_000)
    made, _ = exported(acme)

    with pytest.raises(exports.ExportNotFound):
        read_until_gone(link(acme, made), made)


def test_a_link_only_reads(acme: World) -> None:
    made, _ = exported(acme)

    answer = async_to_sync(AsyncClient().post)(link(acme, made))

    assert answer.status_code == 405


def test_a_served_link_needs_no_token_answers_head_and_is_in_no_log(
    acme: World, globex: World, server: Process
) -> None:
    with rls.tenant_context(acme.id):
        Order.objects.update(note="x" * 2_500_000)
    made, file = exported(acme)
    url = server.url + link(acme, made)

    got, head = httpx2.get(url), httpx2.head(url)
    misused = httpx2.get(url.replace("/t/acme/", "/t/globex/"))

    assert (got.status_code, got.content) == (200, file)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(file))
    assert misused.status_code == 404
    log = server.log.read_text()
    assert "Not Found: /t/globex/exports/..." in log
    assert url.rpartition(".")[2] not in log


def test_a_record_holds_no_handle(acme: World) -> None:
    made, _ = exported(acme)
    url = link(acme, made)
    record = logging.makeLogRecord({"msg": "Not Found: %s", "args": (url,), "request": f"<GET {url!r}>"})
    record.resource = f"export://{url.rpartition('/')[2]}?x=1"

    entry = json.loads(JSONFormatter().format(record))

    assert entry["message"] == "Not Found: /t/acme/exports/..."
    assert entry["request"] == "<GET '/t/acme/exports/...'>"
    assert entry["resource"] == "export://...?x=1"


def test_a_part_of_another_tenants_export_is_not_there(acme: World, globex: World) -> None:
    made, _ = exported(acme)

    with rls.tenant_context(globex.id):
        with pytest.raises(exports.ExportNotFound):
            exports.part(made, 1)
        assert not ExportPart.objects.filter(export=made).exists()
