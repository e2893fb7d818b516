"""The square: one function builds all four corners, so that they cannot drift apart."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import overload

from bakeoff.core.scripts import word_spans
from bakeoff.core.thinking import after_thinking
from bakeoff.core.words import (
    RETRIEVE,
    Answer,
    Answerer,
    Decoding,
    Failure,
    Generation,
    Message,
    Model,
    Passage,
    Sample,
    Sending,
    Step,
    unwatched,
)
from bakeoff.setups.retrieval.ranking import Hits
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.wording import context_text, marked
from bakeoff.tasks.load import Task


def messages(
    task: Task, sample: Sample, context: str = "", question: str = "after"
) -> list[Message]:
    """The chat that asks `sample`."""
    return task.wording.messages(sample.fields, context, question)


def context_of(
    hits: Hits, titles: Mapping[str, str], budget: int, count: Callable[[str], int]
) -> tuple[str, Hits]:
    """Source-marked passages (`[1] Title: text`) within `budget` tokens, and those that fit.

    A passage that alone is larger than the budget is passed over for the next; where all are, the
    first one is cut to it.
    """
    titled = [replace(hit, title=titles.get(hit.document, "")) for hit in hits]
    shown: list[Passage] = []
    used = 0
    for hit in titled:
        size = count(marked(len(shown) + 1, hit))
        if size > budget:
            continue
        used += size
        if used > budget:
            break
        shown.append(hit)
    if titled and not shown:
        shown = [_cut(titled[0], budget, count)]
    return context_text(shown), tuple(shown)


def _cut(hit: Passage, budget: int, count: Callable[[str], int]) -> Passage:
    """The longest beginning of a passage that is within the budget: whole words where one fits.

    Half a number would be another number.
    """

    def beginning(length: int) -> Passage:
        return replace(hit, end=hit.start + length, text=hit.text[:length])

    too_long = bisect_left(
        range(2, len(hit.text)),
        True,
        key=lambda length: count(marked(1, beginning(length))) > budget,
    )
    longest = 1 + too_long
    ends = [end for _, end in word_spans(hit.text) if end <= longest]
    return beginning(ends[-1] if ends else longest)


@dataclass(frozen=True)
class Engine:
    """What a corner is built from: its model (adapter on), the retrieval, how to decode."""

    model: Model
    retrieval: RetrievalCache
    temperature: float = 0.0
    seed: int = 0
    training: bool = False
    """Whether training questions are asked: none may find itself among the solved examples."""

    def decoding(self, task: Task, repeat: int = 0) -> Decoding:
        options = task.file.labels if task.file.answer == "likelihood" else ()
        return Decoding(task.file.max_tokens, self.temperature, self.seed + repeat, options)


def build(setup: Setup, task: Task, engine: Engine) -> Answerer:
    """The answerer of a corner of the square on a task."""

    def answer(
        samples: Sequence[Sample],
        *,
        timed: bool = False,
        skip: Collection[int] = (),
        repeat: int = 0,
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Answer | Failure]]:
        if timed:
            for index, sample in enumerate(samples):
                yield index, _timed(setup, task, engine, sample)
            return
        asked = chats(setup, task, engine, samples)
        decoding = engine.decoding(task, repeat)
        for index, done in engine.model.generate(asked, decoding, skip, sending):
            yield index, asked.of(index).answer(done)

    return answer


class Chats(Sequence[Sequence[Message]]):
    """What a setup's model is asked for each sample.

    A chat is made when it is first looked up: what goes over the network need not wait for the
    last one.
    """

    def __init__(self, make: Callable[[int], _Asked], count: int) -> None:
        self.of = cache(make)
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Sequence[Message]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sequence[Message]]: ...
    def __getitem__(self, index: int | slice) -> Sequence[Message] | list[Sequence[Message]]:
        places = range(self._count)[index]
        if isinstance(places, int):
            return self.of(places).chat
        return [self.of(place).chat for place in places]


def chats(setup: Setup, task: Task, engine: Engine, samples: Sequence[Sample]) -> Chats:
    """What the setup's model is asked for each sample, passages looked up for all of them."""
    hits: Sequence[Hits] = [()] * len(samples)
    if spec := setup.retrieve:
        hits = engine.retrieval.search(task, spec, samples, training=engine.training)

    def make(index: int) -> _Asked:
        return _Asked.of(setup, task, engine, samples[index], hits[index])

    return Chats(make, len(samples))


def _timed(setup: Setup, task: Task, engine: Engine, sample: Sample) -> Answer | Failure:
    started = time.perf_counter()
    hits: Hits = ()
    if setup.retrieve:
        hits = engine.retrieval.search_anew(task, setup.retrieve, sample)
    asked = _Asked.of(setup, task, engine, sample, hits)
    seconds = time.perf_counter() - started
    return asked.answer(engine.model.timed(asked.chat, engine.decoding(task)), seconds)


@dataclass(frozen=True)
class _Asked:
    """A chat that asks a sample, and what went into it."""

    chat: Sequence[Message]
    passages: Hits = ()
    context_tokens: int = 0
    open_book: bool = False

    @classmethod
    def of(cls, setup: Setup, task: Task, engine: Engine, sample: Sample, hits: Hits) -> _Asked:
        if not setup.retrieve:
            return cls(messages(task, sample))
        titles = engine.retrieval.corpus(task, setup.retrieve).titles
        count = engine.model.count
        context, shown = context_of(hits, titles, setup.retrieve.context_tokens, count)
        chat = messages(task, sample, context, setup.retrieve.question)
        return cls(chat, shown, count(context), True)

    def answer(
        self, done: Generation | Failure, retrieve_s: float | None = None
    ) -> Answer | Failure:
        if isinstance(done, Failure):
            return done
        retrieved = (Step(RETRIEVE, retrieve_s),) if self.open_book else ()
        steps = retrieved + _generated(done, self.context_tokens)
        text, thought = after_thinking(done.text)
        if thought:
            done = replace(done, text=text, thought=True)
        if done.missing:
            return Failure(done.missing, done.finish_reason, steps)
        return Answer(done.text, self.passages, steps, done.confidence, done.finish_reason)


def _generated(done: Generation, context_tokens: int) -> tuple[Step, ...]:
    """What the model did: up to the first token and after it, or `generate` where only the whole
    was timed, as behind an endpoint that does not stream."""
    prompt = (done.prompt_tokens, context_tokens)
    written, cached = done.completion_tokens, done.cached
    if done.prefill_s is not None and done.decode_s is None:
        return (Step("generate", done.prefill_s, *prompt, written, cached),)
    return (
        Step("prefill", done.prefill_s, *prompt, cached=cached),
        Step("decode", done.decode_s, completion_tokens=written, cached=cached),
    )
