"""Tokens that a member of a tenant has: they may do what he may, and end with him."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx2
import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.test import Client

from core.roles import SCOPES_OF_ROLES, Role
from core.scopes import Scope
from mcp_server.http import kept
from mcp_server.ledger.models import AuditEvent, CallRecord
from mcp_server.tokens import members, resolver
from rls import tenant_context
from tests.core.test_commands import run
from tests.support.held import until
from tests.support.processes import Process
from tests.support.world import World, working

DEACTIVATED = "UPDATE auth_user SET is_active = false WHERE username = 'mei'"
REMOVED = "DELETE FROM core_membership USING auth_user AS u WHERE u.id = user_id AND username = 'mei'"
SUSPENDED = "UPDATE core_tenant SET is_active = false WHERE subdomain = 'acme'"
LOWERED = (
    "UPDATE core_membership AS m SET role = 'viewer' FROM auth_user AS u WHERE u.id = m.user_id AND username = 'mei'"
)


def member(role: Role = Role.STAFF, *, tenant: str = "acme", name: str = "mei") -> None:
    run(f"members add --tenant {tenant} --user {name} --role {role} --create")


def token(arguments: str = "", *, tenant: str = "acme", name: str = "mei") -> str:
    return run(f"tokens create --tenant {tenant} --user {name} --name laptop {arguments}").strip()


def scopes(secret: str, slug: str = "acme") -> frozenset[str] | None:
    found = resolver.authenticate(secret, slug=slug)
    return found and found.scopes


def test_a_token_acts_for_a_member_within_his_role(acme: World) -> None:
    member(Role.VIEWER)

    found = resolver.authenticate(token(), slug="acme")

    assert found is not None
    assert found.scopes == SCOPES_OF_ROLES[Role.VIEWER]
    assert (found.name, found.person, found.actor) == ("laptop", "mei", "mei")


def test_a_token_of_nobody_has_no_person(acme: World) -> None:
    found = resolver.authenticate(acme.token, slug="acme")

    assert found is not None
    assert (found.person, found.actor) == ("", "acme token")


def test_a_role_that_is_lowered_lowers_its_tokens_and_one_that_is_raised_does_not_widen_them(acme: World) -> None:
    member(Role.STAFF)
    secret = token("--scope products:read --scope products:write")
    assert scopes(secret) == {Scope.PRODUCTS_READ, Scope.PRODUCTS_WRITE}

    run("members change --tenant acme --user mei --role viewer")
    assert scopes(secret) == {Scope.PRODUCTS_READ}
    run("members change --tenant acme --user mei --role owner")
    assert scopes(secret) == {Scope.PRODUCTS_READ, Scope.PRODUCTS_WRITE}


def test_a_role_that_the_table_does_not_know_may_do_nothing(acme: World, settings: object) -> None:
    member(Role.OWNER)
    secret = token()

    settings.MCP_ROLES = {Role.VIEWER: {Scope.PRODUCTS_READ}}  # type: ignore[attr-defined]  # pytest-django's

    assert scopes(secret) == frozenset()


def test_a_member_without_a_role_may_do_nothing(acme: World, admin: psycopg.Connection) -> None:
    member(Role.OWNER)
    secret = token()
    # The shop has no such member; another project's column may hold NULL.
    admin.execute("ALTER TABLE core_membership ALTER role DROP NOT NULL")
    try:
        admin.execute("UPDATE core_membership SET role = NULL")

        assert scopes(secret) == frozenset()
        assert scopes(acme.token)
        with working():
            assert members.get(acme.id, "mei").scopes == frozenset()
    finally:
        admin.execute("DELETE FROM core_membership WHERE role IS NULL")
        admin.execute("ALTER TABLE core_membership ALTER role SET NOT NULL")


@pytest.mark.parametrize("change", [DEACTIVATED, REMOVED, SUSPENDED])
def test_a_token_ends_with_its_member(change: str, acme: World, admin: psycopg.Connection) -> None:
    member()
    secret = token()
    assert scopes(secret) is not None

    admin.execute(change)

    assert scopes(secret) is None
    assert (scopes(acme.token) is None) == (change == SUSPENDED)


def test_who_is_made_a_member_again_gets_no_old_token_back(acme: World) -> None:
    member()
    secret = token()

    run("members remove --tenant acme --user mei")
    run("members add --tenant acme --user mei --role owner")

    assert scopes(secret) is None
    assert "revoked" in run("tokens list")


def test_a_user_of_two_tenants_has_tokens_of_each(acme: World, globex: World, admin: psycopg.Connection) -> None:
    member(Role.OWNER)
    run("members add --tenant globex --user mei --role viewer")
    of_acme, of_globex = token(), token(tenant="globex")

    assert (scopes(of_acme, "globex"), scopes(of_globex, "acme")) == (None, None)
    assert scopes(of_globex, "globex") == SCOPES_OF_ROLES[Role.VIEWER]
    run("members remove --tenant acme --user mei")
    assert (scopes(of_acme), scopes(of_globex, "globex")) == (None, SCOPES_OF_ROLES[Role.VIEWER])


def test_a_token_does_not_act_for_another_tenants_member(acme: World, globex: World, admin: psycopg.Connection) -> None:
    member()
    secret = token()

    of_globex = "(SELECT id FROM core_membership WHERE tenant_id = %s)"
    admin.execute(f"UPDATE mcp_tokens_apitoken SET member = {of_globex} WHERE name = 'laptop'", [globex.id])

    assert scopes(secret) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "--tenant acme --user mei --scope settings:write",
            "mei is staff there, which has no settings:write. Leave it",
        ),
        ("--tenant acme --user mei --tool manage_tenant_settings", "mei is staff there, which has no settings:write"),
        ("--tenant acme --user nobody", "No active member of this tenant signs in as 'nobody'"),
        ("--tenant globex --user mei", "No active member of this tenant signs in as 'mei'"),
        ("--tenant acme --user lin", "No active member of this tenant signs in as 'lin'"),
        ("--platform --user mei", "A platform token acts for no member of a tenant"),
    ],
)
def test_a_token_that_no_member_could_use_is_refused(arguments: str, sentence: str, acme: World, globex: World) -> None:
    member()
    member(name="lin")
    with working():
        User.objects.filter(username="lin").update(is_active=False)

    with pytest.raises(CommandError, match=sentence):
        run(f"tokens create --name laptop {arguments}")


def test_the_list_and_the_admin_say_for_whom_a_token_acts(acme: World, admin: psycopg.Connection) -> None:
    member()
    token()
    browser = Client(headers={"Accept-Language": "en"})
    browser.force_login(User.objects.create_superuser("nina"))
    [token_id] = admin.execute("SELECT id FROM mcp_tokens_apitoken WHERE name = 'laptop'").fetchone() or [None]

    assert run("tokens list").splitlines()[-1].split("\t")[-1] == "for mei"
    assert ">mei<" in browser.get(f"/admin/mcp_tokens/apitoken/{token_id}/change/").content.decode()
    admin.execute(REMOVED)
    assert run("tokens list").splitlines()[-1].split("\t")[-1] == "for nobody any more"


def call(server: Process, secret: str, tool: str, **arguments: object) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json, text/event-stream"}
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return httpx2.post(server.mcp("acme"), json=message, headers=headers, timeout=60)


def test_the_records_name_the_person(server: Process, acme: World) -> None:
    member()
    secret = token()

    call(server, secret, "adjust_stock", sku="A-1", quantity=1, reason="count")
    call(server, secret, "get_product", sku="A-1")

    with tenant_context(acme.id):
        assert AuditEvent.objects.filter(action="adjust_stock").values_list("actor", flat=True)[0] == "mei"
        until(lambda: CallRecord.objects.filter(action="get_product").exists())
        assert CallRecord.objects.filter(action="get_product").values_list("actor", flat=True)[0] == "mei"


def within_a_second(holds: Callable[[], bool]) -> bool:
    """Whether this holds by the time for which a principal may be kept, asked all the while."""
    began = time.monotonic()
    until(lambda: holds() or time.monotonic() - began > kept.PRINCIPAL_LIFETIME)
    return holds()


@pytest.mark.parametrize("change", [DEACTIVATED, REMOVED])
def test_a_running_server_refuses_who_is_no_member_any_more_within_a_second(
    change: str, server: Process, acme: World, admin: psycopg.Connection
) -> None:
    member()
    secret = token()
    assert call(server, secret, "get_product", sku="A-1").status_code == 200

    admin.execute(change)

    assert within_a_second(lambda: call(server, secret, "get_product", sku="A-1").status_code == 401)
    assert call(server, acme.token, "get_product", sku="A-1").status_code == 200


def test_a_running_server_lowers_who_was_lowered_within_a_second(
    server: Process, acme: World, admin: psycopg.Connection
) -> None:
    member()
    secret = token()
    change = {"sku": "A-1", "quantity": 1, "reason": "count"}
    assert call(server, secret, "adjust_stock", **change).json()["result"].get("isError") is not True

    admin.execute(LOWERED)

    # The tool is not there for him.
    assert within_a_second(lambda: "error" in call(server, secret, "adjust_stock", **change).json())
