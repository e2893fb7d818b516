"""Where a bake-off is to be seen in the MLflow UI. Imports no mlflow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from bakeoff.core.words import BakeoffError
from bakeoff.runs.store import read_json, write_json
from bakeoff.spec.yaml_files import Stored, validated

LOGGED = "mlflow.json"
"""In a run's folder: where it was logged."""


VIEW = "bakeoff"
"""The shared views that choose the columns of the table of runs, and of traces."""


class Logged(Stored):
    """The place of a run in MLflow."""

    uri: str
    experiment: str
    invocation: str
    runs: Mapping[str, str]
    """Setup -> run id."""
    view: str = ""
    """The shared view of its runs alone; what was logged before has none."""


def keep(folder: Path, logged: Logged) -> None:
    """Keep beside a run where it was logged, as far as its folder can be written."""
    try:
        write_json(folder / LOGGED, logged.model_dump())
    except BakeoffError:
        return


def read(folder: Path) -> Logged | None:
    """Where a run was logged; `None` when it was not. Raises `BakeoffError` for a damaged file."""
    path = folder / LOGGED
    if not path.is_file():
        return None
    return validated(Logged, path, read_json(path))


def links(logged: Logged, ui: str) -> dict[str, str]:
    """What can be seen -> its address in the UI at `ui`."""
    runs = list(logged.runs.values())
    ui = re.sub(r"(?<=://)[^/@]*@", "", ui).rstrip("/")
    here = f"{ui}/#/experiments/{logged.experiment}"
    filtered = "searchFilter=" + _quoted(f"tags.invocation = '{logged.invocation}'")
    only = f"viewStateShareKey={logged.view}" if logged.view else filtered
    addresses = {
        "runs": f"{here}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}",
        "charts": f"{here}/runs?workflowType=machine_learning&compareRunsMode=CHART&{only}",
        "outputs": f"{here}/runs?workflowType=machine_learning&compareRunsMode=ARTIFACT&{only}",
        "compare": f"{ui}/#/compare-runs?runs={_listed(runs)}"
        f"&experiments={_listed([logged.experiment])}",
        "traces": f"{here}/traces?startTimeLabel=ALL&traceViewShareKey={VIEW}",
    }
    if len(runs) > 1:
        pair = f"selectedRunUuid={runs[-1]}&compareToRunUuid={runs[0]}"
        addresses["samples"] = f"{here}/evaluation-runs?{pair}"
    return addresses


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _listed(values: Sequence[str]) -> str:
    return _quoted(json.dumps(list(values), separators=(",", ":")))
