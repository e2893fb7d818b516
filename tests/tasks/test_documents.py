"""Documents of a task: their ids, odd files, and the messages about ids that do not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import BakeoffError, faults
from bakeoff.tasks.load import load_task


def library(folder: Path, files: Mapping[str, str], gold: str = "", **corpus: Any) -> Path:
    """A task of one question about these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    row = {"question": "Where is the lens?", "targets": ["shelf"], "gold": [gold] if gold else []}
    (folder / "rows.jsonl").write_text(json.dumps(row))
    task = {
        "description": "a library",
        "rows": {"test": "rows.jsonl"},
        "corpora": {"books": corpus or {"documents": "books/**/*.*"}},
        "scorers": ["contains"],
    }
    (folder / "library.yaml").write_text(json.dumps(task))
    return folder / "library.yaml"


def ids(path: Path, **options: bool) -> dict[str, str]:
    return {d.id: d.text for d in load_task(path, **options).corpora["books"]}


def test_files_of_one_name_have_their_path_as_id_and_others_their_stem(tmp_path: Path) -> None:
    files = {"books/a/readme.md": "one", "books/b/readme.md": "two", "books/a/map.md": "three"}
    path = library(tmp_path, files, gold="b/readme")
    assert ids(path) == {"a/readme": "one", "b/readme": "two", "map": "three"}


def test_files_that_differ_in_their_ending_alone_keep_it(tmp_path: Path) -> None:
    path = library(tmp_path, {"books/a/map.md": "one", "books/a/map.txt": "two"})
    assert ids(path) == {"a/map.md": "one", "a/map.txt": "two"}


def test_a_change_replaces_the_file_of_its_path(tmp_path: Path) -> None:
    files = {"books/a/readme.md": "one", "books/b/readme.md": "two", "new/b/readme.md": "three"}
    path = library(tmp_path, files, documents="books/*/*.md", changes="new/*/*.md")
    assert ids(path) == {"a/readme": "one", "b/readme": "three"}
    assert ids(path, before=True) == {"a/readme": "one", "b/readme": "two"}


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    assert ids(library(tmp_path, {"books/map.md": "\ufeff# Maps\r\nmany"})) == {
        "map": "# Maps\nmany"
    }


def test_blank_documents_among_others_stay_and_alone_are_refused(tmp_path: Path) -> None:
    assert ids(library(tmp_path, {"books/map.md": " ", "books/lens.md": "shelf"}))["map"] == " "
    with pytest.raises(BakeoffError, match=r"corpora\.books: nothing to search: all documents"):
        load_task(library(tmp_path, {"books/map.md": "", "books/lens.md": "\n"}))


@pytest.mark.parametrize(
    ("gold", "hint"),
    [
        ("lens.md", "did you mean 'lens'?"),
        ("books/lens.md", "did you mean 'lens'?"),
        ("readme", "its ids are a/readme, b/readme"),
        ("telescope", "gold: no document 'telescope'"),
    ],
)
def test_a_gold_id_that_is_a_files_name_gets_the_id_it_means(
    gold: str, hint: str, tmp_path: Path
) -> None:
    files = {"books/lens.md": "x", "books/a/readme.md": "y", "books/b/readme.md": "z"}
    with pytest.raises(BakeoffError) as error:
        load_task(library(tmp_path, files, gold))
    assert hint in str(error.value)


@pytest.mark.parametrize("made", ["['a text']", "{'a': None}", "{1: 'a text'}"])
def test_a_function_that_makes_no_documents_is_told_what_would_work(
    made: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(f"def books():\n    return {made}\n")
    with pytest.raises(BakeoffError, match="documents must map ids to texts, found"):
        load_task(library(tmp_path, {}, call="./shop.py::books"))


def test_a_message_lists_ten_faults_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError) as error:
        faults([f"row {n}" for n in range(1, 251)])
    lines = str(error.value).splitlines()
    assert lines == [*(f"row {n}" for n in range(1, 11)), "and 240 more"]
