"""The good answers of a setup, written as training rows of a task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bakeoff.core.hints import did_you_mean
from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError
from bakeoff.models.response_cache import Responses
from bakeoff.running.plan import Plan
from bakeoff.setups.adapting import adapt, filtered_answers, tunes
from bakeoff.setups.builder import Resources, Workspace
from bakeoff.spec.recipes import Distillation


def distil(
    plan: Plan,
    workspace: Workspace,
    name: str,
    keep: Distillation,
    output: Path,
    progress: Progress,
) -> Mapping[str, int]:
    """Write a setup's good answers to the training questions of the task `name` into `output`.

    Returns the number of answers kept, and of those left out by reason. Raises `BakeoffError` when
    there is no such task or setup, or nothing to ask.
    """
    suite, file, tasks = plan.suite, plan.file, plan.tasks
    if name not in tasks:
        raise BakeoffError(f"{file}: no task '{name}'{did_you_mean(name, tasks)}")
    if keep.teacher not in suite.setups:
        near = did_you_mean(keep.teacher, suite.setups)
        raise BakeoffError(f"{file}: no setup '{keep.teacher}'{near}")
    task, teacher = tasks[name], suite.setups[keep.teacher]
    if not task.train:
        raise BakeoffError(f"task '{name}' has no training rows, whose questions would be asked")
    alone = suite.model_copy(update={"setups": {teacher.name: teacher}})
    responses = Responses(workspace.cache / "responses.sqlite")
    resources = Resources(alone, file, workspace, progress, responses)
    try:
        resources.prepare({name: task})
        if tunes(suite, teacher):
            adapt(resources, teacher, task)
        filtered = filtered_answers(resources, task, teacher, keep, tasks)
        model = {} if teacher.custom else dict(resources.model(teacher, task).fingerprint())
    finally:
        resources.close()
    about = {"benchmark": suite.name, "model": model, "kept_if": keep.model_dump()}
    rows = [row.as_row(teacher.name, about) for row in filtered.kept]
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    output.write_text(lines, encoding="utf-8")
    return filtered.counts
