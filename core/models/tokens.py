"""Bearer tokens. Only a digest is kept: whoever reads the table can't call anything."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.models.tenants import TenantUser
from rls.models import Keyed, Tenanted


class TokenFacts(models.Model):
    """What a tenant's token and a platform token have in common."""

    name = models.CharField(max_length=100, help_text="Who or what uses it; appears in logs and audit rows.")
    digest = models.BinaryField(max_length=32, editable=False, help_text="SHA-256 of the token.")
    scopes = ArrayField(models.CharField(max_length=50), help_text='Such as "products:read".')
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class ApiToken(TokenFacts, Tenanted):
    """Lets its bearer act for one tenant, within its scopes."""

    user = models.ForeignKey(
        TenantUser, on_delete=models.CASCADE, db_constraint=False, db_index=False, null=True, blank=True
    )

    class Meta:
        default_related_name = "tokens"
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="apitoken_digest_unique")]
        indexes = [models.Index(fields=["tenant", "user"], name="apitoken_user")]

    def __str__(self) -> str:
        return self.name


class PlatformToken(TokenFacts, Keyed):
    """Lets its bearer work across tenants, at `/mcp/`; each call leaves an audit row."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest"], name="platformtoken_digest_unique")]

    def __str__(self) -> str:
        return self.name
