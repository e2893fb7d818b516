"""What keeps a plan from running, as far as it can be known before a model is loaded.

`run` refuses what is listed here before it makes a folder, and `plan` refuses the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from bakeoff.core.hints import near
from bakeoff.core.words import BakeoffError, faults
from bakeoff.running.plan import Plan
from bakeoff.setups.builder import gives_likelihoods, local_dtype
from bakeoff.spec import keys
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.functions import missing_function
from bakeoff.tasks.load import Task

_ELSEWHERE = "or leave the task out by the setup's `tasks`"


def require_ready(plan: Plan, environment: Mapping[str, str]) -> None:
    """Raise `BakeoffError` with everything that keeps the plan from running.

    What only opening a model can tell is not among it: a server that is down, a model that the hub
    does not have. `environment` holds the keys of endpoints.
    """
    if not plan.tasks:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in plan.skipped.items())
        raise BakeoffError(f"{plan.file}: none of its tasks can run here: {reasons}")
    problems = [*_setups(plan), *_keys(plan, environment), *_engine(plan, environment)]
    faults([f"{plan.file}: {problem}" for problem in dict.fromkeys(problems)])
    # `auto` suits every machine, and finding out what does loads torch.
    if plan.suite.dtype != "auto":
        local_dtype(plan.suite, plan.file)


def _setups(plan: Plan) -> Iterator[str]:
    for setup in plan.suite.setups.values():
        where = f"setups.{setup.name}"
        tasks = [task for task in plan.tasks.values() if setup.takes(task.name)]
        named = setup.call if setup.name not in plan.functions else None
        if named and (problem := missing_function(named, plan.file.parent)):
            yield f"{where}.call: {problem}"
        if setup.custom:
            continue
        yield from _models(plan, setup)
        for task in tasks:
            yield from (f"{where}.{problem}" for problem in _corner(plan, setup, task))


def _models(plan: Plan, setup: Setup) -> Iterator[str]:
    """Files and functions that a setup names and that are not there."""
    where, common = f"setups.{setup.name}.", plan.suite.retrieve
    # Faults at the top of the file are reported there, not with every setup that has them.
    named = {"model" if setup.model == plan.suite.model else f"{where}model": setup.model}
    if spec := setup.retrieve:
        for field in ("embedder", "rerank") if spec.vectors else ("rerank",):
            value = getattr(spec, field)
            place = "" if value == getattr(common, field) else where
            named |= {f"{place}retrieve.{field}": value} if value else {}
        own = "::" in spec.retriever
        if own and (problem := missing_function(spec.retriever, plan.file.parent)):
            place = "" if spec.retriever == common.retriever else where
            yield f"{place}retrieve.retriever: {problem}"
    for field, reference in named.items():
        if _is_missing(plan, reference) and reference != "embedded":
            likely = near(reference, ["embedded"])
            forms = "embedded, hf:ORG/NAME, a model's folder, a .gguf file, or ENDPOINT:MODEL"
            yield f"{field}: '{reference}': no such file or folder{likely or f'; write {forms}'}"
    adapter = setup.tune.adapter if setup.tune else None
    if adapter and plan.suite.backend(setup.model).weights and _is_missing(plan, adapter):
        yield f"{where}tune.adapter: '{adapter}': no such folder"


def _is_missing(plan: Plan, reference: str) -> bool:
    """Whether a reference names a place on this machine where nothing is."""
    local = plan.suite.backend(reference).weights and not reference.startswith("hf:")
    return local and not Path(reference).expanduser().exists()


def _corner(plan: Plan, setup: Setup, task: Task) -> Iterator[str]:
    """Parts of a task that a setup needs and the task does not have."""
    weights = plan.suite.backend(setup.model).weights
    if task.file.answer == "likelihood" and not gives_likelihoods(plan.suite, setup):
        server = "this engine" if weights else "an endpoint"
        yield (
            f"model: task '{task.name}' is answered by likelihood, which {server} does not give; "
            f"use a local model{' without engine or on vllm' if weights else ''}, {_ELSEWHERE}"
        )
    if setup.retrieve and not task.corpora:
        yield (
            f"retrieve: task '{task.name}' has no corpora to retrieve from; name documents in its "
            f"file (corpora: {{NAME: {{documents: FOLDER/*.md}}}}), {_ELSEWHERE}"
        )
    if setup.tune and not setup.tune.adapter and weights:
        if not task.train:
            yield (
                f"tune: task '{task.name}' has no training rows; name them in its file "
                f"(rows: {{train: FILE}}), {_ELSEWHERE}"
            )
        if setup.tune.objective in ("cpt", "raft") and not task.corpora:
            yield f"tune.{setup.tune.objective}: task '{task.name}' has no corpora, which it needs"
        processes = plan.suite.use(task.name).recipe(setup.tune).processes
        # The nodes of a cluster are not to be asked here.
        if processes > 1 and not plan.executor.startswith("ray"):
            from bakeoff.models.device import too_few_devices

            if problem := too_few_devices(processes, os.environ):
                yield f"tune.processes: {problem}"


def _engine(plan: Plan, environment: Mapping[str, str]) -> Iterator[str]:
    """What starts the engine, where it is not there."""
    engine = plan.suite.engine
    if engine is None:
        return
    program = engine.program(environment)
    if program is None:
        yield (
            f"engine: {engine.kind}: name the Python interpreter of its environment, by "
            f"engine.python or the environment variable {engine.of.variable}"
        )
    elif shutil.which(program[0]) is None:
        field = "command" if engine.command or not engine.of.variable else "python"
        yield f"engine.{field}: '{program[0]}': no such program"


def _keys(plan: Plan, environment: Mapping[str, str]) -> Iterator[str]:
    """Connections in use whose keys the environment does not hold."""
    asked = [s for s in plan.suite.setups.values() if any(s.takes(task) for task in plan.tasks)]
    # What a batch answers needs no key.
    models = {s.model for s in asked if not (s.custom or plan.batch)}
    models |= {s.retrieve.embedder for s in asked if s.retrieve and s.retrieve.vectors}
    judges = {m.judge for task in plan.tasks.values() for m in task.scorers}
    used = {f"endpoints.{name.partition(':')[0]}" for name in {*models, *judges} if ":" in name}
    used |= {f"setups.{s.name}.endpoint" for s in asked if s.endpoint}
    for where, spec in plan.suite.connections.items():
        if where in used:
            try:
                keys.secrets_of(spec, where, environment)
            except BakeoffError as error:
                yield from str(error).split("\n")
