"""Programs that people let in, and what each person has allowed. Of codes and tokens only digests are kept."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from mcp_server.sign_in import addresses
from rls.models import Keyed

MAX_NAME_LENGTH = 100


class Client(Keyed):
    """A program that has registered itself (RFC 7591). It has no secret, and its name is what it calls itself."""

    name = models.CharField(max_length=MAX_NAME_LENGTH)
    redirect_uris = ArrayField(models.CharField(max_length=addresses.MAX_LENGTH))
    last_used_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class Consent(Keyed):
    """What one person has allowed one client at one tenant's URL.

    The client is told by a code, and exchanges it once: then there is one token of the tenant (`token_id`), whose text
    changes with each refresh. Who shows a code or a refresh token a second time ends the consent and its token.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    # The URL of the tenant's endpoint (RFC 8707), as the client has written it.
    resource = models.CharField(max_length=addresses.MAX_LENGTH)
    scopes = ArrayField(models.CharField(max_length=50))
    redirect_uri = models.CharField(max_length=addresses.MAX_LENGTH)
    code_digest = models.BinaryField(max_length=32)
    code_challenge = models.CharField(max_length=128)
    code_expires_at = models.DateTimeField()
    code_used_at = models.DateTimeField(null=True)
    token_id = models.UUIDField(null=True)
    access_digest = models.BinaryField(max_length=32, null=True)
    refresh_digest = models.BinaryField(max_length=32, null=True)
    refresh_expires_at = models.DateTimeField(null=True)

    class Meta:
        default_related_name = "mcp_consents"
        constraints = [
            models.UniqueConstraint(fields=["code_digest"], name="mcp_consent_code_unique"),
            models.UniqueConstraint(fields=["access_digest"], name="mcp_consent_access_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.client} {self.resource}"
