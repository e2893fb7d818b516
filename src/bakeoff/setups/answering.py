"""The answerer of any setup, from what is open: of the 2x2 design, or a custom one."""

from __future__ import annotations

from dataclasses import replace

from bakeoff.core.words import Answerer
from bakeoff.setups.answerer import build, chats
from bakeoff.setups.builder import Resources
from bakeoff.setups.custom import custom
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.functions import load_function
from bakeoff.tasks.load import Task


def answerer(resources: Resources, setup: Setup, task: Task, *, cached: bool = True) -> Answerer:
    """The answerer of any setup on any task: of the 2x2 design, or a custom one."""
    if setup.call:
        given = resources.functions.get(setup.name)
        function = given or load_function(setup.call, resources.file.parent)
        return custom(function, setup.call, task, setup.concurrency)
    if setup.endpoint:
        from bakeoff.models.served import service

        where = f"setups.{setup.name}.endpoint"
        return service(resources.pool.client(where, setup.endpoint), setup.endpoint)
    model = resources.model(setup, task)
    return build(setup, task, resources.engine(resources.kept(model) if cached else model))


def together(resources: Resources, setup: Setup, task: Task) -> list[list[int]] | None:
    """The samples that are answered in one batch, by their places; `None` for one by one.

    In bfloat16 an answer depends on its batch: it is asked with all of it, or not at all.
    """
    if setup.custom:
        return None
    model = resources.model(setup, task)
    if not resources.suite.backend(setup.model).weights:
        return None if model.repeatable else [list(range(len(task.samples)))]
    engine = resources.engine(model)
    asked = chats(setup, task, engine, task.samples)
    return resources.local.adapted(setup, task).batches(asked, engine.decoding(task))


def loaded(resources: Resources, setup: Setup, task: Task, concurrency: int) -> Answerer | None:
    """The answerer of a setup over HTTP that times answers made side by side, so many at once.

    None for what is not reached over HTTP.
    """
    if setup.endpoint:
        from bakeoff.models.served import service

        where = f"setups.{setup.name}.endpoint"
        return service(resources.pool.client(where, setup.endpoint, concurrency), setup.endpoint)
    if setup.custom or resources.suite.in_process(setup):
        return None
    from bakeoff.models.engine import EngineModel
    from bakeoff.models.served import ServedModel

    model = resources.model(setup, task)
    if isinstance(model, EngineModel):
        return build(setup, task, resources.engine(model.under_load(concurrency)))
    if not isinstance(model, ServedModel):
        return None
    client = resources.pool.client(model.client.name, model.endpoint, concurrency)
    return build(setup, task, resources.engine(replace(model, client=client, timing=True)))
