"""Tuned weights, from rows and a recipe: from the cache, or trained now and kept there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

from filelock import FileLock, Timeout

from bakeoff.core import made_elsewhere
from bakeoff.core.progress import Progress, working
from bakeoff.core.words import canonical, digest
from bakeoff.runs.opened import Training, Trial
from bakeoff.setups.tuning.adapter import Adapter
from bakeoff.setups.tuning.job import Job
from bakeoff.setups.tuning.processes import together
from bakeoff.setups.tuning.trainer import ADAPTER, train
from bakeoff.spec.recipes import Tune


def tuned(job: Job, cache: Path, progress: Progress) -> Adapter:
    """What a job makes: from the cache, or trained now.

    Training that was stopped goes on at its last checkpoint. Of a sweep it is the trial with the
    lowest validation loss; the first of equals.
    """
    if job.recipe.sweep is None:
        return _kept(job, cache, progress)
    tried: list[tuple[Tune, Adapter, Training]] = []
    for trial in trials(job.recipe, job.seed):
        varied = ", ".join(f"{part} {getattr(trial, part)}" for part in _VARIED)
        name = f"{job.name}, trial {len(tried) + 1}: {varied}"
        made = _kept(replace(job, recipe=trial, name=name), cache, progress)
        assert made.training
        tried.append((trial, made, made.training))
    _, best, training = min(tried, key=lambda attempt: attempt[2].validation_loss)
    whole = {
        "seconds": round(sum(took.seconds for *_, took in tried), 2),
        "tokens": sum(took.tokens for *_, took in tried),
        "trials": tuple(_trial(trial, took) for trial, _, took in tried),
    }
    reused = all(made.reused for _, made, _ in tried)
    return replace(best, training=training.model_copy(update=whole), reused=reused)


def _trial(recipe: Tune, took: Training) -> Trial:
    return Trial(
        rank=recipe.rank,
        learning_rate=recipe.learning_rate,
        epochs=recipe.epochs,
        validation_loss=took.validation_loss,
        seconds=took.seconds,
    )


_VARIED = ("rank", "learning_rate", "epochs")


def trials(recipe: Tune, seed: int) -> list[Tune]:
    """The recipes of a sweep: a seeded choice of all combinations, within its budget."""
    assert recipe.sweep
    values = [getattr(recipe.sweep, name) or (getattr(recipe, name),) for name in _VARIED]
    recipes = []
    for chosen in product(*values):
        varied = dict(zip(_VARIED, chosen, strict=True))
        alpha = max(1, round(recipe.alpha / recipe.rank * varied["rank"]))
        recipes.append(recipe.model_copy(update={**varied, "alpha": alpha, "sweep": None}))
    ranked = sorted(recipes, key=lambda trial: digest([seed, canonical(trial.identity())]))
    return ranked[: recipe.sweep.budget]


def _kept(job: Job, cache: Path, progress: Progress) -> Adapter:
    key = job.key
    target = cache / "adapters" / key
    facts = target / "training.json"
    made_elsewhere.fetch(target)
    reused = facts.is_file()
    if not reused:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_name(f"{key}.lock"), job.name, progress):
            if not facts.is_file():
                _make(job, target, progress)
    made_elsewhere.hand(target)
    training = Training.model_validate_json(facts.read_bytes())
    # Anew: it describes these lessons, and what was kept before may lack it.
    about = {"objective": job.recipe.objective, "learnt": dict(job.lessons.facts), "trials": ()}
    return Adapter(key, target, training.model_copy(update=about), reused)


@contextmanager
def _alone(file: Path, name: str, progress: Progress) -> Iterator[None]:
    """Train the same weights in one process at a time; others wait for it and take what it made."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with working(progress, f"{name}: another process trains it"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(job: Job, target: Path, progress: Progress) -> None:
    """Train into `target`; unfinished work stays beside it."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    trains = together if job.recipe.processes > 1 else train
    training = trains(job.inputs(), unfinished, progress)
    made = unfinished / ADAPTER
    if job.recipe.method == "full":
        job.model.tokenizer.save_pretrained(made)
    (made / "base.json").write_text(json.dumps({"weights": job.model.weights.digest}))
    (made / "training.json").write_text(training.model_dump_json(indent=2))
    made.replace(target)
    shutil.rmtree(unfinished)
