"""A run as files of tables: the same rows as in the run, whatever the format."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest
from click.testing import CliRunner

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.outputs import export, frames
from bakeoff.testing import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(make_run(tmp_path_factory.mktemp("results")))


def read(path: Path) -> pandas.DataFrame:
    return pandas.read_parquet(path) if path.suffix == ".parquet" else pandas.read_csv(path)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_every_answer_score_and_number_is_in_the_files(run: Run, form: str, tmp_path: Path) -> None:
    command = ["export", str(run.folder), "--output", str(tmp_path / "out"), "--format", form]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    tables = {path.stem: read(path) for path in (tmp_path / "out").iterdir()}
    assert set(tables) == {"samples", "scores", "numbers"}
    expected = frames.samples(run)
    samples = tables["samples"]
    keys = list(frames.CELL)
    assert samples[keys].to_numpy().tolist() == expected[keys].to_numpy().tolist()
    assert samples["answer"].fillna("").tolist() == expected["answer"].fillna("").tolist()
    assert [json.loads(text) for text in samples["tags"]] == list(expected["tags"])
    lists = samples["targets"].map(json.loads if form == "csv" else list)
    assert lists.tolist() == [list(targets) for targets in expected["targets"]]
    scores = frames.scores(run)
    assert tables["scores"]["score"].tolist() == pytest.approx(
        scores["score"].tolist(), nan_ok=True
    )
    numbers = export.frame(run.comparison)
    for column in ("value", "low", "high", "p"):
        got = tables["numbers"][column].astype(float).tolist()
        assert got == pytest.approx(numbers[column].astype(float).tolist(), nan_ok=True)


def test_a_folder_that_is_a_file_is_one_message(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = CliRunner().invoke(main, ["export", str(run.folder), "--output", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "out" in done.output and "Traceback" not in done.output
    assert (tmp_path / "out").read_text() == "mine"
