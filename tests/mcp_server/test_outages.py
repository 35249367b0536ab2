"""A database that goes silent, is cut off, or restarts under a serving process."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from django.conf import settings

from core.logs import Seldom
from core.models import Product
from mcp_server.ledger.models import AuditEvent
from rls import tenant_context
from tests.support.held import (
    ASLEEP,
    IN_COMMIT,
    LONG,
    ON_A_ROW,
    commits_held,
    end_sessions,
    products_locked,
    sessions,
    until,
    until_principals_are_forgotten,
)
from tests.support.postgres import Server
from tests.support.processes import Process, connected, serving
from tests.support.proxy import Proxy
from tests.support.world import World, platform_token

pytestmark = pytest.mark.slow

LOST = "The connection to the database was lost, and nothing was changed. Try again."
LOST_CHANGE = (
    "The connection to the database was lost, and nothing was changed. "
    "Call shop_restock again, with the same idempotency_key."
)
UNSETTLED = "The connection to the database was lost while the change was committed: it may have been done. "
WITH_KEY = (
    UNSETTLED + "Call shop_restock again with the same arguments and the same idempotency_key: "
    "it is not done twice, and you get its answer."
)
WITHOUT_KEY = UNSETTLED + "Before you call shop_restock again, see with a tool that reads whether it was done."


class Remote:
    """A server process whose database is behind a proxy."""

    def __init__(self, process: Process, proxy: Proxy) -> None:
        self.process, self.proxy = process, proxy

    def call(self, world: World, name: str, language: str = "en", **arguments: Any) -> httpx2.Response:
        """One call over HTTP, of the newer protocol."""
        return self.post(f"/mcp/{world.subdomain}/", world.token, name, language, **arguments)

    def post(self, path: str, token: str, name: str, language: str = "en", **arguments: Any) -> httpx2.Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Accept-Language": language,
        }
        return httpx2.post(self.process.url + path, json=body, headers=headers, timeout=LONG)

    def warm_up(self, world: World) -> None:
        """Use a few connections, so that there are some to fall silent."""
        with ThreadPoolExecutor(3) as threads:
            for answer in threads.map(lambda _: self.call(world, "shop_slow", seconds=0.1), range(3)):
                assert text_of(answer) == f"{world.name} anvil"

    def records(self, **facts: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.process.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if facts.items() <= line.items()]


def text_of(answer: httpx2.Response) -> str:
    return str(answer.json()["result"]["content"][0]["text"])


@contextmanager
def remote_on(database: str, server: Server, log: Path, **environment: str) -> Iterator[Remote]:
    urls = server.urls(database)
    place = urlsplit(urls["DATABASE_URL"])
    with Proxy(str(place.hostname), int(place.port or 5432)).running() as proxy:
        through = {
            name: url.replace(f"@{place.hostname}:{place.port}/", f"@127.0.0.1:{proxy.port}/")
            for name, url in urls.items()
        }
        with serving(log, **through, **environment) as process:
            yield Remote(process, proxy)
            proxy.speak()


@pytest.fixture(scope="module")
def running_remote(
    django_db_setup: str, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Remote]:
    with remote_on(django_db_setup, postgres_server, tmp_path_factory.mktemp("remote") / "log") as remote:
        yield remote


@pytest.fixture
def remote(running_remote: Remote, acme: World) -> Iterator[Remote]:
    """Forwarding at first and at last, with connections that were used."""
    running_remote.warm_up(acme)
    yield running_remote
    running_remote.proxy.speak()
    until(lambda: httpx2.get(running_remote.process.url + "/readyz", timeout=LONG).status_code == 200)


def stock(world: World) -> int:
    with tenant_context(world.id):
        return Product.objects.get(sku="A-1").stock


def test_a_silent_database_is_an_answer(remote: Remote, acme: World) -> None:
    remote.proxy.fall_silent()
    until_principals_are_forgotten()

    answer = remote.call(acme, "shop_names")

    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})


def test_connections_that_fell_silent_are_replaced(remote: Remote, acme: World) -> None:
    remote.proxy.fall_silent(also_new=False)

    assert text_of(remote.call(acme, "shop_names")) == "Acme anvil"
    assert text_of(remote.call(acme, "shop_restock", sku="A-1")) == "A-1 has 6 now"


@pytest.mark.parametrize(("also_new", "said"), [(True, LOST), (False, "Acme anvil")])
def test_a_database_that_falls_silent_within_a_read(
    also_new: bool, said: str, remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(remote.call, acme, "shop_slow", seconds=2)
        until(lambda: sessions(admin, remote.process.name, ASLEEP))
        remote.proxy.fall_silent(also_new=also_new)

        assert text_of(answer.result(LONG)) == said


@pytest.mark.parametrize(("also_new", "said"), [(True, LOST_CHANGE), (False, "A-1 has 6 now")])
def test_a_database_that_falls_silent_within_a_change(
    also_new: bool, said: str, remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads:
        with products_locked(admin):
            answer = threads.submit(remote.call, acme, "shop_restock", sku="A-1", idempotency_key="k")
            until(lambda: sessions(admin, remote.process.name, ON_A_ROW))
            remote.proxy.fall_silent(also_new=also_new)
            until(lambda: remote.proxy.flow_count() == 0 or answer.done() or not also_new)
            silent = sessions(admin, remote.process.name, ON_A_ROW)
            if not also_new:  # what hangs there would keep the row from the second try
                admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid", [silent])

        assert text_of(answer.result(LONG)) == said
    remote.proxy.speak()
    until(lambda: not sessions(admin, remote.process.name, "state <> 'idle'"))
    assert stock(acme) == (5 if also_new else 6)


@pytest.mark.parametrize(("key", "said"), [({"idempotency_key": "k"}, WITH_KEY), ({}, WITHOUT_KEY)])
def test_a_database_that_falls_silent_within_a_commit(
    key: dict[str, str], said: str, remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads, commits_held(admin) as commits:
        answer = threads.submit(remote.call, acme, "shop_restock", sku="A-1", **key)
        until(lambda: sessions(admin, remote.process.name, IN_COMMIT))
        remote.proxy.fall_silent()

        assert text_of(answer.result(LONG)) == said
        commits.release()
    remote.proxy.speak()
    until(lambda: not sessions(admin, remote.process.name, "state <> 'idle'"))
    assert stock(acme) == 6
    if key:
        assert text_of(remote.call(acme, "shop_restock", sku="A-1", **key)) == "A-1 has 6 now"
        assert stock(acme) == 6


def test_pages_of_a_silent_database_are_answers(remote: Remote, acme: World, admin: psycopg.Connection) -> None:
    paths = ["/readyz", "/t/acme/api/info", "/admin/login/", "/admin/"]
    headers = {"Authorization": f"Bearer {acme.token}", "Cookie": "sessionid=" + 32 * "a"}
    for path in paths:
        httpx2.get(remote.process.url + path, headers=headers, timeout=LONG)
    token = platform_token()
    assert remote.post("/mcp/", token, "list_tenants", reason="look").status_code == 200
    remote.proxy.fall_silent()
    until_principals_are_forgotten()

    with ThreadPoolExecutor(5) as threads:
        asked = [threads.submit(httpx2.get, remote.process.url + p, headers=headers, timeout=LONG) for p in paths]
        platform = threads.submit(remote.post, "/mcp/", token, "list_tenants", reason="look")

        statuses = {path: answer.result(LONG).status_code for path, answer in zip(paths, asked, strict=True)}
    assert statuses == dict.fromkeys(paths, 503) | {"/admin/login/": statuses["/admin/login/"]}
    assert platform.result().status_code == 503
    assert not remote.records(logger="django.request", level="ERROR")


def test_a_slow_statement_of_a_living_database_is_left_alone(remote: Remote, acme: World) -> None:
    # Longer than it takes to give a silent one up.
    assert text_of(remote.call(acme, "shop_slow", seconds=8)) == "Acme anvil"


@pytest.mark.anyio
async def test_a_watcher_hears_again_after_a_silence(remote: Remote, acme: World) -> None:
    async with connected(remote.process.mcp("acme"), acme.token) as client:
        async with client.listen(resource_subscriptions=["product://A-1"]) as stream:
            await asyncio.to_thread(remote.proxy.fall_silent, also_new=False)
            # What may have been missed counts as a change.
            found = await asyncio.wait_for(anext(stream), LONG)

    assert found.uri == "product://A-1"


@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "ended"])
def test_a_read_that_loses_its_connection_is_tried_again(
    is_cut: bool, remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(5) as threads:
        answers = [threads.submit(remote.call, acme, "shop_slow", seconds=1) for _ in range(5)]
        until(lambda: len(sessions(admin, remote.process.name, ASLEEP)) == 5)
        if is_cut:
            remote.proxy.cut()
        else:
            end_sessions(admin, remote.process.name)

        assert [text_of(answer.result(LONG)) for answer in answers] == ["Acme anvil"] * 5
    assert {record["outcome"] for record in remote.records(message="tool call")[-5:]} == {"ok"}


def test_an_async_read_that_loses_its_connection_is_tried_again(
    remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(remote.call, acme, "shop_slow_async", seconds=1)
        until(lambda: sessions(admin, remote.process.name, ASLEEP))
        end_sessions(admin, remote.process.name)

        assert text_of(answer.result(LONG)) == "Acme anvil"


def test_a_change_that_loses_its_connection_before_the_commit_is_done_once(
    remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads, products_locked(admin):
        answer = threads.submit(remote.call, acme, "shop_restock", sku="A-1")
        until(lambda: sessions(admin, remote.process.name, ON_A_ROW))
        end_sessions(admin, remote.process.name)
        until(lambda: sessions(admin, remote.process.name, ON_A_ROW))
    assert text_of(answer.result(LONG)) == "A-1 has 6 now"
    assert stock(acme) == 6


def test_a_change_that_loses_two_connections_says_that_nothing_was_changed(
    remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(2) as threads, products_locked(admin):
        english = threads.submit(remote.call, acme, "shop_restock", sku="A-1", idempotency_key="k")
        for _ in range(2):
            until(lambda: sessions(admin, remote.process.name, ON_A_ROW))
            end_sessions(admin, remote.process.name, ON_A_ROW)
        chinese = threads.submit(remote.call, acme, "shop_restock", "zh-hant", sku="A-1", idempotency_key="k")
        for _ in range(2):
            until(lambda: sessions(admin, remote.process.name, ON_A_ROW))
            end_sessions(admin, remote.process.name, ON_A_ROW)

        assert text_of(english.result(LONG)) == LOST_CHANGE
        assert "資料庫" in text_of(chinese.result(LONG))
    assert stock(acme) == 5
    assert remote.records(message="tool call")[-1]["outcome"] == "connection lost"


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_change_with_a_key_that_loses_its_connection_in_the_commit_is_done_once(
    is_committed: bool, remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads, commits_held(admin) as commits:
        answer = threads.submit(remote.call, acme, "shop_restock", sku="A-1", idempotency_key="k")
        until(lambda: sessions(admin, remote.process.name, IN_COMMIT))
        if is_committed:
            remote.proxy.fall_silent(also_new=False)
            commits.release()
            until(lambda: stock(acme) == 6)
            remote.proxy.cut()
        else:
            end_sessions(admin, remote.process.name)
            commits.release()

        assert text_of(answer.result(LONG)) == "A-1 has 6 now"
    assert stock(acme) == 6


def test_a_change_without_a_key_that_loses_its_connection_in_the_commit_may_have_been_done(
    remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as threads, commits_held(admin):
        answer = threads.submit(remote.call, acme, "shop_restock", sku="A-1")
        until(lambda: sessions(admin, remote.process.name, IN_COMMIT))
        end_sessions(admin, remote.process.name)

        assert text_of(answer.result(LONG)) == WITHOUT_KEY
    assert remote.records(message="tool call")[-1]["outcome"] == "connection lost in the commit"


def test_a_primary_that_became_a_standby_is_left(remote: Remote, acme: World, admin: psycopg.Connection) -> None:
    database = admin.info.dbname
    admin.execute(f"ALTER ROLE app_tenant IN DATABASE {database} SET default_transaction_read_only = on")
    try:
        end_sessions(admin, remote.process.name)
        until_principals_are_forgotten()
        assert remote.call(acme, "shop_names").status_code == 503  # it took no note of the token's use
    finally:
        admin.execute(f"ALTER ROLE app_tenant IN DATABASE {database} RESET default_transaction_read_only")

    assert text_of(remote.call(acme, "shop_restock", sku="A-1")) == "A-1 has 6 now"


def kind(record: dict[str, Any]) -> tuple[str, ...]:
    """What a record tells of: its logger, and the words that each of its kind begins with."""
    return (record["logger"], *record["message"].split()[:2])


def test_in_a_storm_of_cuts_nothing_is_lost_doubled_or_unexplained(
    remote: Remote, acme: World, admin: psycopg.Connection
) -> None:
    cuts, callers, calls_each = 12, 8, 25
    began, warnings = time.monotonic(), len(remote.records(level="WARNING"))
    errors = len(remote.records(level="ERROR"))
    texts: set[str] = set()

    def change(key: str) -> None:
        while True:
            answer = remote.call(acme, "shop_restock", sku="A-1", idempotency_key=key)
            if answer.status_code == 503:
                continue
            if not answer.json()["result"].get("isError"):
                return
            texts.add(text_of(answer))

    def caller(number: int) -> None:
        for n in range(calls_each):
            change(f"{number}-{n}")

    with ThreadPoolExecutor(callers) as threads:
        working = [threads.submit(caller, number) for number in range(callers)]
        for number in range(cuts):
            until(lambda: sessions(admin, remote.process.name, "state <> 'idle'") or all(w.done() for w in working))
            if number % 2:
                remote.proxy.cut()
            else:
                end_sessions(admin, remote.process.name)
        for each in working:
            each.result(LONG)

    assert stock(acme) == 5 + callers * calls_each
    with tenant_context(acme.id):
        assert AuditEvent.objects.filter(action="shop_restock").count() == callers * calls_each
    # Of one row, so that others may be in the way too.
    busy = "Another call is changing the same rows. Nothing was changed; call again."
    assert texts <= {LOST_CHANGE, WITH_KEY, busy}
    assert len(remote.records(level="ERROR")) == errors
    told = [
        each for each in remote.records(level="WARNING")[warnings:] if each["logger"] in settings.LOGGING["loggers"]
    ]
    warned = Counter(map(kind, told))
    most = 1 + (time.monotonic() - began) // Seldom.SECONDS
    assert {each: times for each, times in warned.items() if times > most} == {}
    assert "Traceback" not in remote.process.log.read_text()
