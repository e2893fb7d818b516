"""A fake for tests: a finished run with made-up answers, written as a run writes it.

Setup i of four answers every sample whose number is not below i - 4 modulo 5 rightly, so that the
scores are known: base 0.2, fine-tuned 0.4, rag 0.6, hybrid 0.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
from bakeoff.runs.manifest import (
    COMPLETE,
    AdapterFacts,
    Epoch,
    Hardware,
    IndexFacts,
    Manifest,
    MetricFacts,
    TaskFacts,
    Training,
)
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
        "gates": [{"check": f"hybrid.{task}.exact_match >= 0.1", "mode": "point"}],
        "policy": {"max_error_rate": 0.2},
        "latency": {"samples": timed},
    }
    return Suite.model_validate(raw).model_copy(update={"name": name})


def make_run(
    results: Path,
    samples: int = 10,
    *,
    name: str = "made",
    task: str = "gate_qa",
    timed: int = 3,
    said: str = "",
    night: str = "",
) -> Path:
    """Write a run with four setups on one task; `said` stands in every answer and question.

    The last sample of each setup failed; the last but one could not be judged by `recall(k=5)`.
    """
    chosen = suite(name, task, timed)
    folder = store.new_folder(results, name)
    members = [
        Sample(f"q{i}", {"question": f"When does gate {i} open?{said}"}, (f"at {i}",), ("d1",))
        for i in range(samples)
    ]
    store.write_samples(folder, {task: members})
    for setup in SETUPS:
        _write_unit(folder, task, setup, members, said)
    if timed := min(timed, samples):
        unit = Unit(task)
        with store.open_journal(folder, unit) as journal:
            for i in range(timed):
                for setup in SETUPS:
                    journal.append(
                        Record(LATENCY, task, setup, f"q{i}", _answer(setup, i, said, 1.0))
                    )
            journal.commit()
    store.write_manifest(folder, _manifest(folder, chosen, task, samples, night))
    measured_run.write_comparison(measured_run.Run(folder))
    return folder


def _write_unit(folder: Path, task: str, setup: str, members: Sequence[Sample], said: str) -> None:
    unit, scores = Unit(task, setup), []
    with store.open_journal(folder, unit) as journal:
        for i, sample in enumerate(members):
            failed = i == len(members) - 1
            made = Failure("no answer") if failed else _answer(setup, i, said, None)
            journal.append(Record(QUALITY, task, setup, sample.id, made))
            value = 0.0 if failed else float(right(setup, i))
            judged = (
                Score(None, "no context") if i == len(members) - 2 else Score(0.5, "half found")
            )
            scores.append(((sample.id, 0), {"exact_match": Score(value), "recall(k=5)": judged}))
        journal.commit()
    store.write_scores(folder, unit, scores)


def _answer(setup: str, number: int, said: str, seconds: float | None) -> Answer:
    """An answer; timed, retrieval takes 0.25 s, prefill 0.5 s and decoding 1 s."""
    retrieves = "retrieve" in SETUPS[setup]
    times = (None, None, None) if seconds is None else (0.25, 0.5, 1.0)
    steps: tuple[Step, ...] = (Step("retrieve", times[0]),) if retrieves else ()
    steps += (Step("prefill", times[1], prompt_tokens=200 if retrieves else 40),)
    steps += (Step("decode", times[2], completion_tokens=12),)
    passages = (Passage("d1", 0, len(TEXT), TEXT, 0.9),) if retrieves else ()
    text = f"at {number}" if right(setup, number) else f"never, says {setup}"
    return Answer(text + said, passages, steps)


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
        {task: task_facts(samples, digests=digests)},
        night=night,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        models={"embedded": {"weights": "b179c9523d0e6a0f", "engine": "made up"}},
        adapters={f"{task}/fine-tuned": adapter, f"{task}/hybrid": adapter},
        indexes={f"{task}/notes": IndexFacts(passages=1, digest=digest("index"))},
        commit="0123abc",
        seconds={"quality": 20.0, "latency": 10.0},
    )
