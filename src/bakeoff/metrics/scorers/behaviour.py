"""The form of an answer, not its content: patterns, terms, length, reading level."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bakeoff.core.counts import quantity
from bakeoff.core.scripts import UNSPACED, is_unspaced, marks, words
from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.scorer import Context, Outcome, scorer


def _is_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"pattern: no regular expression: {error}"
    return "" if pattern else "give a pattern, a regular expression"


@scorer(version=1, check=_is_pattern)
def regex_match(sample: Sample, answer: Answer, context: Context, *, pattern: str = "") -> Outcome:
    """1 when the regular expression `pattern` is found in the answer."""
    return re.search(pattern, answer.text) is not None


def _are_limits(least: int, most: int) -> str:
    if least <= 0 and most <= 0:
        return "give least, most, or both"
    return "most is below least" if 0 < most < least else ""


@scorer(version=2, check=_are_limits)
def length_in_range(
    sample: Sample, answer: Answer, context: Context, *, least: int = 0, most: int = 0
) -> Outcome:
    """1 when the answer has `least` to `most` words; 0 as `most` is no limit."""
    count = len(words(answer.text))
    kept = least <= count and (most <= 0 or count <= most)
    return Score(float(kept), "" if kept else quantity(count, "word"))


def _are_terms(terms: tuple[str, ...]) -> str:
    if terms and all(isinstance(term, str) and term.strip() for term in terms):
        return ""
    return "give terms, such as terms=('refund', '30 days')"


_LETTER = rf"(?:[^\W{UNSPACED}]|[{marks()}])"


@lru_cache(maxsize=256)
def _term(term: str) -> re.Pattern[str]:
    plain = unicodedata.normalize("NFC", term.strip())
    stretch = r"\s+".join(map(re.escape, plain.split()))
    # Next to a sign of a script without spaces there may be any other sign.
    before = "" if is_unspaced(plain[0]) else f"(?<!{_LETTER})"
    after = "" if is_unspaced(plain[-1]) else f"(?!{_LETTER})"
    return re.compile(before + stretch + after, re.IGNORECASE)


def _present(text: str, terms: tuple[str, ...]) -> list[str]:
    plain = unicodedata.normalize("NFC", text)
    return [term for term in terms if _term(term).search(plain)]


@scorer(version=2, check=_are_terms)
def contains_all(
    sample: Sample, answer: Answer, context: Context, *, terms: tuple[str, ...] = ()
) -> Outcome:
    """1 when every one of the `terms` is in the answer, as whole words, in any case."""
    present = _present(answer.text, terms)
    missing = [term for term in terms if term not in present]
    return Score(float(not missing), f"missing: {', '.join(missing)}" if missing else "")


@scorer(version=2, check=_are_terms)
def avoids_terms(
    sample: Sample, answer: Answer, context: Context, *, terms: tuple[str, ...] = ()
) -> Outcome:
    """1 when none of the `terms` is in the answer, as whole words, in any case."""
    present = _present(answer.text, terms)
    return Score(float(not present), f"contains: {', '.join(present)}" if present else "")


_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_END = re.compile(r"[.!?]+(?=\s|$)")
_VOWELS = re.compile(r"[aeiouy]+")


def syllables(word: str) -> int:
    """Groups of vowels in a word, without a silent e at its end; one at the least."""
    plain = unicodedata.normalize("NFKD", word.lower())
    groups = len(_VOWELS.findall(plain))
    silent = plain.endswith("e") and not plain.endswith(("le", "ee", "ye"))
    return max(1, groups - silent)


@scorer(version=1, higher_is_better=False, bounds=None)
def reading_level(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Flesch-Kincaid grade of an English answer; approximate, as syllables are groups of vowels.

    Source: Kincaid et al. 1975. Not by `textstat`: its syllables are a dictionary to be downloaded.
    """
    spelled = _WORD.findall(answer.text)
    if not spelled:
        return Score(None, "the answer has no words", applies=False)
    sentences = max(1, len([part for part in _END.split(answer.text) if _WORD.search(part)]))
    spoken = sum(map(syllables, spelled))
    return 0.39 * len(spelled) / sentences + 11.8 * spoken / len(spelled) - 15.59
