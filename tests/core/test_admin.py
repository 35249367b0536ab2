"""The admin: staff of the platform work on every tenant, and each page leaves its audit row."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client

from core.models import Tenant, TenantUser
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
