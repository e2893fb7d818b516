"""One retrieval for all setups: corpora, embedders, and what was found, each opened once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core import Embedder, Passage, Sample
from bakeoff.data import Task
from bakeoff.recipes import Retrieve

if TYPE_CHECKING:
    from bakeoff.retrieve import Corpus

Hits = tuple[Passage, ...]


@dataclass
class Library:
    """Open embedders and indexes, and what they found: one retrieval serves every setup."""

    cache: Path
    served: Callable[[str], Embedder | None] = lambda reference: None
    """The embedder of an endpoint, when the reference names one."""
    _embedders: dict[str, Embedder] = field(default_factory=dict)
    _corpora: dict[tuple[str, str, str], Corpus] = field(default_factory=dict)
    _found: dict[tuple[str, str, str, str], list[Hits]] = field(default_factory=dict)

    def embedder(self, reference: str) -> Embedder:
        if reference not in self._embedders:
            found = self.served(reference)
            if found is None:
                from bakeoff.embed import LocalEmbedder

                found = LocalEmbedder(reference, self.cache)
            self._embedders[reference] = found
        return self._embedders[reference]

    def corpus(self, task: Task, spec: Retrieve) -> Corpus:
        """The task's corpus, indexed."""
        name = task.corpus_name(spec.corpus)
        key = (task.name, name, spec.model_dump_json())
        if key not in self._corpora:
            from bakeoff.retrieve import open_corpus

            documents, identity = task.corpora[name], task.digests[f"corpus:{name}"]
            self._corpora[key] = open_corpus(
                documents, identity, spec, self.embedder(spec.embedder), self.cache
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
            vectors = self.embedder(spec.embedder).embed([s.question for s in samples])
            own = [s.id for s in samples] if training else ()
            self._found[key] = corpus.search(vectors, spec.k, own)
        return self._found[key]

    def search_anew(self, task: Task, spec: Retrieve, sample: Sample) -> Hits:
        """Passages for one sample, not from memory: this retrieval is measured."""
        vectors = self.embedder(spec.embedder).embed([sample.question])
        return self.corpus(task, spec).search(vectors, spec.k)[0]
