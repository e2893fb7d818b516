"""What a setup that learns from another one asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bakeoff.core.words import Sample
from bakeoff.spec.recipes import Tune
from bakeoff.tasks.load import Task

TeacherAnswers = tuple[Sequence[tuple[Sample, str]], Mapping[str, int]]
"""Training questions with a teacher's answers; how many were kept, and left out for what reason."""
Teacher = Callable[[Task, Tune], TeacherAnswers]
