"""Which setup: what is ruled out, tiers that no measurable difference divides, and the pick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from bakeoff.core.estimate import Difference, Estimate
from bakeoff.decide.advice import limits, quality
from bakeoff.decide.advice.facts import Facts, Known
from bakeoff.decide.advice.limits import Check
from bakeoff.decide.advice.needs import Needs
from bakeoff.decide.advice.worth import cheaper

SIMPLEST = ("base", "rag", "fine-tuned", "hybrid", "routed", "custom")
"""Kinds, the simplest to keep first; how much a system of the user's takes is not known."""


@dataclass(frozen=True)
class Choice:
    """The setups of a run checked against needs."""

    needs: Needs
    facts: Facts

    @cached_property
    def weights(self) -> dict[str, float]:
        return self.needs.weighted(list(self.facts.headlines))

    @cached_property
    def checks(self) -> list[Check]:
        """Every need checked for every setup that is not a reference."""
        alone = limits.checks(self.needs, self.facts, self.weights)
        out = {check.setup for check in alone if check.state == "violated"}
        left = [known.name for known in self._measured if known.name not in out]
        return alone + limits.narrow_checks(self.needs, self.facts, left)

    @cached_property
    def ruled_out(self) -> dict[str, list[Check]]:
        """Setup -> the needs that it violates."""
        violations: dict[str, list[Check]] = {}
        for check in self.checks:
            if check.state == "violated":
                violations.setdefault(check.setup, []).append(check)
        return violations

    @cached_property
    def unmeasured(self) -> dict[str, list[str]]:
        """Setup -> the tasks that weigh and that it was not judged on."""
        return {
            known.name: missing
            for known in self.facts.setups
            if not known.reference and (missing := _missing(known, self.weights))
        }

    @property
    def _measured(self) -> list[Known]:
        return [
            known
            for known in self.facts.setups
            if not known.reference and known.name not in self.unmeasured
        ]

    @cached_property
    def candidates(self) -> tuple[str, ...]:
        """The setups that can be chosen."""
        return tuple(k.name for k in self._measured if k.name not in self.ruled_out)

    @cached_property
    def qualities(self) -> dict[str, Estimate]:
        """Setup -> its weighted quality; of references and those ruled out as well."""
        return {
            known.name: quality.quality(known.quality, self.weights) for known in self.facts.setups
        }

    def gap(self, one: str, two: str) -> Difference:
        """How much better one setup is than another, at the level at which all of them hold."""
        return self._gaps(one, two)

    @cached_property
    def _gaps(self) -> Callable[[str, str], Difference]:
        level = quality.together(len(self.candidates) - 1)
        columns = {known.name: known.quality for known in self.facts.setups}

        @cache
        def gap(one: str, two: str) -> Difference:
            return quality.gap(columns[one], columns[two], self.weights, level)

        return gap

    def better(self, one: str, two: str) -> bool:
        """Whether one setup is better than another by more than chance and the margin."""
        return self.gap(one, two).better(self.needs.margin)

    @cached_property
    def tiers(self) -> list[list[str]]:
        """The candidates, best first: in a tier none is better than another of those left.

        The first one holds the truly best setup in 95% of runs: it would have to lose one of its
        comparisons by chance, and their intervals hold together.
        """
        left, tiers = list(self.candidates), []
        while left:
            top = [s for s in left if not any(self.better(o, s) for o in left if o != s)]
            # Only where unjudged answers make differences go round in a circle.
            top = top or [max(left, key=self._value)]
            tiers.append(sorted(top, key=lambda s: (-self._value(s), left.index(s))))
            left = [s for s in left if s not in top]
        return tiers

    def _value(self, setup: str) -> float:
        value = self.qualities[setup].value
        return -1.0 if value is None else value

    @cached_property
    def picked(self) -> tuple[str, ...]:
        """The recommended setups: several where no measurement separates them."""
        return self.steps[-1][1] if self.steps else ()

    @cached_property
    def steps(self) -> list[tuple[str, tuple[str, ...]]]:
        """How the first tier came down to the pick: (why, those left), only what made a change."""
        if not self.tiers:
            return []
        pool = tuple(s for s in self.candidates if s in self.tiers[0])
        steps = [("better", pool)]
        for why, keep in (
            ("known", self._known),
            ("cheaper", self._cheapest),
            ("sources", self._with_sources),
            ("simpler", self._simplest),
        ):
            kept = keep(steps[-1][1])
            if kept and len(kept) < len(steps[-1][1]):
                steps.append((why, kept))
        return steps

    def _known(self, pool: Sequence[str]) -> tuple[str, ...]:
        unsure = {check.setup for check in self.checks if check.state == "not known"}
        return tuple(s for s in pool if s not in unsure)

    def _cheapest(self, pool: Sequence[str]) -> tuple[str, ...]:
        costs = self.facts.costs
        return tuple(
            s for s in pool if not any(cheaper(costs, o, s, self.needs) for o in pool if o != s)
        )

    def _with_sources(self, pool: Sequence[str]) -> tuple[str, ...]:
        if self.needs.sources != "nice":
            return tuple(pool)
        return tuple(s for s in pool if self.facts.setup(s).sources == 1)

    def _simplest(self, pool: Sequence[str]) -> tuple[str, ...]:
        ranks = {s: SIMPLEST.index(self.facts.setup(s).kind) for s in pool}
        return tuple(s for s in pool if ranks[s] == min(ranks.values()))

    def doubts(self, setup: str) -> list[Check]:
        """The needs that a setup is not shown to meet."""
        unsure = ("not known", "not proven")
        return [c for c in self.checks if c.setup == setup and c.state in unsure]


def _missing(known: Known, weights: Mapping[str, float]) -> list[str]:
    return [t for t in weights if quality.quality(known.quality, {t: 1.0}).value is None]
