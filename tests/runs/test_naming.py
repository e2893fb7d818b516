"""Runs by the names that people give them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.outputs.tables.runs import runs_table
from bakeoff.runs.naming import find_run, runs_in
from bakeoff.testing import make_run
from conftest import Cli


def write(results: Path, benchmark: str, *runs: tuple[str, str]) -> None:
    for name, status in runs:
        folder = results / benchmark / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"status": status}))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Benchmark `a` with two complete runs and a newer one that stopped, `b` with older runs."""
    write(tmp_path, "b", ("20260101-1", "complete"), ("20260101-2", "running"))
    write(tmp_path, "a", ("20260102-1", "complete"), ("20260102-2", "complete"))
    write(tmp_path, "a", ("20260103-1", "interrupted"))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("latest", "a/20260102-2"),
        ("latest~1", "a/20260102-1"),
        ("a", "a/20260102-2"),
        ("b", "b/20260101-1"),
        ("b~0", "b/20260101-1"),
        ("benchmarks/b.yaml", "b/20260101-1"),
        ("results/a", "a/20260102-2"),
        ("results/a/", "a/20260102-2"),
        ("20260103-1", "a/20260103-1"),
        ("20260103", "a/20260103-1"),
        ("20260101-2", "b/20260101-2"),
    ],
)
def test_a_run_has_several_names(results: Path, text: str, run: str) -> None:
    assert find_run(text, results) == results / run


def test_a_folder_needs_no_results(results: Path, tmp_path: Path) -> None:
    folder = results / "b" / "20260101-1"
    assert find_run(str(folder), tmp_path / "elsewhere") == folder


def test_the_newest_may_be_asked_for_whatever_became_of_it(results: Path) -> None:
    assert find_run("latest", results, newest=True).name == "20260103-1"
    assert find_run("latest", results, benchmark="b", newest=True).name == "20260101-2"
    assert find_run("a~1", results, newest=True).name == "20260102-2"


def test_runs_that_are_not_complete_count_where_no_other_is_there(tmp_path: Path) -> None:
    write(tmp_path, "c", ("1", "interrupted"), ("2", "running"))
    (tmp_path / "c" / "3").mkdir()
    (tmp_path / "c" / "3" / "manifest.json").write_text("{")
    assert find_run("latest", tmp_path).name == "3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz", "'zzz': no such run in .*such as .*20260103-1.*`bakeoff runs` lists all"),
        ("2026010", "5 runs begin with that: .*20260103-1.*write more of it"),
        ("latest~2", "has 2 such runs, the oldest is 20260102-1"),
        ("", "no such run"),
        ("..", "no such run"),
        ("*", "no such run"),
    ],
)
def test_a_name_of_no_run_says_which_there_are(results: Path, text: str, message: str) -> None:
    with pytest.raises(BakeoffError, match=message):
        find_run(text, results)


def test_without_any_run_the_message_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"none in .* yet; `bakeoff run BENCHMARK` makes one"):
        find_run("latest", tmp_path)


def test_the_list_says_what_became_of_every_run(results: Path, cli: Cli) -> None:
    made = make_run(results, name="a")
    table = runs_table(runs_in(results, "a"), older=3)
    assert [row[1] for row in table.rows] == [
        *(made.name, "20260103-1", "20260102-2", "20260102-1")
    ]
    benchmark, _, when, state, setups, n, gates = table.rows[0]
    day = made.name
    assert when == f"{day[:4]}-{day[4:6]}-{day[6:8]} {day[9:11]}:{day[11:13]}"
    assert (benchmark, state, n, gates) == ("a", "complete", "10", "-")
    assert setups == "base, fine-tuned, rag, hybrid"
    assert "unreadable" in table.rows[1][3]
    assert "3 older runs" in table.note
    shown = cli("runs", "a", cwd=results, BAKEOFF_RESULTS=str(results))
    assert shown.returncode == 0, shown.stderr
    assert made.name in shown.stdout
    none = cli("runs", "zzz", cwd=results, BAKEOFF_RESULTS=str(results))
    assert (none.returncode, "no runs of 'zzz' yet" in none.stderr) == (2, True)


def test_an_older_run_is_looked_at_but_never_judged_in_the_place_of_a_newer(
    results: Path, cli: Cli
) -> None:
    done = make_run(results, name="a")
    newer = results / "a" / "20991231-1"
    shutil.copytree(done, newer)
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps({**manifest, "status": "interrupted"}))
    looked = cli("compare", "latest", cwd=results, BAKEOFF_RESULTS=str(results))
    assert looked.returncode == 0, looked.stderr
    assert f"latest: {done.name}; the newer 20991231-1 is not complete" in looked.stderr
    judged = cli("gate", cwd=results, BAKEOFF_RESULTS=str(results))
    assert (judged.returncode, "20991231-1" in judged.stderr) == (12, True), judged.stderr
    accepted = cli("baseline", "accept", "--reason", "r", cwd=results, BAKEOFF_RESULTS=str(results))
    assert (accepted.returncode, "the run is interrupted" in accepted.stderr) == (2, True)
