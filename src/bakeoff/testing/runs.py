"""Finished runs with made-up answers, written as a run writes them.

In `make_run`, setup i of four (from 0) answers a sample rightly when its number modulo 5 is at most
i, so that the scores are known: base 0.2, fine-tuned 0.4, rag 0.6, hybrid 0.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bakeoff.analysis import measured_run
from bakeoff.core.words import (
    LATENCY,
    QUALITY,
    Answer,
    Failure,
    Passage,
    Record,
    Sample,
    Score,
    Step,
    digest,
)
from bakeoff.runs import store
from bakeoff.runs.manifest import COMPLETE, Hardware, Manifest, MetricFacts, TaskFacts
from bakeoff.runs.opened import AdapterFacts, Epoch, IndexFacts, Training
from bakeoff.runs.store import Unit
from bakeoff.spec.benchmark import Suite

SETUPS: dict[str, dict[str, Any]] = {
    "base": {},
    "fine-tuned": {"tune": True},
    "rag": {"retrieve": True},
    "hybrid": {"tune": True, "retrieve": True},
}
TEXT = "The east gate opens at 6.40 and is locked at 21.15; the keys hang in the lodge. " * 4
RATE = MetricFacts(higher_is_better=True, bounds=(0.0, 1.0), version="1")
METRICS = dict.fromkeys(("exact_match", "recall(k=5)"), RATE)
WORDING = {
    "prompt": "{question}",
    "with_passages": "Use these passages:\n{passages}\n\n{prompt}",
    "before_passages": "{prompt}\n\n{passages}",
}
MADE = "2026-01-01T00:00:00+00:00"
"""When made runs were made, where a test says nothing else."""


def right(setup: str, number: int) -> bool:
    """Whether a setup answers the sample of that number rightly."""
    return number % 5 <= list(SETUPS).index(setup)


def task_facts(
    samples: int, metrics: Mapping[str, MetricFacts] = METRICS, **parts: Any
) -> TaskFacts:
    """What a manifest says of a task with so many samples; the first metric is its headline."""
    facts: dict[str, Any] = {
        "headline": next(iter(metrics)),
        "metrics": metrics,
        "n": samples,
        "population": samples,
        "digests": {"task": "00", "test": "11", "prompt": "22"},
    }
    return TaskFacts(**{**facts, **parts})


def made_manifest(run: str, suite: Suite, tasks: Mapping[str, TaskFacts], **parts: Any) -> Manifest:
    """The manifest of a complete run; `parts` are its other fields."""
    facts: dict[str, Any] = {
        "run": run,
        "benchmark": suite.name,
        "file": f"benchmarks/{suite.name}.yaml",
        "command": f"bakeoff run benchmarks/{suite.name}.yaml",
        "status": COMPLETE,
        "created": MADE,
        "suite": suite,
        "tasks": tasks,
        "versions": {"bakeoff": "0.1.0"},
        "hardware": Hardware(processor="none", cores=1, memory_gb=1.0, gpu=None),
    }
    return Manifest(**{**facts, **parts})


def suite(name: str, task: str, timed: int) -> Suite:
    raw = {
        "description": "Made-up answers.",
        "tasks": [task],
        "setups": SETUPS,
        "gates": [{"check": f"hybrid.{task}.exact_match >= 0.1", "mode": "estimate"}],
        "policy": {"max_error_rate": 0.2},
        "latency": {"samples": timed},
    }
    return Suite.model_validate(raw).model_copy(update={"name": name})


@dataclass(frozen=True)
class Made:
    """What became of one sample in one setup of a made run."""

    outcomes: Sequence[Answer | Failure]
    """Of the quality pass, attempt by attempt: the last one counts."""
    scores: Mapping[str, Score]
    timed: Sequence[Answer | Failure] = ()
    """Of the latency pass, repeat by repeat; none where the sample was not timed."""


def write_run(
    folder: Path,
    manifest: Manifest,
    samples: Mapping[str, Sequence[Sample]],
    made: Callable[[str, str, Sample], Made],
) -> Path:
    """Write a run into `folder`, as a run does: its manifest, samples, journals and scores.

    `samples` are those of every task; `made(task, setup, sample)` says what became of one. There
    is no comparison yet. Raises `BakeoffError` where the folder holds another run's journals.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store.write_manifest(folder, manifest)
    store.write_samples(folder, samples)
    for task, members in samples.items():
        setups = [name for name, setup in manifest.suite.setups.items() if setup.takes(task)]
        units = {name: {s.id: made(task, name, s) for s in members} for name in setups}
        for setup, unit in units.items():
            _write_unit(folder, Unit(task, setup), unit)
        if any(cell.timed for unit in units.values() for cell in unit.values()):
            _write_latency(folder, Unit(task), members, units)
    return folder


def _write_unit(folder: Path, unit: Unit, cells: Mapping[str, Made]) -> None:
    with store.open_journal(folder, unit) as journal:
        for sample, cell in cells.items():
            for outcome in cell.outcomes:
                journal.append(Record(QUALITY, unit.task, unit.setup, sample, outcome))
        journal.commit()
    rows = (((sample, 0), cell.scores) for sample, cell in cells.items())
    store.write_scores(folder, unit, rows)


def _write_latency(
    folder: Path, unit: Unit, samples: Sequence[Sample], units: Mapping[str, Mapping[str, Made]]
) -> None:
    with store.open_journal(folder, unit) as journal:
        for sample in samples:
            repeats = zip_longest(*(cells[sample.id].timed for cells in units.values()))
            for repeat, outcomes in enumerate(repeats):
                for setup, outcome in zip(units, outcomes, strict=True):
                    if outcome is not None:
                        record = Record(LATENCY, unit.task, setup, sample.id, outcome, repeat)
                        journal.append(record)
        journal.commit()


def make_run(
    results: Path,
    samples: int = 10,
    *,
    name: str = "made",
    task: str = "gate_qa",
    timed: int = 3,
    text: str = "",
    night: str = "",
) -> Path:
    """Write a run with four setups on one task; `text` is part of every answer and question.

    The last sample of each setup failed; the last but one could not be judged by `recall(k=5)`.
    """
    members = [
        Sample(f"q{i}", {"question": f"When does gate {i} open?{text}"}, (f"at {i}",), ("d1",))
        for i in range(samples)
    ]

    def made(_: str, setup: str, sample: Sample) -> Made:
        i = int(sample.id.removeprefix("q"))
        failed = i == samples - 1
        value = 0.0 if failed else float(right(setup, i))
        unjudged = Score(None, "no context") if i == samples - 2 else Score(0.5, "half found")
        return Made(
            (Failure("no answer") if failed else _answer(setup, i, text, None),),
            {"exact_match": Score(value), "recall(k=5)": unjudged},
            (_answer(setup, i, text, 1.0),) if i < timed else (),
        )

    folder = store.new_folder(results, name)
    manifest = _manifest(folder, suite(name, task, timed), task, samples, night)
    write_run(folder, manifest, {task: members}, made)
    measured_run.write_comparison(measured_run.Run(folder))
    return folder


def _answer(setup: str, number: int, suffix: str, seconds: float | None) -> Answer:
    """An answer; timed, retrieval takes 0.25 s, prefill 0.5 s and decoding 1 s."""
    retrieves = "retrieve" in SETUPS[setup]
    times = (None, None, None) if seconds is None else (0.25, 0.5, 1.0)
    steps: tuple[Step, ...] = (Step("retrieve", times[0]),) if retrieves else ()
    steps += (Step("prefill", times[1], prompt_tokens=200 if retrieves else 40),)
    steps += (Step("decode", times[2], completion_tokens=12),)
    passages = (Passage("d1", 0, len(TEXT), TEXT, 0.9),) if retrieves else ()
    text = f"at {number}" if right(setup, number) else f"never, says {setup}"
    return Answer(text + suffix, passages, steps)


def _manifest(folder: Path, chosen: Suite, task: str, samples: int, night: str) -> Manifest:
    training = Training(
        rows=40,
        epochs=2.0,
        tokens=4000,
        seconds=12.5,
        peak_memory_mb=900.0,
        curve=(
            Epoch(epoch=1.0, train_loss=1.5, validation_loss=1.25),
            Epoch(epoch=2.0, train_loss=0.75, validation_loss=1.0),
        ),
    )
    adapter = AdapterFacts(digest=digest([task, "adapter"]), training=training)
    digests = {"test": digest([task, samples]), "prompt": digest("prompt")}
    return made_manifest(
        folder.name,
        chosen,
        {task: task_facts(samples, digests=digests, wording=WORDING)},
        night=night,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        models={"embedded": {"weights": "b179c9523d0e6a0f", "engine": "made up"}},
        adapters={f"{task}/fine-tuned": adapter, f"{task}/hybrid": adapter},
        indexes={f"{task}/notes": IndexFacts(passages=1, digest=digest("index"))},
        commit="0123abc",
        seconds={"quality": 20.0, "latency": 10.0},
    )
