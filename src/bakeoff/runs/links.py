"""Links in a run's folder, as a stranger's folder may have: what is written stays inside."""

from __future__ import annotations

import os
from pathlib import Path

from bakeoff.core.words import BakeoffError
from bakeoff.runs.journal import UNITS

APPENDED = (f"{UNITS}/*/*.jsonl", "judged.sqlite*")


def refuse_links(run: Path) -> None:
    """Raise `BakeoffError` for a symbolic link in a run's folder; before writing into it.

    A run makes none. The folder itself may be reached by one.
    """
    for place, folders, files in os.walk(run):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                raise BakeoffError(
                    f"{path}: a link to {path.readlink()}: what is written there would change "
                    "what it leads to; remove it, or copy the folder (cp -rL) and use the copy"
                )


def refuse_shared(run: Path) -> None:
    """Raise `BakeoffError` for a file that would be appended to and has names outside its folder.

    Journals have two names in their own; files that are replaced as a whole may have any.
    """
    for pattern in APPENDED:
        for path in run.glob(pattern):
            mine = [other for other in path.parent.iterdir() if other.samefile(path)]
            if path.stat().st_nlink > len(mine):
                raise BakeoffError(
                    f"{path}: has another name outside of the run (a hard link), and what is "
                    "appended would change that, too; copy the folder (cp -r) and use the copy"
                )
