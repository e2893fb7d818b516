"""The options of `bakeoff run` as Python writes them, checked as the command checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import BeforeValidator, Field

from bakeoff.running.planning import Choice
from bakeoff.spec.benchmark import Dtype
from bakeoff.spec.yaml_files import File, validated
from bakeoff.tasks.selection import shard_of


class Options(TypedDict, total=False):
    """What is run of a benchmark, and how; all of it, as its file says, where left out."""

    limit: int | None
    """Samples per task at most, and rows for fine-tuning."""
    sample_ids: str | Sequence[str]
    tags: Mapping[str, str] | str | Sequence[str | tuple[str, str]]
    """Only samples with these, as `{"type": "number"}` or `"type=number"`."""
    repeats: int | None
    """How often each sample is asked."""
    dtype: Dtype | None
    """What local models compute in, even where it is emulated."""
    shard: str | tuple[int, int]
    """`"1/4"` or (1, 4): the first of four parts."""
    cached: bool
    """Whether answers may come from, and go to, the response cache."""
    executor: str
    """What carries it out, such as `processes:2` (`--on`)."""


class RunOptions(Options, total=False):
    """The same of a run that may go on with an earlier one."""

    retry_failed: bool
    """With `resume`: answers that failed are asked again."""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(value.items())
    return (
        tuple(_pair(one) for one in _listed(value)) if isinstance(value, str | Sequence) else value
    )


def _pair(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name, sign, rest = value.partition("=")
    if not sign:
        raise ValueError("write name=value")
    return name, rest


def _part(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = "/".join(map(str, value))
    return shard_of(value) if isinstance(value, str) else value


class _Options(File):
    limit: Annotated[int, Field(ge=1)] | None = None
    sample_ids: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    tags: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)] = ()
    repeats: Annotated[int, Field(ge=1)] | None = None
    dtype: Dtype | None = None
    shard: Annotated[tuple[int, int], BeforeValidator(_part)] = (1, 1)
    cached: bool = True
    executor: str = "here"


def choice_of(options: Mapping[str, object]) -> Choice:
    """The options in the form that plans are made of. Raises `BakeoffError` with all faults."""
    known = validated(_Options, Path("bakeoff.run"), dict(options))
    return Choice(**dict(known))
