"""How near an answer's wording is to a target's: ROUGE-L, BLEU and chrF of one answer.

Equal to rouge-score and to sacrebleu (sentence level, its defaults), which the tests hold them to.
All three are from 0 to 1, the best target counts, and an unanswerable question wants a refusal.
"""

# Counted here, on answers of 40 words, four to a target: rouge-score takes 15 times as long (and
# needs nltk and absl); sacrebleu 1.2 times as long for BLEU and 1.9 times for chrF, 5 times as long
# where texts are scored again. Only ROUGE-L needs the copy for its speed; the other two are here so
# that they need no further package.

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.refusals import declining, spoken
from bakeoff.metrics.scorer import Context, Outcome, scorer

if TYPE_CHECKING:
    from nltk.stem.porter import PorterStemmer

CHARACTERS = 6
"""The longest n-gram of chrF."""
RECALL = 2
"""How many times recall weighs more than precision in chrF."""
WORDS = 4
"""The longest n-gram of BLEU."""


def _best(
    sample: Sample, answer: Answer, context: Context, measure: Callable[[str, str], float]
) -> Score | float:
    if not sample.answerable:
        return declining(answer, context)
    text = spoken(answer, context)
    return max(measure(text, target) for target in sample.targets)


_ASCII_WORDS = re.compile(r"[a-z0-9]+")


@lru_cache(maxsize=1)
def _stemmer() -> PorterStemmer:
    # Here: it takes longer to import than everything else that scores.
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word)) if len(word) > 3 else word


@lru_cache(maxsize=1024)
def _rouge_words(text: str, stem: bool) -> tuple[str, ...]:
    words = _ASCII_WORDS.findall(text.lower())
    return tuple(map(_stem, words)) if stem else tuple(words)


def rouge_l_of(answer: str, target: str, stem: bool = False) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004)."""
    # Here, so that reading a finished run does not load it.
    from rapidfuzz.distance import LCSseq

    words, wanted = _rouge_words(answer, stem), _rouge_words(target, stem)
    if not words or not wanted:
        return 0.0
    # Numbers for words: rapidfuzz compares texts in a list by their hashes alone.
    known: dict[str, int] = {}
    rows = [[known.setdefault(word, len(known)) for word in side] for side in (words, wanted)]
    common = LCSseq.similarity(*rows)
    return 2 * common / (len(words) + len(wanted))


def _stemmer_there(stem: bool) -> str:
    missing = stem and find_spec("nltk") is None
    return "stem=True needs the package nltk: pip install 'bakeoff[stem]'" if missing else ""


@scorer(version=2, check=_stemmer_there)
def rouge_l(sample: Sample, answer: Answer, context: Context, *, stem: bool = False) -> Outcome:
    """F-measure of the longest common subsequence of words with the best target (ROUGE-L).

    Words are stretches of ASCII letters and digits, as in rouge-score: other scripts score 0.
    """
    return _best(sample, answer, context, lambda text, target: rouge_l_of(text, target, stem))


_13A = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"([\{-\~\[-\` -\&\(-\+\:-\@\/])", r" \1 "),  # signs that never belong to a word
        (r"([^0-9])([\.,])", r"\1 \2 "),  # full stops and commas, unless in a number
        (r"([\.,])([^0-9])", r" \1 \2"),
        (r"([0-9])(-)", r"\1 \2 "),  # a dash after a digit
    )
)
_ESCAPES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def _bleu_words(text: str) -> list[str]:
    """The words of WMT's `mteval-v13a`."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for escape, sign in _ESCAPES:
        text = text.replace(escape, sign)
    text = f" {text} "
    for pattern, to in _13A:
        text = pattern.sub(to, text)
    return text.split()


@lru_cache(maxsize=1024)
def _word_grams(text: str) -> tuple[Counter[tuple[str, ...]], ...]:
    words = _bleu_words(text)
    tails = [words[start:] for start in range(WORDS)]
    return tuple(Counter(zip(*tails[:n], strict=False)) for n in range(1, WORDS + 1))


def _shared(some: Counter[Any], others: Counter[Any]) -> int:
    """How many n-grams two texts share, as multisets."""
    # Counter's own & takes many times as long.
    return sum(min(some[gram], others[gram]) for gram in some.keys() & others.keys())


def bleu_of(answer: str, target: str) -> float:
    """BLEU up to 4 words with `exp` smoothing and effective order (Papineni et al. 2002)."""
    grams, wanted = _word_grams(answer), _word_grams(target)
    length, least = grams[0].total(), wanted[0].total()
    hits = [_shared(mine, theirs) for mine, theirs in zip(grams, wanted, strict=True)]
    if not any(hits):
        return 0.0
    logs, halved = [], 1.0
    for n, hit in enumerate(hits[:length]):
        if not hit:
            halved /= 2
        logs.append(math.log((hit or halved) / (length - n)))
    penalty = min(0.0, 1 - least / length)
    return math.exp(penalty + sum(logs) / len(logs))


@scorer(version=2)
def bleu(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """BLEU of the answer with the best target: n-grams of up to 4 words, smoothed (sacrebleu)."""
    return _best(sample, answer, context, bleu_of)


@lru_cache(maxsize=1024)
def _character_grams(text: str) -> tuple[Counter[str], ...]:
    text = "".join(text.split())
    return tuple(
        Counter([text[start : start + n] for start in range(len(text) - n + 1)])
        for n in range(1, CHARACTERS + 1)
    )


def chrf_of(answer: str, target: str) -> float:
    """chrF2: F-measure of n-grams of up to 6 characters, recall weighing twice (Popovic 2015)."""
    grams, wanted = _character_grams(answer), _character_grams(target)
    length, size = grams[0].total(), wanted[0].total()
    # Only the orders that both texts are long enough for.
    orders = range(min(CHARACTERS, length, size))
    hits = [_shared(grams[n], wanted[n]) for n in orders]
    if not any(hits):
        return 0.0
    precision = sum(hits[n] / (length - n) for n in orders) / len(orders)
    recall = sum(hits[n] / (size - n) for n in orders) / len(orders)
    factor = RECALL**2
    return (1 + factor) * precision * recall / (factor * precision + recall)


@scorer(version=2)
def chrf(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """chrF of the answer with the best target: n-grams of up to 6 characters (sacrebleu)."""
    return _best(sample, answer, context, chrf_of)
