"""Processes that count together in a Redis, and by themselves where it is away."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from mcp_server import configuration
from mcp_server.limits import stores
from mcp_server.limits.meters import Meter
from mcp_server.limits.rules import rates
from mcp_server.limits.stores import Store
from tests.mcp_server.limits.test_meters import taken
from tests.support import raw, redis
from tests.support.processes import free_port, serving
from tests.support.redis import Redis, needs_redis
from tests.support.world import World

HOUR = rates("100/hour")
CALL = raw.message("tools/call", {"name": "add_numbers", "arguments": {"a": 1, "b": 2}})


@pytest.fixture
def server_of_counts(tmp_path: Path) -> Iterator[Redis]:
    with redis.running(tmp_path) as found:
        yield found


@needs_redis
def test_processes_share_a_rate(server_of_counts: Redis) -> None:
    async def story() -> list[int]:
        shared = [Store(server_of_counts.url) for _ in range(2)]
        found = [await taken(Meter("kind", HOUR, store), "key", 80) for store in shared]
        for store in shared:
            await store.close()
        return found

    assert asyncio.run(story()) == [80, 20]


@pytest.mark.anyio
@needs_redis
async def test_who_is_refused_is_told_when_there_is_room(server_of_counts: Redis) -> None:
    [rate] = rates("10/year")
    store = Store(server_of_counts.url)
    assert await store.take(rate, "key", 10) == 0

    seconds = await store.take(rate, "key")
    await store.close()

    # Nothing goes before the window ends that all of them were counted in.
    assert seconds == pytest.approx(rate.get_expiry() - time.time() % rate.get_expiry(), abs=60)


@pytest.mark.anyio
@needs_redis
async def test_a_redis_that_goes_away_refuses_nobody_and_is_told_of_once(
    server_of_counts: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "RETRY_INTERVAL", 0.0)

    store = Store(server_of_counts.url)
    meter = Meter("kind", rates("10/hour"), store)
    assert await taken(meter, "key", 4) == 4

    server_of_counts.stop()
    # By itself it has counted nothing yet, and it does not take more than the rate.
    assert await taken(meter, "key", 12) == 10

    server_of_counts.start()
    assert await taken(meter, "another", 12) == 10
    await store.close()

    told = [record.getMessage() for record in caplog.records if record.name == "mcp_server.limits.stores"]
    assert told == [
        "Redis does not count messages: each process counts by itself, until it answers",
        "Redis counts messages again, for all processes together",
    ]


@pytest.mark.anyio
async def test_a_redis_that_is_not_there_is_not_asked_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    url = f"redis://user:s3cret@127.0.0.1:{free_port()}/0"

    store = Store(url)
    assert await taken(Meter("kind", HOUR, store), "key", 120) == 100
    await store.close()

    [record] = [each for each in caplog.records if each.name == "mcp_server.limits.stores"]
    assert record.error == "ConnectionError"  # type: ignore[attr-defined]
    assert "s3cret" not in caplog.text


@pytest.mark.anyio
async def test_a_redis_that_says_nothing_keeps_a_call_for_a_moment_only(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert await taken(Meter("kind", HOUR, store), "key", 120) == 100
        await store.close()

    [record] = [each for each in caplog.records if each.name == "mcp_server.limits.stores"]
    assert record.error == "TimeoutError"  # type: ignore[attr-defined]


@needs_redis
@pytest.mark.slow
def test_two_workers_of_the_shop_share_the_limit_of_a_token(
    server_of_counts: Redis, acme: World, tmp_path: Path
) -> None:
    shared = {"CACHE_URL": server_of_counts.url, "MCP_LIMIT_PRINCIPAL": "6/hour"}
    with serving(tmp_path / "first", **shared) as first, serving(tmp_path / "second", **shared) as second:
        answers = [raw.result(raw.post(server, acme, CALL)) for server in (first, second) for _ in range(4)]

    assert [each["result"].get("isError", False) for each in answers] == [*[False] * 6, True, True]


@pytest.mark.parametrize(
    ("caches", "url"),
    [
        ({"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}, ""),
        ({"default": {"BACKEND": "x", "LOCATION": "redis://127.0.0.1:6379/1"}}, "redis://127.0.0.1:6379/1"),
        ({"default": {"BACKEND": "x", "LOCATION": ["rediss://one/0", "rediss://two/0"]}}, "rediss://one/0"),
        ({"default": {"BACKEND": "x", "LOCATION": ["127.0.0.1:11211"]}}, ""),
        ({"default": {"BACKEND": "x", "LOCATION": []}}, ""),
        ({"other": {"BACKEND": "x", "LOCATION": "redis://127.0.0.1:6379/1"}}, ""),
    ],
)
def test_the_redis_is_that_of_the_default_cache(caches: dict[str, object], url: str) -> None:
    with override_settings(CACHES=caches):
        assert configuration.redis_url() == url
