"""Files of answers with human labels.

    {"answer": ..., "passages": [...], "label": 1, "question": ..., "targets": [...],
     "source": ..., "generator": ..., "raters": [1, 0.5, 1]}

A row a line; `label` is 1 where people found the answer good. `raters` are what single people said,
from 0 to 1; without a label, the answer is good where their mean is above a half. Rows of one
`source` (a document, an article) are not independent; `generator` is what wrote the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

from bakeoff.core.words import Answer, BakeoffError, Passage, Sample, Step, faults
from bakeoff.spec.yaml_files import explained


class _Row(BaseModel):
    """A line of a file of labels; what it has besides is left alone."""

    # Ids and targets may be numbers in somebody's file.
    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    answer: StrictStr
    passages: tuple[StrictStr, ...]
    label: bool | None = None
    raters: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    id: str = ""
    """Empty: the number of the line."""
    question: str = ""
    targets: tuple[str, ...] = ()
    source: str = ""
    """Empty: the row is a source of its own."""
    generator: str = ""

    @field_validator("label", mode="before")
    @classmethod
    def _is_a_label(cls, value: Any) -> Any:
        if value not in (0, 1):
            raise ValueError("write 1 for a good answer, 0 for a bad one")
        return value

    @model_validator(mode="after")
    def _has_a_label(self) -> Self:
        if self.label is None and not self.raters:
            raise ValueError("label: must be given where there are no raters")
        return self


@dataclass(frozen=True)
class Labelled:
    """An answer with human labels."""

    sample: Sample
    answer: Answer
    good: bool
    source: str
    generator: str
    raters: tuple[float, ...] = ()

    @property
    def grade(self) -> float:
        """The human label, from 0 to 1."""
        return float(np.mean(self.raters)) if self.raters else float(self.good)


def read_labels(path: Path) -> list[Labelled]:
    """The labelled answers of a JSON Lines file. Raises `BakeoffError` listing what is wrong."""
    try:
        # As bytes: text files also end lines at signs that an answer may hold.
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be read: {error}") from error
    problems: list[str] = []
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(_labelled(_Row.model_validate_json(line), str(number)))
            except ValidationError as error:
                problems += [f"{path}: line {number}: {fault}" for fault in explained(error)]
    faults(problems)
    kinds = {row.good for row in rows}
    if len(kinds) < 2:
        raise BakeoffError(f"{path}: labels must be of both kinds, 1 and 0")
    return rows


def _labelled(row: _Row, number: str) -> Labelled:
    name = row.id or number
    documents = {f"{name}.{place}": text for place, text in enumerate(row.passages)}
    sample = Sample(
        name, {"question": row.question, **documents}, row.targets, gold=tuple(documents)
    )
    shown = tuple(Passage(d, 0, len(text), text) for d, text in documents.items())
    return Labelled(
        sample,
        Answer(row.answer, shown, (Step("retrieve"), Step("decode"))),
        float(np.mean(row.raters)) > 0.5 if row.label is None else row.label,
        row.source or name,
        row.generator,
        row.raters,
    )
