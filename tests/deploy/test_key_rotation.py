"""SECRET_KEY is replaced while people are in the middle of something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User

from core.models import Product
from rls import tenant_context
from tests.mcp_server.test_listed_tools import post
from tests.mcp_server.test_one_pass import ASKING, YES
from tests.support.processes import Process, serving
from tests.support.world import World

pytestmark = pytest.mark.slow

FORMER, NEW = "a former key " * 3, "a new key " * 4
PASSWORD = "a long password"


def call(server: Process, world: World, name: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    params = {"_meta": ASKING, "name": name, "arguments": arguments, **more}
    result: dict[str, Any] = post(server, world.subdomain, world.token, "tools/call", params).json()["result"]
    return result


def signed_in(server: Process) -> httpx2.Cookies:
    with httpx2.Client(base_url=server.url) as browser:
        browser.get("/admin/login/")
        form = {"username": "nina", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post("/admin/login/?next=/admin/", data=form).status_code == 302
        return browser.cookies


def begun(server: Process, world: World) -> dict[str, Any]:
    """What is under way: a session, a link, a list, a confirmation, and a question that a person has before them."""
    return {
        "session": signed_in(server),
        "link": call(server, world, "export_tenant_data", {"format": "json"})["structuredContent"]["url"],
        "cursor": call(server, world, "get_tenant_products", {"limit": 1})["structuredContent"]["next_cursor"],
        "confirmation": call(server, world, "shop_count_up", {"question": "Sure?", "dry_run": True})[
            "structuredContent"
        ]["confirmation"],
        "round": call(server, world, "shop_count_up", {"question": "Really?"})["requestState"],
    }


def go_on(server: Process, world: World, kept: dict[str, Any]) -> dict[str, bool]:
    """Whether each of them goes on here."""
    link = server.url + kept["link"][kept["link"].index("/t/") :]
    confirmed = {"question": "Sure?", "confirmation": kept["confirmation"]}
    answers = {"inputResponses": YES, "requestState": kept["round"]}
    second = post(
        server,
        world.subdomain,
        world.token,
        "tools/call",
        {"_meta": ASKING, "name": "shop_count_up", "arguments": {"question": "Really?"}, **answers},
    ).json()
    return {
        "session": httpx2.get(server.url + "/admin/", cookies=kept["session"]).status_code == 200,
        "link": httpx2.get(link).status_code == 200,
        "cursor": not call(server, world, "get_tenant_products", {"limit": 1, "cursor": kept["cursor"]})["isError"],
        "confirmation": call(server, world, "shop_count_up", confirmed).get("isError") is False,
        "round": second.get("result", {}).get("isError") is False,
    }


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_was_signed_goes_on_while_the_former_key_is_a_fallback(
    is_kept: bool, acme: World, database: str, tmp_path: Path
) -> None:
    User.objects.create_superuser("nina", password=PASSWORD)
    with tenant_context(acme.id):
        Product.objects.create(sku="B-1", name="Bell", price_minor=1, currency="EUR")
    shop = {"app": "tests.shop.asgi:app"}
    with serving(tmp_path / "before", **shop, SECRET_KEY=FORMER) as server:
        kept = begun(server, acme)

    fallbacks = f"{'z' * 40},{FORMER}" if is_kept else ""
    with serving(tmp_path / "after", **shop, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=fallbacks) as server:
        went_on = go_on(server, acme, kept)

    assert went_on == dict.fromkeys(kept, is_kept)
