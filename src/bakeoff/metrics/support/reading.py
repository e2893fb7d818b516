"""Texts read as words, with times, large numbers and ordinals in one spelling."""

from __future__ import annotations

import math
import re

from bakeoff.metrics.lexical.words import Word, listed, read_words

_HALF = r"([ap])\.?\s?m\b\.?"
_RANGE = re.compile(
    rf"\b(\d{{1,2}})(?::(\d\d))?\s*(?:{_HALF})?\s*(-|–|to|until|till|through|and)\s*(\d{{1,2}})(?::(\d\d))?\s*{_HALF}",
    re.IGNORECASE,
)
_CLOCK = re.compile(rf"(?<![\d.:])(\d{{1,2}})(?:[:.](\d\d))?\s*{_HALF}", re.IGNORECASE)
_HOURS = re.compile(r"\b(\d{1,2}):(\d{1,2})\s*-\s*(\d{1,2}):(\d{1,2})\b")
_WHOLE_MINUTES = re.compile(r"\b(\d{1,2}:\d\d):00\b")
_ISO_DATE = re.compile(
    r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(?:\b(?!T\d)|T(?=\d\d:\d\d))(?:\s?(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z\b|[+-]\d\d:?\d\d\b)?)?"
)
_MONTHS = listed(
    "January February March April May June July August September October November December"
)
_SPACED = re.compile(r"\b(\d{1,3}) , (\d{3})\b")
"""Of tokenized text."""
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_LARGE = re.compile(
    r"\b(\d+(?:,\d{3})*(?:\.\d+)?)\s*(hundred|thousand|million|billion|trillion)\b", re.IGNORECASE
)
_SHORT_POWER = re.compile(r"\d(?:k|bn|mn|tn)\b", re.IGNORECASE)
_SHORTENED = re.compile(
    r"(?<![\w.,])(?!40[13]k)(?:(\d+(?:,\d{3})*(?:\.\d+)?)(bn|mn|tn)|(\d{3}|\d+\.\d+)(k))\b",
    re.IGNORECASE,
)
"""Not "5k" and "4K", which are names of things."""
_OF_MONEY = re.compile(
    r"([$€£¥]\s?)(\d+(?:,\d{3})*(?:\.\d+)?)\s?(k|m|b|t)\b(?![-&'])", re.IGNORECASE
)
_BELOW_ZERO = re.compile(r"(?<=[ \t(:,\[\"])(?<!\d )[-−](?=\d)")
_GROUPED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?:[\u00a0\u202f\u2009]\d{3})+|(?: \d{3})+ 000)(?![\d.,]?\d)"
)
_HALVES = {"¼": ".25", "½": ".5", "¾": ".75"}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_POWER_OF = re.compile(r"(?<=\d)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_UNITS = {
    word: value
    for value, word in enumerate(
        listed(
            """
            zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
            fifteen sixteen seventeen eighteen nineteen
            """
        )
    )
}
_TENS = {
    word: 10 * tens
    for tens, word in enumerate(listed("twenty thirty forty fifty sixty seventy eighty ninety"), 2)
}
_COUNT = "|".join([*_UNITS, *_TENS, "hundred", "thousand", "million", "billion", "trillion"])
_ONE = r"(?<!half )an?\s+(?=hundred|thousand|\w+illion)"
_IN_WORDS = re.compile(
    rf"\b(?:{_ONE})?(?:{_COUNT})(?:(?:\s+and\s+|[\s-]+)(?:{_COUNT})){{1,12}}\b(?!-)",
    re.IGNORECASE,
)
_AND = re.compile(r"(\s+and\s+)", re.IGNORECASE)
_SCALES = ("hundred", "thousand", "illion")
_VALUE = re.compile(
    r"(?<!\w)(\w*[a-z][A-Z]\w*|(?<=[\"'])\w+)[\"']?\s*[:=]\s*[\"']?"
    r"((?i:true|false|yes|no))\b(?!\s*\w|[.,!?]\s+[A-Za-z])"
)
"""A key of a record, in camel case or quoted, and what it says."""
_LINK = re.compile(r"\]\(https?://[^)\s]*\)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_POWERS = {
    **{"hundred": 1e2, "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6},
    **{"b": 1e9, "bn": 1e9, "billion": 1e9, "t": 1e12, "tn": 1e12, "trillion": 1e12},
}


def read(text: str) -> tuple[tuple[Word, ...], frozenset[int]]:
    """The words of a text, and the places of those that are negated (see `read_words`)."""
    return read_words(one_spelling(text))


def one_spelling(text: str) -> str:
    """ "4 PM", "16:0-20:0", "3.5 million" and "23rd" in the form in which they are compared."""
    if "](" in text:
        text = _LINK.sub("]", text)
    low = text.lower()
    if ":" in low or "=" in low:
        text = _VALUE.sub(_valued, text)
    if "ty-" in low or any(scale in low for scale in _SCALES):
        text = _IN_WORDS.sub(_counted, text)
    if not any(sign.isdigit() for sign in text):
        return text
    return _ORDINAL.sub(r"\1", _large_numbers(_times(_signs(text))))


def _valued(match: re.Match[str]) -> str:
    """`OutdoorSeating: false` as a passage that is a record is told."""
    name = _HUMP.sub(" ", match[1])
    return name if match[2].lower() in ("true", "yes") else f"no {name}"


def _signs(text: str) -> str:
    """Numbers in digits that are written with other signs."""
    if not text.isascii():
        for sign, value in _HALVES.items():
            text = re.sub(rf"(?<=\d)\s?{sign}", value, text).replace(sign, f"0{value}")
        text = _POWER_OF.sub(lambda m: "^" + m[1].translate(_RAISED), text)
    if " 000" in text or not text.isascii():
        text = _GROUPED.sub(lambda m: re.sub(r"\D", "", m[0]), text)
    if " , " in text:
        text = _SPACED.sub(r"\1,\2", text)
    return _BELOW_ZERO.sub("minus ", text) if "-" in text or "−" in text else text


def _times(text: str) -> str:
    if "-" in text:
        text = _ISO_DATE.sub(_dated, text)
    if ":" in text:
        text = _WHOLE_MINUTES.sub(r"\1", text)
        text = _HOURS.sub(lambda m: f"{_time(m[1], m[2])} to {_time(m[3], m[4])}", text)
    if "m" in text or "M" in text:
        text = _RANGE.sub(_both, text)
        text = _CLOCK.sub(lambda m: _time(m[1], m[2], m[3]), text)
    return text


def _dated(match: re.Match[str]) -> str:
    # With a capital letter: a "may" without one is no month.
    year, month, day, clock = match.groups()
    date = f"{int(day)} {_MONTHS[int(month) - 1]} {year}"
    return f"{date} {clock}" if clock else date + " " * match[0].endswith("T")


def _large_numbers(text: str) -> str:
    low = text.lower()
    if "illion" in low or "thousand" in low or "hundred" in low:
        text = _LARGE.sub(lambda m: _large(m[1], m[2]), text)
    if any(sign in text for sign in "$€£¥"):
        text = _OF_MONEY.sub(lambda m: m[1] + _large(m[2], m[3]), text)
    if _SHORT_POWER.search(text):
        text = _SHORTENED.sub(lambda m: _large(m[1] or m[3], m[2] or m[4]), text)
    return text


def _counted(match: re.Match[str]) -> str:
    """A number in words; as it stands where the words are no one number, or may be two."""
    text = match[0].lower()
    if "-" not in text and not any(scale in text for scale in _SCALES):
        return match[0]
    total = part = 0
    least, scale, joined = 1000, math.inf, False
    for word in re.split(r"[\s-]+", text):
        value = 1 if word in ("a", "an") else _UNITS.get(word, _TENS.get(word))
        if word == "and":
            joined = True
        elif value is not None and 0 < value < least:
            part, least = part + value, 10 if value >= 20 else 1
        elif word == "hundred" and 0 < part < 100 and not joined:
            part, least = part * 100, 100
        elif word in _POWERS and 100 < _POWERS[word] < scale and part and not joined:
            total, part, least, scale = total + part * int(_POWERS[word]), 0, 1000, _POWERS[word]
        else:
            # "between five thousand and ten thousand"
            parts = _AND.split(match[0])
            return "".join(_IN_WORDS.sub(_counted, each) for each in parts) if joined else match[0]
    return str(total + part)


def _time(hour: str, minute: str | None, half: str | None = None) -> str:
    whole = int(hour)
    if half:
        whole = whole % 12 + (12 if half in "pP" else 0)
    return f"{whole}:{int(minute or 0):02d}"


def _both(match: re.Match[str]) -> str:
    start, start_minute, start_half, between, end, end_minute, half = match.groups()
    if not start_half:
        # "11 to 2 pm" begins in the morning, "1 to 2 pm" and "3 and 2 pm" do not.
        turns = between != "and" and int(start) % 12 > int(end) % 12
        start_half = ("p" if half in "aA" else "a") if turns else half
    return f"{_time(start, start_minute, start_half)} to {_time(end, end_minute, half)}"


def _large(number: str, power: str) -> str:
    value = float(number.replace(",", "")) * _POWERS[power.lower()]
    return f"{value:.6f}".rstrip("0").rstrip(".")
