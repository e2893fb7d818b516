"""The names by which people call a run: a folder, an id or its beginning, a benchmark, `latest`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError
from bakeoff.runs.manifest import COMPLETE
from bakeoff.runs.store import MANIFEST, STAMP

LATEST = "latest"
_NAME = re.compile(r"(?P<name>.+?)(~(?P<back>\d+))?")
_SHOWN = 5
"""Runs that a message names."""


def runs_in(results: Path, benchmark: str = "*") -> list[Path]:
    """The folders of all runs, or of one benchmark's, newest first, those without a time last."""
    folders = [path.parent for path in results.glob(f"{benchmark}/*/{MANIFEST}")]
    # An id begins with its date. A run of another name, such as a reference, is not the latest.
    return sorted(folders, key=lambda f: (f.name[:1].isdigit(), f.name), reverse=True)


def find_run(text: str, results: Path, *, benchmark: str = "", newest: bool = False) -> Path:
    """The run that `text` names.

    A folder; `latest`, or `latest~2` for the second before it; the name or the file of a benchmark,
    with or without `~2`; an id, or the beginning of one. `latest` is of `benchmark`, else of the
    benchmark that was run last. Complete runs come before others, which count only where there is
    no complete one; with `newest`, the last run that was started counts, whatever became of it.
    Raises `BakeoffError` when there is none, or when a beginning fits several.
    """
    if (Path(text) / MANIFEST).is_file():
        return Path(text)
    parts = _NAME.fullmatch(text)
    name, back = (parts["name"], int(parts["back"] or 0)) if parts else (text, 0)
    if name == LATEST:
        known = runs_in(results, benchmark or "*")
        known = [run for run in known if run.parent == known[0].parent]
    else:
        known = runs_in(results, of) if (of := _benchmark(name)) else []
    if known:
        return _back(text, known if newest else complete_first(known), back)
    return _by_id(text, results)


def passed_over(text: str, folder: Path, results: Path) -> str:
    """A sentence on a newer run than the one that `text` was taken to name; empty without one."""
    if "~" in text or (last := find_run(text, results, newest=True)) == folder:
        return ""
    return f"{text}: {folder.name}; the newer {last.name} is not complete"


def complete_first(runs: Sequence[Path]) -> list[Path]:
    """The complete ones of some runs, in their order; all where none is complete."""
    return [run for run in runs if is_complete(run)] or list(runs)


def is_complete(run: Path) -> bool:
    """Whether its manifest has the status complete; a damaged one does not."""
    try:
        manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("status") == COMPLETE


def started(run: Path) -> datetime | None:
    """The time that is in a run's id; `None` where it holds none."""
    try:
        return datetime.strptime(run.name, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _benchmark(name: str) -> str:
    """The name of a benchmark, of which its file or its folder of results may be given."""
    path = Path(name)
    written = path.stem if path.suffix in (".yaml", ".yml") else path.name
    return "" if written == ".." else escape(written)


def _back(text: str, runs: Sequence[Path], back: int) -> Path:
    if back < len(runs):
        return runs[back]
    raise BakeoffError(
        f"'{text}': {runs[0].parent} has {quantity(len(runs), 'such run')}, the "
        f"oldest is {runs[-1].name}"
    )


def _by_id(text: str, results: Path) -> Path:
    runs = runs_in(results)
    if not runs:
        raise BakeoffError(
            f"'{text}': no such run: none in {results} yet; `{program()} run BENCHMARK` makes one"
        )
    fitting = [run for run in runs if run.name == text]
    fitting = fitting or [run for run in runs if text and run.name.startswith(text)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(str(run) for run in (fitting or runs)[:_SHOWN])
    if fitting:
        raise BakeoffError(
            f"'{text}': {len(fitting)} runs begin with that: {shown}; write more of it"
        )
    raise BakeoffError(
        f"'{text}': no such run in {results}; name a folder, an id or its beginning, a benchmark, "
        f"or latest, such as {shown}; `{program()} runs` lists all"
    )
