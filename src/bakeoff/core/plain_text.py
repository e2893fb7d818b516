"""Texts of strangers made harmless: one visible line, and the same as Markdown."""

from __future__ import annotations

import re

TEXT = 300
"""Characters of one text from a file."""

# A title that nobody ends keeps its text: it must not swallow what follows it.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?")
# Reordering, tags and other signs without a shape; the joiners of emoji and Persian words stay.
_INVISIBLE = re.compile(
    r"[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]+")
# Runners take `::name` at the start of a line, and `##[name` (`##vso[`) anywhere in it. A table
# may wrap a text at any space.
_COMMAND = re.compile(r"(?<!\S):{2,}|##(?=\w*\[)")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@])")
_LINKED = re.compile(r"(?i)(\\[@#]|://|www\.|\bgh-)")


def plain(text: object, limit: int = TEXT) -> str:
    """One line of visible text: no escapes, no control characters, no reordering, not too long."""
    visible = _INVISIBLE.sub("", _ESCAPES.sub("", str(text)))
    flat = " ".join(_CONTROL.sub(" ", visible).split())
    flat = _COMMAND.sub(lambda m: "## " if m[0] == "##" else " ".join(m[0]), flat)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def lines(text: str) -> list[str]:
    """The lines of a text with their spaces, without escapes, control and invisible characters."""
    visible = _INVISIBLE.sub("", _ESCAPES.sub("", text.expandtabs()))
    return [_CONTROL.sub(" ", line) for line in visible.replace("\r\n", "\n").split("\n")]


def cell(text: object, limit: int = TEXT) -> str:
    """`plain` text that stays text in Markdown: no markup, mention, link or end of a cell."""
    flat = _MARKDOWN.sub(r"\\\1", plain(text, limit))
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # GitHub sets what is between two dollars as a formula.
    flat = flat.replace("$", "&#36;")
    # A word joiner keeps GitHub from finding a person, an issue or an address.
    return _LINKED.sub("\\g<1>\u2060", flat)
