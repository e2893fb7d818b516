"""What was compared, as logged models and training runs: each once, found again every night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mlflow
from mlflow.entities import Metric, Param

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import digest
from bakeoff.outputs.mlflow.names import adapters, allowed, params, text
from bakeoff.outputs.mlflow.registry import register_adapter
from bakeoff.runs.opened import AdapterFacts, Epoch, Training
from bakeoff.spec.benchmark import Setup

_QUOTE = str.maketrans({"'": "_", "/": "_", ":": "_", ".": "_", '"': "_"})


def model_name(setup: str) -> str:
    """A setup's name as MLflow takes it for a model."""
    return allowed(setup).translate(_QUOTE)


def logged_model(
    client: mlflow.MlflowClient, run: Run, setup: Setup, experiment: str, trained: Mapping[str, str]
) -> str:
    """The id of the logged model of this very configuration; made when there is none yet.

    `trained` names the training run of each adapter, by task.
    """
    known = params(run, setup)
    configuration = digest(known)
    name = model_name(setup.name)
    models = client.search_logged_models(
        [experiment], f"name = '{name}' AND tags.configuration = '{configuration}'", max_results=1
    )
    if models:
        return str(models[0].model_id)
    made = client.create_logged_model(
        experiment,
        name=name,
        source_run_id=next(iter(trained.values()), None),
        model_type=setup.kind,
        params=known,
        tags={
            "configuration": configuration,
            "setup": text(setup.name),
            "kind": setup.kind,
            "mlflow.source.name": "bakeoff",
            "mlflow.model.isExternal": "true",
            **{f"training.{allowed(task)}": identity for task, identity in trained.items()},
        },
    )
    return str(client.finalize_logged_model(made.model_id, "READY").model_id)


def training_runs(
    client: mlflow.MlflowClient, run: Run, setup: Setup, experiment: str
) -> dict[str, str]:
    """Task -> the training run of the setup's adapter; each adapter was trained once."""
    return {
        task: _training_run(client, run, setup, experiment, task, adapter)
        for task, adapter in adapters(run, setup)
    }


def _training_run(
    client: mlflow.MlflowClient,
    run: Run,
    setup: Setup,
    experiment: str,
    task: str,
    adapter: AdapterFacts,
) -> str:
    before = client.search_runs([experiment], f"tags.adapter = '{adapter.digest}'")
    complete = [stored for stored in before if stored.data.tags.get("logged") == "complete"]
    if complete:
        return str(complete[0].info.run_id)
    for stored in before:
        client.delete_run(stored.info.run_id)
    made = adapter.training
    assert made
    start = int(run.manifest.started.timestamp() * 1000)
    identity = client.create_run(
        experiment,
        start_time=start,
        run_name=task,
        tags={
            "adapter": adapter.digest,
            "task": task,
            "suite": run.manifest.benchmark,
            "mlflow.note.content": (
                f"The adapter of `{task}`, first seen in bake-off {run.manifest.run}. "
                "Its steps are epochs."
            ),
        },
    ).info.run_id
    use = run.suite.use(task)
    recipe = use.recipe(setup.tune).model_dump(mode="json") if setup.tune else {}
    client.log_batch(
        identity,
        params=[Param(name, text(value)) for name, value in recipe.items() if value is not None],
        metrics=[*_facts(made, start), *_curve(made.curve, start)],
    )
    register_adapter(client, run, task, adapter, identity)
    client.set_terminated(identity, end_time=start + int(made.seconds * 1000))
    client.set_tag(identity, "logged", "complete")
    return str(identity)


def _facts(made: Training, start: int) -> list[Metric]:
    numbers = {name: value for name, value in made if isinstance(value, int | float)}
    return [Metric(name, float(value), start, 0) for name, value in numbers.items()]


def _curve(curve: Sequence[Epoch], start: int) -> list[Metric]:
    """The losses by epoch."""
    return [
        Metric(name, value, start, step)
        for step, point in enumerate(curve, 1)
        for name, value in point
        if name != "epoch" and value is not None
    ]
