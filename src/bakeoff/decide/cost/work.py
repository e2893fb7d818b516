"""What setups take beside their requests, in money: up front, for each update, and per month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bakeoff.analysis import freshness
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate, exactly
from bakeoff.decide.cost.prices import Prices, WorkPrice
from bakeoff.decide.cost.usage import (
    HOUR_S,
    MONTH,
    UP_FRONT,
    UPDATE,
    Item,
    Ledger,
    same_machine,
    tasks_of,
)
from bakeoff.runs.opened import IndexFacts
from bakeoff.spec import names
from bakeoff.spec.benchmark import Setup

TOKENS_PER_WORD = 4 / 3
"""Of English text, roughly; only where an embedder's tokens were not counted."""


def work(run: Run, prices: Prices, name: str, ledger: Ledger) -> list[Item]:
    """What a setup takes beside its requests: up front, for each update, and per month."""
    setup, tasks = run.suite.setups[name], tasks_of(run, name)
    built = [*_trained(run, prices, setup, tasks, ledger)]
    stored: list[Item] = []
    if setup.retrieve:
        indexes = {task: _index(run, setup, task) for task in tasks}
        known = {index.digest: (task, index) for task, index in indexes.items() if index}
        for task, index in known.values():
            built += _embedded(run, prices, setup, task, index, ledger)
            stored += _stored(prices, task, index, ledger)
        for task in (task for task, index in indexes.items() if not index):
            ledger.leave_out(f"index of {name} on {task}: the run has no record of it")
    updates = [*_updated(run, prices, setup, tasks, built, ledger)]
    return [*built, *stored, *updates, *_people(prices, name, setup.kind, ledger)]


def _trained(
    run: Run, prices: Prices, setup: Setup, tasks: Sequence[str], ledger: Ledger
) -> Iterator[Item]:
    if not setup.tune:
        return
    adapters = run.manifest.adapters
    # An adapter of all tasks together is listed under each of them, and was trained once.
    made = {
        adapter.digest: adapter
        for task in tasks
        if (adapter := adapters.get(f"{task}/{setup.name}"))
    }
    if not all(run.manifest.training(task, setup.name) for task in tasks):
        yield from _trained_elsewhere(prices, setup.name, ledger)
    if setup.tune.distill or (setup.tune.cpt and setup.tune.cpt.paraphrases):
        ledger.leave_out(f"training of {setup.name}: answers of the model that taught it")
    for adapter in made.values():
        if facts := adapter.training:
            yield from _training(run, prices, facts.seconds, facts.tokens, ledger)


def _trained_elsewhere(prices: Prices, name: str, ledger: Ledger) -> Iterator[Item]:
    """Tuning of which the run knows nothing, as the price file states it."""
    stated, price = prices.trained.get(name), prices.training
    if stated is None:
        ledger.leave_out(
            f"training of {name}: made outside of bakeoff; the price file can state it "
            f"(trained: {{{name}: ...}})"
        )
    elif stated.paid is not None:
        yield Item(f"trained.{name}", UP_FRONT, exactly(stated.paid))
    elif price is None:
        ledger.leave_out("training: the price file lacks training")
    elif price.per_million_tokens is not None and stated.tokens is not None:
        value = stated.tokens * price.per_million_tokens / 1e6
        yield Item("training", UP_FRONT, exactly(value))
    elif price.per_hour is not None and stated.seconds is not None:
        # The machine is the price file's own: nothing is held against the run's.
        value = stated.seconds * price.per_hour / HOUR_S
        yield Item("training", UP_FRONT, exactly(value), once=True)
    else:
        lacks = "tokens" if price.per_hour is None else "seconds"
        ledger.leave_out(f"training of {name}: trained.{name} lacks {lacks}, which training prices")


def _training(
    run: Run, prices: Prices, seconds: float, tokens: float, ledger: Ledger, when: str = UP_FRONT
) -> Iterator[Item]:
    if prices.training is None:
        ledger.leave_out("training: the price file lacks training")
        return
    if prices.training.per_million_tokens is not None:
        yield _for_tokens("training", prices.training, tokens, when)
    else:
        yield _for_seconds(run, "training", prices.training, seconds, when)


def _for_tokens(place: str, price: WorkPrice, tokens: float, when: str) -> Item:
    return Item(place, when, exactly(tokens * (price.per_million_tokens or 0.0) / 1e6))


def _for_seconds(
    run: Run, place: str, price: WorkPrice, seconds: float, when: str, embedder: str = ""
) -> Item:
    same_machine(run, price.machine, place, embedder)
    value = seconds * (price.per_hour or 0.0) / HOUR_S
    return Item(place, when, exactly(value), once=True)


def _index(run: Run, setup: Setup, task: str) -> IndexFacts | None:
    """The index that a setup reads for a task.

    The indexes of older runs do not name their setups: there it is the setup's own by its name,
    that of its twin, or the task's first.
    """
    assert setup.retrieve
    if known := run.manifest.index(task, setup.name):
        return known
    indexes = {k: v for k, v in run.manifest.indexes.items() if k.startswith(f"{task}/")}
    twins = [s.name for s in run.suite.setups.values() if s.retrieve == setup.retrieve]
    for name in (setup.name, *twins):
        for key, index in indexes.items():
            if key.endswith(f" for {name}"):
                return index
    corpus = setup.retrieve.corpus.get(task)
    first = [k for k in indexes if " for " not in k and corpus in (None, k.partition("/")[2])]
    return indexes[first[0]] if first else None


def _embedded(
    run: Run, prices: Prices, setup: Setup, task: str, index: IndexFacts, ledger: Ledger
) -> Iterator[Item]:
    """Embedding all passages of an index, and building it, as if no cache had helped."""
    assert setup.retrieve
    if prices.embedding is None:
        ledger.leave_out("embedding: the price file lacks embedding")
        return
    spent, passages = index.work, index.passages
    if prices.embedding.per_million_tokens is not None:
        if setup.retrieve.vectors:
            tokens = _passage_tokens(setup, passages, ledger)
            yield _for_tokens("embedding", prices.embedding, tokens, UP_FRONT)
        return
    seconds = (spent.pace or 0.0) * passages + spent.build_s if spent else None
    if spent is None or (setup.retrieve.vectors and not spent.embedded):
        ledger.leave_out(f"embedding on {task}: it was not timed in this run")
    elif seconds is not None:
        embedder = setup.retrieve.embedder
        yield _for_seconds(run, "embedding", prices.embedding, seconds, UP_FRONT, embedder)


def _passage_tokens(setup: Setup, passages: float, ledger: Ledger) -> float:
    assert setup.retrieve
    known = setup.retrieve.chunk_tokens
    if known is None:
        ledger.note(
            "tokens of passages are estimated: words a passage may have, times "
            f"{TOKENS_PER_WORD:.2f}; an upper bound where passages are shorter"
        )
    return passages * (known or setup.retrieve.chunk_words * TOKENS_PER_WORD)


def _stored(prices: Prices, task: str, index: IndexFacts, ledger: Ledger) -> Iterator[Item]:
    size = index.work.bytes if index.work else None
    if prices.index_gb_month is None:
        ledger.leave_out("index storage: the price file lacks index_gb_month")
    elif size is None:
        ledger.leave_out(f"index storage on {task}: the run does not record its size")
    else:
        value = size / 1e9 * prices.index_gb_month
        yield Item("index_gb_month", MONTH, exactly(value))


def _updated(
    run: Run,
    prices: Prices,
    setup: Setup,
    tasks: Sequence[str],
    built: Sequence[Item],
    ledger: Ledger,
) -> Iterator[Item]:
    """The work of one update: as measured where the run has it, else all of it again."""
    changed_tasks = [task for task in tasks if task in run.changes]
    if not changed_tasks:
        if built:
            ledger.note(
                f"an update of {setup.name} is taken to be all of its work up front again: the run "
                "measured no update"
            )
        yield from (replace(item, when=UPDATE) for item in built)
        return
    ledger.note(f"an update is that of {', '.join(changed_tasks)}, as the run measured it")
    for task in changed_tasks:
        training = run.manifest.training(task, setup.name)
        if training:
            spent = training.seconds, training.tokens
            yield from _training(run, prices, *spent, ledger, UPDATE)
        if setup.retrieve:
            learnt = training.seconds if training else 0.0
            yield from _indexed_again(run, prices, setup, task, learnt, ledger)


def _indexed_again(
    run: Run, prices: Prices, setup: Setup, task: str, learnt: float, ledger: Ledger
) -> Iterator[Item]:
    """Embedding the passages that an update changed; `learnt` are its seconds of training."""
    assert setup.retrieve
    spent, index = freshness.work(run.manifest, task, setup.name), _index(run, setup, task)
    if prices.embedding is None:
        return
    if index is None or index.changed is None:
        ledger.leave_out(f"embedding of an update on {task}: the run does not record what changed")
    elif prices.embedding.per_million_tokens is not None:
        tokens = _passage_tokens(setup, spent.passages, ledger) if setup.retrieve.vectors else 0
        yield _for_tokens("embedding", prices.embedding, tokens, UPDATE)
    elif spent.seconds is None:
        ledger.leave_out(f"embedding of an update on {task}: it was not timed in this run")
    else:
        seconds, embedder = max(spent.seconds - learnt, 0.0), setup.retrieve.embedder
        yield _for_seconds(run, "embedding", prices.embedding, seconds, UPDATE, embedder)


def _people(prices: Prices, name: str, kind: str, ledger: Ledger) -> Iterator[Item]:
    if prices.engineer_hour is None:
        ledger.leave_out("people's time: the price file lacks engineer_hour")
        return
    hours = prices.hours.get(name) or names.of_kind(prices.hours, kind, "hours")
    if hours is None:
        ledger.leave_out(f"people's time for {name}: hours names no {name}")
        return
    for when, (low, high) in ((UP_FRONT, hours.up_front), (UPDATE, hours.per_update)):
        if high:
            low, high = low * prices.engineer_hour, high * prices.engineer_hour
            yield Item("engineer_hour", when, Estimate((low + high) / 2, low, high))
