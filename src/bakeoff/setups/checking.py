"""Whether what is open answers as it should: token counts, batches, cached answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from bakeoff.core.progress import Progress
from bakeoff.core.table import Table
from bakeoff.core.words import digest
from bakeoff.models.cached import CachedModel, verify
from bakeoff.models.response_cache import Responses
from bakeoff.runs.manifest import BatchCheck, TokenCheck
from bakeoff.setups.adapting import adapt, tunes
from bakeoff.setups.answerer import chats
from bakeoff.setups.builder import Resources, Workspace
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.load import Task


def token_checks(resources: Resources) -> dict[str, TokenCheck]:
    """Where a tokenizer is known: how often an endpoint's own token counts differed."""
    tallies = resources.pool.tallies.items()
    return {reference: TokenCheck(**asdict(tally)) for reference, tally in tallies}


def batch_checks(resources: Resources, tasks: Mapping[str, Task]) -> dict[str, BatchCheck]:
    """For each local model, by its first setup: whether batches change answers.

    Of a model whose answers are the same in every batch it is not asked again.
    """
    checks: dict[str, BatchCheck] = {}
    seen = set()
    for setup in resources.suite.setups.values():
        task = next((t for t in tasks.values() if setup.takes(t.name)), None)
        apart = not resources.suite.in_process(setup) or setup.model in seen
        if task is None or apart or not resources.suite.batch_check:
            continue
        seen.add(setup.model)
        model = resources.model(setup, task)
        if model.repeatable:
            continue
        engine = resources.engine(model)
        some = task.samples[: resources.suite.batch_check]
        asked = chats(setup, task, engine, some)
        checks[setup.name] = resources.local.batch_check(setup, task, asked, engine.decoding(task))
    return checks


def verify_cache(
    suite: Suite,
    file: Path,
    tasks: Mapping[str, Task],
    workspace: Workspace,
    share: float,
    progress: Progress,
) -> Table:
    """Ask a share of each setup's cached answers again; those that differ are forgotten."""
    responses = Responses(workspace.cache / "responses.sqlite")
    resources = Resources(suite, file, workspace, progress, responses)
    rows = []
    try:
        resources.prepare(tasks)
        for task in tasks.values():
            for setup in suite.setups.values():
                if setup.custom or not setup.takes(task.name):
                    continue
                if tunes(suite, setup):
                    adapt(resources, setup, task)
                model = CachedModel(resources.model(setup, task), responses)
                engine = resources.engine(model)
                asked = chats(setup, task, engine, task.samples)
                count = max(1, round(share * len(asked)))
                chosen = sorted(range(len(asked)), key=lambda i: digest(task.samples[i].id))[:count]
                checked = verify(model, asked, engine.decoding(task), chosen)
                rows.append((task.name, setup.name, str(checked.checked), str(checked.differing)))
    finally:
        resources.close()
    return Table(
        "Cached answers queried again",
        ("task", "setup", "checked", "different"),
        tuple(rows),
        "Those that differed were forgotten. An endpoint may change a model under its name.",
    )
