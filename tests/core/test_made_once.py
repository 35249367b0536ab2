"""A queryset that is made once is read for every tenant: none may find in it what another has read."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rls
from core import services
from core.services import orders, products
from tests.support.world import World

Make = Callable[[], Any]


def kept() -> Iterator[Make]:
    """Every function of the services that keeps what it has made for the next caller, whatever that is."""
    for found in pkgutil.iter_modules(services.__path__, f"{services.__name__}."):
        module = importlib.import_module(found.name)
        for function in vars(module).values():
            is_own = getattr(function, "__module__", "") == found.name
            if is_own and hasattr(function, "__wrapped__") and not inspect.signature(function).parameters:
                yield function


def read(make: Make) -> list[Any]:
    """All rows of a queryset, each by its key or as it is; the queryset keeps them."""
    return [getattr(row, "pk", row) for row in make()]


@pytest.mark.parametrize(
    "make", [*kept(), products.find, orders.find], ids=lambda make: f"{make.__module__}.{make.__name__}"
)
def test_no_tenant_reads_what_another_has_read(make: Make, acme: World, globex: World) -> None:
    found = {}
    for world in (acme, globex, acme):
        with rls.tenant_context(world.id):
            found[world.subdomain] = read(make)

    with rls.tenant_context(globex.id):
        assert read(make) == found["globex"]
    assert found["acme"]
    assert found["acme"] != found["globex"]


def test_what_is_made_once_is_found() -> None:
    assert {make.__name__ for make in kept()} >= {"listed", "_movements", "_with_counts"}
