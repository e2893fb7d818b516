"""Rows of Excel and Parquet files: what a cell shows is what is read, or it is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.workbook import filled_sheets
from bakeoff.tasks.inspection import inspect_rows
from bakeoff.tasks.readers import Reading, reader_of

Sheet = Any


def book(
    file: Path, *rows: tuple[Any, ...], change: Callable[[Sheet], None] = lambda _: None
) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in rows:
        sheet.append(row)
    change(sheet)
    workbook.save(file)
    return file


def read(file: Path, sheet: str = "") -> tuple[list[dict[str, Any]], list[str]]:
    reading = Reading(sheet=sheet)
    return list(reader_of(file).rows(file, reading)), reading.notes


def test_cells_are_texts_and_empty_ones_none(tmp_path: Path) -> None:
    file = book(
        tmp_path / "a.xlsx",
        ("id", "question", "targets", None),
        (1, "How many?", 42),
        (2.0, "How heavy?", 1.5),
        (3, "Is it so?", True),
        (4, "Which code?", "007"),
        (5, "Why?", "  "),
        (),
    )
    rows, notes = read(file)
    assert [(row["id"], row["targets"]) for row in rows] == [
        ("1", "42"),
        ("2", "1.5"),
        ("3", "TRUE"),
        ("4", "007"),
        ("5", None),
    ]
    assert list(rows[0]) == ["id", "question", "targets"]
    assert notes == []
    seen = inspect_rows(file)
    assert (seen.format, seen.encoding, seen.delimiter) == ("XLSX", "", "")
    assert [column.filled for column in seen.columns] == [5, 5, 4]


def test_formats_of_numbers_and_dates_are_shown_or_said(tmp_path: Path) -> None:
    def formats(sheet: Sheet) -> None:
        for cell, form in (("B2", "0%"), ("B3", "0.0%"), ("B4", "#,##0.00 €")):
            sheet[cell].number_format = form

    file = book(
        tmp_path / "a.xlsx",
        ("q", "a"),
        ("x", 0.15),
        ("x", 0.155),
        ("x", 1234.5),
        ("x", date(2026, 3, 1)),
        ("x", datetime(2026, 3, 1, 12, 30)),
        change=formats,
    )
    rows, notes = read(file)
    assert [row["a"] for row in rows] == [
        *("15%", "15.5%", "1234.5", "2026-03-01", "2026-03-01 12:30:00"),
    ]
    assert notes == [
        "numbers of the sheet are read without their format (#,##0.00 €)",
        "dates of the sheet are read as 2024-01-31",
    ]


def test_a_sheet_may_be_named_and_must_be_of_several(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(("id",))
    workbook.active.append((1,))
    other = workbook.create_sheet("Fragen")
    other.append(("question",))
    other.append(("Wer?",))
    workbook.create_sheet("leer")
    workbook.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx", "Fragen")[0] == [{"question": "Wer?"}]
    assert filled_sheets(tmp_path / "a.xlsx") == ["Sheet", "Fragen"]
    seen = inspect_rows(tmp_path / "a.xlsx", sheet="Fragen")
    assert seen.source == {"files": "a.xlsx", "sheet": "Fragen"}
    with pytest.raises(
        BakeoffError, match=r"several sheets \(Sheet, Fragen\): choose one with sheet"
    ):
        read(tmp_path / "a.xlsx")
    with pytest.raises(BakeoffError, match="no sheet 'fragen'; there are Sheet, Fragen, leer"):
        read(tmp_path / "a.xlsx", "fragen")


@pytest.mark.parametrize(
    ("rows", "change", "message"),
    [
        ((), lambda s: None, "sheet 'Sheet' is empty"),
        ((("a", "a"), (1, 2)), lambda s: None, "column 'a' occurs twice"),
        ((("Questions",), ("q", "a"), (1, 2)), lambda s: None, "cell B2 has no column name: the"),
        ((("q", "a"), ("x", "y"), ("z", None)), lambda s: s.merge_cells("B2:B3"), "B2:B3 are"),
        ((("q", "a"), ("x", "=1+1")), lambda s: None, "cell B2 has a formula without a value"),
        ((("q", "a"), ("x", "#N/A")), lambda s: None, "cell B2 has an error: #N/A"),
    ],
)
def test_a_sheet_whose_values_are_not_known_is_refused(
    rows: tuple[tuple[Any, ...], ...],
    change: Callable[[Sheet], None],
    message: str,
    tmp_path: Path,
) -> None:
    file = book(tmp_path / "a.xlsx", *rows, change=change)
    with pytest.raises(BakeoffError) as error:
        read(file)
    assert str(error.value).startswith(f"{file}: sheet 'Sheet'")
    assert message in str(error.value)


def test_a_workbook_with_a_password_or_damage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    with pytest.raises(BakeoffError, match=r"a\.xlsx: has a password; save a copy without one"):
        read(tmp_path / "a.xlsx")
    (tmp_path / "b.xlsx").write_text("id,question")
    with pytest.raises(BakeoffError, match=r"b\.xlsx: cannot be read as XLSX"):
        read(tmp_path / "b.xlsx")


def test_parquet_keeps_lists_and_structures(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "Who?", "answers": {"text": ["Ida"]}},
        {"id": 2, "question": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    made, _ = read(tmp_path / "a.parquet")
    assert made == [rows[0], {**rows[1], "answers": None}]
    (tmp_path / "b.parquet").write_text("PAR1")
    with pytest.raises(BakeoffError, match=r"b\.parquet: cannot be read as Parquet"):
        read(tmp_path / "b.parquet")
