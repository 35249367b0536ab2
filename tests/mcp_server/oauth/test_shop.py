"""The shop's process, its tenants, and tokens that an identity provider has signed."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.scopes import Scope
from tests.support import raw
from tests.support.issuers import Identities, elliptic_key, rsa_key
from tests.support.processes import ERAS, Era, Process
from tests.support.raw import message, post
from tests.support.world import World, platform_token

TENANTS = ["acme", "nobody"]
READ = str(Scope.PRODUCTS_READ)


def listed(server: Process, tenant: str, token: str, era: Era = "2026-07-28") -> httpx2.Response:
    sent = raw.headers(token, era, "tools/list") | {"Accept": raw.BOTH}
    if not token:
        del sent["Authorization"]
    return httpx2.post(server.mcp(tenant), json=message("tools/list", {}, era), headers=sent, timeout=raw.SOON)


def metadata_url(server: Process, tenant: str, end: str = "/") -> str:
    return f"{server.url}/.well-known/oauth-protected-resource/mcp/{tenant}{end}"


def told(answer: httpx2.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers.get("www-authenticate", ""), answer.text


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("end", ["/", ""])
def test_a_token_for_a_tenants_url_opens_it(
    end: str, era: Era, oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    token = shops_issuer.token(oauth_server.mcp("acme").removesuffix("/") + end, READ)

    answer = listed(oauth_server, "acme", token, era)

    names = {each["name"] for each in raw.result(answer)["result"]["tools"]}
    assert "get_product" in names
    assert "list_orders" not in names


def test_an_audience_may_be_one_of_several(oauth_server: Process, shops_issuer: Identities, acme: World) -> None:
    token = shops_issuer.token(["account", oauth_server.mcp("acme")], READ)

    assert listed(oauth_server, "acme", token).status_code == 200


def test_the_rows_are_those_of_the_url(
    oauth_server: Process, shops_issuer: Identities, acme: World, globex: World
) -> None:
    found = {}
    for world in (acme, globex):
        token = shops_issuer.token(oauth_server.mcp(world.subdomain), READ)
        asked = message("tools/call", {"name": "get_product", "arguments": {"sku": "A-1"}}, "2026-07-28")
        answer = raw.result(post(oauth_server, world, asked, "2026-07-28", token=token))
        found[world.name] = answer["result"]["structuredContent"]["name"]

    assert found == {"Acme": "Acme anvil", "Globex": "Globex anvil"}


def test_a_change_is_made_in_the_name_of_the_person(
    oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    scope = f"{Scope.PRODUCTS_WRITE} {Scope.AUDIT_READ}"
    token = shops_issuer.token(oauth_server.mcp("acme"), scope, preferred_username="Ada\nLovelace \x00")
    count = {"sku": "A-1", "quantity": 2, "reason": "count"}

    for name, arguments in (("adjust_stock", count), ("get_audit_log", {"action": "adjust_stock"})):
        asked = message("tools/call", {"name": name, "arguments": arguments}, "2026-07-28")
        answer = raw.result(post(oauth_server, acme, asked, "2026-07-28", token=token))["result"]

    assert [event["actor"] for event in answer["structuredContent"]["events"]] == ["Ada Lovelace"]
    [record] = raw.log_lines(oauth_server, message="tool call", tool="adjust_stock")
    assert record["principal"] == f"{acme.id}:ada {shops_issuer.url}"
    assert token not in oauth_server.log.read_text()


def public_pem(issuer: Identities) -> bytes:
    """The public key, as its text is."""
    return bytes(issuer.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def signed_with_a_secret(token: str, secret: bytes) -> str:
    """The claims of a token, signed by HS256: whoever takes any algorithm checks it with the key that all know."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first","typ":"at+jwt"}').rstrip(b"=").decode()
    signing = f"{head}.{token.split('.')[1]}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signing.encode(), "sha256")).rstrip(b"=").decode()
    return f"{signing}.{signature}"


def made_wrong(issuer: Identities, url: str) -> dict[str, str]:
    """Tokens that open nothing, each for one reason."""
    now = int(time.time())
    good = issuer.token(url, READ)
    head, body, signature = good.split(".")
    return {
        "expired": issuer.token(url, READ, exp=now - 60),
        "not yet": issuer.token(url, READ, nbf=now + 300),
        "made later": issuer.token(url, READ, iat=now + 300),
        "without an end": issuer.token(url, READ, exp=None),
        "without a bearer": issuer.token(url, READ, sub=None),
        "without an audience": issuer.token(None, READ),
        "for nobody": issuer.token([], READ),
        "for the root": issuer.token(url.partition("/mcp")[0] + "/", READ),
        "for the beginning": issuer.token(url[:-2], READ),
        "for what is below": issuer.token(f"{url}x", READ),
        "of another issuer": issuer.token(url, READ, iss="https://login.example.com"),
        "of none": issuer.token(url, READ, iss=None),
        "of several": jwt.encode(
            {"sub": "ada", "aud": url, "exp": now + 60}, issuer.keys["first"], "RS256", headers={"kid": "first"}
        ),
        "of another key": issuer.token(url, READ, key=rsa_key(0)),
        "of an unknown key": issuer.token(url, READ, kid="unknown"),
        "of another kind of key": issuer.token(url, READ, key=elliptic_key(), algorithm="ES256"),
        "signed with the public key": signed_with_a_secret(good, public_pem(issuer)),
        "not signed": issuer.token(url, READ, key="", algorithm="none"),
        "without its signature": f"{head}.{body}.",
        "with the signature of another": f"{head}.{body}.{issuer.token(url, 'x').split('.')[2]}",
        "with other claims": f"{head}.{issuer.token(url, 'orders:read').split('.')[1]}.{signature}",
        "with its own key": issuer.token(url, READ, key=rsa_key(0), header={"jwk": issuer.jwks()["keys"][0]}),
        "with a header that matters": issuer.token(url, READ, header={"crit": ["exp"], "exp": now}),
        "of another kind": issuer.token(url, READ, typ="logout+jwt"),
        "with a strange kid": issuer.token(url, READ, kid="../../etc/passwd"),
    }


def test_what_is_made_wrong_opens_nothing(
    oauth_server: Process, shops_issuer: Identities, acme: World, globex: World
) -> None:
    url = oauth_server.mcp("acme")
    assert listed(oauth_server, "acme", shops_issuer.token(url, READ)).status_code == 200

    answers = {why: told(listed(oauth_server, "acme", token)) for why, token in made_wrong(shops_issuer, url).items()}

    expected = told(listed(oauth_server, "acme", "invented"))
    assert answers == dict.fromkeys(answers, expected)
    assert expected[0] == 401
    assert 'error="invalid_token"' in expected[1]


@pytest.mark.parametrize(
    "token",
    ["x.y.z", "e30.e30.e30", "..", "a.b", "eyJhbGciOiJSUzI1NiJ9.W10.x", "eyJhbGciOiJSUzI1NiJ9.bnVsbA.x", "x" * 9000],
)
def test_junk_is_no_token(token: str, oauth_server: Process, acme: World) -> None:
    assert told(listed(oauth_server, "acme", token)) == told(listed(oauth_server, "acme", "invented"))


def test_numbers_that_are_none_are_no_times(oauth_server: Process, shops_issuer: Identities, acme: World) -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"first"}').rstrip(b"=").decode()
    expected = told(listed(oauth_server, "acme", "invented"))

    for exp in ("1e400", "NaN", '"never"', "{}", "[" * 900 + "]" * 900):
        body = f'{{"iss":"{shops_issuer.url}","sub":"ada","aud":"{oauth_server.mcp("acme")}","exp":{exp}}}'
        token = f"{head}.{base64.urlsafe_b64encode(body.encode()).rstrip(b'=').decode()}.x"
        assert told(listed(oauth_server, "acme", token)) == expected, exp


def test_a_token_of_one_tenant_is_none_at_another(
    oauth_server: Process, shops_issuer: Identities, acme: World, globex: World
) -> None:
    token = shops_issuer.token(oauth_server.mcp("acme"), READ)
    of_nobody = shops_issuer.token(oauth_server.mcp("nobody"), READ)

    answers = [
        told(listed(oauth_server, tenant, each)) for tenant, each in [("globex", token), ("globex", "x"), ("acme", "x")]
    ]
    unknown = told(listed(oauth_server, "nobody", of_nobody))

    assert answers[0] == answers[1]
    for one, other in ((answers[1], "globex"), (answers[2], "acme"), (unknown, "nobody")):
        assert one[0] == 401
        assert one[1].replace(f"/{other}/", "/x/") == answers[2][1].replace("/acme/", "/x/")
        assert one[2] == answers[2][2]


def test_an_unknown_tenant_is_told_what_a_known_one_is(oauth_server: Process, acme: World) -> None:
    for token in ("", "invented"):
        known, unknown = (told(listed(oauth_server, tenant, token)) for tenant in TENANTS)
        assert known == (unknown[0], unknown[1].replace("nobody", "acme"), unknown[2])


def test_who_shows_no_token_is_told_where_to_get_one(
    oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    status, challenge, _ = told(listed(oauth_server, "acme", ""))

    assert status == 401
    assert f'resource_metadata="{metadata_url(oauth_server, "acme")}"' in challenge
    assert challenge.startswith('Bearer realm="mcp", resource_metadata=')
    assert f'scope="{" ".join(sorted(set(map(str, Scope)) - {str(Scope.DEMO_WRITE)}))}"' in challenge
    assert "error" not in challenge


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("end", ["/", ""])
def test_the_metadata_names_the_url_and_the_issuer(
    tenant: str, end: str, oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    answer = httpx2.get(metadata_url(oauth_server, tenant, end))

    assert answer.json() == {
        "resource": oauth_server.mcp(tenant).removesuffix("/") + end,
        "resource_name": "django-tenant-mcp",
        "authorization_servers": [shops_issuer.url],
        "scopes_supported": sorted(set(map(str, Scope)) - {str(Scope.DEMO_WRITE)}),
        "bearer_methods_supported": ["header"],
    }


def test_metadata_is_read_and_nothing_else(oauth_server: Process, acme: World) -> None:
    url = metadata_url(oauth_server, "acme")

    assert httpx2.head(url).status_code == 200
    assert httpx2.post(url).status_code == 405
    assert httpx2.get(url, headers={"Host": "evil.example"}).status_code == 421
    assert httpx2.get(url, headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_page_for_people_asks_for_no_token_and_says_that_they_sign_in(oauth_server: Process, acme: World) -> None:
    told = {}
    for language in ("en", "zh-TW"):
        headers = {"Accept": "text/html", "Accept-Language": language}
        told[language] = httpx2.get(oauth_server.mcp("acme"), headers=headers).text

    assert "The first time, the client opens a page where you sign in." in told["en"]
    assert "第一次連線時，用戶端會開啟登入頁面。" in told["zh-TW"]
    assert not any("token" in text.lower() or "權杖" in text for text in told.values())


@pytest.mark.parametrize("scope", ["", "everything", "openid profile", "products:read:all"])
def test_a_token_without_a_scope_of_this_server_asks_for_one(
    scope: str, oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    status, challenge, text = told(listed(oauth_server, "acme", shops_issuer.token(oauth_server.mcp("acme"), scope)))

    assert (status, json.loads(text)["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in challenge
    assert f'resource_metadata="{metadata_url(oauth_server, "acme")}"' in challenge
    assert READ in challenge.partition("scope=")[2]


def test_a_scope_on_request_is_one_that_the_issuer_may_grant(
    oauth_server: Process, shops_issuer: Identities, acme: World
) -> None:
    token = shops_issuer.token(oauth_server.mcp("acme"), str(Scope.DEMO_WRITE))

    assert "create_demo_data" in listed(oauth_server, "acme", token).text


@pytest.mark.parametrize("claim", ["scope", "scp"])
def test_scopes_may_be_a_list(claim: str, oauth_server: Process, shops_issuer: Identities, acme: World) -> None:
    told_scopes: dict[str, Any] = {"scope": None} | {claim: [READ]}

    token = shops_issuer.token(oauth_server.mcp("acme"), **told_scopes)

    assert "get_product" in listed(oauth_server, "acme", token).text


def test_the_tokens_of_the_shop_are_taken_too(oauth_server: Process, acme: World) -> None:
    assert listed(oauth_server, "acme", acme.token).status_code == 200


def test_the_platform_takes_its_own_tokens_alone(oauth_server: Process, shops_issuer: Identities, acme: World) -> None:
    token = shops_issuer.token(oauth_server.mcp(""), str(Scope.TENANTS_READ))

    assert listed(oauth_server, "", platform_token()).status_code == 200
    status, challenge, _ = told(listed(oauth_server, "", token))
    assert status == 401
    assert "resource_metadata" not in challenge
    assert httpx2.get(f"{oauth_server.url}/.well-known/oauth-protected-resource/mcp/").status_code == 404


def test_a_suspended_tenant_is_an_unknown_one(
    oauth_server: Process, shops_issuer: Identities, acme: World, admin: Any
) -> None:
    admin.execute("UPDATE core_tenant SET is_active = false WHERE subdomain = 'acme'")

    answer = listed(oauth_server, "acme", shops_issuer.token(oauth_server.mcp("acme"), READ))

    assert told(answer) == told(listed(oauth_server, "acme", "invented"))
