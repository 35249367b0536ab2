"""Django's tasks (6.0 and newer) carry an envelope: at once, and over a queue to a worker."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("django.tasks", reason="Django has tasks from 6.0 on")

from django.db import connections
from django.tasks import TaskResultStatus, task
from django.tasks.backends.immediate import ImmediateBackend
from django.utils.module_loading import import_string

import rls
from core.models import Product
from rls import tenant_context, tenanted_task
from tests.support.world import World


@task
@tenanted_task
def export(kind: str) -> list[str]:
    return [f"{name}.{kind}" for name in Product.objects.values_list("name", flat=True)]


@task
@tenanted_task
async def aexport(kind: str) -> list[str]:
    return [f"{product.name}.{kind}" async for product in Product.objects.all()]


# What a broker holds: text.
QUEUE: list[str] = []


class QueueBackend(ImmediateBackend):
    """Puts tasks on a queue and does nothing with them."""

    def _execute_task(self, task_result: Any) -> None:
        QUEUE.append(json.dumps([task_result.task.module_path, task_result.args, task_result.kwargs]))


def work(message: str) -> Any:
    """What a worker does with a message."""
    path, args, kwargs = json.loads(message)
    try:
        answer = import_string(path).call(*args, **kwargs)
        assert rls.current_tenant_id() is None
        return answer
    finally:
        connections.close_all()


@pytest.fixture
def queue(settings: Any) -> list[str]:
    """The messages of the backend "later"."""
    settings.TASKS = {
        "default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
        "later": {"BACKEND": f"{__name__}.QueueBackend"},
    }
    QUEUE.clear()
    return QUEUE


def enqueue(*worlds: World) -> None:
    for world in worlds:
        with tenant_context(world.id):
            export.using(backend="later").enqueue(export.func.seal("csv"))


@pytest.mark.parametrize("export", [export, aexport])
def test_a_task_runs_at_once_for_its_tenant(export: Any, acme: World, globex: World) -> None:
    with tenant_context(acme.id):
        result = export.enqueue(export.func.seal("csv"))
    with tenant_context(acme.id):
        elsewhere = export.func.seal("csv")
    with tenant_context(globex.id):
        nested = export.enqueue(elsewhere)

    assert result.return_value == nested.return_value == ["Acme anvil.csv"]
    assert rls.current_tenant_id() is None


def test_a_task_without_an_envelope_fails(acme: World) -> None:
    with tenant_context(acme.id):
        result = export.enqueue("csv")

    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is rls.EnvelopeRefused


def test_the_threads_of_a_worker_are_never_crossed(queue: list[str], acme: World, globex: World) -> None:
    worlds = [acme, globex] * 20
    enqueue(*worlds)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, queue))

    assert answers == [[f"{world.name} anvil.csv"] for world in worlds]


def test_a_workers_process_does_each_for_its_tenant(queue: list[str], acme: World, globex: World) -> None:
    enqueue(acme, globex, acme)
    program = (
        "import django, sys; django.setup()\n"
        "from tests.rls.test_django_tasks import work\n"
        "print([work(message) for message in sys.argv[1:]])"
    )

    done = subprocess.run([sys.executable, "-c", program, *queue], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("[['Acme anvil.csv'], ['Globex anvil.csv'], ['Acme anvil.csv']]\n", "")
