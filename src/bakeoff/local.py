"""Setups on this machine: weights loaded once, adapters trained or found, both put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bakeoff.answer import context_of, messages
from bakeoff.core import BakeoffError, Decoding, Message
from bakeoff.data import Task, stratified
from bakeoff.device import limit_threads, native_dtypes
from bakeoff.library import Library
from bakeoff.models import Dressed, LocalModel, resolve
from bakeoff.recipes import Tune
from bakeoff.suite import Setup, Suite
from bakeoff.tune import Adapter, Example, attach, ready_adapter, trained_adapter


@dataclass
class Local:
    """The models in memory and their adapters."""

    suite: Suite
    library: Library
    note: Callable[[str], None]
    models: dict[str, LocalModel] = field(default_factory=dict)
    adapters: dict[tuple[str, str], Adapter] = field(default_factory=dict)
    """(task, setup) -> adapter."""

    def load(self, reference: str) -> LocalModel:
        """The model of this reference, loaded once."""
        if reference not in self.models:
            limit_threads()
            weights = resolve(reference, self.library.cache)
            model = LocalModel(
                weights, self.suite.dtype, self.suite.batch_tokens, self.suite.quantize
            )
            if model.device == "cpu" and not native_dtypes()[self.suite.dtype]:
                self.note(f"{self.suite.dtype} is emulated on this processor: expect it slow")
            self.models[reference] = model
            self.note(f"model {reference}: {weights.folder.name} ({self.suite.dtype})")
        return self.models[reference]

    def adapt(self, setup: Setup, task: Task) -> dict[str, Any]:
        """Find or train the setup's adapter for the task, and say what it is (JSON).

        Setups of one recipe share it.
        """
        assert setup.tune
        adapter = self._twin(setup, task)
        shared = adapter is not None
        if adapter is None:
            adapter = self._made(setup, task)
        attach(self.load(setup.model), adapter)
        self.adapters[task.name, setup.name] = adapter
        training = adapter.training
        if adapter.reused and not shared:
            self.note(f"adapter {task.name}: reused ({adapter.digest})")
        elif training and not shared:
            self.note(
                f"adapter {task.name}: trained in {training.seconds:.0f} s "
                f"({training.tokens} tokens)"
            )
        return {
            "digest": adapter.digest,
            "reused": adapter.reused,
            "training": asdict(training) if training else None,
        }

    def _twin(self, setup: Setup, task: Task) -> Adapter | None:
        for (other, name), adapter in self.adapters.items():
            twin = self.suite.setups[name]
            if other == task.name and (twin.tune, twin.model) == (setup.tune, setup.model):
                return adapter
        return None

    def _made(self, setup: Setup, task: Task) -> Adapter:
        assert setup.tune
        if setup.tune.adapter:
            return ready_adapter(setup.tune.adapter)
        if not task.train:
            raise BakeoffError(
                f"task '{task.name}' has no training rows, which setup '{setup.name}' needs"
            )
        suite, model = self.suite, self.load(setup.model)
        recipe = suite.use(task.name).recipe(setup.tune)
        examples = training_examples(task, model, self.library, suite, recipe)
        self.note(f"adapter {task.name}: {len(examples)} rows")
        return trained_adapter(
            model,
            examples,
            recipe,
            suite.seed,
            self.library.cache,
            lambda text: self.note(f"  {task.name}: {text}"),
        )

    def dressed(self, setup: Setup, task: Task) -> Dressed:
        """The setup's model with its adapter for the task on, or with all adapters off."""
        adapter = self.adapters.get((task.name, setup.name))
        return Dressed(self.load(setup.model), adapter.digest if adapter else None)

    def plain(self, reference: str) -> Dressed:
        """The model of this reference with all adapters off."""
        return Dressed(self.load(reference))

    def batch_check(
        self, setup: Setup, task: Task, asked: Sequence[Sequence[Message]], decoding: Decoding
    ) -> dict[str, int]:
        """How many of these chats are answered differently alone than in a batch."""
        dressed = self.dressed(setup, task)
        prompts = [dressed.model.render(chat) for chat in asked]
        with dressed.model.wearing(dressed.adapter):
            share = dressed.model.batch_check(prompts, decoding)
        return {"prompts": len(prompts), "differing": round(share * len(prompts))}


def training_examples(
    task: Task, model: LocalModel, library: Library, suite: Suite, recipe: Tune
) -> list[Example]:
    """The task's training rows as rendered prompts, a share of them with passages as well.

    The same prompt code serves here and at inference, so a tuned model meets what it learnt.
    """
    retrieve, seed = suite.retrieve, suite.seed
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
