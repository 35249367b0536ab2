"""Who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: of one tenant, or of the platform.

    `name` is for people, and written to audit rows. `tenant_id` is None and `slug` is '' for the platform. `locale` and
    `time_zone` are what the answers are in; '' stands for those of the installation. `id` tells callers of one tenant
    apart: the id of a token or of a user; None where nobody says who calls.
    """

    name: str
    tenant_id: UUID | None
    slug: str
    locale: str = ""
    time_zone: str = ""
    id: UUID | str | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def subject(self) -> str:
        """Who this is, qualified with the tenant: two tenants never share a subject."""
        return f"{self.tenant_id or 'platform'}:{self.id or 'public'}"

    def may(self, scope: str | None) -> bool:
        """Whether it has this scope; None is what everybody may."""
        return scope is None or scope in self.scopes

    def is_of(self, slug: str) -> bool:
        """Whether it may act at the URL of this tenant; where `slug` is '', at that of the platform."""
        return self.slug == slug and (self.tenant_id is None) == (slug == "")
