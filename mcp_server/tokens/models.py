"""Bearer tokens. Only a digest is kept: whoever reads the table can't call anything."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from rls.models import Keyed, Tenanted


class TokenFacts(models.Model):
    """What a tenant's token and a platform token have in common."""

    name = models.CharField(max_length=100, help_text=_("Who or what uses it; appears in logs and audit rows."))
    digest = models.BinaryField(max_length=32, editable=False, help_text="SHA-256 of the token.")
    scopes = ArrayField(models.CharField(max_length=50), help_text=_('Such as "tickets:read".'))
    tools = ArrayField(
        models.CharField(max_length=128),
        null=True,
        blank=True,
        help_text=_("Of those that the scopes allow, these alone; empty for all of them."),
    )
    is_read_only = models.BooleanField(
        default=False, db_default=False, help_text=_("No tool that changes something is there for it.")
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text=_("To the minute."))
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class ApiToken(TokenFacts, Tenanted):
    """Lets its bearer act for one tenant, within its scopes; for one of its members, as long as he is one.

    `member` is the id of a row of MCP_MEMBER_MODEL. No key holds it: a token whose member is gone is refused.
    """

    member = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("The member of the tenant for whom it acts, and with whom it ends."),
    )

    class Meta:
        default_related_name = "mcp_tokens"
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="mcp_apitoken_digest_unique")]


class PlatformToken(TokenFacts, Keyed):
    """Lets its bearer work across tenants, at the platform's endpoint; each call leaves an audit row."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest"], name="mcp_platformtoken_digest_unique")]
