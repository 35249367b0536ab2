"""The audit log of the open tenant context."""

from __future__ import annotations

from typing import Any

from core.models import AuditEvent


def write(*, action: str, subject: str, actor: str, details: dict[str, Any]) -> None:
    """Remember a change, in its transaction. `details` are plain JSON values."""
    AuditEvent.objects.create(action=action, subject=subject[:200], actor=actor, details=details)
