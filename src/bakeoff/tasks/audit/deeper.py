"""Every check on a benchmark's tasks, with those that compute: a classifier, an embedder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import BakeoffError, Embedder, faults
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.task import task_path
from bakeoff.tasks.audit import Audit, audit
from bakeoff.tasks.audit.meaning import alike
from bakeoff.tasks.audit.suspects import suspects
from bakeoff.tasks.load import Task, Unavailable, load_task


def audit_all(
    suite: Suite,
    path: Path,
    data: Path | None = None,
    *,
    only: str = "",
    window: int | None = None,
    embedder: Embedder | None = None,
) -> tuple[dict[str, Audit], dict[str, str]]:
    """Every check on a benchmark's tasks, and why some tasks could not be read.

    Training rows that repeat test rows are left out, even where a run would be refused. Raises
    `BakeoffError` with the faults of all task files together.
    """
    names = {Path(name).stem: name for name in suite.tasks}
    if only and only not in names:
        raise BakeoffError(f"{path}: no task '{only}'{did_you_mean(only, names)}")
    audits: dict[str, Audit] = {}
    skipped: dict[str, str] = {}
    problems: list[str] = []
    for name in [only] if only else names:
        try:
            task = load_task(task_path(names[name], path), data, refuse=False)
        except Unavailable as unavailable:
            skipped[name] = unavailable.reason
        except BakeoffError as error:
            problems.append(str(error))
        else:
            audits[name] = _deeper(task, suite, window, embedder)
    faults(problems)
    return audits, skipped


def _deeper(task: Task, suite: Suite, window: int | None, embedder: Embedder | None) -> Audit:
    cheap = audit(task, suite, window)
    more = [*suspects(task, suite.seed), *(alike(task, embedder) if embedder else [])]
    return replace(cheap, findings=(*cheap.findings, *more))
