"""Runs with a known answer: a clear winner, a tie, nothing shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bakeoff import testing
from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer, Failure, Sample, Score, Step
from bakeoff.runs.manifest import MetricFacts
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import Made, made_manifest, task_facts

Right = Callable[[str, int], bool]
"""(setup, number of the sample) -> whether it is answered rightly."""
NAMES = ("base", "fine-tuned", "rag", "hybrid")


def never(setup: str, i: int) -> bool:
    return False


def written(
    folder: Path,
    right: Mapping[str, Right],
    n: int = 40,
    setups: Any = testing.SETUPS,
    cut: Right = never,
) -> Run:
    """A run of these tasks, task -> who is right; `cut`: whose replies reached `max_tokens`."""
    path = folder / "results" / "made" / "20260101-000000-000000"
    fields = {"name": "made", "tasks": list(right), "setups": setups, "latency": {"samples": 12}}
    suite = Suite.model_validate(fields)
    samples = {
        task: [
            Sample(str(i), {"question": f"{i}?"}, ("x",), tags={"kind": "ab"[i >= 30]})
            for i in range(n)
        ]
        for task in right
    }
    about = {"contains": MetricFacts(higher_is_better=True, bounds=(0, 1), version="1")}

    def made(task: str, setup: str, sample: Sample) -> Made:
        i = int(sample.id)
        if setup == "silent":
            return Made((Failure("refused"),), {"contains": Score(0.0)})
        slow = 1.0 + list(setups).index(setup)
        steps = (Step("decode", slow + i % 3 / 100, prompt_tokens=40, completion_tokens=9),)
        timed = (Answer("x", (), steps),) * (2 if setup == next(iter(setups)) else 1)
        reason = "length" if cut(setup, i) else "stop"
        outcome = Answer("x", (), (Step("decode", None, 40, 0, 9),), finish_reason=reason)
        scores = {"contains": Score(float(right[task](setup, i)))}
        return Made((outcome,), scores, timed if i < 12 else ())

    facts = {task: task_facts(n, about) for task in right}
    testing.write_run(path, made_manifest(path.name, suite, facts), samples, made)
    return Run(path)


def clear(setup: str, i: int) -> bool:
    return i % 40 < {"base": 8, "fine-tuned": 12, "rag": 20, "hybrid": 36}.get(setup, 0)


def tied(setup: str, i: int) -> bool:
    """Rag and hybrid are right on as many samples, and not on the same ones."""
    return i % 20 < 17 if setup == "rag" else i % 20 > 2 if setup == "hybrid" else i % 10 == 0


def alike(setup: str, i: int) -> bool:
    return (i + NAMES.index(setup)) % 4 < 2
