"""What somebody needs of a setup, as a short file: the five questions, limits and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import faults
from bakeoff.spec import names
from bakeoff.spec.task import changed
from bakeoff.spec.yaml_files import Also, File, read_yaml, validated

AtLeast0 = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Tasks = Annotated[bool | tuple[str, ...], Also({"enum": ["yes", "no"]})]
"""`no`, `yes`, or the tasks that measure it."""


class Limit(File):
    """The most seconds that an answer may take, at a quantile of the answers."""

    seconds: Above0
    """Of one answer."""
    quantile: Literal["p50", "p95"] = "p95"
    """The share of the answers that must keep it."""


class Budget(File):
    """The most money, in the currency of the run's costs; a part left out has no limit."""

    up_front: AtLeast0 | None = None
    """Before the first request: training, indexing, work."""
    per_month: AtLeast0 | None = None
    """In a month of the volume asked."""


class Needs(File):
    """A needs file, every default filled in."""

    needs: Literal["v1"] = "v1"
    """The version of the format."""
    description: str = ""
    """Whose needs these are; shown with the advice."""
    updates_per_month: AtLeast0 = 0.0
    """How often the data change, each time so that answers must follow; 0: they do not."""
    fresh_within_hours: Above0 | None = None
    """How soon after a change answers must follow it."""
    sources: Annotated[Literal["required", "nice", "no"], Also({"const": False})] = "no"
    """Whether an answer must come with the passages that it is based on."""
    format: Tasks = False
    """Whether tone or format must change, and the tasks that measure it."""
    top_accuracy: Tasks = False
    """Whether top accuracy on a narrow task is needed, and the tasks. A setup clearly worse than
    the best one there is ruled out."""
    volume_per_month: AtLeast0 | None = None
    """Requests; where left out, those that the run's costs were made for."""
    weights: Mapping[str, AtLeast0] = {}
    """Task -> weight of its headline metric; tasks not named weigh 0. Left out: all the same."""
    floors: Mapping[str, Finite] = {}
    """`task.metric` -> the least value, for metrics that are better when higher."""
    ceilings: Mapping[str, Finite] = {}
    """`task.metric` -> the largest value, for metrics that are better when lower."""
    latency: Limit | None = None
    """How long an answer may take."""
    budget: Budget = Budget()
    """What the setup may cost."""
    error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    """The largest share of failed answers."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """The smallest difference of weighted quality that matters; smaller ones count as none."""

    @field_validator("sources", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: Any) -> Any:
        # YAML reads a bare `no` as false.
        return "no" if value is False else value

    @field_validator("floors", "ceilings")
    @classmethod
    def _with_present_metrics(cls, value: Mapping[str, float]) -> dict[str, float]:
        return {names.series(name): limit for name, limit in value.items()}

    @field_validator("format", "top_accuracy")
    @classmethod
    def _an_empty_list_is_no(cls, value: Tasks) -> Tasks:
        return value or False

    @model_validator(mode="after")
    def _something_weighs(self) -> Needs:
        if self.weights and not any(self.weights.values()):
            raise ValueError("weights: at least one task must have a weight above 0")
        for field in ("format", "top_accuracy"):
            for task in named(getattr(self, field)):
                if self.weights and not self.weights.get(task):
                    raise ValueError(f"{field}: '{task}' must have a weight above 0 in weights")
        return self

    def weighted(self, tasks: Sequence[str]) -> dict[str, float]:
        """Task -> its share of the whole, those of 0 left out.

        By default all weigh the same but those asked before a change (`NAME_before`), whose right
        answers are of the world after it.
        """
        before = {t for t in tasks if changed(t) != t and changed(t) in tasks}
        given = self.weights or {t: 1.0 for t in tasks if t not in before}
        whole = sum(given.values())
        # In the order of the run's tasks, so that sums do not depend on the order of the file.
        return {t: given[t] / whole for t in tasks if given.get(t)}


def named(tasks: Tasks) -> tuple[str, ...]:
    """The tasks that a need names."""
    return tasks if isinstance(tasks, tuple) else ()


def load_needs(path: Path) -> Needs:
    """The needs file at `path`. Raises `BakeoffError` listing every fault in it."""
    return validated(Needs, path, read_yaml(path))


def dump_needs(needs: Needs) -> str:
    """The needs as the text of a needs file: what is not the default, and the version."""
    given = needs.model_dump(mode="json", exclude_defaults=True)
    text: str = yaml.safe_dump({"needs": needs.needs, **given}, sort_keys=False, allow_unicode=True)
    return text


def check(
    needs: Needs, metrics: Mapping[str, Mapping[str, bool]], headlines: Mapping[str, str], file: str
) -> None:
    """Hold the names in `needs` against the run's tasks and their metrics.

    `metrics` is task -> metric -> whether higher is better. Raises `BakeoffError` listing every
    fault; `file` is what the message calls the needs.
    """
    problems = []
    for field in ("weights", "format", "top_accuracy"):
        given = getattr(needs, field)
        for task in given if field == "weights" else named(given):
            if task not in metrics:
                hint = did_you_mean(task, metrics)
                problems.append(f"{file}: {field}: the run has no task '{task}'{hint}")
    for field, higher in (("floors", True), ("ceilings", False)):
        for name in getattr(needs, field):
            if problem := _fault(name, higher, metrics, headlines):
                problems.append(f"{file}: {field}: '{name}': {problem}")
    faults(problems)


def _fault(
    name: str,
    higher: bool,
    metrics: Mapping[str, Mapping[str, bool]],
    headlines: Mapping[str, str],
) -> str:
    task, dot, metric = name.partition(".")
    if not dot:
        known = f"{task}.{headlines[task]}" if task in headlines else "handbook_qa.contains"
        return f"write task.metric, such as {known}"
    if task not in metrics:
        hint = did_you_mean(task, metrics)
        return f"the run has no task '{task}'{hint}"
    if metric not in metrics[task]:
        hint = did_you_mean(metric, metrics[task])
        return f"{task} has no metric '{metric}'{hint}"
    if metrics[task][metric] != higher:
        way, other = ("lower", "ceilings") if higher else ("higher", "floors")
        return f"{metric} is better when {way}: it goes into {other}"
    return ""
