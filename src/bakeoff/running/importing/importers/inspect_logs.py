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
from typing import Any, BinaryIO

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.sources import Source, slug
from bakeoff.tasks.formats.json_rows import Row
from bakeoff.tasks.formats.zstd import unzstd

_ZSTD = 93
"""The method's number in zip files."""
_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Correct, incorrect, partial, no answer: as inspect counts them."""
_SAYS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_BEGINNING = 4096


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
    about = _about(source, header)
    for place, sample in samples:
        if not isinstance(sample, dict) or "id" not in sample or "epoch" not in sample:
            yield place, "no id and epoch: not a sample of inspect"
        elif source.wants(sample):
            yield place, {**_row(source, sample, about["setup"]), **about}


def _document(file: Path) -> tuple[Any, Iterator[tuple[str, Any]]]:
    whole = _loads(file, file.name, file.read_bytes())
    samples = whole.get("samples") if isinstance(whole, dict) else None
    if not samples:
        raise BakeoffError(f"{file}: a log of inspect without samples")
    return whole, ((f"sample {number}", s) for number, s in enumerate(samples, 1))


def _archive(file: Path) -> tuple[Any, Iterator[tuple[str, Any]]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BakeoffError(
            f"{file}: not a log of inspect: {error}; a log that was cut short is written again by "
            "`inspect log recover`"
        ) from error
    head = members.get("header.json") or members.get("_journal/start.json")
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


def _about(source: Source, header: Any) -> dict[str, Any]:
    """What a log says of all its samples."""
    stated = header.get("eval") if isinstance(header, dict) else None
    if not (isinstance(stated, dict) and stated.get("task") and stated.get("model")):
        raise BakeoffError(f"{source.file}: a log of inspect without eval.task and eval.model")
    if header.get("version") not in (1, 2):
        raise BakeoffError(
            f"{source.file}: version {header.get('version')!r} of inspect's logs; 1 and 2 are read"
        )
    if (status := header.get("status", "started")) != "success":
        source.notes.append(f"{source.file.name}: its status is {status}: it may lack samples")
    reducers = (stated.get("config") or {}).get("epochs_reducer") or ["mean"]
    if reducers != ["mean"]:
        source.notes.append(
            f"{source.file.name}: inspect reduced epochs by {', '.join(reducers)}; here a sample "
            "counts with the mean of its epochs"
        )
    if release := (stated.get("packages") or {}).get("inspect_ai"):
        source.notes.append(f"made by inspect {release}")
    return {
        "task": stated["task"].rpartition("/")[2],
        "setup": stated["model"],
        "version": str(stated.get("task_version", 0)),
        "file": source.file.stem,
    }


def _row(source: Source, sample: Mapping[str, Any], model: str) -> dict[str, Any]:
    output = sample.get("output") or {}
    replies = output.get("choices") or [{}]
    error = sample.get("error") or {}
    usage = (sample.get("model_usage") or {}).get(model) or output.get("usage") or {}
    cached = [usage.get(f"input_tokens_cache_{kind}") or 0 for kind in ("read", "write")]
    options = sample.get("choices") or ()
    lettered = "\n".join(f"{chr(65 + n)}) {text}" for n, text in enumerate(options))
    return {
        "id": sample["id"],
        "repeat": sample["epoch"],
        "question": _question(sample),
        "fields": {"options": lettered} if options else {},
        "targets": sample.get("target"),
        "answer": output.get("completion", ""),
        "error": (error.get("message") or "an error") if error else output.get("error"),
        "finish_reason": replies[0].get("stop_reason"),
        "prompt_tokens": usage["input_tokens"] + sum(cached) if "input_tokens" in usage else None,
        "completion_tokens": usage.get("output_tokens"),
        "seconds": sample.get("working_time"),
        "scores": dict(_scores(source, sample.get("scores") or {})),
        "metadata": sample.get("metadata"),
    }


def _question(sample: Mapping[str, Any]) -> str:
    """The text asked: the last turn of the user, where the input is a chat."""
    attached = sample.get("attachments") or {}
    given = sample.get("input")
    if isinstance(given, list):
        users = [m for m in given if isinstance(m, dict) and m.get("role") == "user"] or [{}]
        given = users[-1].get("content", "")
    if isinstance(given, list):
        given = "\n".join(str(part.get("text", "")) for part in given if isinstance(part, dict))
    text = str(given or "")
    return str(attached.get(text.removeprefix("attachment://"), text))


def _scores(source: Source, scores: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for scorer, score in scores.items():
        value = score.get("value") if isinstance(score, dict) else score
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, entry in parts:
            name = slug(f"{scorer}_{part}" if part else scorer)
            number = _number(entry)
            if number is None and isinstance(entry, str):
                source.left[f"values of {name} that are no number or grade: 0, as inspect has"] += 1
                number = 0.0
            if number is None:
                source.left[f"values of {name} that are no number or grade"] += 1
            else:
                yield name, number


def _number(value: Any) -> float | None:
    """A value as inspect's `value_to_float` has it; `None` for what it does not know."""
    if isinstance(value, bool | int | float):
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
