"""A row of another tool, understood."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bakeoff.core.hints import shown
from bakeoff.core.parts import parts_of
from bakeoff.core.words import (
    ERROR,
    RETRIEVE,
    Answer,
    Failure,
    Generation,
    Passage,
    Sample,
    Score,
    Step,
    canonical,
    digest,
)
from bakeoff.models.finish_reasons import finish_reason
from bakeoff.running.importing.fields import Fields, find

NO_QUESTION = "(not given)"
_NOTHING = {"", "nan", "n/a", "na", "none", "null", "inf", "-inf", "infinity", "-infinity"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUTH = {"true": 1.0, "false": 0.0}


class Bad(Exception):
    """A row that cannot be taken: which field, what was found there, what would work."""

    def __init__(self, name: str, value: Any, works: str) -> None:
        super().__init__(f"{name}: found {shown(value)}; {works}")


def text_of(value: Any) -> str:
    """A value as text: what is no text is written as JSON, nothing is empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value)


def _plain(name: str, value: Any) -> str:
    """A text that other files can hold too."""
    text = text_of(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Bad(name, value, "half a character (a lone surrogate) cannot be kept") from error
    return text


def _identity(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (isinstance(value, str) and value):
        raise Bad("id", value, "a text or a whole number works")
    return _plain("id", value)


def _number(name: str, value: Any, works: str) -> float:
    """The number that a value stands for; NaN or infinite when it stands for none."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _NOTHING:
            return math.nan
        if text not in _TRUTH and not _NUMBER.fullmatch(text):
            raise Bad(name, value, works)
        return _TRUTH[text] if text in _TRUTH else float(text)
    if not isinstance(value, bool | int | float):
        raise Bad(name, value, works)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _score(metric: str, value: Any) -> Score:
    """The score that a value stands for; unjudged when that is no finite number."""
    if isinstance(value, Score):
        return value
    works = "a number, true or false works, or nothing where it is not known"
    number = _number(f"score {metric}", value, works)
    if math.isfinite(number):
        return Score(number)
    return Score(None, f"imported as {shown(value)}")


def _amount(name: str, value: Any) -> float | None:
    """A number of at least 0, or `None` where nothing is known."""
    works = "a number of at least 0 works"
    number = _number(name, value, works)
    if number < 0 or isinstance(value, bool):
        raise Bad(name, value, works)
    return number if math.isfinite(number) else None


def _flag(value: Any) -> str:
    """What a flag or a message says; empty for every way of saying nothing, 0 and false."""
    text = text_of(value).strip()
    return "" if text.lower() in {*_NOTHING, "0", "false", "[]", "{}"} else text


@dataclass(frozen=True, slots=True)
class Cell:
    """A row, understood."""

    setup: str
    sample: Sample
    mark: str
    """What tells it from repeated answers to the same sample."""
    outcome: Answer | Failure
    scores: Mapping[str, Score]
    seconds: float | None
    task: str = ""
    same: str = ""
    """What is equal where samples of one id are the same, whatever they are asked as."""
    version: str = ""
    """Of the task."""


def cell_of(row: Mapping[str, object], taken: Fields, setup: str) -> Cell:
    """Raises `Bad` for the first field that cannot be taken."""

    def value(path: str) -> Any:
        return find(row, path) if path else None

    if taken.setup and (stated := _plain("setup", value(taken.setup))):
        setup = stated
    outcome = _outcome(value, taken)
    return Cell(
        setup,
        _sample(value, taken),
        text_of(value(taken.repeat)),
        outcome,
        dict(_scores(value, taken)),
        _seconds(value, taken) if isinstance(outcome, Answer) else None,
        _plain("task", value(taken.task)),
        text_of(value(taken.same)),
        text_of(value(taken.version)),
    )


def _sample(value: Value, taken: Fields) -> Sample:
    question = _plain("question", value(taken.question))
    more = value(taken.fields) or {}
    if not isinstance(more, dict):
        raise Bad("fields", more, "an object of texts works")
    tags = {name: _plain(f"tag {name}", value(path)) for name, path in taken.tags.items()}
    return Sample(
        _identity(value(taken.id)),
        {"question": question or NO_QUESTION}
        | {str(name): _plain(f"fields.{name}", text) for name, text in more.items()},
        _texts("target", value(taken.target)),
        _texts("gold", value(taken.gold)),
        cluster=_plain("cluster", value(taken.cluster)),
        tags={name: value for name, value in tags.items() if value},
    )


def _texts(name: str, value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(text for entry in listed if (text := _plain(name, entry)))


def _scores(value: Value, taken: Fields) -> Iterator[tuple[str, Score]]:
    """A score the row does not hold is unjudged where it was named, and absent where it was not."""
    if not taken.scores_in:
        yield from ((m, _score(m, value(path))) for m, path in taken.scores.items())
        return
    held = value(taken.scores_in) or {}
    if not isinstance(held, dict):
        raise Bad("scores", held, "an object of numbers works")
    named = taken.scores or {name: name for name in held}
    for metric, path in named.items():
        if path in held:
            yield metric, _score(metric, held[path])


OTHER_TEXTS = ("page_content", "content")
"""What other libraries call the text of a passage."""


class _Shown(NamedTuple):
    """A passage as a row holds it."""

    text: Any = None
    document: Any = None
    score: Any = None


def _shown(entry: dict[str, Any]) -> _Shown:
    """An object with a text, which other libraries call `page_content` or `content`."""
    given = parts_of(_Shown, entry)
    named = [entry[name] for name in ("text", *OTHER_TEXTS) if entry.get(name) is not None]
    if not named:
        raise Bad("passages", entry, "texts, or objects with `text`, work")
    return given._replace(text=named[0])


def _passages(value: Any) -> tuple[Passage, ...]:
    """The passages of an answer: texts, or objects with `text`, and `document` and `score`."""
    listed = _listed(value)
    passages = []
    for entry in listed:
        given = _shown(entry) if isinstance(entry, dict) else _Shown(entry)
        text = _plain("passages", given.text)
        score = _number("passages", given.score, "a number works as its score")
        # Equal texts are one document where nothing says which.
        document = _plain("passages", given.document) or f"text-{digest(text)[:8]}"
        passages.append(
            Passage(document, 0, len(text), text, score if math.isfinite(score) else 0.0)
        )
    return tuple(passages)


def _listed(value: Any) -> list[Any]:
    """A list, also as a table's cell writes it: JSON, or as Python prints it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            try:
                value = ast.literal_eval(value.strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return [value]
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value in (None, "") else [value]


Value = Callable[[str], Any]
"""What stands in a row at a path; `None` where nothing does, or without a path."""


def _outcome(value: Value, taken: Fields) -> Answer | Failure:
    if error := _flag(value(taken.error)):
        return Failure(_plain("error", error))
    answer = value(taken.answer) if taken.answer else ""
    if answer is None:
        return Failure("no answer in the row")
    tokens = [
        _amount(name, value(path))
        for name, path in (
            ("prompt_tokens", taken.prompt_tokens),
            ("completion_tokens", taken.completion_tokens),
        )
    ]
    if odd := [count for count in tokens if count is not None and count % 1]:
        raise Bad("tokens", odd[0], "a whole number works")
    prompt, completion = (int(count or 0) for count in tokens)
    steps = (Step("call", None, prompt, 0, completion),) if prompt else ()
    text, ended = text_of(answer), _ended(value, taken)
    if ended == ERROR:
        return Failure("the reply ended in an error", ended, steps)
    if missing := Generation(text.strip(), 0, 0, finish_reason=ended).missing:
        return Failure(missing, ended, steps)
    looked_up = value(taken.passages)
    if looked_up is not None:
        steps = (Step(RETRIEVE), *steps)
    sure = _amount("confidence", value(taken.confidence))
    if sure is not None and sure > 1:
        raise Bad("confidence", sure, "a number from 0 to 1 works")
    return Answer(text, _passages(looked_up), steps, sure, ended)


def _ended(value: Value, taken: Fields) -> str:
    stated = value(taken.finish_reason)
    if stated is not None and not isinstance(stated, str):
        raise Bad("finish_reason", stated, "a text works, such as stop or length")
    return finish_reason(stated)


def _seconds(value: Value, taken: Fields) -> float | None:
    if _flag(value(taken.cached)):
        return None
    if taken.milliseconds:
        milliseconds = _amount("milliseconds", value(taken.milliseconds))
        return None if milliseconds is None else milliseconds / 1000
    return _amount("seconds", value(taken.seconds))
