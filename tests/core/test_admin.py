"""The admin: staff of the platform work on every tenant, and each page leaves its audit row."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.test import Client

import rls
from core.admin import TenantUserAdmin
from core.models import Membership, Tenant, TenantUser
from mcp_server.ledger.models import AuditEvent
from mcp_server.tokens import resolver
from tests.support.world import World, platform_token, working

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def staff(database: str) -> Client:
    """A browser in which the superuser nina is signed in."""
    browser = Client(headers=ENGLISH)
    browser.force_login(User.objects.create_superuser("nina"))
    return browser


def audit(admin: psycopg.Connection) -> list[tuple[Any, ...]]:
    return admin.execute(
        "SELECT actor, reason, origin FROM app.platform_audit WHERE actor <> 'tests' ORDER BY id"
    ).fetchall()


@pytest.mark.django_db
def test_staff_sign_in_with_a_password(database: str) -> None:
    User.objects.create_superuser("nina", password="a long password")
    browser = Client(headers=ENGLISH)

    wrong = browser.post("/admin/login/?next=/admin/", {"username": "nina", "password": "another password"})
    right = browser.post("/admin/login/?next=/admin/", {"username": "nina", "password": "a long password"})

    assert b"Please enter the correct username and password" in wrong.content
    assert (right.status_code, right["Location"]) == (302, "/admin/")
    assert b"Site administration" in browser.get("/admin/").content


@pytest.mark.parametrize("who", ["a visitor", "a user who is not staff"])
def test_others_are_sent_to_sign_in(acme: World, admin: psycopg.Connection, who: str) -> None:
    browser = Client()
    if who != "a visitor":
        browser.force_login(User.objects.create_user("paul"))

    answers = [browser.get(url) for url in ("/admin/", "/admin/core/tenant/", "/admin/core/tenantuser/add/")]

    assert {answer.status_code for answer in answers} == {302}
    assert all(answer["Location"].startswith("/admin/login/?next=/admin/") for answer in answers)
    assert audit(admin) == []


@pytest.mark.django_db
def test_each_page_leaves_one_audit_row(staff: Client, acme: World, admin: psycopg.Connection) -> None:
    staff.get("/admin/core/tenant/", REMOTE_ADDR="192.0.2.7")
    staff.post("/admin/core/tenant/add/", {"name": "", "subdomain": "initech", "locale": "en"})

    assert audit(admin) == [
        ("nina", "admin GET /admin/core/tenant/", "192.0.2.7"),
        ("nina", "admin POST /admin/core/tenant/add/", "127.0.0.1"),
    ]


@pytest.mark.django_db
def test_staff_see_the_tenants_and_users_of_all_tenants(staff: Client, acme: World, globex: World) -> None:
    tenants = staff.get("/admin/core/tenant/").content.decode()
    users = staff.get("/admin/core/tenantuser/").content.decode()
    users_of_acme = staff.get(f"/admin/core/tenantuser/?tenant__id__exact={acme.id}").content.decode()

    assert all(name in tenants for name in (">Acme<", ">Globex<"))
    assert all(email in users for email in ("ada@acme.example", "ada@globex.example"))
    assert "ada@acme.example" in users_of_acme
    assert "ada@globex.example" not in users_of_acme


@pytest.mark.django_db
def test_staff_create_a_tenant(staff: Client, database: str) -> None:
    facts = {"name": "Initech", "subdomain": "initech", "locale": "en", "is_active": "on"}

    answer = staff.post("/admin/core/tenant/add/", facts)

    assert answer.status_code == 302
    principal = resolver.open_endpoint("initech")
    assert principal is not None
    assert principal.locale == "en"


@pytest.mark.parametrize(
    ("subdomain", "message"),
    [
        ("acme", "Tenant with this Subdomain already exists."),
        ("No Label", "A subdomain must consist of lower-case letters"),
    ],
)
@pytest.mark.django_db
def test_a_form_error_is_shown(staff: Client, acme: World, subdomain: str, message: str) -> None:
    facts = {"name": "Initech", "subdomain": subdomain, "locale": "en", "is_active": "on"}

    answer = staff.post("/admin/core/tenant/add/", facts)

    assert answer.status_code == 200
    assert message in answer.content.decode()
    with working():
        assert Tenant.objects.count() == 1


@pytest.mark.django_db
def test_staff_suspend_a_tenant(staff: Client, acme: World, globex: World) -> None:
    without_is_active = {"name": "Acme", "subdomain": "acme", "locale": "en"}

    answer = staff.post(f"/admin/core/tenant/{acme.id}/change/", without_is_active)

    assert answer.status_code == 302
    assert resolver.authenticate(acme.token, slug="acme") is None
    assert resolver.authenticate(globex.token, slug="globex") is not None


@pytest.mark.django_db
def test_staff_add_a_user_to_the_tenant_they_choose(staff: Client, acme: World, globex: World) -> None:
    facts = {"username": "bob", "email": "bob@globex.example", "role": "owner"}

    answer = staff.post("/admin/core/tenantuser/add/", {"tenant": str(globex.id), **facts})

    assert answer.status_code == 302
    with working():
        assert list(TenantUser.objects.filter(username="bob").values("tenant", "email", "role")) == [
            {"tenant": globex.id, "email": "bob@globex.example", "role": "owner"}
        ]


@pytest.mark.django_db
def test_a_user_name_that_the_tenant_has_already_is_a_form_error(staff: Client, acme: World, globex: World) -> None:
    with working():
        bob = TenantUser.objects.create(tenant_id=acme.id, username="bob", email="bob@acme.example")
    taken = {"tenant": str(acme.id), "username": "ada", "email": "ada@acme.example", "role": "staff"}

    added = staff.post("/admin/core/tenantuser/add/", taken)
    renamed = staff.post(f"/admin/core/tenantuser/{bob.id}/change/", taken)

    for answer in (added, renamed):
        assert answer.status_code == 200
        assert "already exists" in answer.content.decode()


@pytest.mark.django_db
def test_a_user_stays_in_its_tenant(staff: Client, acme: World, globex: World) -> None:
    facts = {"username": "ada", "email": "new@acme.example", "role": "staff"}

    answer = staff.post(f"/admin/core/tenantuser/{acme.user_id}/change/", {"tenant": str(globex.id), **facts})

    assert answer.status_code == 302
    with working():
        ada = TenantUser.objects.get(id=acme.user_id)
    assert (ada.tenant_id, ada.email) == (acme.id, "new@acme.example")


@pytest.mark.django_db
def test_staff_say_who_may_sign_in_for_a_tenant(staff: Client, acme: World) -> None:
    mei = User.objects.create_user("mei")
    facts = {"tenant": str(acme.id), "user": mei.pk, "role": "viewer"}

    added = staff.post("/admin/core/membership/add/", facts)
    again = staff.post("/admin/core/membership/add/", facts)
    with working():
        made = Membership.objects.get(user=mei)
    changed = staff.post(f"/admin/core/membership/{made.id}/change/", {"role": "owner"})
    listed = staff.get("/admin/core/membership/?q=mei").content.decode()
    deleted = staff.post(f"/admin/core/membership/{made.id}/delete/", {"post": "yes"})

    assert (added.status_code, made.role, changed.status_code, deleted.status_code) == (302, "viewer", 302, 302)
    assert "already exists" in again.content.decode()
    assert ">mei<" in listed
    with rls.tenant_context(acme.id):
        events = AuditEvent.objects.filter(subject="member mei").order_by("created_at")
        assert list(events.values_list("action", "actor")) == [
            ("add_member", "nina"),
            ("change_role", "nina"),
            ("remove_member", "nina"),
        ]


@pytest.mark.django_db
def test_staff_delete_a_tenant_with_all_it_has(staff: Client, acme: World, globex: World) -> None:
    answer = staff.post(f"/admin/core/tenant/{acme.id}/delete/", {"post": "yes"})

    assert answer.status_code == 302
    with working():
        assert [tenant.subdomain for tenant in Tenant.objects.all()] == ["globex"]


@pytest.mark.parametrize("kind", ["apitoken", "platformtoken"])
@pytest.mark.django_db
def test_staff_revoke_a_token(staff: Client, acme: World, admin: psycopg.Connection, kind: str) -> None:
    platform = platform_token()
    [token_id] = admin.execute(f"SELECT id FROM mcp_tokens_{kind}").fetchone() or [None]

    page = staff.get(f"/admin/mcp_tokens/{kind}/{token_id}/change/")
    answer = staff.post(
        f"/admin/mcp_tokens/{kind}/{token_id}/change/", {"revoked_at_0": "2020-01-01", "revoked_at_1": "00:00"}
    )

    assert (page.status_code, answer.status_code) == (200, 302)
    is_valid = {
        "apitoken": resolver.authenticate(acme.token, slug="acme") is not None,
        "platformtoken": resolver.authenticate_platform(platform) is not None,
    }
    assert is_valid.pop(kind) is False
    assert list(is_valid.values()) == [True]


@pytest.mark.parametrize("kind", ["apitoken", "platformtoken"])
@pytest.mark.django_db
def test_no_token_is_minted_in_the_admin(staff: Client, kind: str) -> None:
    assert staff.get(f"/admin/mcp_tokens/{kind}/").status_code == 200
    assert staff.get(f"/admin/mcp_tokens/{kind}/add/").status_code == 403
    assert staff.post(f"/admin/mcp_tokens/{kind}/add/", {"name": "mine"}).status_code == 403


@pytest.mark.django_db
def test_staff_who_leave_are_made_inactive_and_not_deleted(staff: Client, database: str) -> None:
    colleague = User.objects.create_user("paul")

    answer = staff.post(f"/admin/auth/user/{colleague.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403, "the admin's log names its authors and is never rewritten"
    assert User.objects.filter(username="paul").exists()


# What people read.


@pytest.fixture
def many(acme: World, admin: psycopg.Connection) -> World:
    """Acme with a thousand rows of each kind that a page could list, among a thousand tenants."""
    admin.execute(
        "INSERT INTO core_tenant (id, name, subdomain, is_active)"
        " SELECT gen_random_uuid(), 'Many ' || n, 'many-' || n, true FROM generate_series(1, 1000) AS n"
    )
    admin.execute(
        "INSERT INTO core_product (tenant_id, sku, name, description, category, price_minor, currency, stock,"
        " reorder_level, is_active) SELECT %s, 'M-' || n, 'Many', '', '', 1, 'EUR', 0, 0, true"
        " FROM generate_series(1, 1000) AS n",
        [acme.id],
    )
    admin.execute(
        "INSERT INTO core_order (tenant_id, number, status, currency, placed_by_id)"
        " SELECT %s, 1000 + n, 'draft', 'EUR', %s FROM generate_series(1, 1000) AS n",
        [acme.id, acme.user_id],
    )
    admin.execute(
        "INSERT INTO core_tenantuser (tenant_id, username, email, role)"
        " SELECT %s, 'many' || n, 'many@acme.example', 'staff' FROM generate_series(1, 1000) AS n",
        [acme.id],
    )
    return acme


def rows_of(html: str) -> int:
    """How many things a page lists: rows, items and options."""
    return len(re.findall(r"<(?:tr|li|option)\b", html))


def test_no_page_lists_thousands(staff: Client, many: World, admin: psycopg.Connection) -> None:
    [token_id] = admin.execute("SELECT id FROM mcp_tokens_apitoken").fetchone() or [None]
    both = {"action": "delete_selected", "_selected_action": [str(many.id)]}
    pages = {
        **{
            url: staff.get(url)
            for url in [
                "/admin/",
                "/admin/core/tenant/",
                "/admin/core/tenant/add/",
                f"/admin/core/tenant/{many.id}/change/",
                f"/admin/core/tenant/{many.id}/delete/",
                f"/admin/core/tenant/{many.id}/history/",
                "/admin/core/tenantuser/",
                f"/admin/core/tenantuser/?tenant__id__exact={many.id}",
                "/admin/core/tenantuser/add/",
                f"/admin/core/tenantuser/{many.user_id}/change/",
                f"/admin/core/tenantuser/{many.user_id}/delete/",
                "/admin/mcp_tokens/apitoken/",
                f"/admin/mcp_tokens/apitoken/{token_id}/change/",
                f"/admin/mcp_tokens/apitoken/{token_id}/delete/",
                "/admin/autocomplete/?app_label=core&model_name=tenantuser&field_name=tenant&term=many",
            ]
        },
        "delete many": staff.post("/admin/core/tenant/", both),
    }

    assert {url: page.status_code for url, page in pages.items()} == dict.fromkeys(pages, 200)
    # A hundred rows stand on a page of a list, and a user of Django's has as many permissions.
    assert {url: rows for url, page in pages.items() if (rows := rows_of(page.content.decode())) > 200} == {}
    assert len(staff.get("/admin/autocomplete/", autocomplete("many")).json()["results"]) == 20


@pytest.mark.parametrize("page", ["core/tenant", "core/tenantuser", "auth/group", "mcp_tokens/apitoken"])
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (ENGLISH, "Items must be selected in order to perform actions on them."),
        ({"Accept-Language": "zh-TW"}, "必須要有項目"),
    ],
)
def test_what_is_no_id_chooses_no_row(
    page: str, headers: dict[str, str], said: str, staff: Client, acme: World
) -> None:
    action = {"action": "delete_selected", "_selected_action": ["x", "9" * 5_000], "index": "0"}

    answer = staff.post(f"/admin/{page}/", action, headers=headers, follow=True)

    assert answer.status_code == 200
    assert said in answer.content.decode()


def test_beside_what_is_no_id_the_rows_that_are_chosen_are_acted_on(staff: Client, acme: World, globex: World) -> None:
    chosen = {"action": "delete_selected", "_selected_action": ["x", str(acme.id)], "post": "yes"}

    staff.post("/admin/core/tenant/", chosen)

    with working():
        assert [tenant.subdomain for tenant in Tenant.objects.all()] == ["globex"]


@pytest.mark.parametrize("error", [ValueError("the action's own"), ValidationError("the action's own")])
def test_an_action_that_fails_is_not_taken_for_a_wrong_choice(
    error: Exception, staff: Client, acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(model_admin: Any, request: Any, queryset: Any) -> None:
        raise error

    monkeypatch.setattr(TenantUserAdmin, "actions", [failing])
    chosen = {"action": "failing", "_selected_action": [str(acme.user_id)], "index": "0"}

    with pytest.raises(type(error), match="the action's own"):
        staff.post("/admin/core/tenantuser/", chosen)


def test_a_row_on_the_site_that_is_named_by_no_id_is_not_found(staff: Client, acme: World) -> None:
    content_type = ContentType.objects.get_for_model(Tenant)

    assert staff.get(f"/admin/r/{content_type.id}/x/").status_code == 404


def autocomplete(term: str) -> dict[str, str]:
    return {"app_label": "core", "model_name": "tenantuser", "field_name": "tenant", "term": term}


def test_a_tenant_is_found_for_a_new_user(staff: Client, many: World) -> None:
    found = staff.get("/admin/autocomplete/", autocomplete("acme")).json()["results"]

    assert found == [{"id": str(many.id), "text": "Acme (acme)"}]
    assert "admin-autocomplete" in staff.get("/admin/core/tenantuser/add/").content.decode()


def test_before_a_tenant_is_deleted_its_rows_are_counted(staff: Client, many: World) -> None:
    page = staff.get(f"/admin/core/tenant/{many.id}/delete/").content.decode()

    assert "1,001 users" in page
    assert "1,001 products" in page
    assert "1,001 orders" in page


def test_tenants_that_are_chosen_in_the_list_are_deleted_with_all_they_have(
    staff: Client, acme: World, globex: World
) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [str(acme.id)], "post": "yes"}

    answer = staff.post("/admin/core/tenant/", chosen)

    assert answer.status_code == 302
    with working():
        assert [tenant.subdomain for tenant in Tenant.objects.all()] == ["globex"]


def test_a_user_whose_orders_are_there_is_not_deleted_and_they_are_counted(staff: Client, many: World) -> None:
    page = staff.get(f"/admin/core/tenantuser/{many.user_id}/delete/").content.decode()
    answer = staff.post(f"/admin/core/tenantuser/{many.user_id}/delete/", {"post": "yes"})

    assert "orders: 1001" in page
    assert answer.status_code == 200
    with working():
        assert TenantUser.objects.filter(id=many.user_id).exists()


def test_staff_who_may_not_delete_what_a_tenant_has_may_not_delete_it(acme: World) -> None:
    paul = User.objects.create_user("paul", is_staff=True)
    paul.user_permissions.set(Permission.objects.filter(codename__in=["delete_tenant", "view_tenant"]))
    browser = Client(headers=ENGLISH)
    browser.force_login(paul)

    page = browser.get(f"/admin/core/tenant/{acme.id}/delete/").content.decode()
    answer = browser.post(f"/admin/core/tenant/{acme.id}/delete/", {"post": "yes"})

    assert "user of a tenant" in page
    assert answer.status_code == 403
    with working():
        assert Tenant.objects.filter(id=acme.id).exists()


CHINESE = {"Accept-Language": "zh-TW"}
# Names of things, which are the same in every language.
SAME = re.compile(
    r"(?:acme|platform) token|django-tenant-mcp|nina|ada|acme|Acme|MCP|example|UTC|https?:|[\w.-]+@|RFC|DNS|English"
    r"|\w+:(?:read|write|contact)"
)


def texts_of(html: str) -> str:
    """What a page shows, without its names."""
    body = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<!--.*?-->", " ", html)
    return SAME.sub(" ", unescape(re.sub(r"<[^>]+>", "\n", body)))


def test_the_pages_are_in_the_language_of_their_reader(acme: World, admin: psycopg.Connection) -> None:
    browser = Client(headers=CHINESE)
    browser.force_login(User.objects.create_superuser("nina"))
    platform_token()
    [token_id] = admin.execute("SELECT id FROM mcp_tokens_apitoken").fetchone() or [None]
    pages = [
        "/admin/",
        "/admin/core/tenant/",
        "/admin/core/tenant/add/",
        f"/admin/core/tenant/{acme.id}/change/",
        f"/admin/core/tenant/{acme.id}/delete/",
        "/admin/core/tenantuser/",
        "/admin/core/tenantuser/add/",
        f"/admin/core/tenantuser/{acme.user_id}/change/",
        "/admin/mcp_tokens/apitoken/",
        f"/admin/mcp_tokens/apitoken/{token_id}/change/",
        "/admin/mcp_tokens/platformtoken/",
    ]

    left = {page: re.findall(r"[A-Za-z]{3,}", texts_of(browser.get(page).content.decode())) for page in pages}

    assert {page: words for page, words in left.items() if words} == {}


def test_a_wrong_subdomain_is_said_in_the_language_of_the_reader(database: str) -> None:
    browser = Client(headers=CHINESE)
    browser.force_login(User.objects.create_superuser("nina"))

    answer = browser.post("/admin/core/tenant/add/", {"name": "A", "subdomain": "No Label", "locale": "en"})

    assert "子域名只能使用小寫英文字母" in answer.content.decode()


def test_the_rows_of_a_tenant_are_counted_in_the_language_of_the_reader(acme: World) -> None:
    browser = Client(headers=CHINESE)
    browser.force_login(User.objects.create_superuser("nina"))

    page = browser.get(f"/admin/core/tenant/{acme.id}/delete/").content.decode()

    assert "Acme (acme)：1 位用戶" in page


@pytest.mark.parametrize(
    ("headers", "written"), [(ENGLISH, "Nov. 26, 2026, 7:30 a.m. UTC"), (CHINESE, "2026年11月26日 07:30 UTC")]
)
def test_a_time_says_its_zone(headers: dict[str, str], written: str, acme: World, admin: psycopg.Connection) -> None:
    browser = Client(headers=headers)
    browser.force_login(User.objects.create_superuser("nina"))
    admin.execute("UPDATE core_tenant SET created_at = '2026-11-26T07:30Z'")
    admin.execute("UPDATE mcp_tokens_apitoken SET created_at = '2026-11-26T07:30Z', last_used_at = '2026-11-26T07:30Z'")
    [token_id] = admin.execute("SELECT id FROM mcp_tokens_apitoken").fetchone() or [None]

    pages = ["/admin/core/tenant/", "/admin/mcp_tokens/apitoken/", f"/admin/mcp_tokens/apitoken/{token_id}/change/"]
    shown = {page: browser.get(page).content.decode() for page in pages}

    assert [page for page in pages if written not in shown[page]] == []
    assert re.search(r"In the time zone UTC\.|時區為 UTC。", shown[pages[2]])
