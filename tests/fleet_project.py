"""A small benchmark that several workers answer, and what its runs come to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from bakeoff.analysis.measured_run import Run
from bakeoff.cli.app import main
from bakeoff.core.words import Record
from bakeoff.runs import store
from bakeoff.runs.store import Unit
from bakeoff.testing import Reply, Request, completion, fake_endpoint

N = 40
BOT = """
import os, pathlib, signal, time
HERE = pathlib.Path("FOLDER")

def answer(sample):
    return "w" + sample.id[1:] if sample.id != "q3" else "no"

def slow(sample):
    time.sleep(0.02)
    with (HERE / "asked").open("a") as stream:
        stream.write(sample.id + "\\n")
    return answer(sample)

def timed(sample):
    began = time.time()
    time.sleep(0.02)
    marks = HERE / "times"
    deadly = (HERE / "mortal").exists() and marks.exists()
    if deadly and len(marks.read_text().splitlines()) == 44:
        (HERE / "mortal").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    with (HERE / "times").open("a") as stream:
        stream.write(f"{os.getpid()} {began} {time.time()}\\n")
    return answer(sample)

def where(sample):
    with (HERE / "where").open("a") as stream:
        stream.write(f"{__file__}\\n")
    return answer(sample)

def waiting(sample):
    while not (HERE / "go").exists():
        time.sleep(0.02)
    return answer(sample)

def mortal(sample):
    if sample.id == "q7" and not (HERE / "died").exists():
        (HERE / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(sample)

def poisoned(sample):
    if sample.id == "q7":
        os._exit(3)
    return answer(sample)
"""
TASK = "description: Words.\nrows: {test: rows.jsonl}\nscorers: [exact_match]\n"
BENCHMARK = """
tasks: [tasks/words.yaml]
setups: SETUPS
latency: {samples: LATENCY, warmup: 1}
"""


def project(folder: Path, setups: str, more: str = "", n: int = N, latency: int = 0) -> Path:
    """A benchmark of so many questions; its file."""
    rows = [{"id": f"q{i}", "question": f"word {i}?", "targets": [f"w{i}"]} for i in range(n)]
    (folder / "tasks").mkdir()
    (folder / "tasks" / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "tasks" / "words.yaml").write_text(TASK)
    (folder / "bot.py").write_text(BOT.replace("FOLDER", str(folder)))
    file = folder / "words.yaml"
    written = BENCHMARK.replace("SETUPS", setups).replace("LATENCY", str(latency))
    file.write_text(written + more)
    return file


def run_on(folder: Path, where: str, code: int = 0) -> Run:
    """A run of the project's benchmark, carried out there."""
    done = CliRunner().invoke(
        main,
        ["run", str(folder / "words.yaml"), "--no-mlflow", "--on", where, "--no-cache"],
        env={
            "BAKEOFF_RESULTS": str(folder / f"results-{where.partition(':')[0]}"),
            "BAKEOFF_CACHE": str(folder / "cache"),
        },
    )
    assert done.exit_code == code, done.output
    return newest(folder, where)


def newest(folder: Path, where: str) -> Run:
    results = folder / f"results-{where.partition(':')[0]}"
    return Run(sorted(path.parent for path in results.glob("*/*/manifest.json"))[-1])


def records(run: Run) -> list[Record]:
    """All that the quality pass gave, in an order of its own."""
    units = [Unit(task, setup) for task, setups in run.asked.items() for setup in setups]
    every = [record for unit in units for record in store.read_records(run.folder, unit)]
    return sorted(every, key=lambda record: record.key)


def comparison(run: Run) -> Any:
    return json.loads((run.folder / "comparison.json").read_text())


def reply(request: Request) -> Reply:
    if "question" in request.body:
        return Reply({"answer": f"w{request.body['question'].split()[1][:-1]}"})
    return completion(f"w{request.body['messages'][-1]['content'].split()[1][:-1]}")


TUNED = """
dtype: float32
batch_tokens: 600
retrieve: {retriever: bm25, k: 1}
tune: {epochs: 1, rank: 2, batch_size: 8}
endpoints: {}
"""


def small_model(folder: Path, cache: Path) -> None:
    """A network of two thin layers that knows nothing, with the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    (known,) = (path.parent for path in (cache / "models").glob("SmolLM2-135M*/tokenizer.json"))
    tokenizer = AutoTokenizer.from_pretrained(known)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
    torch.manual_seed(1)
    network = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **shape, **heads, **ends))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def tuned_project(folder: Path, cache: Path) -> None:
    """Base, tuned and retrieving setups of a small model in float32; its cache holds nothing."""
    small_model(folder / "model", cache)
    setups = "base: {}, rag: {retrieve: true}, tuned: {tune: true}"
    project(
        folder,
        f"{{{setups}, hybrid: {{tune: true, retrieve: true}}}}",
        f"model: {folder / 'model'}\n{TUNED}",
        24,
    )
    rows = [
        {"question": f"which word has number {i}?", "targets": [f"w{i}"]} for i in range(50, 70)
    ]
    taught = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "tasks" / "taught.jsonl").write_text(taught)
    (folder / "tasks" / "words.md").write_text("# Words\n\nThe words are numbered.\n")
    (folder / "tasks" / "words.yaml").write_text(
        TASK.replace("rows.jsonl}", "rows.jsonl, train: taught.jsonl}")
        + "max_tokens: 4\ncorpora: {all: {documents: words.md}}\n"
    )


def taught_project(folder: Path, cache: Path, processes: int = 1) -> None:
    """Setups that are trained with a model that rewords, with files, with a scorer of the task.

    The one with files by so many processes.
    """
    tuned_project(folder, cache)
    small_model(folder / "writer", cache)
    tasks, file = folder / "tasks", folder / "words.yaml"
    (tasks / "reworded.jsonl").write_text('{"document": "words", "text": "Words have numbers."}\n')
    (tasks / "own.py").write_text(
        "from bakeoff import scorer\n\n\n@scorer(version=1, bounds=(0, 1))\n"
        "def any_words(sample, answer, context):\n    return 1.0\n"
    )
    task = (tasks / "words.yaml").read_text()
    scorers = "headline: own.py::any_words\nscorers: ['own.py::any_words', exact_match]"
    (tasks / "words.yaml").write_text(task.replace("scorers: [exact_match]", scorers))
    known = file.read_text()
    learns = "{cpt: {paraphrases: 1, paraphraser: %s}}"
    setups = (
        f"base: {{}}, told: {{tune: {learns % (folder / 'writer')}}}, "
        f"supplied: {{tune: {{processes: {processes}, {(learns % 'reworded*.jsonl')[1:]}}}, "
        "pupil: {tune: {distill: {teacher: base}}}"
    )
    begin, end = known.index("setups: {") + 9, known.index("}}\nlatency") + 1
    file.write_text(known[:begin] + setups + known[end:])


def bfloat16_project(folder: Path, cache: Path) -> None:
    """Eight questions to the embedded model in bfloat16, in several batches.

    Where bfloat16 is emulated, to a small model: the other one takes more than a minute there.
    """
    from bakeoff.models.device import native_dtypes

    more = "dtype: {force: bfloat16}\nbatch_tokens: 256\nbatch_check: 0\n"
    if not native_dtypes()["bfloat16"]:
        small_model(folder / "model", cache)
        more += f"model: {folder / 'model'}\n"
    project(folder, "{base: {}}", more, 8)
    (folder / "tasks" / "words.yaml").write_text(f"{TASK}max_tokens: 4\n")
    (folder / "cache").mkdir()
    (folder / "cache" / "models").symlink_to(cache / "models", target_is_directory=True)


def limits_hold(folder: Path, where: str) -> Run:
    """A run over its limit of money: four requests at once at most, and what was under way.

    That is two requests for each place: the one in flight, and the one before it, whose reply has
    come and is handed over with the next note.
    """
    together = []
    now = [0]

    def script(request: Request) -> Reply:
        now[0] += 1
        together.append(now[0])
        time.sleep(0.02)
        now[0] -= 1
        return completion("w1", tokens=(500_000, 500_000))

    with fake_endpoint(script) as server:
        project(
            folder,
            '{served: {model: "here:m"}}',
            f"endpoints: {{here: {{url: {server.url}/v1, concurrency: 4, "
            "price: {prompt: 1, completion: 1}}}\nlimits: {cost: 10}\n",
            40,
        )
        run = run_on(folder, where, 20)
    assert max(together) <= 4
    assert 11 <= len(records(run)) <= len(together) <= 11 + 2 * 4
    return run
