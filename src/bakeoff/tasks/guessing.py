"""What the columns of a file may mean, guessed from their names and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

NAMES: Mapping[str, tuple[str, ...]] = {
    "question": (
        *("question", "questions", "query", "prompt", "input", "instruction", "user", "text", "q"),
        *("frage", "fragen", "pregunta", "domanda", "vraag", "pergunta", "utterance", "problem"),
    ),
    "targets": (
        *(
            "targets",
            "target",
            "answers",
            "answer",
            "expected",
            "reference",
            "ground_truth",
            "ideal",
        ),
        *(
            "output",
            "completion",
            "response",
            "label",
            "category",
            "solution",
            "a",
            "expected_output",
        ),
        *(
            "antwort",
            "antworten",
            "respuesta",
            "réponse",
            "reponse",
            "risposta",
            "resposta",
            "antwoord",
        ),
    ),
    "gold": ("gold", "gold_document", "gold_documents", "evidence"),
    "id": ("id", "_id", "qid", "question_id", "uid", "uuid", "key", "nr", "no", "number", "idx"),
}
"""Field of a task's rows -> names of columns that may hold it, the likeliest first."""
_DIGITS = re.compile(r"\d+")
MOST = 2 / 3
"""The share of a column's values that name documents from which on it is the gold column."""


@dataclass(frozen=True)
class Guess:
    """A column that may hold a field of a task's rows."""

    field: str
    column: str
    reason: str


def guesses(
    columns: Mapping[str, Sequence[Any]], documents: Collection[str] = ()
) -> tuple[Guess, ...]:
    """At most one column for each field; `columns` are names with (some of) their values.

    By their names, else by their values: texts that end in a question mark, running numbers. Of
    `documents`, ids or file names, gold is the column whose values name most, at least `MOST`.
    """
    taken: dict[str, Guess] = {}

    def take(field: str, *, named: bool) -> None:
        used = {guess.column for guess in taken.values()}
        left = {name: values for name, values in columns.items() if name not in used}
        if field in taken:
            return
        guess = _by_name(field, left) if named else next(_BY_VALUE[field](left, documents), None)
        if guess:
            taken[field] = guess

    take("question", named=True)
    take("question", named=False)
    # Names of documents could be taken for ids or answers, answers that are numbers for ids.
    take("gold", named=not documents)
    for named in (True, False):
        take("id", named=named)
        take("targets", named=named)
    return tuple(taken.values())


def _by_name(field: str, columns: Mapping[str, Sequence[Any]]) -> Guess | None:
    plain = {_plain(name): name for name in reversed(list(columns))}
    for known in NAMES[field]:
        if known in plain:
            return Guess(field, plain[known], f"its name is '{plain[known]}'")
    for known in NAMES[field]:
        for name in columns:
            if len(known) > 2 and known in _plain(name).split("_"):
                return Guess(field, name, f"its name holds '{known}'")
    return None


def _plain(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name.casefold()).split()) or name


def _questions(columns: Mapping[str, Sequence[Any]], _: Collection[str]) -> Iterator[Guess]:
    for name, values in columns.items():
        texts = [v.strip() for v in values if isinstance(v, str) and v.strip()]
        if texts and sum(text.endswith(("?", "？")) for text in texts) > len(texts) / 2:
            yield Guess("question", name, "most of its texts end in a question mark")


def _gold(columns: Mapping[str, Sequence[Any]], documents: Collection[str]) -> Iterator[Guess]:
    likely: list[tuple[float, Guess]] = []
    for name, values in columns.items():
        texts = [text for value in values for text in names_in(value, documents)]
        count = sum(known(text, documents) for text in texts)
        reason = "its values are names of documents"
        if count < len(texts):
            reason = f"{count} of {len(texts)} values are names of documents"
            # Answers may be the names of some documents.
            if any(_by_name(field, {name: values}) for field in ("targets", "id")):
                continue
        if texts and count >= MOST * len(texts):
            likely.append((count / len(texts), Guess("gold", name, reason)))
    # A typo in a few of them is told by whoever reads the task, as of a column that was named.
    yield from (guess for _, guess in sorted(likely, key=lambda part: -part[0]))


def names_in(value: Any, documents: Collection[str]) -> list[str]:
    """The names of documents that a cell holds: one, a list, or several between `;` or `|`."""
    names: list[str] = []
    for text in _texts(value):
        parts = [part.strip() for part in re.split(r"[;|\n]", text) if part.strip()]
        several = text not in documents and all(known(part, documents) for part in parts)
        names += parts if several else [text.strip()]
    return names


def known(name: str, documents: Collection[str]) -> bool:
    """Whether it is the name of a document, or a path that ends in one."""
    return name in documents or PurePosixPath(name).name in documents


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text.strip()]


def _targets(columns: Mapping[str, Sequence[Any]], _: Collection[str]) -> Iterator[Guess]:
    left = [name for name, values in columns.items() if any(_texts(value) for value in values)]
    if len(left) == 1:
        yield Guess("targets", left[0], "it is the only other column of texts")


def _ids(columns: Mapping[str, Sequence[Any]], _: Collection[str]) -> Iterator[Guess]:
    for name, values in columns.items():
        if not all(isinstance(value, str | int | float) for value in values):
            continue
        texts = [str(value) for value in values]
        forms = {_DIGITS.sub("0", text) for text in texts}
        if len(forms) == 1 and "0" in next(iter(forms)) and len(set(texts)) == len(texts) > 1:
            yield Guess("id", name, "its values are running numbers")


_BY_VALUE: Mapping[
    str, Callable[[Mapping[str, Sequence[Any]], Collection[str]], Iterator[Guess]]
] = {"question": _questions, "gold": _gold, "id": _ids, "targets": _targets}
