"""Answers are scored and counted while later ones are awaited, as they would be from the disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

import bakeoff
from bakeoff.analysis import reading
from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import QUALITY, Answer, Failure, MissingEvidence, Record, Step
from bakeoff.metrics.judges import JudgePool
from bakeoff.running.background_scoring import BackgroundScoring
from bakeoff.running.scoring import score_unit
from bakeoff.running.spending import count_spent
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.store import Unit
from bakeoff.setups.builder import Workspace
from bakeoff.spec.benchmark import load_suite
from bakeoff.tasks.load import load_tasks
from bakeoff.testing import RATE, completion, fake_endpoint, made_manifest, task_facts

TASK = """
description: A few questions.
rows: {test: qa.jsonl}
scorers: SCORERS
"""
BENCHMARK = """
description: A model and a system of our own.
tasks: [qa]
repeats: 2
setups:
  base: {model: "stub:m"}
  mine: {call: "bot.py::answer"}
endpoints: {stub: {url: "http://127.0.0.1:9", price: {prompt: 2, completion: 5}}}
"""
N, REPEATS = 4, 2
BASE, MINE = Unit("qa", "base"), Unit("qa", "mine")
PATIENCE_S = 60


def wait(until: Callable[[], bool]) -> None:
    """Until something is so, which it will be at once on a quiet machine."""
    late = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < late
        time.sleep(0.01)


def project(folder: Path, scorers: str = "[exact_match, token_f1]") -> BackgroundScoring:
    """Scoring of a run that has just begun."""
    (folder / "tasks").mkdir()
    (folder / "benchmarks").mkdir()
    (folder / "tasks" / "qa.yaml").write_text(TASK.replace("SCORERS", scorers))
    rows = [{"id": str(i), "question": f"What is {i}?", "targets": f"x{i}"} for i in range(N)]
    (folder / "tasks" / "qa.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "benchmarks" / "bot.py").write_text("def answer(sample):\n    return ''\n")
    file = folder / "benchmarks" / "b.yaml"
    file.write_text(BENCHMARK)
    suite = load_suite(file)
    tasks, _ = load_tasks(suite, file)
    run = store.new_folder(folder / "results", suite.name)
    store.write_samples(run, {name: task.samples for name, task in tasks.items()})
    place = Workspace(folder / "cache", folder / "results").place(suite, file, run / store.JUDGED)
    return BackgroundScoring(run, suite, tasks, JudgePool(place))


def manifest(scoring: BackgroundScoring) -> Manifest:
    facts = task_facts(N, {"exact_match": RATE, "token_f1": RATE})
    return made_manifest(scoring.folder.name, scoring.suite, {"qa": facts})


def outcome(i: int, repeat: int) -> Answer | Failure:
    if (i, repeat) == (2, 1):
        return Failure("HTTP 400: no")
    steps = (Step("prefill", prompt_tokens=5 + i), Step("decode", completion_tokens=2))
    return Answer(f"x{i % 3}", steps=steps, finish_reason="stop" if i else "length")


def records(setup: str = "base") -> Iterator[Record]:
    for repeat in range(REPEATS):
        for i in range(N):
            yield Record(QUALITY, "qa", setup, str(i), outcome(i, repeat), repeat)


def answer(scoring: BackgroundScoring, unit: Unit) -> None:
    """Answer a unit, and look at the first half being counted before the second is there."""
    made = list(records(unit.setup))
    with store.open_journal(scoring.folder, unit) as journal:
        scoring.follow(unit)
        for record in made[:N]:
            journal.sending(record.sample)
            journal.append(record)
        if unit == BASE:
            wait(lambda: bool(scoring.reading) and len(scoring.reading.held["qa", "base"]) == N)
        assert not (unit.folder(scoring.folder) / store.SCORES).exists()
        for record in made[N:]:
            journal.append(record)
        journal.commit()
    scoring.add(unit)


@contextmanager
def answered(scoring: BackgroundScoring) -> Iterator[Run]:
    """The run once all is answered and scored."""
    for unit in (BASE, MINE):
        answer(scoring, unit)
    scoring.finish()
    store.write_manifest(scoring.folder, manifest(scoring))
    yield Run(scoring.folder)


def test_answers_are_scored_and_counted_as_from_the_disk(tmp_path: Path) -> None:
    scoring = project(tmp_path)
    with answered(scoring) as from_disk:
        assert scoring.reading
        at_once = from_disk.having(scoring.reading)
        assert {*scoring.spent} == {BASE}, "whether mine retrieves only all its answers tell"
        assert asdict(at_once.comparison) == asdict(from_disk.comparison)
        assert list(at_once.columns) == list(from_disk.columns)
        assert at_once.samples == from_disk.samples
        for setup in ("base", "mine"):
            assert [*at_once.records("qa", setup)] == [*from_disk.records("qa", setup)]
            assert [*at_once.scores("qa", setup)] == [*from_disk.scores("qa", setup)]
        parts = (scoring.folder, manifest(scoring), scoring.suite, ["qa"])
        assert count_spent(*parts, scoring.spent) == count_spent(*parts)
        spent = count_spent(*parts, scoring.spent).spent["base"]
        assert (spent.requests, spent.failed) == (N, {"HTTP": 1})
    path = BASE.folder(scoring.folder) / store.SCORES
    meanwhile = path.read_bytes()
    score_unit(scoring.folder, scoring.suite, scoring.tasks["qa"], "base")
    assert path.read_bytes() == meanwhile


def test_of_many_answers_none_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HELD_ANSWERS", N + 1)
    scoring = project(tmp_path)
    with answered(scoring) as from_disk:
        assert scoring.reading
        assert not scoring.reading.held
        at_once = from_disk.having(scoring.reading)
        assert asdict(at_once.comparison) == asdict(from_disk.comparison)
        assert len([*at_once.records("qa", "base")]) == N * REPEATS


@pytest.mark.parametrize("scorers", ['["similarity"]', '["faithfulness(verifier=\\"stub:m\\")"]'])
def test_what_asks_a_model_waits_for_the_end_of_its_unit(tmp_path: Path, scorers: str) -> None:
    scoring = project(tmp_path, scorers)
    with store.open_journal(scoring.folder, BASE):
        scoring.follow(BASE)
    assert scoring._thread is None
    assert not scoring.scored([BASE])


def test_a_stopped_run_leaves_no_scores_of_a_unit_that_was_not_answered(tmp_path: Path) -> None:
    scoring = project(tmp_path)
    with store.open_journal(scoring.folder, BASE) as journal:
        scoring.follow(BASE)
        journal.append(next(records()))
        wait(lambda: bool(scoring.reading))
        scoring.stop()
    thread = scoring._thread
    assert thread
    assert not thread.is_alive()
    assert [path.name for path in BASE.folder(scoring.folder).iterdir()] == ["1.jsonl"]


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    scoring = project(tmp_path)
    path = BASE.folder(scoring.folder) / "1.jsonl"
    path.parent.mkdir(parents=True)
    with store.open_journal(scoring.folder, MINE) as journal:
        for record in records("base"):
            journal.append(record)
        lines = journal.path.read_bytes()
    half = lines.index(b"\n") + 20
    path.write_bytes(lines[:half])
    scoring.follow(BASE)
    wait(lambda: bool(scoring.reading) and bool(scoring.reading.held))
    with path.open("ab") as stream:
        stream.write(lines[half:])
    scoring.add(BASE)
    scoring.finish()
    assert len([*store.read_scores(scoring.folder, BASE)]) == N * REPEATS


@pytest.mark.parametrize(
    ("line", "message"),
    [(b"[]\n", "line 1 is damaged: not an object"), (b"", "missing: 8 of 8 rows")],
)
def test_a_journal_that_somebody_else_wrote_to_ends_the_scoring(
    tmp_path: Path, line: bytes, message: str
) -> None:
    scoring = project(tmp_path)
    path = BASE.folder(scoring.folder) / "1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(line)
    scoring.follow(BASE)
    scoring.add(BASE)
    with pytest.raises(MissingEvidence, match=message):
        scoring.finish()


def test_a_run_writes_what_is_made_again_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path)
    monkeypatch.setenv("BAKEOFF_RESULTS", str(tmp_path / "out"))
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "benchmarks" / "b.yaml"
    with fake_endpoint(lambda _: completion("x1")) as endpoint:
        file.write_text(file.read_text().replace("http://127.0.0.1:9", endpoint.url))
        folder = bakeoff.run(file, mlflow=False).folder
    at_once = outputs(folder)
    bakeoff.load(folder).report()
    assert outputs(folder) == at_once


def outputs(folder: Path) -> list[str]:
    """What a run writes."""
    names = ("comparison.json", "report.md", "report.html")
    return [(folder / name).read_text("utf-8") for name in names]
