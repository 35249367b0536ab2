"""The composition root: paths, methods, hosts, and a start that is refused."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.support import programs
from tests.support.postgres import Server
from tests.support.processes import Process, free_port, serving
from tests.support.world import World, platform_token

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "add_numbers", "arguments": {"a": 1, "b": 2}},
}


def headers(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"} | more


def test_a_path_works_with_and_without_its_slash(acme: World, server: Process) -> None:
    platform = platform_token()

    for path, token in [("/mcp/acme", acme.token), ("/mcp/acme/", acme.token), ("/mcp", platform), ("/mcp/", platform)]:
        answer = httpx2.post(server.url + path, json=CALL, headers=headers(token))
        assert answer.status_code == 200
        assert answer.json()["result"]["structuredContent"] == {"result": 3}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_other_methods_are_not_allowed(method: str, acme: World, server: Process) -> None:
    answer = httpx2.request(method, server.mcp("acme"), headers=headers(acme.token))

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "method_not_allowed"}


def test_a_foreign_host_or_origin_is_refused(acme: World, server: Process) -> None:
    host = httpx2.post(server.mcp("acme"), json=CALL, headers=headers(acme.token, Host="evil.example"))
    origin = httpx2.post(server.mcp("acme"), json=CALL, headers=headers(acme.token, Origin="https://evil.example"))

    assert (host.status_code, origin.status_code) == (421, 403)


def test_white_space_behind_a_header_value_does_not_count(acme: World, server: Process) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    head = (
        f"POST /mcp/acme/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {acme.token}  \r\n"
        "Content-Type: application/json\t\r\nAccept: application/json, text/event-stream \r\n"
        f"MCP-Protocol-Version: 2025-11-25  \r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as raw:
        raw.sendall(head.encode() + body)
        answer = raw.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200")


def test_what_is_not_there_is_404_in_json(server: Process) -> None:
    for path in ["/nowhere", "/mcp/acme/beyond", "/mcp/../../etc/passwd"]:
        answer = httpx2.get(server.url + path)

        assert answer.status_code == 404
        assert answer.json() == {"error": "not_found"}


def test_the_admin_has_its_style(server: Process) -> None:
    assert httpx2.get(server.url + "/static/admin/css/base.css").status_code == 200
    assert httpx2.get(server.url + "/static/admin/../../models.py").status_code == 404


def test_an_open_server_must_be_spelled(acme: World, globex: World, tmp_path: Path, database: str) -> None:
    with serving(tmp_path / "log", MCP_AUTH="public") as server:
        call = CALL | {"params": {"name": "shop_names", "arguments": {}}}
        accept = {"Accept": "application/json, text/event-stream"}
        answers = {
            name: httpx2.post(server.mcp(name), json=call, headers=accept) for name in ("acme", "globex", "nobody", "")
        }

    texts = {
        name: answer.json().get("result", {}).get("content", [{}])[0].get("text") for name, answer in answers.items()
    }
    assert texts == {"acme": "Acme anvil", "globex": "Globex anvil", "nobody": None, "": None}
    assert [answers[name].status_code for name in ("nobody", "")] == [401, 401]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return programs.run(command, environment=os.environ | environment)


SERVE = ["-m", "mcp_server"]
UVICORN = ["-m", "uvicorn", "core.asgi:application", "--port", "0"]
STDIO = ["manage.py", "mcp", "stdio", "--tenant", "acme"]
QUICKSTART = ["manage.py", "quickstart"]
RUNSERVER = ["manage.py", "runserver", "--noreload", "0"]
# What a worker of another ASGI server does before it accepts connections.
LIFESPAN = """
import anyio
from core.asgi import application as app

async def start():
    async with app.router.lifespan_context(app):
        pass

anyio.run(start)
"""
WORKER = ["-c", LIFESPAN]
SHELL = ["manage.py", "shell", "-c", "from django.db import connection; connection.ensure_connection()"]
LIST = ["manage.py", "tenants", "list"]


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        *((command, "DATABASE_URL") for command in (SERVE, UVICORN, WORKER, QUICKSTART, RUNSERVER, STDIO, SHELL)),
        *((command, "PLATFORM_DATABASE_URL") for command in (SERVE, UVICORN, WORKER, QUICKSTART, RUNSERVER, LIST)),
    ],
)
@pytest.mark.parametrize("role", ["postgres", "app_owner"])
def test_a_role_that_no_policy_binds_does_not_serve(
    command: list[str], variable: str, role: str, postgres_server: Server, database: str
) -> None:
    url = postgres_server.url(database, role)
    if role == "postgres":
        url = f"{postgres_server.admin_url.rpartition('/')[0]}/{database}"

    refused = run(command, PORT=str(free_port()), **{variable: url})

    assert refused.returncode != 0
    assert f"refusing to serve as {role}" in refused.stderr
    assert url not in refused.stderr


@pytest.mark.parametrize(
    ("right", "why"),
    [
        ("IN ROLE app_owner", "can act as app_owner, which owns tables under row-level security"),
        ("BYPASSRLS", "has BYPASSRLS"),
        ("SUPERUSER", "is a superuser"),
    ],
)
def test_a_role_of_another_name_does_not_serve_either(
    right: str, why: str, admin: psycopg.Connection, postgres_server: Server, database: str
) -> None:
    # A role of its own, because the roles belong to the cluster and other tests serve as theirs meanwhile. An
    # administrator, whom the audits that they run meanwhile let be a member.
    member = f"member_{os.getpid()}"
    password = postgres_server.password(member)
    admin.execute(f"CREATE ROLE {member} LOGIN CREATEROLE PASSWORD '{password}' {right}")
    admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {member}")
    try:
        refused = run(SERVE, PORT=str(free_port()), DATABASE_URL=postgres_server.url(database, member))
    finally:
        admin.execute(f"DROP OWNED BY {member}; DROP ROLE {member}")

    assert refused.returncode != 0
    assert f"refusing to serve as {member}: {member} {why}" in refused.stderr


def test_a_taken_port_is_one_sentence(server: Process) -> None:
    refused = run(["-m", "mcp_server"], PORT=server.url.rpartition(":")[2])

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("mcp_server: port ")
    assert "is taken" in refused.stderr


@pytest.mark.parametrize(
    ("variable", "value", "most"),
    [
        *(("PORT", value, 65_535) for value in ("many", "0", "70000", "-1", "8000.0", "٨", "")),
        *(("WORKERS", value, 1_000) for value in ("many", "0", "1e3")),
    ],
)
def test_what_is_no_number_is_one_sentence(variable: str, value: str, most: int) -> None:
    refused = run(["-m", "mcp_server"], **{variable: value})

    assert refused.returncode == 1
    assert refused.stderr == f"mcp_server: {variable} is {value!r}: set it to a whole number from 1 to {most}\n"


def settings_refused(**environment: str | None) -> str:
    """What `python -m mcp_server` says, where None stands for a variable that is not set."""
    kept = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings", "PORT": str(free_port())} | environment
    environment = {name: value for name, value in kept.items() if value is not None}
    refused = programs.run(["-m", "mcp_server"], environment=environment)
    assert refused.returncode == 1
    [line] = refused.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("variable", ["SECRET_KEY", "DATABASE_URL", "PLATFORM_DATABASE_URL"])
def test_what_is_not_set_is_one_sentence(variable: str) -> None:
    assert settings_refused(**{variable: None}).startswith(f"mcp_server: {variable} is not set: README.md says")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgres",
        "mysql://app_tenant:secret@127.0.0.1/shop",
        "postgresql://app_tenant:secret@127.0.0.1",
        "postgresql://app_tenant:secret@127.0.0.1:many/shop",
        "postgresql://app_tenant:secret@127.0.0.1:70000/shop",
        "postgresql://app_tenant:sec/ret@127.0.0.1/shop",
        "postgresql:/app_tenant:secret@127.0.0.1/shop",
        "postgresql://[::1/shop",
    ],
)
def test_a_url_that_is_mistyped_is_one_sentence_without_the_password(url: str) -> None:
    said = settings_refused(DATABASE_URL=url)

    assert said.startswith(
        "mcp_server: DATABASE_URL is no URL of a database: write postgresql://user:password@host:5432/"
    )
    assert "secret" not in said


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SECRET_KEY", "short", "SECRET_KEY needs keys of at least 32 characters"),
        ("SECRET_KEY_FALLBACKS", f"{'x' * 32},short", "SECRET_KEY_FALLBACKS needs keys of at least 32 characters"),
        ("SECRET_KEY_FILE", "/nowhere", "SECRET_KEY_FILE names a file that can't be read"),
        ("DATABASE_URL_FILE", "/", "DATABASE_URL_FILE names a file that can't be read"),
        ("DATABASE_POOL_SIZE", "many", "DATABASE_POOL_SIZE is 'many': set it to a whole number from 1 up"),
        ("DATABASE_POOL_SIZE", "0", "DATABASE_POOL_SIZE is '0': set it to a whole number from 1 up"),
        ("LANGUAGE_CODE", "fr", "LANGUAGE_CODE is 'fr'; set it to zh-hant or en"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'; set it to "),
        ("MCP_AUTH", "none", "MCP_AUTH is 'none'; set it to token or oauth or sign-in or public"),
        ("MCP_LIMIT_TENANT", "many", "MCP_LIMIT_TENANT is 'many': write rates as '1200/minute; 200000/day'"),
        ("MCP_LIMIT_AT_ONCE", "-1", "MCP_LIMIT_AT_ONCE is '-1': set it to a whole number from 0 up"),
        ("CACHE_URL", "memcache://127.0.0.1:11211", "CACHE_URL is no URL of a Redis: write redis://user:password@"),
        ("CACHE_URL", "redis://127.0.0.1:port/0", "CACHE_URL is no URL of a Redis: write redis://user:password@"),
    ],
)
def test_a_setting_that_is_none_is_one_sentence(variable: str, value: str, words: str) -> None:
    assert words in settings_refused(**{variable: value})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "MCP_AUTH is oauth, and MCP_OAUTH_ISSUERS is not set"),
        ({"MCP_OAUTH_ISSUERS": "http://login.example.com"}, "the issuer 'http://login.example.com' is no https URL"),
        (
            {"MCP_OAUTH_ISSUERS": "https://login.example.com", "MCP_OAUTH_AUDIENCE": "shop"},
            "a token for it would open every tenant",
        ),
        (
            {"MCP_OAUTH_ISSUERS": "https://login.example.com", "MCP_OAUTH_CLIENT_ID": "shop"},
            "set MCP_OAUTH_CLIENT_ID and MCP_OAUTH_CLIENT_SECRET both, or neither",
        ),
    ],
)
def test_what_is_said_of_an_identity_provider_has_to_fit(settings: dict[str, str], words: str) -> None:
    assert words in settings_refused(MCP_AUTH="oauth", **settings)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SECRET_KEY", "", "core.asgi: SECRET_KEY needs keys of at least 32 characters"),
        ("DATABASE_URL", "postgres", "core.asgi: DATABASE_URL is no URL of a database: write postgresql://"),
        ("DATABASE_URL", "postgresql://app_tenant:secret@127.0.0.1:1/shop", "ERROR:    the database does not answer: "),
        ("PLATFORM_DATABASE_URL", "postgresql://app_platform:secret@127.0.0.1:1/shop", "ERROR:    the database does"),
    ],
)
def test_started_by_uvicorn_alone_it_says_a_sentence_too(variable: str, value: str, said: str, database: str) -> None:
    refused = run(UVICORN, **{variable: value})

    assert refused.returncode != 0
    assert [line for line in refused.stderr.splitlines() if line.startswith(said)]
    assert "Traceback" not in refused.stderr
    assert "secret" not in refused.stderr


@pytest.mark.parametrize("made", [Path.mkdir, lambda path: path.write_bytes(b"SECRET_KEY=\xff")])
def test_an_env_file_that_cannot_be_read_is_one_sentence(made: Any, tmp_path: Path) -> None:
    shutil.copytree("core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("manage.py", tmp_path)
    made(tmp_path / ".env")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "core.settings", "PYTHONPATH": os.getcwd()}

    refused = programs.run(["manage.py", "check"], cwd=tmp_path, environment=environment)

    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert f"{tmp_path}/.env can't be read (" in line


@pytest.mark.parametrize("command", [["migrate"], ["tenants", "list"]])
def test_a_database_that_is_down_is_one_sentence_of_each_command(command: list[str]) -> None:
    nowhere = f"postgresql://app_tenant:secret@127.0.0.1:{free_port()}/shop?connect_timeout=1"
    urls = dict.fromkeys(["DATABASE_URL", "PLATFORM_DATABASE_URL", "OWNER_DATABASE_URL"], nowhere)

    refused = run(["manage.py", *command], DJANGO_SETTINGS_MODULE="core.settings", **urls)

    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr.splitlines()[-1].strip()
    assert "the database does not answer: " in refused.stderr
    assert "secret" not in refused.stderr


def test_another_python_is_one_sentence() -> None:
    """One that has none of the packages, as an old one's."""
    command = [sys.executable, "-I", "-S", "manage.py", "check"]
    bare = subprocess.run(command, capture_output=True, text=True, check=False)

    assert bare.returncode == 1
    assert bare.stderr == (
        f"django is not installed for {sys.executable}: use .venv/bin/python, which make run makes\n"
    )


# What a server does at its start, up to the first connection that it would accept.
START = """
import gc, runpy, sys, uvicorn

def run(app, **options):
    print(app, gc.isenabled(), gc.get_freeze_count() > 100_000, {"xlsxwriter", "jsonschema"} & sys.modules.keys())

uvicorn.run = run
runpy.run_module("mcp_server", run_name="__main__")
"""


def test_what_is_imported_at_the_start_is_needed_and_is_never_searched_for_garbage(database: str) -> None:
    environment = os.environ | {"PORT": str(free_port()), "DJANGO_SETTINGS_MODULE": "core.settings"}

    started = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=True)

    assert started.stdout == "core.asgi:application True True set()\n"
