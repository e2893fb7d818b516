"""Rows of CSV and JSON files: texts stay texts, and what cannot be read is told with its line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.spec.task import Source
from bakeoff.tasks.load import load_task
from bakeoff.tasks.readers import Reading, reader_of
from bakeoff.tasks.rows import read_rows
from conftest import Cli

TASK = """\
description: a quiz
rows: {{test: "{rows}"}}
columns: {{targets: answer}}
refusal: {{say: unknown, phrases: [unknown]}}
scorers: [exact_match]
"""


def rows(file: Path, content: str | bytes) -> list[dict[str, Any]]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(reader_of(file).rows(file, Reading()))


def quiz(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    path = folder / "quiz.yaml"
    path.write_text(TASK.format(rows=name))
    return path


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "N/A", "#N/A", "-", "007", "1e3"])
def test_words_of_a_csv_file_stay_texts(word: str, tmp_path: Path) -> None:
    path = quiz(tmp_path, "quiz.csv", f"id,question,answer\n1,What stands there?,{word}\n")
    assert load_task(path).samples[0].targets == (word,)


def test_an_empty_cell_is_a_question_without_an_answer_and_is_counted(tmp_path: Path) -> None:
    path = quiz(tmp_path, "quiz.csv", "id,question,answer\n1,Who?,Ida\n2,Why?,\n3,When?, \n")
    task = load_task(path)
    assert [sample.targets for sample in task.samples] == [("Ida",), (), ()]
    assert task.unanswerable == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,question\n1,Where, then\n", "line 2: found 3 columns; the header has 2"),
        ("a.csv", "id,question\n1\n", "line 2: found 1 column; the header has 2"),
        ("a.csv", b"id,question\r1,Where?\r", "line 1: lines end with CR alone"),
        ("a.csv", "id,id\n1,2\n", "line 1: column 'id' occurs twice"),
        ("a.jsonl", '{"id": 1, "id": 2}\n', "the key 'id' occurs twice"),
        ("a.jsonl", "id,question\n1,Who?\n", "it looks like CSV: name it .csv"),
        ("a.json", "[1]\n", "row 1: found 1; a row is a JSON object"),
        ("a.json", '{"rows": []', "line 1: not JSON"),
    ],
)
def test_what_is_no_row_is_told_with_its_line(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError) as error:
        rows(tmp_path / name, content)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "\ufeffid,question\r\n1,Who?\r\n"),
        ("a.csv", "id;question\n1;Who?\n"),
        ("a.tsv", "id\tquestion\n1\tWho?\n"),
        ("a.jsonl", '\ufeff{"id": "1", "question": "Who?"}\n\n'),
        ("a.json", '[\n {"id": "1",\n  "question": "Who?"}\n]\n'),
        ("a.json", '{"id": "1", "question": "Who?"}\n'),
    ],
)
def test_files_of_many_shapes_give_the_same_rows(name: str, content: str, tmp_path: Path) -> None:
    assert rows(tmp_path / name, content) == [{"id": "1", "question": "Who?"}]


@pytest.mark.parametrize(
    ("content", "rows_there"),
    [
        (
            "Frage, wo und wann;Antwort\nWer?;Ida\n",
            {"Frage, wo und wann": "Wer?", "Antwort": "Ida"},
        ),
        ("a;b\n1,2;3\n4,5;6\n", {"a": "1,2", "b": "3"}),
        ("sep=|\na|b\n1|2\n", {"a": "1", "b": "2"}),
        ("'a';'b'\n'1';'2;3'\n", {"a": "1", "b": "2;3"}),
        ("a;b;;\n1;2;;\n", {"a": "1", "b": "2"}),
        ("a\tb\n1, one\t2, two\n", {"a": "1, one", "b": "2, two"}),
    ],
)
def test_delimiter_and_quotes_are_those_that_all_lines_agree_on(
    content: str, rows_there: dict[str, str], tmp_path: Path
) -> None:
    assert rows(tmp_path / "a.csv", content)[0] == rows_there
    assert rows(tmp_path / "a.tsv", content)[0] == rows_there


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("Who runs it?,Ida\nWhere?,here\n", {}, "the first line of a table must name its columns"),
        ("Frage,Antwort\nWho?,Ida\n", {}, 'did you mean columns: {question: "Frage"}?'),
        (
            "Frage,Antwort\nWho?,Ida\n",
            {"question": "Frage", "targets": "Antwort", "gold": "Quelle"},
            "no row has a column 'Quelle'; they have Frage, Antwort",
        ),
        (
            "Frage,Antwort\nWho?,Ida\n",
            {"question": "Frage", "targets": "Antwort[*"},
            "no row has a column 'Antwort[*'; they have Frage, Antwort",
        ),
    ],
)
def test_columns_that_are_not_there_are_told_with_those_that_are(
    content: str, columns: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = quiz(tmp_path, "quiz.csv", content)
    mapping = ", ".join(f"{ours}: '{theirs}'" for ours, theirs in columns.items())
    path.write_text(path.read_text().replace("{targets: answer}", f"{{{mapping}}}"))
    with pytest.raises(BakeoffError) as error:
        load_task(path)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("form", "name", "content", "row"),
    [
        ("csv", "data.csv", b"id,text\n1,null\n", {"id": "1", "text": "null"}),
        ("json", "data.json", b'{"id": 1, "text": ["a"]}\n', {"id": 1, "text": ["a"]}),
        ("json", "data.jsonl.gz", gzip.compress(b'{"id": 1}\n', mtime=0), {"id": 1}),
        ("text", "data.txt", b"caf\xe9", {"text": "caf\ufffd"}),
    ],
)
def test_a_local_copy_is_read_as_the_files_of_a_project_are(
    form: str, name: str, content: bytes, row: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    source = Source.model_validate({"local": name, "format": form})
    assert read_rows(source, tmp_path / "t.yaml", tmp_path, hub=False) == [row]


def test_what_was_guessed_of_a_local_copy_is_noted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("question,answer\nStraße?,größer\n".encode("cp1252"))
    (tmp_path / "b.txt").write_bytes("one line\nStra\xdfe\n".encode("cp1252"))
    for source, note in (
        (
            Source.model_validate({"local": "a.csv", "format": "csv"}),
            "a.csv is not UTF-8 and read as cp1252",
        ),
        (
            Source.model_validate({"local": "b.txt", "format": "text"}),
            "b.txt: 1 place not UTF-8, read as \ufffd",
        ),
    ):
        reading = Reading()
        read_rows(source, tmp_path / "task.yaml", tmp_path, hub=False, reading=reading)
        (found,) = reading.notes
        assert note in found


def test_tasks_and_plan_count_both_kinds_of_questions(cli: Cli, tmp_path: Path) -> None:
    quiz(tmp_path, "quiz.csv", "id,question,answer\n1,Who?,Ida\n2,Why?,\n3,Where?,here\n")
    (tmp_path / "bot.py").write_text("def answer(sample):\n    return 'Ida'\n")
    benchmark = tmp_path / "b.yaml"
    benchmark.write_text("tasks: [quiz.yaml]\nsetups: {ours: {call: 'bot.py::answer'}}\n")
    planned = cli("plan", benchmark, cwd=tmp_path)
    assert "Questions: quiz 2 answerable, 1 unanswerable." in planned.stdout
    listed = cli("tasks", tmp_path / "quiz.yaml", cwd=tmp_path).stdout.splitlines()
    (row,) = (line.split() for line in listed if line.split()[:1] == ["test"])
    assert row[1:4] == ["3", "2", "1"]


def test_a_misnamed_column_is_told_once_with_the_columns_there_are(tmp_path: Path) -> None:
    path = quiz(tmp_path, "quiz.csv", "id,question,right\n1,Who?,Ida\n2,Where?,here\n")
    with pytest.raises(BakeoffError) as error:
        load_task(path)
    assert str(error.value) == (
        f"{path}: test: no row has a column 'answer'; they have id, question, right; "
        "name it with columns: {targets: NAME}"
    )
