"""Words of a text in any script, those written without spaces included.

Chinese, Japanese, Thai, Lao, Khmer and Burmese put no space between words. Counted and compared,
each of their signs is a word there; searched, two neighbouring signs are a term, as in Lucene's
`CJKBigramFilter` (which leaves Thai and its neighbours to a dictionary).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecf\u0edc-\u0edf"  # Thai, Lao; not their digits
    "\u1000-\u103f\u1050-\u108f\u1780-\u17d3"  # Burmese, Khmer
    "\u3005-\u3007\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"
    "\uff66-\uff9f"  # Japanese, its narrow letters too; bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
)
"""The signs of scripts without spaces, as the inside of a regular expression's class."""


@cache
def marks() -> str:
    """The marks (accents, vowel signs) of scripts, as the inside of a regular expression's class.

    Python's `\\w` takes none that follow their letter: Hindi would fall apart.
    """
    every = map(chr, range(0x300, 0x1D00))
    return "".join(sign for sign in every if unicodedata.category(sign)[0] == "M")


# Expressions with classes of so many signs take milliseconds to compile: made when first used.


@cache
def _sign() -> re.Pattern[str]:
    return re.compile(rf"[{UNSPACED}][{marks()}\u3099\u309a\u200b-\u200d\ufe00-\ufe0f]*")


@cache
def _word() -> re.Pattern[str]:
    return re.compile(rf"{_sign().pattern}|[^\s{UNSPACED}]+")


@cache
def _term() -> re.Pattern[str]:
    letters = rf"[^\W{UNSPACED}]+(?:[{marks()}]+[^\W{UNSPACED}]*)*"
    return re.compile(rf"(?:{_sign().pattern})+|{letters}")


def words(text: str) -> list[str]:
    """The words between spaces; of scripts without spaces, every sign with its marks.

    The same as `text.split()` where there are no such signs: `"Tokyo 東京"` has three words.
    """
    return _word().findall(text)


def word_spans(text: str) -> list[tuple[int, int]]:
    """The place of each of `words`: `text[start:end]`."""
    return [match.span() for match in _word().finditer(text)]


def is_unspaced(text: str) -> bool:
    """Whether a text has signs of a script without spaces."""
    return not text.isascii() and _sign().search(text) is not None


def signs(text: str) -> list[str]:
    """Every sign of a text that belongs to a script without spaces, with its marks."""
    return [] if text.isascii() else _sign().findall(text)


def terms(text: str) -> list[str]:
    """What a text is searched by: lower-case words without punctuation, in NFKC.

    Of scripts without spaces, every two neighbouring signs, or the one that stands alone:
    `"Tokyo 東京都"` has the terms `tokyo`, `東京` and `京都`.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    stretches: list[str] = _term().findall(plain.lower())
    if not is_unspaced(plain):
        return stretches
    return [term for stretch in stretches for term in _pairs(stretch)]


def _pairs(stretch: str) -> Iterator[str]:
    stands = signs(stretch)
    if len(stands) < 2:
        yield stretch
    for place in range(len(stands) - 1):
        yield stands[place] + stands[place + 1]
