"""The models that scorers ask: judges behind endpoints, local verifiers, embedders.

Kept apart from the setups' models, with connections and a count of what is spent of their own:
what judging costs is no cost of the judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import BakeoffError, Decoding, Failure, Generation
from bakeoff.metrics.needs import Chat, Entailment, Need
from bakeoff.metrics.score import Scored
from bakeoff.metrics.scorer import Scorer
from bakeoff.models.cached import CachedModel
from bakeoff.models.pool import Pool
from bakeoff.models.response_cache import Responses
from bakeoff.runs.spent import JudgeSpent
from bakeoff.spec.benchmark import Suite, VerifierSpec
from bakeoff.spec.metric import Metric, behind_endpoint

if TYPE_CHECKING:
    from bakeoff.metrics.verifiers import Verifier

Spend = Callable[[int, int, float], None]
"""Called with prompt tokens, completion tokens and money of each reply that was not cached."""


def unspent(prompt_tokens: int, completion_tokens: int, cost: float) -> None:
    """A `Spend` that nobody limits."""


@dataclass(frozen=True)
class Place:
    """Where judges work: the benchmark with its endpoints, and where things are kept."""

    suite: Suite
    file: Path
    cache: Path
    responses: Path
    """The file of replies that were paid for."""
    environment: Mapping[str, str] = field(repr=False)


@dataclass
class Judged:
    """What one judge was asked, and what that took."""

    asked: int = 0
    from_cache: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class JudgePool:
    """Judges, verifiers and embedders, opened when first asked. Close it after use.

    To be used by one thread.
    """

    def __init__(self, place: Place, spend: Spend = unspent) -> None:
        self.place = place
        self.spend = spend
        self.spent: defaultdict[str, Judged] = defaultdict(Judged)
        self.fingerprints: dict[str, Mapping[str, str]] = {}
        """Judge -> what can change its verdicts."""
        self._pool = Pool(place.suite, place.file, place.cache, place.environment)
        self._responses: Responses | None = None
        self._judges: dict[str, CachedModel] = {}
        self._verifiers: dict[str, Verifier] = {}

    def open(self, tasks: Iterable[Scored]) -> None:
        """See that the models which the tasks' metrics ask can be had, before anything is spent.

        Raises `BakeoffError` for the first that cannot.
        """
        for task in tasks:
            for metric, scorer in task.scorers.items():
                self.open_for(metric, scorer)

    def open_for(self, metric: Metric, scorer: Scorer) -> None:
        """See that the model which a metric asks can be had. Raises `BakeoffError`."""
        if not metric.asks_model or scorer.asks == "embedder":
            return
        if not behind_endpoint(metric.judge):
            self._verifier(metric.judge)
            return
        if self.place.suite.backend(metric.judge).weights:
            name = metric.judge.partition(":")[0]
            raise BakeoffError(f"{metric}: the benchmark has no endpoint '{name}'")
        self._pool.model(metric.judge)

    def give(self, needs: Collection[Need]) -> dict[Need, Any]:
        """What the models say to each need, or a `Failure`.

        Raises `EndpointError` and `EndpointDown` where asking on makes no sense.
        """
        given: dict[Need, Any] = {}
        for (kind, by), members in _grouped(needs).items():
            if kind is Chat:
                given |= self._chat(by, members)
            elif kind is Entailment:
                given |= self._verified(by, members)
            else:
                vectors = self._pool.embedder(by).embed([need.text for need in members])
                given |= zip(members, vectors, strict=True)
        return given

    def facts(self, before: Mapping[str, JudgeSpent]) -> dict[str, JudgeSpent]:
        """For the manifest: what each judge is and what it spent, added to `before`."""
        known = {
            by: JudgeSpent(fingerprint=dict(what), **asdict(self.spent[by]))
            for by, what in sorted(self.fingerprints.items())
        }
        return {
            by: spent.plus(before.get(by, JudgeSpent(fingerprint=spent.fingerprint)))
            for by, spent in known.items()
        }

    def close(self) -> None:
        self._pool.close()
        if self._responses:
            self._responses.close()
        # The next call opens them again.
        self._judges, self._responses = {}, None

    def _chat(self, by: str, members: Sequence[Chat]) -> dict[Need, Any]:
        judge = self._judge(by)
        by_decoding: defaultdict[Decoding, list[Chat]] = defaultdict(list)
        for need in members:
            by_decoding[Decoding(need.max_tokens, seed=need.attempt)].append(need)
        given: dict[Need, Any] = {}
        for decoding, asked in by_decoding.items():
            chats = [_messages(need) for need in asked]
            for index, done in judge.generate(chats, decoding):
                given[asked[index]] = _verdict(done)
                self._count(by, done)
        return given

    def _count(self, by: str, done: Generation | Failure) -> None:
        spent = self.spent[by]
        spent.asked += 1
        if isinstance(done, Failure):
            spent.failed += 1
        elif done.cached:
            spent.from_cache += 1
        else:
            tokens = (done.prompt_tokens, done.completion_tokens)
            cost = self.place.suite.price_of(by).of(*tokens)
            spent.prompt_tokens += tokens[0]
            spent.completion_tokens += tokens[1]
            spent.cost += cost
            self.spend(*tokens, cost)

    def _judge(self, by: str) -> CachedModel:
        if by not in self._judges:
            if self.place.suite.backend(by).weights:
                raise BakeoffError(f"judge '{by}': the benchmark has no such endpoint")
            model = self._pool.model(by)
            if self._responses is None:
                self._responses = Responses(self.place.responses)
            self._judges[by] = CachedModel(model, self._responses)
            self.fingerprints[by] = model.fingerprint()
        return self._judges[by]

    def _verified(self, by: str, members: Sequence[Entailment]) -> dict[Need, Any]:
        verifier = self._verifier(by)
        self.spent[by].asked += len(members)
        return dict(zip(members, verifier.check(members), strict=True))

    def _verifier(self, by: str) -> Verifier:
        if by not in self._verifiers:
            from bakeoff.metrics.verifiers import open_verifier

            spec = self.place.suite.verifiers.get(by) or VerifierSpec(model=by)
            self._verifiers[by] = open_verifier(spec, self.place.cache)
            self.fingerprints[by] = self._verifiers[by].loaded.fingerprint
        return self._verifiers[by]


def _verdict(done: Generation | Failure) -> str | Failure:
    if isinstance(done, Failure):
        return done
    return Failure(done.missing) if done.missing else done.text


def _grouped(needs: Collection[Need]) -> dict[tuple[type, str], list[Any]]:
    groups: defaultdict[tuple[type, str], list[Any]] = defaultdict(list)
    for need in needs:
        groups[type(need), need.model].append(need)
    return groups


def _messages(need: Chat) -> list[Mapping[str, str]]:
    system = [{"role": "system", "content": need.system}] if need.system else []
    return [*system, {"role": "user", "content": need.user}]
