"""What a bake-off is made of, in the UI's own tabs: adapters, prompts, evaluation data sets.

Each is registered once, and found again by later runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from string import Formatter

import mlflow
from mlflow.prompt.constants import PROMPT_EXPERIMENT_IDS_TAG_KEY

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Message, Sample
from bakeoff.outputs.mlflow.names import text
from bakeoff.runs.opened import AdapterFacts
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.wording import Wording

ROWS = 100
"""Rows of a task that its data set shows: each takes a millisecond to store."""
LINKED = "mlflow.linkedPrompts"
"""The tag by which the UI finds the prompts of a run."""
_ODD = re.compile(r"[^A-Za-z0-9_.-]")

Prompt = tuple[str, str]
"""(name, version)."""


def registered(*parts: str) -> str:
    """A name as all registries take it.

    >>> registered("handbook", "house style")
    'handbook.house_style'
    """
    return ".".join(_ODD.sub("_", part) for part in parts)


def register_adapter(
    client: mlflow.MlflowClient, run: Run, task: str, adapter: AdapterFacts, training: str
) -> None:
    """Make an adapter a version of its task's registered model, with the run that trained it."""
    name = registered(run.manifest.benchmark, task, "adapter")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, {"task": text(task), "suite": run.manifest.benchmark})
    for version in client.search_model_versions(f"name = '{name}'"):
        # Of a training run that was left half-logged, and is gone.
        if version.tags.get("adapter") == adapter.digest:
            client.delete_model_version(name, version.version)
    client.create_model_version(
        name,
        f"runs:/{training}/adapter",
        training,
        tags={"adapter": adapter.digest, "task": text(task)},
        description=f"First seen in bake-off {run.manifest.run}; its weights are in the cache.",
        await_creation_for=0,
    )


def prompts(client: mlflow.MlflowClient, run: Run, experiment: str) -> dict[str, dict[str, Prompt]]:
    """Setup -> task -> the registered prompt that it asks; of runs that keep their templates."""
    known: dict[str, dict[str, Prompt]] = {name: {} for name in run.suite.setups}
    for task, setups in run.asked.items():
        wording = run.manifest.tasks[task].wording
        made: dict[str, Prompt] = {}
        for setup in setups if wording else ():
            spec = run.suite.setups[setup]
            if wording is None or spec.custom:
                continue
            name = registered(run.manifest.benchmark, task, *_context(spec))
            made[name] = made.get(name) or _version(client, name, _chat(wording, spec), experiment)
            known[setup][task] = made[name]
    return known


def linked(prompts: Mapping[str, Prompt]) -> dict[str, str]:
    """The tag that links a run to its prompts, by task."""
    pairs = [{"name": name, "version": version} for name, version in prompts.values()]
    return {LINKED: json.dumps(pairs)} if pairs else {}


def _context(setup: Setup) -> Iterator[str]:
    if setup.retrieve:
        yield f"question-{setup.retrieve.question}-passages"


def _chat(wording: Wording, setup: Setup) -> list[Message]:
    """The templates as the UI writes them: `{{question}}`."""
    user = _doubled(wording.prompt)
    if setup.retrieve:
        before = setup.retrieve.question == "before"
        template = wording.before_passages if before else wording.with_passages
        user = template.format(passages="{{passages}}", prompt=user)
    system = [{"role": "system", "content": _doubled(wording.system)}] if wording.system else []
    return [*system, {"role": "user", "content": user}]


def _doubled(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(
        literal + (f"{{{{{field}}}}}" if field is not None else "") for literal, field, *_ in parts
    )


def _version(
    client: mlflow.MlflowClient, name: str, chat: list[Message], experiment: str
) -> Prompt:
    """The newest version of a prompt where it says just this, else one more."""
    wanted = [{role: text(said) for role, said in message.items()} for message in chat]
    # Not `load_prompt` and `register_prompt`: these link it to the experiment that is active.
    there = None
    if client.get_prompt(name):
        there = client.get_prompt_version_by_alias(name, "latest")
    else:
        client.create_prompt(name, tags={PROMPT_EXPERIMENT_IDS_TAG_KEY: f",{experiment},"})
    if there is None or there.template != wanted:
        there = client.create_prompt_version(name, wanted)
    return name, str(there.version)


def datasets(client: mlflow.MlflowClient, run: Run, experiment: str) -> None:
    """Register the first rows of every task that are not there yet."""
    for task, samples in run.samples.items():
        name, digest = registered(run.manifest.benchmark, task), _digest(run, task)
        found = client.search_datasets([experiment], f"name = '{name}'")
        if any(known.tags.get("digest") == digest for known in found):
            continue
        rows = [_row(task, sample) for sample in list(samples.values())[:ROWS]]
        tags = {"digest": digest, "task": text(task), "rows": f"{len(rows)} of {len(samples)}"}
        made = client.create_dataset(name, experiment, tags)
        # `merge_records` writes to the store of the environment, which need not be this one.
        client._tracking_client.store.upsert_dataset_records(made.dataset_id, rows)


def _digest(run: Run, task: str) -> str:
    return run.manifest.tasks[task].digests.test


def _row(task: str, sample: Sample) -> dict[str, object]:
    fields = {name: text(value) for name, value in sample.fields.items() if value}
    return {
        "inputs": fields,
        "expectations": {"expected_response": " | ".join(map(text, sample.targets))},
        "tags": {"sample": text(sample.id), **{n: text(v) for n, v in sample.tags.items()}},
    }
