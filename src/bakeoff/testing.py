"""A fake for tests: a finished run with made-up answers, written as a run writes it.

Setup i of four answers every sample whose number is not below i - 4 modulo 5 rightly, so that the
scores are known: base 0.2, fine-tuned 0.4, rag 0.6, hybrid 0.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bakeoff import finished, store
from bakeoff.core import (
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
from bakeoff.store import Unit
from bakeoff.suite import Suite

SETUPS: dict[str, dict[str, Any]] = {
    "base": {},
    "fine-tuned": {"tune": True},
    "rag": {"retrieve": True},
    "hybrid": {"tune": True, "retrieve": True},
}
TEXT = "The east gate opens at 6.40 and is locked at 21.15; the keys hang in the lodge. " * 4
RATE = {"aggregate": "mean", "bounds": [0.0, 1.0], "version": "1", "about": ""}
METRICS = {name: {**RATE, "higher_is_better": True} for name in ("exact_match", "recall(k=5)")}


def right(setup: str, number: int) -> bool:
    """Whether a setup answers the sample of that number rightly."""
    return number % 5 <= list(SETUPS).index(setup)


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
    store.write_json(folder / store.MANIFEST, _manifest(folder, chosen, task, samples, night))
    finished.write_comparison(finished.Run(folder))
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


def _manifest(folder: Path, chosen: Suite, task: str, samples: int, night: str) -> dict[str, Any]:
    curve = [{"epoch": 1.0, "train_loss": 1.5, "validation_loss": 1.25}]
    curve.append({"epoch": 2.0, "train_loss": 0.75, "validation_loss": 1.0})
    training = {"rows": 40, "epochs": 2.0, "tokens": 4000, "seconds": 12.5, "peak_memory_mb": 900.0}
    adapter = {"digest": digest([task, "adapter"]), "reused": False}
    adapter |= {"training": {**training, "curve": curve}}
    return {
        "format": store.FORMAT,
        "run": folder.name,
        "benchmark": chosen.name,
        "file": f"benchmarks/{chosen.name}.yaml",
        "command": f"bakeoff run benchmarks/{chosen.name}.yaml",
        "status": "complete",
        "night": night,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": chosen.model_dump(mode="json"),
        "selection": {"limit": None, "ids": [], "tags": [], "shard": [1, 1]},
        "tasks": {
            task: {
                "headline": "exact_match",
                "metrics": METRICS,
                "n": samples,
                "population": samples,
                "dropped": [],
                "digests": {"test": digest([task, samples]), "prompt": digest("prompt")},
            }
        },
        "skipped": {},
        "models": {"embedded": {"weights": "b179c9523d0e6a0f", "engine": "made up"}},
        "adapters": {f"{task}/fine-tuned": adapter, f"{task}/hybrid": adapter},
        "indexes": {f"{task}/notes": {"passages": 1, "digest": digest("index")}},
        "spent": {},
        "checks": {},
        "versions": {"bakeoff": "0.1.0"},
        "hardware": {"processor": "none", "cores": 1, "memory_gb": 1, "gpu": None},
        "commit": "0123abc",
        "seconds": {"quality": 20.0, "latency": 10.0},
    }
