"""Public data sets in bakeoff's row form, from the hub's columns or from the published files."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

Row = dict[str, Any]


def banking77(rows: Iterable[Row]) -> Iterator[Row]:
    """`text` and its label, called `category` in the files and `label_text` on the hub."""
    for number, row in enumerate(rows, 1):
        label = row.get("category") or row["label_text"]
        yield {"id": str(number), "question": row["text"].strip(), "targets": [label]}


def clapnq_test(rows: Iterable[Row]) -> Iterator[Row]:
    """The questions that are asked: two of three, by a hash of the id."""
    return (_clapnq(row) for row in rows if not _held_for_training(row["id"]))


def clapnq_train(rows: Iterable[Row]) -> Iterator[Row]:
    """The questions that may be trained on: the third."""
    return (_clapnq(row) for row in rows if _held_for_training(row["id"]))


def _held_for_training(identity: str) -> bool:
    return int(hashlib.sha256(identity.encode()).hexdigest(), 16) % 3 == 0


def _clapnq(row: Row) -> Row:
    passage = row["passages"][0]
    name = f"{passage['title']} ({row['id']})"
    answers = [o["answer"] for o in row["output"] if o["answer"].strip()]
    answerable = bool(answers)
    return {
        "id": row["id"],
        "question": row["input"],
        "targets": answers,
        "gold": [name] if answerable else [],
        "tags": {"answerable": "yes" if answerable else "no"},
        "documents": {name: f"# {passage['title']}\n{passage['text']}"},
    }


def snips(files: Iterable[Row]) -> Iterator[Row]:
    """Utterances of the published files: pieces of text, some of which fill a slot."""
    for file in files:
        for intent, utterances in json.loads(file["text"]).items():
            for number, utterance in enumerate(utterances, 1):
                slots: dict[str, str] = {}
                for piece in utterance["data"]:
                    if "entity" in piece:
                        told = slots.get(piece["entity"])
                        value = piece["text"].strip()
                        slots[piece["entity"]] = f"{told}; {value}" if told else value
                text = "".join(piece["text"] for piece in utterance["data"]).strip()
                yield {
                    "id": f"{intent}-{number}",
                    "question": text,
                    "targets": [json.dumps({"intent": intent, "slots": slots})],
                    "tags": {"intent": intent},
                }
