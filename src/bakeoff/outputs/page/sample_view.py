"""A run's samples as a page holds them: small JSON pieces, packed, each text once.

The page unpacks a piece when somebody looks at it. What a stranger wrote is nowhere in the page
but inside these pieces, where it is letters and digits only.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bakeoff.analysis import outcomes
from bakeoff.analysis.compare import corners
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import finite
from bakeoff.core.words import LATENCY, Answer, CheckedClaim, Passage, Record, Sample, Score
from bakeoff.outputs.page.prompts import ANSWER, Prompt, Prompts, cut

SAMPLES = 5000
"""Samples that a page holds, of all tasks together; the others stay in the run's folder."""
PASSAGE, TEXT, SNIPPET = 3000, 1000, 140
"""Characters kept of a passage, of any other text, and of a question in the list."""
REPEATS, PIECE, TAGS = 5, 50, 300
"""Answers kept to one question, samples in a piece, tag values to choose from."""
CLAIMED = 2000
"""Answers whose claims are held against their passages by words: it takes a millisecond each."""
_LETTERS = {
    outcomes.RIGHT: "r",
    outcomes.PARTLY: "p",
    outcomes.WRONG: "w",
    outcomes.UNJUDGED: "u",
    outcomes.FAILED: "f",
    outcomes.SCORED: "s",
    outcomes.NOT_ASKED: "-",
}


@dataclass(frozen=True)
class _Setup:
    """A column of answers."""

    name: str
    kind: str


@dataclass(frozen=True)
class _Task:
    """A task in the list of tasks."""

    name: str
    headline: str
    n: int
    """Samples of the run."""
    shown: int
    """Samples in the page."""
    tags: Sequence[tuple[str, str, int]]
    """(tag, value, samples) to choose from."""


Outcome = tuple[int, str]
"""(place of a setup, the outcome letters that it may have)."""


@dataclass(frozen=True)
class _Question:
    """What one would want to look at: samples on which the setups came out so."""

    label: str
    all: Sequence[Outcome] = ()
    any: Sequence[Outcome] = ()
    pair: bool = False
    """Whether it sets two setups side by side."""


@dataclass(frozen=True)
class _About:
    """What the page must know before any sample."""

    setups: Sequence[_Setup]
    tasks: Sequence[_Task]
    piece: int
    claimed: int
    """Samples of a task, the first ones, whose claims are held against passages by words."""
    questions: Sequence[_Question]
    outcomes: Mapping[str, str]
    """Letter -> word."""


@dataclass(frozen=True)
class _Failed:
    """An answer that there is none of."""

    scores: Sequence[tuple[str, float | None, str]]
    """(metric, value, reason)."""
    error: str
    finish: str = ""
    """How the reply ended, where there was one."""
    asked: int | None = None
    """See `_Answered.asked`."""


@dataclass(frozen=True)
class _Answered:
    """An answer to one sample."""

    scores: Sequence[tuple[str, float | None, str]]
    finish: str
    """How the reply ended; empty where it was not reported."""
    length: int
    """Characters of the whole."""
    parts: Sequence[Any]
    """See `stretches`."""
    by: str
    """What held the claims against the passages."""
    passages: Sequence[int]
    """Numbers of the passages."""
    steps: Sequence[tuple[str, int, int, int, bool]]
    """(name, prompt tokens, context tokens, completion tokens, from the cache)."""
    times: Sequence[tuple[str, float | None]] = ()
    """(step, seconds) of the latency pass."""
    asked: int | None = None
    """The place of its prompt among those of the sample; `None` where it is not known."""


@dataclass(frozen=True)
class _Shown:
    """A sample with its answers, by setup and repeat."""

    id: str
    fields: Sequence[tuple[str, str]]
    targets: Sequence[str]
    gold: Sequence[str]
    tags: Sequence[tuple[str, str]]
    prompts: Sequence[Prompt]
    answers: Sequence[Sequence[_Answered | _Failed]]


@dataclass
class _Passages:
    """Passages numbered in the order they are met, each kept once."""

    numbers: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def number(self, passage: Passage) -> int:
        key = (passage.document, cut(passage.text, PASSAGE), cut(passage.title, SNIPPET))
        return self.numbers.setdefault(key, len(self.numbers))


def pieces(run: Run) -> Iterator[tuple[str, str]]:
    """(name, packed piece): first `about`, then the samples, then the passages they name."""
    share = max(SAMPLES // max(len(run.samples), 1), PIECE)
    yield "about", pack(_about(run, share))
    passages = _Passages()
    for place, task in enumerate(run.samples):
        kept = list(run.samples[task].values())[:share]
        yield f"list-{place}", pack(_listed(run, task, kept))
        rows = _samples(run, task, kept, passages)
        for number, rows_of_piece in enumerate(_parted(rows)):
            yield f"samples-{place}-{number}", pack(rows_of_piece)
    texts = [list(key) for key in passages.numbers]
    for number, some in enumerate(_parted(texts)):
        yield f"passages-{number}", pack(some)


def _parted(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[i : i + PIECE] for i in range(0, len(rows), PIECE))


def pack(value: Any) -> str:
    """JSON, gzip, base64; the same text for the same value. Lone surrogates become unreadable."""
    # Facts made for the page hold nothing that holds them.
    text = json.dumps(
        value, default=vars, ensure_ascii=False, separators=(",", ":"), check_circular=False
    )
    packed = gzip.compress(text.encode("utf-8", "surrogatepass"), compresslevel=6, mtime=0)
    return base64.b64encode(packed).decode()


def _about(run: Run, share: int) -> _About:
    return _About(
        setups=[_Setup(name, kind) for name, kind in run.kinds.items()],
        tasks=[
            _Task(
                task,
                run.headlines[task],
                n=len(samples),
                shown=min(share, len(samples)),
                tags=_tags(list(samples.values())[:share]),
            )
            for task, samples in run.samples.items()
        ],
        piece=PIECE,
        claimed=_claimed(run),
        questions=[*_questions(run)],
        outcomes={letter: word for word, letter in _LETTERS.items()},
    )


def _tags(samples: Sequence[Sample]) -> list[tuple[str, str, int]]:
    """(tag, value, samples) of those values that more than one sample has, by frequency."""
    seen = Counter((n, v) for sample in samples for n, v in sample.tags.items())
    return sorted((n, v, count) for (n, v), count in seen.most_common(TAGS) if count > 1)


def _questions(run: Run) -> Iterator[_Question]:
    names = list(run.kinds)
    square = corners(run.kinds)
    pairs = [
        ("rag", "base", "What retrieval won"),
        ("base", "rag", "What retrieval lost"),
        ("fine-tuned", "base", "What tuning won"),
        ("base", "fine-tuned", "What tuning lost"),
        ("hybrid", "rag", "What tuning won over retrieval alone"),
        ("rag", "hybrid", "Hybrid lost what rag had"),
        ("fine-tuned", "hybrid", "Hybrid lost what tuning had"),
    ]
    for right, wrong, label in pairs:
        if right in square and wrong in square:
            yield _pair(label, names, square[right], square[wrong])
    for name, kind in run.kinds.items():
        if name != names[0] and kind not in square:
            yield _pair("Better than the first", names, name, names[0])
            yield _pair("Worse than the first", names, names[0], name)
    for label, letters in (("All wrong", "pwf"), ("All right", "r")):
        yield _Question(label, all=[(place, letters) for place in range(len(names))])
    yield _Question("Any failed", any=[(place, "f") for place in range(len(names))])


def _pair(label: str, names: Sequence[str], right: str, wrong: str) -> _Question:
    wanted = [(names.index(right), "r"), (names.index(wrong), "pwf")]
    return _Question(f"{label}: {right} right, {wrong} not", all=wanted, pair=True)


def _listed(run: Run, task: str, kept: Sequence[Sample]) -> list[tuple[Any, ...]]:
    """(id, beginning of the question, outcome letters, tags) of each sample."""
    asked = {setup: outcomes.outcomes(run, task, setup) for setup in run.asked[task]}
    columns = [asked.get(setup, {}) for setup in run.kinds]

    def letters(sample: Sample) -> str:
        words = (column.get(sample.id, outcomes.NOT_ASKED) for column in columns)
        return "".join(_LETTERS[word] for word in words)

    return [
        (s.id, s.fields.get("question", "")[:SNIPPET], letters(s), [*map(list, s.tags.items())])
        for s in kept
    ]


def _claimed(run: Run) -> int:
    return CLAIMED // max(1, len(run.passages_shown))


def _samples(run: Run, task: str, kept: Sequence[Sample], passages: _Passages) -> list[_Shown]:
    wanted = {sample.id for sample in kept}
    timed = _timed(run, task, wanted)
    given = {setup: _answers(run, task, setup, wanted) for setup in run.asked[task]}
    columns = [(setup, given.get(setup, {})) for setup in run.kinds]
    rows, claimed, prompts = [], _claimed(run), Prompts(run, task)
    for number, sample in enumerate(kept):
        answers = []
        for setup, column in columns:
            times = timed.get((setup, sample.id), ())
            made = []
            for place, scored in enumerate(column.get(sample.id, ())):
                asked = _Asked(
                    prompts.of(setup, sample, scored[0]), () if place else times, number < claimed
                )
                made.append(_answer(scored, passages, asked))
            answers.append(made)
        rows.append(_shown(sample, prompts.take(), answers))
    return rows


Scored = tuple[Record, Mapping[str, Score]]
_Times = Sequence[tuple[str, float | None]]


def _answers(run: Run, task: str, setup: str, wanted: set[str]) -> dict[str, list[Scored]]:
    """Sample -> its first answers with their scores, by repeat."""
    scores = {row.key: row.scores for row in run.scores(task, setup) if row.sample in wanted}
    answers: dict[str, list[Scored]] = defaultdict(list)
    records = (r for r in run.records(task, setup) if r.sample in wanted and r.repeat < REPEATS)
    for record in sorted(records, key=lambda r: r.repeat):
        answers[record.sample].append((record, scores.get((record.sample, record.repeat), {})))
    return answers


def _timed(run: Run, task: str, wanted: set[str]) -> dict[tuple[str, str], _Times]:
    """(setup, sample) -> seconds by step, of the latency pass."""
    return {
        (r.setup, r.sample): [(s.name, finite(s.seconds)) for s in r.answer.steps]
        for r in run.latencies(task)
        if r.answer and r.phase == LATENCY and not r.repeat and r.sample in wanted
    }


def _shown(
    sample: Sample, prompts: Sequence[Prompt], answers: Sequence[Sequence[_Answered | _Failed]]
) -> _Shown:
    return _Shown(
        sample.id,
        fields=[(cut(n, SNIPPET), cut(v, ANSWER)) for n, v in sample.fields.items()],
        targets=[cut(target, TEXT) for target in sample.targets],
        gold=sample.gold,
        tags=[(cut(n, SNIPPET), cut(v, SNIPPET)) for n, v in sample.tags.items()],
        prompts=prompts,
        answers=answers,
    )


class _Asked(NamedTuple):
    """What the page shows of an answer beside itself."""

    prompt: int | None
    """Its place among those of the sample; `None` where it is not known."""
    times: _Times
    by_words: bool
    """Whether its claims are held against its passages by words."""


def _answer(scored: Scored, passages: _Passages, asked: _Asked) -> _Answered | _Failed:
    record, scores = scored
    judged = [(metric, finite(s.value), cut(s.reason, TEXT)) for metric, s in scores.items()]
    finish = cut(record.outcome.finish_reason, SNIPPET)
    answer = record.answer
    if answer is None:
        return _Failed(judged, cut(record.error or "", TEXT), finish, asked.prompt)
    by, claims = _claims(answer, scores, by_words=asked.by_words)
    return _Answered(
        judged,
        finish=finish,
        length=len(answer.text),
        parts=stretches(answer.text[:ANSWER], claims),
        by=by,
        passages=[passages.number(passage) for passage in answer.passages],
        steps=[
            (s.name, s.prompt_tokens, s.context_tokens, s.completion_tokens, s.cached)
            for s in answer.steps
        ],
        times=asked.times,
        asked=asked.prompt,
    )


def _claims(
    answer: Answer, scores: Mapping[str, Score], *, by_words: bool
) -> tuple[str, Sequence[CheckedClaim]]:
    """What held the answer's claims against its own passages, and the claims.

    A score that kept them goes first; else words decide, where there are passages and no refusal.
    """
    for metric, score in scores.items():
        if metric.startswith("faithfulness") and score.claims:
            return metric, score.claims
    declined = any(
        scores[name].value == 1 for name in ("right_refusal", "wrong_refusal") if name in scores
    )
    if not answer.passages or declined or not by_words:
        return "", ()
    # Pages of answers without passages do not wait for its expressions to be compiled.
    from bakeoff.outputs.page import claims

    texts = tuple(passage.text[:PASSAGE] for passage in answer.passages)
    return "support score", claims.by_words(answer.text[:ANSWER], texts)


def stretches(text: str, claims: Sequence[CheckedClaim]) -> list[Any]:
    """The answer in stretches: plain texts, and [text, verdict, probability, passage, missing]."""
    parts: list[Any] = []
    end = 0
    placed = ((c.start, c) for c in claims if c.start is not None and c.start < len(text))
    for start, claim in sorted(placed, key=lambda pair: pair[0]):
        if start < end:
            continue
        if start > end:
            parts.append(text[end:start])
        end = min(start + len(claim.text), len(text))
        chance = None if claim.probability is None else round(claim.probability, 3)
        missing = [cut(word, SNIPPET) for word in claim.missing[:20]]
        parts.append([text[start:end], claim.verdict, chance, claim.passage, missing])
    return [*parts, text[end:]] if end < len(text) else parts
