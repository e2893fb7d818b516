"""The square: one function builds all four corners, so that they cannot drift apart."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.words import (
    Answer,
    Answerer,
    Decoding,
    Failure,
    Generation,
    Message,
    Model,
    Sample,
    Sending,
    Step,
    unwatched,
)
from bakeoff.setups.retrieval.ranking import Hits
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.functions import load_function
from bakeoff.tasks.load import Task


def messages(
    task: Task, sample: Sample, context: str = "", question: str = "after"
) -> list[Message]:
    """The chat that asks `sample`: the only place where instructions, passages, question meet."""
    prompt = task.file.prompt.format(**sample.fields)
    if context:
        first = question == "before"
        template = task.file.before_passages if first else task.file.with_passages
        prompt = template.format(passages=context, prompt=prompt)
    chat: list[Message] = [{"role": "user", "content": prompt}]
    if task.file.system:
        chat.insert(0, {"role": "system", "content": task.file.system.format(**sample.fields)})
    return chat


def context_of(
    hits: Hits, titles: Mapping[str, str], budget: int, count: Callable[[str], int]
) -> tuple[str, Hits]:
    """Source-marked passages (`[1] Title: text`) within `budget` tokens, and those that fit."""
    marked: list[str] = []
    used = 0
    for number, hit in enumerate(hits, 1):
        name = titles.get(hit.document, "")
        block = f"[{number}] {name}: {hit.text}" if name else f"[{number}] {hit.text}"
        used += count(block)
        if used > budget:
            break
        marked.append(block)
    return "\n\n".join(marked), hits[: len(marked)]


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
        asked = _asked(setup, task, engine, samples)
        questions = [question.chat for question in asked]
        decoding = engine.decoding(task, repeat)
        for index, done in engine.model.generate(questions, decoding, skip, sending):
            yield index, asked[index].answer(done)

    return answer


def chats(
    setup: Setup, task: Task, engine: Engine, samples: Sequence[Sample]
) -> list[Sequence[Message]]:
    """What the setup's model is asked for each sample."""
    return [question.chat for question in _asked(setup, task, engine, samples)]


def _asked(setup: Setup, task: Task, engine: Engine, samples: Sequence[Sample]) -> list[_Asked]:
    spec = setup.retrieve
    found: Sequence[Hits] = [()] * len(samples)
    if spec:
        found = engine.retrieval.search(task, spec, samples, training=engine.training)
    return [_Asked.of(setup, task, engine, s, h) for s, h in zip(samples, found, strict=True)]


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
        prompt = (done.prompt_tokens, self.context_tokens)
        generated = (
            Step("prefill", done.prefill_s, *prompt, cached=done.cached),
            Step(
                "decode",
                done.decode_s,
                completion_tokens=done.completion_tokens,
                cached=done.cached,
            ),
        )
        retrieved = (Step("retrieve", retrieve_s),) if self.open_book else ()
        return Answer(done.text, self.passages, retrieved + generated, done.confidence)


def own(reference: str, task: Task, folder: Path) -> Answerer:
    """A user's function `answer(sample)` or `answer(sample, task)` as a setup.

    The path in `reference` is relative to `folder`. The function returns a text or an `Answer`;
    what it raises is that sample's failure.
    """
    function = load_function(reference, folder)
    takes_task = len(inspect.signature(function).parameters) > 1

    def answer(
        samples: Sequence[Sample],
        *,
        timed: bool = False,
        skip: Collection[int] = (),
        repeat: int = 0,
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Answer | Failure]]:
        for index, sample in enumerate(samples):
            if index in skip:
                continue
            if not timed:
                sending(index)
            started = time.perf_counter()
            try:
                said = function(sample, task) if takes_task else function(sample)
            except Exception as error:  # somebody else's code: its fault is this sample's failure
                yield index, Failure(f"{type(error).__name__}: {error}")
                continue
            seconds = time.perf_counter() - started
            if isinstance(said, Answer):
                yield index, said
            else:
                yield index, Answer(str(said), steps=(Step("call", seconds if timed else None),))

    return answer
