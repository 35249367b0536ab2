"""What is remembered of calls: the trail of them, answers to those that may arrive twice, and what tools keep between
them.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from mcp_server.ledger.whence import (
    MAX_ACTION_LENGTH,
    MAX_ACTOR_ID_LENGTH,
    MAX_ACTOR_LENGTH,
    MAX_ADDRESS_LENGTH,
    MAX_CLIENT_LENGTH,
    MAX_OUTCOME_LENGTH,
    MAX_REQUEST_ID_LENGTH,
)
from rls.models import Tenanted


def _said(max_length: int, help_text: str) -> models.CharField[Any, Any]:
    return models.CharField(max_length=max_length, blank=True, default="", db_default="", help_text=help_text)


class Attributed(Tenanted):
    """What says who has called, and from where. It is written once and never changed."""

    actor = models.CharField(max_length=MAX_ACTOR_LENGTH, help_text="The name of the caller: of a token, or a user.")
    actor_id = _said(MAX_ACTOR_ID_LENGTH, "The id of the caller, whose name may change; empty for a public endpoint.")
    request_id = _said(MAX_REQUEST_ID_LENGTH, "What the log calls the request.")
    client = _said(MAX_CLIENT_LENGTH, "The program and its version, as it says itself.")
    address = _said(MAX_ADDRESS_LENGTH, "The network address of the client; empty over stdio.")

    class Meta:
        abstract = True


class AuditEvent(Attributed):
    """That somebody changed something: written with the change, in its transaction, and never changed itself."""

    action = models.CharField(max_length=64, help_text="The tool that was called.")
    subject = models.CharField(max_length=200, blank=True, default="", help_text='What it was about: "ticket 7".')
    details = models.JSONField(default=dict, help_text="The arguments of the call.")
    changes = models.JSONField(
        default=list, db_default=[], help_text="Values that were others before: field, before, after, unit."
    )

    class Meta:
        default_related_name = "mcp_audit_events"
        indexes = [
            BrinIndex(fields=["created_at"], name="mcp_auditevent_age"),
            models.Index(
                "tenant", "subject", models.F("created_at").desc(), models.F("id").desc(), name="mcp_auditevent_subject"
            ),
            models.Index(
                "tenant", "actor", models.F("created_at").desc(), models.F("id").desc(), name="mcp_auditevent_actor"
            ),
            models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="mcp_auditevent_newest"),
            models.Index(
                "tenant", "action", models.F("created_at").desc(), models.F("id").desc(), name="mcp_auditevent_action"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class CallRecord(Attributed):
    """A call that has changed nothing: a read, what was refused or has failed, a dry run."""

    kind = models.CharField(max_length=16, help_text="tool, resource or prompt.")
    action = models.CharField(max_length=MAX_ACTION_LENGTH, help_text="Its name.")
    arguments = models.JSONField(default=dict, help_text="What the client has sent, without secrets, and cut.")
    outcome = models.CharField(max_length=MAX_OUTCOME_LENGTH, help_text="As in the log: ok, refused, or a reference.")
    duration_ms = models.FloatField(help_text="Milliseconds until there was an answer.")
    rows = models.PositiveIntegerField(null=True, help_text="How many items the answer lists.")

    class Meta:
        default_related_name = "mcp_call_records"
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="mcp_callrecord_newest"),
            # Rows come in the order of time, for all tenants: a few kilobytes find those that are old.
            BrinIndex(fields=["created_at"], name="mcp_callrecord_age"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome}"


class IdempotencyKey(Tenanted):
    """The answer of a call that may arrive twice, under the key that the caller chose."""

    key = models.CharField(max_length=200)
    action = models.CharField(max_length=64, help_text="The tool that was called.")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the caller and the arguments.")
    answer = models.JSONField(null=True)

    class Meta:
        default_related_name = "mcp_idempotency_keys"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="mcp_idempotencykey_unique")]
        indexes = [models.Index(fields=["tenant", "created_at"], name="mcp_idempotencykey_age")]

    def __str__(self) -> str:
        return self.key


class State(Tenanted):
    """What a tool keeps for a later call of the same caller (mcp_server.ledger.states)."""

    handle = models.CharField(max_length=32, help_text="What the caller shows to get it.")
    owner = models.CharField(max_length=64, help_text="SHA-256 of the caller, in hexadecimal digits.")
    value = models.TextField(help_text="A JSON value, in ASCII.")
    expires_at = models.DateTimeField()

    class Meta:
        default_related_name = "mcp_states"
        constraints = [models.UniqueConstraint(fields=["tenant", "handle"], name="mcp_state_unique")]
        indexes = [
            models.Index(fields=["tenant", "owner", "expires_at"], name="mcp_state_owner"),
            models.Index(fields=["tenant", "expires_at"], name="mcp_state_age"),
        ]

    def __str__(self) -> str:
        return f"until {self.expires_at}"
