"""Files that a pattern of a task file matches."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from bakeoff.core.words import BakeoffError

_WILD = re.compile(r"[*?\[]")
_SHOWN = 5
NO_TEXT = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".bmp", ".tif", ".tiff"),
        *(".css", ".js", ".map", ".woff", ".woff2", ".ttf", ".otf", ".eot"),
        *(".mp3", ".mp4", ".wav", ".webm", ".mov", ".zip", ".tar", ".tgz", ".7z", ".rar"),
        *(".pyc", ".so", ".dll", ".exe", ".bin", ".db", ".sqlite", ".lock", ".tmp", ".bak"),
    )
)
"""Endings of files found among documents that are not documents."""


def matching(pattern: str, path: Path, place: str) -> list[Path]:
    """The files that a path or glob of the task file `path` matches, relative to it, sorted.

    Hidden files and locks of office programs are left out. Raises `BakeoffError` that begins with
    `place` and says what is there instead where none matches.
    """
    files = sorted(file for file in _globbed(pattern, path, place) if _counts(file))
    if not files:
        there = _there(pattern, path.parent)
        raise BakeoffError(f"{place}: no file matches '{pattern}'; {there}")
    return files


def fixed_folder(pattern: str, path: Path) -> Path:
    """The folder that all files of a pattern are in: its parts before the first wildcard."""
    folder = path.parent
    for part in Path(pattern).parts[:-1]:
        if _WILD.search(part):
            break
        folder /= part
    return folder


def _globbed(pattern: str, path: Path, place: str) -> list[Path]:
    exact = path.parent / pattern
    if exact.is_file():  # also a name that holds brackets
        return [exact]
    anchor = Path(pattern).anchor
    try:
        return list(Path(anchor or path.parent).glob(pattern[len(anchor) :]))
    except (NotImplementedError, ValueError, IndexError) as error:
        raise BakeoffError(f"{place}: '{pattern}' is not a path or glob: {error}") from error


def _counts(file: Path) -> bool:
    return not file.name.startswith((".", "~$")) and not file.is_dir()


def _there(pattern: str, folder: Path) -> str:
    """What is where the pattern looks: for a message."""
    whole = folder / pattern
    if pattern and whole.is_dir():
        endings = Counter(file.suffix for file in whole.rglob("*") if _counts(file))
        if not endings:
            return "it is an empty folder"
        most = endings.most_common(1)[0][0]
        return f"it is a folder: {Path(pattern) / '**' / f'*{most}'} names the files in it"
    place = fixed_folder(pattern, folder / "task.yaml")
    while not place.is_dir():
        missing, place = place.name, place.parent
        if place.is_dir():
            return f"there is no '{missing}' in {place}{_names(place)}"
    return f"in {place} there are no such files{_names(place)}"


def _names(folder: Path) -> str:
    names = sorted(
        entry.name + "/" * entry.is_dir()
        for entry in folder.iterdir()
        if not entry.name.startswith(".")
    )
    if not names:
        return ": it is empty"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f", but {', '.join(names[:_SHOWN])}{more}"
