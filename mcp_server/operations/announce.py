"""`Announce`: the triggers that tell of a model's changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, UUIDField

from mcp_server.operations.names import field_of, literal, model_of, table_of
from mcp_server.operations.writing import WriteSQL

# In the trigger of each, the changed rows as they are called (PostgreSQL, CREATE TRIGGER, "REFERENCING").
ROWS_OF_EVENT = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


class Announce(WriteSQL):
    """Tell whoever watches a model's rows of each INSERT, UPDATE and DELETE: `Announce("helpdesk.Ticket")`.

    Args:
        model: a tenanted model, or the tenant model itself; in its own app's migrations its name alone is enough.

    The migration depends on ("mcp_server", "0001_change_notifications").

    Raises ImproperlyConfigured, when the migration runs, where the model is not tenanted or its key is no UUID.
    """

    texts = ("announce",)

    def __init__(self, model: str) -> None:
        super().__init__(model)

    def describe(self) -> str:
        return f"Announce changes of {self.names[0]}"

    def forwards_sql(self, app_label: str, state: Any) -> str:
        return "\n".join(self._filled("announce.sql", values) for values in self._triggers(app_label, state))

    def backwards_sql(self, app_label: str, state: Any) -> str:
        return "\n".join(self._filled("announce.revert.sql", values) for values in self._triggers(app_label, state))

    def _triggers(self, app_label: str, state: Any) -> Iterator[dict[str, str]]:
        model = model_of(self.names[0], app_label, state)
        key = model._meta.pk
        if not isinstance(key, UUIDField):
            raise ImproperlyConfigured(
                f"Announce({self.names[0]!r}): its key is no UUIDField, and changed rows are told by ids that are one"
            )
        tenant = key if is_tenant_model(model) else field_of(model, "tenant")
        for event, rows in ROWS_OF_EVENT.items():
            yield {
                "trigger": f"notify_{event.lower()}",
                "event": event,
                "rows": rows,
                "table": table_of(model),
                "table_name": literal(table_of(model)),
                "tenant_column": literal(str(tenant.column)),
                "key_column": literal(str(key.column)),
            }


def is_tenant_model(model: type[Model]) -> bool:
    """Whether a model is the root of isolation: that of RLS_TENANT_MODEL."""
    return bool(model._meta.label_lower == settings.RLS_TENANT_MODEL.lower())
