"""What a finished run's setups used, in money: per request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate
from bakeoff.core.words import BakeoffError
from bakeoff.decide.cost.prices import REQUESTS, SECONDS, TOKENS, ModelPrice, Prices

UP_FRONT, UPDATE, MONTH, REQUEST = "up front", "update", "month", "request"
HOUR_S = 3600.0
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
    """Notes on prices: what they leave out, and what was assumed."""

    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, text: str) -> None:
        if text not in self.left_out:
            self.left_out.append(text)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def add(self, other: Ledger) -> None:
        """Add the notes of another ledger."""
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
    references = [] if setup.custom else [run.suite.asks(setup), setup.model]
    for reference in references:
        if price := prices.models.get(reference):
            return f"models.{reference}", price
    return None


def parts(run: Run, prices: Prices, name: str, task: str, ledger: Ledger) -> list[Part] | None:
    """What a request of a task costs on a setup; `None`, with a note, where it is not known."""
    setup, entry = run.suite.setups[name], price_of(run, prices, name)
    if entry is None:
        what = f"a price at setups.{name}"
        what += "" if setup.custom else f" or models.{run.suite.asks(setup)}"
        ledger.leave_out(f"{name}: what a request costs: the price file lacks {what}")
        return None
    place, price = entry
    if place == f"models.{setup.model}" and run.suite.asks(setup) != setup.model:
        ledger.note(
            f"requests of {name} are priced as those of {setup.model}, which it was tuned from"
        )
    if price.by == REQUESTS:
        whole = run.columns[task, name, "error"]
        made = [Part(place, "request", REQUESTS, _flat(whole, price.per_request or 0.0))]
    elif price.by == TOKENS:
        made = _by_tokens(run, price, place, name, task)
    else:
        if not setup.custom:
            same_machine(run, price.machine, place, setup.model)
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
    same_machine(run, machine.machine, "retrieval", embedder.embedder if embedder else "")
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


def same_machine(run: Run, machine: str | None, place: str, *references: str) -> None:
    """Refuse to price seconds that were measured on another kind of machine.

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
