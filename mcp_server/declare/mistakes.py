"""Mistakes in how a tool, resource or prompt is declared: each is found when the server starts, and told with the line
to write.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from mcp_server.declare import shapes
from mcp_server.declare.registry import place
from rls.timeouts import MAX_SECONDS

if TYPE_CHECKING:
    from mcp_server.declare.tools import ToolSpec

LEDGER = "mcp_server.ledger"
# Of a tool that changes something (mcp_server.ledger.models, `action`).
MAX_NAME_LENGTH = 64
TENANT_NAMES = ("tenant", "tenant_id")
# Seconds for which the answer of a tool may be kept.
MAX_CACHE_SECONDS = 3_600
# The parameter by which the SDK gives the call pipeline its Context (mcp_server.call.signature).
CONTEXT = "mcp_context"
NAMELESS = {
    Parameter.POSITIONAL_ONLY: "is positional-only; remove the `/`",
    Parameter.VAR_POSITIONAL: "takes any number of values; name each, or write `{name}: list[str]`",
    Parameter.VAR_KEYWORD: "takes any name; name each parameter, or write `{name}: dict[str, str]`",
}


def refuse_kind(kind: str, function: Callable[..., Any]) -> None:
    """Raise ImproperlyConfigured where there is no function with a name, whose annotations can be read."""
    if not (inspect.isfunction(function) or inspect.ismethod(function)) or function.__name__ == "<lambda>":
        raise ImproperlyConfigured(
            f"{kind} {function!r} is no function with a name, by which clients know it; write a `def`, outside of any "
            f"class, below `@{kind}(...)`"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ImproperlyConfigured(
            f"{kind} {function.__name__} ({place(function)}) yields, and an answer is sent as a whole; write "
            "`return [...]`, and `report_progress(...)` where it takes long"
        )


def refuse_parameter(who: str, parameter: Parameter) -> None:
    """Raise ImproperlyConfigured where nothing could fill it by name."""
    if parameter.kind in NAMELESS:
        words = NAMELESS[parameter.kind].format(name=parameter.name)
        raise ImproperlyConfigured(f"{who}: its parameter {parameter.name} {words}")


def refuse_completer(who: str, complete: Callable[..., Any] | None) -> None:
    """Raise ImproperlyConfigured where what suggests values of an argument can't be asked in a worker."""
    if complete is None:
        return
    line = "write `def suggested(typed: str, most: int) -> list[str]:`"
    if not callable(complete) or inspect.iscoroutinefunction(complete):
        raise ImproperlyConfigured(f"{who} is completed by {complete!r}, which is no plain function; {line}")
    try:
        inspect.signature(complete).bind("", 1)
    except TypeError as error:
        raise ImproperlyConfigured(f"{who} is completed by {complete!r}, which fails ({error}); {line}") from error


def refuse_function(name: str, function: Callable[..., Any]) -> None:
    """Raise ImproperlyConfigured where the function lacks what a model is told of it."""
    who = f"tool {name} ({place(function)})"
    if not (function.__doc__ or "").strip():
        raise ImproperlyConfigured(
            f'{who} has no docstring, which is what a model reads of it; write `"""What it does."""` below its def'
        )
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        refuse_parameter(who, parameter)
        if parameter.annotation is Parameter.empty:
            raise ImproperlyConfigured(
                f"{who}: its parameter {parameter.name} has no annotation; write `{parameter.name}: str`, or the type "
                "that it is"
            )
    if signature.return_annotation is inspect.Signature.empty:
        raise ImproperlyConfigured(
            f"{who} does not say what it returns; write `def {function.__name__}(...) -> str:`, or the class of its "
            "answer"
        )


def refuse_spec(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where a tool can't be offered at its endpoint as it is declared."""
    who = f"tool {spec.name} ({place(spec.function)})"
    if spec.is_async and (spec.is_at_platform or not spec.is_read_only):
        raise ImproperlyConfigured(
            f"{who} must be a plain def, because it runs in a transaction; write `def {spec.function.__name__}(...)`"
        )
    if spec.is_read_only and spec.asks:
        raise ImproperlyConfigured(
            f"{who} asks a person, and has no change that could wait for the answer; write `read_only=False`, or "
            "remove `asks=True`"
        )
    if spec.is_read_only and spec.changes_callers:
        raise ImproperlyConfigured(
            f"{who} only reads, and so changes no callers; write `read_only=False`, or remove `changes_callers=True`"
        )
    if spec.is_at_platform and spec.scope is None and not spec.is_read_only:
        raise ImproperlyConfigured(
            f"{who} changes something, and without a scope it has no platform context, no reason and no transaction "
            'there; write `scope="tenants:write"`, or the scope that it needs'
        )
    if not spec.is_read_only and len(spec.name) > MAX_NAME_LENGTH:
        raise ImproperlyConfigured(
            f"{who} changes something, and its name has more than the {MAX_NAME_LENGTH} characters that the ledger "
            'keeps; write `name="..."` with a shorter one'
        )
    _refuse_bounds(who, spec)
    parameters = inspect.signature(spec.function).parameters
    named = next((each for each in TENANT_NAMES if each in parameters), None)
    if named is not None and not spec.is_at_platform:
        raise ImproperlyConfigured(
            f"{who}: its parameter {named} names a tenant, and the tenant is that of the URL; remove it, and write "
            "`mcp_server.current_principal().tenant_id` where its id is needed"
        )
    if taken := next((each for each in (*spec.added, CONTEXT) if each in parameters), None):
        raise ImproperlyConfigured(
            f"{who}: its parameter {taken} has the name of one that the server adds; write `{taken}_of_mine`, or a "
            "better name"
        )


def refuse_cache(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where an answer of the tool can't be kept, or not for as long as it says."""
    who = f"tool {spec.name} ({place(spec.function)})"
    if isinstance(spec.cache, bool) or not isinstance(spec.cache, int) or not 0 <= spec.cache <= MAX_CACHE_SECONDS:
        raise ImproperlyConfigured(
            f"{who} has cache={spec.cache!r}, which is no number of seconds from 1 to {MAX_CACHE_SECONDS}; write "
            "`cache=60`, or leave it out"
        )
    if spec.cache and not spec.is_read_only:
        raise ImproperlyConfigured(
            f"{who} changes something, and an answer that is kept would change nothing; remove `cache={spec.cache}`, "
            "or write `read_only=True` where it only reads"
        )
    if spec.cache and spec.is_at_platform:
        raise ImproperlyConfigured(
            f"{who} works across tenants, where each call is on record before it begins; remove `cache={spec.cache}`, "
            "or write `endpoint=Endpoint.TENANT`"
        )


def refuse_cached_context(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where an answer may depend on what no key of a kept one holds."""
    if spec.cache and (given := shapes.context_parameter(spec.function)):
        raise ImproperlyConfigured(
            f"tool {spec.name} ({place(spec.function)}): with its parameter {given} it may read and ask what is in no "
            f"argument, and a kept answer would leave that out; remove `cache={spec.cache}`, or the parameter"
        )


def _refuse_bounds(who: str, spec: ToolSpec) -> None:
    if spec.timeout is not None and not 0 < spec.timeout <= MAX_SECONDS:
        raise ImproperlyConfigured(
            f"{who} has timeout={spec.timeout!r}, which is no time that a query may take; write its seconds, as "
            "`timeout=5`"
        )
    if spec.max_rows is not None and spec.max_rows < 1:
        raise ImproperlyConfigured(
            f"{who} has max_rows={spec.max_rows!r}, which leaves no row to show; write how many an answer may have, as "
            "`max_rows=500`"
        )


def refuse_rows_of_a_text(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where the rows of an answer are bounded that has none."""
    if spec.max_rows is not None and spec.shape.schema is None:
        raise ImproperlyConfigured(
            f"tool {spec.name} ({place(spec.function)}) has max_rows, and returns a text or content, which has no "
            f"rows; remove it, or write `def {spec.function.__name__}(...) -> list[Row]:`"
        )


def refuse_values(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where a parameter has another name in JSON, or a default that it refuses itself."""
    who = f"tool {spec.name} ({place(spec.function)})"
    hints = shapes.hints(spec.function)
    for parameter in inspect.signature(spec.function).parameters.values():
        hint, default = hints[parameter.name], parameter.default
        fields = [each for each in (default, *getattr(hint, "__metadata__", ())) if isinstance(each, FieldInfo)]
        if any(each.alias or each.validation_alias for each in fields):
            raise ImproperlyConfigured(
                f"{who}: its parameter {parameter.name} has an alias, under which the function could not be called; "
                "remove it, and give the parameter the name that clients know"
            )
        if default is Parameter.empty or default is None or isinstance(default, FieldInfo):
            continue
        try:
            TypeAdapter(hint).validate_python(default)
        except ValidationError as error:
            raise ImproperlyConfigured(
                f"{who}: its parameter {parameter.name} has the default {default!r}, which its annotation refuses "
                f"({error.errors()[0]['msg']}); write one that fits, or `None`"
            ) from error


def refuse_two_questions(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where the tool asks by itself, and the server asks too: a round has one state.

    The server would take the tool's for its own, in which a client may have chosen what stands.
    """
    if (spec.asks or spec.is_platform_work) and shapes.asks_by_itself(spec.function):
        server_asks = "a person's approval" if spec.asks else "the reason of platform work"
        raise ImproperlyConfigured(
            f"tool {spec.name} ({place(spec.function)}) returns questions of its own, and the server asks for "
            f"{server_asks}; write `mcp_server.ask(...)` in place of InputRequiredResult, or make two tools of it"
        )


def refuse_writer_without_ledger(spec: ToolSpec) -> None:
    """Raise ImproperlyConfigured where a tenant's tool changes something, and nothing keeps what was changed."""
    if not spec.is_read_only and not spec.is_at_platform and not apps.is_installed(LEDGER):
        raise ImproperlyConfigured(
            f"tool {spec.name} ({place(spec.function)}) changes something, and nothing keeps what was changed; write "
            f'`INSTALLED_APPS = [..., "{LEDGER}"]`, or `read_only=True` where it only reads'
        )


def unschemable_parameter(spec: ToolSpec, error: Exception) -> ImproperlyConfigured:
    """The error for a parameter that no JSON can fill."""
    return ImproperlyConfigured(
        f"tool {spec.name} ({place(spec.function)}) has a parameter that no JSON fills ({str(error).splitlines()[0]}); "
        "write the id of a row and not the row: `number: int`"
    )


def unfit_parameter(spec: ToolSpec, error: Exception) -> ImproperlyConfigured:
    """The error for a parameter that the SDK does not take, by its name or by its header."""
    return ImproperlyConfigured(
        f"tool {spec.name} ({place(spec.function)}) has a parameter that can't be published ({error}); write it with "
        "another name or annotation"
    )
