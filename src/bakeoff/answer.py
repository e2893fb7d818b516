"""The square: one function builds all four corners, so that they cannot drift apart."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core import Answer, Answerer, Failure, Passage, Sample, Step
from bakeoff.data import Task, stratified
from bakeoff.models import Generation, LocalModel, Message
from bakeoff.retrieve import Corpus, Embedder, open_corpus
from bakeoff.scoring import load_function
from bakeoff.suite import Retrieve, Setup, Tune
from bakeoff.tune import Adapter, Example

Hits = tuple[Passage, ...]


def messages(task: Task, sample: Sample, context: str = "") -> list[Message]:
    """The chat that asks `sample`: the only place where instructions, passages, question meet."""
    prompt = task.file.prompt.format(**sample.fields)
    if context:
        prompt = task.file.with_passages.format(passages=context, prompt=prompt)
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


@dataclass
class Library:
    """Open embedders and indexes, and what they found: one retrieval serves every setup."""

    cache: Path
    _embedders: dict[str, Embedder] = field(default_factory=dict)
    _corpora: dict[tuple[str, str, str], Corpus] = field(default_factory=dict)
    _found: dict[tuple[str, str, str, str], list[Hits]] = field(default_factory=dict)

    def embedder(self, spec: Retrieve) -> Embedder:
        if spec.embedder not in self._embedders:
            self._embedders[spec.embedder] = Embedder(spec.embedder, self.cache)
        return self._embedders[spec.embedder]

    def corpus(self, task: Task, spec: Retrieve) -> Corpus:
        """The task's corpus, indexed."""
        name = task.corpus_name(spec.corpus)
        key = (task.name, name, spec.model_dump_json())
        if key not in self._corpora:
            documents, identity = task.corpora[name], task.digests[f"corpus:{name}"]
            self._corpora[key] = open_corpus(
                documents, identity, spec, self.embedder(spec), self.cache
            )
        return self._corpora[key]

    def corpora(self) -> Mapping[tuple[str, str, str], Corpus]:
        """Every corpus that was opened, by (task, corpus name, spec)."""
        return self._corpora

    def search(
        self, task: Task, spec: Retrieve, samples: Sequence[Sample], *, training: bool = False
    ) -> list[Hits]:
        """Passages for each sample, computed once for all setups that ask the same.

        A training sample does not find itself among the solved examples.
        """
        corpus = self.corpus(task, spec)
        ids = "\n".join([str(training), *(sample.id for sample in samples)])
        key = (task.name, task.corpus_name(spec.corpus), spec.model_dump_json(), ids)
        if key not in self._found:
            vectors = self.embedder(spec).embed([s.question for s in samples])
            own = [s.id for s in samples] if training else ()
            self._found[key] = corpus.search(vectors, spec.k, own)
        return self._found[key]


@dataclass(frozen=True)
class Engine:
    """What setups are built from: the model in memory, the library, the batch policy."""

    model: LocalModel
    library: Library
    batch_tokens: int


def training_examples(
    task: Task, model: LocalModel, library: Library, retrieve: Retrieve, recipe: Tune, seed: int
) -> list[Example]:
    """The task's training rows as rendered prompts, a share of them with passages as well.

    The same prompt code serves here and at inference, so a tuned model meets what it learnt.
    """
    by = ("target",) if task.file.labels else ()
    rows = stratified(task.train, recipe.rows or len(task.train), by, seed)
    examples = [Example(model.render(messages(task, s)), task.completion(s)) for s in rows]
    if recipe.open_book and task.corpora:
        shown = stratified(rows, max(1, round(recipe.open_book * len(rows))), by, seed)
        corpus = library.corpus(task, retrieve)
        for sample, hits in zip(
            shown, library.search(task, retrieve, shown, training=True), strict=True
        ):
            context, _ = context_of(hits, corpus.titles, retrieve.context_tokens, model.count)
            prompt = model.render(messages(task, sample, context))
            examples.append(Example(prompt, task.completion(sample)))
    return examples


def build(
    setup: Setup, task: Task, engine: Engine | None, adapter: Adapter | None, folder: Path
) -> Answerer:
    """The answerer of any setup on any task: a corner of the square, or the user's function.

    `engine` may be left out for a `call` setup alone, whose path is relative to `folder`.
    """
    if setup.call:
        return _own(setup.call, task, folder)
    if engine is None:
        raise ValueError(f"setup '{setup.name}' needs an engine")

    def answer(
        samples: Sequence[Sample], *, timed: bool = False, skip: Collection[int] = ()
    ) -> Iterator[tuple[int, Answer | Failure]]:
        with engine.model.wearing(adapter.digest if adapter else None):
            if timed:
                for index, sample in enumerate(samples):
                    yield index, _timed(setup, task, engine, sample)
            else:
                yield from _batched(setup, task, engine, samples, skip)

    return answer


def _batched(
    setup: Setup, task: Task, engine: Engine, samples: Sequence[Sample], skip: Collection[int]
) -> Iterator[tuple[int, Answer | Failure]]:
    model, spec = engine.model, setup.retrieve
    found = engine.library.search(task, spec, samples) if spec else [()] * len(samples)
    asked = [_Asked.of(setup, task, engine, s, h) for s, h in zip(samples, found, strict=True)]
    prompts = [question.prompt for question in asked]
    for index, done in model.generate(prompts, task.file.max_tokens, engine.batch_tokens, skip):
        yield index, done if isinstance(done, Failure) else asked[index].answer(done)


def _timed(setup: Setup, task: Task, engine: Engine, sample: Sample) -> Answer:
    started = time.perf_counter()
    hits: Hits = ()
    if setup.retrieve:
        # Not from the library's memory: this retrieval is measured.
        vectors = engine.library.embedder(setup.retrieve).embed([sample.question])
        corpus = engine.library.corpus(task, setup.retrieve)
        hits = corpus.search(vectors, setup.retrieve.k)[0]
    asked = _Asked.of(setup, task, engine, sample, hits)
    seconds = time.perf_counter() - started
    return asked.answer(engine.model.timed(asked.prompt, task.file.max_tokens), seconds)


@dataclass(frozen=True)
class _Asked:
    """A rendered prompt and what went into it."""

    prompt: str
    passages: Hits
    context_tokens: int
    open_book: bool

    @classmethod
    def of(cls, setup: Setup, task: Task, engine: Engine, sample: Sample, hits: Hits) -> _Asked:
        model = engine.model
        if not setup.retrieve:
            return cls(model.render(messages(task, sample)), (), 0, False)
        titles = engine.library.corpus(task, setup.retrieve).titles
        context, shown = context_of(hits, titles, setup.retrieve.context_tokens, model.count)
        return cls(model.render(messages(task, sample, context)), shown, model.count(context), True)

    def answer(self, done: Generation, retrieve_s: float | None = None) -> Answer:
        generated = (
            Step("prefill", done.prefill_s, done.prompt_tokens, self.context_tokens),
            Step("decode", done.decode_s, completion_tokens=done.completion_tokens),
        )
        retrieved = (Step("retrieve", retrieve_s),) if self.open_book else ()
        return Answer(done.text, self.passages, retrieved + generated)


def _own(reference: str, task: Task, folder: Path) -> Answerer:
    """A user's function `answer(sample)` or `answer(sample, task)` as a setup.

    It returns a text or an `Answer`. What it raises is that sample's failure.
    """
    function = load_function(reference, folder)
    takes_task = len(inspect.signature(function).parameters) > 1

    def answer(
        samples: Sequence[Sample], *, timed: bool = False, skip: Collection[int] = ()
    ) -> Iterator[tuple[int, Answer | Failure]]:
        for index, sample in enumerate(samples):
            if index in skip:
                continue
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
