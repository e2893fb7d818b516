"""Logs of inspect: `.eval` files (a zip of JSON, of late compressed with zstd) and `.json` logs.

https://inspect.aisi.org.uk/eval-logs.html describes both.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from pydantic import BeforeValidator, Field

from bakeoff.core.hints import shown
from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError, Score
from bakeoff.running.importing.foreign import Foreign, is_number, understood
from bakeoff.running.importing.sources import OwnRow, Row, Source, slug
from bakeoff.tasks.formats.zstd import unzstd

_ZSTD = 93
"""The method's number in zip files."""
_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Correct, incorrect, partial, no answer: as inspect counts them."""
_SAYS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_BEGINNING = 4096
_HEADERS = ("header.json", "_journal/start.json")
"""Where a log says what it is of; the second in one that was not ended."""


class _Config(Foreign):
    epochs_reducer: tuple[str, ...] = ("mean",)


class _Packages(Foreign):
    inspect_ai: str = ""


class _Eval(Foreign):
    task: str
    model: str
    task_version: Any = 0
    config: _Config | None = None
    packages: _Packages | None = None


class _Log(Foreign):
    """What a log says of all its samples."""

    version: int
    status: str = "started"
    eval: _Eval


class _Document(Foreign):
    samples: tuple[Any, ...] = ()


class _Part(Foreign):
    text: str = ""


def _as_parts(content: Any) -> Any:
    return [{"text": content}] if isinstance(content, str) else content


class _Message(Foreign):
    role: str = ""
    content: Annotated[tuple[_Part, ...], BeforeValidator(_as_parts)] = ()

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.content if part.text)


def _as_chat(asked: Any) -> Any:
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else asked


class _Usage(Foreign):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_cache_read: int = 0
    input_tokens_cache_write: int = 0

    @property
    def prompt_tokens(self) -> int | None:
        if self.input_tokens is None:
            return None
        return self.input_tokens + self.input_tokens_cache_read + self.input_tokens_cache_write


class _Choice(Foreign):
    stop_reason: str | None = None


class _Output(Foreign):
    completion: str = ""
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: str | None = None

    @property
    def stop_reason(self) -> str | None:
        return self.choices[0].stop_reason if self.choices else None


class _Error(Foreign):
    message: str = "an error"


class _Score(Foreign):
    value: Any = None


def _as_score(score: Any) -> Any:
    return score if isinstance(score, dict) else {"value": score}


class _Sample(Foreign):
    """An epoch of a sample. What `id` may be is checked where rows are taken."""

    id: Any
    epoch: int
    input: Annotated[tuple[_Message, ...], BeforeValidator(_as_chat)] = ()
    choices: tuple[str, ...] = ()
    target: Any = None
    output: _Output = Field(default_factory=_Output)
    error: _Error | None = None
    model_usage: Mapping[str, _Usage] = {}
    scores: Mapping[str, Annotated[_Score, BeforeValidator(_as_score)]] = {}
    working_time: float | None = None
    metadata: Any = None
    attachments: Mapping[str, str] = {}

    @property
    def question(self) -> str:
        """The text asked: the last turn of the user, where the input is a chat."""
        users = [turn.text for turn in self.input if turn.role == "user"]
        asked = users[-1] if users else ""
        return self.attachments.get(asked.removeprefix("attachment://"), asked)

    @property
    def options(self) -> str:
        """What there was to choose from, a line each with its letter."""
        return "\n".join(f"{chr(65 + n)}) {text}" for n, text in enumerate(self.choices))

    @property
    def failure(self) -> str | None:
        return self.error.message if self.error else self.output.error

    def usage(self, model: str) -> _Usage:
        """What the sample took of a model, where the log says so; else what its reply did."""
        return self.model_usage.get(model) or self.output.usage or _Usage()


def recognizes(file: Path) -> bool:
    """By its ending, or as JSON that begins with inspect's own keys."""
    if file.suffix == ".eval":
        return True
    if file.suffix != ".json":
        return False
    with file.open("rb") as stream:
        head = stream.read(_BEGINNING)
    return bool(re.match(rb'\s*{\s*"version":\s*\d+,\s*"status":\s*"', head)) and b'"eval"' in head


def rows(source: Source) -> Iterator[Row]:
    """A row an epoch of a sample."""
    archive = source.file.suffix == ".eval"
    header, samples = (_archive if archive else _document)(source.file)
    log = _log(source, header)
    odd: dict[str, str] = {}
    for place, raw in samples:
        sample = understood(_Sample, raw)
        if isinstance(sample, str):
            yield place, sample
        elif source.wants(raw):
            yield place, _row(source, log.eval, sample, odd)
    source.notes += [
        f"values of {name} such as {value} are no number and no grade: they are unjudged, where "
        "inspect counts texts as 0"
        for name, value in odd.items()
    ]


def _document(file: Path) -> tuple[Any, Iterator[tuple[str, Any]]]:
    whole = _loads(file, file.name, file.read_bytes())
    document = understood(_Document, whole)
    if isinstance(document, str) or not document.samples:
        raise BakeoffError(f"{file}: a log of inspect without samples")
    return whole, ((f"sample {number}", s) for number, s in enumerate(document.samples, 1))


def _archive(file: Path) -> tuple[Any, Iterator[tuple[str, Any]]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BakeoffError(
            f"{file}: not a log of inspect: {error}; a log that was cut short is written again by "
            "`inspect log recover`"
        ) from error
    head = next((members[name] for name in _HEADERS if name in members), None)
    inside = sorted(name for name in members if name.startswith("samples/"))
    if head is None or not inside:
        what = "samples" if head else "header.json"
        raise BakeoffError(f"{file}: a log of inspect without {what}")

    def samples() -> Iterator[tuple[str, Any]]:
        with file.open("rb") as stream:
            for name in inside:
                yield name, _member(file, stream, members[name])

    with file.open("rb") as stream:
        return _member(file, stream, head), samples()


def _member(file: Path, stream: BinaryIO, info: zipfile.ZipInfo) -> Any:
    """The JSON of a member of a zip file, checked. Raises `BakeoffError` for a damaged one."""
    try:
        stream.seek(info.header_offset)
        name, extra = struct.unpack("<26xHH", stream.read(30))
        stream.seek(name + extra, 1)
        data = _unpacked(stream.read(info.compress_size), info.compress_type)
        if zlib.crc32(data) != info.CRC:
            raise OSError("its checksum differs")
    except (zlib.error, struct.error, OSError, ValueError) as error:
        raise BakeoffError(f"{file}: {info.filename} is damaged: {error}") from error
    return _loads(file, info.filename, data)


def _unpacked(packed: bytes, method: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return packed
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompress(packed, -zlib.MAX_WBITS)
    if method != _ZSTD:
        raise ValueError(f"compressed by method {method}; deflate and zstd are read")
    return unzstd(packed)


def _loads(file: Path, name: str, data: bytes) -> Any:
    try:
        return loads(data.decode(), constants=True)
    except ValueError as error:
        raise BakeoffError(f"{file}: {name} is not JSON: {error}") from error


def _log(source: Source, header: Any) -> _Log:
    """The header of a log; what is to be known of it is noted."""
    log = understood(_Log, header)
    if isinstance(log, str):
        raise BakeoffError(f"{source.file}: not a log of inspect: {log}")
    if log.version not in (1, 2):
        raise BakeoffError(
            f"{source.file}: version {log.version} of inspect's logs; 1 and 2 are read"
        )
    if log.status != "success":
        source.notes.append(f"{source.file.name}: its status is {log.status}: it may lack samples")
    reducers = log.eval.config.epochs_reducer if log.eval.config else ("mean",)
    if reducers not in (("mean",), ()):
        source.notes.append(
            f"{source.file.name}: inspect reduced epochs by {', '.join(reducers)}; here a sample "
            "counts with the mean of its epochs"
        )
    if log.eval.packages and log.eval.packages.inspect_ai:
        source.notes.append(f"made by inspect {log.eval.packages.inspect_ai}")
    return log


def _row(source: Source, about: _Eval, sample: _Sample, odd: dict[str, str]) -> OwnRow:
    usage = sample.usage(about.model)
    return {
        "id": sample.id,
        "repeat": sample.epoch,
        "task": about.task.rpartition("/")[2],
        "setup": about.model,
        "version": str(about.task_version),
        "question": sample.question,
        "fields": {"options": sample.options} if sample.choices else {},
        "targets": sample.target,
        "answer": sample.output.completion,
        "error": sample.failure,
        "finish_reason": sample.output.stop_reason,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "seconds": sample.working_time,
        "scores": dict(_scores(sample.scores, odd)),
        "metadata": sample.metadata,
        "file": source.file.stem,
    }


def _scores(
    scores: Mapping[str, _Score], odd: dict[str, str]
) -> Iterator[tuple[str, float | Score]]:
    """Every value of every scorer; `odd` keeps the first of a score that stands for no number."""
    for scorer, score in scores.items():
        parts = score.value.items() if isinstance(score.value, dict) else [("", score.value)]
        for part, value in parts:
            name = slug(f"{scorer}_{part}" if part else scorer)
            number = _number(value)
            if number is None and value is not None:
                odd.setdefault(name, shown(value))
            yield name, Score(None, f"imported as {shown(value)}") if number is None else number


def _number(value: Any) -> float | None:
    """A value as inspect's `value_to_float` has it; `None` for what it does not know."""
    if is_number(value):
        return float(value)
    if not isinstance(value, str):
        return None
    if value in _GRADES:
        return _GRADES[value]
    if value.lower() in _SAYS:
        return _SAYS[value.lower()]
    try:
        return float(value)
    except ValueError:
        return None
