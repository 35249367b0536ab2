"""Serializers of Django REST framework validate what is unique inside a tenant, where it is installed.

Its ModelSerializer turns the constraints of a model into validators of its own, and leaves out those of which a field
is none of the serializer's: the tenant never is. A row of a tenanted model is asked itself, as a form asks it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelError
from rest_framework.exceptions import ValidationError
from rest_framework.fields import get_error_detail
from rest_framework.serializers import ModelSerializer
from rest_framework.settings import api_settings

from rls.models import Tenanted


def install() -> None:
    """Let every ModelSerializer of a tenanted model validate, after its own validators, what is unique in the row."""
    ModelSerializer.run_validators = _with_unique(ModelSerializer.run_validators)


def _with_unique(run_validators: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    @functools.wraps(run_validators)
    def run(serializer: Any, value: Any) -> None:
        run_validators(serializer, value)
        if issubclass(serializer.Meta.model, Tenanted) and isinstance(value, Mapping):
            _validate(serializer, value)

    return run


def _validate(serializer: Any, value: Mapping[str, Any]) -> None:
    """Raise the serializer's ValidationError for what the row, as it would be saved, violates."""
    model = serializer.Meta.model
    if serializer.instance is None:
        row = model()
        exclude = {field.name for field in model._meta.fields} - {
            field.source for field in serializer.fields.values() if not field.read_only
        }
    elif isinstance(serializer.instance, model):
        row, exclude = copy.copy(serializer.instance), set()
    else:
        return  # which of many rows it would be is not known here
    for field in model._meta.concrete_fields:
        found = value.get(field.name, row)
        if isinstance(found, Mapping):  # of a serializer in this one
            exclude.add(field.name)
        elif found is not row:
            setattr(row, field.name, found)
    errors: dict[str, Any] = {}
    for validate in (row.validate_unique, row.validate_constraints):
        try:
            validate(exclude=exclude)
        except ModelError as error:
            for name, found in error.update_error_dict({}).items():
                errors.setdefault(_name(serializer, name), []).extend(get_error_detail(ModelError(found)))
    if errors:
        raise ValidationError(errors)


def _name(serializer: Any, source: str) -> str:
    """What the serializer calls the field of the model."""
    names = [name for name, field in serializer.fields.items() if field.source == source]
    if source == NON_FIELD_ERRORS or not names:
        return str(api_settings.NON_FIELD_ERRORS_KEY)
    return str(names[0])
