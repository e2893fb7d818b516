"""Units of a run scored in a thread of its own, each as soon as it is answered.

Judges behind endpoints are waited for while setups go on answering. What needs the processor for
long, a verifier or an embedder of this machine, waits until all is answered: beside a model that is
generating, both would take several times as long.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import Incomplete
from bakeoff.metrics.judges import JudgePool
from bakeoff.metrics.needs import Need
from bakeoff.metrics.score import batch_scorer, declares_passages
from bakeoff.running.scoring import score_unit
from bakeoff.running.spending import Spent
from bakeoff.runs import cells, store
from bakeoff.runs.store import ScoreRow, Unit
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.metric import behind_endpoint
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.analysis.reading import Reading

LOOK_S = 0.1
"""How often new answers of a unit are looked for. A look at each would have the threads take turns
at every answer."""
PATIENCE_S = 5.0
"""How long a stopped run waits for what is being scored just now."""


@dataclass
class BackgroundScoring:
    """The scoring of one run. `finish` it, or `stop` it where the run ends early."""

    folder: Path
    suite: Suite
    tasks: Mapping[str, Task]
    judges: JudgePool
    spent: dict[Unit, Spent] = field(default_factory=dict)
    """What the units took that were scored while they were answered."""
    reading: Reading | None = None
    """What was read on the way, of the same units."""
    _following: dict[Unit, threading.Event] = field(default_factory=dict)
    """Units that are scored while they are answered: set once all answers are there."""
    _units: queue.SimpleQueue[Unit | None] = field(default_factory=queue.SimpleQueue)
    _held: list[Unit] = field(default_factory=list)
    _started: set[Unit] = field(default_factory=set)
    _scored: set[Unit] = field(default_factory=set)
    _news: threading.Condition = field(default_factory=threading.Condition)
    """Notified when a unit is scored, and when the thread ends."""
    _error: BaseException | None = None
    _ended: bool = False
    """Whether the thread has ended, or is about to."""
    _stopped: bool = False
    _thread: threading.Thread | None = None

    def follow(self, unit: Unit) -> None:
        """Score a unit while it is answered, where that can be; it is to be added at its end.

        Its journal is open and holds no records yet.
        """
        if self._can_follow(unit):
            self._following[unit] = threading.Event()
            self._start([unit])

    def add(self, unit: Unit) -> None:
        """Score a unit whose answers are all there, now or when its time has come."""
        if unit in self._following:
            self._following[unit].set()
            return
        self._held.append(unit)
        if self._beside:
            ready = [held for held in self._held if self._whole(held.task)]
            self._held = [held for held in self._held if held not in ready]
            self._start(ready)

    def scored(self, units: Collection[Unit], patience_s: float | None = None) -> bool:
        """Whether all the units are scored; what is being scored is waited for so long.

        Units that are not answered yet, or wait for the end of the run, are not waited for.
        """
        if not self._started.issuperset(units):
            return False
        with self._news:
            self._news.wait_for(lambda: self._ended or self._scored.issuperset(units), patience_s)
        return self._scored.issuperset(units)

    def finish(self) -> None:
        """Wait until every unit is scored. Raises what went wrong."""
        self._start(self._held)
        self._held = []
        if self._thread:
            self._units.put(None)
            self._thread.join()
            self._thread = None
        if self._error:
            raise self._error

    def stop(self) -> None:
        """Give up; judgments made so far are kept."""
        self._stopped = True
        for ended in self._following.values():
            ended.set()
        if self._thread:
            self._units.put(None)
            self._thread.join(PATIENCE_S)

    def _start(self, units: list[Unit]) -> None:
        if units and self._thread is None:
            self._ended = False
            # A daemon: a hanging judge does not keep the program from ending.
            self._thread = threading.Thread(target=self._work, name="scoring", daemon=True)
            self._thread.start()
        for unit in units:
            self._started.add(unit)
            self._units.put(unit)

    def _work(self) -> None:
        try:
            while (unit := self._units.get()) is not None:
                task = self.tasks[unit.task]
                if unit in self._following:
                    store.write_scores(self.folder, unit, self._scored_meanwhile(unit))
                else:
                    score_unit(self.folder, self.suite, task, unit.setup, self._give)
                with self._news:
                    self._scored.add(unit)
                    self._news.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()
            self.judges.close()

    def _scored_meanwhile(self, unit: Unit) -> Iterator[ScoreRow]:
        """The scores of a unit while it is answered; its answers are counted on the way."""
        task, spent = self.tasks[unit.task], Spent()
        open_book = declares_passages(self.suite.setups[unit.setup]) or False
        score = batch_scorer(task, open_book, self._give)
        wanted = cells.Cells({s.id for s in task.samples}, self.suite.repeats)
        reading = None
        for batch in cells.followed(self.folder, unit, wanted, lambda: self._waited(unit)):
            reading = reading or self._begun_reading()
            for record, row in zip(batch, score(batch), strict=True):
                spent.count(record)
                reading.add(record)
                reading.add_scores((unit.task, unit.setup), row)
                reading.hold(record, row)
                yield row
        self.spent[unit] = spent
        if reading:
            reading.whole.add((unit.task, unit.setup))

    def _waited(self, unit: Unit) -> bool:
        """Whether all answers of a unit are there, after a moment in which more may have come."""
        over = self._following[unit].wait(LOOK_S)
        if self._stopped:
            raise Incomplete("the run was stopped")
        return over

    def _begun_reading(self) -> Reading:
        if self.reading is None:
            # It computes with numpy, which is not imported before the first answers.
            from bakeoff.analysis.reading import Reading

            samples = {name: {s.id: s for s in task.samples} for name, task in self.tasks.items()}
            self.reading = Reading(samples, self.suite)
        return self.reading

    def _give(self, needs: Collection[Need]) -> Mapping[Need, Any]:
        if self._stopped:
            raise Incomplete("the run was stopped")
        return self.judges.give(needs)

    def _can_follow(self, unit: Unit) -> bool:
        """Whether an answer can be scored before the others of its unit and task are there.

        Judges are asked of many answers at a time, which counts what is alike once.
        """
        return declares_passages(self.suite.setups[unit.setup]) is not None and not any(
            metric.asks_model or scorer.asks == "embedder" or metric.setting("against")
            for metric, scorer in self.tasks[unit.task].scorers.items()
        )

    @property
    def _beside(self) -> bool:
        """Whether scoring leaves the processor to those who generate."""
        return all(
            behind_endpoint(metric.judge) or not (metric.asks_model or scorer.asks == "embedder")
            for task in self.tasks.values()
            for metric, scorer in task.scorers.items()
        )

    def _whole(self, task: str) -> bool:
        """Whether a task's units need wait for no other: or all of them are there."""
        if not any(metric.setting("against") for metric in self.tasks[task].scorers):
            return True
        asked = {s.name for s in self.suite.setups.values() if s.takes(task)}
        return asked <= {held.setup for held in self._held if held.task == task}
