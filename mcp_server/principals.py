"""Who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: a token of one tenant, of the platform, or an open endpoint to one tenant.

    `tenant_id` is None for the platform. `name` is the token's; it is written to logs and audit rows. `locale` and
    `time_zone` are the tenant's settings, and '' for the platform.
    """

    name: str
    tenant_id: UUID | None
    slug: str
    locale: str
    time_zone: str
    id: UUID | str | None
    scopes: frozenset[str]

    @property
    def subject(self) -> str:
        """Who this is, qualified with the tenant: two tenants never share a subject."""
        return f"{self.tenant_id or 'platform'}:{self.id or 'public'}"
