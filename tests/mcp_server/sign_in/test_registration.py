"""Who may register, and what the server says of itself."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from mcp_server.sign_in import addresses, clients, rates
from tests.mcp_server.sign_in.clients import BACK, register
from tests.support.processes import Process, serving
from tests.support.world import World


def test_a_client_is_public_whatever_it_asks_for(shop: Process, acme: World) -> None:
    for method in ("none", "client_secret_post", "private_key_jwt", None):
        asked = {"redirect_uris": [BACK], "client_name": "A\u202eb\n c", "token_endpoint_auth_method": method}

        answer = register(shop, asked)

        assert answer.status_code == 201
        told = answer.json()
        assert told["token_endpoint_auth_method"] == "none"
        assert told["client_name"] == "A b c"
        assert told["redirect_uris"] == [BACK]
        assert "client_secret" not in told
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": BACK}, "invalid_redirect_uri"),
        ({"redirect_uris": [BACK] * 11}, "invalid_redirect_uri"),
        ({"redirect_uris": [BACK, "http://shop.example/back"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [BACK], "client_name": 7}, "invalid_client_metadata"),
        ({"redirect_uris": [BACK], "grant_types": ["password"]}, "invalid_client_metadata"),
        ({"redirect_uris": [BACK], "response_types": ["token"]}, "invalid_client_metadata"),
        ({"redirect_uris": [BACK], "client_name": "x" * 20000}, "invalid_client_metadata"),
        ([], "invalid_client_metadata"),
        ("text", "invalid_client_metadata"),
    ],
)
def test_what_can_not_be_registered_is_told(metadata: Any, error: str, shop: Process, acme: World) -> None:
    answer = register(shop, metadata)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example.com/callback",
        "https://app.example.com:8443/a?b=c",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://[::1]:9/x",
    ],
)
def test_people_are_sent_back_over_tls_or_to_their_own_machine(address: str) -> None:
    assert addresses.is_allowed(address)
    assert addresses.is_same(address, address)


@pytest.mark.parametrize(
    "address",
    [
        "http://app.example.com/",
        f"https://app.example.com/{'x' * addresses.MAX_LENGTH}",
        "http://127.0.0.1.evil.example/",
        "http://localhost@evil.example/",
        "https://user@app.example.com/",
        "https://app.example.com/#fragment",
        "https://app.example.com/#",
        "https://*.example.com/",
        "https:///path",
        "https://app.example.com:port/",
        "https://app.example.com:99999/",
        "javascript:alert(1)",
        "data:text/html,x",
        "cursor://callback",
        "https://app.example.com/\nSet-Cookie:x",
        "https://app.example.com/ x",
        "https://äpp.example.com/",
        "",
    ],
)
def test_and_nowhere_else(address: str) -> None:
    assert not addresses.is_allowed(address)


@pytest.mark.parametrize(
    "asked",
    [
        "http://127.0.0.1:2/other",
        "http://127.0.0.1:2/callback?x",
        "http://localhost:1/callback",
        "https://127.0.0.1:1/callback",
        "http://127.0.0.1:x/callback",
        "http://a@127.0.0.1:1/callback",
        "http://127.0.0.1:1/callback/",
    ],
)
def test_of_an_address_on_the_persons_machine_the_port_alone_may_differ(asked: str) -> None:
    assert addresses.is_same("http://127.0.0.1:4711/callback", BACK)
    assert not addresses.is_same(asked, BACK)


def test_elsewhere_the_port_counts() -> None:
    assert not addresses.is_same("https://app.example.com:444/x", "https://app.example.com/x")


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u202e", "\0"])
def test_a_client_without_a_name_has_one(name: str) -> None:
    assert clients.shown_name(name) == "MCP client"


def test_the_server_says_what_it_takes(shop: Process, acme: World) -> None:
    told = httpx2.get(f"{shop.url}/.well-known/oauth-authorization-server").json()

    assert told["issuer"] == shop.url
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["token_endpoint_auth_methods_supported"] == ["none"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert told["authorization_response_iss_parameter_supported"] is True
    for name, path in [("authorization", "authorize"), ("token", "token"), ("registration", "register")]:
        assert told[f"{name}_endpoint"] == f"{shop.url}/{path}"
    assert told["revocation_endpoint"] == f"{shop.url}/revoke"


def test_a_tenants_url_names_it(shop: Process, acme: World) -> None:
    for tenant in ("acme", "nobody"):
        told = httpx2.get(f"{shop.url}/.well-known/oauth-protected-resource/mcp/{tenant}/").json()

        assert told["authorization_servers"] == [shop.url]
        assert told["resource"] == shop.mcp(tenant)


@pytest.mark.parametrize("path", ["register", "token", "revoke"])
def test_what_programs_ask_is_asked_by_post(path: str, shop: Process, acme: World) -> None:
    assert httpx2.get(f"{shop.url}/{path}").status_code == 405


def test_without_the_setting_nothing_of_it_is_there(server: Process, acme: World) -> None:
    for path in (".well-known/oauth-authorization-server", "authorize", "token", "register", "revoke", "sign-in"):
        assert httpx2.get(f"{server.url}/{path}").status_code == 404


@pytest.mark.slow
def test_one_address_registers_so_many_clients_and_no_more(django_db_setup: str, acme: World, tmp_path: Path) -> None:
    with serving(tmp_path / "log", MCP_AUTH="sign-in") as shop:
        answers = [register(shop, {"redirect_uris": [BACK]}).status_code for _ in range(61)]

        assert answers == [201] * 60 + [429]
        assert register(shop, {}).json()["error"] == "temporarily_unavailable"


@pytest.mark.slow
def test_one_address_is_wrong_about_passwords_so_often_and_no_more(
    django_db_setup: str, acme: World, tmp_path: Path
) -> None:
    from tests.support.visitors import Visitor

    with serving(tmp_path / "log", MCP_AUTH="sign-in") as shop, Visitor(shop.url) as visitor:
        visitor.open(f"{shop.url}/sign-in")
        for _ in range(10):
            visitor.sign_in("nobody", "wrong")
            assert "Too many passwords" not in visitor.form.text
        visitor.sign_in("nobody", "wrong")

        assert "Too many passwords were wrong." in visitor.form.text


@pytest.mark.slow
def test_one_address_tries_few_passwords_at_one_moment(grace: User, rf: RequestFactory, client: Client) -> None:
    address = {"REMOTE_ADDR": "192.0.2.7"}
    right = {"username": "grace", "password": "correct horse"}

    with ExitStack() as stack:
        tried = [
            stack.enter_context(rates.trying(rates.FAILED_PASSWORDS, "password", rf.post("/", **address)))
            for _ in range(rates.MAX_AT_ONCE + 1)
        ]
        refused = client.post("/accounts/login/", right, **address)
        elsewhere = client.post("/accounts/login/", right, REMOTE_ADDR="192.0.2.8")
    afterwards = client.post("/accounts/login/", right, **address)

    assert tried == [True] * rates.MAX_AT_ONCE + [False]
    assert [answer.status_code for answer in (refused, elsewhere, afterwards)] == [403, 302, 302]


def test_pages_of_other_origins_register_where_the_settings_name_them(acme: World, tmp_path: Path) -> None:
    ours, strange = "https://inspector.example", "https://evil.example"
    with serving(tmp_path / "log", MCP_AUTH="sign-in", MCP_ALLOWED_ORIGINS=ours) as shop:
        for path in ("register", "token", "revoke", ".well-known/oauth-authorization-server"):
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            allowed, refused = (
                httpx2.options(f"{shop.url}/{path}", headers=asked | {"Origin": origin}) for origin in (ours, strange)
            )

            assert allowed.status_code == 204
            assert allowed.headers["access-control-allow-origin"] == ours
            assert "Content-Type" in allowed.headers["access-control-allow-headers"]
            assert "access-control-allow-origin" not in refused.headers
        told = httpx2.get(f"{shop.url}/.well-known/oauth-authorization-server", headers={"Origin": ours})
        page = httpx2.get(f"{shop.url}/authorize", headers={"Origin": ours})

    assert told.headers["access-control-allow-origin"] == ours
    assert "access-control-allow-origin" not in page.headers


@pytest.mark.slow
def test_nothing_of_it_goes_over_plain_http_to_another_machine(acme: World, tmp_path: Path) -> None:
    with serving(tmp_path / "log", MCP_AUTH="sign-in", PUBLIC_URL="http://shop.example.com") as shop:
        page = httpx2.get(f"{shop.url}/authorize?client_id=x", headers={"Accept-Language": "en"})
        answer = httpx2.post(f"{shop.url}/token", data={"grant_type": "refresh_token"})

    assert page.status_code == 400
    assert "This page needs https." in page.text
    assert (answer.status_code, answer.json()["error"]) == (400, "insecure_transport")


def test_a_port_makes_no_address_longer_than_one_may_be() -> None:
    path = "x" * (addresses.MAX_LENGTH - len("http://127.0.0.1/"))
    registered, asked = f"http://127.0.0.1/{path}", f"http://127.0.0.1:4711/{path}"

    assert addresses.is_allowed(registered)
    assert not addresses.is_same(asked, registered)
