"""Price files: what tokens, machines, storage and people cost, on a date, in one currency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from bakeoff.spec.yaml_files import NUMBER, Also, File, read_yaml, validated

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kind = Literal["cpu", "gpu"]
TOKENS, SECONDS, REQUESTS = "tokens", "seconds", "requests"


def _one_of(given: Mapping[str, bool], what: str) -> None:
    if (names := [name for name, there in given.items() if there]) and len(names) == 1:
        return
    raise ValueError(f"{what}: give one of {', '.join(given)} (found {', '.join(names) or 'none'})")


class ModelPrice(File):
    """What a request to a model costs: by its tokens, by a machine's time, or flat."""

    prompt: Money | None = None
    """For a million tokens, as are `cached` and `completion`."""
    cached: Money | None = None
    """Prompt tokens that the provider has read before."""
    cached_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the prompt tokens billed at `cached`: yours to state, no run measures it."""
    completion: Money | None = None
    """For a million tokens of answers."""
    per_hour: Money | None = None
    """Of the machine that answers, applied to the seconds of the latency pass."""
    machine: Kind | None = None
    """The kind of machine that answers."""
    per_request: Money | None = None
    """A flat price for each request."""

    @model_validator(mode="after")
    def _one_kind(self) -> ModelPrice:
        tokens = self.prompt is not None or self.completion is not None
        hours, flat = self.per_hour is not None, self.per_request is not None
        _one_of({"prompt and completion": tokens, "per_hour": hours, "per_request": flat}, "price")
        if tokens and (self.prompt is None or self.completion is None):
            raise ValueError("give both prompt and completion")
        if hours != (self.machine is not None):
            raise ValueError("per_hour and machine (cpu or gpu) go together")
        if (self.cached is None) != (self.cached_share == 0) or (
            self.cached is not None and not tokens
        ):
            raise ValueError("cached and cached_share go together, beside prompt and completion")
        return self

    @property
    def by(self) -> str:
        """`tokens`, `seconds` or `requests`."""
        if self.per_request is not None:
            return REQUESTS
        return TOKENS if self.per_hour is None else SECONDS

    @property
    def per_prompt_token(self) -> float:
        """The mean over cached and other tokens."""
        whole = (self.prompt or 0.0) * (1 - self.cached_share)
        return (whole + (self.cached or 0.0) * self.cached_share) / 1e6


class WorkPrice(File):
    """What training or embedding costs: by its tokens or by a machine's time."""

    per_million_tokens: Money | None = None
    """For a million tokens that are learnt or embedded."""
    per_hour: Money | None = None
    """Money for an hour of the machine."""
    machine: Kind | None = None
    """The kind of machine."""

    @model_validator(mode="after")
    def _one_kind(self) -> WorkPrice:
        hours = self.per_hour is not None
        _one_of(
            {"per_million_tokens": self.per_million_tokens is not None, "per_hour": hours}, "price"
        )
        if hours != (self.machine is not None):
            raise ValueError("per_hour and machine (cpu or gpu) go together")
        return self


class Trained(File):
    """What tuning took that bakeoff did not do: the bill, or amounts that `training` prices."""

    paid: Money | None = None
    """Money, as the service billed it."""
    tokens: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Tokens that were learnt, over all epochs."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Seconds of the machine that trained."""

    @model_validator(mode="after")
    def _says_something(self) -> Trained:
        if self.paid is None and self.tokens is None and self.seconds is None:
            raise ValueError("give paid, tokens or seconds")
        return self


class MachinePrice(File):
    """What an hour of a machine costs."""

    per_hour: Money
    """Money for an hour of the machine."""
    machine: Kind
    """The kind of machine, for comparison with the one that was measured."""


class Hours(File):
    """Hours of a person; `[low, high]` is a range that holds the true number in 95 of 100 cases."""

    up_front: Annotated[tuple[Money, Money], Also(NUMBER)] = (0.0, 0.0)
    """Hours until the setup is in service."""
    per_update: Annotated[tuple[Money, Money], Also(NUMBER)] = (0.0, 0.0)
    """Hours for each change of the data."""

    @field_validator("up_front", "per_update", mode="before")
    @classmethod
    def _a_range(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (value, value)
        if not (isinstance(value, list | tuple) and len(value) == 2):
            raise ValueError("give a number of hours, or a range [low, high]")
        if all(isinstance(end, int | float) for end in value) and value[0] > value[1]:
            raise ValueError(f"a range goes from low to high (found {list(value)})")
        return tuple(value)


class Prices(File):
    """A price file. What it leaves out costs nothing, and every result lists that."""

    prices: Literal["v1"]
    """The version of the format."""
    dated: date
    """The day on which the prices were true."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217, such as EUR."""
    description: str = ""
    """Where the prices come from."""
    models: Mapping[str, ModelPrice] = {}
    """By model reference, as the benchmark file names it."""
    setups: Mapping[str, ModelPrice] = {}
    """By setup; these come before `models`."""
    retrieval: MachinePrice | None = None
    """Of the machine that searches, beside a model that is paid by tokens or requests."""
    training: WorkPrice | None = None
    """What fine-tuning costs."""
    trained: Mapping[str, Trained] = {}
    """By setup: what its tuning took where bakeoff did not do it, such as at a service."""
    embedding: WorkPrice | None = None
    """Of an index's passages."""
    index_gb_month: Money | None = None
    """To keep 10^9 bytes of index for a month."""
    engineer_hour: Money | None = None
    """What an hour of a person's work costs."""
    hours: Mapping[str, Hours] = {}
    """By setup, or by kind: `base`, `fine-tuned`, `rag`, `hybrid`, `custom`, `routed`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Prices:
        if not (self.models or self.setups):
            raise ValueError("models or setups: give the price of one model at least")
        if self.hours and self.engineer_hour is None:
            raise ValueError("hours: need engineer_hour, what one of them costs")
        if self.engineer_hour is not None and not self.hours:
            raise ValueError("engineer_hour: needs hours, by setup or kind")
        return self


def load_prices(path: Path) -> Prices:
    """The price file at `path`. Raises `BakeoffError` listing every fault in it."""
    return validated(Prices, path, read_yaml(path))
