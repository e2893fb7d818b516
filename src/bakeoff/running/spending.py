"""What answers cost: tokens that were not cached, money by an endpoint's price, failures."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.words import Answer, Failure, Incomplete, Record
from bakeoff.metrics.judges import JudgePool
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.spent import SetupSpent
from bakeoff.runs.store import Unit
from bakeoff.spec.benchmark import Setup, Suite


def spent_tokens(outcome: Answer | Failure) -> tuple[int, int]:
    """(prompt, completion) tokens of an outcome that were not taken from the cache."""
    prompt = completion = 0
    for step in outcome.steps:
        if not step.cached:
            prompt += step.prompt_tokens
            completion += step.completion_tokens
    return prompt, completion


def cost(suite: Suite, setup: Setup, prompt: int, completion: int) -> float:
    """Money for so many tokens, by the price of the setup's endpoint; 0 without one."""
    price = suite.price(setup)
    return price.of(prompt, completion) if price else 0.0


@dataclass
class Spent:
    """What one setup sent and spent in a run."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    from_cache: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Kind of failure, the first word of its text -> how many cells."""

    def count(self, record: Record) -> None:
        if record.answer is None:
            self.failed[re.split(r"\W", record.error or "", maxsplit=1)[0] or "other"] += 1
        prompt, completion = spent_tokens(record.outcome)
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        self.from_cache += any(step.cached for step in record.outcome.steps)

    def add(self, other: Spent) -> None:
        self.failed += other.failed
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.from_cache += other.from_cache

    def facts(self, suite: Suite, setup: Setup) -> SetupSpent:
        """As the manifest holds it, with its cost in money."""
        return SetupSpent(
            requests=self.requests,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            from_cache=self.from_cache,
            failed=dict(sorted(self.failed.items())),
            cost=round(cost(suite, setup, self.prompt_tokens, self.completion_tokens), 6),
        )


class Meter:
    """Counts what a run spends, and stops it at the benchmark's `limits`."""

    def __init__(self, suite: Suite, cells: int, shards: int = 1) -> None:
        self.suite = suite
        self.part = f" (one of {shards} shards)" if shards > 1 else ""
        self.prices = {setup.name: suite.price(setup) for setup in suite.setups.values()}
        limits = suite.limits
        allowed = {
            "errors": limits.errors_allowed(cells),
            "seconds": limits.seconds,
            "tokens": limits.tokens,
            "cost": limits.cost,
        }
        self.limits = {name: limit for name, limit in allowed.items() if limit is not None}
        """What may be reached of each limit that the benchmark sets."""
        self.errors = 0
        self.tokens = 0
        self.cost = 0.0
        # Setups and judges are counted by different threads.
        self._lock = threading.Lock()
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started

    def count(self, setup: Setup, outcome: Answer | Failure) -> None:
        """Count what a setup has spent on one cell."""
        self.errors += isinstance(outcome, Failure)
        prompt, completion = spent_tokens(outcome)
        price = self.prices[setup.name]
        self._add(prompt, completion, price.of(prompt, completion) if price else 0.0)

    def count_judge(self, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        """Count what a judge has spent, too. Raises `Incomplete` when a limit is reached."""
        self._add(prompt_tokens, completion_tokens, cost)
        self.check()

    def _add(self, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        with self._lock:
            self.tokens += prompt_tokens + completion_tokens
            self.cost += cost

    def check(self) -> None:
        """Raises `Incomplete` when a limit is reached."""
        for name, limit in self.limits.items():
            if (reached := getattr(self, name)) > limit:
                raise Incomplete(
                    f"limits.{name}: {reached:.6g} is past {limit:.6g}{self.part}. "
                    "Finished work is kept; "
                    "raise the limit and run the same command again to go on"
                )


def count_spent(
    folder: Path,
    manifest: Manifest,
    suite: Suite,
    tasks: Collection[str],
    counted: Mapping[Unit, Spent] | None = None,
) -> Manifest:
    """A run's manifest with what each setup sent and spent; `counted` units are not read again."""
    known = counted or {}
    by_setup = dict(manifest.spent)
    for setup in suite.setups.values():
        spent = Spent()
        for task in tasks:
            if setup.takes(task):
                unit = Unit(task, setup.name)
                if unit in known:
                    spent.add(known[unit])
                else:
                    for record in store.read_records(folder, unit):
                        spent.count(record)
                spent.requests += store.requests_sent(folder, unit)
        by_setup[setup.name] = spent.facts(suite, setup)
    return manifest.model_copy(update={"spent": by_setup})


def count_judges(manifest: Manifest, judges: JudgePool) -> Manifest:
    """A run's manifest with what judges were asked, added to what they were asked before."""
    before = manifest.judges
    return manifest.model_copy(update={"judges": {**before, **judges.facts(before)}})
