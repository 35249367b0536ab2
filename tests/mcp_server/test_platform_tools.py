"""The tools at the platform's URL: what they do, whom they ask, and what stays in the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx2
import psycopg
import pytest
from django.db import connections
from django.utils import timezone, translation
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

from core import defaults, formats
from core.scopes import Scope
from core.services import demo, isolation, tenants
from core.services.isolation import AuditUnavailable
from mcp_server.tokens import tokens
from rls import tenant_context
from tests.support.processes import ERAS, Era, Process, connected
from tests.support.world import World, make_tenant, platform_token, working

# Each tool with arguments that it takes, and what it answers.
TOOLS: list[tuple[str, dict[str, Any], str]] = [
    ("list_tenants", {}, "- Acme (acme) - active - 1 users - created "),
    ("get_tenant_info", {"tenant_id": "acme"}, "- Subdomain: acme"),
    (
        "create_tenant",
        {"subdomain": "initech", "name": "Initech"},
        "Created Initech (initech). The tenant has no token yet",
    ),
    ("suspend_tenant", {"tenant_id": "acme"}, "Suspended Acme (acme)"),
    ("resume_tenant", {"tenant_id": "acme"}, "Resumed Acme (acme)"),
    ("get_platform_stats", {}, "2 active tenants, 0 suspended; 2 users, 2 products, 2 orders."),
    ("run_isolation_audit", {}, "Isolation audit: green."),
]

GOES = (
    "1 users, 1 members, 1 customers, 1 products, 2 stock movements, 1 orders, 1 order lines, 1 payments, "
    "1 audit events, 1 exports, 1 tokens"
)
QUESTION = f"Delete the tenant acme (Acme) with all its data: {GOES}? This can't be undone."

Asked = list[str]


def person(asked: Asked, *, agrees: bool = True, reason: str = "a ticket") -> Callable[..., Any]:
    """An elicitation callback: somebody who says why, and agrees or declines."""

    async def callback(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        if "confirm" not in params.requested_schema["properties"]:
            return ElicitResult(action="accept", content={"reason": reason})
        return ElicitResult(action="accept", content={"confirm": agrees})

    return callback


def call(
    server: Process,
    name: str,
    arguments: dict[str, Any],
    *,
    token: str = "",
    era: Era = "2026-07-28",
    callback: Any = None,
    language: str = "en",
) -> Any:
    """One call at the platform's URL."""
    token = token or platform_token()

    async def story() -> Any:
        options = {"elicitation_callback": callback} if callback else {}
        headers = {"Accept-Language": language}
        async with connected(server.mcp(""), token, era, headers=headers, **options) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(story())


def audit(admin: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Who worked across tenants over MCP, and why."""
    return admin.execute(
        "SELECT actor, reason, role_name FROM app.platform_audit"
        " WHERE origin = 'mcp' OR origin LIKE 'mcp, in the round %' ORDER BY id"
    ).fetchall()


def subdomains(admin: psycopg.Connection) -> set[str]:
    return {name for (name,) in admin.execute("SELECT subdomain FROM core_tenant").fetchall()}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("name", "arguments", "words"), TOOLS)
def test_each_leaves_one_audit_row_with_actor_and_reason(
    name: str,
    arguments: dict[str, Any],
    words: str,
    era: Era,
    acme: World,
    globex: World,
    server: Process,
    admin: psycopg.Connection,
) -> None:
    result = call(server, name, {**arguments, "reason": "a ticket"}, era=era)

    assert not result.is_error
    assert words in result.content[0].text
    assert audit(admin) == [("platform token", f"{name}: a ticket", "app_platform")]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [*((name, arguments) for name, arguments, _ in TOOLS), ("delete_tenant", {"tenant_id": "acme"})],
)
def test_without_a_reason_nothing_is_done(
    name: str, arguments: dict[str, Any], era: Era, acme: World, server: Process, admin: psycopg.Connection
) -> None:
    missing = call(server, name, arguments, era=era)
    blank = call(server, name, {**arguments, "reason": " "}, era=era)

    for result in (missing, blank):
        assert result.is_error
        assert f"Say why: call {name} again with a reason." in result.content[0].text
    assert audit(admin) == []
    assert subdomains(admin) == {"acme"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("name", "arguments", "words"), TOOLS)
def test_a_person_is_asked_for_the_reason(
    name: str,
    arguments: dict[str, Any],
    words: str,
    era: Era,
    acme: World,
    globex: World,
    stateful_server: Process,
    admin: psycopg.Connection,
) -> None:
    asked: Asked = []

    result = call(stateful_server, name, arguments, era=era, callback=person(asked))

    assert words in result.content[0].text
    assert asked == [f"Why is {name} called? The reason is kept in the audit log."]
    assert audit(admin) == [("platform token", f"{name}: a ticket", "app_platform")]


def test_a_stateless_server_asks_for_the_reason_in_the_new_era(acme: World, server: Process) -> None:
    asked: Asked = []

    result = call(server, "get_tenant_info", {"tenant_id": "acme"}, callback=person(asked))

    assert "- Subdomain: acme" in result.content[0].text
    assert len(asked) == 1


def test_a_reason_that_is_refused_ends_the_call(acme: World, server: Process, admin: psycopg.Connection) -> None:
    async def decline(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="decline")

    result = call(server, "list_tenants", {}, callback=decline)

    assert result.is_error
    assert "No reason was given. Nothing was changed." in result.content[0].text
    assert audit(admin) == []


def test_a_tenant_is_made_without_a_token(server: Process, admin: psycopg.Connection) -> None:
    result = call(
        server, "create_tenant", {"subdomain": "initech", "name": "Initech", "locale": "en", "reason": "a ticket"}
    )

    assert result.structured_content["subdomain"] == "initech"
    assert "manage.py tokens create --tenant initech" in result.content[0].text
    assert "tmcp_" not in str(result)
    assert admin.execute("SELECT locale FROM core_tenantsettings").fetchall() == [("en",)]
    assert admin.execute("SELECT count(*) FROM mcp_tokens_apitoken").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"subdomain": "acme"}, "A tenant with the subdomain 'acme' exists already. Choose another subdomain."),
        ({"subdomain": "Not A Label"}, "subdomain: String should match pattern"),
        ({"subdomain": "line\n"}, "subdomain: String should match pattern"),
        ({"subdomain": "initech", "name": "  "}, "A tenant must have a name of 1 to 100 characters, "),
        ({"subdomain": "initech", "name": "\0"}, "name: A text must not contain NUL (U+0000)"),
        ({"subdomain": "initech", "locale": "xx"}, "locale: Input should be 'zh-hant' or 'en'"),
    ],
)
def test_a_tenant_that_cannot_be_is_refused_in_words(
    arguments: dict[str, Any], words: str, acme: World, server: Process, admin: psycopg.Connection
) -> None:
    result = call(server, "create_tenant", {"name": "Initech", "reason": "a ticket", **arguments})

    assert result.is_error
    assert words in result.content[0].text
    assert subdomains(admin) == {"acme"}


def test_the_locales_on_offer_are_those_of_the_settings() -> None:
    assert list(defaults.Locale) == [code for code, _ in defaults.LANGUAGES]


def test_a_suspended_tenant_is_refused_until_it_is_resumed(acme: World, globex: World, server: Process) -> None:
    def status() -> int:
        return httpx2.get(
            f"{server.url}/t/acme/api/info", headers={"Authorization": f"Bearer {acme.token}"}
        ).status_code

    before = status()
    suspended = call(server, "suspend_tenant", {"tenant_id": "acme", "reason": "unpaid"})
    meanwhile = status()
    resumed = call(server, "resume_tenant", {"tenant_id": "acme", "reason": "paid"})

    assert (before, meanwhile, status()) == (200, 401, 200)
    assert suspended.structured_content["is_active"] is False
    assert resumed.structured_content["is_active"] is True


@pytest.mark.parametrize("name", ["get_tenant_info", "suspend_tenant", "resume_tenant", "delete_tenant"])
def test_an_unknown_tenant_names_the_next_call(name: str, acme: World, server: Process) -> None:
    result = call(server, name, {"tenant_id": "nowhere", "reason": "a ticket"})

    assert result.is_error
    assert "There is no tenant 'nowhere'. Call list_tenants, or" in result.content[0].text


@pytest.mark.parametrize("era", ERAS)
def test_a_deletion_that_a_person_agrees_to_takes_every_row(
    era: Era, acme: World, globex: World, stateful_server: Process, admin: psycopg.Connection
) -> None:
    asked: Asked = []

    result = call(
        stateful_server,
        "delete_tenant",
        {"tenant_id": "acme", "reason": "a ticket"},
        era=era,
        callback=person(asked),
    )

    assert asked == [QUESTION]
    assert result.content[0].text == f"Deleted Acme (acme): {GOES}."
    assert result.structured_content["deleted"]["core.StockMovement"] == 2
    assert subdomains(admin) == {"globex"}
    assert set(audit(admin)) == {("platform token", "delete_tenant: a ticket", "app_platform")}


@pytest.mark.parametrize("era", ERAS)
def test_a_deletion_that_a_person_declines_takes_nothing(
    era: Era, acme: World, stateful_server: Process, admin: psycopg.Connection
) -> None:
    asked: Asked = []

    result = call(
        stateful_server, "delete_tenant", {"tenant_id": "acme"}, era=era, callback=person(asked, agrees=False)
    )

    assert asked == ["Why is delete_tenant called? The reason is kept in the audit log.", QUESTION]
    assert result.is_error
    assert "The person did not agree. Nothing was changed." in result.content[0].text
    assert subdomains(admin) == {"acme"}
    assert admin.execute("SELECT count(*) FROM core_product").fetchall() == [(1,)]


@pytest.mark.parametrize("era", ERAS)
def test_a_client_that_cannot_ask_deletes_in_two_steps(
    era: Era, acme: World, globex: World, server: Process, admin: psycopg.Connection
) -> None:
    token, arguments = platform_token(), {"tenant_id": "acme", "reason": "a ticket"}
    refused = call(server, "delete_tenant", arguments, token=token, era=era)
    dry = call(server, "delete_tenant", {**arguments, "dry_run": True}, token=token, era=era)
    still = subdomains(admin)
    with tenant_context(acme.id):
        demo.create()

    confirmation = dry.structured_content["confirmation"]
    outdated = call(server, "delete_tenant", {**arguments, "confirmation": confirmation}, token=token, era=era)
    again = call(server, "delete_tenant", {**arguments, "dry_run": True}, token=token, era=era)
    confirmation = again.structured_content["confirmation"]
    before = subdomains(admin)
    done = call(server, "delete_tenant", {**arguments, "confirmation": confirmation}, token=token, era=era)

    assert refused.is_error
    assert "call delete_tenant with dry_run=true" in refused.content[0].text
    assert dry.structured_content["question"] == QUESTION
    assert outdated.is_error
    assert "The confirmation does not match this call and the data as it is now." in outdated.content[0].text
    assert "9 products" in again.structured_content["question"]
    assert still == before == {"acme", "globex"}
    assert not done.is_error
    assert subdomains(admin) == {"globex"}


@pytest.mark.django_db
def test_the_question_is_in_the_persons_language(server: Process) -> None:
    make_tenant("test1", "測試租戶1")

    result = call(server, "delete_tenant", {"tenant_id": "test1", "reason": "清理", "dry_run": True}, language="zh-TW")

    assert result.structured_content["question"] == (
        "要刪除租戶 test1（測試租戶1）及其全部資料（1 位用戶、1 位成員、1 位客戶、1 項商品、2 筆庫存異動、1 筆訂單、"
        "1 筆訂單明細、1 筆收付款、1 筆稽核紀錄、1 個匯出檔、1 個權杖）嗎？刪除後無法復原。"
    )


def test_figures_name_the_largest_tenants_first(acme: World, globex: World, server: Process) -> None:
    with tenant_context(globex.id):
        demo.create(orders=3)

    result = call(server, "get_platform_stats", {"reason": "a ticket"})

    as_of = datetime.fromisoformat(result.structured_content["as_of"])
    with translation.override("en"), timezone.override("UTC"):
        assert result.content[0].text == (
            "2 active tenants, 0 suspended; 5 users, 10 products, 5 orders.\n"
            "- Globex (globex) - active - 4 users, 9 products, 4 orders\n"
            "- Acme (acme) - active - 1 users, 1 products, 1 orders\n"
            f"As of {formats.moment(as_of)}\n"
            "Times: UTC."
        )
    assert result.structured_content["time_zone"] == "UTC"
    assert [tenant["subdomain"] for tenant in result.structured_content["largest"]] == ["globex", "acme"]


@pytest.mark.django_db
def test_figures_of_many_tenants_are_short(server: Process) -> None:
    with working():
        for number in range(25):
            tenants.create(subdomain=f"{'a' * 20}-{number}", name="測試租戶" * 25)

    figures = call(server, "get_platform_stats", {"reason": "a ticket"}, language="zh-TW").content[0].text
    listed = call(server, "list_tenants", {"reason": "a ticket"}, language="zh-TW")

    assert figures.count("\n") == 23
    assert "\n其餘租戶請呼叫 list_tenants 查看。" in figures
    assert len(figures.encode()) < 2500
    assert len(listed.content[0].text.encode()) < 2700
    assert listed.structured_content["has_more"] is True


@pytest.mark.django_db
def test_a_list_of_tenants_goes_on_where_it_ended(server: Process) -> None:
    with working():
        for number in range(5):
            tenants.create(subdomain=f"t{number}", name=f"T{number}")
    token = platform_token()
    seen, cursor = [], None

    while cursor is not None or not seen:
        page = call(server, "list_tenants", {"reason": "x", "limit": 2, "cursor": cursor}, token=token)
        seen += [tenant["subdomain"] for tenant in page.structured_content["tenants"]]
        cursor = page.structured_content["next_cursor"]

    assert seen == ["t0", "t1", "t2", "t3", "t4"]


@pytest.mark.parametrize("era", ERAS)
def test_the_audit_names_what_is_weaker_with_the_sql_that_mends_it(
    era: Era, acme: World, server: Process, admin: psycopg.Connection
) -> None:
    admin.execute("GRANT TRUNCATE ON core_product TO app_tenant")
    try:
        result = call(server, "run_isolation_audit", {"reason": "a ticket"}, era=era)
    finally:
        admin.execute("REVOKE TRUNCATE ON core_product FROM app_tenant")

    [finding] = result.structured_content["findings"]
    assert result.structured_content["is_green"] is False
    assert result.structured_content["errors"] == 1
    assert (finding["rule"], finding["level"]) == ("grant-too-wide", "error")
    assert "public.core_product" in finding["object"]
    assert finding["mend"].startswith("REVOKE TRUNCATE ON")
    assert "Isolation audit: red, 1 errors, 0 warnings." in result.content[0].text
    assert finding["mend"] in result.content[0].text


def test_without_an_auditors_connection_the_audit_names_psql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(connections.settings, "auditor")

    with pytest.raises(AuditUnavailable, match=r"migrations_sql/audit\.sql"):
        isolation.findings()


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope.TENANTS_READ, {"list_tenants", "get_tenant_info", "get_platform_stats"}),
        (Scope.TENANTS_WRITE, {"create_tenant", "suspend_tenant", "resume_tenant", "delete_tenant"}),
        (Scope.AUDIT_READ, {"run_isolation_audit"}),
    ],
)
def test_a_scope_opens_its_own_tools(scope: Scope, allowed: set[str], acme: World, server: Process) -> None:
    with working():
        token = tokens.create(name="narrow", slug=None, scopes=[scope])
    calls = [
        *((name, arguments) for name, arguments, _ in TOOLS),
        ("delete_tenant", {"tenant_id": "acme", "dry_run": True}),
    ]

    async def story() -> tuple[set[str], set[str]]:
        opened = set()
        async with connected(server.mcp(""), token) as client:
            for name, arguments in calls:
                with suppress(MCPError):  # there is no such tool for this token
                    await client.call_tool(name, {**arguments, "reason": "x"})
                    opened.add(name)
            return opened, {tool.name for tool in (await client.list_tools()).tools}

    opened, listed = asyncio.run(story())

    assert opened == allowed
    assert opened <= listed
    assert not listed & ({name for name, _ in calls} - opened)


@pytest.mark.anyio
async def test_no_platform_tool_is_at_a_tenants_url(acme: World, server: Process) -> None:
    async with connected(server.mcp("acme"), acme.token) as client:
        there = {tool.name for tool in (await client.list_tools()).tools}

    assert not there & {"create_tenant", "suspend_tenant", "resume_tenant", "delete_tenant", "get_platform_stats"}
    assert "run_isolation_audit" not in there
