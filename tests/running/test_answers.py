"""What counts as an answer: replies of every ending through a whole run, and what is kept."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bakeoff.analysis.measured_run import Run
from bakeoff.cli.app import main
from bakeoff.core.words import Answer, Failure, Step
from bakeoff.models.endpoint import Client
from bakeoff.models.protocol import read_completion
from bakeoff.models.transport import REPLY_BYTES, Ask
from bakeoff.runs.naming import find_run
from bakeoff.setups.custom import outcome
from bakeoff.spec.benchmark import Endpoint
from bakeoff.testing import Reply as ServedReply
from bakeoff.testing import Request, fake_endpoint

Reply = Callable[[dict[str, Any]], Any]
"""The JSON body of a request -> that of the reply; an `int` is a status without a body."""


@contextmanager
def serving(reply: Reply, port: int = 0) -> Iterator[str]:
    """An OpenAI-like server on this machine; its url ends in `/v1`."""

    def script(request: Request) -> ServedReply:
        made = reply(request.body)
        return ServedReply(status=made) if isinstance(made, int) else ServedReply(made)

    with fake_endpoint(script, port) as endpoint:
        yield f"{endpoint.url}/v1"


ENDINGS: dict[str, dict[str, Any]] = {
    "whole": {"content": "by the north door", "finish_reason": "stop"},
    "cut": {"content": "by the no", "finish_reason": "length"},
    "thinking": {"content": None, "finish_reason": "length", "reasoning_content": "Perhaps"},
    "thought": {"content": "", "finish_reason": "stop", "reasoning_content": "the north door"},
    "filtered": {"content": None, "finish_reason": "content_filter"},
    "called": {"content": None, "finish_reason": "tool_calls", "tool_calls": [{"id": "1"}]},
    "broken": {"content": "by the", "finish_reason": "error"},
}


def answer(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}


def ending(body: dict[str, Any]) -> dict[str, Any]:
    """The reply that the last word of the question names."""
    parts = dict(ENDINGS[body["messages"][-1]["content"].split()[-1]])
    finish = parts.pop("finish_reason")
    return {
        "choices": [{"message": parts, "finish_reason": finish}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 5},
    }


def write_bench(folder: Path, url: str, questions: dict[str, list[str]], **more: Any) -> Path:
    rows = [{"id": q, "question": f"Where? {q}", "targets": t} for q, t in questions.items()]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "description": "Doors of a house.",
        "rows": {"test": "rows.jsonl"},
        "refusal": {"say": "unknown", "phrases": ["unknown"]},
        "scorers": ["exact_match", "right_refusal", "wrong_refusal", "crag"],
    }
    (folder / "doors.yaml").write_text(json.dumps(task))
    bench = {
        "description": "Doors.",
        "endpoints": {"house": {"url": url, "attempts": 2, "stream": "never"}},
        "model": "house:small",
        "tasks": ["doors.yaml"],
        "setups": {"base": {}},
        "latency": {"samples": 0},
        **more,
    }
    path = folder / "bench.yaml"
    path.write_text(json.dumps(bench))
    return path


def bakeoff(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_RESULTS", str(tmp_path / "results"))
    # A port may come again, and with it the answers of another test.
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    return tmp_path


def latest() -> Run:
    return Run(find_run("latest", Path("results")))


def test_how_replies_ended_is_kept_counted_and_gated(here: Path) -> None:
    questions: dict[str, list[str]] = {name: ["by the north door"] for name in ENDINGS}
    gates = [{"check": "rate(base.cut) <= 0.1", "mode": "estimate"}]
    policy = {"max_error_rate": 1.0}
    with serving(ending) as url:
        bench = write_bench(here, url, questions, gates=gates, policy=policy)
        result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 10, result.output
    run = latest()
    records = {record.sample: record for record in run.records("doors", "base")}
    kept = {name: record.outcome.finish_reason for name, record in records.items()}
    assert kept == {
        "whole": "stop",
        "cut": "length",
        "thinking": "length",
        "thought": "stop",
        "filtered": "content_filter",
        "called": "tool_calls",
        "broken": "",
    }
    failed = {name for name, record in records.items() if record.error}
    assert failed == {"thinking", "thought", "filtered", "called", "broken"}
    cut = run.comparison.tasks["doors"].metric("cut").setups["base"]
    assert (cut.value, cut.n, cut.unjudged) == (2 / 6, 6, 0)
    spent = run.manifest.spent["base"]
    assert (spent.prompt_tokens, spent.completion_tokens) == (6 * 9, 6 * 5)
    assert dict(spent.failed) == {"empty": 4, "unreadable": 1}
    ended = run.comparison.tasks["doors"].ended["base"]
    assert ended.reasons == {"length": 2, "stop": 2, "content_filter": 1, "tool_calls": 1}
    assert "2 of 6 cut short" in (run.folder / "report.html").read_text()
    for shown in (result.output, (run.folder / "report.md").read_text()):
        assert "the reply ended with content_filter, no text" in shown
        assert "rate(base.cut)" in shown and "How replies ended" in shown


def test_an_empty_reply_is_no_refusal_and_never_right(here: Path) -> None:
    names = ("thinking", "thought", "filtered", "called", "broken")
    with serving(ending) as url:
        bench = write_bench(here, url, {name: [] for name in names})
        bakeoff("run", bench, "--no-mlflow")
    worst = {"exact_match": 0.0, "right_refusal": 0.0, "crag": -1.0}
    for row in latest().scores("doors", "base"):
        assert {name: score.value for name, score in row.scores.items()} == worst, row.sample
        assert all(score.reason.startswith("failed: ") for score in row.scores.values())


@pytest.mark.parametrize(
    ("said", "finish", "kept"),
    [
        ("<think>left or right</think>\nright", "stop", "right"),
        ("left or right</think> right", "stop", "right"),
        ("<think>left, or", "length", None),
        ("<think>left</think>", "stop", None),
        ("a < b, <think> is a tag", "stop", "a < b, <think> is a tag"),
    ],
)
def test_what_was_thought_in_the_text_is_no_answer(
    here: Path, said: str, finish: str, kept: str | None
) -> None:
    reply = {"choices": [{"message": {"content": said}, "finish_reason": finish}]}
    with serving(lambda _: reply) as url:
        bakeoff("run", write_bench(here, url, {"one": ["left"]}), "--no-mlflow")
    (record,) = latest().records("doors", "base")
    assert (record.answer and record.answer.text) == kept
    assert record.error is None or record.error.startswith("empty: ")


def test_an_ending_in_an_error_is_asked_again_and_never_cached(here: Path) -> None:
    asked: list[str] = []

    def once_broken(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body["messages"][-1]["content"])
        finish = "error" if len(asked) == 1 else "stop"
        return {"choices": [{"message": {"content": "left"}, "finish_reason": finish}]}

    with serving(once_broken) as url:
        bench = write_bench(here, url, {"one": ["left"]})
        for _ in range(2):
            assert bakeoff("run", bench, "--new", "--no-mlflow").exit_code == 0
    assert len(asked) == 2
    (record,) = latest().records("doors", "base")
    assert record.answer and record.answer.text == "left"
    assert record.answer.finish_reason == "stop"


RETURNS = {
    "text": "'left'",
    "answer": "Answer('left', finish_reason='length')",
    "nothing": "None",
    "mapping": "{'text': 'left'}",
    "bytes": "b'left'",
    "number": "7",
    "generator": "(part for part in ('left',))",
    "coroutine": "later()",
    "no_text": "Answer(None)",
    "no_passages": "Answer('left', passages=({'document': 'd', 'text': 't'},))",
}
BOT = """
from bakeoff.core.words import Answer

async def later():
    return 'left'

def answer(sample):
    return eval(RETURNS[sample.id])

async def waited(sample, task):
    return await later() + task.name

def leaves(sample):
    raise SystemExit(0)

def retrieves(sample):
    return [][0]

def spoken(sample):
    return "left"

def picks(sample, task):
    return {"doors": "left"}[task.name]
"""


def write_bot(folder: Path, name: str, ids: Iterable[str]) -> Path:
    (folder / "bot.py").write_text(f"RETURNS = {RETURNS!r}\n{BOT}")
    setups = {"ours": {"call": f"./bot.py::{name}"}}
    questions: dict[str, list[str]] = {sample: ["left"] for sample in ids}
    return write_bench(folder, "http://127.0.0.1:1/v1", questions, setups=setups)


def test_a_function_returns_a_text_or_an_answer_and_all_else_is_a_failure(here: Path) -> None:
    result = bakeoff("run", write_bot(here, "answer", RETURNS), "--no-mlflow")
    assert result.exit_code == 0, result.output
    records = {r.sample: r for r in latest().records("doors", "ours")}
    assert {name for name, record in records.items() if record.answer} == {"text", "answer"}
    assert records["answer"].outcome.finish_reason == "length"
    said = "returned a value of type dict: return a text or a bakeoff.Answer"
    assert records["mapping"].error == said
    assert records["no_text"].error == "returned an Answer with text: NoneType where str is needed"
    assert result.output.count(said) == 1


@pytest.mark.parametrize(
    ("returned", "error", "ended"),
    [
        (Answer("lef", finish_reason="MAX_TOKENS"), None, "length"),
        (Answer("left", finish_reason="error"), "ended in an error", "error"),
        (Answer("", finish_reason="length"), "empty: the reply ended with length", "length"),
        (Answer("left", steps=(Step("call", None, -5),)), "whole numbers of at least 0", ""),
        (Answer("left", steps=(Step("call", float("nan")),)), "seconds must be a number", ""),
    ],
)
def test_an_answer_of_a_function_says_how_it_ended_and_what_it_took(
    returned: Answer, error: str | None, ended: str
) -> None:
    read = outcome(returned, None)
    assert read.finish_reason == ended
    assert isinstance(read, Failure) == bool(error)
    assert not isinstance(read, Failure) or (error and error in read.error)


def test_the_table_of_refusals_agrees_with_the_scores_on_odd_answers(here: Path) -> None:
    said = {"dot": ".", "article": "the", "nothing": "", "known": "unknown", "refused": REFUSED}
    code = f"from bakeoff.core.words import Answer\nSAID = {said!r}\n"
    (here / "bot.py").write_text(code + "def answer(sample):\n    return SAID[sample.id]\n")
    setups = {"ours": {"call": "./bot.py::answer"}}
    bench = write_bench(here, "http://127.0.0.1:1/v1", {name: [] for name in said}, setups=setups)
    assert bakeoff("run", bench, "--no-mlflow").exit_code == 0
    run = latest()
    scored = run.columns["doors", "ours", "right_refusal"]
    by_sample = dict(zip(scored.samples, scored.values, strict=True))
    assert by_sample == {"dot": 0, "article": 0, "nothing": 1, "known": 1, "refused": 1}
    counts = run.comparison.tasks["doors"].abstention["ours"]
    assert (counts.cell("unanswerable", "refused").n, counts.failed) == (3, 0)
    assert counts.cell("unanswerable", "answered").n == 2


REFUSED = Answer("That goes against my rules.", finish_reason="refusal")


def test_an_async_function_is_awaited(here: Path) -> None:
    assert bakeoff("run", write_bot(here, "waited", ["a", "b"]), "--no-mlflow").exit_code == 0
    answers = [record.answer for record in latest().records("doors", "ours")]
    assert [answer and answer.text for answer in answers] == ["leftdoors", "leftdoors"]


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("def answer(sample):\n    raise SystemExit(0)\n", "it called sys.exit(0)"),
        ("import sys\nsys.exit()\nanswer = str\n", "it called sys.exit()"),
        ("def answer(sample:\n", "line 1: SyntaxError"),
        (
            "import no_such_thing\nanswer = str\n",
            "ModuleNotFoundError: No module named 'no_such_thing'",
        ),
        ("answer = 1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_code_that_leaves_or_breaks_ends_in_one_message(here: Path, code: str, named: str) -> None:
    bench = write_bot(here, "answer", ["a"])
    (here / "bot.py").write_text(code)
    result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 2
    assert named in result.output and "bot.py" in result.output
    assert "Traceback" not in result.output


def test_a_run_without_an_answer_of_a_setup_never_exits_with_0(here: Path) -> None:
    bench = write_bot(here, "retrieves", ["a", "b"])
    result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 12
    assert "ours: all 2 answers failed: IndexError: list index out of range" in result.output


@pytest.mark.parametrize(("limit", "code"), [(None, 12), (0.6, 0), (0.1, 10)])
def test_a_setup_that_fails_on_a_whole_task_passes_only_by_gates(
    here: Path, limit: float | None, code: int
) -> None:
    bench = write_bot(here, "picks", ["a", "b"])
    gates = [{"check": f"ours.error <= {limit}", "mode": "estimate"}] if limit else []
    spec = json.loads(bench.read_text()) | {"tasks": ["doors.yaml", "gates.yaml"], "gates": gates}
    bench.write_text(json.dumps(spec | {"policy": {"max_error_rate": 1.0}}))
    (here / "gates.yaml").write_text((here / "doors.yaml").read_text())
    result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == code, result.output
    assert "ours: all 2 answers on task gates failed: KeyError: 'gates'" in result.output


LEAVES = {
    "scorer": ({"scorers": ["./own.py::leaves"]}, "def leaves(sample, answer, context):"),
    "corpus": ({"corpora": {"notes": {"call": "./own.py::leaves"}}}, "def leaves():"),
    "rows": (
        {"rows": {"test": {"files": "rows.jsonl", "adapt": "./own.py::leaves"}}},
        "def leaves(rows):",
    ),
}


@pytest.mark.parametrize("part", LEAVES)
def test_a_function_of_a_task_that_leaves_ends_in_one_message(here: Path, part: str) -> None:
    bench = write_bot(here, "spoken", ["a"])
    fields, head = LEAVES[part]
    (here / "own.py").write_text(f"import sys\n{head}\n    sys.exit(0)\n")
    task = here / "doors.yaml"
    task.write_text(json.dumps(json.loads(task.read_text()) | fields))
    result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 2, result.output
    assert result.output.count("it called sys.exit(0)") == 1 and "own.py::leaves" in result.output


def test_a_retriever_of_the_users_that_leaves_ends_in_one_message(here: Path) -> None:
    bench = write_bench(here, "http://127.0.0.1:1/v1", {"a": ["left"]})
    (here / "own.py").write_text("def leaves(corpus):\n    raise SystemExit\n")
    (here / "notes.txt").write_text("The north door is left.")
    task = here / "doors.yaml"
    spec = json.loads(task.read_text()) | {"corpora": {"notes": {"documents": "*.txt"}}}
    task.write_text(json.dumps(spec))
    setups = {"rag": {"retrieve": {"retriever": "./own.py::leaves"}}}
    bench.write_text(json.dumps(json.loads(bench.read_text()) | {"setups": setups}))
    result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 2, result.output
    assert result.output.count("it called sys.exit()") == 1


def test_the_most_frequent_reason_of_failures_comes_first(here: Path) -> None:
    def reply(body: dict[str, Any]) -> Any:
        return 400 if "b" in body["messages"][-1]["content"].split()[-1] else ending(body)

    names = ("filtered", "b1", "b2")
    with serving(reply) as url:
        bench = write_bench(here, url, {name: ["left"] for name in names})
        result = bakeoff("run", bench, "--no-mlflow")
    first, second = latest().comparison.tasks["doors"].ended["base"].failures
    assert (first.n, first.text.split(":")[0]) == (2, "rejected (400)")
    assert (second.n, second.text.split(":")[0]) == (1, "empty")
    assert result.output.index(first.text) < result.output.index(second.text)


def unused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


@pytest.mark.parametrize("samples", [2, 100])
def test_a_service_that_is_not_there_stops_the_run_early(here: Path, samples: int) -> None:
    questions: dict[str, list[str]] = {f"q{n}": ["left"] for n in range(samples)}
    url = unused_url()
    bench = write_bench(here, url, questions)
    started = time.monotonic()
    result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 20
    assert "endpoints.house" in result.output and "cannot be reached: connection:" in result.output
    assert time.monotonic() - started < 20
    stopped = latest().folder
    with serving(lambda _: answer("left"), int(url.split(":")[2].removesuffix("/v1"))):
        assert bakeoff("run", bench, "--no-mlflow").exit_code == 0
    assert latest().folder == stopped


def test_a_moment_without_a_service_is_no_reason_to_stop(here: Path) -> None:
    """In the latency pass every sample is asked alone: one of them may fail to connect."""
    with closing(Client(Endpoint(url=unused_url(), attempts=1), None, "house")) as client:
        client.answered = True
        ((_, outcome),) = client.ask([Ask(0, "/chat/completions", {})], read_completion)
    assert isinstance(outcome, Failure) and outcome.error.startswith("connection: ")


@pytest.mark.parametrize("stream", ["never", "always"])
def test_a_reply_has_a_limit_of_size(here: Path, stream: str) -> None:
    with serving(lambda _: answer("left " * (REPLY_BYTES // 5))) as url:
        bench = write_bench(here, url, {"one": ["left"], "two": ["left"]})
        bench.write_text(bench.read_text().replace('"never"', f'"{stream}"'))
        result = bakeoff("run", bench, "--no-mlflow")
    assert "unreadable: the reply is larger than 32 MiB" in result.output
    assert result.exit_code == 12


@pytest.mark.parametrize("stream", ["never", "latency"])
def test_a_server_that_does_not_stream_is_timed_as_a_whole(here: Path, stream: str) -> None:
    with serving(lambda _: answer("left")) as url:
        bench = write_bench(here, url, {"one": ["left"], "two": ["left"]})
        text = bench.read_text().replace('"never"', f'"{stream}"')
        written = json.loads(text) | {"latency": {"samples": 2, "warmup": 0}}
        bench.write_text(json.dumps(written))
        result = bakeoff("run", bench, "--no-mlflow")
    assert result.exit_code == 0, result.output
    timed = latest().comparison.tasks["doors"].latency
    assert timed is not None
    times = timed.setups["base"]
    assert (times.n, times.failed) == (2, 0)
    assert times.quantiles["p50"].value is not None and times.quantiles["p50"].value > 0
    assert (times.first_token_s, times.prefill_s, times.decode_s) == (None, None, None)
    assert times.tokens_per_s is not None and times.tokens_per_s > 0
