"""What a folder of documents holds, understood without a task file."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.inspection import inspect_rows
from bakeoff.tasks.library import inspect_documents
from office import write_pdf


def shelf(folder: Path) -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# Returns\n\nwithin 30 days")
    (folder / "b.txt").write_bytes("für drei".encode("cp1252"))
    (folder / "deep" / "c.html").write_text("<nav>x</nav><p>form R-4</p><img src=x>")
    (folder / "deep" / "d.rst").write_text("Desk\n====\n\nopen\n")
    write_pdf(folder / "e.pdf", ["a page", ""])
    document = docx.Document()
    document.add_paragraph("in Word")
    document.save(str(folder / "f.docx"))
    (folder / "logo.png").write_bytes(b"\x89PNG")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.md").write_text("no")
    return folder


def test_a_folder_of_many_formats_is_counted_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    seen = inspect_documents(shelf(tmp_path / "docs"))
    assert dict(seen.formats) == {
        **{"Markdown": 1, "text": 1, "HTML": 1, "reStructuredText": 1},
        **{"PDF": 1, "DOCX": 1},
    }
    assert seen.patterns == ("*.docx", "**/*.html", "*.md", "*.pdf", "**/*.rst", "*.txt")
    assert seen.ids == ("a", "b", "c", "d", "e", "f")
    assert seen.words == 5 + 2 + 2 + 3 + 2 + 2  # the sign of a heading is one
    assert seen.notes == (
        "b.txt is not UTF-8 and read as cp1252 (für): state `encoding:` if that is wrong",
        "left out: .png files (1), images (1), menus and footers (1), pages without text (1)",
    )


def test_rows_may_name_its_documents_by_their_files(tmp_path: Path) -> None:
    seen = inspect_documents(shelf(tmp_path / "docs"))
    (tmp_path / "q.csv").write_text("Frage;Ziel;Wo\nWie lange?;30 Tage;deep/c.html\nWer?;;a.md\n")
    assert inspect_rows(tmp_path / "q.csv", seen.names).mapping["gold"] == "Wo"


def test_a_corpus_in_rows_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "a", "text": "x y"}\n{"id": "b", "text": "z"}\n')
    seen = inspect_documents(tmp_path / "c.jsonl")
    assert (seen.patterns, seen.ids, seen.words) == (("c.jsonl",), ("a", "b"), 3)


def test_documents_without_text_are_not_counted(tmp_path: Path) -> None:
    for name, text in {"a.md": "x y", "b.md": "", "c.txt": "\n"}.items():
        (tmp_path / name).write_text(text)
    seen = inspect_documents(tmp_path)
    assert (seen.ids, seen.words) == (("a",), 2)
    assert {"b", "c.txt"} <= set(seen.names)
    assert seen.notes == ("left out: documents without text (2: b.md, c.txt)",)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no documents; there are no files"),
        (["a.png", "b.doc"], r"no documents; there are \.doc \(1\), \.png \(1\)|\.png \(1\)"),
        (["a.pdf"], r"a\.pdf: cannot be read as PDF"),
    ],
)
def test_a_folder_without_documents_says_what_is_there(
    names: list[str], message: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_text("x")
    with pytest.raises(BakeoffError, match=message):
        inspect_documents(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match="none: no such folder or file"):
        inspect_documents(tmp_path / "none")
