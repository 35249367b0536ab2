"""Finds tools, resources and prompts: the module or package `mcp_tools` of each installed app."""

from __future__ import annotations

import importlib
import pkgutil

from django.apps import apps
from django.utils.module_loading import module_has_submodule


def load() -> None:
    """Import `mcp_tools` of every app, with all its submodules. An error in one of them is raised, never skipped."""
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "mcp_tools"):
            _load(f"{app.name}.mcp_tools")


def _load(name: str) -> None:
    module = importlib.import_module(name)
    for each in pkgutil.iter_modules(getattr(module, "__path__", ()), prefix=f"{name}."):
        _load(each.name)
