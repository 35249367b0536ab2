"""`manage.py tenants`, `manage.py tokens` and the shell: what an operator does, and what stays of it."""

from __future__ import annotations

import getpass
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import translation

import rls
from core.scopes import Scope
from mcp_server.tokens import resolver
from tests.support.world import World, platform_token

NOBODY = "00000000-0000-0000-0000-000000000000"


def run(command: str, **options: Any) -> str:
    """What `manage.py <command>` prints."""
    out = StringIO()
    with translation.override("en"):
        call_command(*command.split(), stdout=out, **options)
    return out.getvalue()


def counts(admin: psycopg.Connection, tenant_id: object) -> dict[str, int]:
    """How many rows a tenant has in each table that has a `tenant_id`, and in the table of tenants."""
    tables = admin.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND (column_name = 'tenant_id' OR (table_name, column_name) = ('core_tenant', 'id'))"
    ).fetchall()
    count = "SELECT count(*) FROM {} WHERE {} = %s"
    return {table: admin.execute(count.format(table, column), [tenant_id]).fetchall()[0][0] for table, column in tables}


def audit(admin: psycopg.Connection, *, actor: str = getpass.getuser()) -> list[tuple[Any, ...]]:
    """Reason and origin of what this actor did across tenants."""
    query = "SELECT reason, origin FROM app.platform_audit WHERE actor = %s ORDER BY id"
    return admin.execute(query, [actor]).fetchall()


@pytest.mark.django_db
def test_a_tenant_is_created_and_listed(database: str) -> None:
    created = run("tenants create initech Initech --locale en")
    listed = run("tenants list")

    principal = resolver.open_endpoint("initech")
    assert principal is not None
    assert principal.locale == "en"
    assert created == f"created initech {principal.tenant_id}\n"
    assert listed == f"initech\tInitech\tactive\t0 users\t{principal.tenant_id}\n"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("tenants create acme Another", "A tenant with the subdomain 'acme' exists already. Choose another subdomain."),
        ("tenants create Not_A_Label Name", "A subdomain must consist of lower-case letters, digits and inner hyphens"),
        ("tenants create -- -edge Name", "A subdomain must consist of lower-case letters, digits and inner hyphens"),
        (f"tenants create {'a' * 64} Name", "at most 63 characters"),
        ("tenants create initech Initech --locale xx", "invalid choice: 'xx'"),
        (
            "tenants suspend nowhere",
            "There is no tenant 'nowhere'. Call list_tenants, or `manage.py tenants list`, to see the subdomains.",
        ),
        ("tenants resume nowhere", "There is no tenant 'nowhere'."),
        ("tenants delete nowhere --yes", "There is no tenant 'nowhere'."),
        ("tokens create --tenant nowhere --name ci", "There is no active tenant 'nowhere'."),
        ("tokens create --tenant acme --name ci --scope everything", "invalid choice: 'everything'"),
        ("tokens create --tenant acme --name ci --days 0", "--days"),
        ("tokens create --tenant acme --name ci --days 9 --never-expires", "not allowed with argument --days"),
        (
            "tokens create --tenant acme --name ci --tool create_tenant",
            "There is no tool 'create_tenant' at this endpoint.",
        ),
        ("tokens create --platform --name ci --tool get_product", "There is no tool 'get_product' at this endpoint."),
        (
            "tokens create --tenant acme --name ci --read-only --tool adjust_stock",
            "adjust_stock changes something, and the token is to read only. Leave out one of the two.",
        ),
        (
            "tokens create --tenant acme --name ci --scope orders:read --tool get_product",
            "get_product needs the scope products:read. Add it, or name no scope at all.",
        ),
        ("tokens create --name ci", "one of the arguments --tenant --platform is required"),
        (f"tokens revoke {NOBODY}", f"There is no token {NOBODY}. `manage.py tokens list` shows the ids."),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(
    acme: World, admin: psycopg.Connection, command: str, sentence: str
) -> None:
    with pytest.raises(CommandError) as error:
        run(command)

    assert sentence in str(error.value)
    assert admin.execute("SELECT count(*) FROM core_tenant").fetchall() == [(1,)]
    assert admin.execute("SELECT count(*) FROM mcp_tokens_apitoken").fetchall() == [(1,)]


def test_a_suspended_tenant_is_refused_until_it_is_resumed(acme: World, globex: World) -> None:
    assert run("tenants suspend acme") == "suspended acme\n"

    assert "acme\tAcme\tsuspended" in run("tenants list")
    assert resolver.authenticate(acme.token, slug="acme") is None
    with pytest.raises(rls.TenantSuspended, match="is suspended"), rls.tenant_context(acme.id):
        pass
    assert resolver.authenticate(globex.token, slug="globex") is not None

    assert run("tenants resume acme") == "resumed acme\n"
    assert resolver.authenticate(acme.token, slug="acme") is not None


def test_delete_without_yes_only_names_what_would_go(acme: World, admin: psycopg.Connection) -> None:
    before = counts(admin, acme.id)

    with pytest.raises(CommandError, match="nothing was deleted") as error:
        run("tenants delete acme")

    for label in ("Tenant", "TenantUser", "Product", "Order", "OrderItem"):
        assert f"1 core.{label}" in str(error.value)
    assert "1 mcp_tokens.ApiToken" in str(error.value)
    assert counts(admin, acme.id) == before
    assert audit(admin) == [("tenants delete", "manage.py tenants delete")], "a look across tenants leaves its row"


def test_delete_leaves_no_row_of_the_tenant_and_every_row_of_others(
    acme: World, globex: World, admin: psycopg.Connection
) -> None:
    of_globex = counts(admin, globex.id)
    assert all(counts(admin, acme.id).values()), "make_tenant() writes a row of every tenanted model"

    answer = run("tenants delete acme --yes")

    assert answer.startswith("deleted acme: ")
    assert set(counts(admin, acme.id).values()) == {0}
    assert counts(admin, globex.id) == of_globex
    with pytest.raises(rls.UnknownTenant), rls.tenant_context(acme.id):
        pass


def test_a_created_token_opens_its_door(acme: World, admin: psycopg.Connection) -> None:
    token = run("tokens create --tenant acme --name ci --days 30 --scope orders:read").strip()
    platform = run("tokens create --platform --name ops").strip()

    principal = resolver.authenticate(token, slug="acme")
    assert principal is not None
    assert (principal.name, principal.scopes) == ("ci", frozenset({Scope.ORDERS_READ}))
    stored = admin.execute("SELECT (expires_at - now())::text FROM mcp_tokens_apitoken WHERE name = 'ci'")
    assert [left.split(" ")[:2] for (left,) in stored] == [["29", "days"]]
    operator = resolver.authenticate_platform(platform)
    assert operator is not None
    assert operator.scopes == set(Scope) - {Scope.DEMO_WRITE}


@pytest.mark.parametrize(("arguments", "left"), [("", "89 days"), ("--days 30", "29 days"), ("--never-expires", None)])
@pytest.mark.parametrize(("at", "table"), [("--tenant acme", "apitoken"), ("--platform", "platformtoken")])
def test_a_token_expires_unless_it_is_said_that_it_does_not(
    at: str, table: str, arguments: str, left: str | None, acme: World, admin: psycopg.Connection
) -> None:
    run(f"tokens create {at} --name ci {arguments}")

    [(found,)] = admin.execute(f"SELECT (expires_at - now())::text FROM mcp_tokens_{table} WHERE name = 'ci'")
    assert (found and found[:7]) == left


def test_a_token_of_some_tools_has_their_scopes_and_no_other(acme: World) -> None:
    token = run("tokens create --tenant acme --name ci --read-only --tool get_product --tool list_orders").strip()

    principal = resolver.authenticate(token, slug="acme")

    assert principal is not None
    assert principal.tools == {"get_product", "list_orders"}
    assert principal.scopes == {Scope.PRODUCTS_READ, Scope.ORDERS_READ}
    assert principal.is_read_only


def test_the_list_says_what_a_token_may_not_do_although_its_scopes_allow_it(acme: World) -> None:
    run("tokens create --tenant acme --name ci --never-expires --read-only --tool list_orders --tool get_product")

    [*_, line] = run("tokens list").splitlines()

    assert line.split("\t")[2:] == [
        "ci",
        "valid",
        "orders:read,products:read",
        "reads only",
        "tools: get_product,list_orders",
    ]


def test_a_revoked_token_opens_nothing(acme: World, globex: World) -> None:
    platform = platform_token()
    of_platform, of_acme, _ = [line.split("\t")[0] for line in run("tokens list").splitlines()]

    for token_id in (of_platform, of_acme):
        assert run(f"tokens revoke {token_id}") == f"revoked {token_id}\n"

    assert resolver.authenticate(acme.token, slug="acme") is None
    assert resolver.authenticate_platform(platform) is None
    assert resolver.authenticate(globex.token, slug="globex") is not None


def test_the_list_says_of_each_token_whose_it_is_and_whether_it_works(acme: World, admin: psycopg.Connection) -> None:
    token = platform_token()
    run("tokens create --tenant acme --name revoked --scope demo:write")
    run("tokens create --tenant acme --name expired --days 1")
    run("tokens create --tenant acme --name good")
    admin.execute("UPDATE mcp_tokens_apitoken SET revoked_at = '2026-01-02' WHERE name = 'revoked'")
    admin.execute("UPDATE mcp_tokens_apitoken SET expires_at = '2026-01-03' WHERE name = 'expired'")
    admin.execute("UPDATE mcp_tokens_apitoken SET expires_at = '2126-01-04' WHERE name = 'good'")

    listed = run("tokens list")

    rows = [line.split("\t")[1:4] for line in listed.splitlines()]
    assert rows == [
        ["(platform)", "platform token", "valid"],
        ["Acme (acme)", "acme token", "valid"],
        ["Acme (acme)", "revoked", "revoked 2026-01-02"],
        ["Acme (acme)", "expired", "expired 2026-01-03"],
        ["Acme (acme)", "good", "valid until 2126-01-04"],
    ]
    assert token not in listed


@pytest.mark.parametrize(
    "command",
    [
        "tenants list",
        "tenants create initech Initech",
        "tenants suspend acme",
        "tenants resume acme",
        "tenants delete acme --yes",
        "tokens list",
        "tokens create --tenant acme --name ci",
        "tokens revoke {token_id}",
    ],
)
def test_every_command_leaves_an_audit_row(
    acme: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("LOGNAME", "nina")
    [token_id] = admin.execute("SELECT id FROM mcp_tokens_apitoken").fetchone() or [None]
    command = command.format(token_id=token_id)
    name = " ".join(command.split()[:2])

    run(command, reason="ticket 42")

    assert audit(admin, actor="nina") == [("ticket 42", f"manage.py {name}")]


def test_the_shell_is_told_that_it_needs_a_context(acme: World) -> None:
    with pytest.raises(rls.NoTenantContext) as error:
        call_command("shell", command="from core.models import Product\nProduct.objects.count()")

    assert "HINT:  In Python: with rls.tenant_context(tenant_id)." in str(error.value)


def test_the_shell_is_scoped_by_a_context(acme: World, globex: World, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "shell",
        verbosity=0,
        command="import rls\nfrom core.models import Product\n"
        f"with rls.tenant_context('{globex.id}'): print(Product.objects.values_list('name', flat=True))",
    )

    assert capsys.readouterr().out == "<QuerySet ['Globex anvil']>\n"
