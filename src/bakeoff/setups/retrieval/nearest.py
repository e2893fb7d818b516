"""Vectors near one another, by exact or approximate indexes.

The only module that imports faiss, once vectors are searched: BM25 alone does not need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.spec.recipes import Retrieve

Vectors = npt.NDArray[np.float32]

FLAT = 100_000
"""Passages up to which all vectors are compared: exact, and still 10 ms for a question."""
NEIGHBOURS, SEARCHED = 32, 128
"""Links of a passage in the HNSW graph, and passages looked at while searching it."""
PER_CELL = 39
"""Vectors of an IVF cell at the least, as faiss asks for in training."""
PROBED = 0.125
"""Share of its cells that an IVF index looks into."""


def kind(spec: Retrieve) -> str:
    """What an index of a recipe is, with the version that writes it."""
    import faiss

    version = faiss.__version__.rsplit(".", 1)[0]
    # The kind that `auto` chooses follows from the documents, which are in the manifest.
    name = {"auto": "IndexFlatIP", "flat": "IndexFlatIP"}.get(spec.index, spec.index)
    return f"{name}, faiss {version}"


def read(path: Path) -> Any:
    """The index in a file."""
    import faiss

    return faiss.read_index(str(path))


def write(index: Any, path: Path) -> None:
    """Keep an index in a file."""
    import faiss

    faiss.write_index(index, str(path))


def index_of(vectors: Vectors, spec: Retrieve) -> Any:
    """An index over vectors, shape (n, dimensions), by inner product."""
    import faiss

    n, width = vectors.shape
    kind = spec.index if spec.index != "auto" else "flat" if n <= FLAT else "hnsw"
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(width, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efSearch = SEARCHED
        # Threads add in an order of their own, and the graph would differ from time to time.
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        graph.add(vectors)
        faiss.omp_set_num_threads(threads)
        return graph
    flat = faiss.IndexFlatIP(width)
    if kind == "flat":
        flat.add(vectors)
        return flat
    count = max(1, min(n // PER_CELL, round(4 * n**0.5)))
    cells = faiss.IndexIVFFlat(flat, width, count, faiss.METRIC_INNER_PRODUCT)
    cells.train(vectors)
    cells.add(vectors)
    cells.nprobe = max(1, round(PROBED * count))
    return cells
