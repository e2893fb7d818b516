"""What a model sees of a claim: all of it speaks against support, nothing for it."""

from __future__ import annotations

from bakeoff.metrics.lexical.words import listed
from bakeoff.metrics.support.alignment import Alignment, Part
from bakeoff.metrics.support.conflicts import (
    negated_words,
    opposed_words,
    other_numbers,
    swapped_names,
)
from bakeoff.metrics.support.denials import denied_words
from bakeoff.metrics.support.evidence import Evidence, Line

GROUPS = {
    "words missing": ("missing", "missing_line", "missing_window"),
    "names and numbers missing": ("names_nowhere", "numbers_nowhere"),
    "numbers attached elsewhere": ("other_number", "numbers_loose"),
    "contradiction": ("negated", "opposed", "swapped", "denied"),
    "amount, time and mood": ("scope",),
    "order and company": ("out_of_runs", "inverted", "apart"),
}
"""Features by what they need; every one that a model may use."""
FEATURES = tuple(name for names in GROUPS.values() for name in names)
SCOPE = frozenset(
    listed(
        """
        both all every each only never always none most more less fewer before after until since
        between except another again still already first last no not without also many few some
        several least must will would can could may might should
        """
    )
)
MOST = 3
"""Counts beyond it say no more."""


def features(aligned: Alignment, evidence: Evidence) -> dict[str, float]:
    """Shares in 0..1 and small counts; all 0 where the claim stands word for word in a passage."""
    parts, total = aligned.parts, aligned.total
    if aligned.verbatim:
        return dict.fromkeys(FEATURES, 0.0)
    lines = [evidence.lines[number] for number in aligned.window]
    best = evidence.lines[aligned.line] if aligned.line is not None else None
    numbers = [part for part in parts if part.word.number and part.word.key != "1"]
    names = sum(part.name and not part.stands and not part.word.date for part in parts)
    return {
        "missing": sum([part.weight * (1 - part.held) for part in parts]) / total,
        "missing_line": 1 - aligned.held_by_line / total,
        "missing_window": 1 - aligned.held_by_window / total,
        "names_nowhere": float(min(names, MOST)),
        "numbers_nowhere": float(min(sum(not part.stands for part in numbers), MOST)),
        "other_number": float(bool(other_numbers(aligned, best))),
        "numbers_loose": _loose(numbers, parts, evidence),
        "negated": float(bool(negated_words(aligned, best, evidence))),
        "opposed": float(bool(opposed_words(aligned, lines))),
        "swapped": float(bool(swapped_names(aligned, best))),
        "denied": float(min(len(denied_words(aligned, evidence)), MOST)),
        "scope": _scope(aligned, lines),
        "out_of_runs": 1 - aligned.in_runs / max(len(aligned.words), 1),
        "inverted": _inverted(parts, best),
        "apart": _apart(parts, evidence),
    }


def _scope(aligned: Alignment, lines: list[Line]) -> float:
    """Words of amount, time and mood that the lines which carry the claim do not have."""
    if not lines:
        return 0.0
    there = frozenset[str]().union(*[line.keys for line in lines])
    count = sum(word.key in SCOPE and word.key not in there for word in aligned.words)
    return float(min(count, MOST))


def _loose(numbers: list[Part], parts: tuple[Part, ...], evidence: Evidence) -> float:
    """The worst weighted share of a number's company that none of its lines has."""
    worst = 0.0
    spots = {part.place: spot for spot, part in enumerate(parts)}
    for part in numbers:
        if not part.stands:
            continue
        spot = spots[part.place]
        near = [p for p in parts[max(spot - 3, 0) : spot + 4] if p.stands and p is not part]
        weight = sum([p.weight for p in near])
        if not weight:
            continue
        kept = max(
            sum([p.weight for p in near if not evidence.lines[n].unique.isdisjoint(p.stands)])
            for key in part.stands
            for n in evidence.holders[key]
        )
        worst = max(worst, 1 - kept / weight)
    return worst


def _inverted(parts: tuple[Part, ...], best: Line | None) -> float:
    """Weighted share of near pairs of the claim that its best line has in the other order."""
    if best is None:
        return 0.0
    first: dict[str, int] = {}
    for place, key in enumerate(best.content):
        first.setdefault(key, place)
    row = [(first[p.word.key], p.weight) for p in parts if p.word.key in first]
    weight = turned = 0.0
    for n, (one, a) in enumerate(row):
        for other, b in row[n + 1 : n + 4]:
            if one != other:
                weight += a * b
                turned += a * b * (one > other)
    return turned / weight if weight else 0.0


def _apart(parts: tuple[Part, ...], evidence: Evidence) -> float:
    """Weighted share of near pairs, both in the passages, that no line has together."""
    known = [part for part in parts if part.stands]
    held = [{n for key in part.stands for n in evidence.holders[key]} for part in known]
    weight = loose = 0.0
    for n, part in enumerate(known):
        for m in range(n + 1, min(n + 4, len(known))):
            other = known[m]
            if part.word.key == other.word.key:
                continue
            value = part.weight * other.weight
            weight += value
            if held[n].isdisjoint(held[m]):
                loose += value
    return loose / weight if weight else 0.0
