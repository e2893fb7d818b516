"""Measure what each step of the support score and each group of its features costs.

    python benchmarks/studies/time_faithfulness.py --data DIR

DIR is laid out as `faithfulness_pool.py` says; 100 answers of each set. Processor time of one core,
passages read anew for every answer, tables of words loaded before. Timing itself costs a little.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faithfulness_pool import Row, read

from bakeoff.metrics import support
from bakeoff.metrics.support import Evidence
from bakeoff.metrics.support.judging import asked_words

STEPS = ("passages read", "claims cut", "alignment; words, names and numbers missing")
GROUPS = {
    "numbers attached elsewhere": ("other_numbers", "_loose"),
    "contradiction": ("negated_words", "opposed_words", "swapped_names", "denied_words"),
    "amount, time and mood": ("_scope",),
    "order and company": ("_inverted", "_apart"),
}
"""Functions of each group; the two groups of what is missing read it off the alignment."""


def timed(title: str, function: Callable[..., Any], spent: Counter[str]) -> Callable[..., Any]:
    """The function, which adds its seconds to `spent`."""

    def call(*given: Any) -> Any:
        start = time.process_time_ns()
        found = function(*given)
        spent[title] += time.process_time_ns() - start
        return found

    return call


@contextmanager
def watched(spent: Counter[str]) -> Iterator[None]:
    """The functions of each group, timed."""
    # The package has a function of the module's name.
    module = importlib.import_module("bakeoff.metrics.support.features")
    before = {name: getattr(module, name) for names in GROUPS.values() for name in names}
    for title, names in GROUPS.items():
        for name in names:
            setattr(module, name, timed(title, before[name], spent))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(module, name, function)


def measure(rows: Sequence[Row]) -> Counter[str]:
    """Nanoseconds of each step and group, and of all."""
    spent: Counter[str] = Counter()
    made = (Evidence.of, support.claims, support.align)
    of, cut, align = (timed(title, do, spent) for title, do in zip(STEPS, made, strict=True))

    def work(row: Row) -> None:
        evidence, asked = of(row.passages), asked_words(row.question)
        for claim in cut(row.answer):
            support.features(align(claim.text, evidence, asked), evidence)

    work(rows[0])
    spent.clear()
    with watched(spent):
        timed("all", lambda: [work(row) for row in rows], spent)()
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    rows = read(options.data, 100)
    spent = measure(rows)
    print("| step or group | ms an answer | share |\n|---|---:|---:|")
    for title in (*STEPS, *GROUPS, "all"):
        value = spent[title]
        print(f"| {title} | {value / len(rows) / 1e6:.2f} | {value / spent['all']:.0%} |")


if __name__ == "__main__":
    main()
