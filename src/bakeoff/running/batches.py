"""A benchmark's requests written for a vendor's batch service, and run on its results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bakeoff.core import disk
from bakeoff.core.counts import quantity
from bakeoff.core.progress import Progress
from bakeoff.core.secrets import references
from bakeoff.core.words import BakeoffError, faults
from bakeoff.models.batched import Batch, Results, request_line
from bakeoff.models.response_cache import Responses
from bakeoff.running.plan import Plan
from bakeoff.setups.answering import answerer
from bakeoff.setups.builder import Resources, Workspace
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.endpoints import Endpoint


@dataclass(frozen=True)
class Written:
    """What was written to a batch file."""

    requests: int
    shared: int
    """How many more answers the same requests are for: those of setups that ask the same."""


def write(plan: Plan, workspace: Workspace, progress: Progress, file: Path) -> Written:
    """Write the requests of all setups whose models are behind endpoints.

    What the response cache answers is left out. Raises `BakeoffError` where there is none to write.
    """
    batch = collected(plan, workspace, progress)
    if not batch.requests:
        raise BakeoffError(f"{plan.file}: nothing to write: the response cache holds every answer")
    with disk.refusals(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    asks = batch.requests.values()
    disk.replace(file, (json.dumps(request_line(ask)) + "\n" for ask in asks))
    return Written(len(batch.requests), batch.asked.total() - len(batch.requests))


def collected(plan: Plan, workspace: Workspace, progress: Progress) -> Batch:
    """Every request that the quality pass of the endpoints' setups would send, sent nowhere."""
    setups = served(plan.suite)
    if not setups:
        raise BakeoffError(f"{plan.file}: no setup has a model behind an endpoint")
    _are_writable(plan, setups)
    batch = Batch()
    suite = plan.suite.model_copy(update={"setups": setups})
    responses = Responses(workspace.cache / "responses.sqlite") if plan.cached else None
    resources = Resources(suite, plan.file, workspace, progress, responses, batch=batch)
    try:
        resources.prepare(plan.tasks)
        for task in plan.tasks.values():
            for setup in setups.values():
                if setup.takes(task.name):
                    answer = answerer(resources, setup, task)
                    for repeat in range(suite.repeats):
                        for _ in answer(task.samples, repeat=repeat):
                            pass
    finally:
        resources.close()
    return batch


def served(suite: Suite) -> dict[str, Setup]:
    """The setups whose models are behind endpoints."""
    return {
        name: setup
        for name, setup in suite.setups.items()
        if not (setup.custom or setup.route) and suite.endpoint_of(setup.model)
    }


def _are_writable(plan: Plan, setups: Mapping[str, Setup]) -> None:
    """No secret may be in a batch file. Raises `BakeoffError`."""
    used = {setup.model.partition(":")[0] for setup in setups.values()}
    faults(
        [
            f"{plan.file}: endpoints.{name}.extra: ${{{reference}}} would be in the batch file; "
            "leave it out, or run without a batch"
            for name in sorted(used)
            for reference in references(plan.suite.endpoints[name].extra)
        ]
    )


def answered_by(
    plan: Plan, results: Results, batch: Batch, price_factor: float, files: Sequence[Path]
) -> Plan:
    """The plan with the answers of a batch: no latency, nothing asked again, its own price.

    `batch` holds the requests that the plan makes. Raises `BakeoffError` where results are missing,
    or where a judge would be priced like the batch.
    """
    missing = [name for name in batch.requests if name not in results.by_id]
    if missing:
        names = ", ".join(str(file) for file in files)
        raise BakeoffError(
            f"{names}: no result of {len(missing)} of "
            f"{quantity(len(batch.requests), 'request')}, such as "
            f"{missing[0]}. Name all result and error files of the batch; if the benchmark, its "
            "data or its documents changed since it was written, write it again"
        )
    used = {setup.model.partition(":")[0] for setup in served(plan.suite).values()}
    if price_factor != 1:
        _judges_are_apart(plan, used)
    endpoints = {
        name: _priced(endpoint, price_factor) if name in used else endpoint
        for name, endpoint in plan.suite.endpoints.items()
    }
    suite = plan.suite.model_copy(
        update={
            "endpoints": endpoints,
            "latency": plan.suite.latency.model_copy(update={"samples": 0}),
            "policy": plan.suite.policy.model_copy(update={"confirm": 0}),
        }
    )
    return replace(plan, suite=suite, batch=Batch(results.by_id))


def _priced(endpoint: Endpoint, factor: float) -> Endpoint:
    price = endpoint.price
    scaled = {"prompt": price.prompt * factor, "completion": price.completion * factor}
    return endpoint.model_copy(update={"price": price.model_copy(update=scaled)})


def _judges_are_apart(plan: Plan, used: Iterable[str]) -> None:
    """Judges are asked live, at the full price. Raises `BakeoffError`."""
    for task in plan.tasks.values():
        for metric in task.scorers:
            name = metric.judge.partition(":")[0]
            if name in used and plan.suite.endpoints[name].price.of(1, 1):
                raise BakeoffError(
                    f"{plan.file}: {metric} of task '{task.name}' asks endpoints.{name}, whose "
                    "price is that of the batch: give the judge an endpoint of its own, with its "
                    "own price"
                )
