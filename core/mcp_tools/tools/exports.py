"""All of a tenant's data, to take away."""

from __future__ import annotations

from typing import Annotated, Self

from django.utils.translation import gettext as _
from pydantic import BaseModel, Field, field_serializer

from core import formats
from core.mcp_tools import downloads
from core.models import ExportFormat
from core.scopes import Scope
from core.services import exports
from core.services.exports import Exported
from mcp_server.call import progress
from mcp_server.call.units import Dated, Moment
from mcp_server.declare.tools import Change, tool
from mcp_server.http.context import current_principal


class TableCount(BaseModel):
    """How many rows of a table are in a file."""

    table: str
    rows: int


class ExportFile(Dated, Change):
    """A file with every row of the tenant. In a dry run there is no link to it."""

    format: ExportFormat
    rows: int
    tables: list[TableCount]
    bytes: int
    file_name: str
    media_type: str
    expires_at: Moment
    resource: str | None
    url: str | None
    contacts_masked: bool

    @classmethod
    def of(cls, exported: Exported, *, is_masked: bool) -> Self:
        export = exported.export
        handle = exports.handle(export)
        return cls(
            format=ExportFormat(export.format),
            rows=export.row_count,
            tables=[TableCount(table=table, rows=rows) for table, rows in exported.tables.items()],
            bytes=export.byte_count,
            file_name=exports.file_name(export, current_principal().slug),
            media_type=exports.media_type(export),
            expires_at=export.expires_at,
            resource=f"export://{handle}",
            url=downloads.url(handle),
            contacts_masked=is_masked,
        )

    @field_serializer("resource", "url")
    def _unless_rehearsed(self, link: str | None) -> str | None:
        return None if self.dry_run else link

    def subject(self) -> str:
        return f"export as {self.format.value}"

    def text(self) -> str:
        lines = [
            _("Exported {rows} rows as {format}, {bytes} bytes.").format(
                rows=formats.number(self.rows), format=self.format.label, bytes=formats.number(self.bytes)
            ),
            f"{self.file_name} ({self.media_type})",
            _(", ").join(f"{each.table} {formats.number(each.rows)}" for each in self.tables),
        ]
        if self.contacts_masked:
            lines.append(_("E-mail addresses and phone numbers are masked in it: this token lacks customers:contact."))
        if not self.dry_run:
            lines.append(
                _("Download it until {moment}: {link}").format(
                    moment=formats.moment(self.expires_at),
                    link=" , ".join(link for link in (self.url, self.resource) if link),
                )
            )
        return "\n".join(lines)


@tool(scope=Scope.EXPORTS_WRITE, title="Export all data", read_only=False)
def export_tenant_data(
    format: Annotated[
        ExportFormat,
        Field(
            description="csv: a zip with one file per table; xlsx: a workbook with one sheet per table; "
            "json: one document; jsonl: one line per row, for large data."
        ),
    ],
) -> ExportFile:
    """Write every row of this tenant into a file and return a download link, which anyone can open for an hour.

    For figures call get_comprehensive_tenant_stats instead.
    """
    principal = current_principal()
    is_masked = not principal.may(Scope.CUSTOMERS_CONTACT)
    exported = exports.create(format=format, actor=principal.actor, is_masked=is_masked, on_progress=progress.report)
    return ExportFile.of(exported, is_masked=is_masked)
