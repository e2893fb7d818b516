"""A run's folder edited in more than fifty ways: no verdict stays green but where all agrees."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.runs import store, written
from bakeoff.runs.manifest import SCORING

N = 40
TASK = """
description: Letters.
rows: {test: rows.jsonl}
scorers: [exact_match, token_f1]
"""
BENCHMARK = """
tasks: [letters.yaml]
setups: {mine: {call: "bot.py::answer"}, other: {call: "bot.py::other"}}
latency: {samples: 3}
gates:
  - {id: floor, check: "mine.letters.exact_match >= 0.5", mode: point}
"""
BOT = """
def answer(sample):
    return sample.targets[0] if int(sample.id[1:]) < 30 else "no"

def other(sample):
    return "no"
"""
MINE, OTHER, PASS_ = "units/letters.mine", "units/letters.other", "units/letters.latency-pass"
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    rows = [{"id": f"q{i}", "question": f"Which is {i}?", "targets": [f"w{i}"]} for i in range(N)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "letters.yaml").write_text(TASK)
    (folder / "bench.yaml").write_text(BENCHMARK)
    (folder / "bot.py").write_text(BOT)
    done = invoke(folder, "run", str(folder / "bench.yaml"), "--no-mlflow")
    assert done.exit_code == 0, done.output
    (made,) = (folder / "results" / "bench").iterdir()
    made.rename(made.with_name("kept"))
    return folder


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project / "results" / "bench" / "kept", tmp_path / "run"))


def invoke(folder: Path, *arguments: str) -> Result:
    places = {"BAKEOFF_RESULTS": str(folder / "results"), "BAKEOFF_CACHE": str(folder / "cache")}
    return CliRunner().invoke(main, arguments, env=places)


def line(file: str, number: int, change: Callable[[Any], Any]) -> Edit:
    """An edit of one row; `change` returns the row, or a text as it is to stand there."""

    def edit(run: Path) -> None:
        lines = (run / file).read_text().splitlines()
        row = change(json.loads(lines[number - 1]))
        lines[number - 1 : number] = [row if isinstance(row, str) else json.dumps(row)]
        rewrite(run / file, "\n".join(lines) + "\n")

    return edit


def lines(file: str, change: Callable[[list[str]], list[str]]) -> Edit:
    def edit(run: Path) -> None:
        kept = change((run / file).read_text().splitlines())
        rewrite(run / file, "".join(f"{line}\n" for line in kept))

    return edit


def rewrite(path: Path, text: str) -> None:
    path.unlink()  # journals have two names
    path.write_text(text)


def manifest(change: Callable[[dict[str, Any]], Any]) -> Edit:
    def edit(run: Path) -> None:
        raw = json.loads((run / "manifest.json").read_text())
        change(raw)
        (run / "manifest.json").write_text(json.dumps(raw))

    return edit


def gone(file: str) -> Edit:
    def edit(run: Path) -> None:
        path = run / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def folder(file: str) -> Edit:
    def edit(run: Path) -> None:
        gone(file)(run)
        (run / file).mkdir()

    return edit


def raw(file: str, data: bytes) -> Edit:
    def edit(run: Path) -> None:
        (run / file).unlink()
        (run / file).write_bytes(data)

    return edit


def scored(value: Any) -> Edit:
    return line(f"{MINE}/scores.jsonl", 5, lambda r: put(r, value, "scores", "exact_match", 0))


def put(row: Any, value: Any, *path: Any) -> Any:
    place = row
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return row


def step(**fields: Any) -> Edit:
    def change(row: Any) -> Any:
        row["answer"]["steps"] = [{"name": "own", **fields}]
        return row

    return line(f"{MINE}/committed.jsonl", 8, change)


SCORES, JOURNAL = f"{MINE}/scores.jsonl", f"{MINE}/committed.jsonl"
DEEP = "[" * 100_000
# Found by what the rows themselves say, digests or none.
ROWS: dict[str, tuple[Edit, str]] = {
    "three rows of scores": (lines(SCORES, lambda r: r[:3]), "missing: 37 of 40 rows"),
    "no row of scores": (lines(SCORES, lambda r: []), "missing: 40 of 40 rows"),
    "a row of scores less": (lines(SCORES, lambda r: r[:-1]), "the first is of 'q39'"),
    "wrong answers' scores less": (lines(SCORES, lambda r: r[:30]), "missing: 10 of 40 rows"),
    "a row of scores twice": (lines(SCORES, lambda r: [*r, r[0]]), "line 41 is damaged: 'q0'"),
    "a row in place of another": (lines(SCORES, lambda r: [*r[:-1], r[0]]), "'q0' occurs twice"),
    "scores of a stranger": (
        line(SCORES, 2, lambda r: put(r, "q99", "sample")),
        "line 2 is damaged: no sample of the run is called 'q99'",
    ),
    "scores of a repeat": (line(SCORES, 2, lambda r: put(r, 1, "repeat")), "repeat 1 of 'q1'"),
    "scores of repeat -1": (line(SCORES, 2, lambda r: put(r, -1, "repeat")), "repeat -1"),
    "a repeat in words": (line(SCORES, 2, lambda r: put(r, "one", "repeat")), "line 2 is damaged"),
    "a score of 2": (scored(2), "line 5 is damaged: exact_match is 2, which is not from 0 to 1"),
    "a score of -1": (scored(-1.0), "not from 0 to 1"),
    "a score of NaN": (scored(float("nan")), "nan is not a score"),
    "an infinite score": (scored(float("inf")), "inf is not a score"),
    "a score of true": (scored(True), "True is not a score"),
    "a score in words": (scored("1.0"), "'1.0' is not a score"),
    "a score of too many digits": (
        line(SCORES, 5, lambda r: json.dumps(r).replace("1.0", "1" + "0" * 400, 1)),
        "line 5 is damaged",
    ),
    "scores as a list": (line(SCORES, 5, lambda r: put(r, [1], "scores")), "line 5 is damaged"),
    "a score without a reason": (
        line(SCORES, 5, lambda r: put(r, [1.0], "scores", "exact_match")),
        "line 5 is damaged",
    ),
    "a row that is a number": (line(SCORES, 5, lambda r: "5"), "line 5 is damaged"),
    "half a row": (line(SCORES, 5, lambda r: json.dumps(r)[:20]), "line 5 is damaged"),
    "a deep row": (line(SCORES, 5, lambda r: DEEP), "line 5 is damaged"),
    "bytes for scores": (raw(SCORES, b"\xff\xfe\0\n"), "line 1 is damaged"),
    "scores gone": (gone(SCORES), "scores.jsonl: "),
    "a folder for scores": (folder(SCORES), "scores.jsonl: cannot be read"),
    "a record less": (lines(JOURNAL, lambda r: r[:-2]), "missing: 1 of 40 rows"),
    "no records": (lines(JOURNAL, lambda r: []), "missing: 40 of 40 rows"),
    "an answer twice": (lines(JOURNAL, lambda r: [*r, r[1]]), "answered before"),
    "a record of a stranger": (line(JOURNAL, 4, lambda r: put(r, "q99", "sample")), "'q99'"),
    "a record of a setup": (line(JOURNAL, 4, lambda r: put(r, "other", "setup")), "another unit"),
    "a record of a task": (line(JOURNAL, 4, lambda r: put(r, "x", "task")), "another unit"),
    "a timed record": (line(JOURNAL, 4, lambda r: put(r, "latency", "phase")), "another unit"),
    "a record's sample a list": (line(JOURNAL, 4, lambda r: put(r, [], "sample")), "are texts"),
    "a text that is none": (line(JOURNAL, 4, lambda r: put(r, 5, "answer", "text")), "text is 5"),
    "no passages": (line(JOURNAL, 4, lambda r: put(r, None, "answer", "passages")), "line 4"),
    "infinite seconds": (step(seconds=float("inf")), "line 8 is damaged: seconds of own"),
    "seconds below 0": (step(seconds=-1.0), "line 8 is damaged: seconds of own"),
    "tokens below 0": (step(prompt_tokens=-5), "line 8 is damaged: tokens of own"),
    "a step of another kind": (step(colour="red"), "line 8 is damaged"),
    "a record that is a list": (line(JOURNAL, 4, lambda r: "[1]"), "line 4 is damaged"),
    "a deep record": (line(JOURNAL, 4, lambda r: DEEP), "line 4 is damaged"),
    "bytes for records": (raw(JOURNAL, b"\xff\xfe\0\n"), "line 1 is damaged"),
    "a folder of a unit gone": (gone(OTHER), OTHER),
    "a latency of a stranger": (
        line(f"{PASS_}/committed.jsonl", 1, lambda r: put(r, "q99", "sample")),
        "line 1 is damaged: no sample",
    ),
    "a latency of no setup": (
        line(f"{PASS_}/committed.jsonl", 1, lambda r: put(r, "x", "setup")),
        "line 1 is damaged: no setup",
    ),
    "a sample less": (lines("samples.jsonl", lambda r: r[:-1]), "39 samples of task letters"),
    "a sample twice": (lines("samples.jsonl", lambda r: [*r, r[0]]), "'q0' of letters occurs"),
    "a sample of another task": (
        line("samples.jsonl", 2, lambda r: put(r, "x", "task")),
        "samples of task",
    ),
    "targets that are no texts": (
        line("samples.jsonl", 2, lambda r: put(r, [5], "targets")),
        "line 2 is damaged",
    ),
    "gold documents that are one text": (
        line("samples.jsonl", 2, lambda r: put(r, "doc", "gold")),
        "line 2 is damaged",
    ),
    "tags as a list": (line("samples.jsonl", 2, lambda r: put(r, [], "tags")), "line 2"),
    "a damaged sample": (line("samples.jsonl", 2, lambda r: "{"), "line 2 is damaged"),
    "samples gone": (gone("samples.jsonl"), "samples.jsonl"),
    "a folder for samples": (folder("samples.jsonl"), "samples.jsonl: cannot be read"),
    "half a manifest": (raw("manifest.json", b'{"format": '), "manifest.json: not valid JSON"),
    "bytes for a manifest": (raw("manifest.json", b"\xff\xfe\0"), "manifest.json: not valid JSON"),
    "a list for a manifest": (raw("manifest.json", b"[]"), "manifest.json: not a JSON object"),
    "a manifest without tasks": (manifest(lambda m: m.pop("tasks")), "tasks: must be given"),
    "an unknown status": (manifest(lambda m: put(m, "done", "status")), "status"),
    "an interrupted run": (manifest(lambda m: put(m, "interrupted", "status")), "is interrupted"),
    "a run that is being scored": (
        manifest(lambda m: put(m, SCORING, "status")),
        "the run is being scored; finish it with `bakeoff score run`",
    ),
    "a shard": (manifest(lambda m: put(m, [1, 2], "selection", "shard")), "shard 1 of 2"),
}
GATE = ("suite", "gates", 0, "check")
# Possible in themselves: found because they are not what the run wrote.
DIGESTS: dict[str, tuple[Edit, str]] = {
    "a metric of no scorer": (
        line(SCORES, 5, lambda r: put(r, [1.0, "", None], "scores", "exact")),
        "scores.jsonl: not what the run wrote",
    ),
    "a wrong answer made right": (
        line(SCORES, 35, lambda r: put(r, 1.0, "scores", "exact_match", 0)),
        "scores.jsonl: not what the run wrote",
    ),
    "a score taken out of its row": (
        line(SCORES, 35, lambda r: put(r, {}, "scores")),
        "scores.jsonl: not what the run wrote",
    ),
    "a score that does not apply": (
        line(SCORES, 35, lambda r: put(r, [None, "", None, [], False], "scores", "exact_match")),
        "scores.jsonl: not what the run wrote",
    ),
    "an answer rewritten": (
        line(JOURNAL, 70, lambda r: put(r, "w34", "answer", "text")),
        "committed.jsonl: not what the run wrote",
    ),
    "an answer made a failure": (
        line(JOURNAL, 4, lambda r: {k: v for k, v in r.items() if k != "answer"} | {"error": "x"}),
        "committed.jsonl: not what the run wrote",
    ),
    "a target": (
        line("samples.jsonl", 35, lambda r: put(r, ["no"], "targets")),
        "samples.jsonl: not what the run wrote",
    ),
    "a question": (
        line("samples.jsonl", 35, lambda r: put(r, "What?", "fields", "question")),
        "samples.jsonl: not what the run wrote",
    ),
    "the journal that counts gone": (gone(JOURNAL), "committed.jsonl: missing"),
    "a lower limit": (
        manifest(lambda m: put(m, "mine.letters.exact_match >= 0.1", *GATE)),
        "edited",
    ),
    "no gates": (manifest(lambda m: put(m, [], "suite", "gates")), "edited"),
    "a policy": (manifest(lambda m: put(m, 1.0, "suite", "policy", "max_error_rate")), "edited"),
    "another benchmark": (manifest(lambda m: put(m, "easy", "benchmark")), "edited"),
    "another version": (
        manifest(lambda m: put(m, "9", "tasks", "letters", "metrics", "exact_match", "version")),
        "edited",
    ),
    "the other direction": (
        manifest(
            lambda m: put(
                m, False, "tasks", "letters", "metrics", "exact_match", "higher_is_better"
            )
        ),
        "edited",
    ),
    "a digest of a file": (
        manifest(lambda m: put(m, "0" * 64, "files", "samples.jsonl")),
        "edited",
    ),
    "a digest less": (manifest(lambda m: m["files"].pop(SCORES)), "edited"),
    "no seal": (manifest(lambda m: m.pop("seal")), "edited"),
    "another commit": (manifest(lambda m: put(m, "0123abc", "commit")), "edited"),
}


@pytest.mark.parametrize("name", [*ROWS, *DIGESTS])
def test_an_edited_run_has_no_verdict(name: str, run: Path) -> None:
    edit, why = {**ROWS, **DIGESTS}[name]
    edit(run)
    done = invoke(run.parent, "gate", str(run), "--output", str(run.parent / "out"))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 12, done.output
    assert "not what the run wrote" in done.output or why in done.output
    assert not (run.parent / "out").exists()
    accepted = invoke(run.parent, "baseline", "accept", str(run), "--reason", "r")
    assert accepted.exit_code in (2, 12) and not (run.parent / "results" / "baselines").exists()


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_cannot_be_are_found_without_digests(name: str, run: Path) -> None:
    manifest(lambda m: (m.pop("files"), m.pop("seal")))(run)  # a run of before
    assert invoke(run.parent, "gate", str(run)).exit_code == 0
    edit, why = ROWS[name]
    edit(run)
    done = invoke(run.parent, "gate", str(run))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 12, done.output
    assert why in done.output
    compared = invoke(run.parent, "compare", str(run))
    assert compared.exception is None or isinstance(compared.exception, SystemExit)
    finishes = name in ("an interrupted run", "a shard", "a run that is being scored")
    assert compared.exit_code == (0 if finishes else 12), compared.output


def test_fifty_edits_and_more_are_tried() -> None:
    assert len(ROWS) + len(DIGESTS) >= 75


def test_evidence_that_is_replaced_consistently_is_not_found_out(run: Path) -> None:
    """docs/reference/gates.md says so: a signature would be needed."""
    line(SCORES, 35, lambda r: put(r, 1.0, "scores", "exact_match", 0))(run)
    store.write_manifest(run, written.digested(run, Run(run).manifest))
    assert invoke(run.parent, "gate", str(run)).exit_code == 0
    manifest(lambda m: (m.pop("files"), m.pop("seal")))(run)
    assert invoke(run.parent, "gate", str(run)).exit_code == 0


def test_edited_scores_are_made_anew_and_edited_answers_are_not_scored(
    run: Path, project: Path
) -> None:
    before = Run(run).columns["letters", "mine", "exact_match"].values.tolist()
    line(SCORES, 35, lambda r: put(r, 1.0, "scores", "exact_match", 0))(run)
    again = invoke(project, "score", str(run))
    assert again.exit_code == 0, again.output
    assert Run(run).columns["letters", "mine", "exact_match"].values.tolist() == before
    line(JOURNAL, 70, lambda r: put(r, "w34", "answer", "text"))(run)
    refused = invoke(project, "score", str(run))
    assert refused.exit_code == 12
    assert "committed.jsonl: not what the run wrote" in refused.output


def test_a_report_shows_no_verdict_of_scores_that_are_gone(run: Path, project: Path) -> None:
    kept = json.loads((run / "gates.json").read_text())
    assert kept["state"] == "PASS" and kept["evidence"]
    kept["evidence"] = "0123456789abcdef"
    (run / "gates.json").write_text(json.dumps(kept | {"state": "FAIL"}))
    assert invoke(project, "report", str(run)).exit_code == 0
    assert "PASS (exit code 0)" in (run / "report.md").read_text()
    (run / "gates.json").write_text("{")
    broken = invoke(project, "report", str(run))
    assert broken.exit_code == 12 and "gates.json: not valid JSON" in broken.output
