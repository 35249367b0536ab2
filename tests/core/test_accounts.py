"""Where a member of a tenant signs in, and makes and revokes tokens of his own."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client

from core.roles import SCOPES_OF_ROLES, Role
from mcp_server.ledger.models import AuditEvent
from mcp_server.tokens import resolver
from rls import tenant_context
from tests.core.test_commands import run
from tests.support.browser import PROGRAM, browsing
from tests.support.processes import Process
from tests.support.world import World

PAGE = "/accounts/tokens/"
PASSWORD = "correct horse"
LANGUAGES = pytest.mark.parametrize(
    ("language", "words"), [("en", ("Your tokens", "staff", "Revoke")), ("zh-TW", ("您的權杖", "員工", "撤銷"))]
)


@pytest.fixture
def mei(acme: World, globex: World) -> Client:
    """A browser in which mei, of acme's staff, is signed in."""
    run("members add --tenant acme --user mei --role staff --create")
    user = User.objects.get(username="mei")
    user.set_password(PASSWORD)
    user.save()
    browser = Client(headers={"Accept-Language": "en"})
    browser.force_login(user)
    return browser


def made(answer: Any) -> str:
    """The token that a page shows."""
    [token] = re.findall(r"tmcp_[\w-]{43}", answer.content.decode())
    return str(token)


def test_who_is_not_signed_in_is_sent_to_do_so_and_comes_back(mei: Client) -> None:
    browser = Client(headers={"Accept-Language": "en"})

    sent = browser.get(PAGE)
    wrong = browser.post(sent["Location"], {"username": "mei", "password": "wrong"})
    right = browser.post(sent["Location"], {"username": "mei", "password": PASSWORD})
    straight = Client().post("/accounts/login/", {"username": "mei", "password": PASSWORD})

    assert sent["Location"] == "/accounts/login/?next=%2Faccounts%2Ftokens%2F"
    assert wrong.status_code == 403
    assert (right["Location"], straight["Location"]) == (PAGE, PAGE)
    assert "You are signed in as mei." in browser.get(PAGE).content.decode()


def test_a_token_of_ones_own_is_made_shown_once_and_does_what_one_may(mei: Client) -> None:
    answer = mei.post(PAGE, {"tenant": "acme", "name": "laptop"})

    found = resolver.authenticate(made(answer), slug="acme")
    assert found is not None
    assert (found.name, found.actor, found.scopes) == ("laptop", "mei", SCOPES_OF_ROLES[Role.STAFF])
    again = mei.get(PAGE).content.decode()
    assert "laptop" in again
    assert "tmcp_" not in again
    assert "good until" in again


def test_one_that_only_reads_only_reads(mei: Client) -> None:
    answer = mei.post(PAGE, {"tenant": "acme", "name": "laptop", "read_only": "yes"})

    found = resolver.authenticate(made(answer), slug="acme")
    assert found is not None
    assert found.is_read_only
    assert "reads only" in mei.get(PAGE).content.decode()


def test_ones_own_token_is_revoked_and_nobody_elses(mei: Client, admin: psycopg.Connection) -> None:
    secret = made(mei.post(PAGE, {"tenant": "acme", "name": "laptop"}))
    run("members add --tenant acme --user lin --role owner --create")
    other = run("tokens create --tenant acme --user lin --name other").strip()
    ids = {name: str(key) for name, key in admin.execute("SELECT name, id FROM mcp_tokens_apitoken").fetchall()}

    refused = [mei.post(PAGE, {"revoke": each}).status_code for each in (ids["other"], ids["acme token"], "x", "%00")]
    done = mei.post(PAGE, {"revoke": ids["laptop"]})

    assert (refused, done.status_code) == ([400] * 4, 200)
    assert resolver.authenticate(secret, slug="acme") is None
    assert resolver.authenticate(other, slug="acme") is not None
    assert "Revoke laptop" not in done.content.decode()


@pytest.mark.parametrize(
    "form", [{"tenant": "globex", "name": "laptop"}, {"tenant": "acme", "name": " "}, {"tenant": "acme"}, {}]
)
def test_no_token_is_made_where_one_does_not_work_or_without_a_name(form: dict[str, str], mei: Client) -> None:
    answer = mei.post(PAGE, form)

    assert answer.status_code == 400
    assert "tmcp_" not in answer.content.decode()
    assert 'role="alert"' in answer.content.decode()


def test_the_tenant_and_the_platform_have_it_on_record(mei: Client, acme: World, admin: psycopg.Connection) -> None:
    mei.post(PAGE, {"tenant": "acme", "name": "laptop"})

    with tenant_context(acme.id):
        assert list(AuditEvent.objects.filter(action="create_token").values_list("actor", "subject")) == [
            ("mei", "token laptop")
        ]
    rows = admin.execute("SELECT reason FROM app.platform_audit WHERE actor = 'mei'").fetchall()
    assert rows == [("own tokens: POST /accounts/tokens/",)]


def test_who_left_sees_no_shop_and_who_signs_out_is_out(mei: Client) -> None:
    run("members remove --tenant acme --user mei")

    page = mei.get(PAGE).content.decode()
    got = mei.get("/accounts/logout/")
    out = mei.post("/accounts/logout/")

    assert "You work for no shop yet." in page
    assert "Acme" not in page
    assert (got.status_code, out["Location"]) == (405, "/accounts/login/")
    assert mei.get(PAGE).status_code == 302


@LANGUAGES
def test_the_page_is_in_the_language_of_its_reader_and_loads_nothing(
    language: str, words: tuple[str, ...], mei: Client
) -> None:
    mei.post(PAGE, {"tenant": "acme", "name": "<b>laptop"})

    answer = mei.get(PAGE, headers={"Accept-Language": language})

    text = answer.content.decode()
    assert all(each in unescape(text) for each in words)
    assert "<b>" not in text
    assert answer["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer["Cache-Control"] == "no-store"
    assert "<script" not in text


def test_a_form_of_another_site_does_nothing(mei: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="mei"))

    assert strict.post(PAGE, {"tenant": "acme", "name": "laptop"}).status_code == 403
    assert strict.post("/accounts/logout/").status_code == 403


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")
@LANGUAGES
def test_a_token_is_made_by_keyboard_in_a_real_browser(
    language: str, words: tuple[str, ...], mei: Client, server: Process, tmp_path: Path
) -> None:
    with browsing(language) as browser:
        browser.open(server.url + PAGE)
        browser.wait("document.activeElement.name === 'username'")
        browser.type("mei")
        browser.tab()
        browser.type(PASSWORD)
        browser.enter()
        browser.wait("document.querySelector('fieldset') !== null && document.readyState === 'complete'")
        # The name of the new token, the box, the button.
        browser.tab()
        browser.type("laptop")
        browser.tab()
        browser.tab()
        browser.enter()
        browser.wait("document.querySelector('pre') !== null && document.readyState === 'complete'")
        browser.picture(tmp_path / f"tokens-{language}.png")
        text = browser.value("document.body.innerText")
        is_whole = browser.value("document.documentElement.scrollWidth <= innerWidth")
        secret = browser.value("document.querySelector('pre').innerText")

    assert all(each in text for each in words)
    assert is_whole
    assert resolver.authenticate(secret.strip(), slug="acme") is not None
    assert not [line for line in browser.said if "Content Security Policy" in line]
    assert {urlsplit(url).netloc for url in browser.visited} == {urlsplit(server.url).netloc}
