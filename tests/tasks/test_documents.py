"""Documents of a task: their ids, odd files, and the messages about ids that do not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import BakeoffError, faults
from bakeoff.running.task_view import documents_table, rows_table
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.recipes import Retrieve
from bakeoff.tasks.audit import audit
from bakeoff.tasks.audit.shown import tables as audit_tables
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
    ("gold", "meant"),
    [
        ("lens", ("lens",)),
        ("lens.md", ("lens",)),
        ("books/lens.md", ("lens",)),
        ("lens.MD; b/readme.md", ("lens", "b/readme")),
        ("somewhere\\books\\a\\readme.md", ("a/readme",)),
    ],
)
def test_gold_may_name_documents_by_their_files(
    gold: str, meant: tuple[str, ...], tmp_path: Path
) -> None:
    files = {"books/lens.md": "x", "books/a/readme.md": "y", "books/b/readme.md": "z"}
    assert load_task(library(tmp_path, files, gold)).samples[0].gold == meant


@pytest.mark.parametrize(
    ("gold", "hint"),
    [
        ("readme", "its ids are a/readme, b/readme"),
        ("readme.md", "its ids are a/readme, b/readme"),
        ("lens.2024", "gold: no document 'lens.2024'"),
        ("lens; telescope", "gold: no document 'lens; telescope'"),
        ("telescope", "gold: no document 'telescope'; ids are such as a/readme, b/readme, lens"),
    ],
)
def test_gold_that_names_no_document_is_told_what_there_is(
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


def test_several_globs_make_one_corpus_with_ids_by_path(tmp_path: Path) -> None:
    files = {"books/a/readme.md": "one", "books/b/readme.txt": "two", "notes/c/readme.md": "three"}
    globs = ["books/**/*.md", "books/**/*.txt", "notes/**/*.md"]
    assert ids(library(tmp_path, files, documents=globs)) == {
        "books/a/readme": "one",
        "books/b/readme": "two",
        "notes/c/readme": "three",
    }
    assert set(ids(library(tmp_path, files, documents=globs[:2]))) == {"a/readme", "b/readme"}


def test_a_file_that_two_globs_match_is_one_document(tmp_path: Path) -> None:
    path = library(tmp_path, {"books/map.md": "one"}, documents=["books/*.md", "./books/**/*"])
    assert ids(path) == {"map": "one"}


def test_a_corpus_in_rows_has_its_own_ids_and_titles(tmp_path: Path) -> None:
    rows = [
        {"_id": "d1", "title": "Maps", "text": "many"},
        {"_id": 2, "title": "", "text": "few"},
        {"_id": "d3", "title": "Empty", "text": ""},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path = library(tmp_path, {"corpus.jsonl": lines}, gold="d1", documents="corpus.jsonl")
    assert ids(path) == {"d1": "# Maps\n\nmany", "2": "few"}
    assert load_task(path).notes == ("corpus books: left out: documents without text (1: d3)",)


def test_documents_without_text_are_not_counted_and_the_first_named(tmp_path: Path) -> None:
    blank = {f"books/blank{n}.md": " \n" for n in range(5)}
    path = library(tmp_path, {"books/map.md": "one", **blank}, documents="books/*.md")
    task = load_task(path)
    note = (
        "corpus books: left out: documents without text "
        "(5: blank0.md, blank1.md, blank2.md and 2 more)"
    )
    assert task.notes == (note,)
    assert note in rows_table(task).note
    seen = audit(task, Suite.model_validate({"tasks": ["qa"], "setups": {"base": {}}}))
    assert (seen.rows.rpartition(", ")[2], seen.notes) == ("1 document", (note,))
    assert seen["repeated_documents"].of == 1
    assert documents_table(task, Retrieve()).rows[0][1:3] == ("1", "1")
    assert note in audit_tables({"qa": seen}, {})[0].note


def test_columns_of_documents_may_be_paths_and_of_any_table(tmp_path: Path) -> None:
    row = {"key": "a", "head": {"line": "Maps"}, "parts": ["one", "two"]}
    columns = {"id": "key", "title": "head.line", "text": "join(' ', parts)"}
    path = library(tmp_path, {"c.json": json.dumps([row])}, documents="c.json", columns=columns)
    assert ids(path) == {"a": "# Maps\n\none two"}
    path = library(
        tmp_path, {"c.csv": "Nr;Text\n7;lens\n"}, documents="c.csv", columns={"text": "Text"}
    )
    assert ids(path) == {"c/1": "lens"}


@pytest.mark.parametrize(
    ("files", "corpus", "message"),
    [
        ({"c.jsonl": '{"id": "a", "words": "x"}'}, {}, "no row has a column 'text'; they have id,"),
        (
            {"c.jsonl": '{"id": "a", "text": 7}'},
            {},
            "c.jsonl: row 1: text: must be a text, found 7",
        ),
        ({"c.jsonl": '{"id": null, "text": "x"}'}, {}, "row 1: id: found nothing; a document has"),
        (
            {"c.jsonl": '{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}'},
            {},
            "the id 'a' occurs twice",
        ),
        (
            {"c.jsonl": '{"id": "a", "text": "x"}'},
            {"columns": {"text": "body"}},
            "columns: text: no row has a column 'body'; they have id, text",
        ),
        ({"books/a.md": "x"}, {"documents": "books"}, "it is a folder: books/**/*.md names the"),
        ({"books/a.md": "x"}, {"documents": "boks/*.md"}, "there is no 'boks' in "),
        ({"books/a.md": "x"}, {"documents": "books/*.txt"}, "no such files, but a.md"),
        ({"books/a.md": "x"}, {"documents": ""}, "give one of documents, examples"),
        ({"a.png": "x", "b.css": "y"}, {"documents": "*.[pc]*"}, "no documents found"),
        ({"a.doc": "x"}, {"documents": "a.doc"}, "a.doc: .doc is not read: save it as .docx"),
        ({"a.md": "x"}, {"documents": "a.md", "encoding": "utf-9"}, "encoding: no such encoding"),
    ],
)
def test_what_makes_no_documents_is_told_with_what_would_work(
    files: Mapping[str, str], corpus: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    path = library(tmp_path, files, **{"documents": "c.jsonl", **corpus})
    with pytest.raises(BakeoffError) as error:
        load_task(path)
    assert message in str(error.value)


def test_all_files_that_cannot_be_read_are_listed_at_once(tmp_path: Path) -> None:
    path = library(tmp_path, {"books/a.pdf": "x", "books/b.docx": "y", "books/c.md": "z"})
    with pytest.raises(BakeoffError) as error:
        load_task(path)
    assert [name in str(error.value) for name in ("a.pdf", "b.docx", "c.md")] == [True, True, False]


def test_hidden_files_locks_and_pictures_are_no_documents(tmp_path: Path) -> None:
    names = (".hidden.md", "~$map.docx", "lens.png", "map.md")
    path = library(tmp_path, {f"books/{name}": "x" for name in names})
    assert ids(path) == {"map": "x"}
    assert load_task(path).notes == ("corpus books: left out: .png files (1)",)


def test_documents_anywhere_on_the_disk_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "map.md").write_text("x")
    (tmp_path / "here").mkdir()
    for place in (str(tmp_path / "far" / "*.md"), "../far/*.md"):
        assert ids(library(tmp_path / "here", {}, documents=place)) == {"map": "x"}


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    path = library(tmp_path, {"a [old].md": "x"}, documents="a [old].md")
    assert ids(path) == {"a [old]": "x"}
