"""What a client gets for a code: for how long, for whom, and how it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psycopg
import pytest
from django.contrib.auth.models import User

from core.models import Tenant
from core.roles import Role
from core.services import members
from mcp_server import SignIn
from mcp_server.ledger.models import AuditEvent
from mcp_server.sign_in import clients, consents
from mcp_server.sign_in.models import Consent
from mcp_server.sign_in.places import Place
from mcp_server.tokens import resolver
from rls import tenant_context
from tests.mcp_server.sign_in.clients import BACK, Program, listed, status
from tests.support import servers
from tests.support.processes import Process
from tests.support.raw import message, post
from tests.support.visitors import Visitor
from tests.support.world import World, working


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def ends_within_a_second(shop: Process, token: str) -> bool:
    """Whether a token that the server has let in just before is refused when a second is over."""
    deadline = time.monotonic() + 1.0
    answered = 200
    while time.monotonic() < deadline or answered == 200:
        asked_at = time.monotonic()
        answered = status(shop, "acme", token)
        if answered == 200 and asked_at > deadline:
            return False
    return answered == 401


def test_a_code_is_exchanged_for_a_token_of_the_tenant(
    program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    found = program.tokens(visitor, "grace")

    assert found.keys() == {"access_token", "refresh_token", "token_type", "expires_in", "scope"}
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("Bearer", 3600, "products:read")
    answer = listed(shop, "acme", found["access_token"])
    assert "get_product" in answer.text
    assert "list_orders" not in answer.text


def test_it_opens_no_other_tenant(
    program: Program, globex: World, grace: User, visitor: Visitor, shop: Process
) -> None:
    token = program.tokens(visitor, "grace")["access_token"]

    assert [status(shop, tenant, token) for tenant in ("acme", "globex", "nobody", "")] == [200, 401, 401, 401]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"code_verifier": "x" * 43}, (400, "invalid_grant")),
        ({"code_verifier": ""}, (400, "invalid_request")),
        ({"redirect_uri": "http://127.0.0.1:2/callback"}, (400, "invalid_grant")),
        ({"client_id": "01900000-0000-7000-8000-000000000000"}, (400, "invalid_client")),
        ({"client_id": "x"}, (400, "invalid_client")),
        ({"code": "invented"}, (400, "invalid_grant")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": "client_credentials"}, (400, "unsupported_grant_type")),
        ({"resource": "https://other.example/mcp/acme/"}, (400, "invalid_target")),
        ({"code": "é"}, (400, "invalid_request")),
    ],
)
def test_what_does_not_fit_the_code_is_refused(
    wrong: dict[str, str], expected: tuple[int, str], program: Program, grace: User, visitor: Visitor
) -> None:
    code = program.code(visitor, "grace")

    assert error(program.exchange(code, **wrong)) == expected
    assert program.exchange(code).status_code == 200


def test_a_code_of_another_client_is_none(program: Program, grace: User, visitor: Visitor, shop: Process) -> None:
    other = Program.registered(shop)
    other.verifier = program.verifier

    assert error(other.exchange(program.code(visitor, "grace"))) == (400, "invalid_grant")


def test_a_code_of_one_tenant_gets_no_token_for_another(
    program: Program, globex: World, grace: User, visitor: Visitor, shop: Process
) -> None:
    code = program.code(visitor, "grace")

    assert error(program.exchange(code, resource=shop.mcp("globex"))) == (400, "invalid_target")
    assert program.exchange(code, resource=shop.mcp("acme").removesuffix("/")).status_code == 200


def test_a_code_expires(program: Program, grace: User, visitor: Visitor, admin: psycopg.Connection) -> None:
    code = program.code(visitor, "grace")
    admin.execute("UPDATE mcp_sign_in_consent SET code_expires_at = now()")

    assert error(program.exchange(code)) == (400, "invalid_grant")


def test_a_code_that_is_shown_again_ends_what_came_of_it(
    program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    code = program.code(visitor, "grace")
    found = program.exchange(code).json()
    assert status(shop, "acme", found["access_token"]) == 200

    assert error(program.exchange(code)) == (400, "invalid_grant")

    assert ends_within_a_second(shop, found["access_token"])
    assert error(program.refresh(found["refresh_token"])) == (400, "invalid_grant")


def test_of_several_exchanges_at_once_one_succeeds(program: Program, grace: User, visitor: Visitor) -> None:
    code = program.code(visitor, "grace")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: program.exchange(code).status_code, range(4)))

    assert sorted(answers) == [200, 400, 400, 400]


def test_a_refresh_gives_new_tokens_and_ends_the_old_ones(
    program: Program, grace: User, visitor: Visitor, shop: Process, admin: psycopg.Connection
) -> None:
    first = program.tokens(visitor, "grace")
    assert status(shop, "acme", first["access_token"]) == 200
    ids = admin.execute("SELECT id FROM mcp_tokens_apitoken WHERE name = 'Test program'").fetchall()

    second = program.refresh(first["refresh_token"]).json()

    assert status(shop, "acme", second["access_token"]) == 200
    assert {first["access_token"], first["refresh_token"]}.isdisjoint(second.values())
    assert ends_within_a_second(shop, first["access_token"])
    # The same caller, whose sessions and kept answers go on.
    assert admin.execute("SELECT id FROM mcp_tokens_apitoken WHERE name = 'Test program'").fetchall() == ids


def test_a_refresh_token_that_is_shown_again_ends_everything(
    program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    first = program.tokens(visitor, "grace")
    second = program.refresh(first["refresh_token"]).json()
    assert status(shop, "acme", second["access_token"]) == 200

    assert error(program.refresh(first["refresh_token"])) == (400, "invalid_grant")

    assert ends_within_a_second(shop, second["access_token"])
    assert error(program.refresh(second["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.parametrize("what", ["code", "refresh token"])
def test_what_is_shown_twice_at_one_moment_ends_everything(what: str, acme: World, grace: User) -> None:
    client = clients.register(json.dumps({"redirect_uris": [BACK]}).encode())
    place = Place(servers.shop(), SignIn(), "acme", acme.id)
    shown = consents.give(
        client=client,
        user=grace,
        resource="http://localhost/mcp/acme/",
        scopes=["products:read"],
        redirect_uri=BACK,
        challenge="x" * 43,
    )
    find: Callable[[str], Consent | None] = consents.of_code
    exchange = consents.begin
    if what == "refresh token":
        shown = exchange(given(find(shown)), place, ["products:read"]).refresh
        find, exchange = consents.of_refresh_token, consents.renew
    first, second = given(find(shown)), given(find(shown))

    tokens = exchange(first, place, ["products:read"])
    assert resolver.authenticate(tokens.access, slug="acme") is not None
    with pytest.raises(consents.Ended):
        exchange(second, place, ["products:read"])

    assert resolver.authenticate(tokens.access, slug="acme") is None
    assert consents.of_refresh_token(tokens.refresh) is None


def given(consent: Consent | None) -> Consent:
    assert consent is not None
    return consent


def test_a_refresh_may_ask_for_less_and_never_for_more(program: Program, grace: User, visitor: Visitor) -> None:
    found = program.tokens(visitor, "grace", scope="products:read orders:read")

    assert error(program.refresh(found["refresh_token"], scope="products:write")) == (400, "invalid_scope")
    less = program.refresh(found["refresh_token"], scope="orders:read").json()
    assert less["scope"] == "orders:read"
    assert program.refresh(less["refresh_token"]).json()["scope"] == "orders:read products:read"


def test_a_refresh_token_of_another_client_is_none(
    program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    found = program.tokens(visitor, "grace")

    assert error(Program.registered(shop).refresh(found["refresh_token"])) == (400, "invalid_grant")
    assert program.refresh(found["refresh_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_client_revokes_what_it_has(
    kind: str, program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    found = program.tokens(visitor, "grace")
    assert status(shop, "acme", found["access_token"]) == 200

    assert program.revoke(found[kind], token_type_hint=kind).status_code == 200

    assert ends_within_a_second(shop, found["access_token"])
    assert error(program.refresh(found["refresh_token"])) == (400, "invalid_grant")


def test_to_revoke_what_is_not_there_tells_nothing(
    program: Program, grace: User, visitor: Visitor, shop: Process, acme: World
) -> None:
    found = program.tokens(visitor, "grace")

    assert program.revoke("invented").status_code == 200
    assert program.revoke(acme.token).status_code == 200
    assert error(Program.registered(shop).revoke(found["access_token"])) == (400, "invalid_grant")
    assert status(shop, "acme", acme.token) == 200
    assert status(shop, "acme", found["access_token"]) == 200


@pytest.mark.parametrize("end", ["DELETE FROM core_membership", "UPDATE auth_user SET is_active = false"])
def test_the_token_ends_with_the_member(
    end: str, program: Program, grace: User, visitor: Visitor, shop: Process, admin: psycopg.Connection
) -> None:
    found = program.tokens(visitor, "grace")
    assert status(shop, "acme", found["access_token"]) == 200

    admin.execute(end)

    assert ends_within_a_second(shop, found["access_token"])
    assert error(program.refresh(found["refresh_token"])) in {(400, "invalid_grant"), (400, "invalid_request")}


def test_a_member_who_comes_back_has_to_allow_it_again(
    program: Program, acme: World, grace: User, visitor: Visitor, admin: psycopg.Connection
) -> None:
    found = program.tokens(visitor, "grace")
    admin.execute("DELETE FROM core_membership")
    with working():
        members.add(user=grace, tenant=Tenant.objects.get(id=acme.id), role=Role.STAFF, actor="tests")

    assert error(program.refresh(found["refresh_token"])) == (400, "invalid_grant")


def test_a_lower_role_lowers_the_next_token(
    program: Program, grace: User, visitor: Visitor, admin: psycopg.Connection
) -> None:
    found = program.tokens(visitor, "grace", scope="products:read products:write")
    assert found["scope"] == "products:read products:write"
    admin.execute("UPDATE core_membership SET role = 'viewer'")

    assert program.refresh(found["refresh_token"]).json()["scope"] == "products:read"


def test_the_audit_names_the_person_and_the_program(
    program: Program, acme: World, grace: User, visitor: Visitor, shop: Process
) -> None:
    token = program.tokens(visitor, "grace", scope="products:write")["access_token"]
    count = {"sku": "A-1", "quantity": 2, "reason": "count"}
    asked = message("tools/call", {"name": "adjust_stock", "arguments": count}, "2026-07-28")

    assert post(shop, acme, asked, "2026-07-28", token=token).status_code == 200

    with tenant_context(acme.id):
        assert AuditEvent.objects.get(action="adjust_stock").actor == "grace"


def test_who_left_before_the_first_token_gets_none(
    program: Program, grace: User, visitor: Visitor, admin: psycopg.Connection
) -> None:
    code = program.code(visitor, "grace")
    admin.execute("DELETE FROM core_membership")

    assert error(program.exchange(code)) == (400, "invalid_grant")


def test_a_token_that_is_revoked_by_the_platform_is_not_refreshed(
    program: Program, grace: User, visitor: Visitor, admin: psycopg.Connection
) -> None:
    found = program.tokens(visitor, "grace")
    admin.execute("UPDATE mcp_tokens_apitoken SET revoked_at = now() WHERE name = 'Test program'")

    assert error(program.refresh(found["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.parametrize("where", ["query", "twice"])
def test_a_parameter_comes_once_and_in_the_body(
    where: str, program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    found = program.tokens(visitor, "grace")
    form = {"grant_type": "refresh_token", "refresh_token": found["refresh_token"], "client_id": program.id}
    sent = {"params": form} if where == "query" else {"data": form | {"client_id": [program.id] * 2}}

    answer = httpx2.post(f"{shop.url}/token", **sent)

    assert error(answer) == (400, "invalid_request")
    assert program.refresh(found["refresh_token"]).status_code == 200


def test_only_digests_are_kept(
    program: Program, grace: User, visitor: Visitor, shop: Process, admin: psycopg.Connection
) -> None:
    code = program.code(visitor, "grace")
    found = program.exchange(code).json()
    secrets = [code, program.verifier, found["access_token"], found["refresh_token"]]

    rows = [
        str(row)
        for table in ("mcp_sign_in_client", "mcp_sign_in_consent", "mcp_tokens_apitoken", "app.platform_audit")
        for row in admin.execute(f"SELECT row_to_json(t)::text FROM {table} AS t")
    ]

    for secret in secrets:
        assert not any(secret in row for row in rows)
        assert secret not in shop.log.read_text()
    assert any(resolver.digest(found["access_token"]).hex() in row for row in rows)


def test_the_platform_knows_who_has_let_in_what(
    program: Program, grace: User, visitor: Visitor, admin: psycopg.Connection
) -> None:
    program.tokens(visitor, "grace")

    rows = admin.execute("SELECT reason, origin FROM app.platform_audit WHERE actor = 'grace' ORDER BY id").fetchall()

    assert any("sign-in of Test program at " in reason and origin == BACK for reason, origin in rows)


def test_the_serving_role_reads_neither_clients_nor_consents(acme: World, admin: psycopg.Connection) -> None:
    for table in ("mcp_sign_in_client", "mcp_sign_in_consent", "auth_user"):
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            [[may]] = admin.execute("SELECT has_table_privilege('app_tenant', %s, %s)", [table, right]).fetchall()
            assert not may, (table, right)
