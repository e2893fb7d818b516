"""The latency pass: a few samples of a task asked one at a time, setups in turn."""

from __future__ import annotations

from itertools import pairwise

from bakeoff.core.words import LATENCY, Record, Sample, digest
from bakeoff.running.state import RunState
from bakeoff.runs import machine, store
from bakeoff.runs.store import Unit
from bakeoff.tasks.load import Task


def time_answers(state: RunState, task: Task) -> None:
    """One sample at a time, setups in turn, the turn's direction alternating.

    What drifts on a shared machine (clock, neighbours) then falls on all setups alike. The first
    setup is asked twice in every turn: what its two times differ by is the machine's noise.
    """
    latency = state.plan.suite.latency
    every = [s for s in state.plan.suite.setups.values() if s.takes(task.name)]
    setups = [setup for setup in every if not setup.route]
    turn = [(setup, 0) for setup in setups] + [(setup, 1) for setup in setups[:1]]
    chosen = spread(task.samples, latency.samples)
    unit = Unit(task.name)
    done = {r.key for r in store.read_records(state.folder, unit) if r.answer}
    keys = {(LATENCY, task.name, s.name, c.id, again) for c in chosen for s, again in turn}
    if keys <= done and store.committed(state.folder, unit):
        return
    answerers = {s.name: state.answering.answerer(s, task, cached=False) for s in setups}
    state.progress.start(f"{task.name} / latency", len(keys - done))
    for setup in setups:
        for _ in range(0 if state.is_warm(setup, task.name) else latency.warmup):
            list(answerers[setup.name](chosen[:1], timed=True))
        state.computed.add(setup.name)
    load = [machine.load()]
    with store.open_journal(state.folder, unit) as journal:
        for number, sample in enumerate(chosen):
            for setup, again in turn if number % 2 == 0 else reversed(turn):
                if (LATENCY, task.name, setup.name, sample.id, again) not in done:
                    ((_, outcome),) = answerers[setup.name]([sample], timed=True)
                    journal.append(
                        Record(LATENCY, task.name, setup.name, sample.id, outcome, again)
                    )
                    state.progress.advance()
                    state.meter.count(setup, outcome)
                    state.meter.check()
        for level in latency.concurrency:
            _latency_at(state, journal, task, chosen, level)
        for setup in every:
            if setup.route:
                from bakeoff.running import route

                journal.sync()
                takes = route.decisions(state.folder, setup, task, state.plan.suite.seed)
                asked = list(store.read_records(state.folder, unit))
                for record in route.timed(setup, takes, asked):
                    journal.append(record)
        journal.commit()
    load.append(machine.load())
    known = state.manifest.checks.load or {}
    state.record_checks(load={**known, task.name: tuple(load)})
    state.progress.finish()


def _latency_at(
    state: RunState, journal: store.Journal, task: Task, chosen: list[Sample], level: int
) -> None:
    """The same samples asked of setups over HTTP, so many at once, one setup after the other."""
    for setup in state.plan.suite.setups.values():
        takes = setup.takes(task.name)
        answer = state.answering.loaded(setup, task, level) if takes else None
        if answer is None:
            continue
        for index, outcome in answer(chosen, timed=bool(setup.endpoint)):
            sample = chosen[index].id
            journal.append(Record(f"{LATENCY}@{level}", task.name, setup.name, sample, outcome))
            state.meter.count(setup, outcome)
            state.meter.check()


def spread(samples: tuple[Sample, ...], n: int) -> list[Sample]:
    """At most `n` samples, evenly spread over the samples sorted by a hash of their ids."""
    ordered = sorted(samples, key=lambda sample: digest(sample.id))
    ends = [round(i * len(ordered) / n) for i in range(n + 1)] if n else []
    return [ordered[start] for start, end in pairwise(ends) if start < end]
