"""A small run of two setups on one task, whose numbers can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bakeoff import testing
from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer, Failure, Sample, Score, Step
from bakeoff.runs.manifest import Hardware
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import RATE, Made, made_manifest, task_facts

SETUPS: dict[str, Any] = {"base": {}, "rag": {"retrieve": True}}
GATES = ["rag.qa.contains >= base.qa.contains", "count(*.error) <= 0"]
KINDS = ("a|b <i>", "*c*\n_d_ `e`")
FAILED = "9"
TIMED_BELOW = "6"
TIMED = {
    "base": (Answer("x", steps=(Step("decode", 0.0625),)),) * 2,
    "rag": (Answer("x", steps=(Step("retrieve", 0.5), Step("decode", 2.0))),),
}


def sample(n: int) -> Sample:
    return Sample(str(n), {"question": "?"}, ("x",), tags={"kind": KINDS[n // 5]})


def write_run(folder: Path, status: str = "complete", gates: list[str] = GATES) -> Run:
    """Ten samples: base is right on the first two, rag on all but the last, where it failed."""
    suite = Suite.model_validate(
        {"name": "small", "tasks": ["qa"], "setups": SETUPS, "gates": gates}
    )
    facts = task_facts(10, {"contains": RATE}, population=40, train=3, dropped=["t1"])
    hardware = Hardware(processor="p", cores=2, memory_gb=1.0, gpu=None)
    parts = {"status": status, "hardware": hardware, "seconds": {"quality": 1.0}}
    run = folder / "20260101-000000-abcd"
    manifest = made_manifest(run.name, suite, {"qa": facts}, **parts)
    return Run(testing.write_run(run, manifest, {"qa": [sample(n) for n in range(10)]}, made))


def made(_: str, setup: str, sample: Sample) -> Made:
    """A first try that failed, and what came of the second; base was timed twice, rag once."""
    steps = (Step("decode", None, 10 if setup == "base" else 110, 0, 2),)
    failed = (setup, sample.id) == ("rag", FAILED)
    right = sample.id in ("0", "1") if setup == "base" else not failed
    timed = TIMED[setup] if sample.id < TIMED_BELOW else ()
    first = Failure("first try")
    return Made(
        (first,) if failed else (first, Answer("x", steps=steps)),
        {"contains": Score(float(right))},
        timed,
    )
