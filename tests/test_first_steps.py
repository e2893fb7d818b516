"""A newcomer's way from files of one's own to the first table: init, plan, run."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bakeoff.spec.benchmark import load_suite
from bakeoff.tasks.load import load_task
from bakeoff.testing import FakeEndpoint, Reply, Request, completion, fake_endpoint
from conftest import Cli

PARTS = [f"{colour} {part}" for colour in ("rote", "blaue", "graue") for part in (
    "Pumpe", "Winde", "Leiter", "Klappe", "Spule", "Achse", "Feder", "Kette", "Matte", "Rinne",
    "Schelle", "Buchse", "Welle", "Nabe", "Kelle", "Zange", "Haube", "Latte", "Dose", "Rolle",
)]  # fmt: skip
"""Sixty things that the documents tell of."""


def grams(number: int) -> str:
    return f"{300 + 7 * number} Gramm"


def write_docx(file: Path, title: str, text: str) -> None:
    import docx

    made = docx.Document()
    made.add_heading(title, 1)
    made.add_paragraph(text)
    made.save(str(file))


def write_documents(folder: Path) -> None:
    """A document for each thing, twelve of each of five formats, some in a folder below."""
    for number, part in enumerate(PARTS):
        title, text = f"Die {part}", f"Die {part} wiegt {grams(number)} und liegt im Fach {number}."
        place = folder / ("teile" if number % 2 else "")
        place.mkdir(parents=True, exist_ok=True)
        file = place / f"t{number:02}"
        if number % 5 == 0:
            file.with_suffix(".md").write_text(f"# {title}\n\n{text}\n")
        elif number % 5 == 1:
            file.with_suffix(".txt").write_text(f"{text}\n")
        elif number % 5 == 2:
            page = f"<html><nav>Menu</nav><body><h1>{title}</h1><p>{text}</p></body></html>"
            file.with_suffix(".html").write_text(page)
        elif number % 5 == 3:
            file.with_suffix(".rst").write_text(f"{title}\n{'=' * len(title)}\n\n{text}\n")
        else:
            write_docx(file.with_suffix(".docx"), title, text)


def write_questions(file: Path, rows: int = 24) -> None:
    """A CSV as a spreadsheet of a German office writes it; every sixth row has no answer."""
    lines = ["Nr.;Die Frage;Die Antwort;Quelle"]
    endings = (".md", ".txt", ".html", ".rst", ".docx")
    for number in range(rows):
        if number % 6 == 5:
            lines.append(f'{number + 1};"Wer hat die {PARTS[number]}; um 1900, gebaut?";;')
            continue
        source = f"t{number:02}{endings[number % 5]}"
        question = f"Was wiegt die {PARTS[number]}; in Gramm?"
        lines.append(f'{number + 1};"{question}";{grams(number)};{source}')
    file.write_bytes("﻿".encode() + "\r\n".join(lines).encode() + b"\r\n")


def write_training(file: Path, rows: int = 20) -> None:
    """Chats as fine-tuning services take them."""
    lines = []
    for number in range(30, 30 + rows):
        turns = [
            {"role": "system", "content": "Du kennst das Lager. Antworte mit dem Gewicht."},
            {"role": "user", "content": f"Wie schwer ist die {PARTS[number]}?"},
            {"role": "assistant", "content": grams(number)},
        ]
        lines.append(json.dumps({"messages": turns}, ensure_ascii=False))
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A folder with what a team has."""
    write_documents(tmp_path / "Unterlagen")
    write_questions(tmp_path / "Fragen Lager.csv")
    write_training(tmp_path / "chats.jsonl")
    return tmp_path


GIVEN = ("--questions", "Fragen Lager.csv", "--documents", "Unterlagen")
TRAINING = ("--training", "chats.jsonl")


def test_init_understands_five_formats_a_spreadsheet_and_chats(office: Path, cli: Cli) -> None:
    done = cli("init", *GIVEN, *TRAINING, "--name", "lager", cwd=office)
    assert done.returncode == 0, done.stderr
    for shown in (
        *("UTF-8 with byte-order mark", "separated by ';'", "chat JSON Lines", "DOCX", "HTML"),
        *("Markdown", "reStructuredText", "60 documents", "question: its name holds 'frage'"),
        *("targets: its name holds 'antwort'", "gold: its values are names of documents"),
        *("24 questions: 20 answerable, 4 unanswerable; 20 training rows", "bakeoff run lager"),
    ):
        assert shown in done.stdout, (shown, done.stdout)
    task = load_task(office / "tasks" / "lager.yaml")
    assert (len(task.samples), task.unanswerable, len(task.train)) == (24, 4, 20)
    assert len(task.corpora["documents"]) == 60
    assert task.samples[0].targets == (grams(0),)
    assert task.samples[0].question == "Was wiegt die rote Pumpe; in Gramm?"
    assert task.samples[0].gold == ("t00",)
    assert task.file.system == "Du kennst das Lager. Antworte mit dem Gewicht."
    assert not any("Menu" in document.text for document in task.corpora["documents"])
    assert "retrieval_recall(k=2)" in task.file.scorers
    suite = load_suite(office / "benchmarks" / "lager.yaml")
    assert suite.retrieve.k == 2
    assert list(suite.setups) == ["base", "fine-tuned", "rag", "hybrid"]


def test_plan_follows_without_an_edit(office: Path, cli: Cli) -> None:
    assert cli("init", *GIVEN, *TRAINING, "--name", "lager", cwd=office).returncode == 0
    planned = cli("plan", "lager", cwd=office)
    assert planned.returncode == 0, planned.stderr
    assert "lager 20 answerable, 4 unanswerable" in planned.stdout


def answers(request: Request) -> Reply:
    """A model that reads the weight out of the passages, and knows nothing without them."""
    if request.path.endswith("/embeddings"):
        raise AssertionError("words are searched")
    asked = request.body["messages"][-1]["content"]
    part = re.search(r"wiegt die (.*?); in Gramm", asked)
    read = re.search(rf"Die {part[1]} wiegt (\d+ Gramm)", asked) if part else None
    return completion(read[1] if read else "unknown")


@pytest.fixture
def served() -> FakeEndpoint:
    with fake_endpoint(answers) as endpoint:
        yield endpoint


def test_two_commands_lead_to_the_first_table_with_a_served_model(
    office: Path, cli: Cli, served: FakeEndpoint
) -> None:
    made = cli(
        *("init", *GIVEN, *TRAINING, "--name", "lager"),
        *("--endpoint", f"{served.url}/v1", "--model", "m", "--retriever", "bm25"),
        cwd=office,
    )
    assert made.returncode == 0, made.stderr
    ran = cli("run", "lager", "--no-mlflow", cwd=office)
    assert ran.returncode == 0, ran.stderr
    row, *_ = [
        line.split() for line in ran.stdout.splitlines() if line.split()[1:2] == ["contains"]
    ]
    assert row[0] == "lager"
    # Without passages it declines to all: right for the 4 of 24 that have no answer.
    assert float(row[3]) == pytest.approx(4 / 24, abs=0.001)
    assert "1.000" in " ".join(row)


@pytest.mark.slow
def test_three_commands_lead_to_the_first_table_with_the_embedded_model(
    office: Path, cli: Cli, models_only: Path
) -> None:
    write_questions(office / "Fragen Lager.csv", 6)
    write_training(office / "chats.jsonl", 4)
    for command in (
        ("init", *GIVEN, *TRAINING, "--name", "lager"),
        ("plan", "lager"),
        ("run", "lager", "--no-mlflow", "--limit", "1"),
    ):
        done = cli(*command, cwd=office, BAKEOFF_CACHE=str(models_only))
        assert done.returncode == 0, done.stderr
    header = next(line for line in done.stdout.splitlines() if "hybrid" in line)
    assert header.split() == ["task", "metric", "n", "base", "fine-tuned", "rag", "hybrid"]


def test_nothing_given_makes_an_example_that_can_be_planned(tmp_path: Path, cli: Cli) -> None:
    made = cli("init", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "8 questions: 6 answerable, 2 unanswerable; 6 training rows" in made.stdout
    assert cli("plan", "example", cwd=tmp_path).returncode == 0
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = cli("init", cwd=tmp_path)
    assert again.returncode == 2
    assert (
        "tasks/example.yaml: is there already; --name NAME makes another, --force" in again.stderr
    )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first
    (tmp_path / "tasks" / "example.yaml").write_text("mine\n")
    assert cli("init", "--force", cwd=tmp_path).returncode == 0
    assert cli("init", "--name", "Second try", cwd=tmp_path).returncode == 0
    assert (tmp_path / "tasks" / "second_try.yaml").is_file()


def test_the_files_name_their_schemas_and_hold_to_them(tmp_path: Path, cli: Cli) -> None:
    import jsonschema

    assert cli("init", cwd=tmp_path).returncode == 0
    for file in (tmp_path / "tasks" / "example.yaml", tmp_path / "benchmarks" / "example.yaml"):
        first = file.read_text().split("\n")[0]
        schema = file.parent / first.removeprefix("# yaml-language-server: $schema=")
        jsonschema.validate(yaml.safe_load(file.read_text()), json.loads(schema.read_text()))


@pytest.mark.parametrize(
    ("rows", "scorers", "more"),
    [
        ([(f"Text {n} of a customer", "AB"[n % 2]) for n in range(20)], "accuracy", "labels"),
        ([("Order of Ida?", '{"a": 1}'), ("Order of Ole?", '{"a": 2}')], "field_f1", "json"),
        ([("Why is it so?", " ".join(["because"] * 30)), ("Who?", "Ida")], "token_f1", "sentences"),
        ([("Who is it?", "Ida"), ("Where is it?", "here")], "contains", "few words"),
    ],
)
def test_the_scorers_fit_the_answers(
    rows: list[tuple[str, str]], scorers: str, more: str, tmp_path: Path, cli: Cli
) -> None:
    lines = [json.dumps({"question": question, "answer": answer}) for question, answer in rows]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    done = cli("init", "--questions", "mine.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "tasks" / "mine.yaml").read_text()
    assert yaml.safe_load(text)["scorers"][0] == scorers
    assert more in text.casefold()
    assert "# rag: {retrieve: true}" in (tmp_path / "benchmarks" / "mine.yaml").read_text()


def test_training_rows_of_other_columns_and_repeats_need_no_edit(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "ask.csv").write_text("Frage,Antwort\nWer hat den Hof gebaut?,Ida\n")
    (tmp_path / "learn.csv").write_text(
        "prompt,completion\nWer hat den Hof gebaut?,Ida\nWo liegt der See im Tal?,dort\n"
    )
    done = cli("init", "--questions", "ask.csv", "--training", "learn.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 training rows, 1 of them left out: repeats of a question" in done.stdout
    task = load_task(tmp_path / "tasks" / "ask.yaml")
    assert [row.question for row in task.train] == ["Wo liegt der See im Tal?"]


Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    """The program on a terminal: each of its questions gets a line, or a signal."""

    def call(*arguments: str, lines: tuple[str | signal.Signals, ...]) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        # Who starts the tests in the background has them ignore Ctrl-C.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        code += "from bakeoff.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            **{"cwd": tmp_path, "stdin": theirs, "stdout": theirs, "stderr": theirs},
        )
        os.close(theirs)
        shown, left, deadline = "", list(lines), time.monotonic() + 300
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                if left and isinstance(left[0], signal.Signals) and shown.endswith(": "):
                    # Again, until it ends: one right before the terminal is read changes nothing.
                    process.send_signal(left[0])
                continue
            try:
                shown += os.read(ours, 65536).decode(errors="replace")
            except OSError:
                break  # the program is at its end
            if left and shown.endswith(": ") and isinstance(left[0], str):
                os.write(ours, f"{left.pop(0)}\n".encode())
        os.close(ours)
        return process.wait(timeout=60), shown

    return call


def test_on_a_terminal_it_asks(tmp_path: Path, typed: Typed) -> None:
    (tmp_path / "q.csv").write_text("p1;p2\nRed kites are birds;yes\nA hat is a bird;no\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "birds.md").write_text("# Birds\nRed kites are birds.\n")
    code, shown = typed("init", lines=("nowhere.csv", "q.csv", "docs", "", "p1", "p2"))
    assert code == 0, shown
    assert "nowhere.csv: is not there" in shown
    file = yaml.safe_load((tmp_path / "tasks" / "q.yaml").read_text())
    assert file["columns"] == {"question": "p1", "targets": "p2"}
    assert "bakeoff run q" in shown


def workbook(file: Path, **sheets: list[tuple[str, ...]]) -> None:
    import openpyxl

    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(file)


ASKED = [("Frage", "Antwort"), ("Wer hat den Hof gebaut?", "Ida"), ("Wo liegt er?", "im Tal")]
LEARNT = [("Frage", "Antwort"), ("Welche Farbe hat das Tor?", "rot"), ("Wie alt ist es?", "90")]


def test_a_sheet_of_a_workbook_is_named(tmp_path: Path, cli: Cli) -> None:
    workbook(tmp_path / "hof.xlsx", Stand=[("2026",)], Fragen=ASKED, Lernen=LEARNT)
    asked = ("init", "--questions", "hof.xlsx", "--training", "hof.xlsx")
    unsaid = cli(*asked, "--sheet", "questions=Fragen", cwd=tmp_path)
    assert unsaid.returncode == 2
    assert "several sheets (Stand, Fragen, Lernen); name one: --sheet training=SHEET" in (
        unsaid.stderr
    )
    sheets = ("--sheet", "questions=Fragen", "--sheet", "training=Lernen")
    done = cli(*asked, *sheets, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hof.xlsx: XLSX, sheet 'Lernen'" in done.stdout
    task = load_task(tmp_path / "tasks" / "hof.yaml")
    assert [row.question for row in task.samples] == [row[0] for row in ASKED[1:]]
    assert [row.targets for row in task.train] == [("rot",), ("90",)]


def test_on_a_terminal_a_sheet_is_asked_for(tmp_path: Path, typed: Typed) -> None:
    workbook(tmp_path / "hof.xlsx", Stand=[("2026",)], Fragen=ASKED)
    code, shown = typed("init", "--questions", "hof.xlsx", lines=("Fragn", "Fragen"))
    assert code == 0, shown
    assert "hof.xlsx: the sheet of the questions (Stand, Fragen)" in shown
    file = yaml.safe_load((tmp_path / "tasks" / "hof.yaml").read_text())
    assert file["rows"]["test"] == {"files": "../hof.xlsx", "sheet": "Fragen"}


def test_training_rows_have_the_columns_that_are_named_for_them(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "ask.csv").write_text("Frage,Antwort\nWer hat den Hof gebaut?,Ida\n")
    (tmp_path / "learn.csv").write_text("x,y,z\nWo liegt der See im Tal?,dort,a\nWie tief?,9 m,b\n")
    asked = ("init", "--questions", "ask.csv", "--training", "learn.csv")
    unsaid = cli(*asked, cwd=tmp_path)
    assert "learn.csv: no column looks like targets; name it: --column targets=COLUMN" in (
        unsaid.stderr
    )
    assert cli(*asked, "--column", "targets=y", cwd=tmp_path).returncode == 0
    task = load_task(tmp_path / "tasks" / "ask.yaml")
    assert [row.targets for row in task.train] == [("dort",), ("9 m",)]
    assert task.samples[0].targets == ("Ida",)


def test_training_rows_that_are_called_as_here_need_no_mapping(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "ask.csv").write_text("Frage,Antwort\nWer hat den Hof gebaut?,Ida\n")
    (tmp_path / "learn.jsonl").write_text(
        '{"question": "Wo liegt der See?", "targets": ["dort"]}\n'
    )
    done = cli("init", "--questions", "ask.csv", "--training", "learn.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert load_task(tmp_path / "tasks" / "ask.yaml").train[0].targets == ("dort",)


def test_what_would_not_run_leaves_every_file_as_it_was(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "ask.csv").write_text("Frage,Antwort\nWer hat den Hof gebaut?,Ida\n")
    wrong = ("init", "--questions", "ask.csv", "--model", "./nowhere")
    refused = cli(*wrong, cwd=tmp_path)
    assert refused.returncode == 2
    assert "model: './nowhere': no such file or folder" in refused.stderr
    assert "Nothing was written" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ask.csv"]
    assert cli("init", "--questions", "ask.csv", cwd=tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli(*wrong, "--force", cwd=tmp_path).returncode == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("rows", [3, 70])
@pytest.mark.parametrize("name", ["no", "yes", "on", "null", "true", "nan"])
def test_a_name_that_yaml_reads_as_something_else_is_written_as_a_text(
    name: str, rows: int, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "set: one #2.csv").write_text(
        "question,answer\n" + "".join(f"Who has key {n}?,Person {n}\n" for n in range(rows))
    )
    done = cli("init", "--questions", "set: one #2.csv", "--name", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "became" not in done.stdout
    task = load_task(tmp_path / "tasks" / f"{name}.yaml")
    assert (task.name, task.file.description) == (name, "Questions of set: one #2.csv.")


@pytest.mark.parametrize(
    ("name", "made"),
    [("007", "task_007"), ("1.0", "task_1_0"), ("Bike shop", "bike_shop"), ("!", "task")],
)
def test_a_name_that_is_changed_is_told(name: str, made: str, tmp_path: Path, cli: Cli) -> None:
    done = cli("init", "--name", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"the name '{name}' became {made}: small letters, digits and _" in done.stdout
    assert (tmp_path / "benchmarks" / f"{made}.yaml").is_file()


@pytest.mark.parametrize("lines", [(signal.SIGINT,), ("q.csv", signal.SIGINT), ("q.csv", "\x04")])
def test_an_interrupt_at_a_question_is_one(
    lines: tuple[str | signal.Signals, ...], tmp_path: Path, typed: Typed
) -> None:
    (tmp_path / "q.csv").write_text("Frage,Antwort\nWer?,Ida\n")
    code, shown = typed("init", lines=lines)
    assert code == 130, shown
    assert "interrupted; nothing was changed" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["q.csv"]
