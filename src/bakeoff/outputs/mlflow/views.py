"""What pages of the UI open with: its own shared views, kept as tags of the experiment.

Their form is the UI's (MLflow 3.17); what another version does not know, it leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.mlflow import links
from bakeoff.outputs.mlflow.names import HEADLINE, TAG, key, metrics

LETTER, AROUND, ID = 7, 32, 180
"""Pixels of the table of runs: of a letter of a column's name, beside the name, of a run's id."""
_TRACES = "trace_name,input,output,duration,state,tokens,tags"
"""The columns of the traces: the name is the setup, which the UI's own choice leaves out."""


def shared(run: Run) -> dict[str, str]:
    """The tags of the experiment that hold the views."""
    single = {"cols": _TRACES, "startTimeLabel": "ALL"}
    state = json.dumps({"single": single, "multi": {}})
    at = int(run.manifest.started.timestamp() * 1000)
    traces = {"name": "setups", "createdAt": at, "updatedAt": at, "state": state}
    return {
        f"mlflow.sharedViewState.{links.VIEW}": _table(run),
        f"mlflow.sharedViewState.{run.manifest.run}": _one(run),
        f"mlflow.tracesV4ViewState.{links.VIEW}": json.dumps(traces),
    }


def _table(run: Run) -> str:
    """The columns of the experiment's table of runs."""
    shown = [
        name
        for task, facts in run.comparison.tasks.items()
        for name in (
            key(task, facts.headline, top=True),
            *(f"{key(task, facts.headline, top=False)} {end}" for end in ("low", "high")),
        )
    ]
    columns = {f"metrics.`{name}`": _width(name) for name in shown}
    columns |= {f"tags.`{n}`": _width(n) for n in ("gate", "baseline", "night", "invocation")}
    return json.dumps(
        {
            "orderByKey": "attributes.start_time",
            "selectedColumns": list(columns),
            # The UI takes the widths of those columns alone whose order it is given.
            "columnOrder": list(columns),
            "columnWidths": columns,
            # The UI's own choice hides all setups but ten.
            "runsHiddenMode": "SHOW_ALL",
        }
    )


def _width(name: str) -> int:
    """Pixels that show a column's name whole, and the ids below it."""
    return max(ID if name == "invocation" else 0, LETTER * len(name) + AROUND)


def _one(run: Run) -> str:
    """One bake-off: all of its setups, where the UI would hide all but ten."""
    state: dict[str, Any] = {
        "searchFilter": f"tags.invocation = '{run.manifest.run}'",
        "orderByKey": "attributes.start_time",
        "runsHiddenMode": "SHOW_ALL",
    }
    whole = json.dumps(state | _charts(run))
    # Of very many tasks, the UI lays the charts out by itself.
    return whole if len(whole) <= TAG else json.dumps(state)


def _charts(run: Run) -> dict[str, Any]:
    """The headline first, two charts a row: in three the UI cuts their names off."""
    charts = [
        {
            "type": "BAR",
            "uuid": f"{HEADLINE} {number}",
            "metricSectionId": HEADLINE,
            "metricKey": name,
            "runsCountToCompare": 10,
            "isGenerated": True,
            "deleted": False,
        }
        for number, name in enumerate(_headlines(run))
    ]
    part = {"display": True, "isReordered": False, "deleted": False, "isGenerated": True}
    names = (HEADLINE, *run.comparison.tasks)
    sections = [{"uuid": name, "name": name, **part, "columns": 2} for name in names]
    return {
        "compareRunCharts": charts,
        "compareRunSections": sections,
        "isAccordionReordered": True,
    }


def _headlines(run: Run) -> Iterator[str]:
    """The keys of the headline section, in their order; of all setups."""
    keys = dict.fromkeys(key for setup in run.suite.setups for _, key in metrics(run, setup))
    yield from (name for name in keys if name.startswith(f"{HEADLINE}/"))
