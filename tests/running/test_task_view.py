"""A task shown as it was understood, and its prompts as a model gets them."""

from __future__ import annotations

import re
from pathlib import Path

from bakeoff.testing import completion, fake_endpoint
from conftest import Cli, write_project

BENCHMARK = """
endpoints: {{fake: {{url: "{url}/v1", concurrency: 1}}}}
model: "fake:m"
retrieve: {{k: 1, retriever: bm25, chunk_words: 40, overlap_words: 8}}
tasks: [tiny]
setups:
  base: {{}}
  rag: {{retrieve: true}}
latency: {{samples: 0}}
"""


def shown_prompts(text: str) -> dict[str, str]:
    """Kind of prompt -> its text, of what the command printed."""
    parts = re.split(r"\n  (closed book|open book|tuned): .*\n  \(.*\)\n\n", text)
    blocks = zip(parts[1::2], parts[2::2], strict=True)
    return {
        kind: "\n".join(line.removeprefix("  | ") for line in block.rstrip("\n").split("\n"))
        for kind, block in blocks
    }


def by_role(messages: list[dict[str, str]]) -> str:
    return "\n".join(f"{part['role']}:\n{part['content']}\n" for part in messages).rstrip("\n")


def test_the_prompts_are_those_that_a_model_gets(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path)
    with fake_endpoint(lambda _: completion("6.40")) as endpoint:
        (tmp_path / "benchmarks" / "tiny.yaml").write_text(BENCHMARK.format(url=endpoint.url))
        ran = cli("run", "benchmarks/tiny.yaml", "--no-mlflow", "--no-cache", cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        asked = [by_role(request.body["messages"]) for request in endpoint.asked]
    shown = cli("tasks", "tiny", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    prompts = shown_prompts(shown.stdout)
    assert set(prompts) == {"closed book", "open book"}
    assert prompts["closed book"] in asked
    assert prompts["open book"] in asked
    assert "[1] The barrow: " in prompts["open book"]


def test_rows_documents_and_own_scorers_are_counted_and_listed(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path)
    task = tmp_path / "tasks" / "tiny.yaml"
    task.write_text(task.read_text().replace("[contains", '["../bot.py::short", contains'))
    (tmp_path / "bot.py").write_text(
        'def short(sample, answer, context):\n    """1 when it is short."""\n    return True\n'
    )
    shown = cli("tasks", "tiny", cwd=tmp_path, BAKEOFF_CACHE=str(tmp_path / "empty"))
    assert shown.returncode == 0, shown.stderr
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["test", "3", "2", "1", "2", "-"] in rows
    assert ["train", "4", "3", "1", "3", "-"] in rows
    assert ["notes", "2", "27", "2", "barrow,", "gate"] in rows
    assert "1 when it is short." in shown.stdout
    assert "the model is not fetched yet (bakeoff models fetch)" in shown.stdout
    assert "passages by bm25: the embedder is not fetched yet" in shown.stdout
    assert shown_prompts(shown.stdout)["tuned"].endswith("assistant:\n140 kilos")
    listed = cli("tasks", cwd=tmp_path)
    assert "../bot.py::short" in listed.stdout
    assert "Own scorers" in listed.stdout


def test_an_unknown_scorer_or_task_is_answered_with_the_nearest(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path)
    task = tmp_path / "tasks" / "tiny.yaml"
    task.write_text(task.read_text().replace("[contains", "[containz"))
    done = cli("tasks", "tiny", cwd=tmp_path)
    assert done.returncode == 2
    assert "no scorer named 'containz'; did you mean 'contains'" in done.stderr
    assert len(done.stderr) < 300
    done = cli("tasks", "tinny", cwd=tmp_path)
    assert (done.returncode, "no name in tasks; did you mean 'tiny'?" in done.stderr) == (2, True)
