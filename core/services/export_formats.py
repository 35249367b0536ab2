"""The file formats of an export: each writes tables, row after row, into a file that can only be appended to."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from types import TracebackType
from typing import Any, Protocol, Self
from zipfile import ZIP_DEFLATED, ZipFile

# Note [What a spreadsheet runs]
# A cell of a CSV that begins with one of these signs is a formula (CWE-1236), the full-width ones in Chinese and
# Japanese spreadsheets. Where a cell begins is said by whoever opens the file: any character but a letter or a digit
# may be the separator. So a sign is made inert at the beginning of a text and after each such character, whatever white
# space and quotes stand between, unless what follows can be no formula:
#   - a number, or a telephone number, that nothing is reckoned with: "Tea; -5", "(-20%)", "Tel. +886-2-2345-6789";
#   - what no formula begins with: ":-)", "->";
#   - the separator itself, twice: "C++", "--";
#   - a dash between spaces, but for one after a character that people do take for a separator: "Tea (green) - a cup";
#   - a name in an address: "https://example.com/@shop"; a comparison with a number: "size >= 40".
SIGNS = r"=+\-@＝＋－＠"
USUAL_SEPARATORS = r",;:|#~^，；：｜"
BLANKS = r"[\s\"]{0,60}+"  # without an end a text of blanks would take the square of its length
NUMBER = r"(?>[+-][0-9]+(?:[.,:/][0-9]+)*%?)"
TELEPHONE = r"(?>\+[0-9]{1,4}(?:[ ().-]{1,2}[0-9]{1,14}){1,6})"
DASH = r"[+－＋-]{1,2}(?:\Z|\s(?!\s*\w[\w.]*[(|!]))"
# And then no operator, with which the number would begin a formula.
ALONE = r"\s*+(?:\Z|[^\s+\-*/^&=<>|!(])"
FORMULA = re.compile(rf"[\t\r\n]|[\s\"]*[{SIGNS}]")
FORMULA_WITHIN = re.compile(
    rf"""
    (?P<before>[\W_])
    (?: (?<=[{USUAL_SEPARATORS}\t\r\n]) {BLANKS}
      | (?<=\s) {BLANKS} (?! [{SIGNS}]++ (?:(?P=before)|\Z) )
      | (?<=\S) {BLANKS} (?! (?<=\s) {DASH} )
    )
    (?= [{SIGNS}] [{SIGNS}\s]{{0,60}}+ [{SIGNS}\s\w("'\[{{\#$\\.|!] )
    (?! (?P=before) )
    (?! (?:{NUMBER}|{TELEPHONE}) {ALONE} )
    (?! (?<=/) @ (?>\w[\w.-]*) (?![(|!]) )
    (?! (?<=[<>]) =[ ]?+ (?>[0-9]+(?:[.,][0-9]+)*%?) {ALONE} )
    """,
    re.VERBOSE,
)

# As spreadsheets in every language read a time, and as they show one.
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"

Row = Sequence[Any]


class Appended(Protocol):
    """A binary file that is only written at its end: no seek, no tell."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Header:
    """The tenant whose rows a file holds, the time of the export, and the zone of the tenant's days."""

    tenant: str
    exported_at: datetime
    zone: tzinfo = UTC


class Writer(ABC):
    """A file that is being written: in a `with` block, each table begun and then its rows.

    A block that is left by an exception leaves a file without an end, and nothing else behind.
    """

    suffix: str
    media_type: str
    # Whether it is for people, in a spreadsheet: times are those of the tenant's zone, which stands in their column's
    # name, and beside the id of a row stands what people call it.
    is_sheet = False

    def __init__(self, file: Appended, header: Header) -> None:
        self.file = file
        self.header = header

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()

    @abstractmethod
    def begin(self, table: str, columns: Sequence[str]) -> None:
        """Begin a table with these columns; the rows that are written next belong to it."""

    @abstractmethod
    def write(self, rows: Iterable[Row]) -> None:
        """Add rows to the table that was begun last."""

    @abstractmethod
    def finish(self) -> None:
        """Write the end of the file."""


class JSON(Writer):
    """One document, a row a line: {"tenant": ..., "exported_at": ..., "tables": {"products": [{...}, ...], ...}}."""

    suffix = "json"
    media_type = "application/json"

    def __enter__(self) -> Self:
        tenant, moment = encoded(self.header.tenant), encoded(self.header.exported_at)
        self._put(f'{{"tenant":{tenant},"exported_at":{moment},"tables":{{')
        self._before_table, self._before_row = "", ""
        return self

    def begin(self, table: str, columns: Sequence[str]) -> None:
        self._put(f"{self._before_table}\n{encoded(table)}:[")
        self._columns = columns
        self._before_table, self._before_row = "],", "\n"

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._put(self._before_row + encoded(dict(zip(self._columns, row, strict=True))))
            self._before_row = ",\n"

    def finish(self) -> None:
        self._put("]" * bool(self._before_table) + "}}\n")

    def _put(self, text: str) -> None:
        self.file.write(text.encode())


class JSONLines(Writer):
    """A document a line: {"table": "products", "row": {...}} (jsonlines.org)."""

    suffix = "jsonl"
    media_type = "application/jsonl"

    def begin(self, table: str, columns: Sequence[str]) -> None:
        self._columns = columns
        self._start = f'{{"table":{encoded(table)},"row":'

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            line = self._start + encoded(dict(zip(self._columns, row, strict=True))) + "}\n"
            self.file.write(line.encode())

    def finish(self) -> None:
        pass


class CSV(Writer):
    """A zip with a CSV file a table (RFC 4180), in UTF-8 with the mark by which Excel knows it.

    What a spreadsheet would run as a formula, whichever separator it was told, has a ' before it; an empty text and no
    value look the same. The formats with JSON have every value as it is.
    """

    is_sheet = True
    suffix = "zip"
    media_type = "application/zip"

    def __enter__(self) -> Self:
        self._zip = ZipFile(self.file, "w", ZIP_DEFLATED)  # type: ignore[call-overload]  # it needs write and flush
        self._table: io.TextIOWrapper | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is not None:
            with suppress(Exception):  # what was raised first is what matters
                self.finish()

    def begin(self, table: str, columns: Sequence[str]) -> None:
        self._end_table()
        # How long it will be is not known: room for more than 4 GiB (APPNOTE 4.3.9.2).
        entry = self._zip.open(f"{table}.csv", "w", force_zip64=True)
        self._table = io.TextIOWrapper(entry, encoding="utf-8-sig", newline="")
        self._csv = csv.writer(self._table)
        self._csv.writerow(columns)

    def write(self, rows: Iterable[Row]) -> None:
        self._csv.writerows([inert(cell(self._local(value))) for value in row] for row in rows)

    def finish(self) -> None:
        self._end_table()
        self._zip.close()

    def _local(self, value: Any) -> Any:
        return value.astimezone(self.header.zone).strftime(TIME_FORMAT) if isinstance(value, datetime) else value

    def _end_table(self) -> None:
        if self._table is not None:
            self._table.close()


def encoded(value: object) -> str:
    """A value as JSON in a line: times as ISO 8601 in UTC, bytes as base64, exact numbers as text."""
    return ENCODER.encode(value)


def cell(value: Any) -> str | int | float | bool | Decimal | None:
    """A value as a cell of a sheet holds it: what has no form of its own there is text, lists and objects as JSON."""
    if value is None or isinstance(value, str | int | float | Decimal):
        return value
    return encoded(value) if isinstance(value, dict | list) else str(_plain(value))


def inert(value: Any) -> Any:
    """A cell of a CSV that no spreadsheet runs as a formula. Numbers are as they are."""
    if not isinstance(value, str):
        return value
    text = FORMULA_WITHIN.sub(r"\g<0>'", value)
    return f"'{text}" if FORMULA.match(value) else text


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return str(value)


ENCODER = json.JSONEncoder(default=_plain, ensure_ascii=False, separators=(",", ":"))
