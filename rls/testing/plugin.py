"""Fixtures for pytest: `pytest_plugins = ["rls.testing.plugin"]` in the conftest.py at the root of the tests.

# Note [Tests commit]
pytest-django runs a test in a transaction and rolls it back. The transaction of one role shows nothing to another: a
tenant that the platform makes would be unknown to the tenant's own connection. So here every test that uses the
database commits what it writes, and afterwards the rows that the migrations left are put back. The mark `django_db`,
whatever its arguments, and the fixtures `db`, `transactional_db` and `live_server` all mean this. A test that asks for
none of them gets pytest-django's refusal, as ever.

The options --reuse-db, --create-db and --no-migrations change nothing: the template is kept as long as it is current.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import Context
from typing import Any
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections
from django.db.models import CharField, Model, TextField
from django.test import TransactionTestCase

import rls
from rls.checks.settings import tenant_model
from rls.testing import server
from rls.testing.rows import Rows
from rls.testing.server import Server

MakeTenant = Callable[[str], Model]


@pytest.fixture(scope="session")
def postgres_admin_url() -> str:
    """A superuser's URL of the server that the tests make their databases on. Override it to start one."""
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        pytest.fail(
            "the tests need a PostgreSQL server: set TEST_DATABASE_URL to a superuser's URL, "
            "or override the fixture postgres_admin_url",
            pytrace=False,
        )
    return url


@pytest.fixture(scope="session")
def postgres_server(postgres_admin_url: str) -> Server:
    """The server that the tests make their databases on."""
    return Server(postgres_admin_url)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any, postgres_server: Server) -> Iterator[str]:
    """The name of this process's database, migrated by the owner; Django's connections point at it, each as its role.

    It stands in the place of pytest-django's own, because this plugin is loaded later.
    """
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            stack.enter_context(postgres_server.database(name))
            server.require_bound()
        yield name


@pytest.fixture(scope="session")
def _rows(postgres_server: Server, django_db_setup: str) -> Iterator[Rows]:
    with psycopg.connect(postgres_server.admin_url, dbname=django_db_setup, autocommit=True) as admin:
        # A test that left a transaction open is told so, and does not hang the run.
        admin.execute("SET lock_timeout = '10s'")
        yield Rows(admin)


@pytest.fixture
def _django_db_helper(django_db_blocker: Any, _rows: Rows) -> Iterator[None]:
    """What pytest-django's mark and fixtures ask for. See Note [Tests commit]."""
    with django_db_blocker.unblock():
        yield
        connections.close_all()
        # The thread in which async code runs Django's ORM has connections of its own.
        asyncio.run(sync_to_async(connections.close_all)())
    _rows.restore()


@pytest.fixture(autouse=True)
def _refuse_test_cases(request: pytest.FixtureRequest) -> None:
    """See Note [Tests commit]: a TestCase holds its rows in a transaction, and a TransactionTestCase truncates."""
    case = request.cls
    if isinstance(case, type) and issubclass(case, TransactionTestCase):
        pytest.fail(
            f"{case.__name__} is a TestCase of Django's, whose rows other roles would not see: write test functions "
            "with @pytest.mark.django_db, or derive it from SimpleTestCase where it needs no database",
            pytrace=False,
        )


@pytest.fixture
def make_tenant() -> MakeTenant:
    """Makes a tenant of the name it is given, inside a platform context.

    Override it where RLS_TENANT_MODEL needs more than its text fields filled:

        @pytest.fixture
        def make_tenant():
            return lambda name: Tenant.objects.create(name=name, plan=Plan.objects.get(code="free"))
    """
    model = tenant_model()
    assert model is not None, "RLS_TENANT_MODEL names no model: manage.py check"

    def make(name: str) -> Model:
        texts = [
            field
            for field in model._meta.local_fields
            if isinstance(field, CharField | TextField) and not (field.has_default() or field.blank or field.null)
        ]
        try:
            return model._base_manager.create(**{field.name: name[: field.max_length] for field in texts})
        except (DatabaseError, ValueError) as error:
            raise AssertionError(
                f"{model._meta.label} needs more than a name ({error}): override the fixture make_tenant"
            ) from error

    return make


@pytest.fixture
def tenant(db: None, make_tenant: MakeTenant) -> Model:
    """A committed tenant."""
    return _committed(make_tenant, "tenant")


@pytest.fixture
def other_tenant(db: None, make_tenant: MakeTenant) -> Model:
    """Another committed tenant."""
    return _committed(make_tenant, "other-tenant")


@pytest.fixture
def tenant_context(tenant: Model) -> Iterator[UUID]:
    """The context of `tenant`, open during the test; the tenant's id."""
    with rls.tenant_context(tenant.pk) as tenant_id:
        yield tenant_id


def _committed(make_tenant: MakeTenant, name: str) -> Model:
    def make() -> Model:
        with rls.platform_context(actor="tests", reason=f"the fixture {name.replace('-', '_')}"):
            return make_tenant(name)

    # In a context of its own: whatever the order of the fixtures, `tenant_context` may be open already.
    return Context().run(make)
