"""The forms in which a text is compared with another: SQuAD's, and a strict one.

Both take no notice of case, articles, spaces and punctuation around words. SQuAD's deletes every
ASCII sign: 1.5 is 15 there, -5 is 5, C++ is C, and a text of articles or signs alone is nothing.
The strict form keeps what tells values apart.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache, lru_cache

from bakeoff.core.scripts import is_unspaced, marks, words

STRICT, SQUAD = FORMS = ("strict", "squad")

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=1024)
def squad(text: str) -> str:
    """SQuAD's normalisation: lower, strip punctuation, strip articles, squeeze spaces.

    Source: the official SQuAD 2.0 evaluation script (Rajpurkar et al. 2018), in its order.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


# The wide signs of East Asian keyboards, the minus of typesetting, dashes, quotation marks.
_PLAIN = {0xFF00 + code - 0x20: chr(code) for code in range(0x21, 0x7F)} | {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2212"), "-"),
    ord("\u2019"): "'",
}
_RANGE = re.compile(r"(?<=\d)\s?[\u2013\u2014]\s?(?=\d)")
# Both functions take milliseconds to compile what they return: it is made when first used.


@cache
def _article() -> re.Pattern[str]:
    # An article precedes a word. The letter is one before no letter of its case, verb or joining
    # word ("A B", "A is right", "vitamin a and c"; of "a B" it is one), and its capital only where
    # a sentence begins ("Plan A failed").
    return re.compile(
        r"""
        \b (?: the | The | THE | an | An | AN
          | (?: a (?! \s+ [^\W\d_A-Z] \b )
              | (?<![^\s"'(*_]) (?: (?<=\A) | (?<=\A["'(*_]) | (?<=[.!?:]\s) | (?<=\n) ) A
                (?! \s+ [^\W\d_] \b )
            )
            (?! \s+ (?: is|are|was|were|because|since|as|and|or|but|if|for|in|of|to|on|at ) \b )
        )
        (?<! ['-]a | ['-]A ) (?<! ['-]an ) (?<! ['-]the )
        \s+ (?= ["'(*_$€£¥+-]* \w )
        """,
        re.VERBOSE,
    )


@cache
def _tokens(letter: str) -> re.Pattern[str]:
    word = rf"{letter}+ (?: (?: ['.-] | (?<=\d) [,:/] (?=\d) ) {letter}+ )*"
    return re.compile(
        rf"""
        {word} (?: (?<=[^\W\d_]) (?: \+\+ | [+#] ) (?!\w) )?    # words, C++, C#
        | [-+] (?<! [\w)\]}}%] [-+] ) \.? (?=\d) {word}        # numbers with a sign
        | \. (?=\d) {word}
        | (?=[-!:+*/<=>&^|~]) (?<!\w) [-!:+*/<=>&^|~]*? [<=>&^] [-!:+*/<=>&^|~]* (?!\w)
        | [%$€£¥]
        """,
        re.VERBOSE,
    )


def _any() -> re.Pattern[str]:
    return _tokens(rf"[\w{marks()}]")


_THOUSANDS = re.compile(r"(?<![\w.,])(?:[-+]?)\d{1,3}(?:[,\u00a0\u2009\u202f]\d{3})+(?![\d,])")
_SEPARATORS = re.compile(r"[,\u00a0\u2009\u202f]")
# What joins two letters is spelling: e-mail is email, U.S.A. is usa, don't is dont.
_JOINT = re.compile(r"'|[.-](?<=[^\W\d][.-])(?=[^\W\d])")
_EMPHASIS = re.compile(r"(?<!\w)_(?=[^\W_])|(?<=[^\W_])_(?!\w)")
_AROUND = " \t\n`'\"\u201c\u201d\u2018\u2019"


@lru_cache(maxsize=1024)
def strict(text: str) -> str:
    """A text as its words: NFC, without case, articles and punctuation around words.

    Numbers keep decimals and signs (not thousands separators), names their `++` and `#`; every sign
    of a script without spaces is a word. A text of other signs alone stays as it is.
    """
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFC", _RANGE.sub("-", text.translate(_PLAIN)))
    if _SEPARATORS.search(plain):
        plain = _THOUSANDS.sub(lambda number: _SEPARATORS.sub("", number[0]), plain)
    if "_" in plain:
        plain = _EMPHASIS.sub("", plain)
    plain = _article().sub("", plain).casefold()
    if not plain.isascii():
        # Folding may take a letter apart again.
        plain = unicodedata.normalize("NFC", plain)
        plain = " ".join(words(plain)) if is_unspaced(plain) else plain
    tokens = " ".join((_tokens(r"\w") if plain.isascii() else _any()).findall(plain))
    return _JOINT.sub("", tokens) or _signs(text)


def _signs(text: str) -> str:
    """A text without words: its signs, without quotation marks around them and a full stop."""
    signs = " ".join(text.split())
    bare = signs.strip(_AROUND) or signs
    return bare.removesuffix(".").strip(_AROUND) or bare


def _holds_signs(text: str, signs: str) -> bool:
    """Whether signs are in a text by themselves: no end of a word, no part of other signs."""
    begins = r"(?<![^\s`'\"\u201c\u2018(\[{])"
    ends = r"(?![^\s`'\"\u201d\u2019)\]},.;])"
    return re.search(begins + re.escape(signs) + ends, text) is not None


def normal(text: str, target: str, form: str) -> tuple[str, str]:
    """A text and its target as they are compared in a form.

    A target that SQuAD's form leaves nothing of (`A`, `the`, `!=`) is compared in the strict one.
    """
    if form == SQUAD and (wanted := squad(target)):
        return squad(text), wanted
    return strict(text), strict(target)


def holds(text: str, target: str, form: str) -> bool:
    """Whether the target's words are in the text, in one stretch."""
    plain, wanted = normal(text, target, form)
    if f" {wanted} " in f" {plain} ":
        return bool(wanted)
    return wanted == _signs(target) and not _any().search(target) and _holds_signs(text, wanted)
