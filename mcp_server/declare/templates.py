"""The URI templates of resources (RFC 6570), and mistakes in them, each told with the line to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

from mcp_server.declare.arguments import Parameters
from mcp_server.declare.registry import place

# What a URI begins with (RFC 3986, 3.1).
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def parsed(function: Callable[..., Any], uri: str) -> UriTemplate:
    """The template of a resource's URIs. Raises ImproperlyConfigured: it is none, or nothing could be matched by it."""
    who = f"{place(function)} is the resource {uri}"
    try:
        template = UriTemplate.parse(uri)
    except InvalidUriTemplate as error:
        raise ImproperlyConfigured(f"{who}: {error}") from error
    if not SCHEME.match(uri):
        raise ImproperlyConfigured(f"{who}, which is no URI; write a scheme before it: myapp://{uri}")
    if lists := [each.name for each in template.variables if each.explode]:
        raise ImproperlyConfigured(
            f"{who}: {lists[0]} stands for several values, and an argument is one "
            f"text; write {{+{lists[0]}}}, and split it"
        )
    return template


def refuse_other_variables(function: Callable[..., Any], template: UriTemplate, parameters: Parameters) -> None:
    """Raise ImproperlyConfigured where the function can't be called with what stands in a URI of the template."""
    who = f"{place(function)} is the resource {template}"
    for name in template.variable_names:
        if not name.isidentifier() or iskeyword(name):
            better = re.sub(r"\W", "_", f"{name}_")
            raise ImproperlyConfigured(f"{who}: {name} can't be the name of a parameter; write {{{better}}}")
    if template.variable_names != list(parameters.arguments):
        names = ", ".join(template.variable_names) or "nothing"
        raise ImproperlyConfigured(f"{who}: let it take {names}, in this order")
    if needed := sorted(template.query_variable_names & parameters.required):
        raise ImproperlyConfigured(
            f'{who}: a URI may come without {needed[0]}; write `{needed[0]}: Annotated[...] = ""`, or the default that '
            "it has then"
        )
