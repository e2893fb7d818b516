"""Files of the driver that workers without its disk ask for by name, and what they hand over.

Names are `CODE`, `MODEL` with a reference, and folders of the cache such as `adapters/KEY`.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bakeoff.core.words import BakeoffError, sha256_file
from bakeoff.running.fleet.messages import (
    Brief,
    Handed,
    Listed,
    Piece,
    Read,
    SentFile,
    Wanted,
    Whole,
)
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.metric import Metric
from bakeoff.spec.recipes import PARAPHRASES, Tune
from bakeoff.tasks.load import Task

CODE = "code"
"""The files of the user's functions, and those of tasks that training reads, by their absolute
paths without the first slash."""
MODEL = "model:"
PIECE = 8 * 2**20
"""Bytes of a file in one message."""
MADE = re.compile(r"(adapters|indexes)/[0-9a-f]+")
"""What workers may hand over."""
KEPT = re.compile(r"(adapters|indexes|models)/\w[\w.-]*")
"""What of the cache they may ask for."""


class Depot:
    """What a driver gives to its workers, and takes from them into its cache."""

    def __init__(self, brief: Brief) -> None:
        self.brief, self.cache = brief, brief.cache
        self._known: dict[str, dict[str, Path]] = {}
        """Name -> path within what is sent -> the file."""
        self._listed: dict[str, Listed] = {}
        self._arriving: dict[str, Path] = {}

    def answer(self, message: object) -> object | None:
        """The answer to a worker's message about files; `None` for one that needs none."""
        if isinstance(message, Wanted):
            return self._list(message.name)
        if isinstance(message, Read):
            with self._known[message.name][message.path].open("rb") as stream:
                stream.seek(message.offset)
                return Piece(stream.read(PIECE))
        if isinstance(message, Handed):
            self._take(message)
        elif isinstance(message, Whole):
            self._finish(message)
        return None

    def _list(self, name: str) -> Listed:
        if name not in self._listed:
            known = dict(self._files(name))
            if not known:
                return Listed(())  # it may be made later
            self._known[name], self._listed[name] = known, listed(known)
        return self._listed[name]

    def _files(self, name: str) -> Iterator[tuple[str, Path]]:
        if name == CODE:
            suite, folder = self.brief.suite, self.brief.file.parent
            for path in {*code_files(suite, folder), *task_files(suite, self.brief.tasks)}:
                yield inside(path), path
        elif name.startswith(MODEL):
            model = Path(name.removeprefix(MODEL)).expanduser()
            yield from _all(model) if model.is_dir() else [(model.name, model)]
        elif KEPT.fullmatch(name):
            yield from _all(self.cache / name)

    def _take(self, message: Handed) -> None:
        if not MADE.fullmatch(message.name) or ".." in Path(message.path).parts:
            raise BakeoffError(f"a worker handed over {message.name}/{message.path}")
        if message.name not in self._arriving:
            folder = (self.cache / message.name).parent
            folder.mkdir(parents=True, exist_ok=True)
            self._arriving[message.name] = Path(tempfile.mkdtemp(dir=folder))
        path = self._arriving[message.name] / message.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(message.data)

    def _finish(self, message: Whole) -> None:
        """Put in place what came whole; what a lost worker left is begun again by the next one."""
        arrived = self._arriving.pop(message.name)
        if listed(dict(_all(arrived))).files != message.files:
            shutil.rmtree(arrived)
            raise BakeoffError(f"{message.name}: what came from a worker is not what it has")
        if (self.cache / message.name).exists():
            shutil.rmtree(arrived)
        else:
            arrived.replace(self.cache / message.name)

    def forget(self) -> None:
        """Drop what a lost worker was handing over."""
        for folder in self._arriving.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._arriving.clear()


def listed(files: Mapping[str, Path]) -> Listed:
    """Files as they are, in the order of their paths."""
    return Listed(
        tuple(
            SentFile(path, file.stat().st_size, sha256_file(file))
            for path, file in sorted(files.items())
        )
    )


def inside(path: Path) -> str:
    """An absolute path as one within the folder that stands for the driver's disk."""
    return path.relative_to(path.anchor).as_posix()


def _all(folder: Path) -> list[tuple[str, Path]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path) for path in files]


def apart(brief: Brief) -> Brief:
    """The brief for a worker that sees nothing of this disk: places as `Depot` gives them out."""
    return replace(
        brief,
        apart=True,
        file=_real(brief.file),
        tasks={n: replace(task, folder=task.folder.resolve()) for n, task in brief.tasks.items()},
        paths=[str(Path(path).resolve()) for path in brief.paths],
        models=models(brief.suite),
    )


def _real(file: Path) -> Path:
    """Its own name stays: it is named by that, wherever a link of that name leads."""
    return file.parent.resolve() / file.name


def recipes(suite: Suite) -> Iterator[tuple[str, Tune]]:
    """(task, recipe) of what is trained here, as the task has the recipe."""
    tasks = [Path(name).stem for name in suite.tasks]
    for setup in suite.setups.values():
        tune = setup.tune
        if tune and not tune.adapter and suite.backend(setup.model).weights:
            yield from ((t, suite.use(t).recipe(tune)) for t in tasks if setup.takes(t))


def references(suite: Suite) -> tuple[list[str], list[str]]:
    """The models and the embedders that setups answer with, and are trained with."""
    trained = [recipe for _, recipe in recipes(suite)]
    setups = [setup for setup in suite.setups.values() if not setup.custom]
    models = [setup.model for setup in setups]
    models += [recipe.cpt.paraphraser for recipe in trained if recipe.cpt]
    models += [endpoint.tokenizer or "" for endpoint in suite.endpoints.values()]
    read = [setup.retrieve for setup in setups if setup.retrieve]
    # Training rows are shown with passages as the benchmark finds them.
    read += [suite.retrieve] if trained else []
    embedders = [spec.embedder for spec in read if spec.vectors]
    return list(filter(None, models)), embedders


def models(suite: Suite) -> tuple[str, ...]:
    """The references of a benchmark that are files or folders of this machine."""
    generators, embedders = references(suite)
    setups = suite.setups.values()
    adapters = [setup.tune.adapter for setup in setups if setup.tune]
    rerankers = [spec.rerank for spec in (*(s.retrieve for s in setups), suite.retrieve) if spec]
    named = [*generators, *adapters, *embedders, *rerankers]
    local = [name for name in named if name and suite.endpoint_of(name) is None]
    paths = [name for name in local if name != "embedded" and not name.startswith("hf:")]
    return tuple(dict.fromkeys(name for name in paths if Path(name).expanduser().exists()))


def task_files(suite: Suite, tasks: Mapping[str, Task]) -> list[Path]:
    """The files beside tasks that training reads: paraphrases, scorers of what is distilled."""
    files: set[Path] = set()
    for name, recipe in recipes(suite):
        if name not in tasks:
            continue
        task = tasks[name]
        if recipe.cpt and recipe.cpt.paraphraser.endswith(PARAPHRASES):
            files.update(task.folder.glob(recipe.cpt.paraphraser))
        if recipe.distill:
            headline = Metric.parse(task.file.headline_metric)
            if "::" in headline.name:
                files.update(_modules_of(headline.name.rpartition("::")[0], task.folder))
            if headline.judge.endswith(".json"):
                files.add(task.folder / headline.judge)
    return sorted(files)


def code_files(suite: Suite, folder: Path) -> list[Path]:
    """The modules of the functions that setups name, and those beside them that they may import.

    What is installed must be installed on workers, too.
    """
    wheres = {f.rpartition("::")[0] for setup in suite.setups.values() for f in setup.functions}
    files = {path for where in wheres for path in _modules_of(where, folder)}
    return sorted(files)


def _modules_of(where: str, folder: Path) -> Iterator[Path]:
    if where.endswith(".py"):
        yield from _beside(_real(folder / where).parent)
        return
    spec = importlib.util.find_spec(where.partition(".")[0])
    if spec is None or spec.origin is None or _installed(Path(spec.origin)):
        return
    origin = Path(spec.origin)
    if spec.submodule_search_locations:
        yield from origin.parent.rglob("*.py")
    else:
        yield from _beside(origin.parent)


def _beside(folder: Path) -> Iterator[Path]:
    """The modules and packages of a folder."""
    yield from folder.glob("*.py")
    for package in folder.iterdir():
        if (package / "__init__.py").is_file():
            yield from _beside(package)


def _installed(path: Path) -> bool:
    homes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    return "site-packages" in path.parts or any(path.is_relative_to(home) for home in homes)
