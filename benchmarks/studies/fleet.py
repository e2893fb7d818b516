"""What a run takes on 1, 10 and 100 workers, and from where on its driver is the bottleneck.

    python benchmarks/studies/fleet.py

Simulated, with the chunks that runs are cut into (`running.fleet.chunks.Parts`) and costs that were
measured; prints Markdown, of which docs/how-to/scale.md has the tables. One core; a minute.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bakeoff.running.fleet.chunks import Part, Parts
from bakeoff.running.fleet.messages import Chunk
from bakeoff.running.fleet.worker import AHEAD_S, FLUSH_S, MOST

DRIVER_S = 0.00018
"""Processor time of the driver for a cell, scores, comparison and report included: 100,000 samples
by `benchmarks/perf/size_speed.py --on processes:4`."""
MESSAGE_S = 0.0001
"""And for a message: a function of 6 ms, whose calls are noted one by one, took so much more."""
NOTICED_S = 16.0
"""Until the loss of a node is noticed, at most: trials on Ray."""
SEED = 7


@dataclass(frozen=True)
class Load:
    """What is asked, and what a worker needs for it."""

    name: str
    cells: int
    """Of each of four setups, asked one after the other."""
    cell_s: float
    """Of a worker for one cell, its requests side by side taken together."""
    start_s: float
    """Of a worker, until it can answer."""
    batch: int = 1
    """Cells that are asked together."""
    per_minute: float = 0.0
    """Requests that an endpoint allows all workers together; 0 for any number."""
    spread: float = 0.5
    """Standard deviation of the logarithm of a cell's (a batch's) seconds."""


LOADS = (
    Load("model on a GPU, 0.1 s a cell", 25_000, 0.1, 60.0, batch=16),
    Load("agent behind a function, 2 s a call", 2_500, 2.0, 5.0),
    Load("endpoint, 2 s a reply, 8 at once a worker", 25_000, 0.25, 5.0),
    Load("the same, 6,000 requests a minute", 25_000, 0.25, 5.0, per_minute=6_000),
    Load("function, 10 ms a call", 100_000, 0.01, 5.0),
    Load("function that answers at once", 100_000, 0.00004, 5.0),
)


@dataclass(frozen=True)
class World:
    """How many workers, and what befalls them."""

    workers: int
    lost_per_hour: float = 0.0
    """Of one worker."""
    slow: float = 0.0
    """Share of workers that take three times as long."""


@dataclass
class Came:
    """What came of a run."""

    seconds: float = 0.0
    busy_s: float = 0.0
    """Of the driver."""
    repeated: int = 0
    lost: int = 0


@dataclass(frozen=True, order=True)
class Event:
    """A worker is ready, or has answered `done` cells of what is left of its chunk, or is lost."""

    when: float
    place: int
    part: Part | None = field(default=None, compare=False)
    left: list[int] = field(default_factory=list, compare=False)
    done: int = field(default=0, compare=False)
    lost: bool = field(default=False, compare=False)


@dataclass
class Run:
    """A run under way. Times are seconds from its start."""

    load: Load
    world: World
    came: Came = field(default_factory=Came)
    free: float = 0.0
    """When the driver has time again."""

    def __post_init__(self) -> None:
        self.random = random.Random(SEED)
        self.places = self.world.workers
        if self.load.per_minute:
            self.places = int(min(self.places, self.load.per_minute))
        slow = round(self.world.slow * self.world.workers)
        self.pace = [3.0 if place < slow else 1.0 for place in range(self.places)]
        self.dies = [self._life(0.0) for _ in range(self.places)]
        self.ready = [self.load.start_s] * self.places

    def _life(self, now: float) -> float:
        rate = self.world.lost_per_hour / 3600
        return now + self.random.expovariate(rate) if rate else float("inf")

    def served(self, now: float, cells: int) -> float:
        """When the driver has taken in a message that comes now."""
        took = MESSAGE_S + cells * DRIVER_S
        self.free = max(self.free, now) + took
        self.came.busy_s += took
        return self.free

    def setup(self) -> None:
        """One setup, from its first cell to its last."""
        self.parts = self._parts()
        self.events = [Event(when, place) for place, when in enumerate(self.ready)]
        heapq.heapify(self.events)
        self.idle: set[int] = set()
        now, missing = 0.0, self.load.cells
        while missing:
            event = heapq.heappop(self.events)
            now = event.when
            if event.lost:
                missing -= self._lose(event)
            elif event.done:
                missing -= event.done
                now = self.served(now, event.done)
                rest = event.left[event.done :]
                heapq.heappush(self.events, Event(now, event.place, event.part, rest))
            else:
                self._begin(event)
        self.came.seconds = now
        self.ready = [now] * self.places
        for event in self.events:
            self.ready[event.place] = max(now, event.when)

    def _parts(self) -> Parts:
        load = self.load
        places = tuple(range(load.cells))
        batches = [places[i : i + load.batch] for i in range(0, load.cells, load.batch)]
        return Parts(Chunk("t", "s", places), batches if load.batch > 1 else None, self.places)

    def _begin(self, event: Event) -> None:
        """A worker answers on, as far as its next message."""
        now, place, part, left = event.when, event.place, event.part, event.left
        if now > self.dies[place]:  # while it waited
            gone = Event(now + NOTICED_S, place, part, left, lost=True)
            heapq.heappush(self.events, gone)
            return
        if not left:
            part = self.parts.next()
            if part is None:
                self.idle.add(place)
                return
            left = list(part.chunk.indices)
        end, done = self._answered(now, place, left)
        if end > self.dies[place]:
            noticed = max(now, self.dies[place]) + NOTICED_S
            heapq.heappush(self.events, Event(noticed, place, part, left, lost=True))
        else:
            heapq.heappush(self.events, Event(end, place, part, left, done))

    def _lose(self, event: Event) -> int:
        """The driver has seen that a worker is lost: another starts, the idle ones go on.

        How many cells are given up: three workers were lost over them.
        """
        self.came.lost += 1
        self.came.repeated += len(event.left)
        given_up: list[int] = []
        if event.part:
            given_up = self.parts.lost(event.part, event.left, event.left[: self.load.batch])
        back = event.when + self.load.start_s
        self.dies[event.place] = self._life(back)
        heapq.heappush(self.events, Event(back, event.place))
        for place in self.idle:
            heapq.heappush(self.events, Event(event.when, place))
        self.idle.clear()
        return len(given_up)

    def _answered(self, now: float, place: int, left: list[int]) -> tuple[float, int]:
        """When the next message of a worker comes, and of how many outcomes it is."""
        end, done = now, 0
        gap = 60 * self.places / self.load.per_minute if self.load.per_minute else 0.0
        # Outcomes travel with the note of the next request; quick calls are noted many at once.
        most = 1 if self.load.batch == 1 and self.load.cell_s > AHEAD_S else MOST
        while done < len(left) and done < most:
            mean = self.load.cell_s * self.load.batch * self.pace[place]
            drawn = self.random.lognormvariate(-(self.load.spread**2) / 2, self.load.spread)
            end += max(mean * drawn, gap)
            done += min(self.load.batch, len(left) - done)
            if end - now > FLUSH_S:
                break
        return end, done


def run(load: Load, world: World) -> Came:
    """A benchmark of four setups."""
    under_way = Run(load, world)
    for _ in range(4):
        under_way.setup()
    return under_way.came


def rows(loads: tuple[Load, ...], worlds: tuple[World, ...]) -> Iterator[str]:
    """A line of a table for each load and world."""
    for load in loads:
        alone = run(load, World(1))
        for world in worlds:
            came = run(load, world)
            rate = 4 * load.cells / came.seconds
            faster = alone.seconds / came.seconds
            busy = came.busy_s / came.seconds
            yield (
                f"| {load.name} | {world.workers} | {came.seconds / 60:,.1f} | {rate:,.0f} "
                f"| {faster:,.1f} | {busy:.0%} | {came.lost} | {came.repeated} |"
            )


HEAD = (
    "| asked | workers | minutes | cells a second | times as fast as one | driver at work | lost "
    "| asked again |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def main() -> None:
    """The command line."""
    print("Nothing goes wrong:\n\n" + HEAD)
    print("\n".join(rows(LOADS, (World(1), World(10), World(100)))))
    odd = World(100, lost_per_hour=0.5, slow=0.05)
    print("\nEvery second worker is lost each hour; one of twenty is three times as slow:\n")
    print(HEAD)
    print("\n".join(rows(LOADS, (replace(odd, workers=10), odd))))


if __name__ == "__main__":
    main()
