"""Where a row of another tool says what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec import names
from bakeoff.spec.metric import Metric

_NAMED_SCORE = re.compile(r"(?P<name>[^=()]+(?:\([^)]*\))?)=(?P<path>.+)")


@dataclass(frozen=True)
class Fields:
    """Where a row says what: a column's name, or a dotted path into nested JSON (`a.b.0`).

    What is left empty is not taken.
    """

    id: str = "id"
    setup: str = ""
    """The setup's name; where left empty, a file is a setup and its stem is the name."""
    task: str = ""
    """The task's name, where rows belong to several."""
    answer: str = ""
    passages: str = ""
    """What the answer was made from: a list of texts, or of objects with `text` and `document`."""
    question: str = ""
    fields: str = ""
    """Where other parts of the question are: an object of texts."""
    gold: str = ""
    """Ids of the documents that hold the answer."""
    target: str = ""
    """The right answer, or a list of those that are accepted."""
    cluster: str = ""
    same: str = ""
    """What is equal in all rows of a sample, where they may ask it in other words."""
    version: str = ""
    """Of the task: rows of two versions are not compared."""
    repeat: str = ""
    """What tells repeated answers to one sample apart; they are numbered as they come."""
    prompt_tokens: str = ""
    completion_tokens: str = ""
    seconds: str = ""
    milliseconds: str = ""
    cached: str = ""
    """A flag: the answer came from a cache, so that its seconds say nothing."""
    confidence: str = ""
    """The model's own, from 0 to 1."""
    error: str = ""
    finish_reason: str = ""
    """How the reply ended, in any vendor's words."""
    scores: Mapping[str, str] = field(default_factory=dict)
    """Metric -> where its value is."""
    scores_in: str = ""
    """Where a row holds an object of its scores: all of them, or those that `scores` names."""
    tags: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    """Only rows that hold these texts in these places are taken."""
    rows: str = ""
    """Where a `.json` file that is one document holds the list of its rows."""
    files: str = ""
    """Which files of a folder are taken: a glob; all that can be read where empty."""
    optional: frozenset[str] = frozenset()
    """Fields that a whole import may be without."""

    @classmethod
    def parse(
        cls,
        columns: Sequence[str] = (),
        scores: Sequence[str] = (),
        tags: Sequence[str] = (),
        where: Sequence[str] = (),
    ) -> Fields:
        """`FIELD=PATH` columns, `[NAME=]PATH` scores and tags, and `PATH=TEXT` conditions.

        Raises `BakeoffError` with everything that is wrong with them.
        """
        plain = {attribute.name for attribute in fields(cls) if attribute.type == "str"}
        problems: list[str] = []
        chosen: dict[str, Any] = {}
        for text in columns:
            name, equals, path = text.partition("=")
            if not equals or not path or name not in plain:
                hint = did_you_mean(name, plain) if name not in plain else ""
                problems.append(f"column '{text}': write FIELD=COLUMN{hint}")
            chosen[name] = path
        conditions = dict(text.partition("=")[::2] for text in where)
        problems += [f"where '{t}': write COLUMN=TEXT" for t in where if "=" not in t]
        metrics = dict(_metric(text, problems) for text in scores)
        faults(problems)
        return cls(
            **chosen,
            scores=metrics,
            tags=dict(_named(text) for text in tags),
            where=conditions,
        )

    def over(self, start: Fields) -> Fields:
        """`start` with all that is named here in its place."""
        named = {name: value for name, value in vars(self).items() if value != _DEFAULT[name]}
        return replace(start, **named, optional=start.optional - set(named))

    @property
    def names_columns(self) -> bool:
        """Whether it says where in a row anything but scores and tags is."""
        return any(
            isinstance(value, str) and value != _DEFAULT[name] for name, value in vars(self).items()
        )

    @property
    def places(self) -> dict[str, str]:
        """What is taken from every row, by its name in messages -> where it is."""
        single = {
            attribute.name: str(getattr(self, attribute.name))
            for attribute in fields(self)
            if attribute.type == "str" and attribute.name not in ("rows", "files")
        }
        return {
            **{name: path for name, path in single.items() if path},
            **{f"score {metric}": path for metric, path in self.scores.items()},
            **{f"tag {name}": path for name, path in self.tags.items()},
            **{f"where {path}": path for path in self.where},
        }


def _named(text: str) -> tuple[str, str]:
    """(name, path) of `NAME=PATH`, or of a path whose last part is the name."""
    match = _NAMED_SCORE.fullmatch(text)
    if not match:
        return text.rpartition(".")[2], text
    name, path = match.groups()
    return name, path


THEIRS = "their_"
"""What comes before the name of another tool's score where bakeoff has a metric of that name."""


def _metric(text: str, problems: list[str]) -> tuple[str, str]:
    name, path = _named(text)
    if present := names.METRICS.get(name):
        problems.append(
            f"score '{text}': bakeoff's {present} was once called {name}; write {present}={path} "
            f"if it is that, {THEIRS}{name}={path} if not"
        )
        return name, path
    try:
        return str(Metric.parse(name)), path
    except BakeoffError as error:
        problems.append(f"score '{text}': {error}; give it one with NAME={path}")
        return name, path


_DEFAULT = vars(Fields())
OWN = Fields(
    task="task",
    setup="setup",
    answer="answer",
    question="question",
    fields="fields",
    target="targets",
    gold="gold",
    passages="passages",
    cluster="cluster",
    same="same",
    version="version",
    repeat="repeat",
    prompt_tokens="prompt_tokens",
    completion_tokens="completion_tokens",
    seconds="seconds",
    cached="cached",
    confidence="confidence",
    error="error",
    finish_reason="finish_reason",
    scores_in="scores",
    optional=frozenset(_DEFAULT) - {"id"},
)
"""Of the rows that importers give: bakeoff's own words. None but the id needs to be there."""


def find(row: Mapping[str, object], path: str) -> Any:
    """What stands at a column or a dotted path; `None` where nothing does.

    >>> find({"response": {"texts": ["yes"]}}, "response.texts.0")
    'yes'
    """
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
