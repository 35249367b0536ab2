"""The admin of a serving process whose database, or which itself, was started again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx2
import pytest

from core.development.environment import ROLES
from rls.embedded import Cluster
from rls.embedded.binaries import EmbeddedError, find_binaries
from rls.provision import provision
from tests.core.test_admin_walk import LISTS, walk
from tests.support import postgres, programs
from tests.support.held import LONG, until
from tests.support.processes import Process, serving
from tests.support.proxy import Proxy

pytestmark = pytest.mark.slow

FORMER, NEW = "a former key " * 3, "a new key " * 4
PASSWORD = "a long password"
NOBODY = "00000000-0000-0000-0000-000000000000"

# Staff who may do everything, staff who may see some, and rows of every kind with a history.
FILL = """
import django; django.setup()
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from tests.support.world import make_tenant, platform_token

acme = make_tenant("acme", "Acme")
make_tenant("globex", "Globex")
platform_token()
Group.objects.create(name="support")
User.objects.create_superuser("nina", password={password!r})
paul = User.objects.create_user("paul", password={password!r}, is_staff=True)
paul.user_permissions.set(Permission.objects.filter(codename__in=["view_tenant", "change_tenantuser", "view_user"]))
browser = Client(SERVER_NAME="localhost")
browser.force_login(User.objects.get(username="nina"))
renamed = {{"name": "Acme", "subdomain": "acme", "is_active": "on", "locale": "en"}}
assert browser.post(f"/admin/core/tenant/{{acme.id}}/change/", renamed).status_code == 302
"""
# What is asked of each list beside the links on it: a search, an order, a page, and what a filter can't be.
ASKED = [
    f"{each}?{query}" for each in LISTS for query in ("q=a", "q=%E6%B8%AC+x", "o=-1", "p=1", "tenant__id__exact=x")
]


@dataclass
class Shop:
    """A database of its own behind a proxy, so that its server can be started again under who is connected."""

    cluster: Cluster
    proxy: Proxy
    running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        self.running.enter_context(self.cluster.running())
        self.proxy.lead_to("127.0.0.1", self.cluster.port)

    def stop(self) -> None:
        self.running.close()

    def urls(self) -> dict[str, str]:
        own = {name: self.cluster.url("shop", role, PASSWORD) for name, role in ROLES.items()}
        return {name: url.replace(f":{self.cluster.port}/", f":{self.proxy.port}/") for name, url in own.items()}


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    place = Path(tempfile.mkdtemp(prefix="restarts-"))
    place.chmod(0o711)
    try:
        binaries = find_binaries(["embedded"])
    except EmbeddedError as error:
        pytest.skip(str(error))
    postgres.initialise(place / "postgres", binaries)
    with Proxy("127.0.0.1", 0).running() as proxy:
        shop = Shop(Cluster(place / "postgres", binaries=binaries), proxy)
        shop.start()
        try:
            provision(shop.cluster.url(), database="shop", passwords=dict.fromkeys(ROLES.values(), PASSWORD))
            environment = os.environ | shop.urls()
            for command in (["manage.py", "migrate", "-v0"], ["-c", FILL.format(password=PASSWORD)]):
                done = programs.run(command, environment=environment)
                assert done.returncode == 0, done.stderr
            yield shop
        finally:
            shop.stop()
            shutil.rmtree(place, ignore_errors=True)


class Browser:
    """Somebody's browser, which was signed in at the first server that it came to."""

    def __init__(self, name: str, language: str) -> None:
        self._name = name
        self._http = httpx2.Client(headers={"Accept-Language": language}, follow_redirects=True, timeout=LONG)

    def at(self, server: Process) -> Self:
        self._http.base_url = server.url
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def sign_in(self) -> None:
        assert self.post("/admin/login/?next=/admin/", username=self._name, password=PASSWORD) == 200
        assert self.is_signed_in()

    def is_signed_in(self) -> bool:
        return "/login/" not in str(self._http.get("/admin/").url)

    def take_a_message(self) -> None:
        """Ask for a row that is not there: what the next page says of it waits in a signed cookie."""
        answer = self._http.get(f"/admin/core/tenantuser/{NOBODY}/change/", follow_redirects=False)
        assert answer.status_code == 302
        assert "messages" in self._http.cookies

    def get(self, url: str) -> tuple[int, str]:
        answer = self._http.get(url)
        return answer.status_code, answer.text

    def post(self, url: str, **form: str) -> int:
        """Send a form as the page at this address has it."""
        self._http.get(url)
        form["csrfmiddlewaretoken"] = self._http.cookies["csrftoken"]
        return self._http.post(url, data=form).status_code


def look_around(browser: Browser) -> None:
    """Every page that can be reached, and what may be asked of a list and sent to it: nothing is an error 500."""
    # Who may see a user is shown a link to the page that sets their password, by Django.
    walk(browser.get, expected=(200, 403))
    answers = {url: browser.get(url)[0] for url in ASKED}
    for url in LISTS:
        answers[f"POST {url}"] = browser.post(url, action="delete_selected", _selected_action="x")
        answers[f"POST {url}add/"] = browser.post(f"{url}add/", name="", username="")

    assert {url: status for url, status in answers.items() if status >= 500} == {}


def errors(log: Path) -> list[str]:
    """What the log says of a fault of ours."""
    return [line for line in log.read_text().splitlines() if '"level": "ERROR"' in line]


def test_after_its_database_was_started_again_every_page_of_the_admin_is_there(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ExitStack() as stack:
        server = stack.enter_context(serving(log, **shop.urls()))
        browsers = [
            stack.enter_context(Browser(name, language)) for name in ("nina", "paul") for language in ("en", "zh-TW")
        ]
        for browser in browsers:
            browser.at(server).sign_in()

        shop.stop()
        with ThreadPoolExecutor(len(browsers)) as threads:
            meanwhile = [status for status, _ in threads.map(lambda each: each.get("/admin/"), browsers)]
        shop.start()
        until(lambda: browsers[0].get("/admin/")[0] == 200)
        for browser in browsers:
            assert browser.is_signed_in()
            look_around(browser)

    assert meanwhile == [503] * len(browsers)
    assert errors(log) == []


@pytest.mark.parametrize("is_kept", [True, False])
def test_after_the_process_was_started_again_with_another_key_every_page_of_the_admin_is_there(
    is_kept: bool, shop: Shop, tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    with Browser("nina", "en") as nina, Browser("paul", "zh-TW") as paul:
        with serving(before, **shop.urls(), SECRET_KEY=FORMER) as server:
            for browser in (nina, paul):
                browser.at(server).sign_in()
                browser.take_a_message()

        fallbacks = FORMER if is_kept else ""
        with serving(after, **shop.urls(), SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=fallbacks) as server:
            for browser in (nina, paul):
                assert browser.at(server).is_signed_in() == is_kept
                if not is_kept:
                    browser.sign_in()
                look_around(browser)

    assert errors(after) == []
