"""`manage.py check` says which optional app of the library, and which migration, a server lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings

from mcp_server import MCP, Principal, SignIn, checks
from mcp_server.http.authentication import anyone
from mcp_server.operations import InstallResolver
from mcp_server.tokens.checks import check_resolver, check_tenant_key
from tests.mcp_server.test_app import Names


async def nobody(connection: object, slug: str) -> Principal | None:
    return None


def reader() -> MCP:
    """A server whose tools only read, and whose callers are nobody's business here."""
    mcp = MCP("reader", apps=[], authenticate=nobody)

    @mcp.tool(scope=None, title="Names", read_only=True)
    def names() -> Names:
        """List names."""
        return Names(names=[])

    return mcp


def writer() -> MCP:
    return MCP("writer", apps=["core"], authenticate=nobody)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Django as it is where these apps are not in INSTALLED_APPS."""
    with override_settings():
        installed = [name for name in settings.INSTALLED_APPS if name not in names]
        apps.set_installed_apps(installed)
        try:
            yield
        finally:
            apps.unset_installed_apps()


def missing(mcp: MCP) -> list[CheckMessage]:
    return list(checks.missing_apps(mcp))


def test_a_writer_without_the_ledger_names_the_line_to_write() -> None:
    mcp = writer()

    with without("mcp_server.ledger"):
        [error] = missing(mcp)

    assert error.id == "mcp_server.E002"
    assert "(core.mcp_tools.tools." in error.msg
    assert 'Add "mcp_server.ledger" to INSTALLED_APPS' in str(error.hint)
    assert missing(mcp) == []


def test_a_server_that_only_reads_needs_no_ledger_and_no_tokens() -> None:
    with without("mcp_server.ledger", "mcp_server.tokens"):
        assert missing(reader()) == []


@pytest.mark.parametrize("arguments", [{}, {"authenticate": anyone}, {"authenticate": nobody, "platform": anyone}])
def test_callers_that_are_found_by_tokens_need_the_tokens(arguments: dict[str, object]) -> None:
    mcp = MCP("open", apps=[], **arguments)  # type: ignore[arg-type]  # one of its arguments, or two

    with without("mcp_server.tokens"):
        [error] = missing(mcp)

    assert error.id == "mcp_server.E003"
    assert 'Add "mcp_server.tokens" to INSTALLED_APPS' in str(error.hint)
    assert missing(mcp) == []


def test_people_who_sign_in_need_what_asks_them() -> None:
    mcp = MCP("people", apps=[], authenticate=SignIn())

    with without("mcp_server.sign_in"):
        [error] = missing(mcp)

    assert error.id == "mcp_server.E009"
    assert 'add "mcp_server.sign_in" to INSTALLED_APPS' in str(error.hint)
    with override_settings(MCP_MEMBER_MODEL=""):
        [error] = missing(mcp)
    assert error.id == "mcp_server.E009"
    assert missing(mcp) == []


def test_this_project_lacks_nothing() -> None:
    assert checks.check_installed(None) == []
    assert check_resolver(None) == []
    assert check_tenant_key(None) == []


def test_a_project_without_a_resolver_is_told_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    load = MigrationLoader.load_disk

    def without_resolver(self: MigrationLoader) -> None:
        load(self)
        for migration in self.disk_migrations.values():
            migration.operations = [each for each in migration.operations if not isinstance(each, InstallResolver)]

    monkeypatch.setattr(MigrationLoader, "load_disk", without_resolver)

    [warning] = check_resolver(None)

    assert warning.id == "mcp_server.W004"
    assert 'InstallResolver(tenant="core.Tenant", slug="subdomain")' in str(warning.hint)


def test_a_resolver_that_does_not_look_at_members_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    load = MigrationLoader.load_disk

    def before_the_tokens(self: MigrationLoader) -> None:
        load(self)
        migration = self.disk_migrations["core", "0012_tokens_of_members"]
        migration.dependencies = [each for each in migration.dependencies if each[0] != "mcp_tokens"]

    monkeypatch.setattr(MigrationLoader, "load_disk", before_the_tokens)

    [warning] = check_resolver(None)

    assert warning.id == "mcp_server.W004"
    assert 'depends on ("mcp_tokens", "0003_tokens_of_members")' in str(warning.hint)


@pytest.mark.parametrize(("tenant", "is_refused"), [("auth.User", True), ("core.Tenant", False), ("core.Gone", False)])
def test_a_resolver_for_a_key_that_is_no_uuid_is_refused_before_it_runs(
    tenant: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = MigrationLoader.load_disk

    def for_another(self: MigrationLoader) -> None:
        load(self)
        self.disk_migrations["core", "0001_models"].operations.append(InstallResolver(tenant=tenant, slug="slug"))

    monkeypatch.setattr(MigrationLoader, "load_disk", for_another)

    errors = check_tenant_key(None)

    assert [error.id for error in errors] == ["mcp_server.E007"] * is_refused
    assert all("for auth.User, whose key is no UUIDField" in error.msg for error in errors)
    assert all("Derive it from rls.models.Keyed: class User(Keyed)." in str(error.hint) for error in errors)


def test_a_project_without_migrations_is_told_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationLoader, "load_disk", lambda self: setattr(self, "disk_migrations", {}))
    monkeypatch.setattr(MigrationLoader, "build_graph", lambda self: self.load_disk())

    assert check_resolver(None) == []
