"""Costs as `cost.json` holds them, written and read here alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, PlainSerializer, model_validator

from bakeoff.core.estimate import Estimate
from bakeoff.decide.cost.crossover import State
from bakeoff.runs.links import refuse_links
from bakeoff.runs.store import COST, read_model, write_json
from bakeoff.spec.yaml_files import File

FORMAT: Final = 1
"""Of `cost.json`."""


def _ends(money: Estimate) -> dict[str, float | None]:
    return {"value": money.value, "low": money.low, "high": money.high}


Money = Annotated[Estimate, PlainSerializer(_ends)]
"""Money as the file keeps it: value and ends alone."""


class TaskCost(File):
    """Money for one setup on one task."""

    per_request: Money
    per_correct: Money


class SetupCost(File):
    """Money for one setup. An end that is `None` is unbounded, or of what was measured once."""

    up_front: Money
    per_request: Money
    """No value where it is not known, as in what depends on it."""
    per_correct: Money
    per_month: Money
    """At the volume, the updates and the months that the costs were made for."""
    per_update: Money
    storage: Money
    """By month."""
    fixed: Money
    """By month, whatever the volume."""
    parts: Mapping[str, float]
    """What is paid for -> money per month."""
    tasks: Mapping[str, TaskCost]
    left_out: tuple[str, ...]
    """What the price file or the run lacks, in words: the real cost is higher."""


class CostDifference(File):
    """What the second setup of a pair costs more than the first; per request paired by sample."""

    fixed: Money
    """By month, whatever the volume."""
    per_request: Money
    per_month: Money


class Pair(File):
    """Two setups, and the monthly volume at which they cost the same."""

    a: str
    b: str
    volume: Money
    cheaper_above: str | None
    """The cheaper one at large volumes; `None` where it is not significant."""
    cheaper_here: str | None
    """The cheaper one at the volume that the costs were made for."""
    state: State
    difference: CostDifference

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, raw: Any) -> Any:
        """Files of before have the ends beside the volume."""
        if not isinstance(raw, dict) or "low" not in raw:
            return raw
        ends = {"value": raw["volume"], "low": raw["low"], "high": raw["high"]}
        return {k: v for k, v in raw.items() if k not in ends} | {"volume": ends}


class Variation(File):
    """Money per month with one price or amount changed, by the values alone."""

    what: str
    """Empty where nothing is changed."""
    factor: float
    per_month: Mapping[str, float]
    cheapest: str


class Flip(File):
    """The factor of a price or an amount at which another setup becomes the cheapest."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    what: str
    factor: float
    before: str = Field(validation_alias="from", serialization_alias="from")
    after: str = Field(validation_alias="to", serialization_alias="to")


class Costs(File):
    """What the setups of a run cost, in one currency at the prices of one day."""

    format: Literal[1] = FORMAT
    level: float
    """Of every interval."""
    evidence: str
    """A digest of what the run measured."""
    currency: str
    dated: date
    volume: float
    updates: float
    """Requests and updates per month that the costs were made for."""
    months: float
    """Over which what is spent up front is spread."""
    weights: Mapping[str, float]
    """Task -> its share of the requests."""
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    """What was assumed."""
    setups: Mapping[str, SetupCost]
    crossovers: tuple[Pair, ...]
    sensitivity: tuple[Variation, ...]
    flips: tuple[Flip, ...]


def write(folder: Path, costs: Costs) -> Path:
    """Keep costs in a run's folder; the file's path."""
    refuse_links(folder)
    path = folder / COST
    write_json(path, costs.model_dump(mode="json"))
    return path


def read(folder: Path) -> Costs | None:
    """The costs kept in a run's folder; `None` where there are none.

    Raises `BakeoffError` for those of another version, or damaged ones.
    """
    path = folder / COST
    if not path.is_file():
        return None
    return read_model(Costs, path, FORMAT, "run `bakeoff cost` again, or delete the file")
