"""How long scoring takes: 10,000 stored answers through every scorer that reads text alone.

    OMP_NUM_THREADS=1 python benchmarks/perf/score_speed.py [--answers 10000] [--profile]

Questions of a made-up handbook of 400 documents, answers of 5 to 60 words, 1 to 3 targets, three
passages of 120 words, 400 different contexts in no order. On one core. Each scorer by itself, and
all together, answer by answer, as `bakeoff score` does it.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import os
import pstats
import random
import time
from collections.abc import Sequence
from functools import _lru_cache_wrapper
from pathlib import Path

from figures import Table

from bakeoff.core.words import Answer, Passage, Sample, Step
from bakeoff.metrics.lexical.words import listed
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.scorer import Context, Scorer
from bakeoff.spec.metric import Metric

METRICS = (
    *("exact_match", "token_f1", "contains", "right_refusal", "wrong_refusal"),
    *("crag", "selective_accuracy"),
    *("rouge_l", "rouge_l(stem=True)", "bleu", "chrf", "numeric(tolerance=0.01)"),
    *("retrieval_recall(k=3)", "retrieval_precision(k=3)", "retrieval_hit(k=3)"),
    *("retrieval_mrr", "retrieval_ndcg(k=3)", "answer_in_context"),
    *(r"regex_match(pattern='\\d+ days')", "length_in_range(most=50)", "reading_level"),
    *("contains_all(terms=('handbook', 'notice'))", "avoids_terms(terms=('sorry', 'as an AI'))"),
    *("faithfulness", "support_gold"),
)
CONTEXTS, WORDS = 400, 120
LONG = 40e-6
"""Seconds of an answer from which on a scorer has a row of its own."""
NOUNS = listed("""barrow gate depot invoice locker parcel pallet permit shift van ledger workshop
store canteen badge bicycle boiler contract customer deposit driver engine fence form garden helmet
key ladder manager meeting notice office order ramp refund roof rota scale shelf stamp supplier tank
ticket tool tractor trolley uniform visitor voucher yard""")
VERBS = listed("""opens closes weighs carries needs costs keeps leaves reaches signs stores follows
checks repairs replaces returns sends takes uses covers""")
OTHERS = listed("""large small old new eastern western heavy blue spare daily weekly annual signed
late early approved broken clean damaged empty full""")
LINKS = listed("the a of in on for with by at from and under after before until")


def sentence(draw: random.Random, words: int) -> str:
    """So many words with the look of a rule in a handbook."""
    kinds = (LINKS, NOUNS, VERBS, LINKS, OTHERS, NOUNS)
    said = [draw.choice(kinds[place % len(kinds)]) for place in range(words)]
    if words > 4:
        said[draw.randrange(2, words)] = f"{draw.randrange(2, 400)}"
        said[draw.randrange(2, words)] = f"{draw.choice(NOUNS).title()}-{draw.randrange(9)}"
    return " ".join(said).capitalize() + "."


def prose(draw: random.Random, words: int) -> str:
    """Sentences of 8 to 16 words, so many in all."""
    parts, left = [], words
    while left:
        size = left if left < 12 else min(left, draw.randint(8, 16))
        parts.append(sentence(draw, size))
        left -= size
    return " ".join(parts)


def cells(count: int) -> tuple[list[tuple[Sample, Answer]], Context]:
    """So many answered samples, and what scorers may know of them."""
    draw = random.Random(7)
    documents = {f"d{n}": prose(draw, 3 * WORDS) for n in range(CONTEXTS)}
    chunks = [Passage(name, 0, 0, prose(draw, WORDS)) for name in documents for _ in range(3)]
    contexts = [draw.sample(chunks, 3) for _ in range(CONTEXTS)]
    made = []
    for n in range(count):
        passages = draw.choice(contexts)
        source = draw.choice(passages)
        words = source.text.split()
        start = draw.randrange(len(words) - 15)
        targets = [" ".join(words[start : start + draw.randint(2, 14)])]
        targets += [prose(draw, draw.randint(2, 12)) for _ in range(draw.randrange(3))]
        unknown = n % 10 == 0
        text = prose(draw, draw.randint(5, 45)) + " " + targets[0] * (n % 2)
        if n % 12 == 0:
            text = "I don't know that."
        sample = Sample(
            f"q{n}",
            {"question": sentence(draw, 9)},
            () if unknown else tuple(targets),
            () if unknown else (source.document,),
        )
        made.append((sample, Answer(text, tuple(passages), (Step("retrieve"), Step("decode")))))
    return made, Context(refusals=("don't know", "cannot know"), documents=documents)


def seconds(
    made: Sequence[tuple[Sample, Answer]], context: Context, chosen: Sequence[tuple[Metric, Scorer]]
) -> tuple[float, float]:
    """What scoring took, answer by answer, of the processor and by the clock."""
    forget()
    processor, clock = time.process_time(), time.perf_counter()
    for sample, answer in made:
        for metric, scorer in chosen:
            scorer.score(sample, answer, context, metric)
    return time.process_time() - processor, time.perf_counter() - clock


def forget() -> None:
    """Empty what scorers remember of texts, as a new process has it."""
    for each in gc.get_objects():
        if isinstance(each, _lru_cache_wrapper) and each.__module__.startswith("bakeoff."):
            each.cache_clear()


def alone() -> None:
    """Keep this process on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def table(answers: int = 5000) -> Table:
    """Seconds of each scorer that takes a while, and of all together."""
    alone()
    made, context = cells(answers)
    chosen = [(m, find_scorer(m, Path())) for m in map(Metric.parse, METRICS)]
    found = {f"`{each[0]}`": seconds(made, context, [each])[0] for each in chosen}
    slow = {name: took for name, took in found.items() if took >= LONG * answers}
    rest = max(took for name, took in found.items() if name not in slow)
    rows = [[name, took, 1e6 * took / answers] for name, took in slow.items()]
    rows.append(
        [f"each of the other {len(found) - len(slow)}, at most", rest, 1e6 * rest / answers]
    )
    together = seconds(made, context, chosen)[0]
    rows.append(["all together, answer by answer", together, 1e6 * together / answers])
    return Table.of(("scorer", f"seconds for {answers:,}", "µs an answer"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="Show where the time went.")
    options = parser.parse_args()
    if not options.profile:
        print(table(options.answers).markdown())
        return
    alone()
    made, context = cells(options.answers)
    with cProfile.Profile() as profile:
        seconds(made, context, [(m, find_scorer(m, Path())) for m in map(Metric.parse, METRICS)])
    pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
