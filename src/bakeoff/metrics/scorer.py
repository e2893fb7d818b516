"""A scorer: a plain function of sample, answer and context, and what a reader must know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.core.measure import Bounds
from bakeoff.core.words import Answer, Failure, Sample, Score, digest
from bakeoff.metrics.needs import Need, Unjudged, Wanted
from bakeoff.spec.functions import source_of
from bakeoff.spec.metric import Metric
from bakeoff.spec.task import Rule

Outcome = Score | float | bool | None
"""What a scorer returns: `None` means that the metric does not apply to this sample."""
"""A metric's settings by name, the defaults filled in."""


@dataclass(frozen=True)
class Context:
    """What a scorer may know of the task beside the sample and the answer."""

    refusals: tuple[str, ...] = ()
    """Phrases that count as declining to answer."""
    normalization: str = "squad"
    """Of answers and targets before they are compared (`metrics.forms`)."""
    schema: Mapping[str, Any] | None = None
    rules: tuple[Rule, ...] = ()
    labels: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    """Text of every document a gold id can name."""
    folder: Path = Path()
    """Of the task file: what a metric names as a file is looked for there."""
    given: Mapping[Need, Any] = field(default_factory=dict, repr=False)
    """The output of models so far."""
    rivals: Mapping[str, Answer] = field(default_factory=dict, repr=False)
    """Answers of other setups to the same sample, where a metric is `against` them."""

    def gold(self, sample: Sample) -> list[str]:
        """Texts of the sample's gold documents.

        Raises `Unjudged` where the task does not have them, as for a user's own retrieval.
        """
        if unknown := [name for name in sample.gold if name not in self.documents]:
            raise Unjudged(f"the task has no text of document '{unknown[0]}'")
        return [self.documents[name] for name in sample.gold]

    def ask(self, *needs: Need) -> list[Any]:
        """The models' output for these needs.

        Raises `Wanted` when they have not been asked yet, and `Unjudged` when one failed.
        """
        if missing := [need for need in needs if need not in self.given]:
            raise Wanted(missing)
        for need in needs:
            if isinstance(failed := self.given[need], Failure):
                raise Unjudged(failed.error)
        return [self.given[need] for need in needs]


@dataclass(frozen=True)
class Scorer:
    """A function (sample, answer, context) -> score, with what a reader must know about it.

    The function's keyword-only arguments are the metric's settings.
    """

    name: str
    function: Callable[..., Outcome]
    higher_is_better: bool = True
    aggregate: str = "mean"
    """`mean`, or `macro_f1` for scores that carry label pairs."""
    bounds: Bounds | None = None
    """The smallest and the largest score there can be, where that is known."""
    version: int | None = None
    """Raised whenever the same answer may get another score; `None`: its file stands for it."""
    made_of: Callable[[Metric], Mapping[str, str]] | None = None
    """What decides about a metric's score beside the code, such as a prompt -> its digest."""
    asks: str = ""
    """What its setting `by` names: a `verifier` (a judge, a local model, or words alone where it
    is left out), a `judge` behind an endpoint, or an `embedder`."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What settings of a few values may be."""
    bounds_by: Callable[..., Bounds] | None = None
    """The bounds, where settings decide about them; takes all settings by name."""
    check: Callable[..., str] | None = None
    """What is wrong with settings that have the right kinds, empty when nothing is; takes all
    settings by name."""
    of_failures: bool = True
    """Whether a failed answer has the worst score. Where that would say that it did what it did not
    (a crash is no refusal), it is unjudged."""

    def version_of(self, metric: Metric, folder: Path) -> str:
        """What decides about a metric's score, such as `2` or `1+lexical_model:ab12cd34ab12cd34`.

        Scores of two versions are not compared. A function that states no version has the digest
        of its file.
        """
        parts = dict(self.made_of(metric)) if self.made_of else {}
        if metric.judge.endswith(".json"):
            parts["calibration"] = digest((folder / metric.judge).read_bytes())
        if self.version is None:
            own = self._digest_of_file()
            return digest([own, *parts.values()]) if parts else own
        return "+".join([str(self.version), *(f"{name}:{is_}" for name, is_ in parts.items())])

    def _digest_of_file(self) -> str:
        file = Path(inspect.getsourcefile(self.function) or "")
        # A function of a notebook's cell has lines, and no file.
        source = file.read_bytes() if file.is_file() else source_of(self.function).encode()
        return digest([self.name, digest(source)])

    @property
    def about(self) -> str:
        return (inspect.getdoc(self.function) or "").split("\n")[0]

    def settings(self) -> dict[str, object]:
        """The settings the scorer takes and their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def score(
        self, sample: Sample, answer: Answer, context: Context, metric: Metric
    ) -> Score | None:
        """The score, or `None` where the metric does not apply to this sample.

        Raises `Wanted` when a model must be asked first.
        """
        try:
            result = self.function(sample, answer, context, **dict(metric.settings))
        except Unjudged as reason:
            return Score(None, str(reason))
        if result is None or isinstance(result, Score):
            return result
        return Score(float(result))


REGISTERED: dict[Callable[..., Outcome], Scorer] = {}
"""Functions -> their scorers, whoever wrote them; two may have one name."""


def scorer(
    *,
    version: int | None = None,
    higher_is_better: bool = True,
    aggregate: str = "mean",
    bounds: Bounds | Callable[..., Bounds] | None = (0.0, 1.0),
    made_of: Callable[[Metric], Mapping[str, str]] | None = None,
    asks: str = "",
    choices: Mapping[str, tuple[str, ...]] | None = None,
    check: Callable[..., str] | None = None,
    of_failures: bool = True,
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Make a function a scorer under its own name. Its docstring's first line explains it.

    Raise `version` whenever the same answer may get another score.
    """
    fixed, by = (None, bounds) if callable(bounds) else (bounds, None)

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        REGISTERED[function] = Scorer(
            function.__name__,
            function,
            higher_is_better,
            aggregate,
            fixed,
            version,
            made_of,
            asks,
            choices or {},
            by,
            check,
            of_failures,
        )
        return function

    return register
