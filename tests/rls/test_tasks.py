"""Work that is asked for in a tenant context and done elsewhere: only in that tenant, and only as it was asked for."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core import signing
from django.db import connection, connections, transaction

import rls
from core.models import Order, Product
from core.scopes import Scope
from core.services import tenants
from rls import EnvelopeRefused, NoTenantContext, tenant_context, tenanted_task
from tests.support import programs
from tests.support.world import World, working


@tenanted_task
def names(prefix: str = "", *, suffix: str = "") -> list[str]:
    """The tenant's products."""
    return [prefix + name + suffix for name in Product.objects.values_list("name", flat=True)]


@tenanted_task
def numbers() -> list[int]:
    return list(Order.objects.values_list("number", flat=True))


@tenanted_task(max_age=timedelta(minutes=5))
def soon() -> str:
    return Product.objects.get().name


@tenanted_task
async def anames(prefix: str = "") -> list[str]:
    found = [prefix + product.name async for product in Product.objects.all()]
    await asyncio.sleep(0)
    return [*found, *await sync_to_async(names.__wrapped__)(prefix)]


@tenanted_task
def failing() -> None:
    Product.objects.update(stock=0)
    raise ZeroDivisionError


@tenanted_task
def anything(*args: Any, **kwargs: Any) -> list[Any]:
    return [args, kwargs]


def sealed(world: World, task: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with tenant_context(world.id):
        return task.seal(*args, **kwargs)


def contents(envelope: str) -> list[Any]:
    """What anybody reads in an envelope."""
    payload = envelope.partition(":")[0]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def with_contents(envelope: str, payload: object) -> str:
    """The envelope with other contents and its old signature."""
    text = base64.urlsafe_b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode().rstrip("=")
    return ":".join([text, *envelope.split(":")[1:]])


def returning(envelope: str, task: Callable[[str], Any] = names) -> Any:
    """Do the work as a worker's thread does: nothing is open before, nothing afterwards."""
    try:
        assert rls.current_tenant_id() is None
        answer = task(envelope)
        assert rls.current_tenant_id() is None
        with pytest.raises(NoTenantContext):
            Product.objects.count()
        return answer
    finally:
        connections.close_all()


def test_the_work_is_done_for_the_tenant_that_asked(acme: World, globex: World) -> None:
    envelope = sealed(acme, names, "<", suffix=">")

    assert names(envelope) == ["<Acme anvil>"]
    assert names(envelope) == ["<Acme anvil>"]
    assert rls.current_tenant_id() is None


def test_threads_with_two_tenants_are_never_crossed(acme: World, globex: World) -> None:
    worlds = [acme, globex] * 50
    envelopes = [sealed(world, names) for world in worlds]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(returning, envelopes))

    assert answers == [[f"{world.name} anvil"] for world in worlds]


def test_async_work_of_two_tenants_is_never_crossed(acme: World, globex: World) -> None:
    worlds = [acme, globex] * 20
    envelopes = [sealed(world, anames, "a ") for world in worlds]

    async def together() -> list[list[str]]:
        return await asyncio.gather(*(anames(envelope) for envelope in envelopes))

    assert asyncio.run(together()) == [[f"a {world.name} anvil"] * 2 for world in worlds]
    assert rls.current_tenant_id() is None


def test_another_process_does_the_work(acme: World, globex: World) -> None:
    envelopes = [sealed(world, names) for world in (acme, globex)]
    program = (
        "import django, sys; django.setup()\n"
        "from tests.rls.test_tasks import names, returning\n"
        "print([returning(envelope) for envelope in sys.argv[1:]])"
    )

    done = programs.run(["-c", program, *envelopes], environment=dict(os.environ))

    assert (done.stdout, done.stderr) == ("[['Acme anvil'], ['Globex anvil']]\n", "")


def test_inside_another_context_the_envelopes_tenant_counts(acme: World, globex: World) -> None:
    envelope = sealed(acme, names)

    with tenant_context(globex.id):
        assert names(envelope) == ["Acme anvil"]
        assert names.__wrapped__() == ["Globex anvil"]


def test_a_commit_hook_seals_for_the_tenant_that_registered_it(acme: World) -> None:
    envelopes: list[str] = []

    with transaction.atomic(), tenant_context(acme.id):
        transaction.on_commit(lambda: envelopes.append(names.seal()))

    assert [names(envelope) for envelope in envelopes] == [["Acme anvil"]]


def test_a_task_that_raises_leaves_nothing(acme: World, globex: World) -> None:
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(returning, sealed(acme, failing), failing)
        after = pool.submit(returning, sealed(globex, names))

    assert isinstance(failed.exception(), ZeroDivisionError)
    assert after.result() == ["Globex anvil"]


@pytest.mark.parametrize("task", [names, anames])
def test_an_envelope_of_one_tenant_is_not_altered_to_another(task: Any, acme: World, globex: World) -> None:
    envelope = sealed(acme, task)
    name, tenant_id, *arguments = contents(envelope)
    assert tenant_id == str(acme.id)
    assert with_contents(envelope, [name, tenant_id, *arguments]) == envelope

    with pytest.raises(EnvelopeRefused):
        done = task(with_contents(envelope, [name, str(globex.id), *arguments]))
        asyncio.run(done)


def test_neither_arguments_nor_time_are_altered(acme: World) -> None:
    envelope = sealed(acme, names, "<")
    name, tenant_id, _, kwargs = contents(envelope)
    payload, _, signature = envelope.split(":")

    for altered in (
        with_contents(envelope, [name, tenant_id, [">"], kwargs]),
        f"{payload}:{signing.b62_encode(int(time.time()) + 60)}:{signature}",
        "." + envelope,
    ):
        with pytest.raises(EnvelopeRefused):
            names(altered)


def test_a_task_takes_no_envelope_of_another(acme: World) -> None:
    envelope = sealed(acme, names)
    assert contents(envelope)[0] == "tests.rls.test_tasks:names"

    with pytest.raises(EnvelopeRefused, match=r"no envelope for tests\.rls\.test_tasks:numbers"):
        numbers(envelope)


@pytest.mark.parametrize("text", ["", "csv", ":", "a:b:c", "\ud800:b:c", "a:b:\ud800", "é:b:c"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(EnvelopeRefused, match=r"the task's own seal\(\)") as refused:
        names(text)

    assert refused.value.__suppress_context__


def test_another_use_of_the_key_makes_no_envelope(acme: World) -> None:
    payload = contents(sealed(acme, names))

    for salt in ("django.core.signing", "rls.tasks", "tests.rls.test_tasks:names"):
        with pytest.raises(EnvelopeRefused):
            names(signing.dumps(payload, salt=salt))


def test_an_envelope_expires(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_context(acme.id), monkeypatch.context() as earlier:
        now = time.time()
        earlier.setattr(time, "time", lambda: now - 301)
        old, lasting = soon.seal(), names.seal()

    with pytest.raises(EnvelopeRefused, match=r"older than 0:05:00; seal it again"):
        soon(old)
    assert soon(sealed(acme, soon)) == "Acme anvil"
    assert names(lasting) == ["Acme anvil"]


def test_a_tenant_that_was_suspended_or_deleted_meanwhile_is_refused(acme: World, globex: World) -> None:
    suspended, deleted = sealed(acme, names), sealed(globex, anames)
    with working():
        tenants.set_active("acme", active=False)
        tenants.delete("globex")

    with pytest.raises(rls.TenantSuspended):
        names(suspended)
    with pytest.raises(rls.UnknownTenant):
        asyncio.run(anames(deleted))
    assert rls.current_tenant_id() is None


def test_a_platform_context_does_not_open_a_tenants(acme: World) -> None:
    envelope = sealed(acme, names)

    with working():
        with pytest.raises(rls.PlatformRefused):
            names(envelope)
        with pytest.raises(NoTenantContext):
            names.seal()


def test_nothing_is_sealed_without_a_context() -> None:
    with connection.execute_wrapper(lambda *call: pytest.fail("SQL was sent")):
        with pytest.raises(NoTenantContext, match=r"with rls\.tenant_context\(tenant_id\)"):
            names.seal()


@pytest.mark.parametrize(
    "value",
    [
        uuid.uuid4(),
        datetime.now(UTC),
        date(2026, 1, 1),
        Decimal("1.5"),
        b"bytes",
        {1, 2},
        object(),
        {1: "a key becomes text"},
        ("a", "tuple becomes a list"),
        float("nan"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_does_not_keep_is_not_sealed(value: object, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(TypeError, match="not the same after JSON"):
            anything.seal(value)
        with pytest.raises(TypeError, match="not the same after JSON"):
            anything.seal(value=value)


def test_a_value_that_holds_itself_is_not_sealed(acme: World) -> None:
    endless: list[Any] = []
    endless.append(endless)

    with tenant_context(acme.id), pytest.raises(TypeError, match="not the same after JSON"):
        anything.seal(endless)


def test_json_arrives_as_it_is(acme: World) -> None:
    values = ["文字 \ud800 %s ; '", 1, 2**70, -0.5, True, None, [[]], {"a": {"b": [1]}}]

    envelope = sealed(acme, anything, *values, envelope=1, self=2)

    assert anything(envelope) == [tuple(values), {"envelope": 1, "self": 2}]
    assert envelope.isascii()


def test_arguments_that_do_not_fit_are_told_to_whoever_asks(acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(TypeError, match="too many positional arguments"):
            names.seal("a", "b")
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            numbers.seal(year=2026)


def test_a_rotated_key_opens_what_was_sealed_before(acme: World, settings: Any) -> None:
    envelope = sealed(acme, names)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "the next key, for tests and for nothing else"

    with pytest.raises(EnvelopeRefused, match="SECRET_KEY"):
        names(envelope)
    settings.SECRET_KEY_FALLBACKS = [old]

    assert names(envelope) == ["Acme anvil"]
    assert names(sealed(acme, names)) == ["Acme anvil"]


def test_a_task_is_still_the_function_it_was() -> None:
    assert (names.__module__, names.__qualname__, names.__doc__) == (__name__, "names", "The tenant's products.")
    assert inspect.isfunction(names)
    assert list(inspect.signature(names).parameters) == ["envelope"]
    assert [inspect.iscoroutinefunction(task) for task in (names, anames)] == [False, True]


def test_a_started_thread_needs_nothing_but_the_envelope(acme: World, globex: World) -> None:
    answers: Counter[str] = Counter()
    envelope = sealed(acme, names)

    with tenant_context(globex.id):
        thread = threading.Thread(target=lambda: answers.update(returning(envelope)))
        thread.start()
        thread.join()

    assert answers == {"Acme anvil": 1}


def test_a_generator_is_no_task(acme: World) -> None:
    def pages() -> Any:
        yield 1

    with pytest.raises(TypeError, match="is a generator, which runs where it is consumed; return a list"):
        tenanted_task(pages)
    with pytest.raises(TypeError, match="is a generator"):
        tenant_context(acme.id)(pages)


def test_a_task_has_a_name_of_its_own() -> None:
    with pytest.raises(TypeError, match="define a task at the top of a module"):
        tenanted_task(lambda: None)


@pytest.mark.parametrize("envelope", [None, b"bytes", 7, ["list"]])
def test_what_is_no_text_is_no_envelope(envelope: Any) -> None:
    with pytest.raises(EnvelopeRefused):
        names(envelope)


def test_infinity_is_no_json(acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(TypeError, match="is not the same after JSON"):
        anything.seal(float("inf"))


def test_what_json_makes_plain_is_not_sealed(acme: World) -> None:
    with tenant_context(acme.id), pytest.raises(TypeError, match="is not the same after JSON"):
        anything.seal(Scope.ORDERS_READ)
