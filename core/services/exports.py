"""Exports of the open tenant context: files with all of its rows, kept in the database until they expire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, cast

from django.apps import apps
from django.core.signing import BadSignature, TimestampSigner
from django.db import connection, transaction
from django.db.models import DateTimeField, ForeignObjectRel, JSONField, Model, TextField
from django.utils import timezone
from django.utils.translation import gettext as _

import rls
from core import amounts
from core.models import (
    Customer,
    Export,
    ExportFormat,
    ExportPart,
    Membership,
    Order,
    Product,
    ProductTerm,
    Tenant,
    TenantUser,
)
from core.services import settings
from core.services.export_formats import CSV, JSON, Header, JSONLines, Row, Writer
from core.services.export_xlsx import XLSX
from mcp_server import contacts, zones
from mcp_server.errors import Refusal
from mcp_server.ledger.models import CallRecord, IdempotencyKey, State
from mcp_server.tokens.models import ApiToken
from rls.models import Tenanted

Progress = Callable[[int, int], None]

WRITERS: dict[str, type[Writer]] = {
    ExportFormat.CSV: CSV,
    ExportFormat.JSON: JSON,
    ExportFormat.JSONL: JSONLines,
    ExportFormat.XLSX: XLSX,
}

# The tenanted models whose rows are in no export, and why.
EXCLUDED_MODELS: dict[type[Tenanted], str] = {
    ApiToken: "The platform manages tokens: a tenant's role may not read them.",
    CallRecord: "Who has read what is for those who look after the installation, and more than all else together.",
    Export: "An export is a copy of the other rows, and would hold the ones before it.",
    ExportPart: "The same.",
    Membership: "Who may sign in is the platform's to say, and names users of the installation by their ids.",
    IdempotencyKey: "It remembers a call for one that is sent again, and holds nothing that is not elsewhere.",
    State: "It is what a conversation remembers for a day, and holds nothing that is not elsewhere.",
    ProductTerm: "The index of the search: it is made anew from the products.",
}

# What people call a row, and the name of the column that has it: in a sheet it stands beside the row's id.
NAMES_OF_ROWS: dict[type[Model], str] = {
    Customer: "name",
    Order: "number",
    Product: "sku",
    TenantUser: "username",
}

PART_SIZE = 2**20
LIFETIME = timedelta(hours=1)
MAX_KEPT_EXPORTS = 5
# Rows that are in memory at a time; where one may be of any length, fewer.
BATCH_SIZE = 2_000
LONG_ROW_BATCH_SIZE = 200


class ExportNotFound(Refusal):
    """No export has this handle, or it has expired."""


class ExportRunning(Refusal):
    """Another export of this tenant is being written."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export, and how many rows of each table are in it."""

    export: Export
    tables: dict[str, int]


def tables() -> dict[str, type[Model]]:
    """What an export holds: the tenant, and every tenanted model that is not left out, by the name in the file."""
    models = [model for model in apps.get_models() if issubclass(model, Tenanted) and model not in EXCLUDED_MODELS]
    return {"tenant": Tenant} | {_name(model): model for model in models}


def create(
    *, format: ExportFormat, actor: str, is_masked: bool = False, on_progress: Progress | None = None
) -> Exported:
    """Write every row of the tenant into a file, which can be read for an hour.

    The tables are read one after the other and a batch at a time, in the order of their keys: a table is as it is when
    its turn comes, so a row that is written meanwhile may be in one table and what belongs to it not in another. The
    memory that this takes does not grow with the rows. Expired exports of the tenant go, and of the others its oldest
    beyond five.

    Args:
        actor: the name of the token that asks for it.
        is_masked: whether its e-mail addresses and phone numbers are to be masked.
        on_progress: is told after each batch how many rows are written, of how many.

    Raises ExportRunning; DoesNotFit where a workbook can't hold a text; of a sheet, ZoneUnknown.
    """
    with transaction.atomic():
        _take_turn()
        _make_room()
        now = timezone.now()
        export = Export.objects.create(format=format, actor=actor, expires_at=now + LIFETIME)
        parts = Parts(export)
        zone = zones.of(settings.get().time_zone)
        with WRITERS[format](parts, Header(Tenant.objects.get().subdomain, now, zone)) as writer:
            counts = _write_tables(writer, on_progress or _nobody, is_masked=is_masked)
        parts.close()
        export.row_count, export.byte_count = sum(counts.values()), parts.size
        export.finished_at = timezone.now()
        export.expires_at = export.finished_at + LIFETIME
        export.save()
    return Exported(export, counts)


def handle(export: Export) -> str:
    """A signed handle that opens this export, in this tenant, for an hour: letters, digits, `-`, `_` and `.`."""
    return _signer().sign(str(export.id))


def open(handle: str) -> Export:
    """The finished export of this handle. Raises ExportNotFound, whatever is wrong with it."""
    try:
        export_id = _signer().unsign(handle, max_age=LIFETIME)
        return Export.objects.get(id=export_id, finished_at__isnull=False, expires_at__gt=timezone.now())
    except (BadSignature, Export.DoesNotExist):
        raise ExportNotFound(
            _("This export does not exist, or has expired. Call export_tenant_data to make a new one.")
        ) from None


def part_numbers(export: Export) -> range:
    """The numbers of the pieces whose contents, in this order, are the file."""
    return range(1, -(-export.byte_count // PART_SIZE) + 1)


def part(export: Export, number: int) -> bytes:
    """A piece of the file, of PART_SIZE bytes at most. Raises ExportNotFound where the export has gone meanwhile."""
    content = ExportPart.objects.filter(export=export, number=number).values_list("content", flat=True).first()
    if content is None:
        raise ExportNotFound(_("This export has expired. Call export_tenant_data to make a new one."))
    return bytes(content)


def file_name(export: Export, subdomain: str) -> str:
    """A name to save it under, with its time in UTC (ISO 8601): letters, digits, `-` and `.`."""
    return f"{subdomain}-{export.created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}.{WRITERS[export.format].suffix}"


def media_type(export: Export) -> str:
    """The media type of the file (RFC 6838)."""
    return WRITERS[export.format].media_type


class Parts:
    """The file of an export while it is written: each full piece becomes a row."""

    def __init__(self, export: Export) -> None:
        self.size = 0
        self._export = export
        self._number = 0
        self._waiting = bytearray()

    def write(self, data: bytes, /) -> int:
        self._waiting += data
        while len(self._waiting) >= PART_SIZE:
            self._store()
        return len(data)

    def flush(self) -> None:
        """Nothing: a piece is stored when it is full."""

    def close(self) -> None:
        """Store what is left."""
        if self._waiting:
            self._store()

    def _store(self) -> None:
        content = bytes(self._waiting[:PART_SIZE])
        del self._waiting[:PART_SIZE]
        self._number += 1
        self.size += len(content)
        ExportPart.objects.create(export=self._export, number=self._number, content=content)


def _take_turn() -> None:
    """Let a tenant write one export at a time: no other call costs as much. Raises ExportRunning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('export ' || app.tenant_or_null()::text, 0))")
        if cursor.fetchone() != (True,):
            raise ExportRunning(
                _("Another export is being written. Wait until it is done, then call export_tenant_data again.")
            )


def _make_room() -> None:
    """Delete expired exports, and the oldest ones, so that the next one makes MAX_KEPT_EXPORTS."""
    Export.objects.filter(expires_at__lte=timezone.now()).delete()
    kept = Export.objects.order_by("-id").values_list("id", flat=True)[: MAX_KEPT_EXPORTS - 1]
    Export.objects.exclude(id__in=list(kept)).delete()


def _write_tables(writer: Writer, on_progress: Progress, *, is_masked: bool) -> dict[str, int]:
    counts = dict.fromkeys(tables(), 0)
    total = sum(model._default_manager.count() for model in tables().values())
    for name, model in tables().items():
        columns = _columns(model, is_sheet=writer.is_sheet)
        names, to_file = _in_file(columns, [_heading(model, column, writer) for column in columns])
        writer.begin(name, names)
        for batch in _batches(model, columns):
            rows = (_masked(columns, row) for row in batch) if is_masked else batch
            writer.write(map(to_file, rows))
            counts[name] += len(batch)
            done = sum(counts.values())
            on_progress(done, max(done, total))
    return counts


def _batches(model: type[Model], columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in the order of their keys, each batch from where the last one ended."""
    rows = model._default_manager.order_by("id").values_list(*columns)
    size = LONG_ROW_BATCH_SIZE if _is_long(model) else BATCH_SIZE
    batch = list(rows[:size])
    while batch:
        yield batch
        batch = list(rows.filter(id__gt=batch[-1][columns.index("id")])[:size]) if len(batch) == size else []


def _columns(model: type[Model], *, is_sheet: bool) -> list[str]:
    """What is read of a row, as Django's values_list() takes it."""
    columns = []
    for field in model._meta.concrete_fields:
        columns.append(field.attname)
        if is_sheet and (name := NAMES_OF_ROWS.get(cast("type[Model]", field.related_model))):
            columns.append(f"{field.name}__{name}")
    return columns


def _heading(model: type[Model], column: str, writer: Writer) -> str:
    """The name of a column in the file: "order_number", "placed_at (Asia/Taipei)"."""
    if "__" in column:
        return column.replace("__", "_")
    is_time = writer.is_sheet and isinstance(model._meta.get_field(column), DateTimeField)
    return f"{column} ({writer.header.zone})" if is_time else column


def _in_file(columns: list[str], headings: list[str]) -> tuple[list[str], Callable[[Row], Row]]:
    """The headings of a file, and what makes a row of it: before each amount in minor units is one in the currency's
    own unit, `price` before `price_minor`.
    """
    minors = [place for place, name in enumerate(columns) if name.endswith("_minor")]
    if not minors:
        return headings, lambda row: row
    currency = columns.index("currency")

    def with_amounts(row: Row) -> Row:
        found = list(row)
        for place in reversed(minors):
            found.insert(place, amounts.major(row[place], row[currency]))
        return found

    names = list(headings)
    for place in reversed(minors):
        names.insert(place, columns[place].removesuffix("_minor"))
    return names, with_amounts


def _masked(columns: Sequence[str], row: Row) -> Row:
    return [contacts.masked(value, column) for column, value in zip(columns, row, strict=True)]


def _is_long(model: type[Model]) -> bool:
    return any(isinstance(field, TextField | JSONField) for field in model._meta.concrete_fields)


def _name(model: type[Model]) -> str:
    # The name that the tenant has for them, of which Django refuses two.
    relation = cast(ForeignObjectRel, model._meta.get_field("tenant").remote_field)
    return relation.get_accessor_name() or model._meta.label_lower


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=f"export {rls.current_tenant_id()}", sep=".")


def _nobody(done: int, total: int) -> None:
    pass
