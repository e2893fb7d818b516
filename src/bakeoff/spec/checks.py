"""Consistency checks between the parts of a benchmark file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bakeoff.core.hints import did_you_mean
from bakeoff.spec.backends import backend_of, unknown_prefix
from bakeoff.spec.endpoints import Endpoint
from bakeoff.spec.engines import EngineSpec, unknown_engine
from bakeoff.spec.retrievers import unknown_retriever
from bakeoff.spec.setups import Setup

if TYPE_CHECKING:
    from bakeoff.spec.benchmark import TaskUse

Setups = Mapping[str, Setup]


def setups_name_tasks(setups: Setups, tasks: Sequence[str]) -> None:
    """A setup is asked tasks that the benchmark has."""
    for setup in setups.values():
        for task in setup.tasks:
            if task not in tasks:
                raise ValueError(
                    f"setups.{setup.name}.tasks: no task '{task}'{did_you_mean(task, tasks)}"
                )


def teachers_teach(setups: Setups, tasks: Sequence[str]) -> None:
    """A setup learns from one that exists, does not learn itself, and is asked its tasks."""
    for setup in setups.values():
        if not (setup.tune and setup.tune.distill):
            continue
        name = setup.tune.distill.teacher
        where = f"setups.{setup.name}.tune.distill.teacher"
        teacher = setups.get(name)
        if teacher is None:
            raise ValueError(f"{where}: no setup '{name}'{did_you_mean(name, setups)}")
        if teacher.tune and teacher.tune.distill:
            raise ValueError(f"{where}: '{name}' learns from another setup itself")
        if teacher.tasks and not set(setup.tasks or tasks) <= set(teacher.tasks):
            raise ValueError(f"{where}: '{name}' does not have all of this setup's tasks")


def routes_lead_somewhere(setups: Setups, tasks: Sequence[str]) -> None:
    """A routed setup joins two others that exist, are not routed, and are asked its tasks."""
    for setup in setups.values():
        for part in ("first", "then") if setup.route else ():
            where, name = f"setups.{setup.name}.route.{part}", getattr(setup.route, part)
            other = setups.get(name)
            if other is None:
                raise ValueError(f"{where}: no setup '{name}'{did_you_mean(name, setups)}")
            if other.route:
                raise ValueError(f"{where}: '{name}' is routed itself")
            if other.tasks and not set(setup.tasks or tasks) <= set(other.tasks):
                raise ValueError(f"{where}: '{name}' does not have all of this setup's tasks")


def unknown_parts(
    setups: Setups, endpoints: Mapping[str, Endpoint], engine: EngineSpec | None
) -> Iterator[str]:
    """The engine, the retrievers and the models that nothing here opens, each a problem in words.

    Asked of a benchmark that is to be run: a finished run is read without what it was made with.
    """
    if engine and (problem := unknown_engine(engine.kind)):
        yield f"engine: {problem}"
    for setup in setups.values():
        recipe = setup.retrieve
        if recipe and (problem := unknown_retriever(recipe.retriever)):
            yield f"setups.{setup.name}.retrieve.retriever: {problem}"
        used = [setup.model, *([recipe.embedder] if recipe else [])]
        for reference in used if not setup.custom else []:
            if name := unknown_prefix(reference, endpoints):
                mend = f"; write endpoints: {{{name}: {{url: http://HOST:PORT/v1}}}}"
                hint = did_you_mean(name, endpoints) if endpoints else mend
                yield f"setups.{setup.name}: '{reference}': no endpoint '{name}'{hint}"


def tuned_models_are_here(setups: Setups, endpoints: Mapping[str, Endpoint]) -> None:
    """Models behind endpoints are not tuned here."""
    for setup in setups.values():
        weights = backend_of(setup.model, endpoints).weights
        if setup.tune and not setup.tune.adapter and not weights:
            raise ValueError(
                f"setups.{setup.name}.tune: a model behind an endpoint is not tuned here; "
                "name the tuned model that it serves, such as tune: my-adapter"
            )


def engine_can_serve(engine: EngineSpec, setups: Setups, endpoints: Mapping[str, Endpoint]) -> None:
    """An engine has local models to run, and can serve what is tuned of them."""
    if unknown_engine(engine.kind):
        return
    local = [
        setup
        for setup in setups.values()
        if not setup.custom and backend_of(setup.model, endpoints).weights
    ]
    if not local:
        raise ValueError(f"engine: {engine.kind}: no setup has a local model")
    for setup in local:
        where = f"setups.{setup.name}.tune"
        if setup.tune and (why := engine.of.refuses.get(setup.tune.method)):
            raise ValueError(f"{where}: {why}")
        if setup.tune and setup.tune.method != "full" and not engine.takes_adapters:
            raise ValueError(
                f"{where}: engine.command has no {{adapters}}, the place of NAME=FOLDER of each "
                "adapter that the server is to serve"
            )


def left_to_the_engine(**fields: str | None) -> None:
    """An engine loads weights in its own way, whatever is said of models in this process."""
    for field, value in fields.items():
        if value:
            raise ValueError(f"{field}: is for models in this process; give engine.args")


def one_process_trains(setups: Setups, uses: Collection[TaskUse]) -> None:
    """Processes that train an adapter each hold the whole network, on one GPU."""
    for setup in setups.values():
        recipes = [setup.tune, *(use.recipe(setup.tune) for use in uses)] if setup.tune else []
        if any(recipe.processes > 1 and recipe.method != "full" for recipe in recipes):
            raise ValueError(
                f"setups.{setup.name}.tune.processes: each process has one GPU and the whole "
                "network, which device_map spreads over all GPUs: leave out one of the two"
            )
