"""Every page of the admin that can be reached, in both languages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from html import unescape
from urllib.parse import urlencode, urljoin, urlsplit

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.core.test_admin import rows_of
from tests.support.world import World, platform_token

pytestmark = pytest.mark.slow

LANGUAGES = pytest.mark.parametrize("language", ["en", "zh-TW"])
# A list has a hundred rows, and a user of Django's as many permissions to choose from.
MAX_ROWS = 200
# Links that end a session, or lead out of the admin.
LEFT_OUT = re.compile(r"/admin/(?:logout|jsi18n)/|/static/")
# A time of day in either language, and what stands behind it where its zone is said.
TIME = re.compile(r"(?:\d{1,2}:\d\d|\b\d{1,2}(?::\d\d)? [ap]\.m\.|\b(?:noon|midnight)\b)(?! UTC| [ap]\.m\. UTC)")

Get = Callable[[str], tuple[int, str]]


@pytest.fixture
def filled(acme: World, globex: World, admin: psycopg.Connection) -> World:
    """So many rows of each kind that no page may show all of them, and a log of what staff did."""
    platform_token()
    nina = User.objects.create_superuser("nina")
    User.objects.bulk_create(User(username=f"staff{n}", is_staff=True) for n in range(250))
    Group.objects.bulk_create(Group(name=f"group {n}") for n in range(250))
    admin.execute(
        "INSERT INTO core_tenant (id, name, subdomain, is_active)"
        " SELECT gen_random_uuid(), 'Many ' || n, 'many-' || n, true FROM generate_series(1, 250) AS n"
    )
    admin.execute(
        "INSERT INTO core_tenantuser (tenant_id, username, email, role)"
        " SELECT %s, 'many' || n, 'many@acme.example', 'staff' FROM generate_series(1, 250) AS n",
        [acme.id],
    )
    admin.execute(
        "INSERT INTO mcp_tokens_apitoken (tenant_id, name, digest, scopes)"
        " SELECT %s, 'many ' || n, sha256(n::text::bytea), '{}' FROM generate_series(1, 250) AS n",
        [acme.id],
    )
    browser = Client()
    browser.force_login(nina)
    renamed = {"name": "Acme", "subdomain": "acme", "is_active": "on", "locale": "en"}
    for _ in range(3):
        assert browser.post(f"/admin/core/tenant/{acme.id}/change/", renamed).status_code == 302
    return acme


def walk(get: Get, expected: tuple[int, ...] = (200,)) -> dict[str, str]:
    """What each page shows that can be reached from the first by links: of pages of one kind, the first few."""
    waiting, seen, shown, kinds = deque(["/admin/"]), {"/admin/"}, {}, dict[str, int]()
    while waiting:
        url = waiting.popleft()
        kind = re.sub(r"[\w-]{36}|\d+", "*", url)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 2:
            continue
        status, text = get(url)
        assert status in expected, f"{url}: {status}"
        shown[url] = text
        for link in re.findall(r'href="([^"#]+)', text):
            target = urljoin(url, unescape(link))
            if "?" in url and "?" in target:
                continue  # a filter of a list that is filtered: they have no end
            if urlsplit(target).path.startswith("/admin/") and not LEFT_OUT.search(target) and target not in seen:
                seen.add(target)
                waiting.append(target)
    return shown


def texts_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "\n", re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", html)))


def in_this_process(language: str) -> Get:
    browser = Client(headers={"Accept-Language": language}, raise_request_exception=False)
    browser.force_login(User.objects.get(username="nina"))

    def get(url: str) -> tuple[int, str]:
        answer = browser.get(url, follow=True)
        return answer.status_code, answer.content.decode()

    return get


@LANGUAGES
def test_no_page_that_can_be_reached_fails_lists_everything_or_leaves_a_time_unmarked(
    language: str, filled: World
) -> None:
    shown = walk(in_this_process(language))

    kinds = {urlsplit(url).path.split("/")[3] for url in shown if url.count("/") > 3}
    assert kinds >= {"tenant", "tenantuser", "membership", "apitoken", "platformtoken", "user", "group"}
    assert {each for url in shown for each in ("add", "change", "delete", "history") if f"/{each}/" in url} == {
        *("add", "change", "delete", "history")
    }
    assert {url: rows for url, text in shown.items() if (rows := rows_of(text)) > MAX_ROWS} == {}
    assert {url: found for url, text in shown.items() if (found := TIME.findall(texts_of(text)))} == {}


@pytest.mark.parametrize("page", ["core/tenantuser", "mcp_tokens/apitoken"])
@pytest.mark.parametrize("tenant", ["x", "", "0", "acme"])
def test_a_filter_by_what_is_no_tenant_is_an_answer(page: str, tenant: str, filled: World) -> None:
    status, text = in_this_process("en")(f"/admin/{page}/?tenant__id__exact={tenant}")

    assert status == 200
    assert rows_of(text) <= MAX_ROWS


LISTS = [f"/admin/{each}/" for each in ("core/tenant", "core/tenantuser", "core/membership", "auth/user", "auth/group")]
LISTS += [f"/admin/mcp_tokens/{each}/" for each in ("apitoken", "platformtoken")]
LONG = "x" * 2_000
# What somebody at an address bar may ask of a list, and which row they may name.
QUESTIONS = [
    *("q=a", "q=%00", "q=%ED%A0%80", "q=%F0%9F%98%80", "q=%27%22", f"q={LONG}", "q=a+b+c+%22d+e%22", "q=\\", "q=%25"),
    *("o=1.-2", "o=999", "o=x", "o=-", "p=2", "p=0", "p=-1", "p=x", "p=99999999", "p=99999999999999999999", "all="),
    *("e=1", "_facets=True", "_popup=1", "_to_field=id", "_to_field=nothing", "is_active__exact=1", "nothing=1"),
    *("is_active__exact=x", "is_active__exact=%00", "is_staff__exact=7", "q=a&q=b", "tenant=x", "%00=1"),
    *("tenant__id__exact=%00", "tenant__id__exact={tenant}", "tenant__isnull=True", "tenant__subdomain=acme"),
    *("created_at__gte=x", "id__in=x", "id__exact=x", "id__exact=%00", "id__exact=%ED%A0%80", "id__exact=9e99"),
    *("groups__id__exact=x", "groups__id__exact=99999999999999999999", f"id__exact={'9' * 5_000}"),
    *("_changelist_filters=%00", "_changelist_filters=p%3D%2500", "_changelist_filters=q%3D%ED%A0%80"),
]
ROWS = ["x", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000g", "%00", "_00", "%ED%A0%80"]
ROWS += ["0", "-1", "9e99", "99999999999999999999", "a/b", LONG, "9" * 5_000, "1%00"]


def hostile_addresses(tenant: object) -> list[str]:
    pages = ("change", "delete", "history")
    addresses = [f"{each}?{question.format(tenant=tenant)}" for each in LISTS for question in QUESTIONS]
    addresses += [f"{each}{row}/{page}/" for each in LISTS for row in ROWS for page in pages]
    addresses += [
        f"{each}add/?{query}" for each in LISTS for query in ("_changelist_filters=%00", "name=%00", "tenant=x")
    ]
    addresses += [
        f"/admin/autocomplete/?app_label={app}&model_name={model}&field_name={field}&term={term}&page={page}"
        for app, model, field in [("mcp_tokens", "apitoken", "tenant"), ("auth", "user", "groups"), ("%00", "x", "x")]
        for term, page in [("a", "1"), ("%00", "1"), ("%ED%A0%80", "1"), ("a", "x"), ("a", "999"), ("a", "-1")]
    ]
    return [*addresses, "/admin/r/1/x/", "/admin/r/%00/%00/", "/admin/r/99999999999999999999/1/", "/admin/%00/", "/%00"]


def test_whatever_is_asked_of_a_list_or_a_row_is_an_answer(filled: World) -> None:
    get = in_this_process("en")

    answers = {url[:200]: get(url) for url in hostile_addresses(filled.id)}

    assert {url: status for url, (status, _) in answers.items() if status >= 500} == {}
    assert {url: rows for url, (_, text) in answers.items() if (rows := rows_of(text)) > MAX_ROWS} == {}


@pytest.mark.parametrize("value", ["\0", "x", "9e99", "9" * 30, "\ud800", LONG])
def test_whatever_is_sent_to_a_page_is_an_answer(value: str, filled: World) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.get(username="nina"))
    names = ["name", "username", "subdomain", "scopes", "tenant", "locale", "groups", "user_permissions", "password1"]
    user, group = User.objects.get(username="nina").pk, Group.objects.all()[0].pk
    rows = [f"/admin/core/tenant/{filled.id}/change/", f"/admin/core/tenantuser/{filled.user_id}/change/"]
    rows += [f"/admin/auth/user/{user}/change/", f"/admin/auth/group/{group}/change/"]
    chosen = {"action": "delete_selected", "_selected_action": value}
    forms = [chosen, chosen | {"post": "yes"}, {"action": value, "_selected_action": "1"}, dict.fromkeys(names, value)]
    bodies = [urlencode(form, errors="surrogatepass") for form in forms]

    answers = {
        (url, body): browser.post(url, body, "application/x-www-form-urlencoded").status_code
        for url in (*LISTS, *(f"{each}add/" for each in LISTS), "/admin/login/", "/admin/password_change/")
        for body in bodies
    }

    assert {asked: status for asked, status in answers.items() if status >= 500} == {}


def test_a_request_with_nul_is_refused_in_words_wherever_it_goes(filled: World) -> None:
    browser = Client(headers={"Accept-Language": "en"})
    browser.force_login(User.objects.get(username="nina"))
    spoiled = Client(headers={"Accept-Language": "en", "Cookie": 'sessionid="\\000"'})

    answers = [browser.get(url) for url in ("/admin/core/tenant/%00/change/", "/?q=%00", "/?%00=q")]
    answers += [browser.post("/admin/login/", {"username": "\0"}), spoiled.get("/admin/")]

    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert {answer.json()["error_description"] for answer in answers} == {
        "The request holds NUL (U+0000) or half a character, which no text can contain: send it without."
    }
