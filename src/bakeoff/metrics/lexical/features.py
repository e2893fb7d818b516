"""What a model sees of a claim: shares held, and what speaks against it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

from bakeoff.metrics.lexical.claims import Claim
from bakeoff.metrics.lexical.evidence import KIN, Evidence
from bakeoff.metrics.lexical.match import Match, lay_beside
from bakeoff.metrics.lexical.words import OPPOSING_PREFIXES, OPPOSITE, Word


def features(claim: Claim | str, evidence: Evidence) -> Mapping[str, float]:
    """What the model sees of a claim: shares in 0..1, small counts, and `length` as a control.

    A claim that a passage has word for word has no fault.
    """
    text = claim if isinstance(claim, str) else claim.text
    return features_of(lay_beside(text, evidence), evidence)


def features_of(match: Match, evidence: Evidence) -> dict[str, float]:
    content, size = match.content, max(len(match.content), 1)
    total = max(len(match.words), 1)
    verbatim = match.longest_run == len(match.words)
    weight = sum(_rarity(word) for word in content) or 1.0
    missing_weight = sum(_rarity(word) for word in match.missing)
    kin = sum(word.key[:KIN] in evidence.starts for word in match.missing)
    names, numbers, dates = absent_words(match)
    return {
        "contained": (size - len(match.missing)) / size,
        "contained_rare": 1 - missing_weight / weight,
        "contained_kin": (size - len(match.missing) + kin) / size,
        "best_passage": match.held_by_passage / size,
        "in_runs": match.in_runs / total,
        "missing_words": math.log1p(len(match.missing)),
        "missing_names": min(len(names), 2.0),
        "missing_numbers": min(len(numbers), 2.0),
        "missing_dates": min(len(dates), 2.0),
        "loose_numbers": 0.0 if verbatim else _loose_numbers(match, evidence),
        "opposed": 0.0 if verbatim else float(bool(opposed_words(match))),
        "swapped": 0.0 if verbatim else float(swapped_names(match)),
        "length": math.log1p(len(content)),
    }


def _rarity(word: Word) -> float:
    """A word's weight without a corpus: long words are rarer; numbers and names say most."""
    if word.number or word.capital:
        return 8.0
    return float(min(len(word.key), 10))


def absent_words(match: Match) -> tuple[list[Word], list[Word], list[Word]]:
    """Names, numbers and dates of the claim that occur nowhere in the context."""
    named = {match.content[place].key for place in match.names}
    names = [w for w in match.missing if w.key in named and not w.date]
    numbers = [w for w in match.missing if w.number and not w.date]
    return names, numbers, [w for w in match.missing if w.date]


def _groups(places: Iterable[int]) -> list[tuple[int, int]]:
    """First and last place of each stretch of neighbouring places."""
    groups: list[tuple[int, int]] = []
    for place in places:
        if groups and groups[-1][1] == place - 1:
            groups[-1] = (groups[-1][0], place)
        else:
            groups.append((place, place))
    return groups


def _loose_numbers(match: Match, evidence: Evidence) -> float:
    """The worst share of a number's neighbours that are not its neighbours in the context.

    1 for a number that occurs nowhere there. Only neighbours that do occur there count.
    """
    content, worst = match.content, 0.0
    for spot, word in enumerate(content):
        if not word.number or word.key == "1":
            continue
        if word.key not in evidence.keys:
            return 1.0
        before, after = content[max(spot - 2, 0) : spot], content[spot + 1 : spot + 3]
        pairs = [(other.key, word.key) for other in before if other.key in evidence.keys]
        pairs += [(word.key, other.key) for other in after if other.key in evidence.keys]
        if pairs:
            kept = sum(_nearness(pair, evidence) for pair in pairs)
            worst = max(worst, 1 - kept / len(pairs))
    return worst


def _nearness(pair: tuple[str, str], evidence: Evidence) -> float:
    """1 for neighbours in this order, 0.5 for words of one sentence, 0 for others."""
    if pair in evidence.near:
        return 1.0
    one, other = (evidence.holders.get(key, ()) for key in pair)
    return 0.5 if set(one) & set(other) else 0.0


def opposed_words(match: Match) -> list[str]:
    """Words on which the claim and its best sentence contradict each other."""
    best = match.best
    if best is None or 2 * match.held < len(match.content):
        return []
    words, negated = match.words, match.negated
    against = [
        words[p].text
        for p, word in enumerate(words)
        if word.key in best.where
        and (
            (p in negated and word.key not in best.negated)
            or (p not in negated and word.key not in best.affirmed)
        )
    ]
    keys = {word.key for word in words}
    there = set(best.keys)
    for word in words:
        if word.key not in there:
            turned = OPPOSITE.get(word.key, frozenset()) & there - keys
            if turned or any(_negating(word.key, other) for other in best.where):
                against.append(word.text)
    return against


def _negating(one: str, other: str) -> bool:
    """Whether one word is the other with a negating prefix (happy, unhappy)."""
    short, long = sorted((one, other), key=len)
    if len(short) < 4 or not long.endswith(short):
        return False
    return long[: -len(short)] in OPPOSING_PREFIXES


def swapped_names(match: Match) -> int:
    """Whether two names have changed places around a word that is between them.

    A passive ("was beaten by") is read the other way round.
    """
    best = match.best
    if best is None:
        return 0
    groups = _groups(match.names)
    places = [place for place, word in enumerate(match.words) if word.content]
    for (_, last), (first, _) in pairwise(groups):
        one, other = match.content[last], match.content[first]
        there = [best.where.get(word.key, ()) for word in (one, other)]
        between = [w for w in match.content[last + 1 : first] if w.key in best.where]
        if one.key == other.key or not between or any(len(spots) != 1 for spots in there):
            continue
        left, right = there[0][0], there[1][0]
        stretch = match.words[places[last] : places[first]]
        passive = any(word.key == "by" for word in stretch)
        passive_there = "by" in best.keys[min(left, right) : max(left, right)]
        inside = any(
            min(left, right) < spot < max(left, right)
            for word in between
            for spot in best.where[word.key]
        )
        if inside and (left > right) != (passive != passive_there):
            return 1
    return 0
