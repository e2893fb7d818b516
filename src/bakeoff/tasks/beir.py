"""Questions of a BEIR folder: `queries.jsonl`, and `qrels/SPLIT.tsv` with their gold documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError
from bakeoff.spec.metric import Metric
from bakeoff.tasks.readers import Reading, reader_of

NEED_NO_ANSWER = (
    *("retrieval_recall", "retrieval_precision", "retrieval_hit", "retrieval_mrr"),
    *("retrieval_ndcg", "faithfulness"),
)
"""Metrics that compare with no target."""


def beir_rows(folder: Path, split: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """The judged queries of a split, gold documents as judged relevant (a score above 0).

    The text is `question`; other columns, such as `metadata`, stay. Raises `BakeoffError` for a
    folder that is none of BEIR's, and saying which splits there are.
    """
    if not (folder / "queries.jsonl").is_file():
        raise BakeoffError(
            f"{folder}: no BEIR folder: there is no queries.jsonl in it; it holds that, "
            "corpus.jsonl and qrels/SPLIT.tsv"
        )
    gold = _judged(folder / "qrels", split, reading)
    for row in reader_of(folder / "queries.jsonl").rows(folder / "queries.jsonl", reading):
        name = str(row.get("_id", row.get("id")))
        if documents := gold.pop(name, None):
            rest = {key: value for key, value in row.items() if key not in ("_id", "text")}
            yield {**rest, "id": name, "question": row.get("text"), "gold": documents}
    if gold:
        reading.remark(f"{len(gold)} judged queries do not stand in {folder.name}/queries.jsonl")


def _judged(folder: Path, split: str, reading: Reading) -> dict[str, list[str]]:
    """Query -> the documents that are relevant to it, the most relevant first."""
    splits = {file.stem: file for file in sorted(folder.glob("*.tsv"))}
    if not split and len(splits) == 1:
        split = next(iter(splits))
    if split not in splits:
        there = ", ".join(splits) or "none"
        stated = f"no split '{split}'" if split else "split: must be given"
        raise BakeoffError(f"{folder}: {stated}; there are {there}")
    file = splits[split]
    gold: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, row in enumerate(reader_of(file).rows(file, reading), 1):
        try:
            query, document, score = row["query-id"], row["corpus-id"], int(row["score"])
        except (KeyError, TypeError, ValueError) as error:
            place = f"{file}: row {number}"
            raise BakeoffError(
                f"{place}: columns are query-id, corpus-id and score (a whole number), found {row}"
            ) from error
        if score > 0:
            gold[query].append((-score, document))
    return {query: [name for _, name in sorted(judged)] for query, judged in gold.items()}


def unfit(metrics: Sequence[Metric]) -> Iterator[str]:
    """Metrics that compare with answers, which queries of BEIR do not have."""
    for metric in metrics:
        if metric.name not in NEED_NO_ANSWER:
            yield (
                f"scorers: {metric}: queries of BEIR have no answers to compare with; use "
                f"{', '.join(NEED_NO_ANSWER)}, or map them: columns: {{targets: metadata.answer}}"
            )
