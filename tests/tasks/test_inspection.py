"""What files hold, understood without a task file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.inspection import inspect_rows
from bakeoff.tasks.load import load_task

ODD = """\
Nr;Frage, ggf. mit Ort;Soll;Fundstelle
1;Wo, wann und wie?;Müller, Straße 5;policy.md
2;Wer darf das?;;returns.md
3;"Was; und wann?";sofort;policy.md
"""


def task(folder: Path, rows: object, columns: object) -> Path:
    path = folder / "task.yaml"
    file = {
        "description": "d",
        "rows": {"test": rows},
        "columns": columns,
        "refusal": {"say": "unknown"},
        "scorers": ["contains"],
    }
    path.write_text(json.dumps(file))
    return path


def test_a_table_with_odd_headers_is_understood_and_loads(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(ODD, encoding="utf-8-sig")
    seen = inspect_rows(tmp_path / "odd.csv", ["policy.md", "returns.md"])
    assert (seen.format, seen.encoding, seen.delimiter) == (
        "CSV",
        "UTF-8 with byte-order mark",
        ";",
    )
    assert seen.count == 3
    assert seen.mapping == {
        "question": "Frage, ggf. mit Ort",
        "gold": "Fundstelle",
        "id": "Nr",
        "targets": "Soll",
    }
    assert seen.columns[2].examples == ("Müller, Straße 5", "sofort")
    loaded = load_task(task(tmp_path, seen.source, seen.mapping))
    assert [s.id for s in loaded.samples] == ["1", "2", "3"]
    assert loaded.samples[1].question == "Wer darf das?"
    assert [s.targets for s in loaded.samples] == [("Müller, Straße 5",), (), ("sofort",)]


def test_columns_are_told_apart_by_their_values(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y,z\nA-1,Who?,Ida\nA-2,Where is it?,here\n")
    seen = inspect_rows(tmp_path / "a.csv")
    assert seen.mapping == {"id": "x", "question": "y", "targets": "z"}
    assert {guess.field: guess.reason for guess in seen.guesses} == {
        "question": "most of its texts end in a question mark",
        "id": "its values are running numbers",
        "targets": "it is the only other column of texts",
    }


def test_what_cannot_be_guessed_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y,z\nred,Who?,Ida\nblue,Where is it?,here\n")
    seen = inspect_rows(tmp_path / "a.csv")
    assert (seen.mapping, seen.missing) == ({"question": "y"}, ("targets",))


def test_a_column_of_objects_is_no_id(tmp_path: Path) -> None:
    rows = [{"q": f"Who is {n}?", "meta": {"k": [n]}, "a": "Ann"} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "id" not in inspect_rows(tmp_path / "rows.jsonl").mapping


def test_a_column_that_names_other_things_is_no_gold(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "question,answer,gold\nWho?,Ida,policy\nWhy?,so,http://x\nHow?,well,http://y\n"
    )
    assert "gold" in {g.field for g in inspect_rows(tmp_path / "a.csv").guesses}
    seen = inspect_rows(tmp_path / "a.csv", ["policy"])
    assert "gold" not in {g.field for g in seen.guesses}


def test_a_column_whose_values_are_mostly_names_of_documents_is_gold(tmp_path: Path) -> None:
    rows = [("Who?", "Ida", "boats", "hull"), ("Why?", "so", "sails", "hul"), ("How?", "", "", "")]
    rows += [("Where?", "here", "boats", "mast.md"), ("When?", "at noon", "mast", "")]
    (tmp_path / "a.csv").write_text(
        "ask,answer,topic,doc\n" + "".join(",".join(row) + "\n" for row in rows)
    )
    seen = inspect_rows(tmp_path / "a.csv", ["hull", "mast", "mast.md"])
    (gold,) = (guess for guess in seen.guesses if guess.field == "gold")
    assert (gold.column, gold.reason) == ("doc", "2 of 3 values are names of documents")
    assert "gold" not in seen.taking({"gold": ""}).mapping
    half = inspect_rows(tmp_path / "a.csv", ["hull", "boats"])
    assert "gold" not in {guess.field for guess in half.guesses}


def test_answers_of_which_some_are_names_of_documents_are_answers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nWho?,hull\nWhat?,mast\nWhen?,at noon\n")
    assert inspect_rows(tmp_path / "a.csv", ["hull", "mast"]).missing == ()


def test_a_detected_encoding_is_stated_for_the_task_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("question,answer\nStraße?,größer\n".encode("cp1252"))
    seen = inspect_rows(tmp_path / "a.csv")
    assert seen.source == {"files": "a.csv", "encoding": "cp1252"}
    assert load_task(task(tmp_path, seen.source, seen.mapping)).notes == ()


def test_chats_are_understood_with_their_system_turn(tmp_path: Path) -> None:
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ida"},
    ]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": chat}))
    seen = inspect_rows(tmp_path / "a.jsonl")
    assert (seen.format, seen.system, seen.mapping) == ("chat JSON Lines", "Be brief.", {})
    assert [column.name for column in seen.columns] == ["id", "system", "question", "targets"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "no rows"), ("question,answer\n", "no rows"), ("a,a\n1,2\n", "occurs twice")],
)
def test_a_file_without_rows_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(BakeoffError, match=f"{tmp_path}/a.csv: .*{message}"):
        inspect_rows(tmp_path / "a.csv")


def test_a_column_called_answer_is_no_id_although_its_values_are_running_numbers(
    tmp_path: Path,
) -> None:
    file = tmp_path / "years.csv"
    file.write_text("question,answer\nWhen was the mill built?,1911\nWhen did it burn?,1923\n")
    assert {guess.field: guess.column for guess in inspect_rows(file).guesses} == {
        "question": "question",
        "targets": "answer",
    }


def test_a_named_column_comes_before_a_guess(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answer,name\nWho?,Ida,I-1\nWhy?,so,I-2\n")
    seen = inspect_rows(tmp_path / "a.csv")
    assert seen.mapping == {"targets": "answer", "id": "name"}
    assert seen.untaken == []
    named = seen.taking({"targets": "name"})
    assert named.mapping == {"targets": "name"}
    assert named.untaken == ["answer"]
