"""All that a tenant has: counted, put into words, and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import Any

from django.apps import apps
from django.utils.translation import gettext as _

from core import formats
from core.models import Tenant
from core.services import counts
from rls.context import PLATFORM_ALIAS
from rls.models import Tenanted


def models() -> Sequence[type[Tenanted]]:
    """Every tenanted model, each before those that it refers to."""
    tenanted = [model for model in apps.get_models() if issubclass(model, Tenanted)]
    parents = {
        model: [parent for parent in tenanted if parent in {field.related_model for field in model._meta.fields}]
        for model in tenanted
    }
    return list(TopologicalSorter(parents).static_order())[::-1]


def count(tenant: Tenant) -> dict[str, int]:
    """The number of rows of each tenanted model, by its label. Needs a platform context."""
    return counts.of({model._meta.label: model._base_manager.filter(tenant=tenant) for model in models()})


def delete(tenant: Tenant) -> dict[str, int]:
    """Delete every row of the tenant, a statement for each model, and the tenant; the answer counts them by label.

    Needs a platform context.
    """
    # Django's own deletion would read the rows first, to find those that refer to them.
    deleted = {
        model._meta.label: model._base_manager.filter(tenant=tenant)._raw_delete(PLATFORM_ALIAS) for model in models()
    }
    return tenant.delete()[1] | deleted


def in_words(rows: dict[str, int]) -> str:
    """The counts that a person wants to know before a deletion, in the caller's language.

    Records of calls are not among them: they grow while the person thinks, and the yes is good for these words alone.
    """
    named: dict[str, Any] = {
        "core.TenantUser": _("{count} users"),
        "core.Membership": _("{count} members"),
        "core.Customer": _("{count} customers"),
        "core.Product": _("{count} products"),
        "core.StockMovement": _("{count} stock movements"),
        "core.Order": _("{count} orders"),
        "core.OrderItem": _("{count} order lines"),
        "core.Payment": _("{count} payments"),
        "mcp_ledger.AuditEvent": _("{count} audit events"),
        "core.Export": _("{count} exports"),
        "mcp_tokens.ApiToken": _("{count} tokens"),
    }
    found = [text.format(count=formats.number(rows[label])) for label, text in named.items() if rows.get(label)]
    return _(", ").join(found) or _("no rows")
