"""What the library raises. Each message says what is wrong, then what to do.

Five of them are also the error that Django makes of PostgreSQL's refusal: what catches DatabaseError catches
them, and `__cause__` is psycopg's own error, with its `sqlstate` and `diag`.
"""

from __future__ import annotations

from django.db.utils import InternalError, ProgrammingError

TENANT_CONTEXT = "with rls.tenant_context(tenant_id)"
PLATFORM_CONTEXT = "with rls.platform_context(actor=..., reason=...)"


class IsolationError(Exception):
    """Base of the errors of this library."""


class UnknownTenant(IsolationError):
    """No tenant has this id."""


class TenantSuspended(IsolationError):
    """The tenant exists and is not active."""


class TenantRefused(IsolationError):
    """A tenant's context was to be entered inside another tenant's."""


class PlatformRefused(IsolationError):
    """Cross-tenant work was asked for where it may not happen."""


class NoTenantContext(IsolationError, ProgrammingError):
    """What needs a tenant, a statement on a tenanted table or the sealing of a task, came without a tenant context."""

    def __init__(self, message: str = f"no tenant context is open\nHINT:  In Python: {TENANT_CONTEXT}.") -> None:
        super().__init__(message)


class NoPlatformContext(IsolationError, ProgrammingError):
    """A statement on a tenanted table came to the platform's connection without a platform context."""

    def __init__(self, message: str = f"no platform context is open\nHINT:  In Python: {PLATFORM_CONTEXT}.") -> None:
        super().__init__(message)


class CrossTenantWrite(IsolationError, ProgrammingError):
    """A row that would not belong to the open tenant was refused, and nothing was written.

    To an upsert it says that the key it was given is in use elsewhere.
    """


class PolicyMissing(IsolationError, ProgrammingError):
    """A row was refused because the table lacks a policy for the role, whosever row it is; nothing was written."""


class WriteRefused(IsolationError, InternalError):
    """A statement that writes came in a block that only reads (see `rls.read_only`), and nothing was written."""

    def __init__(
        self,
        message: str = "a statement that writes came in a block that only reads\n"
        "HINT:  Write outside of rls.read_only(); an MCP tool that writes is declared with read_only=False.",
    ) -> None:
        super().__init__(message)


class EnvelopeRefused(IsolationError):
    """The text that a task was called with was not sealed for it, was altered, or is too old."""
