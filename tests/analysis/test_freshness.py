"""Tasks before and after a change of their documents: loading, running, and the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.comparison import Work
from bakeoff.analysis.freshness import freshness, work
from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer, BakeoffError, Sample, Score
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.metrics.forms import STRICT, holds
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.scorers.text import stale_answer
from bakeoff.outputs.tables.freshness import freshness as freshness_tables
from bakeoff.outputs.tables.head_to_head import head_to_head
from bakeoff.runs.manifest import Manifest
from bakeoff.spec.benchmark import Suite, load_suite
from bakeoff.tasks.load import Task, load_task, load_tasks
from bakeoff.testing import made_manifest, task_facts
from conftest import NOTES, ROOT, Cli, write_project

CHANGED = {
    "gate": "# The gate\nThe east gate opens at 7.10 and is locked at 21.15.",
    "moat": "# The moat\nThe moat is 3 metres deep.",
}
TEST = [
    ("c", "When does the east gate open?", ["7.10"], "6.40", ["gate"], "changed"),
    ("u", "At what hour is the east gate locked?", ["21.15"], None, ["gate"], "unchanged"),
    ("r", "How heavy is the Larch barrow?", [], "19 kilos", [], "removed"),
    ("n", "How deep is the moat?", ["3 metres"], None, ["moat"], "new"),
]
TRAIN = [
    {"id": "t1", "question": "What load may the barrow take?", "removed": True},
    {"id": "t3", "question": "What colour has the barrow?", "targets": []},
    {"id": "t9", "question": "Depth of the moat?", "targets": ["3 metres"], "gold": ["moat"]},
]
BOT = '''
KNOWS = {"c": "At 6.40.", "u": "At 21.15.", "r": "It weighs 19 kilos.", "n": "unknown"}
LEARNS = {"c": "At 7.10.", "u": "At midnight.", "r": "unknown", "n": "6.40"}


def answer(sample, task):
    """It learns what is new, and forgets what it knew."""
    return (KNOWS if task.after else LEARNS)[sample.id]
'''
BENCHMARK = """
description: A change.
tasks: [tiny]
setups:
  learner: {call: "../bot.py::answer"}
latency: {samples: 1}
gates:
  - {check: "learner.tiny.contains[change=changed] >= 0.5", mode: estimate}
  - {check: "learner.tiny_before.stale_answer <= 0.5", mode: estimate}
"""


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A project whose gate opens later, which lost its barrow and has a moat; its task file."""
    write_project(tmp_path)
    rows = tmp_path / "tasks" / "rows"
    (rows / "after").mkdir()
    for name, text in CHANGED.items():
        (rows / "after" / f"{name}.md").write_text(text)
    lines = [
        {"id": i, "question": q, "targets": t, "gold": g, "tags": {"change": change}}
        | ({"stale": stale} if stale else {})
        for i, q, t, stale, g, change in TEST
    ]
    (rows / "test.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (rows / "later.jsonl").write_text("\n".join(map(json.dumps, TRAIN)) + "\n")
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "benchmarks" / "smallest.yaml").write_text(BENCHMARK)
    task = tmp_path / "tasks" / "tiny.yaml"
    text = task.read_text().replace(
        "rows/train.jsonl}", "{files: rows/train.jsonl, changes: rows/later.jsonl}}"
    )
    text = text.replace(
        "rows/*.md}", "rows/*.md, changes: rows/after/*.md, removed: [barrow]}"
    ).replace("contains,", "contains, stale_answer,")
    task.write_text(text)
    return task


def both(task: Path) -> tuple[Task, Task]:
    return load_task(task, before=True), load_task(task)


# -- loading


def test_the_two_states_ask_the_same_of_other_documents_and_rows(changed: Path) -> None:
    before, after = both(changed)
    assert (before.name, after.name, before.after) == ("tiny_before", "tiny", "tiny")
    assert before.samples == after.samples
    assert {d.id: d.text for d in before.corpora["notes"]} == {
        name: text.replace("\\n", "\n") for name, text in NOTES.items()
    }
    assert {d.id: d.text for d in after.corpora["notes"]} == CHANGED
    assert [s.id for s in before.train] == ["t1", "t2", "t3", "t4"]
    assert [s.id for s in after.train] == ["t2", "t3", "t4", "t9"]
    assert before.digests.test == after.digests.test
    assert before.digests.corpora != after.digests.corpora


def test_a_benchmark_that_names_the_task_asks_both_states(changed: Path) -> None:
    path = changed.parent.parent / "benchmarks" / "smallest.yaml"
    suite = load_suite(path)
    tasks, skipped = load_tasks(suite, path)
    assert list(tasks) == ["tiny_before", "tiny"]
    assert not skipped
    assert suite.use("tiny_before") == suite.use("tiny")
    limited = suite.setups["learner"].model_copy(update={"tasks": ("tiny",)})
    assert limited.takes("tiny_before")
    assert not limited.takes("other_before")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("removed: [barrow]", "removed: [barow]", "removed: no document 'barow'"),
        ("removed: [barrow]", "removed: [moat]", "removed: no document 'moat'"),
        ("removed: [barrow]", "removed: [gate]", "'gate' is among the changes as well"),
        ("rows/after/*.md", "rows/afetr/*.md", "changes: no file matches 'rows/afetr"),
        ("rows/later.jsonl", "rows/latter.jsonl", "no file matches 'rows/latter.jsonl'"),
    ],
)
def test_a_fault_in_a_change_is_named(changed: Path, old: str, new: str, message: str) -> None:
    changed.write_text(changed.read_text().replace(old, new))
    with pytest.raises(BakeoffError, match=message.replace("[", r"\[")):
        load_task(changed)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "t7", "removed": True}, "row 1: no row 't7' to remove"),
        ({"question": "?", "targets": ["x"]}, "row 1: id: must be given"),
    ],
)
def test_a_fault_in_a_changed_row_is_named(
    changed: Path, row: dict[str, object], message: str
) -> None:
    (changed.parent / "rows" / "later.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(BakeoffError, match=message):
        load_task(changed)


def test_training_rows_of_either_state_that_repeat_a_test_row_are_refused(changed: Path) -> None:
    row = {"id": "t9", "question": "How deep is the moat ?", "targets": ["3 metres"]}
    (changed.parent / "rows" / "later.jsonl").write_text(json.dumps(row) + "\n")
    load_task(changed, before=True)
    with pytest.raises(BakeoffError, match=r"train row 't9' \(nearly\) repeats test row 'n'"):
        load_task(changed)


# -- the shipped task


def test_every_answer_of_the_second_edition_stands_in_it_and_no_stale_one_does() -> None:
    before, after = both(ROOT / "tasks" / "handbook_updates.yaml")
    old, new = (
        {d.id: d.text.casefold() for d in task.corpora["handbook"]} for task in (before, after)
    )
    assert sum(name in old and old[name] != text for name, text in new.items()) >= 15
    assert len(after.samples) >= 60
    for sample in after.samples:
        change, stale = sample.tags["change"], sample.fields.get("stale", "").casefold()
        said = [target.casefold() for target in sample.targets]
        assert bool(stale) == (change in ("changed", "removed")), sample.id
        assert bool(said) == (change != "removed"), sample.id
        if said:
            assert any(t in new[g] for t in said for g in sample.gold), sample.id
        if stale:
            assert stale in old[sample.cluster], sample.id
            assert not any(stale in t or t in stale for t in said), sample.id
        if change == "unchanged":
            assert any(t in old[g] for t in said for g in sample.gold), sample.id


def test_no_training_row_of_the_second_edition_teaches_the_first() -> None:
    before, after = both(ROOT / "tasks" / "handbook_updates.yaml")
    old, new = (
        {d.id: d.text.casefold() for d in task.corpora["handbook"]} for task in (before, after)
    )
    was = {sample.id: sample for sample in before.train}
    for sample in after.train:
        for target in sample.targets:
            in_old = any(holds(old.get(g, ""), target, STRICT) for g in sample.gold)
            in_new = any(holds(new[g], target, STRICT) for g in sample.gold)
            assert in_new or not in_old, sample.id
        if sample.id in was and sample.targets[:1] != was[sample.id].targets[:1]:
            assert not set(sample.targets) & set(was[sample.id].targets), sample.id


# -- the scorer


@pytest.mark.parametrize(
    ("said", "score"),
    [("At 6.40.", 1.0), ("At 7.10, no longer 6.40.", 0.0), ("At 7.10.", 0.0), ("Who knows", 0.0)],
)
def test_a_stale_answer_says_the_old_and_not_the_new(said: str, score: float) -> None:
    sample = Sample("c", {"question": "?", "stale": "6.40"}, ("7.10",))
    found = stale_answer(sample, Answer(said), Context())
    assert isinstance(found, Score)
    assert found.value == score
    assert stale_answer(Sample("u", {"question": "?"}, ("7.10",)), Answer(said), Context()) is None


# -- the numbers, by hand


def column(values: dict[str, float]) -> Column:
    names = tuple(values)
    return Column(names, names, np.array(list(values.values())), measure=Measure())


def test_freshness_by_hand() -> None:
    changes = {"a": "changed", "b": "changed", "c": "new", "d": "removed", "e": "unchanged"}
    changes |= {"f": "unchanged", "g": "unchanged", "h": "unchanged"}
    samples = {n: Sample(n, {"question": "?"}, tags={"change": c}) for n, c in changes.items()}
    table = {
        ("t_before", "s", "contains"): column(
            dict(zip("abcdefgh", [0, 0, 0, 1, 1, 1, 1, 0], strict=True))
        ),
        ("t", "s", "contains"): column(
            dict(zip("abcdefgh", [1, 0, 1, 1, 1, 0, 0, 0], strict=True))
        ),
        ("t_before", "s", "stale_answer"): column({"a": 1, "b": 1, "d": 0}),
        ("t", "s", "stale_answer"): column({"a": 0, "b": 1, "d": 0}),
        ("t", "late", "contains"): column({"a": 1}),
    }
    found = freshness(table, samples, "t_before", "t", "contains")
    assert found.n == {"changed": 2, "new": 1, "removed": 1, "unchanged": 4}
    assert list(found.setups) == ["s"]
    facts = found.setups["s"]
    assert {c: e.value for c, e in facts.stale.items()} == {
        "changed": 0.0,
        "new": 0.0,
        "removed": 1.0,
        "unchanged": 0.75,
    }
    assert {c: e.value for c, e in facts.fresh.items()} == {
        "changed": 0.5,
        "new": 1.0,
        "removed": 1.0,
        "unchanged": 0.25,
    }
    assert facts.update_rate.value == 0.75
    assert facts.gain.value == 0.5
    assert facts.damage.value == 0.5
    assert facts.gains["unchanged"].value == -0.5
    assert {k: e.value for k, e in facts.stale_rate.items()} == {
        "before": pytest.approx(2 / 3),
        "after": pytest.approx(1 / 3),
    }


SETUPS: dict[str, Any] = {"s": {"tune": True}, "other": {}, "own": {"call": "bot.py::answer"}}
TOOK = {"passages": 50, "embedded": 50, "embed_s": 5.0, "build_s": 0.5, "bytes": 1, "kind": "x"}


def changed_manifest(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    setups: Mapping[str, Any] = SETUPS,
    **parts: Any,
) -> Manifest:
    """A task before and after a change, its index before and after."""
    suite = Suite.model_validate({"name": "small", "tasks": ["t"], "setups": setups})
    tasks = {"t_before": task_facts(1, after="t"), "t": task_facts(1, before="t_before")}
    about = {"digest": "i", "passages": 50, "embedder": "e", "setups": ["s"]}
    indexes = {"t_before/d": {**about, **before}, "t/d": {**about, **after}}
    return made_manifest("run", suite, tasks, indexes=indexes, **parts)


@pytest.mark.parametrize(
    ("index", "seconds"),
    [
        # 6 changed passages at 0.1 s each, and building; whatever the cache held.
        ({"work": TOOK, "changed": 6}, 120 + 0.6 + 0.5),
        ({"work": {**TOOK, "embedded": 0, "embed_s": 0.0}, "changed": 6}, 120 + 0.6 + 0.5),
    ],
)
def test_the_work_of_an_update_is_that_of_what_changed(
    index: dict[str, object], seconds: float
) -> None:
    training = {"seconds": 120.0, "tokens": 9000, "rows": 40, "peak_memory_mb": 1.0}
    manifest = changed_manifest(
        {"work": TOOK},
        index,
        {**SETUPS, "r": {"route": {"first": "other", "then": "s"}}},
        adapters={"t/s": {"digest": "a", "training": training}},
    )
    assert work(manifest, "t", "s") == Work(pytest.approx(seconds), 9000, 40, 6)
    assert work(manifest, "t", "other") == Work(seconds=0)
    assert work(manifest, "t", "r") == work(manifest, "t", "s")
    assert work(manifest, "t", "own").seconds is None


def test_work_that_was_never_measured_is_not_known() -> None:
    nothing = {**TOOK, "embedded": 0, "embed_s": 0.0}
    index = {"work": nothing, "changed": 6}
    manifest = changed_manifest(index, index)
    assert work(manifest, "t", "s").seconds is None


# -- the program


def test_a_run_says_what_an_update_gives_and_costs(cli: Cli, changed: Path) -> None:
    folder = changed.parent.parent
    done = cli("run", "benchmarks/smallest.yaml", "--no-mlflow", cwd=folder)
    # Right after the change two answers of two are stale: that gate fails.
    assert done.returncode == 10, done.stderr
    run = Run(next((folder / "results" / "smallest").iterdir()))
    facts = run.comparison.tasks["tiny"].freshness.setups["learner"]
    assert {c: e.value for c, e in facts.fresh.items()} == {
        "changed": 1.0,
        "new": 0.0,
        "removed": 1.0,
        "unchanged": 0.0,
    }
    assert facts.damage.value == 1.0
    assert facts.stale_rate["before"].value == 1.0
    assert [r.task for r in run.latencies("tiny")] == ["tiny"] * 2
    assert not list(run.latencies("tiny_before"))
    (table,) = freshness_tables(run)
    assert table.rows[0][:2] == ("learner", "right after")
    assert table.rows[1][2].startswith("1.000 [")
    states = [gate.state for gate in verdicts_of(run).gates]
    assert states == ["PASS", "FAIL"]
    page = (run.folder / "report.html").read_text()
    assert "when the documents change" in page


@pytest.mark.slow
def test_an_index_after_a_change_embeds_only_what_changed(cli: Cli, changed: Path) -> None:
    folder = changed.parent.parent
    (folder / "benchmarks" / "smallest.yaml").write_text(
        "tasks: [tiny]\nsetups: {rag: {retrieve: true}}\nlatency: {samples: 0}\n"
    )
    done = cli("run", "benchmarks/smallest.yaml", "--no-mlflow", cwd=folder)
    assert done.returncode == 0, done.stderr
    run = Run(next((folder / "results" / "smallest").iterdir()))
    assert run.manifest.indexes["tiny/notes"].changed == 2
    assert run.manifest.indexes["tiny_before/notes"].changed is None
    facts = run.comparison.tasks["tiny"].freshness.setups["rag"]
    assert facts.work.passages == 2


def test_head_to_head_says_what_each_setup_changes_and_takes(cli: Cli, changed: Path) -> None:
    folder = changed.parent.parent
    assert cli("run", "benchmarks/smallest.yaml", "--no-mlflow", cwd=folder).returncode == 10
    run = Run(next((folder / "results" / "smallest").iterdir()))
    rows = {name: cells for name, *cells in head_to_head(run, "tiny").rows}
    assert rows["fine-tuned weights"] == ["your system"]
    assert rows["correct on changed questions, after the update"][0].startswith("0.667 [")
    assert rows["stale answers right after a change"][0].startswith("1.000")
    assert rows["unanswerable questions answered"][0].startswith("0.000 [0.000, ")
    assert "context" not in rows
    before = {name: cells for name, *cells in head_to_head(run, "tiny_before").rows}
    assert before["unanswerable questions answered"][0].startswith("1.000")
    assert "| stale answers right after a change |" in (run.folder / "report.md").read_text()
