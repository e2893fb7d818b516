"""Where a row of another tool says what, and presets for tools whose files are known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import BakeoffError, faults
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
    answer: str = ""
    question: str = ""
    target: str = ""
    """The right answer, or a list of those that are accepted."""
    cluster: str = ""
    repeat: str = ""
    """What tells repeated answers to one sample apart; they are numbered as they come."""
    prompt_tokens: str = ""
    completion_tokens: str = ""
    seconds: str = ""
    milliseconds: str = ""
    cached: str = ""
    """A flag: the answer came from a cache, so that its seconds say nothing."""
    error: str = ""
    finish_reason: str = ""
    """How the reply ended, in any vendor's words."""
    scores: Mapping[str, str] = field(default_factory=dict)
    """Metric -> where its value is."""
    scores_listed: str = ""
    """Where the first row lists the names of its scores, when `scores` names none."""
    tags: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    """Only rows that hold these texts in these places are taken."""
    rows: str = ""
    """Where a `.json` file that is one document holds the list of its rows."""
    files: str = ""
    """Which files of a folder are taken: a glob; all JSON Lines and CSV files where empty."""
    folder_is_setup: bool = False
    """Without `setup`: a file's folder names the setup, not its stem."""
    optional: frozenset[str] = frozenset()
    """Fields that a whole import may be without."""

    @classmethod
    def parse(
        cls,
        preset: str = "",
        columns: Sequence[str] = (),
        scores: Sequence[str] = (),
        tags: Sequence[str] = (),
        where: Sequence[str] = (),
    ) -> Fields:
        """A preset, or none, with `FIELD=PATH` columns, `[NAME=]PATH` scores and tags, and
        `PATH=TEXT` conditions in place of its own.

        Raises `BakeoffError` with everything that is wrong with them.
        """
        if preset and preset not in PRESETS:
            raise BakeoffError(f"'{preset}': no such preset{did_you_mean(preset, PRESETS)}")
        start = PRESETS[preset] if preset else cls()
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
        chosen["optional"] = start.optional - set(chosen)
        return replace(
            start,
            **chosen,
            scores={**start.scores, **metrics} if not start.scores_listed else metrics,
            tags={**start.tags, **dict(_named(text) for text in tags)},
            where={**start.where, **conditions},
        )

    @property
    def places(self) -> dict[str, str]:
        """What is taken from every row, by its name in messages -> where it is."""
        single = {
            attribute.name: str(getattr(self, attribute.name))
            for attribute in fields(self)
            if attribute.type == "str" and attribute.name not in ("rows", "files", "scores_listed")
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


def _metric(text: str, problems: list[str]) -> tuple[str, str]:
    name, path = _named(text)
    try:
        return str(Metric.parse(name)), path
    except BakeoffError as error:
        problems.append(f"score '{text}': {error}; give it one with NAME={path}")
        return name, path


PRESETS: Mapping[str, Fields] = {
    # `samples_TASK_DATE.jsonl` in a folder named after the model, as --log_samples writes them.
    "lm-eval": Fields(
        id="doc_id",
        answer="filtered_resps.0",
        target="target",
        scores_listed="metrics",
        files="samples_*.jsonl",
        folder_is_setup=True,
        optional=frozenset({"target"}),
    ),
    # Not the row's own `error`: it also says why an assertion failed, which is a score of 0.
    "promptfoo": Fields(
        id="testIdx",
        setup="provider.id",
        answer="response.output",
        prompt_tokens="response.tokenUsage.prompt",
        completion_tokens="response.tokenUsage.completion",
        milliseconds="latencyMs",
        cached="response.cached",
        error="response.error",
        finish_reason="response.finishReason",
        scores={"score": "score", "success": "success"},
        rows="results.results",
        optional=frozenset(
            {
                *("prompt_tokens", "completion_tokens", "milliseconds", "cached", "error"),
                "finish_reason",
            }
        ),
    ),
}
"""Tools whose files need no columns named."""


def find(row: Mapping[str, Any], path: str) -> Any:
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
