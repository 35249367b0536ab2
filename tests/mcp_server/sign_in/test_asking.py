"""The page that asks a person, and who is sent where."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory, override_settings

from core.roles import SCOPES_OF_ROLES
from core.scopes import SCOPE_WORDS, Scope
from mcp_server.sign_in import views
from tests.mcp_server.sign_in.clients import BACK, Program
from tests.support.processes import Process
from tests.support.visitors import Visitor
from tests.support.world import World


def test_it_names_the_client_the_tenant_the_person_and_what_is_asked(
    program: Program, grace: User, visitor: Visitor
) -> None:
    visitor.open(program.url(scope="products:read orders:read")).sign_in("grace")

    for words in ("Test program", "Acme (acme)", "grace", "See products and stock", "http://127.0.0.1:1"):
        assert words in visitor.form.text
    assert visitor.form.choices == {"orders:read": True, "products:read": True}


def test_it_is_in_the_language_of_the_browser(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.language = "zh-TW"
    visitor.open(program.url())
    assert "登入" in visitor.form.text

    visitor.sign_in("grace")

    for words in ("Test program", "允許", "拒絕", "查看商品與庫存"):
        assert words in visitor.form.text
    assert visitor.page is not None
    assert '<html lang="zh-hant">' in visitor.page.text


def test_nothing_is_loaded_run_or_framed(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url())
    pages = [visitor.page, visitor.sign_in("grace").page]

    for page in pages:
        assert page is not None
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script|\sstyle=|\son\w+=|src=", page.text)
    # Browsers hold the way back after the form against it too.
    assert "form-action 'self' http://127.0.0.1:1;" in policy


def test_the_client_is_told_by_a_code_and_by_whom(
    program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    visitor.open(program.url()).sign_in("grace").send(decision="allow")

    assert visitor.left_for.startswith(f"{BACK}?")
    assert visitor.told.keys() == {"code", "state", "iss"}
    assert (visitor.told["state"], visitor.told["iss"]) == ("a state", shop.url)


def test_a_no_is_told(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url()).sign_in("grace").send(decision="refuse")

    assert visitor.left_for.startswith(f"{BACK}?")
    assert visitor.told["error"] == "access_denied"
    assert "code" not in visitor.told


def test_a_person_may_give_less_than_is_asked(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url(scope="products:read orders:read")).sign_in("grace")
    visitor.send(decision="allow", allowed=["orders:read"])

    assert program.exchange(visitor.told["code"]).json()["scope"] == "orders:read"


@pytest.mark.parametrize("allowed", [[], ["products:write"], ["everything"]])
def test_what_was_not_offered_is_not_given(allowed: list[str], program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url()).sign_in("grace").send(decision="allow", allowed=allowed)

    assert not visitor.left_for
    assert "Choose what it may do, or refuse." in visitor.form.text


def test_what_the_role_of_the_person_has_not_is_not_offered(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url(scope="settings:write products:write demo:write everything")).sign_in("grace")
    assert visitor.form.choices == {"products:write": True}

    visitor.open(program.url(scope="settings:write"))
    assert visitor.page is not None
    assert visitor.page.status_code == 403
    assert "Test program asks for what grace may not do at Acme (acme)." in visitor.form.text
    assert visitor.form.buttons == ["refuse"]


def test_without_scopes_all_are_asked_for_but_those_on_request(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url(scope=None)).sign_in("grace")

    assert visitor.form.choices.keys() == SCOPES_OF_ROLES["staff"] - {Scope.DEMO_WRITE}


def test_a_form_of_another_site_allows_nothing(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url()).sign_in("grace")
    assert visitor.page is not None

    answer = visitor.http.post(str(visitor.page.url), data={"decision": "allow", "allowed": "products:read"})

    assert answer.status_code == 403
    assert "location" not in answer.headers


def test_who_does_not_belong_to_the_tenant_is_told_so(
    program: Program, globex: World, grace: User, visitor: Visitor
) -> None:
    pages = []
    for tenant in ("globex", "nobody"):
        visitor.open(program.url(tenant))
        assert visitor.page is not None
        if visitor.page.url.path == "/sign-in":
            visitor.sign_in("grace")
        assert visitor.page.status_code == 403
        assert f"You are signed in as grace, who does not belong to {tenant}." in visitor.form.text
        assert "Globex" not in visitor.page.text
        pages.append(visitor.form.text.replace(tenant, ""))
        assert visitor.form.buttons == ["refuse"]
        assert not visitor.send(decision="allow", allowed="products:read").left_for

    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": "http://127.0.0.1:1/other"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:1@evil.example/callback"},
        {"redirect_uri": 'https://evil.example/"><script>'},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": None},
        {"client_id": "01900000-0000-7000-8000-000000000000"},
        {"client_id": "nobody"},
        {"client_id": "é"},
        {"client_id": None},
    ],
)
def test_nobody_is_sent_where_no_client_has_registered(
    wrong: dict[str, str | None], program: Program, visitor: Visitor
) -> None:
    visitor.open(program.url(**wrong))

    assert not visitor.left_for
    assert visitor.page is not None
    assert visitor.page.status_code == 400
    assert "Nothing was allowed." in visitor.form.text
    assert "evil" not in visitor.page.text


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://other.example/mcp/acme/"}, "invalid_target"),
    ],
)
def test_what_else_is_wrong_is_told_the_client(
    wrong: dict[str, str | None], error: str, program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    visitor.open(program.url(**wrong)).sign_in("grace").send(decision="refuse")

    assert visitor.left_for.startswith(f"{BACK}?")
    assert (visitor.told["error"], visitor.told["state"], visitor.told["iss"]) == (error, "a state", shop.url)


def test_nobody_is_sent_to_a_client_who_has_not_signed_in_and_said_so(
    program: Program, grace: User, visitor: Visitor
) -> None:
    visitor.open(program.url(response_type="token"))
    assert not visitor.left_for

    visitor.sign_in("grace")

    assert not visitor.left_for
    assert visitor.page is not None
    assert visitor.page.status_code == 400
    assert "form-action 'self' http://127.0.0.1:1;" in visitor.page.headers["content-security-policy"]
    assert "You are sent back to http://127.0.0.1:1." in visitor.form.text
    assert visitor.form.buttons == ["refuse"]
    assert not visitor.send(decision="allow", allowed="products:read").left_for


@pytest.mark.parametrize(
    "below", ["/mcp/", "/mcp/acme/x/", "/mcp/acme/../globex/", "/mcp/%61cme/", "/mcp/acme/?x=1", "/"]
)
def test_a_resource_is_a_tenants_url_letter_for_letter(
    below: str, program: Program, grace: User, visitor: Visitor, shop: Process
) -> None:
    visitor.open(program.url(resource=f"{shop.url}{below}")).sign_in("grace").send(decision="refuse")

    assert visitor.told["error"] == "invalid_target"


def test_a_program_on_the_persons_machine_chooses_its_port(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url(redirect_uri="http://127.0.0.1:4711/callback")).sign_in("grace").send(decision="allow")

    assert urlsplit(visitor.left_for).netloc == "127.0.0.1:4711"


def test_a_wrong_password_lets_nobody_in(program: Program, grace: User, visitor: Visitor) -> None:
    visitor.open(program.url()).sign_in("grace", "wrong")

    assert visitor.page is not None
    assert visitor.page.status_code == 403
    assert 'role="alert"' in visitor.page.text
    assert "sessionid" not in visitor.http.cookies


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_who_has_signed_in_stays_on_the_site(place: str, grace: User, visitor: Visitor, shop: Process) -> None:
    visitor.open(f"{shop.url}/sign-in?next={place}").sign_in("grace")

    assert not visitor.left_for


def test_a_project_with_a_page_of_its_own_to_sign_in_sends_people_there(rf: RequestFactory) -> None:
    with override_settings(LOGIN_URL="/accounts/login/"):
        answer = views._sign_in_url(rf.get("/authorize?state=x"))

    assert answer == "/accounts/login/?next=%2Fauthorize%3Fstate%3Dx"


def test_every_scope_of_the_shop_is_said_in_words() -> None:
    assert SCOPE_WORDS.keys() == set(Scope)
