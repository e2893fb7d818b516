"""Judges that are the model of a setup whose answers they judge, told in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from bakeoff.core.secrets import unnamed
from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.metric import Metric
from bakeoff.spec.setups import Setup

Asking = Mapping[str, Mapping[str, str]]
"""Task -> metric -> the kind of model that its scorer asks (`Scorer.asks`)."""
Known = Mapping[str, Mapping[str, str]]
"""Reference of a model -> its fingerprint."""
UNKNOWN: Known = MappingProxyType({})


def self_judged(
    suite: Suite, asking: Asking, models: Known = UNKNOWN, judges: Known = UNKNOWN
) -> list[str]:
    """A sentence for each judge that is the model of setups which it judges, itself or tuned.

    `models` and `judges` are what was opened, as far as that is known: weights are then compared.
    """
    sentences = []
    for by, tasks in _tasks_of(asking).items():
        known, spec = judges.get(by, {}), suite.verifiers.get(by)
        model = spec.model if spec else by
        judge = _Judge(suite, _signs(suite, model, known), models)
        if own := judge.own(tasks):
            served = known.get("url") or suite.endpoint_of(model)
            name = model.partition(":")[2] if served else model
            sentences.append(
                f"{by} judges answers of {name} itself ({own}): judges favour their own answers; "
                "name another judge."
            )
    return sentences


_ITSELF, _TUNED, _TAUGHT = _WAYS = ("", "tuned from it: ", "taught by it: ")
"""How a setup's answers are those of a judge's model."""


@dataclass(frozen=True)
class _Judge:
    """A judge beside the setups of its benchmark."""

    suite: Suite
    signs: frozenset[str]
    models: Known

    def own(self, tasks: Collection[str]) -> str:
        """The setups of the tasks whose answers are those of its model; empty without one."""
        groups: defaultdict[str | None, list[str]] = defaultdict(list)
        for setup in self.suite.setups.values():
            if any(map(setup.takes, tasks)):
                groups[self._way(setup)].append(setup.name)
        return "; ".join(way + ", ".join(groups[way]) for way in _WAYS if way in groups)

    def _way(self, setup: Setup) -> str | None:
        if setup.route:
            first, then = (self.suite.setups[n] for n in (setup.route.first, setup.route.then))
            way = self._way(first)
            return self._way(then) if way is None else way
        if setup.custom:
            return None
        # A served adapter is a model of its own, which can be the judge as well.
        asked = self.suite.asks(setup)
        if self._is(asked) and not (setup.tune and asked == setup.model):
            return _ITSELF
        if self._is(setup.model):
            return _TUNED
        teacher = setup.tune.distill.teacher if setup.tune and setup.tune.distill else ""
        taught = teacher and self._way(self.suite.setups[teacher]) is not None
        return _TAUGHT if taught else None

    def _is(self, model: str) -> bool:
        return bool(self.signs & _signs(self.suite, model, self.models.get(model, {})))


def _tasks_of(asking: Asking) -> Mapping[str, list[str]]:
    """Judge or verifier -> the tasks whose answers it judges. An embedder judges none."""
    tasks: defaultdict[str, list[str]] = defaultdict(list)
    for task, metrics in asking.items():
        for text, kind in metrics.items():
            # What another tool measured may have any name.
            with suppress(BakeoffError):
                metric = Metric.parse(text)
                if metric.asks_model and kind != "embedder":
                    tasks[metric.judge].append(task)
    return tasks


def _signs(suite: Suite, reference: str, known: Mapping[str, str]) -> frozenset[str]:
    """What tells a model from another: where it is served, its name, its weights.

    A name with a `/` is a place on the Hub or on a disk and means the same weights wherever they
    are served. Other names, such as `default`, mean something only at their address.
    """
    endpoint = suite.endpoint_of(reference)
    # The judges of a rescored run may stand behind endpoints of another benchmark file.
    url = known.get("url") or (unnamed(endpoint.url) if endpoint else "")
    if url:
        name = reference.partition(":")[2]
        return frozenset([f"{url.rstrip('/')} {name}", *([name] if "/" in name else [])])
    hub = reference.removeprefix("hf:")
    place = hub if hub == reference else hub.partition("@")[0]
    return frozenset(filter(None, [place, known.get("weights", "")]))
