"""Answers of one setup as training rows of another: the good ones, and where each is from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from bakeoff.core.words import QUALITY, Answer, BakeoffError, Checked, Failure, Record, Sample
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.score import answers_from_passages, score_records
from bakeoff.metrics.scorers.citations import MARK
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.metric import Metric
from bakeoff.spec.recipes import Distillation
from bakeoff.tasks.load import Task
from bakeoff.tasks.overlap import near_duplicates

SUPPORT = Metric.parse("faithfulness")


@dataclass(frozen=True)
class Judged:
    """What decides whether a teacher's answer is learnt, each from 0 to 1; `None`: unjudged."""

    right: float | None
    supported: float | None
    """Share of the claims that the passages support; `None` also without a claim."""


@dataclass(frozen=True)
class DistilledRow:
    """A training question, a teacher's answer to it, and the scores that let it pass."""

    sample: Sample
    answer: Answer
    scores: Judged

    def as_row(self, teacher: str, about: Mapping[str, object]) -> dict[str, object]:
        """A row of a data set that a task file can name as its training rows."""
        return {
            **self.sample.fields,
            "id": f"{self.sample.id}-{teacher}",
            "targets": [self.answer.text] if self.sample.targets else [],
            "gold": list(self.sample.gold),
            "cluster": self.sample.cluster,
            "tags": dict(self.sample.tags),
            "provenance": {
                "from": self.sample.id,
                "teacher": teacher,
                "scores": asdict(self.scores),
                "passages": [
                    {"document": p.document, "start": p.start, "end": p.end}
                    for p in self.answer.passages
                ],
                **about,
            },
        }


@dataclass(frozen=True)
class FilteredAnswers:
    """What a teacher's answers came to: those kept, and why the others were left out."""

    kept: tuple[DistilledRow, ...]
    counts: Mapping[str, int]


def filter_answers(
    task: Task,
    teacher: Setup,
    outcomes: Sequence[Answer | Failure],
    keep: Distillation,
    tests: Mapping[str, str],
) -> FilteredAnswers:
    """The answers to the task's training rows that are right, supported and, if asked for, cited.

    `tests` are the questions of every test set: a training question that (nearly) repeats one is
    left out, whichever task it is of. Raises `BakeoffError` where the headline metric needs a
    model to judge.
    """
    headline = Metric.parse(task.file.headline_metric)
    scorer = task.scorers[headline]
    if scorer.asks or headline.asks_model or scorer.bounds != (0.0, 1.0):
        raise BakeoffError(
            f"task '{task.name}': distil: answers are kept by the headline metric, which must be "
            f"a share that no model judges, not '{headline}'"
        )
    leaks = near_duplicates(tests, {s.id: s.question for s in task.train})
    records = [
        Record(QUALITY, task.name, teacher.name, sample.id, outcome)
        for sample, outcome in zip(task.train, outcomes, strict=True)
    ]
    asked = {headline: scorer, SUPPORT: find_scorer(SUPPORT, task.folder)}
    pupil = replace(task, samples=task.train, scorers=asked)
    open_book = answers_from_passages(teacher, records)
    scored = [row.scores for row in score_records(records, pupil, open_book)]
    counts: Counter[str] = Counter({"kept": 0})
    kept = []
    for sample, record, scores in zip(task.train, records, scored, strict=True):
        support = scores.get(str(SUPPORT))
        judged = Judged(
            scores[str(headline)].value, Checked(support.claims).share if support else None
        )
        why = next(_against(sample, record, judged, keep, leaks), "kept")
        counts[why] += 1
        if record.answer and why == "kept":
            kept.append(DistilledRow(sample, record.answer, judged))
    return FilteredAnswers(tuple(kept), dict(counts))


def _against(
    sample: Sample,
    record: Record,
    judged: Judged,
    keep: Distillation,
    leaks: Mapping[str, str],
) -> Iterator[str]:
    """What speaks against learning an answer, the gravest first."""
    if sample.id in leaks:
        yield "like a test question"
    if record.answer is None:
        yield "failed"
        return
    if (judged.right or 0.0) < keep.min_score:
        yield "not right"
    if judged.supported is not None and judged.supported < keep.min_support:
        yield "not supported"
    if keep.cited and sample.targets and not MARK.search(record.answer.text):
        yield "not cited"
