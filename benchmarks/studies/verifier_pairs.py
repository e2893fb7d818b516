"""What a verifier learns from: claims beside their lines, as they are and made wrong by a rule."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from faithfulness_pool import Row

from bakeoff.metrics import support
from bakeoff.metrics.support import Evidence
from bakeoff.metrics.support.evidence import LONGEST_LINE
from bakeoff.metrics.support.judging import asked_words
from bakeoff.metrics.support.reading import read as read_line
from bakeoff.metrics.support.records import told
from bakeoff.metrics.support.sentences import sentence_spans

MOST = 400
"""Pairs of one set with one label that are learnt from."""
SHORTEST, LONGEST = 20, 300
"""Characters of a sentence of a passage that is learnt from."""
NO_CLAIM_KINDS = frozenset({"misleading", "incoherent", "repetitive", "other", "context"})
"""Kinds of spans that do not say that the passages lack the words."""


@dataclass(frozen=True)
class Pair:
    """A claim beside the lines that carry most of it."""

    row: int
    claim: str
    window: str
    supported: bool | None
    """`None`: scored, never learnt from."""
    wrong: tuple[tuple[int, int], ...] | None
    """Characters of the claim that have no support; `None`: not known."""


def line_texts(passages: Sequence[str]) -> list[str]:
    """The texts of `Evidence.lines`, in their order."""
    texts = []
    for passage in sorted(passages):
        record = told(passage)
        for start, end in sentence_spans(record.text):
            words = read_line(record.text[start:end])[0]
            for cut in range(0, len(words), LONGEST_LINE):
                part = " ".join(word.text for word in words[cut : cut + LONGEST_LINE])
                texts.append(record.text[start:end] if len(words) <= LONGEST_LINE else part)
    return texts


def pairs_of(rows: Sequence[Row], spans: Sequence[Sequence]) -> list[Pair]:
    """A pair for each claim of each row, labelled where people's labels say it."""
    pairs = []
    last: tuple[tuple[str, ...], Evidence, list[str]] | None = None
    for place, row in enumerate(rows):
        if last is None or last[0] != row.passages:
            last = row.passages, Evidence.of(row.passages), line_texts(row.passages)
        evidence, texts = last[1], last[2]
        assert len(texts) == len(evidence.lines)
        found, weakness = [], []
        for claim in support.claims(row.answer):
            aligned = support.align(claim.text, evidence, asked_words(row.question))
            lines = sorted({*aligned.window, *({aligned.line} - {None})})
            label = _label(row, spans[place], claim.start, claim.end)
            found.append(Pair(place, claim.text, " ".join(texts[n] for n in lines), *label))
            weakness.append(1 - aligned.held_by_window / aligned.total)
        if found and not row.faithful and not spans[place]:
            # Who says that an answer is wrong does not say where: the weakest claim has it.
            worst = int(np.argmax(weakness))
            found[worst] = replace(found[worst], supported=False)
        pairs += found
    return pairs


def _label(row: Row, spans: Sequence, start: int, end: int) -> tuple[bool | None, tuple | None]:
    if row.faithful:
        return True, ()
    if not spans:
        return None, None
    inside = [(max(a, start) - start, min(b, end) - start, kind) for a, b, kind in spans]
    inside = [span for span in inside if span[0] < span[1]]
    if any(kind in NO_CLAIM_KINDS for *_, kind in inside):
        return None, None
    return not inside, tuple((a, b) for a, b, _ in inside)


NUMBER = re.compile(r"\b\d[\d.,:]*\d\b|\b\d\b")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")
WORD = re.compile(r"\b[a-z]{5,}\b")
VERB = re.compile(r"\b(?:is|was|are|were|can|will|would|could|should|did|does|has|had)\b(?! not)")
DENIED = re.compile(r"\b(?:not|never|no longer) ")
OPPOSITES = """
increased decreased|increase decrease|more less|most least|first last|before after|north south
east west|high low|higher lower|large small|larger smaller|old new|older younger|won lost|win lose
open closed|early late|earlier later|all some|always sometimes|never often|many few|male female
his her|father mother|son daughter|best worst|long short|inside outside|above below|over under
up down|true false|same different|begin end|began ended|rise fall|rose fell|hot cold|left right
both neither|only also|with without|accepted rejected|allowed forbidden|bought sold|arrived departed
positive negative|major minor|public private|rich poor|strong weak|success failure|hours minutes
days weeks|months years|monday thursday|million billion|warm cool|wet dry|former current
"""
OPPOSITE = {
    a: b
    for pair in OPPOSITES.replace("\n", "|").split("|")
    if pair
    for a, b in (pair.split(), pair.split()[::-1])
}


def made_wrong(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    """A claim with one thing in it changed by a rule, and where; `None` where no rule applies."""
    rules = [_number, _name, _negation, _opposite, _swapped, _word]
    for rule in chance.sample(rules, len(rules)):
        made = rule(claim, window, chance)
        if made and made[0] != claim:
            return made
    return None


def _put(claim: str, match: re.Match, other: str) -> tuple[str, tuple]:
    text = claim[: match.start()] + other + claim[match.end() :]
    return text, ((match.start(), match.start() + len(other)),)


def _number(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    here = list(NUMBER.finditer(claim))
    if not here:
        return None
    match = chance.choice(here)
    own = {m[0] for m in here}
    others = sorted({m[0] for m in NUMBER.finditer(window)} - own)
    if others and chance.random() < 0.6:
        return _put(claim, match, chance.choice(others))
    digits = [place for place, sign in enumerate(match[0]) if sign.isdigit()]
    place = chance.choice(digits)
    other = str((int(match[0][place]) + chance.randint(1, 8)) % 10)
    return _put(claim, match, match[0][:place] + other + match[0][place + 1 :])


def _name(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    here = list(NAME.finditer(claim))
    others = sorted({m[0] for m in NAME.finditer(window)} - {m[0] for m in here})
    return _put(claim, chance.choice(here), chance.choice(others)) if here and others else None


def _negation(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    if gone := DENIED.search(claim):
        text = claim[: gone.start()] + claim[gone.end() :]
        end = text.find(" ", gone.start())
        return text, ((gone.start(), end if end > 0 else len(text)),)
    here = list(VERB.finditer(claim))
    if not here:
        return None
    match = chance.choice(here)
    return _put(claim, match, f"{match[0]} not")


def _opposite(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    here = [m for m in re.finditer(r"\b[a-z]+\b", claim) if m[0] in OPPOSITE]
    if not here:
        return None
    match = chance.choice(here)
    return _put(claim, match, OPPOSITE[match[0]])


def _swapped(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    here = list(NAME.finditer(claim)) or list(NUMBER.finditer(claim))
    if len({m[0] for m in here}) < 2:
        return None
    one, other = here[0], next(m for m in here[1:] if m[0] != here[0][0])
    text = claim[: one.start()] + other[0] + claim[one.end() : other.start()] + one[0]
    first = (one.start(), one.start() + len(other[0]))
    return text + claim[other.end() :], (first, (len(text) - len(one[0]), len(text)))


def _word(claim: str, window: str, chance: random.Random) -> tuple[str, tuple] | None:
    here = list(WORD.finditer(claim))
    others = sorted({m[0] for m in WORD.finditer(window)} - {m[0] for m in here})
    return _put(claim, chance.choice(here), chance.choice(others)) if here and others else None


@dataclass(frozen=True)
class Lesson:
    """What a verifier learns from."""

    judged: list[int]
    """Places of pairs that people judged."""
    made: list[Pair]
    """Supported claims made wrong by a rule."""


def learnt_from(
    pairs: Sequence[Pair], data: Sequence[str], sets: set[str], chance: random.Random
) -> Lesson:
    """All judged pairs of some sets, each label of a set up to so often, and a third made wrong."""
    groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for place, pair in enumerate(pairs):
        if pair.supported is not None and pair.window and data[pair.row] in sets:
            groups[data[pair.row], pair.supported].append(place)
    judged = []
    for _, group in sorted(groups.items()):
        judged += chance.sample(group, min(MOST, len(group)))
    good = [pairs[place] for place in judged if pairs[place].supported]
    made = []
    for pair in chance.sample(good, len(good) // 2):
        if wrong := made_wrong(pair.claim, pair.window, chance):
            made.append(Pair(pair.row, wrong[0], pair.window, False, wrong[1]))
    return Lesson(judged, made)


def from_passages(
    rows: Sequence[Row], sets: set[str], number: int, chance: random.Random
) -> list[Pair]:
    """Sentences of the passages of some sets beside their own lines, every second made wrong.

    No label is read. Each is supported word for word, so what is learnt is to compare."""
    known = sorted({passage for row in rows if row.data in sets for passage in row.passages})
    pairs: list[Pair] = []
    while known and len(pairs) < number:
        lines = line_texts([chance.choice(known)])
        place = chance.randrange(len(lines))
        first = max(0, place - chance.randrange(3))
        window = " ".join(lines[first : place + 1 + chance.randrange(3)])
        claim = lines[place].strip()
        if not SHORTEST <= len(claim) <= LONGEST:
            continue
        made = made_wrong(claim, window, chance) if len(pairs) % 2 else None
        text, wrong = made or (claim, ())
        pairs.append(Pair(-1, text, window, not made, wrong))
    return pairs
