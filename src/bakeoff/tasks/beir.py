"""Questions of a BEIR folder: `queries.jsonl`, and `qrels/SPLIT.tsv` with their gold documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from bakeoff.core.words import BakeoffError
from bakeoff.spec.metric import Metric
from bakeoff.tasks.readers import Reading, reader_of

NEED_NO_ANSWER = (
    *("retrieval_recall", "retrieval_precision", "retrieval_hit", "retrieval_mrr"),
    *("retrieval_ndcg", "faithfulness"),
)
"""Metrics that compare with no target."""


class _Query(BaseModel):
    """A line of `queries.jsonl`."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    id: Any = Field(default=None, validation_alias=AliasChoices("_id", "id"))
    text: Any = None


class _Judgement(BaseModel):
    """A line of `qrels/SPLIT.tsv`."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    query: str = Field(alias="query-id")
    document: str = Field(alias="corpus-id")
    score: int


def beir_rows(folder: Path, split: str, reading: Reading) -> Iterator[dict[str, object]]:
    """The judged queries of a split, gold documents as judged relevant (a score above 0).

    The text is `question`; other columns, such as `metadata`, stay. Raises `BakeoffError` for a
    folder that is none of BEIR's, and saying which splits there are.
    """
    if not (folder / "queries.jsonl").is_file():
        raise BakeoffError(
            f"{folder}: not a BEIR folder: queries.jsonl is missing; such a folder has "
            "queries.jsonl, corpus.jsonl and qrels/SPLIT.tsv"
        )
    gold = _judged(folder / "qrels", split, reading)
    for row in reader_of(folder / "queries.jsonl").rows(folder / "queries.jsonl", reading):
        query = _Query.model_validate(row)
        name = str(query.id)
        if documents := gold.pop(name, None):
            others = query.model_extra or {}
            yield {**others, "id": name, "question": query.text, "gold": documents}
    if gold:
        reading.remark(f"{len(gold)} judged queries are not in {folder.name}/queries.jsonl")


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
            judged = _Judgement.model_validate(row)
        except ValidationError as error:
            place = f"{file}: row {number}"
            raise BakeoffError(
                f"{place}: columns are query-id, corpus-id and score (a whole number), found {row}"
            ) from error
        if judged.score > 0:
            gold[judged.query].append((-judged.score, judged.document))
    return {query: [name for _, name in sorted(found)] for query, found in gold.items()}


def unfit(metrics: Sequence[Metric]) -> Iterator[str]:
    """Metrics that compare with answers, which queries of BEIR do not have."""
    for metric in metrics:
        if metric.name not in NEED_NO_ANSWER:
            yield (
                f"scorers: {metric}: queries of BEIR have no answers to compare with; use "
                f"{', '.join(NEED_NO_ANSWER)}, or map them: columns: {{targets: metadata.answer}}"
            )
