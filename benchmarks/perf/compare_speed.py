"""How long a comparison takes: samples x 4 setups x 10 metrics, from columns to JSON.

    python benchmarks/perf/compare_speed.py [--samples 1000 100000]

Half of the metrics are 0/1, half are continuous; a fifth of the samples share a cluster.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from figures import Table

from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.compare import compare
from bakeoff.core.words import Sample

KINDS = {"base": "base", "fine-tuned": "fine-tuned", "rag": "rag", "hybrid": "hybrid"}


def columns_of(
    n: int, clustered: bool
) -> tuple[dict[tuple[str, str, str], Column], dict[str, Sample]]:
    random = np.random.default_rng(n)
    names = tuple(f"q{i}" for i in range(n))
    clusters = tuple(f"d{i // 5}" for i in range(n)) if clustered else names
    members = {
        name: Sample(name, {"question": "?"}, cluster=cluster, tags={"kind": f"k{i % 8}"})
        for i, (name, cluster) in enumerate(zip(names, clusters, strict=True))
    }
    columns = {}
    for metric in range(10):
        for setup in KINDS:
            values = random.random(n)
            if metric % 2 == 0:
                values = (values < 0.6).astype(float)
            columns["qa", setup, f"m{metric}"] = Column(names, clusters, values, None, Measure())
    return columns, members


def table(samples: Sequence[int] = (1000, 100_000)) -> Table:
    """Seconds of each size, without clusters and with."""
    made: list[list[object]] = []
    for n in samples:
        for clustered in (False, True):
            columns, members = columns_of(n, clustered)
            started = time.perf_counter()
            compare(columns, {"qa": members}, KINDS, {"qa": "m0"})
            word = "of five" if clustered else "none"
            made.append([n, word, time.perf_counter() - started])
    return Table.of(("samples", "clusters", "seconds"), made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 100_000])
    print(table(parser.parse_args().samples).markdown())


if __name__ == "__main__":
    main()
