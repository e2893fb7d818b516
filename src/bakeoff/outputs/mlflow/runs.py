"""A bake-off in MLflow: one flat run per setup, each once whatever happened before."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import mlflow
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    Metric,
    Param,
)
from mlflow.entities import Run as Stored

from bakeoff.analysis import measured_run
from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.mlflow import links, models, registry, tables, traces, views
from bakeoff.outputs.mlflow.connection import alone, experiment, reaching, shown
from bakeoff.outputs.mlflow.names import TAG, metrics, params, tags, text
from bakeoff.outputs.mlflow.traces import Place
from bakeoff.runs.links import refuse_links
from bakeoff.spec.benchmark import Setup

TRACES = 20
"""Traces of each setup, unless stated otherwise."""
FILES = ("report.html", "report.md", measured_run.COMPARISON, measured_run.GATES, "manifest.json")
REFRESHED = ("gate", "mlflow.note.content")
"""Tags that can change after a run was logged, as when its gates are judged again."""


@dataclass(frozen=True)
class _Store:
    """Where a bake-off is logged to."""

    client: mlflow.MlflowClient
    experiment: str
    training: str


def log(run: Run, uri: str, traced: int = TRACES) -> links.Logged:
    """Log every setup of the run with `traced` of its answers as traces, and where it is.

    What is there already is not doubled, what is missing is added, what was scored again is
    replaced. Raises `BakeoffError` when the store cannot be reached or refuses.
    """
    name = run.manifest.benchmark
    remedy = f"send it later with `bakeoff log {run.folder.name}`"
    # Files are sent as they are: a link would send what it leads to.
    refuse_links(run.folder)
    with alone(run.folder.parent), reaching(uri, remedy) as client:
        made = partial(experiment, client, uri=uri, results=run.folder.parent.parent)
        store = _Store(
            client,
            made(name, tags=_experiment_tags(run)),
            made(f"{name}-training", tags={}) if run.manifest.adapters else "",
        )
        registry.datasets(client, run, store.experiment)
        asked = registry.prompts(client, run, store.experiment)
        there, tagged = _there(run, store), tags(run)
        setups = list(run.suite.setups.values())
        runs = {}
        for place, setup in enumerate(setups):
            known = {**tagged[setup.name], **registry.linked(asked[setup.name])}
            kept = _kept(store, there.get(setup.name, []), known)
            identity, model = kept or _logged(run, store, setup, len(setups) - place, known)
            where = Place(store.experiment, identity, model, new=not kept)
            traces.log(client, uri, run, setup, where, traced)
            runs[setup.name] = identity
    logged = links.Logged(
        uri=shown(uri),
        experiment=store.experiment,
        invocation=run.manifest.run,
        runs=runs,
        view=run.manifest.run,
    )
    links.keep(run.folder, logged)
    return logged


def _experiment_tags(run: Run) -> dict[str, str]:
    # The UI shows the first line above every average.
    note = "\n\n".join(filter(None, (traces.NOTE, text(run.suite.description.strip()))))
    tags = {**views.shared(run), "mlflow.note.content": note}
    return {name: value for name, value in tags.items() if value and len(value) <= TAG}


def _there(run: Run, store: _Store) -> dict[str, list[Stored]]:
    """Setup -> what was logged of this bake-off before."""
    before: dict[str, list[Stored]] = defaultdict(list)
    token = None
    while True:
        where = f"tags.invocation = '{run.manifest.run}'"
        page = store.client.search_runs([store.experiment], where, page_token=token)
        for stored in page:
            before[stored.data.tags.get("setup", "")].append(stored)
        if not (token := page.token):
            return before


def _kept(
    store: _Store, before: Sequence[Stored], now: Mapping[str, str]
) -> tuple[str, str] | None:
    """(run, model) of a setup where it was logged whole with these numbers; others go away."""
    kept: tuple[str, str] | None = None
    for stored in before:
        known = stored.data.tags
        whole = known.get("logged") == "complete"
        if kept or not whole or known.get("comparison") != now["comparison"]:
            # What an earlier attempt left half-logged, or other numbers, would be beside it.
            traces.forget(store.client, store.experiment, stored.info.run_id)
            store.client.delete_run(stored.info.run_id)
            continue
        kept = stored.info.run_id, known.get("model", "")
        for name in REFRESHED:
            if name in now and known.get(name) != now[name]:
                store.client.set_tag(stored.info.run_id, name, now[name])
    return kept


def _logged(
    run: Run, store: _Store, setup: Setup, place: int, tags: Mapping[str, str]
) -> tuple[str, str]:
    """(run, model) of a setup that is logged now."""
    client = store.client
    trained = models.training_runs(client, run, setup, store.training) if store.training else {}
    model = models.logged_model(client, run, setup, store.experiment, trained)
    start = int(run.manifest.started.timestamp() * 1000)
    identity = str(
        client.create_run(
            store.experiment,
            # The UI sorts by start, newest first: so the setups are in the benchmark's order.
            start_time=start + place,
            tags={**tags, "model": model},
            run_name=setup.name,
        ).info.run_id
    )
    _log_numbers(run, client, identity, setup, model)
    _log_inputs(run, client, identity, setup, model)
    tables.log(client, identity, run, setup)
    for name in FILES:
        if (run.folder / name).is_file():
            client.log_artifact(identity, str(run.folder / name))
    if (run.folder / "plots").is_dir():
        client.log_artifacts(identity, str(run.folder / "plots"), "plots")
    took = sum(run.manifest.seconds.values())
    client.set_terminated(identity, end_time=start + place + int(took * 1000))
    client.set_tag(identity, "logged", "complete")
    return identity, model


def _log_numbers(
    run: Run, client: mlflow.MlflowClient, identity: str, setup: Setup, model: str
) -> None:
    """Params and metrics, in as few calls as the store allows."""
    data = _datasets(run, setup)
    at = int(run.manifest.started.timestamp() * 1000)
    numbers = [
        Metric(name, value, at, 0, model, data[task].name, data[task].digest, identity)
        for (task, name), value in metrics(run, setup.name).items()
    ]
    # The page that compares opens on the first three that differ: the setups' names among them.
    named = {"corner.setup": text(setup.name), **params(run, setup)}
    known = [Param(name, value) for name, value in named.items()]
    for first in range(0, max(len(known), 1), 100):
        client.log_batch(identity, params=known[first : first + 100])
    for first in range(0, len(numbers), 900):
        client.log_batch(identity, metrics=numbers[first : first + 900])


def _datasets(run: Run, setup: Setup) -> dict[str, Dataset]:
    """Task -> its test rows, by digest."""
    return {
        task: Dataset(
            name=text(task),
            digest=run.manifest.tasks[task].digests.test,
            source_type="local",
            source=json.dumps({"uri": run.manifest.file}),
            profile=json.dumps({"num_rows": len(run.samples[task])}),
        )
        for task, setups in run.asked.items()
        if setup.name in setups
    }


def _log_inputs(
    run: Run, client: mlflow.MlflowClient, identity: str, setup: Setup, model: str
) -> None:
    context = [InputTag("mlflow.data.context", "evaluation")]
    inputs = [DatasetInput(data, context) for data in _datasets(run, setup).values()]
    client.log_inputs(identity, inputs, [LoggedModelInput(model)])
