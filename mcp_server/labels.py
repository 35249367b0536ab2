"""What the pages of an admin call models and their fields, in the reader's language.

A label is no part of the schema. As an argument of a field it would be in the migrations, and each change of a word a
migration more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model


def apply(models: Mapping[type[Model], tuple[Any, Any]], fields: Mapping[str, Any]) -> None:
    """Give each model its name of one row and of several, and each of its fields, by the field's name, a label."""
    for model, (one, several) in models.items():
        model._meta.verbose_name, model._meta.verbose_name_plural = one, several
        for field in model._meta.concrete_fields:
            if field.name in fields:
                field.verbose_name = fields[field.name]
