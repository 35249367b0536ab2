"""Finds tools, resources and prompts: modules of the packages here, and the module `mcp_tools` of any installed app."""

from __future__ import annotations

import importlib
import pkgutil

from django.utils.module_loading import autodiscover_modules

from mcp_server import prompts, resources, tools


def load() -> None:
    """Import every module that declares something. An error in one of them is raised, never skipped."""
    for package in (tools, resources, prompts):
        for module in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}."):
            importlib.import_module(module.name)
    autodiscover_modules("mcp_tools")
