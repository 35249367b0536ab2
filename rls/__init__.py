"""Row-level security for Django: every SQL statement carries its tenant, and PostgreSQL refuses the rest."""

from rls.context import current_tenant_id, platform_context, tenant_context
from rls.errors import (
    CrossTenantWrite,
    EnvelopeRefused,
    IsolationError,
    NoPlatformContext,
    NoTenantContext,
    PlatformRefused,
    PolicyMissing,
    TenantRefused,
    TenantSuspended,
    UnknownTenant,
    WriteRefused,
)
from rls.reading import read_only
from rls.tasks import tenanted_task
from rls.timeouts import statement_timeout

__version__ = "0.1.0"

__all__ = [
    "CrossTenantWrite",
    "EnvelopeRefused",
    "IsolationError",
    "NoPlatformContext",
    "NoTenantContext",
    "PlatformRefused",
    "PolicyMissing",
    "TenantRefused",
    "TenantSuspended",
    "UnknownTenant",
    "WriteRefused",
    "__version__",
    "current_tenant_id",
    "platform_context",
    "read_only",
    "statement_timeout",
    "tenant_context",
    "tenanted_task",
]
