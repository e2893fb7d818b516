"""The quality pass: every sample of a task asked of a setup, each outcome kept at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bakeoff.core.words import QUALITY, Answer, Answerer, Failure, Record
from bakeoff.running.state import RunState
from bakeoff.runs import store
from bakeoff.runs.store import Unit
from bakeoff.spec.benchmark import Setup
from bakeoff.tasks.load import Task

Pair = tuple[Setup, Task]
"""A setup, and a task that it is asked."""


def answer_pairs(state: RunState, pairs: Sequence[Pair]) -> None:
    """Answer what of the pairs is not answered yet, and have them scored."""
    with state.timed("quality"):
        for setup, task in pairs:
            _answer_pair(state, setup, task)
            state.asking.set()
            state.scoring.add(Unit(task.name, setup.name))


def _answer_pair(state: RunState, setup: Setup, task: Task) -> None:
    unit = Unit(task.name, setup.name)
    done = {
        (record.sample, record.repeat)
        for record in store.read_records(state.folder, unit)
        if record.answer or not state.retry
    }
    wanted = len(task.samples) * state.plan.suite.repeats
    if len(done) == wanted:
        if not store.committed(state.folder, unit):
            # A kill came between the last answer and the commit.
            with store.open_journal(state.folder, unit) as journal:
                journal.commit()
        return
    answer = state.answering.answerer(setup, task)
    asks = _Asks(state, setup, task)
    state.progress.start(f"{task.name} / {setup.name}", wanted - len(done))
    with store.open_journal(state.folder, unit) as journal:
        if not journal.size:
            state.scoring.follow(unit)
        for repeat in range(state.plan.suite.repeats):
            skip = {i for i, s in enumerate(task.samples) if (s.id, repeat) in done}
            if len(skip) < len(task.samples):
                asks.keep(journal, answer, skip, repeat)
        journal.commit()
    state.progress.finish()


@dataclass
class _Asks:
    """What a setup is asked of one task."""

    state: RunState
    setup: Setup
    task: Task
    failed: int = 0
    sends: bool = False
    """Whether requests go out. What has arrived when one is to go out was kept before that."""

    def keep(
        self, journal: store.Journal, answer: Answerer, skip: Collection[int], repeat: int
    ) -> None:
        """Ask the samples that are not in `skip`, and keep each outcome as it comes.

        Raises `Incomplete` once a limit is reached: before the next request, so that no answer
        is lost that has arrived by then.
        """
        state, samples = self.state, self.task.samples

        def sending(index: int) -> None:
            self.sends = True
            state.meter.check()
            journal.sending(samples[index].id, repeat)
            state.asking.set()

        for index, outcome in answer(samples, skip=skip, repeat=repeat, sending=sending):
            sample = samples[index].id
            journal.append(
                Record(QUALITY, self.task.name, self.setup.name, sample, outcome, repeat)
            )
            self.failed += isinstance(outcome, Failure)
            if isinstance(outcome, Answer) and not any(s.cached for s in outcome.steps):
                state.computed.add(self.setup.name)
            state.progress.advance(1, f"{self.failed} failed" if self.failed else "")
            state.meter.count(self.setup, outcome)
            if not self.sends:
                state.meter.check()
        state.meter.check()


def answer_routed(state: RunState) -> None:
    """Put routed setups together, now that what they are made of is scored."""
    if not any(setup.route for setup in state.plan.suite.setups.values()):
        return
    from bakeoff.running import route

    for task in state.plan.tasks.values():
        for setup in state.plan.suite.setups.values():
            unit = Unit(task.name, setup.name)
            if setup.route and setup.takes(task.name):
                if not store.committed(state.folder, unit):
                    route.write(state.folder, setup, task, state.plan.suite.seed)
                state.scoring.add(unit)
    state.scoring.finish()
