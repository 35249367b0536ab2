"""Managed PostgreSQL: nobody is a superuser, so nobody runs `0001_superuser.sql`. The policies hold without it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from core.models import Order, OrderItem, Product, TenantUser
from rls import audit, tenant_context
from rls.audit import Level
from rls.errors import CrossTenantWrite, NoTenantContext
from rls.files import SQL_DIRECTORY
from tests.rls.test_audit import psql_audit
from tests.support import postgres
from tests.support.postgres import Server
from tests.support.world import make_tenant

ROLES_SQL, SUPERUSER_SQL = ((SQL_DIRECTORY / name).read_text() for name in ("0000_roles.sql", "0001_superuser.sql"))
DATABASE = "managed"
LOGINS = ("app_owner", "app_tenant", "app_platform", "app_auditor")


@dataclass(frozen=True, slots=True)
class Managed:
    """A server whose administrator is no superuser; `administrator` is the address at which that role works."""

    server: Server
    administrator: str


@pytest.fixture(scope="module", params=["embedded", "local"])
def cluster(
    postgres_server: Server, database: str, django_db_blocker: Any, request: pytest.FixtureRequest
) -> Iterator[Managed]:
    """What a customer does: make a database, run the file of the roles, set passwords, migrate.

    The cluster is its own: roles are the cluster's, and a new managed server has none of ours. Both kinds, because from
    PostgreSQL 16 on CREATEROLE gives less.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.embedded(request.param))
        except postgres.NoPostgres as error:
            pytest.skip(str(error))
        with psycopg.connect(server.admin_url, autocommit=True) as superuser:
            superuser.execute("CREATE ROLE administrator LOGIN CREATEROLE CREATEDB PASSWORD 'of no other cluster'")
        address = make_conninfo(server.admin_url, user="administrator", password="of no other cluster")
        with psycopg.connect(address, autocommit=True) as administrator:
            administrator.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        address = make_conninfo(address, dbname=DATABASE)
        with psycopg.connect(address) as administrator:
            administrator.execute(ROLES_SQL)
            for role in LOGINS:
                password = sql.SQL("ALTER ROLE {} PASSWORD {}")
                administrator.execute(password.format(sql.Identifier(role), sql.Literal(server.password(role))))
        with django_db_blocker.unblock():
            postgres.use(server.urls(DATABASE))
            call_command("migrate", verbosity=0)
            connections.close_all()
            postgres.use(postgres_server.urls(database))
        yield Managed(server, address)


@pytest.fixture
def managed(cluster: Managed, postgres_server: Server, database: str) -> Iterator[Managed]:
    """Django's connections go to the managed server."""
    postgres.use(cluster.server.urls(DATABASE))
    yield cluster
    connections.close_all()
    postgres.use(postgres_server.urls(database))


def test_the_roles_are_made_without_a_superuser_and_can_be_made_again(managed: Managed) -> None:
    with psycopg.connect(managed.administrator) as administrator:
        strong = administrator.execute(
            "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname IN (current_user, 'app_owner',"
            " 'app_tenant', 'app_platform', 'app_auditor', 'app_resolver')"
        ).fetchall()
        administrator.execute(ROLES_SQL)
    with psycopg.connect(managed.administrator, autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE another")
    with psycopg.connect(managed.administrator, dbname="another") as administrator:
        administrator.execute(ROLES_SQL)
    with psycopg.connect(managed.server.admin_url, dbname=DATABASE) as superuser:
        superuser.execute(ROLES_SQL)

    assert strong == []
    assert [each for each in audit.run("auditor") if each.level is Level.ERROR] == []


def test_a_tenant_sees_and_writes_only_its_own_rows(managed: Managed) -> None:
    acme, globex = make_tenant("acme", "Acme"), make_tenant("globex", "Globex")

    for mine, other in ((acme, globex), (globex, acme)):
        with tenant_context(mine.id):
            assert [product.name for product in Product.objects.all()] == [f"{mine.name} anvil"]
            assert Product.objects.filter(id=other.product_id).update(name="Mine") == 0
            assert Product.objects.filter(id=other.product_id).delete()[0] == 0
            with connections["default"].cursor() as cursor:
                for table in ("core_tenant", "core_tenantuser", "core_product", "core_order", "core_orderitem"):
                    key = "id" if table == "core_tenant" else "tenant_id"
                    cursor.execute(f"SELECT {key} FROM {table}")
                    assert cursor.fetchall() == [(mine.id,)]
        with tenant_context(mine.id), pytest.raises(CrossTenantWrite):
            Product.objects.create(tenant_id=other.id, sku="B-1", name="Theirs", price_minor=1, currency="EUR")
        with tenant_context(mine.id), pytest.raises(IntegrityError):
            Order.objects.create(number=2, placed_by_id=other.user_id)


def test_the_database_itself_refuses_where_django_is_not_asked(managed: Managed) -> None:
    acme, globex = make_tenant("north", "North"), make_tenant("south", "South")
    with psycopg.connect(managed.server.url(DATABASE, "app_tenant"), autocommit=True) as serving:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no tenant context is open"):
            serving.execute("SELECT name FROM core_product")
        serving.execute(f"SET app.current_tenant = '{acme.id}'")

        rows = serving.execute("SELECT name FROM core_product").fetchall()
        moved = serving.execute("UPDATE core_product SET stock = 0 WHERE id = %s", [globex.product_id]).rowcount
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            serving.execute("UPDATE core_product SET tenant_id = %s", [globex.id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            serving.execute("SELECT digest FROM mcp_tokens_apitoken")

    assert (rows, moved) == ([("North anvil",)], 0)


@pytest.mark.parametrize("model", [TenantUser, Product, Order, OrderItem])
def test_without_a_context_the_database_raises(model: type[Product], managed: Managed) -> None:
    with pytest.raises(NoTenantContext):
        model.objects.count()


def test_the_audit_warns_of_what_only_a_superuser_can_shut_and_of_nothing_else(managed: Managed) -> None:
    found = audit.run("auditor")
    with psycopg.connect(managed.server.admin_url, dbname=DATABASE) as superuser:
        superuser.execute(SUPERUSER_SQL)
        left = superuser.execute("SELECT object FROM app.isolation_findings").fetchall()
        superuser.rollback()

    assert {each.level for each in found} == {Level.WARNING}
    assert {each.rule for each in found} == {"catalog-open", "function-open", "guard-missing", "language-open"}
    assert {
        "UPDATE on pg_catalog.pg_settings",
        "SELECT on pg_catalog.pg_stat_activity",
        "set_config(text,text,boolean)",
        "query_to_xml(text,boolean,boolean,text)",
        "plpgsql",
        "keep_row_security",
        "refuse_ddl",
    } <= {each.object for each in found}
    assert left == []


def test_warnings_pass_where_only_errors_fail(managed: Managed) -> None:
    out = io.StringIO()

    call_command("rls", "audit", "--fail-on", "error", stdout=out)
    with pytest.raises(CommandError, match=r"audit: red, 0 error\(s\)"):
        call_command("rls", "audit", stdout=io.StringIO())
    lenient, strict = psql_audit("-v", "fail_on=error"), psql_audit()

    assert "function-open  set_config(text,text,boolean)" in out.getvalue()
    assert (lenient.returncode, strict.returncode) == (0, 3)
    assert "errors: 0; warnings: " in lenient.stdout


def test_a_weaker_policy_is_an_error_here_too(managed: Managed) -> None:
    with psycopg.connect(managed.administrator, autocommit=True) as administrator:
        administrator.execute("SET ROLE app_owner; ALTER POLICY tenant_isolation ON core_product USING (true)")
        try:
            with pytest.raises(CommandError, match=r"audit: red, 1 error\(s\)"):
                call_command("rls", "audit", "--fail-on", "error", stdout=io.StringIO())
            red = psql_audit("-v", "fail_on=error")
        finally:
            [finding] = [each for each in audit.run("auditor") if each.level is Level.ERROR]
            administrator.execute(finding.mend)

    assert red.returncode == 3
    assert (finding.rule, finding.object) == ("policy-differs", "public.core_product.tenant_isolation")
