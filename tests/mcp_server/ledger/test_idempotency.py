"""Keys of calls that may arrive twice: who has one, and how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mcp_server.ledger import idempotency
from mcp_server.ledger.idempotency import RETENTION, KeyReused
from mcp_server.ledger.models import IdempotencyKey
from rls import tenant_context
from tests.support.together import CALLERS, together
from tests.support.world import World

CALL = {"action": "adjust_stock", "digest": b"1" * 32}


def test_a_new_key_is_claimed_in_one_statement(acme: World) -> None:
    with tenant_context(acme.id), CaptureQueriesContext(connection) as statements:
        assert idempotency.claim("k", **CALL) is None

    assert len(statements) == 1


def test_the_key_of_another_call_is_refused(acme: World) -> None:
    with tenant_context(acme.id):
        idempotency.claim("k", **CALL)
        idempotency.keep("k", {"number": 1})

        assert idempotency.claim("k", **CALL) == {"number": 1}
        with pytest.raises(KeyReused):
            idempotency.claim("k", action="adjust_stock", digest=b"2" * 32)


def test_a_key_is_forgotten_after_its_time(acme: World, globex: World) -> None:
    for world in (acme, globex):
        with tenant_context(world.id):
            idempotency.claim("old", **CALL)
            idempotency.keep("old", {"number": 1})
            idempotency.claim("other", **CALL)
            IdempotencyKey.objects.update(created_at=timezone.now() - RETENTION - timedelta(minutes=1))

    with tenant_context(acme.id):
        assert idempotency.claim("old", action="place_order", digest=b"2" * 32) is None

        assert list(IdempotencyKey.objects.values_list("key", "action", "answer")) == [("old", "place_order", None)]
    with tenant_context(globex.id):
        assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {"first", "old", "other"}


def test_of_those_that_come_at_once_one_has_the_key(acme: World) -> None:
    with tenant_context(acme.id):
        idempotency.claim("old", **CALL)
        IdempotencyKey.objects.update(created_at=timezone.now() - RETENTION - timedelta(minutes=1))

    def work(number: int) -> object:
        with transaction.atomic():
            answer = idempotency.claim("old", **CALL)
            if answer is None:
                idempotency.keep("old", {"number": number})
            return answer

    answers = together(acme.id, work)

    [winner] = [number for number, answer in enumerate(answers) if answer is None]
    assert answers.count({"number": winner}) == CALLERS - 1
