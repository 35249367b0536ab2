"""The pages in a real browser, by keyboard alone."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User

from tests.mcp_server.sign_in.clients import BACK, Program, status
from tests.support.browser import PROGRAM, browsing
from tests.support.processes import Process

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")]

ALLOWED = {
    "en": ("Let Test program in?", "See products and stock"),
    "zh-TW": ("要授權 Test program 嗎？", "查看商品與庫存"),
}


@pytest.mark.parametrize("language", ALLOWED)
def test_a_person_signs_in_and_allows_by_keyboard(
    language: str, program: Program, grace: User, shop: Process, tmp_path: Path
) -> None:
    with browsing(language) as browser:
        browser.open(program.url(scope="products:read orders:read"))
        browser.picture(tmp_path / "sign-in.png")
        # The first field has the focus.
        browser.type("grace")
        browser.tab()
        browser.type("correct horse")
        browser.enter()
        browser.wait("document.querySelector('fieldset') !== null && document.readyState === 'complete'")
        browser.picture(tmp_path / "consent.png")
        text = browser.value("document.body.innerText")
        wide = browser.value("document.documentElement.scrollWidth <= innerWidth")
        styled = browser.value("getComputedStyle(document.querySelector('fieldset')).borderRadius")
        # The first box is that of orders: it is cleared, and the one of products is left as it is.
        browser.tab()
        browser.space()
        browser.tab()
        browser.tab()
        browser.enter()
        browser.wait("location.protocol === 'chrome-error:'")

    for words in ALLOWED[language]:
        assert words in text
    assert wide
    assert styled == "8px"
    assert not [line for line in browser.said if "Content Security Policy" in line]
    [left] = [url for url in browser.visited if url.startswith(BACK)]
    told = program.exchange(parse_qs(urlsplit(left).query)["code"][0]).json()
    assert told["scope"] == "products:read"
    assert status(shop, "acme", told["access_token"]) == 200
    assert {urlsplit(url).netloc for url in browser.visited} == {urlsplit(shop.url).netloc, urlsplit(BACK).netloc}
