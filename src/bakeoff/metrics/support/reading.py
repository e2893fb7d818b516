"""Texts read as words, with times, large numbers and ordinals in one spelling."""

from __future__ import annotations

import re

from bakeoff.metrics.lexical.words import Word, listed, read_words

_HALF = r"([ap])\.?\s?m\b\.?"
_RANGE = re.compile(
    rf"\b(\d{{1,2}})(?::(\d\d))?\s*(?:{_HALF})?\s*(?:-|–|to|until|till|through|and)\s*(\d{{1,2}})(?::(\d\d))?\s*{_HALF}",
    re.IGNORECASE,
)
_CLOCK = re.compile(rf"\b(\d{{1,2}})(?::(\d\d))?\s*{_HALF}", re.IGNORECASE)
_HOURS = re.compile(r"\b(\d{1,2}):(\d{1,2})\s*-\s*(\d{1,2}):(\d{1,2})\b")
_SECONDS = re.compile(r"\b(\d{1,2}:\d\d):\d\d\b")
_ISO_DATE = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?=\b|T\d)")
_MONTHS = listed(
    "January February March April May June July August September October November December"
)
_STAMP = re.compile(r"(?<=\d)T(?=\d\d:\d\d)")
_SPACED = re.compile(r"\b(\d{1,3}) , (\d{3})\b")
"""Of tokenized text."""
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_LARGE = re.compile(
    r"\b(\d+(?:,\d{3})*(?:\.\d+)?)\s*(hundred|thousand|million|billion|trillion)\b", re.IGNORECASE
)
_POWERS = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}


def read(text: str) -> tuple[tuple[Word, ...], frozenset[int]]:
    """The words of a text, and the places of those that are negated (see `read_words`)."""
    return read_words(one_spelling(text))


def one_spelling(text: str) -> str:
    """ "4 PM", "16:0-20:0", "3.5 million" and "23rd" in the form in which they are compared."""
    if not any(sign.isdigit() for sign in text):
        return text
    if " , " in text:
        text = _SPACED.sub(r"\1,\2", text)
    if "-" in text:
        # With a capital letter: a "may" without one is no month.
        text = _ISO_DATE.sub(lambda m: f"{int(m[3])} {_MONTHS[int(m[2]) - 1]} {m[1]}", text)
    if ":" in text:
        text = _STAMP.sub(" ", text)
        text = _SECONDS.sub(r"\1", text)
        text = _HOURS.sub(lambda m: f"{_time(m[1], m[2])} to {_time(m[3], m[4])}", text)
    low = text.lower()
    if "m" in low:
        text = _RANGE.sub(_both, text)
        text = _CLOCK.sub(lambda m: _time(m[1], m[2], m[3]), text)
    if "illion" in low or "thousand" in low or "hundred" in low:
        text = _LARGE.sub(_large, text)
    return _ORDINAL.sub(r"\1", text)


def _time(hour: str, minute: str | None, half: str | None = None) -> str:
    whole = int(hour)
    if half:
        whole = whole % 12 + (12 if half in "pP" else 0)
    return f"{whole}:{int(minute or 0):02d}"


def _both(match: re.Match[str]) -> str:
    start, start_minute, start_half, end, end_minute, half = match.groups()
    return f"{_time(start, start_minute, start_half or half)} to {_time(end, end_minute, half)}"


def _large(match: re.Match[str]) -> str:
    value = float(match[1].replace(",", "")) * _POWERS[match[2].lower()]
    return f"{value:.6f}".rstrip("0").rstrip(".")
