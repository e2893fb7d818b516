"""A setup: a model with its two optional parts, or a custom system."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from bakeoff.spec.endpoints import Service
from bakeoff.spec.recipes import Retrieve, Tune
from bakeoff.spec.task import changed
from bakeoff.spec.yaml_files import SWITCH, TEXT, Also, File


class Route(File):
    """Two other setups of the benchmark: the second answers where the first is not to be trusted.

    Their stored answers are used; nothing is asked again.
    """

    first: str
    """The setup that is asked first."""
    then: str
    """The setup whose answer is taken instead."""
    when: Literal["unsure", "declined"] = "unsure"
    """`unsure`: below a confidence that is fitted on other samples; `declined`: where the first
    declines to answer. A refusal or a failure of the first always goes to the second."""


AT_ONCE = 16
"""Calls of an `async` function side by side, as of requests to an endpoint."""


class Setup(File):
    """A model with two optional parts, `tune` and `retrieve`; or a custom system.

    A custom system is a function (`call`), a service behind HTTP (`endpoint`), or a combination of
    two other setups (`route`).
    """

    name: SkipJsonSchema[str] = ""
    """Its key in the benchmark."""
    model: str = "embedded"
    """The model, where it is not the benchmark's."""
    tune: Annotated[Tune | None, Also(SWITCH, TEXT)] = None
    """Fine-tuning: `true` for the benchmark's recipe, fields that differ from it, or the path of a
    ready adapter."""
    retrieve: Annotated[Retrieve | None, Also(SWITCH)] = None
    """Retrieval: `true` for the benchmark's settings, or fields that differ from them."""
    call: str | None = None
    """`./bot.py::answer` (from the benchmark file's folder) or `package.module::answer`."""
    concurrency: Annotated[int, Field(ge=1, exclude_if=lambda value: value == AT_ONCE)] = AT_ONCE
    """Calls side by side, where `call` names an `async` function."""
    endpoint: Service | None = None
    """A service of yours behind HTTP that answers."""
    route: Route | None = None
    """Two other setups, put together."""
    imported: SkipJsonSchema[tuple[str, ...]] = ()
    """Files of another tool that hold its answers; set by `bakeoff import`, and never asked."""
    tasks: tuple[str, ...] = ()
    """The tasks this setup is asked; all of them when left out."""
    description: str = ""
    """What the setup is; shown in reports."""

    def takes(self, task: str) -> bool:
        """Whether the setup is asked the task's questions."""
        return not self.tasks or task in self.tasks or changed(task) in self.tasks

    @property
    def custom(self) -> bool:
        """Whether it is a whole system: a function, a service, imported answers or a route."""
        return bool(self.call or self.endpoint or self.imported or self.route)

    @property
    def functions(self) -> list[str]:
        """The functions of the user's that answer or retrieve: `./file.py::name`."""
        named = (self.call, self.retrieve and self.retrieve.retriever)
        return [reference for reference in named if reference and "::" in reference]

    @property
    def kind(self) -> str:
        """The cell of the 2x2 design, or `custom` or `routed`; derived, never declared."""
        if self.route:
            return "routed"
        if self.custom:
            return "custom"
        if self.tune:
            return "hybrid" if self.retrieve else "fine-tuned"
        return "rag" if self.retrieve else "base"

    @model_validator(mode="after")
    def _custom_is_alone(self) -> Setup:
        whole = [name for name in ("call", "endpoint", "route") if getattr(self, name)]
        if self.custom and (self.tune or self.retrieve or len(whole) > 1):
            raise ValueError(
                "a call, endpoint or route setup is a whole system: it takes no tune, no "
                "retrieve, and no other of the three"
            )
        return self
