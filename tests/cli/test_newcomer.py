"""Mistakes of a newcomer: each ends with one message that says what would work."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forks import Forks

TASK = """\
description: Questions on the yard.
rows: {test: qa/test.jsonl}
corpora: {notes: {documents: qa/*.md}}
system: Answer in a few words.
refusal: {say: unknown}
scorers: [contains, token_f1]
"""
BENCHMARK = """\
tasks: [qa]
setups:
  mine: {call: "../bot.py::answer"}
latency: {samples: 0}
gates:
  - mine.qa.contains >= 0.5
"""
BOT = "def answer(sample):\n    return 'unknown'\n"
TEST = [
    {"id": "1", "question": "Who runs the mill?", "targets": ["Ida"], "gold": ["mill"]},
    {"id": "2", "question": "When is it open?", "targets": ["at noon"], "gold": ["mill"]},
    {"id": "3", "question": "Who built the weir?", "targets": []},
] * 8


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project that runs."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "tasks" / "qa").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    (folder / "tasks" / "qa.yaml").write_text(TASK)
    (folder / "tasks" / "qa" / "mill.md").write_text("# The mill\nIda runs it; open at noon.\n")
    rows = [json.dumps({**row, "id": str(n)}) for n, row in enumerate(TEST)]
    (folder / "tasks" / "qa" / "test.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "benchmarks" / "qa.yaml").write_text(BENCHMARK)
    (folder / "bot.py").write_text(BOT)
    return folder


Slip = Callable[[Path], object]


@dataclass(frozen=True)
class Mistake:
    """What was done to the project, what was typed, and what is answered."""

    typed: tuple[str, ...]
    words: tuple[str, ...]
    """What the message must contain."""
    slip: Slip = lambda _: None
    code: int = 2
    env: dict[str, str] = field(default_factory=dict)


def edit(file: str, old: str, new: str) -> Slip:
    def slip(folder: Path) -> None:
        path = folder / file
        text = path.read_text()
        assert old in text, (old, text)
        path.write_text(text.replace(old, new, 1))

    return slip


def write(file: str, text: str | bytes) -> Slip:
    def slip(folder: Path) -> None:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return slip


TASK_FILE, BENCH, ROWS = "tasks/qa.yaml", "benchmarks/qa.yaml", "tasks/qa/test.jsonl"
PLAN = ("plan", "qa")
SERVED = 'endpoints: {e: {url: "http://127.0.0.1:9/v1"}}\n'
MISTAKES: dict[str, Mistake] = {
    # The command line.
    "a command misspelt": Mistake(("rnu", "qa"), ("No such command 'rnu'", "run")),
    "an option misspelt": Mistake((*PLAN, "--limt", "3"), ("No such option", "--limit")),
    "no benchmark": Mistake(("run",), ("Missing argument", "BENCHMARK")),
    "a benchmark that is nowhere": Mistake(
        ("run", "qaa"), ("'qaa': no file, and no name in benchmarks", "did you mean 'qa'?")
    ),
    "a path that is nowhere": Mistake(
        ("run", "benchmarks/qaa.yaml"), ("benchmarks/qaa.yaml: no such file",)
    ),
    "a folder for a benchmark": Mistake(
        ("run", "benchmarks/"), ("benchmarks: is a folder; name a file: it has qa.yaml",)
    ),
    "a task for a benchmark": Mistake(
        ("run", TASK_FILE), ("tasks/qa.yaml: this is a task file", "a benchmark names it")
    ),
    "a benchmark for a task": Mistake(
        ("tasks", BENCH), ("benchmarks/qa.yaml: this is a benchmark file, not a task", "plan")
    ),
    "no run yet": Mistake(("compare",), ("no such run: none in results yet", "bakeoff run")),
    "a run that is nowhere": Mistake(
        ("report", "20260101"),
        ("'20260101': no such run in results", "`bakeoff runs` lists all"),
        write("results/qa/20260202-1/manifest.json", "{}"),
    ),
    "a limit of nothing": Mistake((*PLAN, "--limit", "0"), ("--limit", "0 is not in the range")),
    # YAML.
    "a misspelt key of a benchmark": Mistake(
        PLAN,
        (f"{BENCH}: setps: no such field; did you mean 'setups'?",),
        edit(BENCH, "setups", "setps"),
    ),
    "a misspelt key of a task": Mistake(
        PLAN,
        ("qa.yaml: sytem: no such field; did you mean 'system'?",),
        edit(TASK_FILE, "system", "sytem"),
    ),
    "a misspelt key of a part": Mistake(
        PLAN,
        ("setups.mine.retrieve.chunk_word: no such field; did you mean 'chunk_words'?",),
        edit(BENCH, '{call: "../bot.py::answer"}', "{retrieve: {chunk_word: 60}}"),
    ),
    "a tab": Mistake(
        PLAN,
        (f"{BENCH}: line 3: not valid YAML: a tab; indent with spaces",),
        edit(BENCH, "  mine", "\tmine"),
    ),
    "a colon without a space": Mistake(
        PLAN,
        (f"{BENCH}: line 2: not valid YAML:", "put a space behind the colon of the line before"),
        edit(BENCH, "tasks: [qa]", "tasks:[qa]"),
    ),
    "a key twice": Mistake(
        PLAN,
        ("line 7: key 'tasks' occurs twice",),
        lambda f: (f / BENCH).write_text(BENCHMARK + "tasks: [b]\n"),
    ),
    "an empty file": Mistake(PLAN, (f"{BENCH}: is empty; write tasks, setups",), write(BENCH, "")),
    "a bracket that is not closed": Mistake(
        PLAN,
        (f"{BENCH}: line 2: not valid YAML: while parsing a flow sequence",),
        edit(BENCH, "[qa]", "[qa"),
    ),
    "a number where a text belongs": Mistake(
        PLAN,
        ("tasks/qa.yaml: max_tokens: must be a whole number (found 'many')",),
        lambda f: (f / TASK_FILE).write_text(TASK + "max_tokens: many\n"),
    ),
    # What files name.
    "a task that does not exist": Mistake(
        PLAN, (f"{BENCH}: tasks: no task 'qaq'; did you mean 'qa'?",), edit(BENCH, "[qa]", "[qaq]")
    ),
    "rows that are nowhere": Mistake(
        PLAN,
        ("bakeoff: tasks/qa.yaml: rows: no file matches 'qa/tst.jsonl'",),
        edit(TASK_FILE, "test.jsonl", "tst.jsonl"),
    ),
    "documents that are nowhere": Mistake(
        PLAN, ("qa.yaml: corpora.notes:", "'docs/*.md'"), edit(TASK_FILE, "qa/*.md", "docs/*.md")
    ),
    "a scorer misspelt": Mistake(
        PLAN,
        ("no scorer named 'token_f'; did you mean 'token_f1'? `bakeoff scorers list` has all",),
        edit(TASK_FILE, "token_f1", "token_f"),
    ),
    "a gate on an unknown setup": Mistake(
        PLAN,
        (f"{BENCH}: ", "no setup 'mind'; did you mean 'mine'?"),
        edit(BENCH, "mine.qa", "mind.qa"),
    ),
    "a gate on an unknown metric": Mistake(
        PLAN,
        ("no metric 'contans'; did you mean 'contains'?",),
        edit(BENCH, "qa.contains", "qa.contans"),
    ),
    "a gate that can never fail": Mistake(PLAN, ("can never fail",), edit(BENCH, ">= 0.5", ">= 0")),
    "an own function misspelt": Mistake(
        PLAN,
        ("setups.mine.call: ", "no function 'answr'; did you mean 'answer'?"),
        edit(BENCH, "::answer", "::answr"),
    ),
    "a model that was never made": Mistake(
        PLAN,
        ("setups.mine.model: './weights': no such file or folder; write embedded",),
        edit(BENCH, '{call: "../bot.py::answer"}', "{model: ./weights}"),
    ),
    "a model that is not fetched, without a network": Mistake(
        ("run", "qa", "--no-mlflow"),
        ("pip could not fetch it", "bakeoff models fetch"),
        edit(BENCH, '{call: "../bot.py::answer"}', "{}"),
        env={"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0", "BAKEOFF_CACHE": "empty"},
    ),
    "an endpoint that is not named": Mistake(
        PLAN,
        (
            "setups.mine: 'server:m': no endpoint 'server'",
            "write endpoints: {server: {url: http://HOST:PORT/v1}}",
        ),
        edit(BENCH, '{call: "../bot.py::answer"}', "{model: 'server:m'}"),
    ),
    "an endpoint without its url": Mistake(
        PLAN,
        (f"{BENCH}: endpoints.e.url: must be given",),
        lambda f: (f / BENCH).write_text("endpoints: {e: {}}\n" + BENCHMARK),
    ),
    "an endpoint whose key is not set": Mistake(
        PLAN,
        ("endpoints.e.api_key_env: the environment variable 'E_KEY' is not set",),
        lambda f: (f / BENCH).write_text(
            SERVED.replace("}}", ", api_key_env: E_KEY}}")
            + BENCHMARK.replace('{call: "../bot.py::answer"}', "{model: 'e:m'}")
        ),
    ),
    "an endpoint that is down": Mistake(
        ("run", "qa", "--no-mlflow"),
        ("http://127.0.0.1:9/v1", "cannot be reached"),
        lambda f: (f / BENCH).write_text(
            SERVED + BENCHMARK.replace('{call: "../bot.py::answer"}', "{model: 'e:m'}")
        ),
        code=20,
    ),
    "fine-tuning without rows": Mistake(
        PLAN,
        ("setups.mine.tune: task 'qa' has no training rows; name them in its file",),
        edit(BENCH, '{call: "../bot.py::answer"}', "{tune: true}"),
    ),
    "retrieval without documents": Mistake(
        PLAN,
        ("setups.mine.retrieve: task 'qa' has no corpora to retrieve from",),
        lambda f: (
            edit(BENCH, '{call: "../bot.py::answer"}', "{retrieve: true}")(f),
            edit(TASK_FILE, "corpora: {notes: {documents: qa/*.md}}\n", "")(f),
        ),
    ),
    # Rows.
    "no test rows": Mistake(PLAN, ("qa.yaml: test: no rows",), write(ROWS, "")),
    "duplicate ids": Mistake(
        PLAN, ("test row 2 ('0'): id occurs twice",), edit(ROWS, '"id": "1"', '"id": "0"')
    ),
    "gold that no document has": Mistake(
        PLAN,
        ("test row '0': gold: no document 'mil'; ids are such as mill",),
        edit(ROWS, '["mill"]', '["mil"]'),
    ),
    "a misnamed column": Mistake(
        PLAN,
        (
            "test: no row has a column 'targets'; they have",
            'did you mean columns: {targets: "answer"}?',
        ),
        lambda f: (f / ROWS).write_text((f / ROWS).read_text().replace("targets", "answer")),
    ),
    "a comma behind a row": Mistake(
        PLAN, ("test.jsonl: line 1: not JSON",), edit(ROWS, "}\n", "},\n")
    ),
    "no answer and no refusal": Mistake(
        PLAN,
        ("('2'): targets: empty, and the task has no refusal",),
        edit(TASK_FILE, "refusal: {say: unknown}\n", ""),
    ),
    # init.
    "questions that are nowhere": Mistake(
        ("init", "--questions", "nowhere.csv"), ("'nowhere.csv' does not exist",)
    ),
    "documents without questions": Mistake(
        ("init", "--documents", "tasks/qa"), ("--questions FILE: must be given",)
    ),
    "a file without a question": Mistake(
        ("init", "--questions", "mine.csv"),
        ("no column looks like question", "--column question=COLUMN", "columns: a1, b1"),
        write("mine.csv", "a1,b1\nx y,z w\nk l,m n\n"),
    ),
    "questions without answers": Mistake(
        ("init", "--questions", "mine.csv"),
        (
            "mine.csv: no column of right answers (columns: question); add one, with an empty "
            "cell where a question has no answer",
        ),
        write("mine.csv", "question\nWho is it?\nWhere?\n"),
    ),
    "questions that are learnt, too": Mistake(
        ("init", "--questions", "mine.csv", "--training", "mine.csv"),
        (
            "mine.csv: every row repeats a question of mine.csv",
            "name other rows, or leave --training out",
        ),
        write("mine.csv", "question,answer\nWho is it?,Ida\nWhere is the mill?,there\n"),
    ),
    "a typo in the name of a document": Mistake(
        ("init", "--questions", "mine.csv", "--documents", "docs", "--name", "new"),
        (
            "gold: 2 of 3 values are names of documents",
            "test row '2': gold: no document 'rentl'; ids are such as rental, repairs",
            "Nothing was written",
        ),
        lambda f: (
            write("docs/rental.md", "# Rental\nA day is 15 euros.\n")(f),
            write("docs/repairs.md", "# Repairs\nIn 4 days.\n")(f),
            write(
                "mine.csv",
                "ask,answer,doc\nHow much?,15,rental\nAnd?,9,rentl\nHow long?,4,repairs\n",
            )(f),
        ),
    ),
    "a sheet of what has none": Mistake(
        ("init", "--questions", ROWS, "--name", "new", "--sheet", "questions=A"),
        ("--sheet questions=A: tasks/qa/test.jsonl is not a workbook",),
    ),
    "a sheet of nothing that is read": Mistake(
        ("init", "--questions", ROWS, "--name", "new", "--sheet", "rows=A"),
        ("--sheet rows=...: write questions=SHEET or training=SHEET",),
    ),
    "a column that is nowhere": Mistake(
        ("init", "--questions", "mine.csv", "--column", "targets=anwser"),
        ("--column targets=anwser: no column 'anwser'; mine.csv has question, answer",),
        write("mine.csv", "question,answer\nWho is it?,Ida\n"),
    ),
    "files that are there": Mistake(
        ("init", "--questions", ROWS, "--name", "qa"),
        ("tasks/qa.yaml: is there already", "--force replaces it"),
    ),
    "a spreadsheet of before": Mistake(
        ("init", "--questions", "mine.xls"),
        ("mine.xls: .xls is not read: save it as .xlsx",),
        write("mine.xls", "x"),
    ),
    "a document for questions": Mistake(
        ("init", "--questions", "mine.html"),
        ("mine.html: holds text, no rows: rows are .jsonl",),
        write("mine.html", "<p>Who?</p>"),
    ),
    "a folder for questions": Mistake(
        ("init", "--questions", "tasks"),
        ("tasks: is a folder; name a file",),
    ),
    "a folder without documents": Mistake(
        ("init", "--questions", ROWS, "--documents", "benchmarks", "--name", "new"),
        ("benchmarks: no documents; there are .yaml (1)",),
    ),
    "questions among the documents": Mistake(
        ("init", "--questions", ROWS, "--documents", "tasks/qa", "--name", "new"),
        ("lies among the documents of tasks/qa; move it",),
    ),
    "a column without a field": Mistake(
        ("init", "--questions", ROWS, "--name", "new", "--column", "targets"),
        ("write name=value (found 'targets')",),
    ),
    "a field that is none": Mistake(
        ("init", "--questions", ROWS, "--name", "new", "--column", "anwser=targets"),
        ("--column anwser: no such field; known: question, targets, id",),
    ),
    "a column twice": Mistake(
        ("init", "--questions", "mine.csv"),
        ("column 'question' occurs twice",),
        write("mine.csv", "question,question,answer\nWho?,Why?,Ida\n"),
    ),
    "a table without rows": Mistake(
        ("init", "--questions", "mine.csv"),
        ("mine.csv: no rows",),
        write("mine.csv", "question,answer\n"),
    ),
    "chats that end with the user": Mistake(
        ("init", "--questions", "mine.jsonl"),
        ("ends with a turn of 'user'",),
        write("mine.jsonl", '{"messages": [{"role": "user", "content": "Who?"}]}\n'),
    ),
    "JSON that is broken": Mistake(
        ("init", "--questions", "mine.json"),
        ("mine.json: not JSON: Expecting value: line 2 column 1",),
        write("mine.json", '[{"question": "Who?", "answer": "Ida"},\n'),
    ),
    "a name that means a run": Mistake(
        ("init", "--questions", ROWS, "--name", "Latest"),
        ("--name latest: names the newest run; give another",),
    ),
    "questions called as the newest run": Mistake(
        ("init", "--questions", "latest.csv"),
        ("--name latest: names the newest run; give another",),
        write("latest.csv", "question,answer\nWho is it?,Ida\n"),
    ),
    "a model that is not there for init": Mistake(
        ("init", "--questions", ROWS, "--name", "new", "--model", "embeded"),
        ("model: 'embeded': no such file or folder; did you mean 'embedded'?",),
    ),
    "an endpoint without a scheme": Mistake(
        (
            "init",
            "--questions",
            ROWS,
            "--name",
            "new",
            "--endpoint",
            "localhost:8000",
            "--model",
            "m",
        ),
        (
            "server.url: must be an address such as http://HOST:PORT/v1 (found 'localhost:8000')",
            "Nothing was written",
        ),
    ),
    "a name of a task that is nowhere": Mistake(("tasks", "qaa"), ("did you mean 'qa'?",)),
    "costs without prices": Mistake(("cost", "latest"), ("Missing option '--prices'",)),
    "advice without needs": Mistake(("advise", "latest"), ("no such run",)),
    "a check that is none": Mistake(("gate", "latest", "--check", "nonsense"), ("no such run",)),
    "an export without a folder": Mistake(("export", "latest"), ("Missing option '--output'",)),
    "a kind of schema that is none": Mistake(("schema", "tasks"), ("'tasks' is not one of",)),
    "an audit of another task": Mistake(
        ("audit", "qa", "--task", "qaa"), ("no task 'qaa'; did you mean 'qa'?",)
    ),
    "a date that is none": Mistake(
        ("nightly", "qa", "--night", "yesterday"), ("'yesterday' does not match the format",)
    ),
    "nights that are not there": Mistake(
        ("trend", "qa"), ("no nightly run yet; `bakeoff nightly BENCHMARK`",), code=12
    ),
    "a sample that is nowhere": Mistake(
        (*PLAN, "--sample-ids", "q9"), ("--sample-ids: no sample 'q9'",)
    ),
    "a tag without a value": Mistake(
        (*PLAN, "--tags", "part"), ("write name=value (found 'part')",)
    ),
    "a shard past the last": Mistake(
        ("run", "qa", "--shard", "5/4"), ("write i/n with i from 1 to n",)
    ),
    "setups as a list": Mistake(
        PLAN,
        ("setups: must be a mapping, name: value",),
        edit(BENCH, 'mine: {call: "../bot.py::answer"}', '- mine: {call: "../bot.py::answer"}'),
    ),
    "setups without one": Mistake(
        PLAN,
        ("setups: name at least one",),
        lambda f: (f / BENCH).write_text("tasks: [qa]\nsetups: {}\n"),
    ),
    "a task as a text": Mistake(
        PLAN, ("tasks: must be a list: [qa] (found 'qa')",), edit(BENCH, "[qa]", "qa")
    ),
    "scorers as a text": Mistake(
        PLAN,
        ("scorers: must be a list, [a, b] (found 'contains')",),
        edit(TASK_FILE, "[contains, token_f1]", "contains"),
    ),
    "a function that cannot be read": Mistake(
        ("run", "qa", "--no-mlflow"),
        ("bot.py",),
        write("bot.py", "def answer(sample)\n    return 1\n"),
    ),
    "a function that needs what is missing": Mistake(
        ("run", "qa", "--no-mlflow"),
        ("bot.py': ModuleNotFoundError: No module named 'nowhere_to_be_found'",),
        write("bot.py", "import nowhere_to_be_found\n" + BOT),
    ),
    "a preset that is none": Mistake(
        ("import", ROWS, "--preset", "lm_eval"), ("no such format; did you mean 'lm-eval'?",)
    ),
    "a baseline without a reason": Mistake(
        ("baseline", "accept", "latest"), ("Missing option '--reason'",)
    ),
    "labels that are nowhere": Mistake(
        ("scorers", "check", "contains", "--labels", "l.jsonl"), ("'l.jsonl' does not exist",)
    ),
    "an option of another command": Mistake(
        ("compare", "--limit", "3"), ("No such option '--limit'",)
    ),
    "a file for a run": Mistake(("compare", "benchmarks/qa.yaml"), ("no such run",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_what_would_work(
    name: str, start: Path, tmp_path: Path, forks: Forks
) -> None:
    mistake = MISTAKES[name]
    project = shutil.copytree(start, tmp_path / "project")
    mistake.slip(project)
    done = forks(project, *mistake.typed, **mistake.env)
    if os.environ.get("SHOW"):
        print(f"\n== {name}: {' '.join(mistake.typed)} -> {done.code}\n{done.said}")
    assert "Traceback" not in done.said, done.said
    assert done.code == mistake.code, done.said
    for words in mistake.words:
        assert words in done.said, done.said
    # What `init` understood comes before.
    assert len(done.said.splitlines()) <= (30 if "init" in mistake.typed else 12), done.said
