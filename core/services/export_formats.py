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

# What a spreadsheet takes for a formula when a cell of a CSV begins with it (CWE-1236); Chinese and Japanese ones take
# the full-width signs too.
FORMULA_SIGNS = "=+\\-@＝＋－＠"
# At the beginning of a text, whatever white space and quotes stand before it.
FORMULA = re.compile(rf"[\t\r\n]|[\s\"]*[{FORMULA_SIGNS}]")
# And within a text, where a spreadsheet that was told another separator begins a cell; a number is none, nor is a sign
# alone between spaces.
FORMULA_WITHIN = re.compile(
    rf"(?:[,;|，；\t\r\n\"][\s\"]*|[ 　][\s\"]*(?!.(?:\s|$)))(?=[{FORMULA_SIGNS}])"
    r"(?![+-]?[0-9]+(?:[.,][0-9]+)?%?(?:[\s,;|，；\"]|$))"
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
