"""A small run of two setups on one task, whose numbers can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import LATENCY, QUALITY, Answer, Failure, Record, Sample, Score, Step
from bakeoff.runs.manifest import Hardware
from bakeoff.runs.store import Unit, open_journal, write_manifest, write_samples, write_scores
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import RATE, made_manifest, task_facts

SETUPS: dict[str, Any] = {"base": {}, "rag": {"retrieve": True}}
GATES = ["rag.qa.contains >= base.qa.contains", "count(*.error) <= 0"]
KINDS = ("a|b <i>", "*c*\n_d_ `e`")
FAILED = "9"


def sample(n: int) -> Sample:
    return Sample(str(n), {"question": "?"}, ("x",), tags={"kind": KINDS[n // 5]})


def write_run(folder: Path, status: str = "complete", gates: list[str] = GATES) -> Run:
    """Ten samples: base is right on the first two, rag on all but the last, where it failed."""
    run = folder / "20260101-000000-abcd"
    run.mkdir()
    suite = Suite.model_validate(
        {"name": "small", "tasks": ["qa"], "setups": SETUPS, "gates": gates}
    )
    facts = task_facts(10, {"contains": RATE}, population=40, train=3, dropped=["t1"])
    hardware = Hardware(processor="p", cores=2, memory_gb=1.0, gpu=None)
    parts = {"status": status, "hardware": hardware, "seconds": {"quality": 1.0}}
    write_manifest(run, made_manifest(run.name, suite, {"qa": facts}, **parts))
    samples = [sample(n) for n in range(10)]
    write_samples(run, {"qa": samples})
    right = {"base": {"0", "1"}, "rag": {s.id for s in samples} - {FAILED}}
    timed = {"base": Answer("x", steps=(Step("decode", 0.0625),))}
    timed["rag"] = Answer("x", steps=(Step("retrieve", 0.5), Step("decode", 2.0)))
    for setup, prompt in (("base", 10), ("rag", 110)):
        with open_journal(run, Unit("qa", setup)) as journal:
            for s in samples:
                journal.append(Record(QUALITY, "qa", setup, s.id, Failure("first try")))
                if (setup, s.id) != ("rag", FAILED):
                    answer = Answer("x", steps=(Step("decode", None, prompt, 0, 2),))
                    journal.append(Record(QUALITY, "qa", setup, s.id, answer))
        scored = {(s.id, 0): {"contains": Score(float(s.id in right[setup]))} for s in samples}
        write_scores(run, Unit("qa", setup), scored.items())
    with open_journal(run, Unit("qa")) as journal:
        for s in samples[:6]:
            for setup, again in (("base", 0), ("rag", 0), ("base", 1)):
                journal.append(Record(LATENCY, "qa", setup, s.id, timed[setup], again))
    return Run(run)
