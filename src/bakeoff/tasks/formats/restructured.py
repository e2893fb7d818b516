"""The text of a reStructuredText file: headings as in Markdown, without directives and targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bakeoff.tasks.formats.decoding import Reading, decoded

_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}$")
"""A line of one sign: it is above or below a heading."""
_DIRECTIVE = re.compile(r"\s*\.\. (?:\|[^|]+\| )?([\w:-]+)::\s*(.*)$")
_TARGET = re.compile(r"\s*(\.\. _|__ )")
_OPTION = re.compile(r"\s*:[\w -]+:(\s|$)")
_ROLE = re.compile(r":[\w:+-]+:`~?!?([^`<]*?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]*>`__?|`([^`]+)`__?")
_DROPPED = {
    **dict.fromkeys(("image", "figure"), "images"),
    **dict.fromkeys(("toctree", "contents", "index", "include", "raw"), "directives"),
}
"""Directive -> what it is counted as."""


def restructured_text(file: Path, reading: Reading) -> str:
    """The text of the file. Raises `BakeoffError` if it cannot be decoded."""
    lines = [line.rstrip() for line in "".join(decoded(file, reading)).expandtabs(4).split("\n")]
    text = "\n".join(_inline(line) for line in _headings(list(_without_markup(lines, reading))))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _without_markup(lines: Sequence[str], reading: Reading) -> Iterator[str]:
    """The lines without directives, comments and targets; the content of most directives stays."""
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if directive := _DIRECTIVE.match(line):
            name, argument = directive.groups()
            end = _block(lines, place, line)
            if name in _DROPPED:
                reading.dropped[_DROPPED[name]] += 1
                if name != "figure":
                    place = end
                    continue
            elif name == "replace" or "code" in name or name == "highlight":
                argument = ""
            while place < end and _OPTION.match(lines[place]):
                place += 1
            yield "" if name == "figure" else argument
        elif _TARGET.match(line):
            continue
        elif re.match(r"\s*\.\.(\s|$)", line):
            reading.dropped["comments"] += 1
            place = _block(lines, place, line)
        else:
            yield re.sub(r"::$", ":", line) if line.strip() != "::" else ""


def _block(lines: Sequence[str], place: int, head: str) -> int:
    """Where the lines end that are indented below `head`."""
    depth = len(head) - len(head.lstrip())
    end = place
    for number in range(place, len(lines)):
        line = lines[number]
        if line and len(line) - len(line.lstrip()) <= depth:
            break
        if line:
            end = number + 1
    return end


def _headings(lines: Sequence[str]) -> Iterator[str]:
    """The lines with headings as `# Title`: their level is the order in which signs appear."""
    levels: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        over = _RULE.match(line)
        title = lines[place + (1 if over else 0)] if place + bool(over) < len(lines) else ""
        under = lines[place + 1 + bool(over)] if place + 1 + bool(over) < len(lines) else ""
        rule = _RULE.match(under)
        plain = title and not _RULE.match(title)
        if rule and plain and len(under) >= len(title.strip()) and (not over or over[0] == under):
            style = f"{rule[1]}{bool(over)}"
            if style not in levels:
                levels.append(style)
            yield f"{'#' * min(6, levels.index(style) + 1)} {title.strip()}"
            place += 2 + bool(over)
        else:
            yield "" if over else line
            place += 1


def _inline(line: str) -> str:
    line = _ROLE.sub(lambda match: match[1], line)
    return _LINK.sub(lambda match: match[1] or match[2], line).replace("``", "")
