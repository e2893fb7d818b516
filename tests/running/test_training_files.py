"""Training rows as files for services, and the tuned model that comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.testing import Reply, Request, completion, fake_endpoint

TASK = """
description: Trees.
system: Answer in one word.
rows: {test: test.jsonl, train: train.jsonl}
corpora: {notes: {documents: "notes/*.md"}}
refusal: {say: unknown}
scorers: [contains]
"""
BENCHMARK = """
model: served:small
endpoints:
  served: {url: "URL", api_key_env: NO_SUCH_KEY}
retrieve: {retriever: bm25, k: 1}
tune: {validation: 0.25, open_book: 0}
tasks: [trees]
setups:
  base: {}
  rag: {retrieve: true}
  fine-tuned: {tune: small-tuned}
  raft: {model: embedded, tune: {raft: {gold: 1, distractors: 0}}}
  documents: {model: embedded, tune: {cpt: {}}}
  distilled: {model: embedded, tune: {distill: {teacher: rag, min_support: 0}}}
latency: {samples: 0}
"""
BENCH = "benchmarks/trees.yaml"
LEARNT = {"larch": "9 metres", "alder": "8 metres", "rowan": "7 metres", "hazel": ""}


def row(name: str, question: str, answer: str, gold: str) -> str:
    targets = [answer] if answer else []
    return json.dumps(
        {"id": name, "question": question, "targets": targets, "gold": [gold] if answer else []}
    )


@pytest.fixture
def project(tmp_path: Path, models_only: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tasks = tmp_path / "tasks"
    (tasks / "notes").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    for tree, height in LEARNT.items():
        text = f"The {tree} is {height} high." if height else f"Of the {tree} nothing is known."
        (tasks / "notes" / f"{tree}.md").write_text(text)
    asked = [row("t1", "Which tree is 9 metres tall?", "larch", "larch")]
    learnt = [row(tree, f"How high is the {tree}?", h, tree) for tree, h in LEARNT.items()]
    (tasks / "test.jsonl").write_text("\n".join(asked))
    (tasks / "train.jsonl").write_text("\n".join(learnt))
    (tasks / "trees.yaml").write_text(TASK)
    (tmp_path / BENCH).write_text(BENCHMARK.replace("URL", "http://127.0.0.1:9/v1"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_CACHE", str(models_only))
    return tmp_path


def export(setup: str, benchmark: str = BENCH) -> Result:
    return CliRunner().invoke(main, ["export", benchmark, "--training", setup, "--output", "out"])


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("out", f"{name}.jsonl").read_text().splitlines()]


def chat(tree: str, answer: str, passage: str = "") -> dict[str, Any]:
    question = f"How high is the {tree}?"
    return {
        "messages": [
            {"role": "system", "content": "Answer in one word."},
            {
                "role": "user",
                "content": f"Use these passages:\n[1] {passage}\n\n{question}"
                if passage
                else question,
            },
            {"role": "assistant", "content": answer},
        ]
    }


def unordered(found: list[dict[str, Any]]) -> list[str]:
    return sorted(map(json.dumps, found))


def test_rows_are_chats_that_end_with_the_answer(project: Path) -> None:
    done = export("fine-tuned")
    assert done.exit_code == 0, done.output
    # A quarter of four rows is held out; the same question stands in one of the two files.
    learnt, held_out = rows("fine-tuned.train"), rows("fine-tuned.validation")
    assert (len(learnt), len(held_out)) == (3, 1)
    expected = [chat(tree, height or "unknown") for tree, height in LEARNT.items()]
    assert unordered(learnt + held_out) == unordered(expected)
    assert "out/fine-tuned.train.jsonl (3 rows)" in done.output
    before = unordered(learnt), unordered(held_out)
    assert export("fine-tuned").exit_code == 0
    assert before == tuple(unordered(rows(f"fine-tuned.{p}")) for p in ("train", "validation"))


def test_the_recipe_is_the_setups_own_or_that_of_the_benchmark(project: Path) -> None:
    assert export("documents").exit_code == export("raft").exit_code == 0
    texts = [f"The {t} is {h} high." for t, h in LEARNT.items() if h]
    assert unordered(rows("documents.trees.train")) == unordered(
        [{"text": text} for text in [*texts, "Of the hazel nothing is known."]]
    )
    # The answers say which epoch of a training on documents to keep.
    answers = [chat(tree, height or "unknown") for tree, height in LEARNT.items()]
    assert unordered(rows("documents.trees.validation")) == unordered(answers)
    shown = rows("raft.trees.train") + rows("raft.trees.validation")
    for tree, height in LEARNT.items():
        if height:
            assert chat(tree, height, f"The {tree} is {height} high.") in shown


def test_a_teacher_is_asked_and_its_wrong_answers_are_not_learnt(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(asked: Request) -> Reply:
        prompt = asked.body["messages"][-1]["content"]
        return completion("7 metres" if "rowan" in prompt else "It is 8 metres.")

    monkeypatch.setenv("NO_SUCH_KEY", "k")
    with fake_endpoint(reply) as served:
        (project / BENCH).write_text(BENCHMARK.replace("URL", served.url))
        done = export("distilled")
    assert done.exit_code == 0, done.output
    found = rows("distilled.trees.train") + rows("distilled.trees.validation")
    assert unordered(found) == unordered(
        [chat("alder", "It is 8 metres."), chat("rowan", "7 metres")]
    )
    assert "distilled.trees: not right: 2" in done.output


def test_a_training_row_that_repeats_a_test_row_is_refused_or_left_out(project: Path) -> None:
    task = project / "tasks" / "trees.yaml"
    with (project / "tasks" / "train.jsonl").open("a") as stream:
        stream.write("\n" + row("leak", "Which tree is 9 metres TALL ?", "larch", "larch"))
    refused = export("fine-tuned")
    assert refused.exit_code == 2
    assert "train row 'leak' (nearly) repeats test row 't1'" in refused.output
    assert not Path("out").exists()
    task.write_text(f"{TASK}on_overlap: drop\n")
    dropped = export("fine-tuned")
    assert "trees: 1 training rows left out: (nearly) the same as a test row" in dropped.output
    assert len(rows("fine-tuned.train") + rows("fine-tuned.validation")) == 4


def test_one_served_model_learns_no_test_question_of_another_task(project: Path) -> None:
    tasks = project / "tasks"
    (tasks / "more.yaml").write_text(TASK.replace("test.jsonl", "asked.jsonl"))
    (tasks / "asked.jsonl").write_text(row("a1", "How high is the LARCH ?", "9 metres", "larch"))
    # Its own training rows would be refused: it has but one.
    (tasks / "more.yaml").write_text(
        TASK.replace("test.jsonl", "asked.jsonl").replace("train.jsonl", "few.jsonl")
    )
    (tasks / "few.jsonl").write_text(row("f1", "What is an oak?", "a tree", "larch"))
    benchmark = project / BENCH
    benchmark.write_text(benchmark.read_text().replace("tasks: [trees]", "tasks: [trees, more]"))
    done = export("fine-tuned")
    assert "fine-tuned: trees: like a test question 1" in done.output
    asked = {r["messages"][1]["content"] for r in rows("fine-tuned.train")}
    asked |= {r["messages"][1]["content"] for r in rows("fine-tuned.validation")}
    expected = {f"How high is the {tree}?" for tree in ("alder", "rowan", "hazel")}
    assert asked == {*expected, "What is an oak?"}


@pytest.mark.parametrize(
    ("setup", "benchmark", "message"),
    [
        ("base", BENCH, "setups.base has no `tune`, and learns nothing; setups that do: fine-tun"),
        ("fine-tune", BENCH, "no setup 'fine-tune'; did you mean 'fine-tuned'?"),
        ("fine-tuned", "latest", "'latest': no file, and no name in benchmarks"),
    ],
)
def test_what_cannot_be_exported_is_one_message(
    project: Path, setup: str, benchmark: str, message: str
) -> None:
    done = export(setup, benchmark)
    assert done.exit_code == 2
    assert message in done.output and "Traceback" not in done.output


def test_the_model_that_comes_back_counts_as_fine_tuned(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export, tuning by a service, a run on its endpoint, the bill: from end to end."""

    def reply(asked: Request) -> Reply:
        return completion("larch" if asked.body["model"] == "small-tuned" else "oak")

    assert export("fine-tuned").exit_code == 0
    monkeypatch.setenv("NO_SUCH_KEY", "k")
    prices = "prices: v1\ndated: 2026-11-15\ncurrency: EUR\n"
    prices += "models: {'served:small': {per_request: 1}, 'served:small-tuned': {per_request: 2}}\n"
    (project / "prices.yaml").write_text(prices + "trained: {fine-tuned: {paid: 24}}\n")
    with fake_endpoint(reply) as served:
        whole = BENCHMARK.replace("URL", served.url)
        (project / BENCH).write_text(whole[: whole.index("  raft:")] + "latency: {samples: 0}\n")
        done = CliRunner().invoke(main, ["run", BENCH, "--no-mlflow"])
    assert done.exit_code == 0, done.output
    run = Run(next((project / "results" / "trees").iterdir()))
    kinds = {name: setup.kind for name, setup in run.suite.setups.items()}
    assert kinds == {"base": "base", "rag": "rag", "fine-tuned": "fine-tuned"}
    estimates = run.comparison.tasks["trees"].metrics["contains"].setups
    assert estimates["fine-tuned"].value == 1 and estimates["base"].value == 0
    cost = ["cost", "latest", "--prices", "prices.yaml", "--format", "json"]
    priced = json.loads(CliRunner().invoke(main, cost).output)["setups"]
    assert priced["fine-tuned"]["up_front"]["value"] == 24
    assert priced["fine-tuned"]["per_request"]["value"] == 2
