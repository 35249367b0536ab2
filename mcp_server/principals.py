"""Who is calling."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mcp_server.declare.registry import Spec
    from mcp_server.declare.tools import ToolSpec

# The name of whoever shows nothing but a tenant's URL: the one caller without an id.
ANYONE_NAME = "public"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: of one tenant, or of the platform.

    `name` is for people, and written to audit rows. `tenant_id` is None and `slug` is '' for the platform. `locale` and
    `time_zone` are what the answers are in; '' stands for those of the installation. `id` tells callers of one tenant
    apart, whose sessions, confirmations and kept answers are their own: the id of a token or of a user; None where
    nobody says who calls, and the name is ANYONE_NAME. Of the tools that `scopes` allow it has those that `tools`
    names, all where it is None, and, where it `is_read_only`, none that changes something. `person` is the name of the
    user for whom a token acts, '' where it acts for nobody.

    Raises ValueError: it has a name of its own and no id.
    """

    name: str
    tenant_id: UUID | None
    slug: str
    locale: str = ""
    time_zone: str = ""
    id: UUID | str | None = None
    scopes: frozenset[str] = frozenset()
    tools: frozenset[str] | None = None
    is_read_only: bool = False
    person: str = ""

    def __post_init__(self) -> None:
        if self.id in (None, "") and self.name != ANYONE_NAME:
            raise ValueError(
                f"the principal {self.name!r} has no id, so callers of one tenant could not be told apart, and would "
                "see each other's kept answers; write Principal(..., id=user.pk), or the id that your tokens have"
            )

    @property
    def subject(self) -> str:
        """Who this is, qualified with the tenant: two tenants never share a subject, nor two ids of one."""
        tenant = str(self.tenant_id or "platform")
        return tenant if self.id in (None, "") else f"{tenant}:{self.id}"

    @property
    def actor(self) -> str:
        """Who does what it does, for the records: the person, where there is one."""
        return self.person or self.name

    @property
    def rights(self) -> Hashable:
        """All that `may_use` depends on."""
        return self.scopes, self.tools, self.is_read_only

    def may_use(self, spec: Spec) -> bool:
        """Whether a tool, a resource or a prompt is there for this caller."""
        return self.may(spec.scope) and (spec.kind != "tool" or self._may_call(spec))

    def may(self, scope: str | None) -> bool:
        """Whether it has this scope; None is what everybody may."""
        return scope is None or scope in self.scopes

    def _may_call(self, spec: ToolSpec) -> bool:
        return (self.tools is None or spec.name in self.tools) and (spec.is_read_only or not self.is_read_only)

    def is_of(self, slug: str) -> bool:
        """Whether it may act at the URL of this tenant; where `slug` is '', at that of the platform."""
        return self.slug == slug and (self.tenant_id is None) == (slug == "")
