"""What a finished run says that its setups used, in money: per request, and in work around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bakeoff.analysis import freshness
from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate, exactly
from bakeoff.core.words import BakeoffError
from bakeoff.decide.cost.prices import REQUESTS, SECONDS, TOKENS, ModelPrice, Prices, WorkPrice
from bakeoff.runs.opened import IndexFacts
from bakeoff.spec import names
from bakeoff.spec.benchmark import Setup

UP_FRONT, UPDATE, MONTH, REQUEST = "up front", "update", "month", "request"
HOUR_S = 3600.0
TOKENS_PER_WORD = 4 / 3
"""Of English text, roughly; only where an embedder's tokens were not counted."""
MONEY = Measure(higher_is_better=False, bounds=None)


@dataclass(frozen=True)
class Part:
    """What one price adds to the requests of a setup on a task, sample by sample."""

    price: str
    """The price's place in its file, such as `models.embedded`."""
    of: str
    """`prompt`, `passages`, `completion`, `seconds`, `retrieval` or `request`."""
    quantity: str
    """`tokens` (every answer), `seconds` (the latency pass) or `requests` (nothing measured)."""
    column: Column


@dataclass(frozen=True)
class Item:
    """Money that a setup takes up front, for an update or per month."""

    price: str
    when: str
    """`UP_FRONT`, `UPDATE` or `MONTH`."""
    amount: Estimate
    once: bool = False
    """Rests on seconds measured a single time, so that nothing is known of how they vary."""

    @property
    def value(self) -> float:
        """The money by itself; it is always known."""
        return self.amount.value or 0.0


@dataclass
class Ledger:
    """What must be said of prices: what they leave out, and what was assumed."""

    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, text: str) -> None:
        if text not in self.left_out:
            self.left_out.append(text)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def add(self, other: Ledger) -> None:
        """Take over what another one says."""
        for text in other.left_out:
            self.leave_out(text)
        for text in other.notes:
            self.note(text)


def tasks_of(run: Run, setup: str) -> list[str]:
    """The tasks whose requests a setup would serve.

    A task that knows the documents of before a change is a test, not a load.
    """
    before = run.changes.values()
    return [t for t, setups in run.asked.items() if setup in setups and t not in before]


def price_of(run: Run, prices: Prices, name: str) -> tuple[str, ModelPrice] | None:
    """(place in the price file, price) of a setup's model; `None` where the file has none."""
    setup = run.suite.setups[name]
    if price := prices.setups.get(name):
        return f"setups.{name}", price
    price = None if setup.custom else prices.models.get(setup.model)
    return (f"models.{setup.model}", price) if price else None


def parts(run: Run, prices: Prices, name: str, task: str, ledger: Ledger) -> list[Part] | None:
    """What a request of a task costs on a setup; `None`, and said why, where it is not known."""
    setup, entry = run.suite.setups[name], price_of(run, prices, name)
    if entry is None:
        what = f"a price at setups.{name}" + ("" if setup.custom else f" or models.{setup.model}")
        ledger.leave_out(f"{name}: what a request costs: the price file lacks {what}")
        return None
    place, price = entry
    if price.by == REQUESTS:
        whole = run.columns[task, name, "error"]
        made = [Part(place, "request", REQUESTS, _flat(whole, price.per_request or 0.0))]
    elif price.by == TOKENS:
        made = _by_tokens(run, price, place, name, task)
    else:
        if not setup.custom:
            _same_machine(run, price.machine, place, setup.model)
        seconds = run.columns.get((task, name, "latency_s"))
        made = _timed(seconds, price.per_hour or 0.0, place, "seconds")
    if not made:
        lacks = "tokens were not counted" if price.by == TOKENS else "it was not timed"
        ledger.leave_out(f"{name} on {task}: what a request costs: {lacks}")
        return None
    if price.by != SECONDS and setup.retrieve:
        made += _searching(run, prices, name, task, ledger)
    return made


def _by_tokens(run: Run, price: ModelPrice, place: str, name: str, task: str) -> list[Part]:
    columns = [
        run.columns.get((task, name, f"{kind}_tokens"))
        for kind in ("prompt", "context", "completion")
    ]
    prompt, context, completion = columns
    if prompt is None or context is None or completion is None:
        return []
    rate, written = price.per_prompt_token, (price.completion or 0.0) / 1e6
    return [
        Part(place, "prompt", TOKENS, _money(prompt, (prompt.values - context.values) * rate)),
        Part(place, "passages", TOKENS, _money(context, context.values * rate)),
        Part(place, "completion", TOKENS, _money(completion, completion.values * written)),
    ]


def _searching(run: Run, prices: Prices, name: str, task: str, ledger: Ledger) -> list[Part]:
    if prices.retrieval is None:
        ledger.leave_out(f"retrieval of {name}: the price file lacks retrieval")
        return []
    machine = prices.retrieval
    embedder = run.suite.setups[name].retrieve
    _same_machine(run, machine.machine, "retrieval", embedder.embedder if embedder else "")
    seconds = run.columns.get((task, name, "retrieve_s"))
    made = _timed(seconds, machine.per_hour, "retrieval", "retrieval")
    if not made:
        ledger.leave_out(f"retrieval of {name} on {task}: it was not timed")
    return made


def _timed(column: Column | None, per_hour: float, place: str, of: str) -> list[Part]:
    if column is None or not len(column.samples):
        return []
    return [Part(place, of, SECONDS, _money(column, column.values * per_hour / HOUR_S))]


def _money(column: Column, values: Any) -> Column:
    return replace(column, values=values, labels=None, measure=MONEY, answers=None)


def _flat(column: Column, value: float) -> Column:
    return _money(column, np.full(len(column.samples), value))


def _same_machine(run: Run, machine: str | None, place: str, *references: str) -> None:
    """Seconds of one kind of machine say nothing of another: refuse to price them.

    Raises `BakeoffError`. Of models behind endpoints, and of what another tool measured, the run
    does not know the machine. An hour of a machine with a GPU may be priced as one without for
    search and embedding, which can do without.
    """
    known = run.manifest.hardware
    if not known or not all(run.suite.backend(reference).weights for reference in references):
        return
    if machine == "gpu" and not known.gpu:
        raise BakeoffError(
            f"{place}.machine: gpu, and the run's seconds are of a machine without one "
            f"({known.processor}): price them as cpu, or run the benchmark on the machine you "
            "would use"
        )
    if machine == "cpu" and known.gpu and place not in ("retrieval", "embedding"):
        raise BakeoffError(
            f"{place}.machine: cpu, and the run's seconds are of a machine with a GPU "
            f"({known.gpu}): price them as gpu, or run the benchmark on the machine you would "
            "use"
        )


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
            ledger.leave_out(f"index of {name} on {task}: the run tells nothing of it")
    updates = [*_updated(run, prices, setup, tasks, built, ledger)]
    return [*built, *stored, *updates, *_people(prices, name, setup.kind, ledger)]


def _trained(
    run: Run, prices: Prices, setup: Setup, tasks: Sequence[str], ledger: Ledger
) -> Iterator[Item]:
    if not setup.tune:
        return
    adapters = run.manifest.adapters
    # An adapter of all tasks together stands under each of them, and was trained once.
    made = {
        adapter.digest: adapter
        for task in tasks
        if (adapter := adapters.get(f"{task}/{setup.name}"))
    }
    if not all(run.manifest.training(task, setup.name) for task in tasks):
        ledger.leave_out(f"training of {setup.name}: made outside of bakeoff")
    if setup.tune.distill or (setup.tune.cpt and setup.tune.cpt.paraphrases):
        ledger.leave_out(f"training of {setup.name}: answers of the model that taught it")
    for adapter in made.values():
        if facts := adapter.training:
            yield from _training(run, prices, facts.seconds, facts.tokens, ledger)


def _training(
    run: Run, prices: Prices, seconds: float, tokens: float, ledger: Ledger, when: str = UP_FRONT
) -> Iterator[Item]:
    if prices.training is None:
        ledger.leave_out("training: the price file lacks training")
        return
    yield _priced(run, "training", prices.training, seconds, tokens, when)


def _priced(
    run: Run,
    place: str,
    price: WorkPrice,
    seconds: float,
    tokens: float,
    when: str,
    embedder: str = "",
) -> Item:
    if price.per_million_tokens is not None:
        value = tokens * price.per_million_tokens / 1e6
        return Item(place, when, exactly(value))
    _same_machine(run, price.machine, place, embedder)
    value = seconds * (price.per_hour or 0.0) / HOUR_S
    return Item(place, when, exactly(value), once=True)


def _index(run: Run, setup: Setup, task: str) -> IndexFacts | None:
    """The index that a setup reads for a task.

    Runs of before indexes named their setups tell it by its name: the setup's own, that of its
    twin, or the task's first.
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
            yield _priced(run, "embedding", prices.embedding, 0.0, tokens, UP_FRONT)
        return
    seconds = (spent.pace or 0.0) * passages + spent.build_s if spent else None
    if spent is None or (setup.retrieve.vectors and not spent.embedded):
        ledger.leave_out(f"embedding on {task}: it was not timed in this run")
    elif seconds is not None:
        embedder = setup.retrieve.embedder
        yield _priced(run, "embedding", prices.embedding, seconds, 0.0, UP_FRONT, embedder)


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
        ledger.leave_out(f"index storage on {task}: the run does not tell its size")
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
        ledger.leave_out(f"embedding of an update on {task}: the run does not tell what changed")
    elif prices.embedding.per_million_tokens is not None:
        tokens = _passage_tokens(setup, spent.passages, ledger) if setup.retrieve.vectors else 0
        yield _priced(run, "embedding", prices.embedding, 0.0, tokens, UPDATE)
    elif spent.seconds is None:
        ledger.leave_out(f"embedding of an update on {task}: it was not timed in this run")
    else:
        seconds, embedder = max(spent.seconds - learnt, 0.0), setup.retrieve.embedder
        yield _priced(run, "embedding", prices.embedding, seconds, 0.0, UPDATE, embedder)


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
