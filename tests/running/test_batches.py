"""A batch service that a function stands in for: files go out, files come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.testing import Reply, Request, completion, fake_endpoint
from forks import Disturbed, Forks

BENCH = "benchmarks/trees.yaml"
TASK = """
description: Trees.
rows: {test: trees.jsonl}
corpora: {notes: {documents: "notes/*.md"}}
refusal: {say: unknown}
scorers: [contains, token_f1]
"""
BENCHMARK = """
model: served:small
endpoints:
  served: {url: "URL", api_key_env: NO_SUCH_KEY, price: {prompt: 2.0, completion: 8.0}}
retrieve: {retriever: bm25, k: 1}
tasks: [trees]
setups:
  base: {}
  same: {}
  rag: {retrieve: true}
latency: {samples: 4}
"""
TREES = ["larch", "alder", "rowan", "hazel"]


def reply(asked: Request) -> Reply:
    """Right with the note before it; a cut text for hazel, an error for rowan."""
    prompt = asked.body["messages"][-1]["content"]
    if "rowan" in prompt:
        return Reply({"error": {"message": "the text is not allowed"}}, 400)
    if "hazel" in prompt:
        return completion("It is the", "length", (20, 3))
    return completion("9 metres" if "metres" in prompt else "tall", tokens=(30, 2))


def sent(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def serve(folder: Path) -> None:
    """What the service makes of `out.jsonl`: a file of results, a file of errors."""
    lines: dict[bool, list[str]] = {True: [], False: []}
    for request in reversed(sent(folder)):
        made = reply(Request(request["url"], {}, request["body"]))
        response = {"status_code": made.status, "request_id": "x", "body": made.body}
        line = {"custom_id": request["custom_id"], "response": response, "error": None}
        lines[made.status == 200].append(json.dumps(line))
    (folder / "results.jsonl").write_text("\n".join(lines[True]) + "\n")
    (folder / "errors.jsonl").write_text("\n".join(lines[False]) + "\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    notes = tmp_path / "tasks" / "notes"
    notes.mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    rows = []
    for tree in TREES:
        (notes / f"{tree}.md").write_text(f"The {tree} is 9 metres high.")
        row = {"id": tree, "question": f"How high is the {tree}?", "targets": ["9 metres"]}
        rows.append(json.dumps(row | {"gold": [tree]}))
    (tmp_path / "tasks" / "trees.jsonl").write_text("\n".join(rows))
    (tmp_path / "tasks" / "trees.yaml").write_text(TASK)
    # Nobody answers there: what is asked live fails.
    (tmp_path / BENCH).write_text(BENCHMARK.replace("URL", "http://127.0.0.1:9/v1"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    return tmp_path


def bakeoff(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def written(project: Path) -> Result:
    done = bakeoff("batch", "write", BENCH, "--output", "out.jsonl", "--no-cache")
    assert done.exit_code == 0, done.output
    serve(project)
    return done


def read(*files: str) -> Result:
    return bakeoff("batch", "read", BENCH, *files, "--no-cache", "--no-mlflow")


def runs(project: Path) -> Iterator[Run]:
    return map(Run, sorted((project / "results" / "trees").glob("*/")))


def answers(run: Run) -> dict[tuple[str, str], Any]:
    """(setup, sample) -> the outcome of every cell."""
    setups = run.asked["trees"]
    return {(s, r.sample): r.outcome for s in setups for r in run.records("trees", s)}


def test_a_batch_gives_what_the_endpoint_gives_at_its_own_price(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = written(project)
    # `base` and `same` ask the same.
    assert "requests: out.jsonl (8, for 12 answers)" in done.output
    requests = sent(project)
    assert {(r["method"], r["url"]) for r in requests} == {("POST", "/v1/chat/completions")}
    assert len({r["custom_id"] for r in requests}) == 8
    assert {r["body"]["model"] for r in requests} == {"small"}
    assert not any("stream" in r["body"] for r in requests)
    done = read("results.jsonl", "errors.jsonl")
    assert done.exit_code == 0, done.output

    monkeypatch.setenv("NO_SUCH_KEY", "k")
    with fake_endpoint(reply) as endpoint:
        (project / BENCH).write_text(BENCHMARK.replace("URL", endpoint.url))
        live = bakeoff("run", BENCH, "--no-cache", "--no-mlflow")
    assert live.exit_code == 0, live.output
    batched, asked = runs(project)
    assert answers(batched) == answers(asked)
    for setup in ("base", "same", "rag"):
        cheap, dear = batched.manifest.spent[setup], asked.manifest.spent[setup]
        assert cheap.prompt_tokens == dear.prompt_tokens > 0
        assert cheap.requests == dear.requests == 4
        assert cheap.failed == dear.failed == {"rejected": 1}
        assert cheap.cost == pytest.approx(dear.cost / 2) and dear.cost > 0
    assert batched.manifest.command == f"bakeoff batch read {BENCH}"
    assert not batched.comparison.tasks["trees"].latency
    assert asked.comparison.tasks["trees"].latency


def test_results_that_are_missing_repeated_or_foreign_are_told(project: Path) -> None:
    written(project)
    done = read("results.jsonl")
    assert done.exit_code == 2
    assert "results.jsonl: no result of 2 of 8 requests, such as bakeoff-" in done.output
    assert not (project / "results").exists() or not list(runs(project))
    results = (project / "results.jsonl").read_text()
    foreign = json.dumps({"custom_id": "theirs", "response": {"status_code": 200, "body": {}}})
    first = results.split("\n")[0]
    (project / "more.jsonl").write_text(f"{first}\n{foreign}\n")
    done = read("results.jsonl", "errors.jsonl", "more.jsonl")
    assert done.exit_code == 0, done.output
    assert "answered twice: 1 request; the first reply counts" in done.stderr
    assert "left out: 1 result of requests that this benchmark does not make" in done.stderr


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"response": None, "error": {"code": "batch_expired", "message": "too late"}}, "too late"),
        ({"response": {"status_code": 200, "body": {"choices": []}}}, "unreadable: "),
        ({}, "batch: no response"),
        ({"response": {"status_code": 500, "body": "oh"}}, "rejected (500): oh"),
    ],
)
def test_a_result_without_an_answer_is_that_samples_failure(
    project: Path, line: dict[str, Any], reason: str
) -> None:
    written(project)
    lines = [{"custom_id": r["custom_id"], **line} for r in sent(project)]
    (project / "results.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = read("results.jsonl")
    assert done.exit_code == 12, "every answer failed"
    (run,) = runs(project)
    assert all(reason in outcome.error for outcome in answers(run).values())


def test_files_that_are_no_results_are_named_with_their_lines(project: Path) -> None:
    written(project)
    (project / "odd.jsonl").write_text('{"custom_id": "a"}\nnothing\n{"id": 3}\n')
    done = read("odd.jsonl")
    assert done.exit_code == 2
    assert "odd.jsonl: line 2: not a batch result" in done.output
    assert "odd.jsonl: line 3: not a batch result" in done.output


def test_secrets_and_judges_at_the_batch_price_are_refused(project: Path) -> None:
    secret = BENCHMARK.replace("price:", "extra: {user: '${WHO}'}, price:")
    (project / BENCH).write_text(secret.replace("URL", "http://127.0.0.1:9/v1"))
    done = bakeoff("batch", "write", BENCH, "--output", "out.jsonl")
    assert done.exit_code == 2
    assert "endpoints.served.extra: ${WHO} would be in the batch file" in done.output
    (project / BENCH).write_text(BENCHMARK.replace("URL", "http://127.0.0.1:9/v1"))
    task = project / "tasks" / "trees.yaml"
    task.write_text(TASK.replace("token_f1", "judged_correct(verifier='served:small')"))
    written(project)
    done = read("results.jsonl", "errors.jsonl")
    assert done.exit_code == 2
    assert "give the judge an endpoint of its own, with its own price" in done.output


def test_answers_of_a_batch_are_in_the_cache_afterwards(project: Path) -> None:
    assert bakeoff("batch", "write", BENCH, "--output", "out.jsonl").exit_code == 0
    serve(project)
    command = ("batch", "read", BENCH, "results.jsonl", "errors.jsonl", "--no-mlflow")
    assert bakeoff(*command).exit_code == 0
    again = bakeoff("batch", "write", BENCH, "--output", "rest.jsonl")
    assert "rest.jsonl (2, for 3 answers)" in again.output, "what failed is asked again"


@pytest.mark.slow
def test_a_kill_while_results_are_read_loses_and_doubles_nothing(
    project: Path, forks: Forks
) -> None:
    written(project)
    command = ("batch", "read", BENCH, "results.jsonl", "errors.jsonl", "--no-cache", "--no-mlflow")
    done = forks(project, *command)
    assert done.code == 0, done.said
    (undisturbed,) = runs(project)
    expected = answers(undisturbed), undisturbed.manifest.spent
    for number in range(1, done.events, 9):
        (project / "results").rename(project / f"before-{number}")
        killed = forks(project, *command, how=Disturbed(kill_at=number))
        if killed.code == 0 and killed.events < number:
            continue  # threads: this time it had fewer events
        assert killed.code == -9, killed.said
        assert forks(project, *command).code == 0
        (run,) = runs(project)
        assert run.manifest.complete
        assert answers(run) == expected[0], number
        for setup, spent in run.manifest.spent.items():
            assert spent.cost == expected[1][setup].cost, number


def result(request: dict[str, Any], text: str = "", error: str = "") -> str:
    body = completion(text).body
    response = None if error else {"status_code": 200, "body": body}
    stated = {"message": error} if error else None
    line = {"custom_id": request["custom_id"], "response": response, "error": stated}
    # As some services write them: signs that Python takes for ends of lines stand as they are.
    return json.dumps(line, ensure_ascii=False)


def test_line_separators_in_answers_end_no_line(project: Path) -> None:
    written(project)
    text = "9 metres\u2028tall\x85 and green"
    lines = "\r\n".join(result(request, text) for request in sent(project))
    (project / "results.jsonl").write_bytes(f"\ufeff{lines}\r\n".encode())
    assert read("results.jsonl").exit_code == 0
    (run,) = runs(project)
    assert {answer.text for answer in answers(run).values()} == {text}


def test_requests_in_the_place_of_results_are_refused(project: Path) -> None:
    written(project)
    done = read("out.jsonl")
    assert done.exit_code == 2
    assert "out.jsonl: line 1: not a batch result" in done.output
    assert not (project / "results").exists()


def test_a_reply_counts_before_an_earlier_error_of_the_same_request(project: Path) -> None:
    written(project)
    failed = [result(request, error="expired") for request in sent(project)]
    (project / "errors.jsonl").write_text("\n".join(failed))
    later = [result(request, "9 metres") for request in sent(project)]
    (project / "later.jsonl").write_text("\n".join(later))
    done = read("errors.jsonl", "later.jsonl")
    assert done.exit_code == 0, done.output
    assert "answered twice: 8 requests; the first reply counts" in done.output
    (run,) = runs(project)
    assert {answer.text for answer in answers(run).values()} == {"9 metres"}


def test_the_folder_of_a_batch_file_is_made(project: Path) -> None:
    done = bakeoff("batch", "write", BENCH, "--output", "deep/er/out.jsonl", "--no-cache")
    assert done.exit_code == 0, done.output
    assert len((project / "deep" / "er" / "out.jsonl").read_text().splitlines()) == 8
