"""Who may sign in for a tenant, as the platform says it and as the database keeps it."""

from __future__ import annotations

import itertools
import re
from uuid import UUID

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db import DatabaseError, IntegrityError, connection, transaction

from core.mcp_tools.tools.audit_log import get_audit_log
from core.models import Membership, Tenant
from core.roles import SCOPES_OF_ROLES, Role
from core.scopes import Scope
from core.services import members
from mcp_server.ledger.models import AuditEvent
from rls import tenant_context
from rls.context import PLATFORM_ALIAS
from tests.core.test_commands import run
from tests.support.world import World, working


def roles_of(name: str) -> dict[str, str]:
    """The roles of a user by the tenant's subdomain."""
    with working():
        found = members.memberships_of(User.objects.get(username=name))
    return {each.tenant.subdomain: each.role for each in found}


def scopes_of(name: str, tenant_id: UUID) -> frozenset[Scope]:
    with working():
        return members.scopes_of(User.objects.get(username=name), Tenant.objects.get(id=tenant_id))


def test_a_user_is_a_member_of_several_tenants_and_each_sees_its_own(acme: World, globex: World) -> None:
    made = run("members add --tenant acme --user mei --role owner --create")
    run("members add --tenant globex --user mei --role viewer")
    run("members add --tenant globex --user lin --role staff --create")

    assert made == "mei is owner of acme\n"
    assert roles_of("mei") == {"acme": "owner", "globex": "viewer"}
    listed = [line.split("\t")[:3] for line in run("members list --tenant globex").splitlines()]
    assert [each for each in listed if each[0] in ("lin", "mei")] == [
        ["lin", "staff", "active"],
        ["mei", "viewer", "active"],
    ]
    with tenant_context(acme.id):
        assert [each.tenant_id for each in Membership.objects.all()] == [acme.id] * 2


def test_a_role_says_what_a_member_may_do(acme: World, globex: World) -> None:
    run("members add --tenant acme --user mei --role staff --create")

    assert scopes_of("mei", acme.id) == SCOPES_OF_ROLES[Role.STAFF]
    assert scopes_of("mei", globex.id) == frozenset()
    run("members change --tenant acme --user mei --role viewer")
    assert scopes_of("mei", acme.id) == SCOPES_OF_ROLES[Role.VIEWER]
    run("members remove --tenant acme --user mei")
    assert scopes_of("mei", acme.id) == frozenset()


def test_each_role_may_what_the_one_below_it_may_and_none_works_for_the_platform() -> None:
    steps = [SCOPES_OF_ROLES[role] for role in (Role.VIEWER, Role.STAFF, Role.MANAGER, Role.OWNER)]

    assert SCOPES_OF_ROLES.keys() == set(Role)
    assert all(lower < higher for lower, higher in itertools.pairwise(steps))
    assert steps[-1] == set(Scope) - {Scope.TENANTS_WRITE}
    assert all(scope.endswith(":read") for scope in SCOPES_OF_ROLES[Role.VIEWER])


@pytest.mark.parametrize("end", ["inactive user", "suspended tenant"])
def test_nobody_may_do_anything_for(end: str, acme: World) -> None:
    run("members add --tenant acme --user mei --role owner --create")

    with working():
        if end == "inactive user":
            User.objects.filter(username="mei").update(is_active=False)
        else:
            Tenant.objects.filter(id=acme.id).update(is_active=False)

    assert roles_of("mei") == {}
    assert scopes_of("mei", acme.id) == frozenset()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("add --tenant acme --user nobody --role staff", "There is no user 'nobody'. Say --create"),
        ("add --tenant acme --user mei --role staff", "'mei' is a member of acme already. `manage.py members change`"),
        ("add --tenant nowhere --user mei --role staff", "There is no tenant 'nowhere'"),
        ("change --tenant globex --user mei --role staff", "'mei' is no member of globex. `manage.py members list"),
        ("remove --tenant globex --user mei", "'mei' is no member of globex"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(command: str, sentence: str, acme: World, globex: World) -> None:
    run("members add --tenant acme --user mei --role owner --create")

    with pytest.raises(CommandError, match=re.escape(sentence)):
        run(f"members {command}")

    assert roles_of("mei") == {"acme": "owner"}


def test_the_tenant_reads_who_its_members_became(acme: World) -> None:
    run("members add --tenant acme --user mei --role viewer --create")
    run("members change --tenant acme --user mei --role owner")
    run("members remove --tenant acme --user mei")

    with tenant_context(acme.id):
        found = list(AuditEvent.objects.filter(subject="member mei").order_by("created_at"))
        text = get_audit_log(action="change_role").text()
    assert [each.action for each in found] == ["add_member", "change_role", "remove_member"]
    assert found[1].changes == [{"field": "role", "before": "viewer", "after": "owner"}]
    assert "member mei" in text


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO core_membership (user_id, role) SELECT user_id, 'owner' FROM core_membership",
        "UPDATE core_membership SET role = 'owner'",
        "DELETE FROM core_membership",
    ],
)
def test_no_statement_of_a_tenant_makes_a_member_or_raises_a_role(statement: str, acme: World) -> None:
    with tenant_context(acme.id), connection.cursor() as cursor:
        with pytest.raises(DatabaseError, match="permission denied for table core_membership"):
            cursor.execute(statement)


def test_a_tenant_reads_nothing_of_the_users_themselves(acme: World) -> None:
    with tenant_context(acme.id), connection.cursor() as cursor:
        with pytest.raises(DatabaseError, match="permission denied for table auth_user"):
            cursor.execute("SELECT u.username FROM core_membership AS m JOIN auth_user AS u ON u.id = m.user_id")


@pytest.mark.parametrize(
    ("facts", "constraint"),
    [({"role": "king"}, "membership_role_known"), ({"role": "owner"}, "membership_user_unique")],
)
def test_the_database_refuses_a_membership_that_cannot_be(facts: dict[str, str], constraint: str, acme: World) -> None:
    with working():
        [user_id] = Membership.objects.filter(tenant=acme.id).values_list("user", flat=True)
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using=PLATFORM_ALIAS):
            Membership.objects.create(tenant_id=acme.id, user_id=user_id, **facts)


def test_no_membership_is_left_without_its_user(acme: World, admin: psycopg.Connection) -> None:
    run("members add --tenant acme --user mei --role owner --create")

    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="core_membership"):
        admin.execute("DELETE FROM auth_user WHERE username = 'mei'")
    run("members remove --tenant acme --user mei")
    admin.execute("DELETE FROM auth_user WHERE username = 'mei'")
