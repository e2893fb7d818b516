"""What tuned setups learn: training rows, documents, or another setup's answers, as rendered.

The same prompt code serves here and at inference, so a tuned model meets what it learnt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from bakeoff.core.counts import quantity
from bakeoff.core.words import (
    BakeoffError,
    Decoding,
    Document,
    Generation,
    Message,
    Model,
    Sample,
    digest,
)
from bakeoff.setups.answerer import context_of, messages
from bakeoff.setups.retrieval.ranking import Hits, gold_passages
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.setups.retrieval.splitting import split, title
from bakeoff.setups.tuning.batches import Example, Lessons
from bakeoff.setups.tuning.teacher import Teacher
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.recipes import PARAPHRASES, Pretraining, Raft, Tune
from bakeoff.tasks.load import Task, stratified
from bakeoff.tasks.overlap import near_duplicates

PIECE_WORDS = 150
"""Words of a document learnt as one text."""
NEAREST = 20
"""Passages among which those of a gold document and distractors are looked for."""
REWORD = (
    "Rewrite the text in other words. Keep every fact, name, code and number. "
    "Reply with the new text alone.\n\n{text}"
)
REWORD_TEMPERATURE = 0.7
_NUMBERED = re.compile(r"\b\w*\d[\w.,:/-]*\w*\b")


@dataclass(frozen=True)
class TrainingDataBuilder:
    """What training data are made with."""

    suite: Suite
    retrieval: RetrievalCache
    render: Callable[[Sequence[Message]], str]
    """A chat as what is to learn reads it."""
    count: Callable[[str], int]
    """The tokens of a text, as what is to learn has them."""
    writer: Callable[[str], Model]
    """The model of a reference, which rewords documents."""
    teacher: Teacher
    """Training questions with a teacher's answers, and how many were kept and left out."""


def lessons(builder: TrainingDataBuilder, task: Task, recipe: Tune) -> Lessons:
    """What a recipe learns from on a task. Raises `BakeoffError` where there is nothing."""
    if recipe.cpt:
        return _documents(builder, task, recipe, recipe.cpt)
    if not task.train:
        raise BakeoffError(f"task '{task.name}' has no training rows, which tuning needs")
    rows = training_rows(builder, task, recipe)
    if recipe.raft:
        return _raft(builder, task, rows, recipe.raft)
    if recipe.distill:
        pairs, counts = builder.teacher(replace(task, train=tuple(rows)), recipe)
        if len(pairs) < 2:
            raise BakeoffError(
                f"task '{task.name}': of '{recipe.distill.teacher}' "
                f"{quantity(len(pairs), 'answer')} to "
                f"{quantity(len(rows), 'training question')} can be learnt from "
                f"({', '.join(f'{n} {why}' for why, n in counts.items())})"
            )
        return _questions(builder, task, pairs, recipe, counts)
    return _questions(builder, task, [(s, task.completion(s)) for s in rows], recipe, {})


def together(builder: TrainingDataBuilder, tasks: Sequence[Task], recipe: Tune) -> Lessons:
    """The lessons of several tasks as those of one adapter.

    A training row that repeats a test question of another task is left out, and counted.
    """
    tests = {f"{task.name}/{s.id}": s.question for task in tasks for s in task.population}
    examples: list[Example] = []
    validation: list[Example] = []
    facts: dict[str, object] = {}
    for task in tasks:
        leaks = near_duplicates(tests, {s.id: s.question for s in task.train})
        kept = tuple(s for s in task.train if s.id not in leaks)
        part = lessons(builder, replace(task, train=kept), recipe)
        examples += part.examples
        validation += part.validation
        about = {**part.facts, **({"like a test question": len(leaks)} if leaks else {})}
        facts |= {task.name: about} if about else {}
    return Lessons(examples, validation, facts)


def training_rows(builder: TrainingDataBuilder, task: Task, recipe: Tune) -> Sequence[Sample]:
    """The rows a recipe learns from: all, or a seeded sample that keeps the labels' shares."""
    by = ("target",) if task.file.labels else ()
    return stratified(task.train, recipe.rows or len(task.train), by, builder.suite.seed)


def _questions(
    builder: TrainingDataBuilder,
    task: Task,
    pairs: Sequence[tuple[Sample, str]],
    recipe: Tune,
    counts: Mapping[str, int],
) -> Lessons:
    """Question to answer, and a share of the rows with retrieved passages as well."""
    examples = [
        _example(builder, messages(task, sample), completion) for sample, completion in pairs
    ]
    if recipe.open_book and task.corpora:
        by = ("target",) if task.file.labels else ()
        completion = {sample.id: answer for sample, answer in pairs}
        rows = [sample for sample, _ in pairs]
        share = max(1, round(recipe.open_book * len(rows)))
        shown = stratified(rows, share, by, builder.suite.seed)
        retrieved = builder.retrieval.search(task, builder.suite.retrieve, shown, training=True)
        examples += [
            _with_passages(builder, task, sample, hits, completion[sample.id])
            for sample, hits in zip(shown, retrieved, strict=True)
        ]
    return Lessons(examples, facts=counts)


def _example(builder: TrainingDataBuilder, chat: Sequence[Message], completion: str) -> Example:
    return Example(builder.render(chat), completion)


def _with_passages(
    builder: TrainingDataBuilder, task: Task, sample: Sample, hits: Hits, completion: str
) -> Example:
    spec = builder.suite.retrieve
    titles = builder.retrieval.corpus(task, spec).titles
    context, _ = context_of(hits, titles, spec.context_tokens, builder.count)
    return _example(builder, messages(task, sample, context), completion)


def _raft(
    builder: TrainingDataBuilder, task: Task, rows: Sequence[Sample], recipe: Raft
) -> Lessons:
    """Every row with passages: one of a gold document with probability `gold`, distractors beside.

    Rows without a gold document have distractors alone, and do not count for the share.
    """
    if not task.corpora:
        raise BakeoffError(f"task '{task.name}' has no corpora, which raft needs")
    spec = builder.suite.retrieve
    wide = spec.model_copy(update={"k": max(NEAREST, recipe.distractors + 1)})
    retrieved = builder.retrieval.search(task, wide, rows, training=True)
    passages = builder.retrieval.corpus(task, spec).by_document
    examples, shown, withheld = [], 0, 0
    for sample, hits in zip(rows, retrieved, strict=True):
        chance = Random(f"{builder.suite.seed}:raft:{sample.id}")
        gold = next(iter(gold_passages(sample, hits, passages)), None)
        others = [hit for hit in hits if hit.document not in sample.gold]
        drawn = chance.random() < recipe.gold
        context = [gold] if gold and drawn else []
        context += others[: recipe.distractors + 1 - len(context)]
        chance.shuffle(context)
        shown += bool(gold and drawn)
        withheld += bool(gold and not drawn)
        examples.append(
            _with_passages(builder, task, sample, tuple(context), task.completion(sample))
        )
    rate = round(shown / (shown + withheld), 4) if shown + withheld else None
    return Lessons(examples, facts={"gold_share": rate, "with_gold": shown, "withheld": withheld})


def _documents(
    builder: TrainingDataBuilder, task: Task, recipe: Tune, spec: Pretraining
) -> Lessons:
    """The very documents that are indexed, in pieces, with rewordings of each.

    Training questions are not learnt: the loss on their answers decides which epoch to keep.
    """
    corpus = task.corpora.get(task.corpus_name(builder.suite.retrieve.corpus))
    if not corpus:
        raise BakeoffError(f"task '{task.name}' has no corpora, which cpt needs")
    if not task.train:
        raise BakeoffError(
            f"task '{task.name}' has no training rows, which cpt needs to choose the epoch to keep"
        )
    pieces = [(document.id, text) for document in corpus for text in _pieces(document)]
    if recipe.rows:
        pieces = sorted(pieces, key=lambda piece: digest([builder.suite.seed, *piece]))[
            : recipe.rows
        ]
    texts = [text for _, text in pieces]
    counts: dict[str, int] = {"pieces": len(pieces)}
    if spec.paraphrases:
        reworded, asked = _reworded(builder, task, recipe, spec, pieces)
        counts |= {"paraphrases": len(reworded), "paraphrases_asked": asked}
        texts += reworded
    rows = training_rows(builder, task, recipe)
    held_out = [_example(builder, messages(task, s), task.completion(s)) for s in rows]
    return Lessons([Example("", text) for text in texts], held_out, counts)


def _pieces(document: Document) -> list[str]:
    """The document in texts of about 150 words, each under the document's title."""
    name = title(document)
    parts = [passage.text for passage in split(document, PIECE_WORDS, 0)]
    return [part if part.startswith("#") or not name else f"{name}\n{part}" for part in parts]


def _reworded(
    builder: TrainingDataBuilder,
    task: Task,
    recipe: Tune,
    spec: Pretraining,
    pieces: Sequence[tuple[str, str]],
) -> tuple[list[str], int]:
    """Rewordings, and how many there should be."""
    if spec.paraphraser.endswith(PARAPHRASES):
        return _supplied(task, spec, {document for document, _ in pieces})
    model, seed = builder.writer(spec.paraphraser), builder.suite.seed
    texts = [text for _, text in pieces]
    chats = [[{"role": "user", "content": REWORD.format(text=text)}] for text in texts]
    longest = max(model.count(text) for text in texts)
    rewordings = []
    for turn in range(spec.paraphrases):
        decoding = Decoding(round(1.25 * longest), REWORD_TEMPERATURE, seed + turn)
        replies = dict(model.generate(chats, decoding))
        rewordings += [
            done.text
            for index, text in enumerate(texts)
            if isinstance(done := replies[index], Generation)
            and faithful_rewording(text, done.text)
        ]
    return list(dict.fromkeys(rewordings)), len(texts) * spec.paraphrases


def faithful_rewording(text: str, reworded: str) -> bool:
    """Whether a rewording may be learnt: of like length, not a copy, its numbers all the text's.

    A small model that rewords makes up numbers; what is wrong must not be taught.
    """
    before, after = len(text.split()), len(reworded.split())
    numbers, known = (set(_NUMBERED.findall(wording.casefold())) for wording in (reworded, text))
    like = before / 2 <= after <= before * 2
    return like and reworded.strip() != text.strip() and numbers <= known


def _supplied(task: Task, spec: Pretraining, documents: set[str]) -> tuple[list[str], int]:
    files = sorted(task.folder.glob(spec.paraphraser))
    if not files:
        raise BakeoffError(
            f"task '{task.name}': cpt.paraphraser: no file matches '{spec.paraphraser}'"
        )
    texts: dict[str, list[str]] = {}
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                name, text = str(row["document"]), str(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise BakeoffError(
                    f"{file}: line {number}: write an object with document and text"
                ) from error
            if name not in documents:
                raise BakeoffError(f"{file}: line {number}: no document '{name}' is indexed")
            texts.setdefault(name, []).append(text)
    rewordings = [
        text
        for name in sorted(texts)
        for text in sorted(texts[name], key=digest)[: spec.paraphrases]
    ]
    return rewordings, len(documents) * spec.paraphrases
