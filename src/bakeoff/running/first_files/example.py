"""A tiny example to edit: a bicycle workshop, its terms, and questions on them."""

from __future__ import annotations

import json
from collections.abc import Mapping

_DOCUMENTS: Mapping[str, str] = {
    "repairs.md": """# Repairs
A repair is ready within 4 working days. Until noon, a flat tyre is mended on the same day.
An estimate is free; it is valid for 14 days.
""",
    "rental.md": """# Rental
A city bicycle costs 15 euros a day, a cargo bicycle 32 euros. The deposit is 80 euros in cash.
Bicycles come back by 18.30; later, half a day is charged.
""",
    "storage.md": """# Winter storage
From November to March a bicycle is stored for 9 euros a month, its battery at 12 degrees.
What is not fetched by 30 April is moved to the yard.
""",
}
_Row = tuple[str, list[str], list[str]]
_TEST: tuple[_Row, ...] = (
    ("Within how many working days is a repair ready?", ["4"], ["repairs"]),
    ("How long is an estimate valid?", ["14 days"], ["repairs"]),
    ("What does a cargo bicycle cost a day?", ["32 euros"], ["rental"]),
    ("By what time must a rented bicycle be back?", ["18.30"], ["rental"]),
    ("At what temperature is a battery stored in winter?", ["12 degrees"], ["storage"]),
    ("Where is a bicycle moved that nobody fetches by the end of April?", ["yard"], ["storage"]),
    ("Who founded the workshop?", [], []),
    ("Does the workshop repair scooters?", [], []),
)
_TRAIN: tuple[_Row, ...] = (
    ("How much is the deposit on a rental?", ["80 euros"], ["rental"]),
    ("What is the daily price of a city bicycle?", ["15 euros"], ["rental"]),
    ("Until when is a flat tyre mended the same day?", ["noon"], ["repairs"]),
    ("Tell me the monthly price of winter storage.", ["9 euros"], ["storage"]),
    ("In which months are bicycles taken into storage?", ["November to March"], ["storage"]),
    ("Is there a discount for students?", [], []),
)


def example_files(name: str) -> dict[str, str]:
    """Path -> text of the example's documents and rows, in the folder of a task `name`."""
    folder = f"tasks/{name}"
    documents = {f"{folder}/documents/{file}": text for file, text in _DOCUMENTS.items()}
    rows = {f"{folder}/{split}.jsonl": _lines(split, rows) for split, rows in _SPLITS.items()}
    return {**documents, **rows}


_SPLITS = {"test": _TEST, "train": _TRAIN}


def _lines(split: str, rows: tuple[_Row, ...]) -> str:
    return "".join(
        json.dumps({"id": f"{split}-{number}", "question": q, "targets": t, "gold": g}) + "\n"
        for number, (q, t, g) in enumerate(rows, 1)
    )
