"""Case 20: PgBouncer in transaction mode, one server connection, two clients."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction
from psycopg.conninfo import conninfo_to_dict

import rls
from core.models import Product
from rls import tenant_context
from tests.support import postgres
from tests.support.postgres import Server
from tests.support.processes import free_port
from tests.support.world import World

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    PGBOUNCER is None and os.environ.get("CI_REQUIRE_PGBOUNCER") != "1",
    reason="pgbouncer is not installed (Debian: apt-get install pgbouncer)",
)

CONFIGURATION = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = 1
max_client_conn = 50
{user}
"""


@pytest.fixture
def bouncer(tmp_path: Path, postgres_server: Server, database: str) -> Iterator[None]:
    """Django's default connection goes through a PgBouncer that has one connection to the server."""
    place = conninfo_to_dict(postgres_server.admin_url)
    listen = free_port()
    directory = tmp_path / "bouncer"
    directory.mkdir()
    users = directory / "users"
    users.write_text(f'"app_tenant" "{postgres_server.password("app_tenant")}"\n')
    configuration = directory / "bouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            host=place["host"],
            port=place.get("port", 5432),
            listen=listen,
            directory=directory,
            user="user = nobody" if os.geteuid() == 0 else "",
        )
    )
    assert PGBOUNCER, "CI_REQUIRE_PGBOUNCER=1, and pgbouncer is not installed"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([PGBOUNCER, str(configuration)], stdout=log, stderr=log)
    try:
        wait_for(listen, process, directory / "log")
        urls = postgres_server.urls(database)
        urls["DATABASE_URL"] = urls["DATABASE_URL"].replace(
            f"{place['host']}:{place.get('port', 5432)}", f"127.0.0.1:{listen}"
        )
        postgres.use(urls)
        yield
    finally:
        connections.close_all()
        postgres.use(postgres_server.urls(database))
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def test_two_clients_of_one_server_connection_are_never_crossed(acme: World, globex: World, bouncer: None) -> None:
    seen: dict[str, set[str]] = {"acme": set(), "globex": set(), "none": set()}
    pids: set[int] = set()

    def read(world: World) -> None:
        try:
            for _ in range(150):
                with tenant_context(world.id):
                    seen[world.subdomain].update(Product.objects.values_list("name", flat=True))
                with connections["default"].cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid(), current_setting('app.current_tenant', true)")
                    pid, left = cursor.fetchone()
                    pids.add(pid)
                    seen["none"].add(left)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=read, args=[world]) for world in (acme, globex)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pids) == 1
    assert seen == {"acme": {"Acme anvil"}, "globex": {"Globex anvil"}, "none": {""}}


def test_why_a_row_was_refused_is_asked_without_a_trace(acme: World, globex: World, bouncer: None) -> None:
    for _ in range(3):
        with tenant_context(acme.id), pytest.raises(rls.CrossTenantWrite):
            Product.objects.create(tenant_id=globex.id, sku="Z", name="x", price_minor=1, currency="EUR")
        connections["default"].close()
        with tenant_context(globex.id):
            assert Product.objects.get().name == "Globex anvil"


@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path = nowhere",
        "SET statement_timeout = '1ms'",
        "DECLARE stolen CURSOR WITH HOLD FOR SELECT name FROM core_product",
        "PREPARE stolen AS SELECT name FROM core_product",
    ],
)
def test_nothing_of_one_client_stays_for_the_next(statement: str, acme: World, globex: World, bouncer: None) -> None:
    with tenant_context(acme.id):
        for around in (transaction.atomic, contextlib.nullcontext):
            with contextlib.suppress(DatabaseError), around(), connections["default"].cursor() as cursor:
                cursor.execute(statement)
    connections["default"].close()

    with tenant_context(globex.id):
        assert list(Product.objects.values_list("name", flat=True)) == ["Globex anvil"]
        for left in ("pg_prepared_statements", "pg_cursors"):
            with connections["default"].cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {left} WHERE name = 'stolen'")

                assert cursor.fetchone() == (0,)


def test_what_is_watched_is_announced_and_nothing_stays_on_the_server_connection(
    acme: World, globex: World, bouncer: None, postgres_server: Server, database: str
) -> None:
    def write(world: World) -> None:
        with tenant_context(world.id):
            Product.objects.update(stock=7)

    with psycopg.connect(postgres_server.url(database, "app_platform"), autocommit=True) as listening:
        listening.execute("LISTEN tenant_changes")
        write(acme)
        listening.execute("SELECT app.watch_tenants(%s)", [[acme.id]])
        write(acme)
        write(globex)
        has_ended = listening.execute("SELECT app.await_writers()").fetchone()
        heard = [notify.payload for notify in listening.notifies(timeout=0)]

    assert has_ended == (True,)
    assert heard == [f"{acme.id} core_product {acme.product_id}"]
