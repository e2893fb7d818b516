"""Weights tuned for a setup, and the answers of another one that some of them learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bakeoff.core.counts import quantity
from bakeoff.setups.answerer import build
from bakeoff.setups.answering import answerer
from bakeoff.setups.builder import Resources
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.recipes import Distillation, Tune
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.setups.tuning.distil import FilteredAnswers
    from bakeoff.setups.tuning.teacher import TeacherAnswers


def tunes(suite: Suite, setup: Setup) -> bool:
    """Whether the setup needs `adapt` before it answers."""
    return bool(setup.tune) and suite.backend(setup.model).weights


def adapt(resources: Resources, setup: Setup, task: Task) -> None:
    """Train or find the weights that the setup answers the task with.

    A setup that learns from another one comes after it.
    """
    tasks = [other for other in resources.tasks.values() if setup.takes(other.name)]
    answers = partial(teacher_answers, resources)
    adapter = resources.local.adapt(setup, task, _of_its_time(task, tasks), answers)
    resources.adapters[f"{task.name}/{setup.name}"] = adapter


def teacher_answers(resources: Resources, task: Task, recipe: Tune) -> TeacherAnswers:
    """The training questions with the answers of the recipe's teacher that are good enough."""
    assert recipe.distill
    teacher = resources.suite.setups[recipe.distill.teacher]
    filtered = filtered_answers(resources, task, teacher, recipe.distill, resources.tasks)
    return [(row.sample, row.answer.text) for row in filtered.kept], filtered.counts


def filtered_answers(
    resources: Resources, task: Task, teacher: Setup, keep: Distillation, tasks: Mapping[str, Task]
) -> FilteredAnswers:
    """The teacher's answers to the task's training questions, the good ones kept.

    What repeats a test question of any of `tasks` is not.
    """
    # It scores what an answer's passages support, which few runs do before their first request.
    from bakeoff.setups.tuning.distil import filter_answers

    resources.progress.note(
        f"{task.name}: '{teacher.name}' answers {quantity(len(task.train), 'training question')}"
    )
    if teacher.custom:
        answer = answerer(resources, teacher, task)
    else:
        engine = resources.engine(resources.kept(resources.model(teacher, task)))
        answer = build(teacher, task, replace(engine, training=True))
    outcomes_by_index = dict(answer(task.train))
    outcomes = [outcomes_by_index[index] for index in range(len(task.train))]
    tests = {f"{t.name}/{s.id}": s.question for t in tasks.values() for s in t.population}
    return filter_answers(task, teacher, outcomes, keep, tests)


def _of_its_time(task: Task, tasks: Sequence[Task]) -> list[Task]:
    """The tasks in the state that `task` is in: before the changes, or after them."""
    changed = {other.after for other in tasks if other.after} if task.after else set()
    return [t for t in tasks if (not t.after or task.after) and t.name not in changed]


def teachers_first(cells: Sequence[tuple[Setup, Task]]) -> list[tuple[Setup, Task]]:
    """The cells in their order, but those that learn from other setups behind them."""
    return sorted(cells, key=lambda cell: bool(cell[0].tune and cell[0].tune.distill))
