"""The span of a statement (OpenTelemetry, "Semantic conventions for database spans"): what it does to which table."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from mcp_server import spans

# Comments before the first word are of others (sqlcommenter).
FIRST_WORD = re.compile(r"(?:\s|/\*.*?\*/|--[^\n]*\n)*(\w+)", re.DOTALL)
OPERATIONS = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET"}
)
OTHER_OPERATION = "SQL"
TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?(\w+)"?', re.IGNORECASE)


def begin() -> None:
    """Make a span for each statement of connections that are opened from now on, within another span."""
    connection_created.connect(_attend)


def _attend(connection: BaseDatabaseWrapper, **facts: object) -> None:
    if _spanned not in connection.execute_wrappers:
        connection.execute_wrappers.append(_spanned)


def _spanned(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Django, "Database instrumentation"."""
    tracer = spans.tracer()
    if tracer is None or not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    name, facts = described(sql if isinstance(sql, str) else "")
    facts = {**facts, "db.client.connection.pool.name": context["connection"].alias}
    with tracer.start_as_current_span(
        name, None, SpanKind.CLIENT, facts, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            span.set_attribute("error.type", getattr(error.__cause__, "sqlstate", None) or type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


@lru_cache(maxsize=512)
def described(sql: str) -> tuple[str, dict[str, str]]:
    """The name of a statement's span, and what is said of it. See Note [No data in a span]."""
    word = FIRST_WORD.match(sql)
    operation = word[1].upper() if word and word[1].upper() in OPERATIONS else OTHER_OPERATION
    # Whatever stands in a literal is no table of a model.
    table = next((name for name in TABLE.findall(sql) if name in _tables()), "")
    facts = {"db.system.name": "postgresql", "db.operation.name": operation}
    return (f"{operation} {table}", facts | {"db.collection.name": table}) if table else (operation, facts)


@cache
def _tables() -> frozenset[str]:
    """Those of the models."""
    return frozenset(model._meta.db_table for model in apps.get_models(include_auto_created=True))
