"""Stems that are one word: British and American spelling, forms that the stemmer tells apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

from bakeoff.metrics.lexical.words import listed, read_words

_ENDS = (
    *(("our", "or"), ("tr", "ter"), ("enc", "ens"), ("is", "iz"), ("ys", "yz"), ("ll", "l")),
    *(("ogu", "og"), ("isation", "ization")),
)
"""How stems end in British and in American spelling."""
SHORTEST = 5
"""Letters of a stem whose end may be spelled otherwise."""
_FORMS = """
use used using|go goes going went gone|tie tied tying ties|owe owed owing|die died dies dying
live lives lived living|life lives|supply supplied supplies supplying|apply applied applies
reply replied replies|family families|see sees seen seeing|do does done doing
sleep slept|drink drank drunk|ride ridden|blow blew blown|flee fled|wake woken
freeze froze frozen|deal dealt|seek sought|hang hung|shake shook shaken|tear torn|beat beaten
dig dug|stick stuck|weep wept|bend bent|bite bit bitten|creep crept
hide hid hidden
kneel knelt|leap leapt
learn learnt|dream dreamt|burn burnt|spell spelt|spoil spoilt|shrink shrank shrunk
slide slid|spin spun|spring sprang sprung|swear swore sworn|sweep swept|swing swung
overtake overtook overtaken|overcome overcame|withdraw withdrew withdrawn
undergo underwent undergone
wolf wolves|knife knives|shelf shelves|wife wives|half halves|thief thieves|loaf loaves
goose geese|crisis crises|analysis analyses|thesis theses|bias biases|lens lenses
atlas atlases|canvas canvases|gas gases|bus buses|phenomenon phenomena|criterion criteria
color colour|favorite favourite|program programme|gray grey
enroll enrol enrolment enrollment
skillful skilful|fulfill fulfil|jewelry jewellery|airplane aeroplane|aluminum aluminium|check cheque
cancel cancelled canceled cancels|travel travelled traveled travels|travelling traveling
prof professor|ave avenue|plough plow|dept department|govt government|approx approximately
kg kilogram kilograms kilogramme|km kilometre kilometer|cm centimetre centimeter
"""


def _forms() -> Mapping[str, frozenset[str]]:
    table: dict[str, set[str]] = defaultdict(set)
    for group in _FORMS.replace("\n", "|").split("|"):
        keys = {word.key for form in listed(group) for word in read_words(form)[0]}
        for key in keys:
            table[key] |= keys
    return {key: frozenset(keys - {key}) for key, keys in table.items()}


_OTHERS = _forms()


@lru_cache(maxsize=1 << 15)
def spellings(key: str) -> frozenset[str]:
    """The other stems under which the same word may stand."""
    known = _OTHERS.get(key, frozenset())
    if len(key) < SHORTEST:
        return known
    turned = [(one, other) for pair in _ENDS for one, other in (pair, pair[::-1])]
    return known.union(
        key[: -len(a)] + b
        for a, b in turned
        if key.endswith(a) and max(len(key), len(key) - len(a) + len(b)) > SHORTEST
    ) - {key}
