"""The scorer that a metric names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from bakeoff.core.hints import did_you_mean
from bakeoff.core.plugins import Registry
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError
from bakeoff.metrics.scorer import REGISTERED, Scorer
from bakeoff.metrics.scorers import MODULES
from bakeoff.spec.functions import load_function
from bakeoff.spec.metric import Metric, behind_endpoint


class _Shipped(Mapping[str, Scorer]):
    """Imports the module of a scorer when it is looked up."""

    def __init__(self) -> None:
        self._modules = {name: module for module, names in MODULES.items() for name in names}

    def __getitem__(self, name: str) -> Scorer:
        module = import_module(f"bakeoff.metrics.scorers.{self._modules[name]}")
        return REGISTERED[getattr(module, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._modules))

    def __len__(self) -> int:
        return len(self._modules)


def scorers() -> Mapping[str, Scorer]:
    """Every scorer that comes with bakeoff, by name; what is not looked up is not imported."""
    return _Shipped()


def _scorer_of(function: Callable[..., Any], name: str) -> Scorer:
    """A function as a scorer, with the facts given to `@scorer`."""
    registered = REGISTERED.get(function)
    return replace(registered, name=name) if registered else Scorer(name, function)


def find_scorer(metric: Metric, folder: Path) -> Scorer:
    """The scorer a metric names, its settings checked. Raises `BakeoffError`."""
    if "::" in metric.name:
        scorer = _scorer_of(load_function(metric.name, folder), metric.name)
    else:
        shipped, added = scorers(), Registry[Scorer | Callable[..., Any]]("scorers", {})
        part = shipped.get(metric.name) or added.find(metric.name)
        if part is None:
            hint = did_you_mean(metric.name, list(dict.fromkeys([*shipped, *added.names()])))
            more = f"{'' if hint.endswith('?') else ';'} `{program()} scorers list` has all"
            raise BakeoffError(f"no scorer named '{metric.name}'{hint}{more}")
        scorer = part if isinstance(part, Scorer) else _scorer_of(part, metric.name)
    known_settings = scorer.settings()
    for name, value in metric.settings:
        if name not in known_settings:
            takes = ", ".join(known_settings) or "none"
            raise BakeoffError(f"{metric.name} has no setting '{name}'; it takes {takes}")
        default = known_settings[name]
        kind = (int, float) if type(default) is float else type(default)
        if default is not inspect.Parameter.empty and not isinstance(value, kind):
            raise BakeoffError(
                f"{metric.name}: {name} must be of the kind of {default!r}, found {value!r}"
            )
        if value not in scorer.choices.get(name, (value,)):
            hint = did_you_mean(str(value), scorer.choices[name])
            raise BakeoffError(f"{metric.name}: {name}: there is no '{value}'{hint}")
    if metric.judge.endswith(".json"):
        _check_calibrated(metric, folder / metric.judge)
    if scorer.asks == "judge" and not behind_endpoint(metric.judge):
        raise BakeoffError(
            f"{metric}: name the judge to ask: verifier='ENDPOINT:MODEL', with ENDPOINT one of "
            "the benchmark's endpoints"
        )
    settings = {**known_settings, **dict(metric.settings)}
    if scorer.check and (problem := scorer.check(**settings)):
        raise BakeoffError(f"{metric}: {problem}")
    return replace(scorer, bounds=scorer.bounds_by(**settings)) if scorer.bounds_by else scorer


def _check_calibrated(metric: Metric, path: Path) -> None:
    """Raises `BakeoffError` where a file of calibrated probabilities is not there, or is none."""
    from bakeoff.metrics.scorers.support import calibrated

    if not path.is_file():
        raise BakeoffError(f"{metric}: there is no file {path}")
    try:
        calibrated(path)
    except BakeoffError as error:
        raise BakeoffError(f"{metric}: {error}") from error
