"""What is remembered of the calls that change something."""

from __future__ import annotations

from django.db import models

from rls.models import Tenanted


class AuditEvent(Tenanted):
    """That somebody changed something: written with the change, in its transaction, and never changed itself."""

    action = models.CharField(max_length=64, help_text="The tool that was called.")
    subject = models.CharField(max_length=200, blank=True, default="", help_text='What it was about: "ticket 7".')
    actor = models.CharField(max_length=100, help_text="The name of the token.")
    details = models.JSONField(default=dict, help_text="The arguments of the call.")

    class Meta:
        default_related_name = "mcp_audit_events"
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="mcp_auditevent_newest"),
            models.Index(
                "tenant", "action", models.F("created_at").desc(), models.F("id").desc(), name="mcp_auditevent_action"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


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
