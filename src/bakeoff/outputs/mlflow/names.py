"""What things are called in MLflow: metrics, params, tags, and the note of a run."""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from bakeoff.analysis.measured_run import Run
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import as_markdown
from bakeoff.core.words import digest
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs.tables.effects import effects, findings
from bakeoff.outputs.tables.headline import headline
from bakeoff.outputs.tables.provenance import model
from bakeoff.runs.opened import AdapterFacts
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.metric import Metric

DECIMALS, DIGITS = 4, 4
"""A logged number has so many decimals, or so many digits where it is smaller than those show."""
TAG = 8000
"""Characters of a tag, of which the note is one."""
PARAM = 6000
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888"),
    *("#5b3a9e", "#8a4b08", "#b0162b", "#4f7a00", "#00616b", "#b01d86", "#9a9a00"),
)
"""Of the setups, in the benchmark's order: by the UI's own choice two of four are often alike."""
HEADLINE = "Headline"
"""The section of charts of the metrics that a run is about."""
BESIDE = ("latency_s", "prompt_tokens", "cost")
"""Metrics that are at the top beside the headline metrics."""
_ODD = re.compile(r"[^\w\-. :/]")
_BROKEN = re.compile("[\x00\ud800-\udfff]")


def text(value: object) -> str:
    """Text that every store takes: no NUL, no half of a surrogate pair."""
    return _BROKEN.sub("\ufffd", str(value))


def allowed(name: str) -> str:
    """A name without the signs that MLflow refuses in keys."""
    return _ODD.sub("_", text(name)).strip("/. ") or "_"


@lru_cache(maxsize=1000)
def metric_name(metric: str) -> str:
    """A metric's name as MLflow allows it: `recall(k=5)` is `recall k:5`. Reversible.

    >>> metric_name("retrieval_recall(k=5)")
    'retrieval_recall k:5'
    """
    parsed = Metric.parse(metric)
    settings = [f"{name}:{value!r}".replace("'", "") for name, value in parsed.settings]
    return " ".join([parsed.name.rpartition("::")[2], *settings])


def key(task: str, metric: str, *, top: bool) -> str:
    """What a metric of a task is logged as: `Headline/task metric` at the top, else `task/metric`.

    >>> key("qa", "exact_match", top=True)
    'Headline/qa exact_match'
    """
    # No dots: a table's columns with dots are blank in the UI. Its charts come in sections, which
    # sort capitals first; what has no section comes last, out of sight.
    named = f"{HEADLINE}/{task} {metric_name(metric)}" if top else f"{task}/{metric_name(metric)}"
    return allowed(named).replace(".", "_")


def rounded(value: float) -> float:
    """A number as it is logged: longer ones fill the UI's cells with zeros."""
    return round(value, DECIMALS) if abs(value) >= 0.1 else float(f"{value:.{DIGITS}g}")


def metrics(run: Run, setup: str) -> dict[tuple[str, str], float]:
    """(task, key) -> value of every metric of a setup, in the order of the UI's columns.

    First each task's headline metric, then its time, tokens and cost, then all others.
    """
    rows: list[tuple[int, str, str, float]] = []
    for task, facts in run.comparison.tasks.items():
        first = (facts.headline, *BESIDE)
        for metric in sorted(facts.metrics, key=lambda name: name in MEASURED):
            estimate = facts.metrics[metric].setups.get(setup)
            if not estimate:
                continue
            top = metric in first
            place = first.index(metric) if top else len(first)
            if estimate.value is not None:
                name = key(task, metric, top=top)
                rows.append((place, task, name, rounded(estimate.value)))
                rows += [
                    (place, task, f"{key(task, metric, top=False)} {word}", rounded(end))
                    for word, end in (("low", estimate.low), ("high", estimate.high))
                    if top and end is not None
                ]
            if estimate.unjudged:
                name = key(task, metric, top=False) + " unjudged"
                rows.append((len(first), task, name, estimate.unjudged))
    rows.sort(key=lambda row: row[0])
    return {(task, name): value for _, task, name, value in rows}


def params(run: Run, setup: Setup) -> dict[str, str]:
    """What makes a setup's answers: two runs with the same ones are of the same configuration."""
    manifest = run.manifest
    configuration: dict[str, Any] = {
        **_corner(setup),
        "model": _model(setup),
        "dtype": run.dtype,
        "seed": run.suite.seed,
        "temperature": run.suite.temperature,
    }
    for part, spec in (("tune", setup.tune), ("retrieve", setup.retrieve)):
        values = spec.model_dump(mode="json") if spec else {}
        configuration |= {f"{part}.{name}": value for name, value in values.items() if value}
    known = model(manifest.fingerprint(setup))
    configuration |= {f"model.{name}": value for name, value in known.items() if value}
    for task in run.asked:
        if setup.name in run.asked[task]:
            configuration[f"prompt.{task}"] = manifest.tasks[task].digests.prompt
    for task, adapter in _adapters(run, setup):
        configuration[f"tune.adapter.{task}"] = adapter.digest
    # Runs of before indexes named their setups had one index for all of a task.
    every = [setup.name] if setup.retrieve else []
    configuration |= {
        f"retrieve.index.{name.partition(' for ')[0]}": index.digest
        for name, index in manifest.indexes.items()
        if setup.name in (every if index.setups is None else index.setups)
    }
    return {
        allowed(name): text(value)[:PARAM] for name, value in configuration.items() if value != ""
    }


def _corner(setup: Setup) -> dict[str, str]:
    """The cell of the 2x2 design; named so that these come first where the UI sorts params."""
    weights = "custom" if setup.custom else "tuned" if setup.tune else "as given"
    context = "custom" if setup.custom else "passages" if setup.retrieve else "none"
    return {"corner.context": context, "corner.kind": setup.kind, "corner.weights": weights}


def _model(setup: Setup) -> str:
    """What answers: a model, the user's function or service, or files of another tool."""
    if setup.route:
        return f"{setup.route.first}, then {setup.route.then}"
    if setup.imported:
        return ", ".join(setup.imported)
    return setup.call or (setup.endpoint.url if setup.endpoint else setup.model)


def _adapters(run: Run, setup: Setup) -> list[tuple[str, AdapterFacts]]:
    """(task, adapter) of every adapter of a setup."""
    split = [(name.rpartition("/"), adapter) for name, adapter in run.manifest.adapters.items()]
    return [(task, adapter) for (task, _, owner), adapter in split if owner == setup.name]


def adapters(run: Run, setup: Setup) -> list[tuple[str, AdapterFacts]]:
    """(task, adapter) of every adapter of a setup that was trained here."""
    return [(task, adapter) for task, adapter in _adapters(run, setup) if adapter.training]


def tags(run: Run) -> dict[str, dict[str, str]]:
    """Setup -> what ties the runs of a bake-off together, and is to be read in a row of them."""
    common = _common_tags(run)
    by_setup = {
        setup.name: {
            "setup": setup.name,
            "kind": setup.kind,
            "mlflow.runColor": COLOURS[place % len(COLOURS)],
            **common,
        }
        for place, setup in enumerate(run.suite.setups.values())
    }
    return {
        setup: {name: text(value)[:TAG] for name, value in known.items() if value}
        for setup, known in by_setup.items()
    }


def _common_tags(run: Run) -> dict[str, str]:
    manifest = run.manifest
    data = {task: about.digests.test for task, about in manifest.tasks.items()}
    return {
        "suite": manifest.benchmark,
        "invocation": manifest.run,
        "night": manifest.night,
        "gate": verdict(run),
        "limited": run.limited,
        "commit": manifest.commit or "",
        "data": ", ".join(f"{task} {value}" for task, value in data.items()),
        "comparison": digest(asdict(run.comparison)),
        "mlflow.note.content": note(run),
        "mlflow.source.name": manifest.command,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": manifest.commit or "",
    }


def verdict(run: Run) -> str:
    """The state of a run's gates; `none` without gates."""
    return verdicts_of(run).state if run.suite.gates else "none"


def note(run: Run) -> str:
    """The comparison in words and tables, as far as a tag holds it."""
    parts = [run.suite.description.strip()]
    if run.suite.gates:
        parts.append(f"Gates: **{verdict(run)}**")
    parts += [as_markdown([headline(run)])]
    if (factorial := effects(run)).rows:
        parts += [as_markdown([factorial])]
    parts += [f"- {sentence}" for sentence in findings(run)]
    parts = [text(part) for part in parts if part]
    while len(whole := "\n\n".join(parts)) > TAG and len(parts) > 1:
        parts.pop()
    return whole[:TAG]
