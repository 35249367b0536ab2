"""Every page of the admin that can be reached, in both languages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from html import unescape
from urllib.parse import urljoin, urlsplit

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


def walk(get: Get) -> dict[str, str]:
    """What each page shows that can be reached from the first by links: of pages of one kind, the first few."""
    waiting, seen, shown, kinds = deque(["/admin/"]), {"/admin/"}, {}, dict[str, int]()
    while waiting:
        url = waiting.popleft()
        kind = re.sub(r"[\w-]{36}|\d+", "*", url)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 2:
            continue
        status, text = get(url)
        assert status == 200, f"{url}: {status}"
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
    assert kinds >= {"tenant", "tenantuser", "apitoken", "platformtoken", "user", "group"}
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
