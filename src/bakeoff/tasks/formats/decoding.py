"""Bytes of a file as text: its encoding as it is stated, marked, or detected."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from bakeoff.core.words import BakeoffError

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_WESTERN = "cp1252"
_NAMED = 3
"""Names of what was left out that a note has."""
_WORD = re.compile(r"[^\W\d_]+")
_IN_TEXT = frozenset("‚„…†‰‹‘’“”•–—™›\xa0¡£§©ª«®°±·º»¿€¼½¾ˆ˜²³´µ¶¹×÷¢¥¨¬\xad¯¸¦¤ƒ‡")
_PRINTED = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøœùúûüÿ")
"""Letters of Western European languages, without those of Icelandic and Czech (ð, þ, ý, š, ž):
in a text of one byte a letter they are rather those of another code page."""


@dataclass(frozen=True)
class Reading:
    """How a file is read where its task says so, and what its reader did of its own accord."""

    encoding: str = ""
    """A codec's name; empty: a byte-order mark's, else UTF-8, else detected."""
    sheet: str = ""
    """The sheet of a workbook; empty: its only one."""
    dropped: Counter[str] = field(default_factory=Counter)
    """What its reader left out (`images`) -> how often."""
    named: dict[str, list[str]] = field(default_factory=dict)
    """The names of what was left out, where they are known."""
    remarks: list[str] = field(default_factory=list)
    """What its reader had to guess."""

    def remark(self, text: str) -> None:
        """Note something that was guessed, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def leave_out(self, what: str, name: str) -> None:
        """Count something that is left out, and keep its name."""
        self.dropped[what] += 1
        self.named.setdefault(what, []).append(name)

    def stating(self, encoding: str) -> Reading:
        """The same with an encoding; what is counted is counted in both."""
        return replace(self, encoding=encoding)

    @property
    def notes(self) -> list[str]:
        """What was guessed, and one line on all that was left out, with the first names."""
        parts = [f"{what} ({self._counted(what)})" for what in sorted(+self.dropped)]
        return [*self.remarks, *(["left out: " + ", ".join(parts)] if parts else [])]

    def _counted(self, what: str) -> str:
        """`5: a, b, c and 2 more`."""
        count, first = self.dropped[what], self.named.get(what, [])[:_NAMED]
        more = f" and {count - len(first)} more" if count > len(first) else ""
        return f"{count}: {', '.join(first)}{more}" if first else str(count)


def decoded(file: Path, reading: Reading | None = None) -> Iterator[str]:
    """The file's lines as text, ends included, without a byte-order mark.

    One that is not UTF-8 is read as cp1252 if that makes Western European words, and `reading`
    notes it; without one to note it, it is refused.
    Raises `BakeoffError` naming the first line that cannot be decoded and what may work, or why
    the file cannot be read.
    """
    try:
        with _opened(file) as stream:
            start = stream.read(2)
            stream.seek(0)
            stated = (reading and reading.encoding) or _MARKS.get(start, "")
            yield from _in(stream, stated, file) if stated else _utf8(stream, file, reading)
    except (OSError, EOFError, zlib.error) as error:  # the last two of a damaged .gz
        reason = getattr(error, "strerror", None) or error
        raise BakeoffError(f"{file}: cannot be read: {reason}") from error


def encoding_of(file: Path) -> str:
    """The encoding in words: `UTF-8`, `UTF-8 with byte-order mark`, `UTF-16`, `cp1252 (detected)`.

    Raises `BakeoffError` as `decoded` does.
    """
    reading = Reading()
    for _ in decoded(file, reading):
        pass
    with _opened(file) as stream:
        start = stream.read(3)
    if reading.remarks:
        return f"{_WESTERN} (detected)"
    if start[:2] in _MARKS:
        return "UTF-16"
    return "UTF-8 with byte-order mark" if start == b"\xef\xbb\xbf" else "UTF-8"


def _opened(file: Path) -> IO[bytes]:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _in(stream: IO[bytes], encoding: str, file: Path) -> Iterator[str]:
    """The lines in a stated encoding."""
    number = 0
    try:
        for number, line in enumerate(io.TextIOWrapper(stream, encoding, newline="\n"), 1):
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError as error:
        raise BakeoffError(f"{file}: is not {encoding}, after line {number}: {error}") from error


def _utf8(stream: IO[bytes], file: Path, reading: Reading | None) -> Iterator[str]:
    """The lines in UTF-8; from the first that is not, in what all the bytes are likely to be."""
    encoding, before = "", 0
    for number, line in enumerate(stream, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield line.decode(encoding or "utf-8")
        except UnicodeDecodeError as error:
            place = f"{file}: line {number}: byte 0x{line[error.start]:02x} is not UTF-8"
            encoding = _detected(file, before, place, reading)
            yield line.decode(encoding)
        before += len(line)


def _detected(file: Path, before: int, place: str, reading: Reading | None) -> str:
    """The code page of a file that is UTF-8 for `before` bytes only. Raises `BakeoffError`."""
    if not reading:
        raise BakeoffError(f"{place}; save the file as UTF-8")
    with _opened(file) as stream:
        content = stream.read()
    if not content[:before].removeprefix(b"\xef\xbb\xbf").isascii():
        raise BakeoffError(f"{place}, and lines before it are; save the whole file as UTF-8")
    if b"\0" in content:
        raise BakeoffError(f"{place}; it holds zero bytes: is it a text file?")
    if not (words := _western(content)):
        likely = _candidates(content)
        mend = f" or state its encoding ({'; '.join(likely)})" if likely else ""
        raise BakeoffError(f"{place}; save the file as UTF-8{mend}")
    sample = ", ".join(words[:3])
    reading.remark(
        f"{file.name} is not UTF-8 and read as {_WESTERN} ({sample}): state `encoding:` if that "
        "is wrong"
    )
    return _WESTERN


def _western(content: bytes) -> list[str]:
    """Words with letters beyond ASCII, if these bytes make Western European text; else none.

    Another alphabet read as cp1252 gives words that are mostly such letters, and other code pages
    of the Latin alphabet give signs inside words, or letters that the languages do not have.
    """
    try:
        text = content.decode(_WESTERN)
    except UnicodeDecodeError:
        return []
    odd = {sign for sign in set(text) if not sign.isascii()}
    if odd - _IN_TEXT - _PRINTED:
        return []
    if re.search(r"[^\W\d_][¡£§©«®°±»¿¼½¾²³µ¶¹×÷¢¥¬¸¦¤ƒ‡†‰•™“”„][^\W\d_]", text):
        return []
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    signs = [sign for word in words if len(word) > 1 for sign in word]
    if sum(not sign.isascii() for sign in signs) > len(signs) / 2:
        return []
    return list(dict.fromkeys(words)) or sorted(odd)


def _candidates(content: bytes) -> list[str]:
    """`cp1251, if 'Где' is right`: the likeliest encodings, with a word that each would read."""
    from charset_normalizer import from_bytes

    lines = []
    for match in list(from_bytes(content[:200_000]))[:3]:
        words = [word for word in _WORD.findall(str(match)) if not word.isascii()]
        lines.append(f"encoding: {match.encoding}, if '{words[0]}' is right" if words else "")
    return [line for line in lines if line]
