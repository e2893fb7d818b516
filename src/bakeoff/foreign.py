"""Rows of another tool's files: where they say what, and what is wrong with them."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

from bakeoff.core import (
    Answer,
    BakeoffError,
    Failure,
    Sample,
    Score,
    Step,
    canonical,
    faults,
)
from bakeoff.scoring import Metric, did_you_mean

NO_QUESTION = "(not given)"
LINES, TABLES = (".jsonl", ".ndjson", ".json"), {".csv": ",;\t|", ".tsv": "\t"}
_CSV_CELL = 2**30
"""Characters of one CSV cell: the csv module's own limit cuts long answers off."""
_NOTHING = {"", "nan", "n/a", "na", "none", "null", "inf", "-inf", "infinity", "-infinity"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NAMED_SCORE = re.compile(r"(?P<name>[^=()]+(?:\([^)]*\))?)=(?P<path>.+)")
_TRUTH = {"true": 1.0, "false": 0.0}


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
        plain = {each.name for each in fields(cls) if each.type == "str"}
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
            each.name: str(getattr(self, each.name))
            for each in fields(self)
            if each.type == "str" and each.name not in ("rows", "files", "scores_listed")
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
    return (match["name"], match["path"]) if match else (text.rpartition(".")[2], text)


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
        scores={"score": "score", "success": "success"},
        rows="results.results",
        optional=frozenset(
            {"prompt_tokens", "completion_tokens", "milliseconds", "cached", "error"}
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
    found: Any = row
    for part in path.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


_Row = tuple[str, dict[str, Any] | str]
"""Where a row stands (`line 7`), and the row, or what is wrong with it."""


def read_rows(file: Path, taken: Fields) -> Iterator[_Row]:
    """The rows of a file, streamed. Raises `BakeoffError` for what is no such file at all."""
    try:
        if file.suffix.lower() in TABLES:
            yield from _table(file, taken)
        elif file.suffix.lower() == ".json" and (taken.rows or _first_byte(file) == b"["):
            yield from _document(file, taken.rows)
        else:
            yield from _json_lines(file)
    except OSError as error:
        raise BakeoffError(f"{file}: cannot be read: {error.strerror or error}") from error


def _first_byte(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(2**16).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _decoded(file: Path) -> Iterator[str]:
    """The file's lines as text, ends included. Raises `BakeoffError` naming the first bad one."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise BakeoffError(f"{file}: line 1: UTF-16; save it as UTF-8")
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise BakeoffError(
                    f"{file}: line {number}: byte 0x{line[error.start]:02x} is not UTF-8; save the "
                    "file as UTF-8"
                ) from error


def _json_lines(file: Path) -> Iterator[_Row]:
    for number, line in enumerate(_decoded(file), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", _object(json.loads(line))
        except (ValueError, RecursionError) as error:
            whole = number == 1 and line.strip() in ("{", "[")
            hint = "; for a .json file that is one document, say where its rows are" * whole
            yield f"line {number}", f"not JSON: {error}; every line is one JSON object{hint}"


def _object(row: Any) -> dict[str, Any] | str:
    return row if isinstance(row, dict) else f"found {shown(row)}; a row is a JSON object"


def _document(file: Path, path: str) -> Iterator[_Row]:
    try:
        whole = json.loads("".join(_decoded(file)))
    except (ValueError, RecursionError) as error:
        raise BakeoffError(f"{file}: not JSON: {error}") from error
    found = find(whole, path) if path and isinstance(whole, dict) else whole
    if not isinstance(found, list):
        where = f"at '{path}'" if path else "in it"
        raise BakeoffError(f"{file}: no list of rows {where}, found {shown(found)}")
    for number, row in enumerate(found, 1):
        yield f"row {number}", _object(row)


def _table(file: Path, taken: Fields) -> Iterator[_Row]:
    before = csv.field_size_limit(_CSV_CELL)
    try:
        yield from _table_rows(file, taken)
    finally:
        csv.field_size_limit(before)


def _table_rows(file: Path, taken: Fields) -> Iterator[_Row]:
    lines = _decoded(file)
    first = next(lines, "")
    # The sign that cuts the header into most columns: what answers hold would mislead a guess.
    delimiter = (
        max(
            TABLES[file.suffix.lower()],
            key=lambda sign: len(next(csv.reader([first], delimiter=sign))),
        )
        if first.strip()
        else ","
    )
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        _check_header(file, header, taken)
        before = reader.line_num
        for row in reader:
            start, before = before + 1, reader.line_num
            if not row:
                continue
            if len(row) == len(header):
                yield f"line {start}", dict(zip(header, row, strict=True))
            else:
                yield f"line {start}", f"found {len(row)} columns; the header has {len(header)}"
    except csv.Error as error:
        raise BakeoffError(
            f"{file}: line {reader.line_num}: not CSV: {error}; quote cells that hold quotes, "
            "delimiters or line ends"
        ) from error


def _check_header(file: Path, header: Sequence[str], taken: Fields) -> None:
    known = ", ".join(header) or "nothing"
    twice = [name for name, count in Counter(header).items() if count > 1]
    faults(
        [f"{file}: line 1: column '{name}' stands twice; rename one" for name in twice]
        + [
            f"{file}: line 1: {name}: no column '{path}'; found {known}"
            for name, path in taken.places.items()
            if path not in header and name not in taken.optional
        ]
    )


class Bad(Exception):
    """A row that cannot be taken: which field, what was found there, what would work."""

    def __init__(self, name: str, found: Any, works: str) -> None:
        super().__init__(f"{name}: found {shown(found)}; {works}")


def shown(found: Any) -> str:
    text = "nothing" if found is None else repr(found)
    return text if len(text) <= 60 else text[:59] + "…"


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


def cell_of(row: Mapping[str, Any], taken: Fields, setup: str) -> Cell:
    """Raises `Bad` for the first field that cannot be taken."""
    identity = _identity(find(row, taken.id))
    question = _plain("question", find(row, taken.question)) if taken.question else ""
    target = find(row, taken.target) if taken.target else None
    targets = target if isinstance(target, list) else [target]
    tags = {name: _plain(f"tag {name}", find(row, path)) for name, path in taken.tags.items()}
    if taken.setup:
        setup = _plain("setup", find(row, taken.setup))
    outcome = _outcome(row, taken)
    return Cell(
        setup,
        Sample(
            identity,
            {"question": question or NO_QUESTION},
            tuple(text for each in targets if (text := _plain("target", each))),
            cluster=_plain("cluster", find(row, taken.cluster)) if taken.cluster else "",
            tags={name: value for name, value in tags.items() if value},
        ),
        text_of(find(row, taken.repeat)) if taken.repeat else "",
        outcome,
        {metric: _score(metric, find(row, path)) for metric, path in taken.scores.items()},
        _seconds(row, taken) if isinstance(outcome, Answer) else None,
    )


def _outcome(row: Mapping[str, Any], taken: Fields) -> Answer | Failure:
    if taken.error and (said := _flag(find(row, taken.error))):
        return Failure(said)
    answer = find(row, taken.answer) if taken.answer else ""
    if answer is None:
        return Failure("no answer in the row")
    tokens = [
        _amount(name, find(row, path)) if path else None
        for name, path in (
            ("prompt_tokens", taken.prompt_tokens),
            ("completion_tokens", taken.completion_tokens),
        )
    ]
    if odd := [count for count in tokens if count is not None and count % 1]:
        raise Bad("tokens", odd[0], "a whole number works")
    prompt, completion = (int(count or 0) for count in tokens)
    steps = (Step("call", None, prompt, 0, completion),) if prompt else ()
    return Answer(text_of(answer), (), steps)


def _seconds(row: Mapping[str, Any], taken: Fields) -> float | None:
    if taken.cached and _flag(find(row, taken.cached)):
        return None
    if taken.milliseconds:
        found = _amount("milliseconds", find(row, taken.milliseconds))
        return None if found is None else found / 1000
    return _amount("seconds", find(row, taken.seconds)) if taken.seconds else None
