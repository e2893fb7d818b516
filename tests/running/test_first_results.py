"""What is shown of setups that need no tuning, while others are still to be tuned."""

from __future__ import annotations

import json
import time
from pathlib import Path

import words_project
from bakeoff.core.progress import PlainProgress
from bakeoff.core.table import Table
from bakeoff.metrics.judges import JudgePool
from bakeoff.running.answering import Here
from bakeoff.running.background_scoring import BackgroundScoring
from bakeoff.running.first_results import answer_untuned
from bakeoff.running.plan import Plan
from bakeoff.running.planning import planned
from bakeoff.running.run import run
from bakeoff.running.spending import Meter
from bakeoff.running.state import RunState
from bakeoff.runs import store
from bakeoff.setups.builder import Resources, Workspace
from bakeoff.spec.benchmark import load_suite
from bakeoff.tasks.load import load_tasks

BENCHMARK = """
description: Two systems of our own, and one that is tuned.
tasks: [gates, barrows]
setups:
  right: {call: "../bot.py::right"}
  wrong: {call: "../bot.py::wrong"}
  tuned: {tune: true}
endpoints: {judge: {url: "http://127.0.0.1:9"}}
"""
TASK = """
description: A few questions.
rows: {test: TASK.jsonl}
scorers: [SCORER]
"""
BOT = """
import pathlib

def right(sample):
    if sample.id.startswith("barrows"):
        pathlib.Path(__file__).with_name("asked").touch()
    return sample.targets[0]

def wrong(sample):
    return "never"
"""
LATE = """
import pathlib, time

def late(sample, answer, context):
    asked = pathlib.Path(__file__).parent.with_name("asked")
    while not asked.exists():
        time.sleep(0.005)
    return 1.0
"""
NOTE = "note Results of setups that need no tuning; tuned setups follow."


class Seen:
    """Progress that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.tables: list[Table] = []

    def note(self, text: str) -> None:
        self.events.append(f"note {text}")

    def show(self, table: Table) -> None:
        self.events.append(f"table {table.rows[0][0]}")
        self.tables.append(table)

    def start(self, unit: str, total: int | None = None) -> None:
        self.events.append(f"start {unit}")

    def advance(self, count: int = 1, figures: str = "") -> None: ...
    def finish(self) -> None: ...


def untuned(folder: Path, scorers: dict[str, str]) -> Seen:
    """What a run shows until its untuned setups are answered; `scorers` by task."""
    (folder / "tasks").mkdir()
    (folder / "benchmarks").mkdir()
    (folder / "bot.py").write_text(BOT)
    (folder / "tasks" / "late.py").write_text(LATE)
    for task, scorer in scorers.items():
        text = TASK.replace("TASK", task).replace("SCORER", scorer)
        (folder / "tasks" / f"{task}.yaml").write_text(text)
        rows = [{"id": f"{task}{i}", "question": f"{task} {i}?", "targets": "x"} for i in range(4)]
        (folder / "tasks" / f"{task}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    file = folder / "benchmarks" / "b.yaml"
    file.write_text(BENCHMARK)
    suite = load_suite(file)
    tasks, skipped = load_tasks(suite, file)
    plan, seen = Plan(suite, file, tasks, skipped), Seen()
    workspace = Workspace(folder / "cache", folder / "results")
    run = store.new_folder(workspace.results, suite.name)
    store.write_samples(run, {name: task.samples for name, task in tasks.items()})
    judges = JudgePool(workspace.place(suite, file, run / store.JUDGED))
    state = RunState(
        plan,
        run,
        plan.manifest.model_copy(update={"run": run.name}),
        Here(Resources(suite, file, workspace, seen)),
        seen,
        Meter(suite, plan.cells),
        False,
        BackgroundScoring(run, suite, tasks, judges),
        lambda: None,
    )
    state.save()
    cells = [(suite.setups[name], task) for task in tasks.values() for name in ("right", "wrong")]
    try:
        answer_untuned(state, cells)
    finally:
        state.scoring.stop()
    return seen


def test_a_tasks_results_are_shown_before_the_next_task_is_asked(tmp_path: Path) -> None:
    seen = untuned(tmp_path, {"gates": "exact_match", "barrows": "exact_match"})
    assert seen.events == [
        *("start gates / right", "start gates / wrong", "table gates"),
        *("start barrows / right", "start barrows / wrong", "table barrows"),
        NOTE,
    ]
    for task, table in zip(("gates", "barrows"), seen.tables, strict=True):
        assert table.header == ("task", "metric", "n", "right", "wrong")
        assert {row[0] for row in table.rows} == {task}
        _, metric, n, right, wrong = table.rows[0]
        assert (metric, n, right[:5], wrong[:5]) == ("exact_match", "4", "1.000", "0.000")


def test_the_next_task_is_asked_while_the_scores_of_one_are_late(tmp_path: Path) -> None:
    seen = untuned(tmp_path, {"gates": "./late.py::late", "barrows": "exact_match"})
    events = seen.events
    assert events.index("start barrows / right") < events.index("table gates")
    assert events.index("table gates") < events.index("table barrows")
    assert events[-1] == NOTE


def test_a_task_that_waits_for_a_tuned_setups_answers_is_not_shown(tmp_path: Path) -> None:
    against = """"preferred(against='tuned', verifier='judge:m')\""""
    seen = untuned(tmp_path, {"gates": against, "barrows": "exact_match"})
    assert [event for event in seen.events if event.startswith(("table", "note"))] == [
        "table barrows",
        NOTE,
    ]


def test_what_is_done_beside_the_answers_waits_until_a_first_question_is_asked(
    tmp_path: Path,
) -> None:
    words_project.write_project(tmp_path)
    plan = planned(tmp_path / words_project.FILE, None)
    sent: list[str] = []

    def meanwhile() -> None:
        sent.extend(p.read_text() for p in tmp_path.glob("results/words/*/units/words.*/*.jsonl"))

    place = Workspace(tmp_path / "cache", tmp_path / "results")
    run(plan, place, PlainProgress(lambda _: None), meanwhile=meanwhile)
    assert '{"sent": "q0"}' in sent[0]


def test_answers_are_timed_once_nothing_else_is_done_beside_them(tmp_path: Path) -> None:
    words_project.write_project(tmp_path)
    file = tmp_path / words_project.FILE
    file.write_text(file.read_text().replace("samples: 0", "samples: 1"))
    timed: list[Path] = []

    def meanwhile() -> None:
        time.sleep(0.3)  # all is answered by then
        timed.extend(tmp_path.glob("results/words/*/units/words.latency-pass"))

    place = Workspace(tmp_path / "cache", tmp_path / "results")
    done = run(planned(file, None), place, PlainProgress(lambda _: None), meanwhile=meanwhile)
    assert not timed
    assert done.latencies("words")
