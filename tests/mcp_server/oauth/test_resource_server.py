"""What a project may say of its issuers, and issuers that change their keys, are asked, or do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from starlette.applications import Starlette
from starlette.routing import Mount

from mcp_server import Issuer, ResourceServer
from mcp_server.checks import missing_apps
from mcp_server.oauth.fetching import MAX_BYTES, Unavailable, fetched
from mcp_server.oauth.keys import (
    FETCH_INTERVAL,
    KEYS_LIFETIME,
    KEYS_LIFETIME_WITHOUT_ISSUER,
    MAX_FETCHES,
    Keys,
)
from tests.mcp_server.test_app import asked, call, naming
from tests.mcp_server.test_installed import without
from tests.support.issuers import CLIENT, Identities, elliptic_key, generate_rsa_key
from tests.support.world import World

ACME = "http://localhost/mcp/acme/"
READ = "names:read"


def answered(resource_server: ResourceServer, *tokens: str, path: str = "/mcp/acme/") -> list[httpx2.Response]:
    mcp = naming("desk", authenticate=resource_server)

    async def story(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        return [await call(client, path, "tools/list", token) for token in tokens]

    answers: list[httpx2.Response] = asked(mcp.asgi(), story)
    return answers


def statuses(resource_server: ResourceServer, *tokens: str) -> list[int]:
    return [answer.status_code for answer in answered(resource_server, *tokens)]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ResourceServer(), "has an issuer"),
        (lambda: ResourceServer("https://a.example", "https://a.example"), "have one URL"),
        (lambda: ResourceServer("https://a.example", audience="desk"), 'write tenant_claim="..."'),
        (lambda: ResourceServer("http://a.example"), "is no https URL"),
        (lambda: ResourceServer("https://a.example?x=1"), "is no https URL"),
        (lambda: ResourceServer("a.example"), "is no https URL"),
        (lambda: ResourceServer(Issuer("https://a.example", algorithms=frozenset({"HS256"}))), "may sign with HS256"),
        (lambda: ResourceServer(Issuer("https://a.example", algorithms=frozenset({"none"}))), "may sign with none"),
        (lambda: ResourceServer(Issuer("https://a.example", algorithms=frozenset())), "may sign with nothing"),
        (
            lambda: ResourceServer(Issuer("https://a.example", ("a", "b")), Issuer("https://b.example", ("a", "b"))),
            "give one Issuer alone a client",
        ),
    ],
)
def test_what_can_not_be_meant_is_refused(make: Callable[[], ResourceServer], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        make()

    assert sentence in str(error.value)


def test_it_needs_the_app_that_finds_a_tenant() -> None:
    mcp = naming("desk", authenticate=ResourceServer("https://a.example"))

    with without("mcp_server.tokens"):
        assert [error.id for error in missing_apps(mcp)] == ["mcp_server.E003"]


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("acme", 200),
        (["globex", "acme"], 200),
        ({"acme": {"id": 1}}, 200),
        ("globex", 401),
        ("acm", 401),
        (["acme corp"], 401),
        ({}, 401),
        (None, 401),
        (1, 401),
        (True, 401),
    ],
)
def test_where_the_audience_is_one_for_all_a_claim_names_the_tenants(
    claim: Any, status: int, issuer: Identities, acme: World, globex: World
) -> None:
    resource_server = ResourceServer(issuer.url, audience="desk", tenant_claim="organization")

    assert statuses(resource_server, issuer.token("desk", READ, organization=claim)) == [status]
    # The URL is no audience any more.
    assert statuses(resource_server, issuer.token(ACME, READ, organization="acme")) == [401]


def test_the_claim_counts_beside_the_url_too(issuer: Identities, acme: World, globex: World) -> None:
    resource_server = ResourceServer(issuer.url, tenant_claim="organization")

    tokens = [issuer.token(ACME, READ, organization=each) for each in ("acme", "globex")]

    assert statuses(resource_server, *tokens) == [200, 401]


def test_the_words_of_an_issuer_stand_for_scopes(issuer: Identities, acme: World) -> None:
    resource_server = ResourceServer(
        issuer.url, scope_claims=["permissions"], scopes={"desk.read": [READ], "desk.other": ["other:read"]}
    )

    read, unknown = answered(resource_server, *(issuer.token(ACME, permissions=[each]) for each in ("desk.read", READ)))

    assert "desk_names" in read.text
    assert unknown.status_code == 403
    assert unknown.headers["www-authenticate"].endswith('scope="desk.read"')


def test_without_tokens_of_ours_only_those_of_the_issuer_open(issuer: Identities, acme: World) -> None:
    assert statuses(ResourceServer(issuer.url, tokens=False), acme.token, issuer.token(ACME, READ)) == [401, 200]


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
def test_one_key_is_good_for_each_algorithm_of_its_kind(algorithm: str, issuer: Identities, acme: World) -> None:
    assert statuses(ResourceServer(issuer.url), issuer.token(ACME, READ, algorithm=algorithm)) == [200]


def test_a_key_may_be_elliptic(issuer: Identities, acme: World) -> None:
    issuer.keys = {"curve": elliptic_key()}

    assert statuses(ResourceServer(issuer.url), issuer.token(ACME, READ, algorithm="ES256")) == [200]


def test_an_issuer_may_sign_with_some_algorithms_alone(issuer: Identities, acme: World) -> None:
    only = ResourceServer(Issuer(issuer.url, algorithms=frozenset({"PS256"})))

    assert statuses(only, *(issuer.token(ACME, READ, algorithm=each) for each in ("PS256", "RS256"))) == [200, 401]


def test_a_short_key_is_none(issuer: Identities, acme: World) -> None:
    issuer.keys = {"short": generate_rsa_key(65537, 1024)}

    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token(ACME, READ)

    assert statuses(ResourceServer(issuer.url), token) == [401]


def test_a_token_without_a_key_id_is_of_the_only_key(issuer: Identities, acme: World) -> None:
    token = issuer.token(ACME, READ, kid="")
    bare = jwt.encode(jwt.decode(token, options={"verify_signature": False}), issuer.keys["first"], "RS256")

    assert statuses(ResourceServer(issuer.url), bare) == [200]


def test_keys_that_change_are_fetched_again(issuer: Identities, acme: World) -> None:
    resource_server = ResourceServer(issuer.url)
    mcp = naming("desk", authenticate=resource_server)
    old = issuer.token(ACME, READ)

    async def story(client: httpx2.AsyncClient) -> list[int]:
        before = (await call(client, "/mcp/acme/", "tools/list", old)).status_code
        await asyncio.to_thread(issuer.rotate, "second")
        after = (await call(client, "/mcp/acme/", "tools/list", issuer.token(ACME, READ))).status_code
        # With the new keys the old one is gone.
        gone = (await call(client, "/mcp/acme/", "tools/list", issuer.token(ACME, READ, kid="first"))).status_code
        return [before, after, gone]

    assert asked(mcp.asgi(), story) == [200, 200, 401]


def test_many_unknown_keys_fetch_few_times(issuer: Identities, acme: World) -> None:
    tokens = [issuer.token(ACME, READ, kid=f"made up {number}") for number in range(20)]

    answers = statuses(ResourceServer(issuer.url), *tokens, issuer.token(ACME, READ))

    assert answers == [401] * 20 + [200]
    assert issuer.hits["/jwks"] <= MAX_FETCHES + 1


def test_many_at_once_fetch_once(issuer: Identities, acme: World) -> None:
    mcp = naming("desk", authenticate=ResourceServer(issuer.url))

    async def story(client: httpx2.AsyncClient) -> list[int]:
        tokens = [issuer.token(ACME, READ, sub=f"person {number}") for number in range(10)]
        answers = await asyncio.gather(*(call(client, "/mcp/acme/", "tools/list", token) for token in tokens))
        return [answer.status_code for answer in answers]

    assert asked(mcp.asgi(), story) == [200] * 10
    assert issuer.hits["/jwks"] == 1


def test_an_issuer_that_does_not_answer_opens_nothing_and_says_so(
    issuer: Identities, acme: World, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.is_down = True
    token = issuer.token(ACME, READ)

    [answer] = answered(ResourceServer(issuer.url), token)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "www-authenticate" not in answer.headers
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "a token could not be checked" in caplog.text
    assert token not in caplog.text


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def found(keys: Keys, clock: Clock, *steps: tuple[float, str]) -> list[bool | None]:
    """Whether a key is found, so many seconds later each; None where that is not known."""

    async def run() -> list[bool | None]:
        answers: list[bool | None] = []
        for seconds, kid in steps:
            clock.now += seconds
            try:
                answers.append(await keys.find(kid, "RS256") is not None)
            except Unavailable:
                answers.append(None)
        return answers

    return asyncio.run(run())


def test_keys_outlive_a_short_silence_of_their_issuer(issuer: Identities) -> None:
    clock = Clock()
    keys = Keys(Issuer(issuer.url), clock)
    assert found(keys, clock, (0, "first")) == [True]
    issuer.is_down = True

    known = found(keys, clock, (KEYS_LIFETIME + 1, "first"), (KEYS_LIFETIME_WITHOUT_ISSUER, "first"))

    assert known == [True, None]
    issuer.is_down = False
    assert found(keys, clock, (FETCH_INTERVAL + 1, "first")) == [True]


def test_a_key_that_is_withdrawn_is_good_no_longer_than_the_keys_are_kept(issuer: Identities) -> None:
    clock = Clock()
    keys = Keys(Issuer(issuer.url), clock)
    assert found(keys, clock, (0, "first")) == [True]
    issuer.rotate("second")

    assert found(keys, clock, (KEYS_LIFETIME - 1, "first"), (2, "first")) == [True, False]


def test_an_issuer_in_trouble_is_asked_now_and_then(issuer: Identities) -> None:
    clock = Clock()
    keys = Keys(Issuer(issuer.url), clock)
    issuer.is_down = True

    found(keys, clock, *[(0, "first")] * 20, (FETCH_INTERVAL, "first"), (0, "first"))

    assert issuer.hits.total() == MAX_FETCHES + 1


def test_keys_are_not_of_this_loop_or_that(issuer: Identities) -> None:
    clock = Clock()
    keys = Keys(Issuer(issuer.url), clock)

    assert found(keys, clock, (0, "first")) == found(keys, clock, (KEYS_LIFETIME + 1, "first")) == [True]


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": "https://login.example.com"},
        {"jwks_uri": None},
        {"jwks_uri": "http://keys.example.com/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ["https://keys.example.com/jwks"]},
    ],
)
def test_metadata_that_can_not_be_believed_opens_nothing(more: dict[str, Any], issuer: Identities, acme: World) -> None:
    issuer.more_metadata = more

    assert statuses(ResourceServer(issuer.url), issuer.token(ACME, READ)) == [503]


@pytest.mark.parametrize("path", ["/large", "/elsewhere", "/nothing"])
def test_keys_are_no_larger_than_they_may_be_and_stand_where_they_are_said_to(
    path: str, issuer: Identities, acme: World
) -> None:
    issuer.more_metadata = {"jwks_uri": f"{issuer.url}{path}"}

    assert statuses(ResourceServer(issuer.url), issuer.token(ACME, READ)) == [503]
    assert issuer.hits["/jwks"] == 0
    assert MAX_BYTES < 2**20


@pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"])
def test_an_issuer_is_discovered_in_both_ways(path: str, issuer: Identities, acme: World) -> None:
    issuer.metadata_path = path

    assert statuses(ResourceServer(issuer.url), issuer.token(ACME, READ)) == [200]


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/realms/desk",
        "/.well-known/openid-configuration/realms/desk",
        "/realms/desk/.well-known/openid-configuration",
    ],
)
def test_an_issuer_with_a_path_is_discovered_in_three(path: str, issuer: Identities, acme: World) -> None:
    root, issuer.metadata_path = issuer.url, path
    issuer.url = f"{root}/realms/desk"
    issuer.more_metadata = {"jwks_uri": f"{root}/jwks"}

    assert statuses(ResourceServer(issuer.url), issuer.token(ACME, READ)) == [200]


def test_two_issuers_vouch_for_their_own(issuer: Identities, shops_issuer: Identities, acme: World) -> None:
    both = ResourceServer(issuer.url, shops_issuer.url)
    crossed = shops_issuer.token(ACME, READ, iss=issuer.url)

    assert statuses(both, issuer.token(ACME, READ), shops_issuer.token(ACME, READ), crossed) == [200, 200, 401]


def asking(issuer: Identities, **options: Any) -> ResourceServer:
    return ResourceServer(Issuer(issuer.url, CLIENT), **options)


def test_an_issuer_is_asked_about_each_token(issuer: Identities, acme: World) -> None:
    good, gone = issuer.opaque(ACME, READ), issuer.opaque(ACME, READ)
    del issuer.good[gone]

    assert statuses(asking(issuer), good, gone, "invented") == [200, 401, 401]


def test_what_is_revoked_opens_nothing_more(issuer: Identities, acme: World) -> None:
    mcp = naming("desk", authenticate=asking(issuer))
    tokens = [issuer.opaque(ACME, READ), issuer.token(ACME, READ)]
    issuer.good[tokens[1]] = jwt.decode(tokens[1], options={"verify_signature": False}) | {"active": True}

    async def once(client: httpx2.AsyncClient) -> list[int]:
        return [(await call(client, "/mcp/acme/", "tools/list", token)).status_code for token in tokens]

    def story() -> list[int]:
        statuses: list[int] = asked(mcp.asgi(), once)
        return statuses

    assert story() == [200, 200]
    issuer.good.clear()
    # Each lifespan has found nobody yet, as if a second had passed.
    assert story() == [401, 401]


@pytest.mark.parametrize(
    "more",
    [
        {"active": "true"},
        {"active": 1},
        {"active": False},
        {"aud": None},
        {"aud": "http://localhost/mcp/globex/"},
        {"aud": {"http://localhost/mcp/acme/": 1}},
        {"iss": "https://login.example.com"},
        {"exp": 1},
        {"exp": "4102444800"},
        {"nbf": 4102444800},
        {"sub": None},
        {"sub": ["ada"]},
        {"sub": "a\x00b"},
        {"sub": "a" * 300},
    ],
)
def test_what_an_issuer_says_has_to_fit(more: dict[str, Any], issuer: Identities, acme: World) -> None:
    assert statuses(asking(issuer), issuer.opaque(ACME, READ), issuer.opaque(ACME, READ, **more)) == [200, 401]


def test_a_machine_is_known_by_its_client(issuer: Identities, acme: World) -> None:
    assert statuses(asking(issuer), issuer.opaque(ACME, READ, sub=None, client_id="robot")) == [200]


def test_who_may_not_ask_finds_nothing_out(issuer: Identities, acme: World) -> None:
    stranger = ResourceServer(Issuer(issuer.url, ("stranger", "guessed")))

    assert statuses(stranger, issuer.opaque(ACME, READ)) == [503]


def test_the_url_of_another_mount_has_its_own_metadata(issuer: Identities, acme: World) -> None:
    mcp = naming("desk", authenticate=ResourceServer(issuer.url))
    app = Starlette(routes=[Mount("/v1", mcp.asgi(at="/assist"))], lifespan=mcp.lifespan)
    url = "http://localhost/v1/assist/acme/"

    async def story(client: httpx2.AsyncClient) -> Any:
        refused = await call(client, "/v1/assist/acme/", "tools/list")
        told = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
        good = await call(client, "/v1/assist/acme/", "tools/list", issuer.token(url, READ))
        return told, (await client.get(told)).json()["resource"], good.status_code

    told, resource, status = asked(app, story)

    assert told == "http://localhost/v1/.well-known/oauth-protected-resource/assist/acme/"
    assert (resource, status) == (url, 200)


def test_a_page_of_a_named_origin_reads_the_metadata(issuer: Identities, acme: World, settings: Any) -> None:
    settings.MCP_ALLOWED_ORIGINS = ["https://app.example.com"]
    mcp = naming("desk", authenticate=ResourceServer(issuer.url))
    path = "/.well-known/oauth-protected-resource/mcp/acme/"

    answer = asked(mcp.asgi(), lambda client: client.get(path, headers={"Origin": "https://app.example.com"}))

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"


def test_the_older_pair_is_the_endpoint_that_its_urls_are_below(issuer: Identities, acme: World, settings: Any) -> None:
    settings.MCP_SESSIONS = "stateful"
    mcp = naming("desk", authenticate=ResourceServer(issuer.url))

    async def story(client: httpx2.AsyncClient) -> list[str]:
        refused = [await client.get("/mcp/acme/sse"), await client.post("/mcp/acme/messages/?session_id=1")]
        return [answer.headers["www-authenticate"] for answer in refused]

    for challenge in asked(mcp.asgi(), story):
        assert 'metadata="http://localhost/.well-known/oauth-protected-resource/mcp/acme/"' in challenge


def test_a_server_without_an_issuer_has_no_metadata(acme: World) -> None:
    path = "/.well-known/oauth-protected-resource/mcp/acme/"

    assert asked(naming("desk").asgi(), lambda client: client.get(path)).status_code == 404


def fetching(url: str) -> dict[str, Any] | None:
    return asyncio.run(fetched(url))


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "ftp://127.0.0.1/x", "https:///x", "127.0.0.1/x", "http://127.0.0.1.example.com/x"]
)
def test_nothing_is_fetched_that_can_not_be_believed(url: str) -> None:
    with pytest.raises(Unavailable, match="no https URL"):
        fetching(url)


def test_public_url_is_what_tokens_are_made_for(issuer: Identities, acme: World, settings: Any) -> None:
    settings.PUBLIC_URL = "https://desk.example.com"
    tokens = [issuer.token(each, READ) for each in ("https://desk.example.com/mcp/acme", ACME)]

    good, wrong = answered(ResourceServer(issuer.url), *tokens)

    assert (good.status_code, wrong.status_code) == (200, 401)
    assert (
        "https://desk.example.com/.well-known/oauth-protected-resource/mcp/acme/" in wrong.headers["www-authenticate"]
    )
