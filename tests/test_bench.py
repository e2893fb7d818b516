"""The figures of docs/validation/speed.md are those that were measured."""

from __future__ import annotations

import re

import bench
import pytest
from figures import Table, ratio


def test_the_documents_tables_are_those_that_are_kept() -> None:
    document = bench.DOCUMENT.read_text()
    assert bench.render(document, bench.kept()) == document, "run bench.py --render"


def test_every_table_has_its_place() -> None:
    places = re.findall(r"<!-- bench:(\w+) -->", bench.DOCUMENT.read_text())
    assert sorted(places) == sorted(bench.TABLES)
    assert set(bench.kept()) <= set(places)


@pytest.mark.parametrize("name", list(bench.TABLES))
def test_every_table_is_measured_by_a_file_of_its_own(name: str) -> None:
    source = (bench.ROOT / "benchmarks" / "perf" / f"{bench.TABLES[name]}.py").read_text()
    assert re.search(r"^def table\(", source, re.MULTILINE)


def test_ratios_are_read_from_a_table_and_held_to_the_last_ones() -> None:
    found = Table.of(("samples", "program", "whole"), [[1000, "ours / bare", ratio(3, 2)]])
    assert found.markdown().splitlines()[2] == "| 1,000 | ours / bare | 1.50 x |"
    (place,) = found.ratios()
    assert found.ratios() == {place: 1.5}
    assert bench.moved({place: 1.45}, found.ratios()) == []
    assert bench.moved({place: 1.3}, found.ratios()) == [f"{place}: 1.30 x, now 1.50 x"]
