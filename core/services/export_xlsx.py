"""The workbook of an export, through XlsxWriter: written row by row, and a text in it is never more than text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from xml.sax.saxutils import escape

from django.utils.translation import gettext as _

from core import amounts
from core.services.export_formats import Row, Writer, cell
from mcp_server.errors import Refusal

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

# Of a cell's text, as UTF-16 counts characters (Microsoft, "Excel specifications and limits").
MAX_CELL_LENGTH = 32_767
# A number of more digits is not shown, or not kept, digit by digit.
MAX_EXACT_DIGITS = 15
# Excel's own words for a format (ECMA-376, 18.8.31).
TIME_CELL_FORMAT = "yyyy-mm-dd hh:mm:ss"
WHOLE_CELL_FORMAT = "#,##0"


class DoesNotFit(Refusal):
    """A value is larger than a cell."""


class XLSX(Writer):
    """A workbook with a sheet a table, and another one, "products 2", where that is full.

    Text is written as text, so that no cell is a formula. Until the end of the file is written, the sheets are files
    in a temporary directory: about 1.5 GB for a million rows of a dozen columns.
    """

    is_sheet = True
    suffix = "xlsx"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    sheet_rows = 1_048_576

    def __enter__(self) -> Self:
        from xlsxwriter import Workbook  # of those who export: no server waits for it at its start

        self._directory = TemporaryDirectory(prefix="export-")
        self._book = Workbook(self.file, {"constant_memory": True, "tmpdir": self._directory.name, "use_zip64": True})
        self._time_format = self._book.add_format({"num_format": TIME_CELL_FORMAT})
        self._amount_formats: dict[int, Format] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._directory:
            try:
                super().__exit__(kind, error, trace)
            finally:
                for sheet in self._book.worksheets():
                    sheet._opt_close()  # the file of its rows, which a workbook that is given up leaves open

    def begin(self, table: str, columns: Sequence[str]) -> None:
        self._table, self._columns, self._count = table, columns, 0
        self._next_sheet()

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if self._row == self.sheet_rows:
                self._next_sheet()
            self._write_row([value if isinstance(value, datetime) else cell(value) for value in row])

    def finish(self) -> None:
        self._book.close()

    def _next_sheet(self) -> None:
        self._count += 1
        name = self._table[:26] if self._count == 1 else f"{self._table[:26]} {self._count}"  # of 31 characters
        self._sheet: Worksheet = self._book.add_worksheet(name)
        self._row = 0
        self._write_row(self._columns)

    def _write_row(self, values: Sequence[Any]) -> None:
        for column, value in enumerate(values):
            if isinstance(value, datetime):
                # A cell has no zone: that of the tenant stands at the head of the column.
                self._sheet.write_datetime(self._row, column, self._local(value), self._time_format)
            elif isinstance(value, bool):
                self._sheet.write_boolean(self._row, column, value)
            elif isinstance(value, Decimal) and _is_exact(value):
                self._sheet.write_number(self._row, column, value, self._amount_format(amounts.decimals_of(value)))
            elif _is_exact(value):
                self._sheet.write_number(self._row, column, value)
            elif value is not None and value != "":
                self._write_text(column, str(value))
        self._row += 1

    def _amount_format(self, decimals: int) -> Format:
        """That of a number which shows as many decimals as are written of it: 19.90, and not 19.9."""
        if decimals not in self._amount_formats:
            written = f"{WHOLE_CELL_FORMAT}.{'0' * decimals}" if decimals else WHOLE_CELL_FORMAT
            self._amount_formats[decimals] = self._book.add_format({"num_format": written})
        return self._amount_formats[decimals]

    def _local(self, value: datetime) -> datetime:
        return value.astimezone(self.header.zone).replace(tzinfo=None)

    def _write_text(self, column: int, text: str) -> None:
        if text.startswith("<r>") and text.endswith("</r>"):
            # XlsxWriter takes this for a rich text of its own, and writes it as it is: it gets one, of a single run.
            text = f'<r><t xml:space="preserve">{escape(text)}</t></r>'
        if self._sheet.write_string(self._row, column, text) == -2:
            raise DoesNotFit(
                _(
                    "A text in the column {column} of {table} is longer than the {longest} characters that "
                    "an Excel cell can hold. Call export_tenant_data with the format csv, json or jsonl."
                ).format(table=self._table, column=self._columns[column], longest=MAX_CELL_LENGTH)
            )


def _is_exact(value: Any) -> bool:
    """Whether it is a number, each digit of which a cell shows."""
    return isinstance(value, float) or (
        isinstance(value, int | Decimal) and len(Decimal(value).as_tuple().digits) <= MAX_EXACT_DIGITS
    )
