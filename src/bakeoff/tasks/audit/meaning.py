"""Test questions that mean the same as a training question, in other words."""

from __future__ import annotations

import numpy as np

from bakeoff.core.words import Embedder
from bakeoff.tasks.audit.duplicates import copies
from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.load import Task

COSINE = 0.95
"""Cosine of two questions' vectors from which on they are named."""
BLOCK = 1024
"""Test questions compared at once."""


def alike(task: Task, embedder: Embedder) -> list[Finding]:
    """Test questions near to a training row by their vectors, though not by their words."""
    if not task.train:
        return []
    train = np.asarray(embedder.embed([s.question for s in task.train]))
    tests = np.asarray(embedder.embed([s.question for s in task.population]))
    worded = copies(task.population, [*task.train, *task.left_out])
    suspects = []
    for begin in range(0, len(tests), BLOCK):
        cosines = tests[begin : begin + BLOCK] @ train.T
        for sample, place, value in zip(
            task.population[begin:], cosines.argmax(axis=1), cosines.max(axis=1), strict=False
        ):
            if value >= COSINE and sample.id not in worded:
                suspects.append((float(value), sample.id, task.train[int(place)].id))
    suspects.sort(key=lambda suspect: (-suspect[0], suspect[1]))
    return [
        counted(
            "overlap_meaning",
            "test questions mean nearly the same as a training question, in other words",
            [f"{test} ~ {other} ({value:.3f})" for value, test, other in suspects],
            len(tests),
            note=f"cosine {COSINE:g} or more by the embedder; suspects, the nearest first",
        )
    ]
