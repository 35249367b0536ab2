"""The shop with MCP_AUTH=sign-in, and people who belong to its tenants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from core.models import Tenant
from core.roles import Role
from core.services import members
from tests.mcp_server.sign_in.clients import Program
from tests.support.processes import Process, serving
from tests.support.visitors import Visitor
from tests.support.world import World, working


@pytest.fixture(scope="session")
def shop(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("sign-in") / "log", MCP_AUTH="sign-in") as process:
        yield process


@pytest.fixture
def grace(acme: World) -> User:
    """Of acme's staff, and of no other tenant."""
    found = User.objects.create_user("grace", password="correct horse")
    with working():
        members.add(user=found, tenant=Tenant.objects.get(id=acme.id), role=Role.STAFF, actor="tests")
    return found


@pytest.fixture
def visitor(shop: Process) -> Iterator[Visitor]:
    with Visitor(shop.url) as found:
        yield found


@pytest.fixture
def program(shop: Process, acme: World) -> Program:
    """A client that has registered."""
    return Program.registered(shop)
