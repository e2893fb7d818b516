"""Engines: servers that bakeoff starts, waits for, watches, starts again and stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from jinja2 import TemplateError

from bakeoff.analysis.treatment import treatment
from bakeoff.core.words import BakeoffError, Decoding
from bakeoff.models.engine import Engine, EngineDown, EngineModel, Lodging
from bakeoff.models.engine_program import version_of
from bakeoff.models.templates import ChatTemplate
from bakeoff.models.weights import Weights
from bakeoff.running.doctor import engines
from bakeoff.runs import store
from bakeoff.setups.builder import local_dtype
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.engines import ENGINES, EngineKind, EngineSpec
from conftest import Cli, write_project

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("engine_server.py")
START = f"{sys.executable} {SCRIPT} --port {{port}} --model {{model}} --name {{name}}"
CHATS = [[{"role": "user", "content": f"question {n}"}] for n in range(6)]


class Notes:
    """A progress that keeps its notes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def show(self, table: Any) -> None: ...

    def start(self, unit: str, total: int | None = None) -> None:
        raise AssertionError("an engine starts inside the units of others")

    def advance(self, count: int = 1, figures: str = "") -> None: ...

    def finish(self) -> None: ...


class Written:
    """A tokenizer whose template writes what the turns say; a word's token is its length."""

    chat_template = "given"
    eos_token_id = 7
    unk_token_id = bos_token_id = None
    added_tokens_decoder: ClassVar[dict[int, Any]] = {}

    def __call__(self, text: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(input_ids=[len(word) for word in text.split()])

    def apply_chat_template(self, chat: list[dict[str, str]], **_: Any) -> str:
        return "\n".join(turn["content"] for turn in chat)


class Refusing(Written):
    """A tokenizer whose template has no system role."""

    def apply_chat_template(self, chat: list[dict[str, str]], **_: Any) -> str:
        if any(turn["role"] == "system" for turn in chat):
            raise TemplateError("System role not supported")
        return super().apply_chat_template(chat)


@contextmanager
def running(
    folder: Path, *more: str, adapters: int = 0, template: Written | None = None, **fields: Any
) -> Iterator[Engine]:
    """An engine of the script, started."""
    command = [*START.split(), "--log", str(folder / "log"), *more]
    spec = EngineSpec.model_validate({"command": command, "concurrency": 1, **fields})
    engine = Engine(
        spec=spec,
        weights=Weights("w", folder, "d1ge57"),
        dtype="float32",
        lodging=Lodging(adapters, 8),
        program=spec.command,
        version=version_of(spec, spec.command),
        folder=folder / "logs",
        progress=Notes(),
        tokenizer=(lambda text: len(text.split()), ChatTemplate("w", template or Written())),
    )
    try:
        engine.start()
        yield engine
    finally:
        engine.close()


def log(folder: Path, kind: str) -> list[str]:
    return [line for line in (folder / "log").read_text().splitlines() if line.startswith(kind)]


def gone(pid: int, seconds: float = 20) -> bool:
    """Whether a process has ended, or ends in this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True  # ended; nobody has asked for its exit code yet
        time.sleep(0.05)
    return False


def test_it_answers_and_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    with running(tmp_path, "--child") as engine:
        answers = dict(EngineModel(engine).generate(CHATS, Decoding(8)))
    assert [answers[n].text for n in range(6)] == [f"question {n}" for n in range(6)]
    (server,), (child,) = log(tmp_path, "started"), log(tmp_path, "child")
    assert gone(int(server.split()[1]))
    assert gone(int(child.split()[1]))
    assert not list((tmp_path / "logs").iterdir())


def test_what_a_template_would_refuse_is_sent_in_the_first_user_turn(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    chat = [system, {"role": "user", "content": "question 0"}]
    with running(tmp_path) as engine:
        ((_, plain),) = EngineModel(engine).generate([chat], Decoding(8))
        assert "system" not in EngineModel(engine).fingerprint()
    with running(tmp_path, template=Refusing()) as engine:
        model = EngineModel(engine)
        ((_, merged),) = model.generate([chat], Decoding(8))
        timed = model.timed(chat, Decoding(8))
        assert model.fingerprint()["system"] == "in the first user turn"
    texts = [made.text for made in (plain, merged, timed)]
    assert texts == ["question 0"] * 3
    assert log(tmp_path, "roles") == ["roles system, user", "roles user", "roles user"]


def test_answers_have_a_confidence_where_the_engine_is_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "sure", EngineKind(extra={"logprobs": True}))
    with running(tmp_path, kind="sure") as engine:
        model = EngineModel(engine)
        made = [
            *dict(model.generate(CHATS, Decoding(8))).values(),
            model.timed(CHATS[0], Decoding(8)),
        ]
    # e to the mean of -0.4 and -1.
    assert [one.confidence for one in made] == [0.496585] * 7
    with running(tmp_path) as engine:
        assert EngineModel(engine).timed(CHATS[0], Decoding(8)).confidence is None
    assert all(ENGINES[name].extra["logprobs"] for name in ("vllm", "llama.cpp"))


@pytest.mark.parametrize(
    ("flag", "seconds", "message"),
    [
        ("--broken", 60, r"exit code 3: the end of .*\n  no such model: it cannot be loaded"),
        ("--deaf", 2, r"/health did not answer with status 200 in 2 s \(engine.start_s\)"),
    ],
)
def test_a_server_that_does_not_get_ready_is_reported_with_its_log(
    tmp_path: Path, flag: str, seconds: float, message: str
) -> None:
    with (
        pytest.raises(BakeoffError, match=message),
        running(tmp_path, flag, start_s=seconds),
    ):
        pass
    # On a busy machine it may have been stopped before it noted its start.
    for line in log(tmp_path, "started") if (tmp_path / "log").is_file() else []:
        assert gone(int(line.split()[1]))


def test_what_a_crash_left_unanswered_is_asked_of_a_second_server(tmp_path: Path) -> None:
    with running(tmp_path, "--crash-after", "3") as engine:
        answers = list(EngineModel(engine).generate(CHATS, Decoding(8)))
        assert engine.restarts == 1
        assert "out of memory, as it were" in engine.progress.lines[-1]
    assert sorted(index for index, _ in answers) == [*range(6)]
    assert all(made.text == f"question {index}" for index, made in answers)
    # Two were answered, the third killed the first server: four are asked again.
    assert len(log(tmp_path, "asked")) == 3 + 4


def test_a_server_that_crashes_again_stops_the_run_and_keeps_what_it_answered(
    tmp_path: Path,
) -> None:
    answered = []
    with (
        running(tmp_path, "--crash-after", "3", "--crashes", "2") as engine,
        pytest.raises(EngineDown, match=r"its server ended 2 times[\s\S]*out of memory"),
    ):
        answered += EngineModel(engine).generate(CHATS, Decoding(8))
    assert engine.restarts == 1


def test_a_timed_answer_is_of_a_warm_server(tmp_path: Path) -> None:
    with running(tmp_path, "--crash-after", "2") as engine:
        model = EngineModel(engine)
        model.timed(CHATS[0], Decoding(8))
        made = model.timed(CHATS[1], Decoding(8))
    assert made.text == "question 1"
    assert made.prefill_s is not None
    # The second one crashed it: it is asked twice of the new server, and timed the second time.
    assert len(log(tmp_path, "asked")) == 4


def test_adapters_are_named_in_the_command_of_a_server_that_is_started_again(
    tmp_path: Path,
) -> None:
    for name in ("one", "two", "idle"):
        (tmp_path / name).mkdir()
    with running(tmp_path, "--adapters", "{adapters}", adapters=3) as engine:
        engine.serve("a1", tmp_path / "one")
        engine.serve("a2", tmp_path / "two")
        engine.serve("a1", tmp_path / "one")
        for name in ("a1", "a2", None):
            assert len(list(EngineModel(engine, name).generate(CHATS, Decoding(8)))) == 6
        with pytest.raises(BakeoffError, match=r"adapter .*idle: it changes nothing"):
            engine.serve("a3", tmp_path / "idle")
    assert [line.split()[2:] for line in log(tmp_path, "started")] == [
        [],
        ["a1"],
        ["a1", "a2"],
        ["a1", "a2", "a3"],
    ]
    assert [len(log(tmp_path, f"asked {name}")) for name in ("a1", "a2", "base")] == [6, 6, 6]


def test_adapters_are_loaded_while_it_runs_and_again_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    kind = EngineKind(loads="/v1/load_lora_adapter", adapters=("--name", "{name}"))
    monkeypatch.setitem(ENGINES, "quick", kind)
    with running(tmp_path, "--crash-after", "2", kind="quick", adapters=1) as engine:
        engine.serve("a1", tmp_path / "one")
        assert len(log(tmp_path, "started")) == 1
        answers = dict(EngineModel(engine, "a1").generate(CHATS, Decoding(8)))
    assert [answers[n].text for n in range(6)] == [f"question {n}" for n in range(6)]
    assert engine.restarts == 1


def test_fingerprints_tell_engines_apart_and_hold_nothing_of_a_machine(tmp_path: Path) -> None:
    with running(tmp_path, version="7") as engine:
        one = EngineModel(engine).fingerprint()
    assert one["engine"] == "command 7"
    assert one["weights"] == "d1ge57"
    assert "--port {port} --model {model} --name base" in one["arguments"]
    # Nobody told it what to compute in: of a GGUF file, the weights say so.
    assert one["dtype"] == "the server's own"
    with running(tmp_path, args=["--log", str(tmp_path / "{dtype}")]) as engine:
        assert EngineModel(engine).fingerprint()["dtype"] == "float32"
    with running(tmp_path, env={"FLAG": "1"}) as engine:
        assert EngineModel(engine, "a1").fingerprint() != one


HELD = """
import signal, sys, time
from pathlib import Path
from bakeoff.models.server import Server, free_port
# Who starts the tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
script, folder, port = sys.argv[1], Path(sys.argv[2]), free_port()
command = [sys.executable, script, "--port", str(port), "--model", "m", "--child"]
server = Server([*command, "--log", str(folder / "log")], port, folder / "server.log", {})
try:
    server.wait("/health", 60, "server")
    print("ready", flush=True)
    time.sleep(600)
finally:
    server.close()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_server_never_outlives_bakeoff(tmp_path: Path, how: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", HELD, str(SCRIPT), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert program.stdout and program.stdout.readline() == b"ready\n"
    program.send_signal(how)
    program.wait()
    program.stdout.close()
    for line in (*log(tmp_path, "started"), *log(tmp_path, "child")):
        assert gone(int(line.split()[1]))


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"command": "serve --port {port}"}, "command: must hold {model}"),
        ({"command": "serve {model} {port} {gpu}"}, "command: no {gpu}; there are {adapters}"),
        ({"kind": "llama.cpp", "python": "python3"}, "python: only vllm is started by one"),
        ({"kind": "vllm", "python": "a", "command": "b"}, "give python or command, not both"),
    ],
)
def test_a_faulty_engine_is_refused(engine: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        EngineSpec.model_validate(engine)


@pytest.mark.parametrize(
    ("setups", "dtype"),
    [({"base": {}}, ""), ({"base": {}, "tuned": {"tune": True}}, "float32")],
)
def test_a_run_states_no_dtype_that_neither_engine_nor_training_computes_in(
    setups: dict[str, Any], dtype: str
) -> None:
    told = {"engine": {"command": "s {model} {port} {adapters}"}, "dtype": "float32"}
    raw = {"name": "b", "model": "embedded", "tasks": ["t"], "setups": setups}
    suite = Suite.model_validate({**raw, **told})
    assert local_dtype(suite, Path("b.yaml")) == dtype
    vllm = Suite.model_validate({**raw, **told, "engine": "vllm"})
    assert local_dtype(vllm, Path("b.yaml")) == "float32"


def test_braces_of_json_stay_in_arguments() -> None:
    spec = EngineSpec.model_validate(
        {"kind": "vllm", "python": "p", "args": ["--override", '{"top_k": 1}']}
    )
    assert '{"top_k": 1}' in spec.template(adapters=False)


def test_a_program_in_the_home_folder_is_named_by_a_tilde() -> None:
    spec = EngineSpec.model_validate({"kind": "vllm", "python": "~/vllm/bin/python"})
    assert spec.program({}) == (str(Path.home() / "vllm/bin/python"), *ENGINES["vllm"].program[1:])


def test_an_interpreter_without_vllm_is_refused() -> None:
    spec = EngineSpec.model_validate({"kind": "vllm", "python": sys.executable})
    with pytest.raises(BakeoffError, match="it has no vllm"):
        version_of(spec, (sys.executable,))


def test_doctor_says_what_engines_are_there() -> None:
    rows = {row[0]: row[1:] for row in engines({"BAKEOFF_VLLM_PYTHON": sys.executable}).rows}
    assert "it has no vllm" in rows["vllm"][1]
    rows = {row[0]: row[1:] for row in engines({}).rows}
    assert rows["vllm"] == ("not named", "BAKEOFF_VLLM_PYTHON names its interpreter")


def benchmark(folder: Path, engine: str, *setups: str) -> Path:
    path = write_project(folder)
    path.write_text(
        "\n".join(
            [
                "seed: 3",
                "retrieve: {k: 1, chunk_words: 40, overlap_words: 8, retriever: bm25}",
                "tasks: [tiny]",
                f"engine: {engine}",
                "setups:",
                *(f"  {setup}" for setup in setups),
                "latency: {samples: 2, concurrency: [2]}",
            ]
        )
    )
    return path


def test_base_and_rag_run_on_an_engine(cli: Cli, tmp_path: Path, models_only: Path) -> None:
    command = f'{{command: "{START} --log {tmp_path}/log --crash-after 4"}}'
    path = benchmark(tmp_path, command, "base: {}", "rag: {retrieve: true}")
    results = {
        "BAKEOFF_RESULTS": str(tmp_path / "results"),
        "BAKEOFF_CACHE": str(models_only),
    }
    done = cli("run", path, "--no-mlflow", "--no-cache", cwd=tmp_path, **results)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results" / "smallest").glob("2*")
    manifest = store.read_manifest(folder)
    facts = manifest.engines["embedded"]
    assert (facts.kind, facts.restarts, facts.weights) == (
        "command",
        1,
        manifest.models["embedded"]["weights"],
    )
    assert "--port {port}" in manifest.models["embedded"]["arguments"]
    # The server's own count of tokens is compared with that of the model's tokenizer.
    assert (manifest.checks.tokens or {})["embedded"].checked
    assert treatment(manifest, "tiny", manifest.suite.setups["rag"])["model"].endswith(
        " on command"
    )
    assert len(list(store.read_records(folder, store.Unit("tiny", "rag")))) == 3
    for line in log(tmp_path, "started"):
        assert gone(int(line.split()[1]))


def test_an_engine_is_refused_on_workers(cli: Cli, tmp_path: Path) -> None:
    path = benchmark(tmp_path, f'{{command: "{START}"}}', "base: {}")
    done = cli("run", path, "--on", "processes:2", "--no-mlflow", cwd=tmp_path)
    assert "names an engine, which every worker would start" in done.stderr


@pytest.mark.parametrize(
    ("engine", "setup", "message"),
    [
        ("llama.cpp", "tuned: {tune: true}", "llama.cpp: it serves no adapters"),
        ("vllm", "tuned: {tune: {method: dora}}", "vLLM serves no DoRA adapters"),
        ('{command: "s {model} {port}"}', "tuned: {tune: true}", "has no {adapters}"),
        ("vllm", 'mine: {call: "../bot.py::answer"}', "no setup has a local model"),
        ("vllm", "base: {}", "name the Python interpreter of its environment"),
        ('{command: "no-such-server {model} {port}"}', "base: {}", "no such program"),
        ("vllm\nquantize: 4bit", "base: {}", "quantize: is for models in this process"),
    ],
)
def test_a_benchmark_that_its_engine_cannot_serve_is_refused(
    cli: Cli, tmp_path: Path, engine: str, setup: str, message: str
) -> None:
    path = benchmark(tmp_path, engine, setup)
    done = cli("plan", path, cwd=tmp_path, BAKEOFF_VLLM_PYTHON="")
    assert done.returncode != 0
    assert message in done.stderr
