"""Setups on this machine: weights loaded once, adapters trained or found, both put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bakeoff.core.counts import quantity
from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError, Decoding, Message, Model
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel
from bakeoff.runs.manifest import BatchCheck
from bakeoff.runs.opened import AdapterFacts
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.setups.tuning.teacher import Teacher
from bakeoff.setups.tuning.training_data import TrainingDataBuilder, lessons, together
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.setups.tuning.adapter import Adapter


@dataclass
class Local:
    """The models in memory and their adapters."""

    suite: Suite
    retrieval: RetrievalCache
    progress: Progress
    writer: Callable[[str], Model]
    """The model of a reference, its answers kept: it rewords documents."""
    models: dict[str, LocalModel] = field(default_factory=dict)
    adapters: dict[tuple[str, str], Adapter] = field(default_factory=dict)
    """(task, setup) -> adapter."""
    earlier: set[str] = field(default_factory=set)
    """Tasks that are the state before a change."""

    def load(self, reference: str) -> LocalModel:
        """The model of this reference, loaded once."""
        if reference not in self.models:
            opened = self.retrieval.pool.model(reference)
            assert isinstance(opened, AdaptedModel)
            model = self.models[reference] = opened.model
            self.progress.note(
                f"model {reference}: {model.weights.folder.name} ({model.dtype}, {model.device})"
            )
            if model.template.is_plain:
                self.progress.note(
                    f"model {reference}: it has no chat template, and is asked in plain text: "
                    "each message under its role"
                )
        return self.models[reference]

    def adapt(
        self, setup: Setup, task: Task, tasks: Sequence[Task], teacher: Teacher
    ) -> AdapterFacts:
        """Find or train the setup's weights for the task, and say what they are.

        Setups of one recipe share them; `tasks` are those of a recipe for all tasks together;
        `teacher` is asked by a recipe that learns from another setup.
        """
        # Imports peft, which takes seconds: setups without tuning are answered first.
        from bakeoff.setups.tuning.adapter import attach, whole_model

        assert setup.tune
        if task.after:
            self.earlier.add(task.name)
        adapter = self._twin(setup, task)
        shared = adapter is not None
        if adapter is None:
            adapter = self._made(setup, task, tasks, teacher)
        base = self.load(setup.model)
        if not adapter.whole:
            attach(base, adapter)
            if self.suite.engine and adapter.digest in base.templates:
                raise BakeoffError(
                    f"adapter {adapter.folder}: it was trained with a chat template of its own, "
                    "and an engine uses that of the base: leave out `engine`"
                )
        elif adapter.digest not in self.models:
            self.models[adapter.digest] = whole_model(base, adapter)
        self.adapters[task.name, setup.name] = adapter
        training = adapter.training
        if adapter.reused and not shared:
            self.progress.note(f"adapter {task.name}: reused ({adapter.digest})")
        elif training and not shared:
            self.progress.note(
                f"adapter {task.name}: trained in {training.seconds:.0f} s "
                f"({quantity(training.tokens, 'token')})"
            )
        return AdapterFacts(
            digest=adapter.digest,
            reused=adapter.reused,
            training=training,
        )

    def _twin(self, setup: Setup, task: Task) -> Adapter | None:
        for (other, name), adapter in self.adapters.items():
            twin = self.suite.setups[name]
            alike = (twin.tune, twin.model) == (setup.tune, setup.model)
            joint = (
                setup.tune and setup.tune.together and (other in self.earlier) == bool(task.after)
            )
            if alike and (other == task.name or joint):
                return adapter
        return None

    def _made(self, setup: Setup, task: Task, tasks: Sequence[Task], teacher: Teacher) -> Adapter:
        from bakeoff.setups.tuning.adapter import ready_adapter
        from bakeoff.setups.tuning.job import Job
        from bakeoff.setups.tuning.train import tuned

        assert setup.tune
        if setup.tune.adapter:
            return ready_adapter(setup.tune.adapter)
        suite, model = self.suite, self.load(setup.model)
        writer = partial(self._writer, setup)
        builder = TrainingDataBuilder(
            suite, self.retrieval, model.render, model.count, writer, teacher
        )
        if setup.tune.together:
            recipe, name = setup.tune, "of all tasks"
            learnt = together(builder, tasks, recipe)
        else:
            recipe, name = suite.use(task.name).recipe(setup.tune), task.name
            learnt = lessons(builder, task, recipe)
        self.progress.note(
            f"adapter {name}: {quantity(len(learnt.examples), 'row')} ({recipe.objective})"
        )
        if learnt.facts:
            self.progress.note(
                f"  {name}: {', '.join(f'{k} {v}' for k, v in learnt.facts.items())}"
            )
        job = Job(model, learnt, recipe, suite.seed, f"adapter {name}")
        return tuned(job, self.retrieval.pool.cache, self.progress)

    def _writer(self, setup: Setup, reference: str) -> Model:
        return self.writer(reference or setup.model)

    def adapted(self, setup: Setup, task: Task) -> AdaptedModel:
        """The setup's model with its adapter for the task on, or with all adapters off."""
        adapter = self.adapters.get((task.name, setup.name))
        if adapter and adapter.whole:
            return AdaptedModel(self.models[adapter.digest])
        return AdaptedModel(self.load(setup.model), adapter.digest if adapter else None)

    def plain(self, reference: str) -> AdaptedModel:
        """The model of this reference with all adapters off."""
        return AdaptedModel(self.load(reference))

    def batch_check(
        self, setup: Setup, task: Task, asked: Sequence[Sequence[Message]], decoding: Decoding
    ) -> BatchCheck:
        """How many of these chats are answered differently alone than in a batch."""
        adapted = self.adapted(setup, task)
        prompts = [adapted.render(chat) for chat in asked]
        with adapted.model.using(adapted.adapter):
            share = adapted.model.batch_check(prompts, decoding)
        return BatchCheck(prompts=len(prompts), differing=round(share * len(prompts)))
