"""What a tuned setup learns from, as files for a service that fine-tunes.

The rows are those that bakeoff would train on itself: the same prompts, passages and answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core import disk
from bakeoff.core.hints import did_you_mean
from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError, Message
from bakeoff.models.batched import Batch
from bakeoff.models.response_cache import Responses
from bakeoff.running.plan import Plan
from bakeoff.setups.adapting import adapt, teacher_answers, tunes
from bakeoff.setups.builder import Resources, Workspace
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.recipes import Tune
from bakeoff.tasks import audit
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.setups.tuning.batches import Example, Lessons


@dataclass(frozen=True)
class Recipe:
    """What a service is to do for a setup."""

    setup: str
    model: str
    """The reference of the model to be tuned."""
    tune: Tune
    tasks: Sequence[Task]


def write(
    plan: Plan, workspace: Workspace, progress: Progress, setup: str, folder: Path
) -> dict[Path, int]:
    """Write the rows that a setup learns, and those that are held out; file -> its rows.

    A file for each task or, where one model answers all of them, for all. What repeats a test
    question is refused or told as by a run. Raises `BakeoffError`.
    """
    from bakeoff.setups.tuning.batches import split

    recipe = _recipe(plan, setup)
    tune = recipe.tune
    for task in recipe.tasks:
        _tell_leaks(plan, task, progress)
    written: dict[Path, int] = {}
    with disk.refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, lessons in _lessons(plan, workspace, progress, recipe):
        for about, told in lessons.facts.items():
            each = ", ".join(f"{k} {v}" for k, v in told.items()) if tune.together else told
            progress.note(f"{name}: {about}: {each}")
        parts = split(lessons, tune.validation, plan.suite.seed)
        for part, examples in zip(("train", "validation"), parts, strict=True):
            path = folder / f"{name}.{part}.jsonl"
            disk.replace(path, (_line(example) for example in examples))
            written[path] = len(examples)
    return written


def _recipe(plan: Plan, name: str) -> Recipe:
    """The recipe of a setup; of one that names a served tuned model, that of the benchmark."""
    suite = plan.suite
    if name not in suite.setups:
        raise BakeoffError(f"{plan.file}: no setup '{name}'{did_you_mean(name, suite.setups)}")
    setup = suite.setups[name]
    if not setup.tune:
        tuned = [other.name for other in suite.setups.values() if other.tune]
        raise BakeoffError(
            f"{plan.file}: setups.{name} has no `tune`, and learns nothing; "
            f"setups that do: {', '.join(tuned) or 'none'}"
        )
    tune = setup.tune
    if tune.adapter:
        # The name refers to one tuned model, whatever the number of tasks.
        tune = suite.tune.model_copy(update={"adapter": None, "together": True})
    # What is learnt is the state after a change, which is the one that will be served.
    tasks = [task for task in plan.tasks.values() if setup.takes(task.name) and not task.after]
    return Recipe(name, setup.model, tune, tasks)


def _tell_leaks(plan: Plan, task: Task, progress: Progress) -> None:
    """Report rows that make a run's numbers doubtful, as a run does."""
    for finding in audit.audit(task, plan.suite).findings:
        if finding.warns:
            progress.note(f"audit: {task.name}: {finding}")
    if task.left_out:
        left = len(task.left_out)
        progress.note(
            f"{task.name}: {left} training rows left out: (nearly) the same as a test row"
        )


def _lessons(
    plan: Plan, workspace: Workspace, progress: Progress, recipe: Recipe
) -> Iterator[tuple[str, Lessons]]:
    """(name of a file, what it is to hold)."""
    from bakeoff.setups.tuning.training_data import TrainingDataBuilder, lessons, together

    suite, tune = plan.suite, recipe.tune
    tasks = {task.name: task for task in recipe.tasks}
    teacher = suite.setups[tune.distill.teacher] if tune.distill else None
    # Its teacher alone is opened, and without one nothing is asked: no key is needed.
    opened = suite.model_copy(update={"setups": {teacher.name: teacher} if teacher else {}})
    responses = Responses(workspace.cache / "responses.sqlite")
    batch = None if tune.distill or tune.cpt else Batch()
    resources = Resources(opened, plan.file, workspace, progress, responses, batch=batch)
    try:
        resources.prepare(tasks)
        if teacher and tunes(suite, teacher):
            for task in tasks.values():
                adapt(resources, teacher, task)
        builder = TrainingDataBuilder(
            suite,
            resources.retrieval,
            *_reading(suite, resources, recipe.model),
            lambda reference: resources.kept(resources.plain(reference or recipe.model)),
            partial(teacher_answers, resources),
        )
        if tune.together:
            yield recipe.setup, together(builder, recipe.tasks, tune)
            return
        for name, task in tasks.items():
            yield f"{recipe.setup}.{name}", lessons(builder, task, suite.use(name).recipe(tune))
    finally:
        resources.close()


def _reading(
    suite: Suite, resources: Resources, reference: str
) -> tuple[Callable[[Sequence[Message]], str], Callable[[str], int]]:
    """(a chat as the model that is to learn takes it, the tokens of a text); loads no weights."""
    if not suite.backend(reference).weights:
        return json.dumps, resources.plain(reference).count
    from bakeoff.models.tokenizer import load_tokenizer

    count, template = load_tokenizer(reference, resources.workspace.cache)
    return (lambda chat: json.dumps(template.fitted(chat))), count


def _line(example: Example) -> str:
    """A row as services take it: a chat that ends with the answer, or a text."""
    if not example.prompt:
        return json.dumps({"text": example.completion}, ensure_ascii=False) + "\n"
    chat: list[Message] = json.loads(example.prompt)
    chat.append({"role": "assistant", "content": example.completion})
    return json.dumps({"messages": chat}, ensure_ascii=False) + "\n"
