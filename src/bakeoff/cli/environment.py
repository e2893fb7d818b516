"""What the environment says to the commands, all of it read here; keys of endpoints apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """The variables that commands know; texts are empty where one is not set."""

    cache: str
    """`BAKEOFF_CACHE`, or `bakeoff` in `XDG_CACHE_HOME`."""
    results: str
    """`BAKEOFF_RESULTS`."""
    data: str
    """`BAKEOFF_DATA`: local copies of data sets."""
    webhook: str
    """`BAKEOFF_WEBHOOK`: where alerts go."""
    tracking_uri: str
    """`MLFLOW_TRACKING_URI`."""
    step_summary: str
    """`GITHUB_STEP_SUMMARY`: the file that a workflow's page shows."""
    workflow: bool
    """Whether a workflow of GitHub runs the command."""
    coloured: bool
    """`FORCE_COLOR`."""
    display: bool
    """Whether there is a display of X11 or Wayland."""


def environment() -> Environment:
    """As it is now."""
    known = os.environ
    cache = Path(known.get("XDG_CACHE_HOME", "~/.cache")) / "bakeoff"
    return Environment(
        cache=known.get("BAKEOFF_CACHE", str(cache)),
        results=known.get("BAKEOFF_RESULTS", "results"),
        data=known.get("BAKEOFF_DATA", ""),
        webhook=known.get("BAKEOFF_WEBHOOK", ""),
        tracking_uri=known.get("MLFLOW_TRACKING_URI", ""),
        step_summary=known.get("GITHUB_STEP_SUMMARY", ""),
        workflow=known.get("GITHUB_ACTIONS") == "true",
        coloured=bool(known.get("FORCE_COLOR")),
        display=bool(known.get("DISPLAY")) or "WAYLAND_DISPLAY" in known,
    )
