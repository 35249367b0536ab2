"""What is no token, and what is one that does not fit: RFC 6750, the same for every tenant that there is or is not."""

from __future__ import annotations

import json

import httpx2
import pytest

from mcp_server.http.bearer import REALM
from tests.support import raw
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message
from tests.support.world import World, platform_token

TENANTS = ["acme", "nobody", ""]


def asked(server: Process, tenant: str, *authorization: str, era: Era = "legacy") -> tuple[int, dict[str, str], str]:
    """Status, headers and body of the answer to a request with these Authorization headers."""
    body = json.dumps(message("tools/list", {}, era)).encode()
    sent = raw.headers("", era, "tools/list") | {"Accept": raw.BOTH, "Host": "localhost", "Connection": "close"}
    del sent["Authorization"]
    lines = [f"POST {'/mcp/' + tenant + '/' if tenant else '/mcp/'} HTTP/1.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in sent.items()] + [f"Authorization: {each}" for each in authorization]
    with raw.connection(server) as opened:
        opened.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        head, _, text = raw.until_closed(opened).decode().partition("\r\n\r\n")
    status, *rest = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    del headers["date"], headers["x-request-id"]  # two answers differ in these
    return int(status.split()[1]), headers, text


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("authorization", [[], [""], ["Basic dXNlcjpwYXNz"], ["Digest username=x"], ["tmcp_x"]])
def test_who_shows_no_token_is_told_no_error_code(
    authorization: list[str], era: Era, server: Process, acme: World
) -> None:
    answers = [asked(server, tenant, *authorization, era=era) for tenant in TENANTS]

    status, headers, text = answers[0]
    assert answers == [answers[0]] * 3
    assert (status, headers["www-authenticate"]) == (401, f'Bearer realm="{REALM}"')
    assert "Authorization: Bearer <token>" in json.loads(text)["error_description"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("token", ["tmcp_invented", "tmcpp_invented", "x", "t\xf6ken", "a=b", "x" * 5000])
def test_who_shows_one_that_does_not_fit_is_told_so(token: str, era: Era, server: Process, acme: World) -> None:
    answers = [asked(server, tenant, f"Bearer {token}", era=era) for tenant in TENANTS]

    status, headers, text = answers[0]
    assert answers == [answers[0]] * 3
    assert status == 401
    assert headers["www-authenticate"].startswith(f'Bearer realm="{REALM}", error="invalid_token", error_description="')
    assert json.loads(text)["error"] == "invalid_token"


@pytest.mark.parametrize(
    "authorization",
    [["Bearer"], ["Bearer "], ["bearer"], ["Bearer a b"], ["Bearer a, Bearer b"], ["Bearer a,b"], ["Bearer a\tb"]],
)
def test_a_header_that_holds_not_one_token_is_malformed(authorization: list[str], server: Process, acme: World) -> None:
    answers = [asked(server, tenant, *authorization) for tenant in TENANTS]

    status, headers, text = answers[0]
    assert answers == [answers[0]] * 3
    assert (status, json.loads(text)["error"]) == (400, "invalid_request")
    assert 'error="invalid_request"' in headers["www-authenticate"]


def test_two_headers_are_malformed_whatever_they_hold(server: Process, acme: World) -> None:
    bearer = f"Bearer {acme.token}"

    answers = [
        asked(server, tenant, *both)
        for tenant in TENANTS
        for both in ([bearer, bearer], ["Basic x", bearer], [bearer, "Bearer tmcp_invented"])
    ]

    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == 400


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("space", [" ", "   "])
def test_a_token_opens_its_endpoint(scheme: str, space: str, server: Process, acme: World) -> None:
    assert asked(server, "acme", f"{scheme}{space}{acme.token}")[0] == 200
    assert asked(server, "", f"{scheme}{space}{platform_token()}")[0] == 200


def test_a_token_of_another_door_is_like_an_invented_one(server: Process, acme: World, globex: World) -> None:
    answers = [
        asked(server, tenant, f"Bearer {token}")
        for tenant in ("acme", "nobody")
        for token in (globex.token, platform_token(), "tmcp_invented")
    ]

    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == 401


def test_a_token_in_the_query_is_none(server: Process, acme: World) -> None:
    answer = httpx2.post(f"{server.mcp('acme')}?access_token={acme.token}", json=message("tools/list"))

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, f'Bearer realm="{REALM}"')
