"""An export is exactly the tenant's rows, in each format; it lives for an hour, and for its tenant alone."""

from __future__ import annotations

import csv
import gc
import io
import json
import re
import string
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import psycopg
import pytest
from django.apps import apps
from django.core.signing import TimestampSigner, b62_encode
from django.utils import timezone, translation

import rls
from benchmarks.export import PRODUCTS, fill
from core.models import Customer, Export, ExportFormat, ExportPart, Order, Product, TenantSettings
from core.services import exports
from core.services.export_formats import SIGNS, Header, inert
from core.services.export_xlsx import XLSX, DoesNotFit
from core.services.exports import Exported, ExportNotFound, ExportRunning
from rls.models import Tenanted
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

FORMATS = pytest.mark.parametrize("format", ExportFormat)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def make(format: ExportFormat = ExportFormat.JSONL, **options: Any) -> Exported:
    return exports.create(format=format, actor="tests", **options)


def content(made: Exported) -> bytes:
    return b"".join(exports.part(made.export, number) for number in exports.part_numbers(made.export))


def tables(format: ExportFormat, file: bytes) -> dict[str, list[dict[str, Any]]]:
    """The rows of a file by table. In CSV and in a workbook a value is a text, and none is ''."""
    if format is ExportFormat.JSON:
        return json.loads(file)["tables"]
    if format is ExportFormat.JSONL:
        lines = [json.loads(line) for line in file.decode().splitlines()]
        return {line["table"]: [each["row"] for each in lines if each["table"] == line["table"]] for line in lines}
    sheets = workbook(file) if format is ExportFormat.XLSX else csv_files(file)
    return {name: [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] for name, rows in sheets.items()}


def csv_files(file: bytes) -> dict[str, list[list[str]]]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        texts = {name.removesuffix(".csv"): archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    return {name: list(csv.reader(io.StringIO(text, newline=""))) for name, text in texts.items()}


def workbook(file: bytes) -> dict[str, list[list[str]]]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        names = [sheet.attrib["name"] for sheet in ElementTree.fromstring(archive.read("xl/workbook.xml"))[-2]]
        sheets = [archive.read(f"xl/worksheets/sheet{number}.xml") for number in range(1, len(names) + 1)]
    return {name: sheet_rows(sheet) for name, sheet in zip(names, sheets, strict=True)}


def sheet_rows(sheet: bytes) -> list[list[str]]:
    rows = []
    for row in ElementTree.fromstring(sheet).iter(f"{SHEET}row"):
        cells = {cell.attrib["r"].rstrip("0123456789"): decoded("".join(cell.itertext())) for cell in row}
        rows.append([cells.get(chr(65 + column), "") for column in range(len(rows[0]) if rows else len(cells))])
    return rows


def decoded(text: str) -> str:
    """As Excel reads a text: _x000D_ is a carriage return (ECMA-376 22.9.2.19)."""
    return re.sub("_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text)


BESIDE = {"order_number", "product_sku", "customer_name", "placed_by_username"}


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.split(" ")[0].endswith("_at")}


def as_text(value: Any) -> str:
    """A value of JSON as a cell of a CSV."""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return "" if value is None else str(value)


# What PostgreSQL counts by, and what says nothing to anybody elsewhere: Django's models do not have it.
OF_THE_SERVER = {"transaction_id"}


def amounts(row: Iterable[str]) -> list[str]:
    """The columns that a file has beside those of the table: of each amount in minor units the decimal text."""
    return [name.removesuffix("_minor") for name in row if name.endswith("_minor")]


def test_each_tenanted_model_is_exported_or_left_out_with_a_reason() -> None:
    tenanted = {model for model in apps.get_models() if issubclass(model, Tenanted)}
    exported = set(exports.tables().values())

    assert exported | exports.EXCLUDED_MODELS.keys() >= tenanted
    assert not exported & exports.EXCLUDED_MODELS.keys()
    assert all(exports.EXCLUDED_MODELS.values())


def test_an_export_is_exactly_the_rows_of_its_tenant(acme: World, globex: World, admin: psycopg.Connection) -> None:
    with rls.tenant_context(acme.id):
        made = make()
        file = content(made)

    found = tables(ExportFormat.JSONL, file)
    for name, model in exports.tables().items():
        column = "id" if name == "tenant" else "tenant_id"
        rows = admin.execute(
            f"SELECT to_jsonb(t) FROM {model._meta.db_table} AS t WHERE {column} = %s ORDER BY id", [acme.id]
        ).fetchall()
        assert rows
        assert [row["id"] for row in found[name]] == [row["id"] for (row,) in rows]
        assert [row.keys() for row in found[name]] == [{*row, *amounts(row)} - OF_THE_SERVER for (row,) in rows]
    assert made.tables == {name: len(rows) for name, rows in found.items()}
    assert b"Acme anvil" in file
    for foreign in (b"lobex", str(globex.id).encode(), acme.token.encode()):
        assert foreign not in file


@FORMATS
def test_each_format_holds_the_same_rows(format: ExportFormat, acme: World) -> None:
    with rls.tenant_context(acme.id):
        Customer.objects.create(name='王小明, 「甲」\r\n第二行 "引" <b>&amp;</b>', email="")
        plain = tables(ExportFormat.JSONL, content(make()))
        made = make(format)
        found = tables(format, content(made))

    assert made.export.row_count == sum(map(len, plain.values()))
    assert list(found) == list(exports.tables())
    if format in {ExportFormat.CSV, ExportFormat.XLSX}:
        bools = {"True": "1", "False": "0"} if format is ExportFormat.XLSX else {}
        plain = {
            name: [{key: bools.get(as_text(value), as_text(value)) for key, value in row.items()} for row in rows]
            for name, rows in plain.items()
        }
        # What a sheet has beside: how its times look, and whose ids these are, have tests of their own.
        plain = {name: [without_times(row) for row in rows] for name, rows in plain.items()}
        found = {
            name: [without_times({key: value for key, value in row.items() if key not in BESIDE}) for row in rows]
            for name, rows in found.items()
        }
    assert found == plain


@FORMATS
def test_a_table_without_rows_is_there(format: ExportFormat, acme: World) -> None:
    with rls.tenant_context(acme.id):
        Customer.objects.filter(id=Customer.objects.create(name="x").id).delete()
        Product.objects.filter(id=acme.product_id).update(description="")
        made = make(format)

    assert made.tables.keys() == exports.tables().keys()


def test_times_are_in_utc_and_json_names_the_tenant(acme: World) -> None:
    with rls.tenant_context(acme.id), timezone.override("Asia/Taipei"):
        made = make(ExportFormat.JSON)
        document = json.loads(content(made))
        created = Product.objects.get().created_at

    assert document["tenant"] == "acme"
    assert document["exported_at"].endswith("+00:00")
    assert document["tables"]["products"][0]["created_at"] == created.isoformat()


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1", "＝1+1", "＋1", "－1", "＠A"]
)
def test_no_text_is_a_formula(name: str, acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.update(name=name)
        in_csv = tables(ExportFormat.CSV, content(make(ExportFormat.CSV)))
        file = content(make(ExportFormat.XLSX))

    assert in_csv["products"][0]["name"].startswith("'")
    assert in_csv["products"][0]["name"].replace("'", "") == name
    assert in_csv["movements"][1]["quantity"] == "-2"
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        sheets = b"".join(archive.read(each) for each in archive.namelist() if "/sheet" in each)
    assert b"<f>" not in sheets
    assert b"<is><t" in sheets


def as_read_with(separator: str, quote: str, line: str) -> list[str]:
    """The cells of a line in a spreadsheet that was told another separator than the file has."""
    return [cell.strip().strip(quote).strip() for cell in re.split(f"[{re.escape(separator)}\r\n]", line)]


# Whatever stands on a keyboard and is neither a letter nor a digit; a ' is what makes a cell inert.
SEPARATORS = sorted({*string.punctuation, "\t", " ", "；", "，", "、", "·", "\u3000", "\xa0"} - {"'", '"'})


PAYLOADS = [
    *(
        "=1+1",
        "=cmd|' /C calc'!A0",
        "@SUM(A1)",
        "+cmd",
        "-cmd",
        "-2+3+cmd|' /C calc'!A0",
        "-2 + A1",
        '="A"&"B"',
        "＝A1",
    ),
    *("=-@A1", "= A1", "-(A1)", "=[x]A!A1", "={1}", "=\\A1", "=$A$1", "=.5+A1", "+1-1+A1", "-5%*A1", "=10&A1"),
    *("=" + " " * 100 + "A1", " " * 100 + "=A1"),
]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_formula_is_inert_after_every_separator(separator: str) -> None:
    texts = [
        f"{before}{separator}{between}{payload}"
        for before in ("", "tea", "tea ", "(green) tea.", "5%")
        for between in ("", " ", '"', ' "')
        for payload in PAYLOADS
    ]

    run = {
        text: cell
        for text in texts
        for cell in as_read_with(separator, '"', inert(text))
        if re.match(rf"[{SIGNS}].*\w", cell) and not re.fullmatch(r"[+-][0-9.]+%?", cell)
    }

    assert run == {}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize(
    "name",
    [
        ";=cmd|' /C calc'!A0",
        "tea;=1+1",
        "tea; =1+1",
        "tea,@SUM(A1)",
        "tea\t+1+1",
        "tea|-1+1",
        '"=1+1',
        'tea";=1+1',
        ';"=1+1"',
        "tea\n=1+1",
        'tea\r\n"=1+1',
        "  =1+1",
        "tea;＝1+1",
        ";;=1",
        "tea =1+1",
        "tea @SUM(A1)",
    ],
)
def test_no_text_is_a_formula_whichever_separator_a_spreadsheet_takes(name: str, separator: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["A-1", inert(name), -5, True])

    cells = as_read_with(separator, '"', file.getvalue())

    assert not [cell for cell in cells if cell.startswith(tuple("=+@＝＋－＠")) or re.match(r"-(?![0-9.]+$)", cell)]
    assert file.getvalue().replace("'", "").count("=") == name.count("=")


@pytest.mark.parametrize(
    "value",
    [
        *(-5, -12.5, 0, True, None, "", "Tea - green", "a@b.example", "1=1", "Tea; -5", "x,-12.50%;y", "3 = 4", "it's"),
        *(
            "A-1",
            "3:1",
            "a=b",
            "a-b_c",
            "T-Shirt, size 2-4",
            "Tea (-20%)",
            "Tea: -5 °C",
            "C++",
            "C++ and C#",
            "wait -- what",
        ),
        *(
            "Thank you :-)",
            "A -> B",
            "x => y",
            "a ==== b",
            "Tel. +886-2-2345-6789",
            "(+886 2 2345 6789)",
            "Fax: +49 89 1234",
        ),
        *(
            "Tea (green) - a cup",
            "5% - 10%",
            "https://example.com/?a=1&b=-2",
            "https://example.com/@shop/tea",
            "size >= 40",
        ),
        *("2026-11-26", "UTC -5:30", "Tea, - ", "e-mail: a@b.example", "手機殼（-20%）", "茶 - 綠"),
    ],
)
def test_what_is_no_formula_stays_as_it_is(value: Any) -> None:
    assert inert(value) == value


def test_in_a_sheet_a_time_is_one_in_the_zone_that_its_column_names(acme: World) -> None:
    moment = datetime(2026, 11, 26, 7, 30, 5, 123456, tzinfo=UTC)
    with rls.tenant_context(acme.id):
        TenantSettings.objects.update(time_zone="America/Toronto")
        Order.objects.update(placed_at=moment)
        of_csv = tables(ExportFormat.CSV, content(make(ExportFormat.CSV)))["orders"][0]
        file = content(make(ExportFormat.XLSX))
        exact = tables(ExportFormat.JSONL, content(make()))["orders"][0]

    of_xlsx = tables(ExportFormat.XLSX, file)["orders"][0]
    column = "placed_at (America/Toronto)"
    assert of_csv[column] == "2026-11-26 02:30:05"
    days = float(of_xlsx[column])  # since the last day of 1899 but one (ECMA-376, 18.17.4.1)
    assert datetime(1899, 12, 30) + timedelta(seconds=round(days * 86_400, 3)) == datetime(
        2026, 11, 26, 2, 30, 5, 123000
    )
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert b'formatCode="yyyy-mm-dd hh:mm:ss"' in archive.read("xl/styles.xml")
    assert exact["placed_at"] == moment.isoformat()


@pytest.mark.parametrize("format", [ExportFormat.CSV, ExportFormat.XLSX])
def test_in_a_sheet_what_people_call_a_row_stands_beside_its_id(format: ExportFormat, acme: World) -> None:
    with rls.tenant_context(acme.id):
        found = tables(format, content(make(format)))

    [item], [order], movements = found["order_items"], found["orders"], found["movements"]
    names = list(item)
    assert names.index("order_number") == names.index("order_id") + 1
    assert names.index("product_sku") == names.index("product_id") + 1
    assert (item["order_number"], item["product_sku"]) == ("1", "A-1")
    assert (order["customer_name"], order["placed_by_username"]) == ("Wile E.", "ada")
    assert [(each["product_sku"], each["order_number"]) for each in movements] == [("A-1", ""), ("A-1", "1")]
    assert found["payments"][0]["order_number"] == "1"


@FORMATS
def test_the_index_of_the_search_is_in_no_export(format: ExportFormat, acme: World) -> None:
    with rls.tenant_context(acme.id):
        made = make(format)
        file = content(made)

    assert "terms" not in made.tables
    assert "terms" not in tables(format, file)


@pytest.mark.parametrize(
    "name",
    ["<r><t>x</t></r>", "<r></is></c><c><f>1+1</f></c></r>", "http://example.com", " leading", "{=1}", "_x0041_"],
)
def test_what_the_writer_of_workbooks_would_take_for_more_is_text(name: str, acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.update(name=name)
        found = tables(ExportFormat.XLSX, content(make(ExportFormat.XLSX)))

    assert found["products"][0]["name"] == name


def test_a_number_that_excel_would_round_is_text(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.update(price_minor=9_007_199_254_740_993)
        file = content(make(ExportFormat.XLSX))

    product = tables(ExportFormat.XLSX, file)["products"][0]
    assert (product["price"], product["price_minor"]) == ("90071992547409.93", "9007199254740993")


@FORMATS
def test_an_amount_stands_in_the_currencys_own_unit_before_its_minor_unit(format: ExportFormat, acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.create(sku="T-1", name="Tea", price_minor=48_000, currency="TWD")
        Product.objects.create(sku="K-1", name="Tea", price_minor=1_005, currency="KWD")
        found = tables(format, content(make(format)))

    assert [row["price"] for row in found["products"]] == ["19.99", "480", "1.005"]
    assert [str(row["price_minor"]) for row in found["products"]] == ["1999", "48000", "1005"]
    assert found["orders"][0]["total"] == "39.98"
    assert found["payments"][0]["amount"] == "39.98"
    assert found["settings"][0]["max_order"] == "50000.00"
    names = list(found["orders"][0])
    assert names.index("total") + 1 == names.index("total_minor")


def number_formats(file: bytes, sheet: int) -> dict[str, str]:
    """The code of the format of each cell of a workbook's sheet that has one (ECMA-376, 18.8.30)."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        styles = ElementTree.fromstring(archive.read("xl/styles.xml"))
        cells = list(ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml")).iter(f"{SHEET}c"))
    codes = {each.attrib["numFmtId"]: each.attrib["formatCode"] for each in styles.iter(f"{SHEET}numFmt")}
    codes |= {"3": "#,##0", "4": "#,##0.00"}  # which are built in
    of_style = [codes.get(each.attrib["numFmtId"], "") for each in styles.find(f"{SHEET}cellXfs") or []]
    return {cell.attrib["r"]: of_style[int(cell.attrib["s"])] for cell in cells if "s" in cell.attrib}


def test_in_a_workbook_an_amount_shows_the_decimals_of_its_currency(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.update(price_minor=1_990)
        for sku, price, currency in (
            ("K", 1_500, "KWD"),
            ("J", 480, "JPY"),
            ("T", 48_000, "TWD"),
            ("U", 48_050, "TWD"),
        ):
            Product.objects.create(sku=sku, name="Tea", price_minor=price, currency=currency)
        file = content(make(ExportFormat.XLSX))

    products = tables(ExportFormat.XLSX, file)["products"]
    column = chr(65 + list(products[0]).index("price"))
    found = number_formats(file, list(exports.tables()).index("products") + 1)
    assert [row["price"] for row in products] == ["19.90", "1.500", "480", "480", "480.50"]
    assert [found[f"{column}{row}"] for row in range(2, 7)] == [
        *("#,##0.00", "#,##0.000", "#,##0", "#,##0", "#,##0.00")
    ]


def test_a_text_longer_than_a_cell_is_refused_and_leaves_nothing(
    acme: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with rls.tenant_context(acme.id):
        before = list(Export.objects.values_list("id", flat=True))
        Order.objects.update(note="長" * 32_768)

        with pytest.raises(DoesNotFit, match=r"A text in the column note of orders is longer .* csv, json or jsonl"):
            make(ExportFormat.XLSX)

        assert list(Export.objects.values_list("id", flat=True)) == before
        assert list(tmp_path.iterdir()) == []
        assert make(ExportFormat.CSV).tables["orders"] == 1


@FORMATS
def test_a_file_that_is_given_up_leaves_nothing_open(
    format: ExportFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with pytest.raises(ZeroDivisionError):
        with exports.WRITERS[format](io.BytesIO(), Header("acme", timezone.now())) as writer:
            writer.begin("products", ["id"])
            writer.write([(1,)])
            writer.write((1 // number,) for number in (1, 0))

    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_is_full_goes_on_in_another() -> None:
    class Small(XLSX):
        sheet_rows = 3

    file = io.BytesIO()
    with Small(file, Header("acme", timezone.now())) as writer:
        writer.begin("products", ["id", "name"])
        writer.write([(number, f"name {number}") for number in range(5)])
        writer.begin("orders", ["id"])

    assert workbook(file.getvalue()) == {
        "products": [["id", "name"], ["0", "name 0"], ["1", "name 1"]],
        "products 2": [["id", "name"], ["2", "name 2"], ["3", "name 3"]],
        "products 3": [["id", "name"], ["4", "name 4"]],
        "orders": [["id"]],
    }


def test_the_file_is_kept_in_pieces_of_a_mebibyte(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Order.objects.update(note="x" * 2_500_000)
        made = make()
        sizes = [len(exports.part(made.export, number)) for number in exports.part_numbers(made.export)]

        assert sizes[:2] == [2**20, 2**20]
        assert sum(sizes) == made.export.byte_count
        assert ExportPart.objects.filter(export=made.export).count() == len(sizes) == 3
        assert tables(ExportFormat.JSONL, content(made))["orders"][0]["note"] == "x" * 2_500_000


def test_progress_is_told_to_the_last_row(acme: World) -> None:
    told: list[tuple[int, int]] = []

    with rls.tenant_context(acme.id):
        made = make(on_progress=lambda done, total: told.append((done, total)))

    count = made.export.row_count
    assert told[-1] == (count, count)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert {total for _, total in told} == {count}


def test_five_exports_are_kept_and_no_expired_one(acme: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        make()
    with rls.tenant_context(acme.id):
        Export.objects.all().delete()
        expired = make().export
        Export.objects.filter(id=expired.id).update(expires_at=timezone.now())
        made = [make().export.id for _ in range(6)]

        assert list(Export.objects.order_by("id").values_list("id", flat=True)) == made[1:]
        assert set(ExportPart.objects.values_list("export_id", flat=True)) == set(made[1:])
    with rls.tenant_context(globex.id):
        assert Export.objects.count() == 2


def test_a_tenant_makes_one_export_at_a_time(acme: World, globex: World, admin: psycopg.Connection) -> None:
    with admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(hashtextextended('export ' || %s::text, 0))", [acme.id])

        with rls.tenant_context(acme.id), pytest.raises(ExportRunning, match="Another export is being written"):
            make()
        with rls.tenant_context(globex.id):
            make()

    with rls.tenant_context(acme.id):
        make()


def signed_at(tenant_id: UUID, export: Export, seconds_ago: int) -> str:
    """The handle as it was signed this long ago."""

    class Earlier(TimestampSigner):
        def timestamp(self) -> str:
            return b62_encode(int(time.time()) - seconds_ago)

    return Earlier(salt=f"export {tenant_id}", sep=".").sign(str(export.id))


def test_a_handle_opens_the_export_of_its_tenant_for_an_hour(acme: World, globex: World) -> None:
    with rls.tenant_context(acme.id):
        made = make().export
        unfinished = Export.objects.get(finished_at=None)
        handles = {
            "expired": signed_at(acme.id, made, 3601),
            "tampered": exports.handle(made)[:-1] + "_",
            "another export": exports.handle(made).replace(str(made.id), str(unfinished.id)),
            "unfinished": exports.handle(unfinished),
            "id alone": str(made.id),
            "empty": "",
            "no text of PostgreSQL": "\0",
        }
        good = exports.handle(made)

        assert exports.open(good) == made
        assert exports.open(signed_at(acme.id, made, 3500)) == made
        assert timedelta(minutes=59) < made.expires_at - timezone.now() <= timedelta(hours=1)
        answers = {reason: refusal(handle) for reason, handle in handles.items()}
    with rls.tenant_context(globex.id):
        answers["another tenant"] = refusal(good)
        answers["another tenant's id, signed here"] = refusal(exports.handle(made))

    assert set(answers.values()) == {
        "This export does not exist, or has expired. Call export_tenant_data to make a new one."
    }


def refusal(handle: str) -> str:
    with pytest.raises(ExportNotFound) as caught:
        exports.open(handle)
    return str(caught.value)


def test_an_export_that_has_expired_opens_with_no_handle(acme: World) -> None:
    with rls.tenant_context(acme.id):
        made = make().export
        Export.objects.filter(id=made.id).update(expires_at=timezone.now())

        assert "expired" in refusal(exports.handle(made))


@FORMATS
def test_no_row_is_kept_when_its_batch_is_written(format: ExportFormat, admin: psycopg.Connection) -> None:
    tenant_id = UUID(fill(admin, "rows", 10_000))
    blocks = {}

    def count(done: int, total: int) -> None:
        gc.collect()
        blocks[done] = sys.getallocatedblocks()

    with rls.tenant_context(tenant_id):
        made = make(format, on_progress=count)

    assert made.export.row_count == 10_000 + PRODUCTS + 1
    # Two full batches of one table. What is allocated for a row, which has ten values, is free again.
    (early, before), (late, after) = (sorted(blocks.items())[each] for each in (-5, -2))
    assert late - early == 3 * exports.BATCH_SIZE
    assert after - before < late - early
