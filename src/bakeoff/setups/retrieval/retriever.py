"""One retrieval for all setups: corpora, and what was retrieved, each opened once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bakeoff.core.words import Sample, digest
from bakeoff.models.pool import Pool
from bakeoff.setups.retrieval.ranking import Hits, composed, gold_passages
from bakeoff.spec.recipes import Retrieve
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.setups.retrieval.index import Corpus


@dataclass
class RetrievalCache:
    """Open indexes, and what they gave: one retrieval serves every setup."""

    pool: Pool
    _corpora: dict[tuple[str, str, str], Corpus] = field(default_factory=dict)
    _found: dict[tuple[str, str, str, str], list[Hits]] = field(default_factory=dict)

    def corpus(self, task: Task, spec: Retrieve) -> Corpus:
        """The task's corpus, indexed."""
        name = task.corpus_name(spec.corpus)
        key = (task.name, name, spec.model_dump_json())
        if key not in self._corpora:
            from bakeoff.setups.retrieval.index import open_corpus

            documents, identity = task.corpora[name], task.digests.corpus(name)
            needed = spec.vectors or spec.chunk_tokens is not None
            embedder = self.pool.embedder(spec.embedder) if needed else None
            self._corpora[key] = open_corpus(
                documents, identity, spec, embedder, self.pool.cache, self.pool.file.parent
            )
        return self._corpora[key]

    def search(
        self, task: Task, spec: Retrieve, samples: Sequence[Sample], *, training: bool = False
    ) -> list[Hits]:
        """Passages for each sample, computed once for all setups that ask the same.

        A training sample does not find itself among the solved examples.
        """
        ids = "\n".join([str(training), *(sample.id for sample in samples)])
        key = (task.name, task.corpus_name(spec.corpus), spec.model_dump_json(), ids)
        if key not in self._found:
            self._found[key] = self._search(task, spec, samples, training)
        return self._found[key]

    def search_anew(self, task: Task, spec: Retrieve, sample: Sample) -> Hits:
        """Passages for one sample, not from memory: this retrieval is measured."""
        return self._search(task, spec, [sample], training=False)[0]

    def _search(
        self, task: Task, spec: Retrieve, samples: Sequence[Sample], training: bool
    ) -> list[Hits]:
        corpus = self.corpus(task, spec)
        if spec.passages == "full":
            return [corpus.passages] * len(samples)
        questions = [sample.question for sample in samples]
        own = [sample.id for sample in samples] if training else ()
        rankings = corpus.find(questions, spec.depth, own)
        if spec.rerank:
            reranker = self.pool.reranker(spec.rerank)
            pairs = zip(questions, rankings, strict=True)
            rankings = [reranker.rank(question, hits, corpus.titles) for question, hits in pairs]
        return [
            _chosen(spec, task, sample, hits, corpus)
            for sample, hits in zip(samples, rankings, strict=True)
        ]


def _chosen(spec: Retrieve, task: Task, sample: Sample, hits: Hits, corpus: Corpus) -> Hits:
    """What of the candidates is read."""
    if spec.passages == "retrieved" and spec.noise is None:
        return hits[: spec.k]
    gold = gold_passages(sample, hits, corpus.by_document)
    if spec.noise is None:
        return tuple(gold[: spec.k])
    return composed(spec.noise, sample, gold, hits, _wrong_answer(task, sample, spec.noise.seed))


def _wrong_answer(task: Task, sample: Sample, seed: int) -> str:
    """An answer of another question of the task, chosen by a seed; none where there is no other."""
    own = {target.casefold() for target in sample.targets}
    others = {s.targets[0] for s in task.population or task.samples if s.targets}
    wrong = sorted(text for text in others if text.casefold() not in own)
    return min(wrong, key=lambda text: digest([seed, sample.id, text]), default="")
