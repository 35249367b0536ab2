"""Models from statements that are written by hand, where Django takes longer to write one than PostgreSQL to run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

M = TypeVar("M", bound=Model)


def statement(text: str, **columns: str) -> str:
    """A statement with columns where it says "{order}": names from this code, and never a value."""
    return text.format(**columns)


class Columns(Generic[M]):
    """Some columns of a model, its key among them; what is not here is read where it is asked for."""

    def __init__(self, model: type[M], *names: str) -> None:
        """`names` are those of columns: "customer_id". Raises ValueError: the model has no such column."""
        columns = [field.attname for field in model._meta.concrete_fields]
        if unknown := {"id", *names} - set(columns):
            raise ValueError(f"{model.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(columns)}")
        self._model = model
        # Django wants them in the order of the fields.
        self._names = [name for name in columns if name in {"id", *names}]

    def __len__(self) -> int:
        return len(self._names)

    def sql(self, table: str) -> str:
        """What is selected of a table, or of what it is called in the statement."""
        return ", ".join(f"{table}.{name}" for name in self._names)

    def read(self, values: Sequence[Any]) -> M:
        """The model that was read."""
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)
