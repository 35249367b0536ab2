"""Who may sign in for a tenant, and as what. All of it is platform work: users belong to no tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from core.models import Membership, Tenant
from core.roles import SCOPES_OF_ROLES, Role
from core.scopes import Scope
from mcp_server.declare.tools import ValueChange
from mcp_server.errors import Refusal
from mcp_server.ledger import events
from mcp_server.tokens import tokens
from rls.context import PLATFORM_ALIAS


class MemberNotFound(Refusal):
    """The user is no member of the tenant."""

    def __init__(self, user: User, tenant: Tenant) -> None:
        super().__init__(
            _(
                "{user} is no member of {tenant}. `manage.py members list --tenant {tenant}` shows who is one, and "
                "`manage.py members add` makes somebody one."
            ).format(user=repr(user.get_username()), tenant=tenant.subdomain)
        )


class MemberInvalid(Refusal):
    """The user can't be a member like this."""


def memberships_of(user: User) -> list[Membership]:
    """The memberships of a user in active tenants, each with its tenant, by the tenant's name.

    Empty for a user who is not active.
    """
    return list(_good(user).select_related("tenant", "user").order_by("tenant__name", "tenant__subdomain"))


def scopes_of(user: User, tenant: Tenant) -> frozenset[Scope]:
    """What a user may do for a tenant at most, at this moment; nothing where he is no member of it."""
    membership = _good(user).filter(tenant=tenant).first()
    return frozenset() if membership is None else SCOPES_OF_ROLES[membership.role]


def of_tenant(tenant: Tenant) -> list[Membership]:
    """The members of a tenant, each with its user, by the user's name."""
    return list(Membership.objects.filter(tenant=tenant).select_related("user").order_by("user__username"))


def add(*, user: User, tenant: Tenant, role: str, actor: str) -> Membership:
    """Make a user a member of a tenant. Raises MemberInvalid: he is one already, or there is no such role."""
    _require_known(role)
    try:
        with transaction.atomic(using=PLATFORM_ALIAS):
            membership = Membership.objects.create(tenant=tenant, user=user, role=role)
    except IntegrityError as error:
        raise MemberInvalid(
            _("{user} is a member of {tenant} already. `manage.py members change` gives a member another role.").format(
                user=repr(user.get_username()), tenant=tenant.subdomain
            )
        ) from error
    _remember("add_member", membership, actor=actor, details={"role": role})
    return membership


def change_role(*, user: User, tenant: Tenant, role: str, actor: str) -> Membership:
    """Give a member another role. Raises MemberNotFound; MemberInvalid: there is no such role."""
    _require_known(role)
    membership = _locked(user, tenant)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    change = ValueChange("role", before, role)
    _remember("change_role", membership, actor=actor, details={"role": role}, changes=[change])
    return membership


def remove(*, user: User, tenant: Tenant, actor: str) -> None:
    """End a user's membership of a tenant, and the tokens that act for it. Raises MemberNotFound."""
    membership = _locked(user, tenant)
    tokens.revoke_all_of(membership.id)
    _remember("remove_member", membership, actor=actor, details={"role": membership.role})
    membership.delete()


def create_token(membership: Membership, *, name: str, is_read_only: bool, expires_at: datetime) -> str:
    """A token that acts for a member, who has made it himself. Raises TokenInvalid."""
    user, tenant = membership.user.get_username(), membership.tenant.subdomain
    token = tokens.create(name=name, slug=tenant, user=user, is_read_only=is_read_only, expires_at=expires_at)
    _remember_token("create_token", membership, name)
    return token


def revoke_token(memberships: Iterable[Membership], token_id: str) -> None:
    """End a token of one of these members now. Raises TokenNotFound: it is none of theirs."""
    own = {each.pk: each for each in memberships}
    token = next((each for each in tokens.of_members(own) if str(each.pk) == token_id), None)
    if token is None or token.member is None:
        raise tokens.TokenNotFound(_("You have no such token. Perhaps it was revoked already."))
    tokens.revoke(token.pk)
    _remember_token("revoke_token", own[token.member], token.name)


def _remember_token(action: str, membership: Membership, name: str) -> None:
    events.write(
        action=action,
        subject=f"token {name}",
        actor=membership.user.get_username(),
        details={"name": name},
        tenant_id=membership.tenant_id,
    )


def _good(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user.pk, user__is_active=True, tenant__is_active=True)


def _locked(user: User, tenant: Tenant) -> Membership:
    membership = Membership.objects.select_for_update().filter(user=user.pk, tenant=tenant).first()
    if membership is None:
        raise MemberNotFound(user, tenant)
    return membership


def _require_known(role: str) -> None:
    if role not in Role.values:
        raise MemberInvalid(
            _("There is no role {role}. Choose one of: {roles}.").format(
                role=repr(role), roles=_(", ").join(Role.values)
            )
        )


def _remember(
    action: str,
    membership: Membership,
    *,
    actor: str,
    details: Mapping[str, Any],
    changes: list[ValueChange] | None = None,
) -> None:
    """Among the tenant's own audit events: who its members are is decided outside of it."""
    name = membership.user.get_username()
    events.write(
        action=action,
        subject=f"member {name}",
        actor=actor,
        details={"user": name, **details},
        changes=changes or [],
        tenant_id=membership.tenant_id,
    )
