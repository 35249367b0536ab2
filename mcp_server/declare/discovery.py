"""Finds tools, resources and prompts: the module or package `mcp_tools` of each installed app."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import module_has_submodule

from mcp_server.declare.registry import DECLARED, Spec


def load() -> None:
    """Import `mcp_tools` of every app, with all its submodules. An error in one of them is raised, never skipped."""
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "mcp_tools"):
            _load(f"{app.name}.mcp_tools")


def declared(labels: Collection[str] | None = None) -> list[Spec]:
    """What the apps with these labels declare; where there are none, what any module has declared.

    Raises ImproperlyConfigured: no app has such a label.
    """
    load()
    if labels is None:
        return list(DECLARED)
    installed = {app.label for app in apps.get_app_configs()}
    if unknown := sorted(set(labels) - installed):
        raise ImproperlyConfigured(
            f"no app has the label {unknown[0]!r}: write MCP(apps=[...]) with some of {', '.join(sorted(installed))}"
        )
    return [spec for spec in DECLARED if _app_of(spec) in labels]


def _app_of(spec: Spec) -> str | None:
    app = apps.get_containing_app_config(spec.function.__module__)
    return app.label if app is not None else None


def _load(name: str) -> None:
    module = importlib.import_module(name)
    for each in pkgutil.iter_modules(getattr(module, "__path__", ()), prefix=f"{name}."):
        _load(each.name)
