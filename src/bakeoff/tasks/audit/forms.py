"""Targets that the form in which a task's metrics compare them takes for others."""

from __future__ import annotations

from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.load import Task
from bakeoff.tasks.targets import alike_in_squad


def forms(task: Task) -> list[Finding]:
    """Targets that are told apart but in SQuAD's form, where a metric compares in that one."""
    matches = alike_in_squad(task.population, task.scorers, task.file.normalization)
    if not matches:
        return []
    about = "test targets are in SQuAD's form the same as another question's"
    note = "`normalization: strict` distinguishes them"
    return [
        counted("same_in_squad_form", about, matches, len(task.population), note=note, grave=True)
    ]
