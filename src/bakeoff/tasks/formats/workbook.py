"""Rows of a sheet of an Excel workbook (.xlsx), as texts. The door to `openpyxl`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from bakeoff.core.words import BakeoffError, faults
from bakeoff.tasks.formats.decoding import Reading
from bakeoff.tasks.formats.word import OLE

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

_PERCENT = re.compile(r"0(?:\.(0+))?\s*%")
_PLAIN = ("General", "@", "0")


def workbook_rows(file: Path, reading: Reading) -> Iterator[dict[str, object]]:
    """The rows under the first one that is not empty: texts, and `None` for an empty cell.

    Numbers are texts as they are stored, percentages as they are shown, dates as 2024-01-31.
    Raises `BakeoffError` for a workbook that is damaged or has a password, and listing cells whose
    value is not known: merged, of an error, of a formula that was never computed.
    """
    sheet = _sheet(_opened(file, values=True), file, reading.sheet)
    # A table may have empty rows at its end, and columns that only have a format.
    cells = [row for row in sheet.iter_rows() if any(cell.value is not None for cell in row)]
    if not cells:
        raise BakeoffError(f"{file}: sheet '{sheet.title}' is empty")
    header = [_text(cell, Reading()) for cell in cells[0]]
    named = [(place, name) for place, name in enumerate(header) if name]
    problems = [*_misnamed(header, cells), *_unknown(sheet, cells, file)]
    faults([f"{file}: sheet '{sheet.title}': {problem}" for problem in problems])
    if images := len(getattr(sheet, "_images", ())):
        reading.dropped["images"] += images
    for row in cells[1:]:
        yield {name: _text(row[place], reading) for place, name in named}


def filled_sheets(file: Path) -> list[str]:
    """The names of the sheets that hold something, in their order."""
    return [sheet.title for sheet in _filled(_opened(file, values=True))]


def _opened(file: Path, *, values: bool) -> Workbook:
    """The workbook with the values of its formulas, or with the formulas."""
    try:
        import openpyxl
    except ImportError as error:
        raise BakeoffError(f"{file}: XLSX needs openpyxl: pip install 'bakeoff[files]'") from error
    with file.open("rb") as stream:
        if stream.read(4) == OLE:
            raise BakeoffError(f"{file}: has a password; save a copy without one")
    try:
        with warnings.catch_warnings():  # of parts of a workbook that are no cells
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(file, data_only=values)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise BakeoffError(
            f"{file}: cannot be read as XLSX: damaged, or none; save it anew as XLSX or CSV"
        ) from error


def _sheet(workbook: Workbook, file: Path, name: str) -> Worksheet:
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if name:
        if name not in sheets:
            raise BakeoffError(f"{file}: no sheet '{name}'; there are {', '.join(sheets)}")
        return sheets[name]
    full = _filled(workbook)
    if len(full) > 1:
        names = ", ".join(sheet.title for sheet in full)
        raise BakeoffError(f"{file}: several sheets ({names}): choose one with sheet: NAME")
    return full[0] if full else workbook.worksheets[0]


def _filled(workbook: Workbook) -> list[Worksheet]:
    return [s for s in workbook.worksheets if s.max_row > 1 or s["A1"].value is not None]


def _misnamed(header: Sequence[str | None], cells: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """What is wrong with the names of the columns."""
    names = [name for name in header if name]
    for twice in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"column '{twice}' occurs twice; rename one"
    for place, name in enumerate(header):
        cell = next((row[place] for row in cells[1:] if row[place].value is not None), None)
        if not name and cell is not None:
            above = f"the first row that is not empty ({cells[0][0].row})"
            yield f"cell {cell.coordinate} has no column name: {above} must name the columns"
            return


def _unknown(sheet: Worksheet, cells: Sequence[Sequence[Cell]], file: Path) -> Iterator[str]:
    """Cells that have no value of their own to read."""
    for merged in sheet.merged_cells.ranges:
        yield f"cells {merged} are merged; unmerge them and fill each"
    for row in cells:
        for cell in row:
            if cell.data_type == "e":
                yield f"cell {cell.coordinate} has an error: {cell.value}"
    if any(cell.value is None for row in cells for cell in row):
        formulas = _opened(file, values=False)[sheet.title]
        for row in cells:
            for cell in row:
                if cell.value is None and formulas[cell.coordinate].data_type == "f":
                    yield (
                        f"cell {cell.coordinate} has a formula without a value; open and save the "
                        "file in a spreadsheet program"
                    )


def _text(cell: Cell, reading: Reading) -> str | None:
    """The value as text."""
    value: Any = cell.value
    if value is None or isinstance(value, str):
        return value if value and value.strip() else None
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime | date | time):
        reading.remark("dates of the sheet are read as 2024-01-31")
        return str(value).removesuffix(" 00:00:00")
    if not isinstance(value, int | float):
        return str(value)
    if percent := _PERCENT.fullmatch(cell.number_format):
        return f"{100 * value:.{len(percent[1] or '')}f}%"
    if cell.number_format not in _PLAIN:
        reading.remark(f"numbers of the sheet are read without their format ({cell.number_format})")
    return str(int(value)) if float(value).is_integer() else repr(value)
