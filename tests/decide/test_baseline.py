"""Accepted runs: what a pointer and its rows must be."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.measurements import read_rows, write_rows
from bakeoff.core.words import BakeoffError, MissingEvidence
from bakeoff.decide.gates import baseline
from bakeoff.testing import make_run


def changed(path: Path, change: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def test_an_accepted_run_is_read_back_with_its_rows(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path))
    accepted = baseline.accept(run, "rolling", "the first", tmp_path)
    assert baseline.pointers(tmp_path) == [accepted]
    kept = baseline.rows_of(tmp_path, accepted)
    assert kept.conditions == run.rows.conditions and kept.tags == run.rows.tags
    for place, column in run.rows.columns.items():
        again = kept.columns[place]
        assert again.samples == column.samples and again.measure == column.measure
        assert again.values.tolist() == pytest.approx(column.values.tolist(), nan_ok=True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": 7}, "format 7, made by another version"),
        ({"rows": "../other.rows.json.gz"}, "rows: "),
        ({"sha256": None}, "sha256: "),
        ({"accepted": "some day"}, "accepted: "),
    ],
)
def test_a_pointer_that_is_none_is_missing_evidence(
    tmp_path: Path, change: Mapping[str, Any], fault: str
) -> None:
    baseline.accept(Run(make_run(tmp_path)), "anchor", "release", tmp_path)
    changed(tmp_path / "baselines" / "made.anchor.json", change)
    with pytest.raises(MissingEvidence, match=fault):
        baseline.references(tmp_path, "made")


def test_a_damaged_file_of_rows_is_one_message_with_the_field(tmp_path: Path) -> None:
    path = tmp_path / "a.rows.json.gz"
    write_rows(path, Run(make_run(tmp_path)).rows)
    raw = json.loads(gzip.decompress(path.read_bytes()))
    raw["columns"][0]["values"][1] = "many"
    path.write_bytes(gzip.compress(json.dumps(raw).encode()))
    with pytest.raises(BakeoffError, match=r"no file of rows: columns\.0\.values\.1: "):
        read_rows(path)
    path.write_bytes(b"no gzip")
    with pytest.raises(BakeoffError, match="no file of rows: BadGzipFile"):
        read_rows(path)
