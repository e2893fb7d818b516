"""Files that come with the program, found by name: tasks, benchmarks, prices, needs.

A wheel has them as data of the package; a clone has them at its top.
"""

from __future__ import annotations

import os
from pathlib import Path

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import BakeoffError

BENCHMARKS, PRICES, NEEDS = "benchmarks", "benchmarks/prices", "benchmarks/needs"
TASKS = "tasks"
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped() -> Path:
    """The folder of `tasks/` and `benchmarks/` that came with the program."""
    packed = _PACKAGE / "shipped"
    return packed if packed.is_dir() else _PACKAGE.parents[1]


def find(text: str, kind: str) -> Path:
    """The file that `text` names: a path, else a name in `./KIND`, else one that is shipped.

    A path has a suffix or a folder, and need not be there. Raises `BakeoffError` for a name that
    is nowhere, with those that are known.
    """
    path = Path(text)
    if (known := named(text, kind)) and not path.is_file():
        return known
    if path.is_dir():
        there = ", ".join(sorted(file.name for file in path.glob("*.yaml"))) or "no YAML file"
        raise BakeoffError(f"{path}: is a folder; name a file: it has {there}")
    if path.suffix in (".yaml", ".yml") or path.parent != Path() or path.is_file():
        return path
    raise BakeoffError(f"'{text}': no file, and no name in {kind}{did_you_mean(text, names(kind))}")


def named(text: str, kind: str) -> Path | None:
    """The file that a bare name means; a folder of that name, such as of documents, is another."""
    files = (folder / f"{text}.yaml" for folder in (Path(kind), shipped() / kind))
    bare = text == Path(text).name and not text.endswith((".yaml", ".yml"))
    return next((file for file in files if file.is_file()), None) if bare else None


def names(kind: str) -> list[str]:
    """The names that `find` knows, sorted."""
    folders = (Path(kind), shipped() / kind)
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def folder(kind: str) -> Path:
    """`./KIND` where it is there, else the shipped one."""
    own = Path(kind)
    return own if own.is_dir() else shipped() / kind


def shown(path: Path) -> str:
    """How a file of a benchmark is recorded: by its path from here, or the name of a shipped one.

    `find` reads it back.
    """
    own = Path(BENCHMARKS, path.name)
    if path == shipped() / BENCHMARKS / path.name and not own.is_file():
        return path.stem
    return os.path.relpath(path)


def is_shipped(path: Path) -> bool:
    """Whether a file, or where it leads, came with the program."""
    real = path.resolve()
    return any(real.is_relative_to((shipped() / kind).resolve()) for kind in (BENCHMARKS, TASKS))
