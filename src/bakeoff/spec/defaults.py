"""What a benchmark file leaves out, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.core.hints import shown


def named_tasks(tasks: Sequence[Any]) -> dict[str, Any]:
    """A list of tasks, names or mappings of a name to its use, as one mapping."""
    named: dict[str, Any] = {}
    for entry in tasks:
        use = entry if isinstance(entry, dict) else {name_of(entry, "tasks"): {}}
        for name, value in use.items():
            if name_of(name, "tasks") in named:
                raise ValueError(f"tasks: '{name}' is named twice")
            named[name] = value or {}
    return named


def name_of(name: Any, part: str) -> str:
    """The name of a task or setup; YAML reads `no` and `7` as something else."""
    if not isinstance(name, str):
        raise ValueError(f"{part}: a name must be a text (found {shown(name)}); quote it")
    return name


def setups_by_rows(name: str, spec: Any) -> dict[str, Any]:
    """A learning curve, `tune: {rows: [50, 100]}`, as one setup for each number of rows."""
    spec = spec or {}
    tune = spec.get("tune") if isinstance(spec, dict) else None
    rows = tune.get("rows") if isinstance(tune, dict) else None
    if not isinstance(tune, dict) or not isinstance(rows, list):
        return {name: spec}
    if len(set(map(str, rows))) < max(2, len(rows)):
        raise ValueError(f"setups: {name}: tune.rows: give two different numbers or more")
    return {f"{name}-{n}": {**spec, "tune": {**tune, "rows": n}} for n in rows}


def with_defaults(name: str, spec: Any, defaults: Mapping[str, Any], model: str) -> Any:
    """A setup in which `tune: true` and the like stand for the benchmark's own recipe."""
    if spec is not None and not isinstance(spec, dict):
        raise ValueError(f"setups: {name}: write a mapping, such as {{retrieve: true}}")
    filled = {"model": model, **(spec or {}), "name": name}
    for part, default in defaults.items():
        if filled.get(part) is True:
            filled[part] = default
        elif filled.get(part) is False:
            filled[part] = None
        elif isinstance(filled.get(part), str) and part == "tune":
            filled[part] = {"adapter": filled[part]}
        elif isinstance(filled.get(part), dict):
            filled[part] = {**default, **filled[part]}
    return filled
