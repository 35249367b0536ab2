"""Finds the tools: modules of `mcp_server.tools`, and the module `mcp_tools` of any installed app."""

from __future__ import annotations

import importlib
import pkgutil

from django.utils.module_loading import autodiscover_modules

from mcp_server import tools


def load() -> None:
    """Import every module that declares tools. An error in one of them is raised, never skipped."""
    for module in pkgutil.iter_modules(tools.__path__, prefix=f"{tools.__name__}."):
        importlib.import_module(module.name)
    autodiscover_modules("mcp_tools")
