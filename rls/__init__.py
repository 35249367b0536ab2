"""Row-level security for Django: every SQL statement carries its tenant, and PostgreSQL refuses the rest."""

from rls.context import current_tenant_id, platform_context, tenant_context
from rls.errors import IsolationError, PlatformRefused, TenantSuspended, UnknownTenant

__all__ = [
    "IsolationError",
    "PlatformRefused",
    "TenantSuspended",
    "UnknownTenant",
    "current_tenant_id",
    "platform_context",
    "tenant_context",
]
