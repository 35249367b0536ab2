"""What a tenant takes with it."""

from __future__ import annotations

from django.db import models

from rls.models import Tenanted


class ExportFormat(models.TextChoices):
    """The file formats there are."""

    CSV = "csv", "CSV (zip)"
    JSON = "json", "JSON"
    JSONL = "jsonl", "JSON Lines"
    XLSX = "xlsx", "Excel"


class Export(Tenanted):
    """A file with all rows of the tenant, until it expires. `finished_at` is NULL while it is being written."""

    format = models.CharField(max_length=5, choices=ExportFormat)
    actor = models.CharField(max_length=100, help_text="The name of the token that asked for it.")
    row_count = models.PositiveBigIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        default_related_name = "exports"
        indexes = [models.Index(fields=["tenant", "expires_at"], name="export_expiry")]

    def __str__(self) -> str:
        return f"{self.format} {self.id}"


class ExportPart(Tenanted):
    """A piece of an export's file; in the order of `number` they are the file."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_related_name = "parts"
        constraints = [models.UniqueConstraint(fields=["tenant", "export", "number"], name="exportpart_unique")]

    def __str__(self) -> str:
        return f"{self.export_id} {self.number}"
