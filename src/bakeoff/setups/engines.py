"""The engines of a benchmark: one for each set of weights, and the adapters that they serve."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError, sha256_file
from bakeoff.models import wheels
from bakeoff.models.device import choose_dtype
from bakeoff.models.engine import Engine, EngineModel, Lodging
from bakeoff.models.engine_program import version_of
from bakeoff.models.served import Tally
from bakeoff.models.tokenizer import load_tokenizer
from bakeoff.models.weights import Weights, resolve
from bakeoff.runs.opened import EngineFacts
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.engines import EngineSpec
from bakeoff.spec.recipes import Tune


@dataclass
class Engines:
    """What runs the local models of a benchmark that names an engine. Close it after use."""

    suite: Suite
    spec: EngineSpec
    cache: Path
    environment: Mapping[str, str]
    progress: Progress
    tallies: dict[str, Tally]
    """Model -> how the token counts of its server differ from those of its tokenizer."""
    open: dict[str, Engine] = field(default_factory=dict)
    """Reference, or the digest of weights that were all trained -> its engine."""

    def base(self, reference: str) -> EngineModel:
        """The model of this reference without an adapter, its server running.

        Raises `BakeoffError` when it does not start.
        """
        if reference not in self.open:
            weights = _weights(self.spec, reference, self.cache)
            self._start(reference, reference, weights, _lodging(self.suite, reference))
        return EngineModel(self.open[reference])

    def tuned(self, reference: str, digest: str, folder: Path, *, whole: bool) -> EngineModel:
        """The model with an adapter, served and proved to act; or weights that were all trained.

        Those have a server of their own. Raises `BakeoffError`.
        """
        if not whole:
            engine = self.base(reference).engine
            engine.serve(digest, folder)
            return EngineModel(engine, digest)
        if digest not in self.open:
            weights = Weights(f"{reference} ({digest})", folder, digest)
            self._start(digest, reference, weights, Lodging())
        return EngineModel(self.open[digest])

    def _start(self, key: str, reference: str, weights: Weights, lodging: Lodging) -> None:
        program = self.spec.program(self.environment)
        assert program  # `readiness` has refused a benchmark without one
        tokenizer = load_tokenizer(reference, self.cache)
        if tokenizer[1].is_plain:
            raise BakeoffError(
                f"model '{reference}': it has no chat template, which an engine needs: leave out "
                "`engine`, and it is asked in plain text"
            )
        engine = Engine(
            spec=self.spec,
            weights=weights,
            dtype=choose_dtype(self.suite.dtype),
            lodging=lodging,
            program=program,
            version=version_of(self.spec, program),
            folder=self.cache / "engines",
            progress=self.progress,
            tokenizer=tokenizer,
            tally=self.tallies.setdefault(reference, Tally()),
        )
        self.open[key] = engine
        engine.start()
        self.progress.note(
            f"engine {self.spec.kind} {engine.version}: {weights.folder.name}, ready in "
            f"{engine.start_s:.0f} s"
        )

    def facts(self) -> dict[str, EngineFacts]:
        """Their facts for a manifest."""
        return {
            key: EngineFacts(
                kind=self.spec.kind,
                version=engine.version,
                arguments=engine.arguments,
                weights=engine.weights.digest,
                adapters=tuple(engine.adapters),
                start_s=None if engine.start_s is None else round(engine.start_s, 1),
                restarts=engine.restarts,
            )
            for key, engine in self.open.items()
        }

    def close(self) -> None:
        for engine in self.open.values():
            engine.close()


def _weights(spec: EngineSpec, reference: str, cache: Path) -> Weights:
    """What the engine reads of a model. Raises `BakeoffError` where it cannot."""
    if not spec.of.gguf:
        return resolve(reference, cache)
    if reference == "embedded":
        file = wheels.folder(wheels.GENERATOR, cache) / wheels.GENERATOR.checked
    else:
        file = Path(reference).expanduser()
    if file.suffix != ".gguf" or not file.is_file():
        raise BakeoffError(f"model '{reference}': {spec.kind} runs .gguf files; name one")
    return Weights(reference, file, sha256_file(file)[:16])


def _lodging(suite: Suite, reference: str) -> Lodging:
    """Room for the adapters of all setups on a model."""
    tuned = [
        (setup, setup.tune)
        for setup in suite.setups.values()
        if not setup.custom and setup.model == reference and setup.tune
    ]
    kept = [(setup, tune) for setup, tune in tuned if tune.method != "full"]
    shared = {
        (tune.model_dump_json(), "" if tune.adapter or tune.together else task)
        for setup, tune in kept
        for task in suite.names
        if setup.takes(task)
    }
    ranks = [rank for setup, tune in kept for rank in _ranks(suite, setup, tune)]
    return Lodging(len(shared), max(ranks, default=0))


def _ranks(suite: Suite, setup: Setup, tune: Tune) -> Iterator[int]:
    if tune.adapter:
        from bakeoff.setups.tuning.adapter import CONFIG, ready_adapter

        yield int(json.loads((ready_adapter(tune.adapter).folder / CONFIG).read_text())["r"])
        return
    for task in suite.names:
        recipe = suite.use(task).recipe(tune)
        yield from (recipe.rank, *(recipe.sweep.rank if recipe.sweep else ()))
