"""The benchmark that a call names, with functions as setups, and the plan of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bakeoff.api.options import choice_of
from bakeoff.core.hints import shown
from bakeoff.core.words import BakeoffError, faults
from bakeoff.running import environment as here
from bakeoff.running.plan import Plan
from bakeoff.running.planning import plan_of
from bakeoff.spec.benchmark import Suite, suite_of
from bakeoff.spec.functions import reference_to
from bakeoff.spec.shipped import BENCHMARKS, find
from bakeoff.spec.yaml_files import read_yaml

BenchmarkLike = str | Path | Suite | Mapping[str, object]
"""A file, a name, or the contents of a file: paths in these begin at `./benchmarks`."""
Functions = Mapping[str, Callable[..., Any]]
"""Setup -> a function of a sample (and its task)."""


def plan_for(
    benchmark: BenchmarkLike,
    setups: Functions | None,
    data: str | Path | None,
    options: Mapping[str, object],
    *,
    dead_gates: bool = False,
) -> Plan:
    """The plan of a benchmark, as the command line makes it; `options` are `Options`.

    Raises `BakeoffError`.
    """
    functions = _functions(setups)
    choice = choice_of(options)
    suite, file = suite_for(benchmark, functions)
    folder = here.data_folder(Path(data) if data else None)
    return plan_of(suite, file, folder, choice, functions=functions, dead_gates=dead_gates)


def _functions(setups: object) -> dict[str, Callable[..., Any]]:
    if not isinstance(setups, Mapping | None):
        raise BakeoffError(f"setups: must be a mapping, name: function (found {shown(setups)})")
    functions = dict(setups or {})
    faults(
        [
            f"setups.{name}: must be a function of a sample (found {shown(function)})"
            for name, function in functions.items()
            if not callable(function)
        ]
    )
    return functions


def suite_for(
    benchmark: BenchmarkLike, functions: Functions = MappingProxyType({})
) -> tuple[Suite, Path]:
    """The benchmark with the functions beside its setups, and the file that messages name."""
    more = {name: {"call": reference_to(function)} for name, function in functions.items()}
    if isinstance(benchmark, str | Path):
        file = find(str(benchmark), BENCHMARKS)
        return suite_of(read_yaml(file), file, more), file
    if not isinstance(benchmark, Suite | Mapping):
        raise BakeoffError(
            "benchmark: must be a file, a name or the contents of a file "
            f"(found {shown(benchmark)})"
        )
    raw = benchmark.model_dump(mode="json") if isinstance(benchmark, Suite) else dict(benchmark)
    file = Path(BENCHMARKS, f"{raw.get('name') or 'unnamed'}.yaml")
    return suite_of(raw, file, more), file
