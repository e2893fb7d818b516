"""What was run: models, data, versions, decoding, and how seconds were measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bakeoff.analysis.measured_run import Run
from bakeoff.core.counts import quantity
from bakeoff.core.table import Table
from bakeoff.runs.manifest import Fingerprint, Manifest
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.self_judged import self_judged

Fact = tuple[str, str]
"""What, and which."""


def provenance(run: Run) -> Table:
    """All that was run, a fact a row."""
    facts = (*_setups(run.suite), *_command(run.manifest), *_facts(run))
    return Table("What was run", ("what", "which"), facts, " ".join(_timing(run)))


def decoding(suite: Suite) -> str:
    """How the models of a run chose their tokens."""
    if not suite.temperature:
        return "greedy"
    return f"sampled at temperature {suite.temperature:g}"


def caveats(run: Run) -> Iterator[str]:
    """What makes a run less than the benchmark's own result, or its scores doubtful."""
    if not run.manifest.complete:
        yield f"The run is {run.manifest.status}: what is missing counts as failed."
    if run.shard[1] > 1:
        yield f"Part {run.shard[0]} of {run.shard[1]}: join the parts before you judge."
    if run.limited:
        yield f"A limited run ({run.limited}): not the benchmark's result."
    if run.manifest.pruned:
        yield f"Answers and passages were removed on {run.manifest.pruned.on}."
    if run.manifest.imported:
        yield "Answers, scores, times and tokens are those of another tool."
    for name, reason in run.manifest.skipped.items():
        yield f"Skipped {name}: {reason}"
    yield from _self_judged(run)


def _self_judged(run: Run) -> list[str]:
    """The judges that are the model of setups which they judged."""
    m = run.manifest
    asking = {
        name: {metric: facts.asks for metric, facts in task.metrics.items()}
        for name, task in m.tasks.items()
    }
    return self_judged(m.suite, asking, m.models, {by: m.judge(by) for by in m.judges})


def measured_note(run: Run) -> str:
    """How to read the seconds and tokens of a run."""
    source = (
        "of what the other tool measured"
        if run.manifest.imported
        else "of a pass with one request at a time"
    )
    return (
        f"Seconds are medians {source}; * on seconds also needs to be outside the machine's own "
        "timing noise. Tokens are means."
    )


def _setups(suite: Suite) -> Iterator[Fact]:
    for name, setup in suite.setups.items():
        about = f": {setup.description}" if setup.description else ""
        yield f"setup {name}", f"{setup.kind}{about}"


def recipe(setup: Setup) -> list[Fact]:
    """All that makes a setup what it is, defaults included: `retrieve.k`, and its value."""
    return [*_flat(setup.model_dump(mode="json", exclude={"name", "description"}))]


def _flat(fields: Mapping[str, object], of: str = "") -> Iterator[Fact]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{of}{name}.")
        elif value not in (None, [], ""):
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{of}{name}", text


def _command(m: Manifest) -> Iterator[Fact]:
    yield "command", m.command
    yield "run", m.run
    yield "started", m.created


def _facts(run: Run) -> Iterator[Fact]:
    m = run.manifest
    if m.imported:
        for file in m.imported.files:
            yield "file", f"{file.file}: {quantity(file.rows, 'row')}, sha256 {file.sha256}"
        yield from (("note", note) for note in m.imported.notes)
        return
    yield "commit", m.commit or "unknown"
    if m.hardware:
        system = f", {m.hardware.system}" if m.hardware.system else ""
        yield "machine", f"{m.hardware}{system}"
    yield "seconds", _listed((name, f"{value:.0f}") for name, value in m.seconds.items())
    yield "dtype", run.dtype or "none: no model ran in this process"
    yield "seed", str(run.suite.seed)
    yield "decoding", decoding(run.suite)
    if run.suite.repeats > 1:
        yield "answers to each question", str(run.suite.repeats)
    if run.dtype and not run.suite.engine:
        yield "batches", f"at most {run.suite.batch_tokens} tokens"
    yield "versions", _listed(m.versions.items())
    for reference, known in m.models.items():
        yield f"model {reference}", _listed(model(known).items())
    for name, engine in m.engines.items():
        times = f", ended by itself {quantity(engine.restarts, 'time')}" if engine.restarts else ""
        yield f"engine of {name}", f"{engine.kind} {engine.version}{times}"
    for name, adapter in m.adapters.items():
        yield f"adapter {name}", adapter.digest
    for name, index in m.indexes.items():
        yield f"index {name}", f"{quantity(index.passages, 'passage')}, {index.digest}"
    for name, task in m.tasks.items():
        yield f"task {name}", _listed(task.digests.root.items())


def model(known: Fingerprint) -> Mapping[str, str]:
    """What a model was, without the decoding: its fingerprint names the default, not the run's."""
    return {name: value for name, value in known.items() if name != "decoding"}


def _listed(facts: Iterable[tuple[str, str | None]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts if value)


def _timing(run: Run) -> Iterator[str]:
    """How seconds were measured."""
    if run.manifest.imported:
        yield (
            "Answers, scores, times and tokens are those of another tool; bakeoff sent no requests."
        )
        return
    if not run.suite.latency.samples:
        yield "No latency was measured."
        return
    yield "Latency is measured in a separate pass: one sample at a time, setups in turn."
    if run.suite.latency.warmup:
        yield "Each had answered before."
    if any(s.tune and s.tune.method != "full" for s in run.suite.setups.values()):
        yield "Adapters are attached to the base weights, not merged into them."
    yield "All other answers are made in batches or several at once, and give no latency."
