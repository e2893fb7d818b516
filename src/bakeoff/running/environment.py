"""The environment variables, all read here but for keys of endpoints: folders, a server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core.words import BakeoffError

if TYPE_CHECKING:
    from bakeoff.setups.builder import Workspace


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
    cache = Path(os.getenv("XDG_CACHE_HOME", "~/.cache")) / "bakeoff"
    return Environment(
        cache=os.getenv("BAKEOFF_CACHE", str(cache)),
        results=os.getenv("BAKEOFF_RESULTS", "results"),
        data=os.getenv("BAKEOFF_DATA", ""),
        webhook=os.getenv("BAKEOFF_WEBHOOK", ""),
        tracking_uri=os.getenv("MLFLOW_TRACKING_URI", ""),
        step_summary=os.getenv("GITHUB_STEP_SUMMARY", ""),
        workflow=os.getenv("GITHUB_ACTIONS") == "true",
        coloured=bool(os.getenv("FORCE_COLOR")),
        display=bool(os.getenv("DISPLAY")) or "WAYLAND_DISPLAY" in os.environ,
    )


def cache_folder() -> Path:
    """Where models, adapters, indexes and answers are cached."""
    return _expanded(environment().cache)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # of a user without a home
        raise BakeoffError(f"{path}: {error}; BAKEOFF_CACHE names a folder to use") from error


def results() -> Path:
    """The folder of runs."""
    return Path(environment().results)


def data_folder(option: Path | None) -> Path | None:
    """Where local copies of public data sets are, if anywhere."""
    named = environment().data
    return option or (Path(named).expanduser() if named else None)


def workspace(data: Path | None) -> Workspace:
    """Where a run keeps things, and the environment that holds the keys of endpoints."""
    from bakeoff.setups.builder import Workspace

    return Workspace(cache_folder(), results(), data_folder(data), os.environ)


def tracking_uri() -> str:
    """The tracking server, or else a database in the folder of runs, which is made."""
    named = environment().tracking_uri
    folder = results()
    folder.mkdir(parents=True, exist_ok=True)
    return named or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
