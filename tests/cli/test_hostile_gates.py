"""Hostile gate files and runs, each with its verdict, exit code and message: none is green."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.cli import main
from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import load_gates

N = 40
TASK = """
description: Words.
rows: {test: rows/test.jsonl}
scorers: [exact_match, "../score.py::odd"]
"""
BENCHMARK = """
tasks: [words]
setups: {good: {call: "../bot.py::good"}, bad: {call: "../bot.py::bad"}}
latency: {samples: 0}
"""
BOT = """
def good(sample):
    return sample.targets[0]

def bad(sample):
    if sample.fields["question"].startswith("fail"):
        raise ValueError("\\x1b[31m::error::down\\x1b[0m")
    return "no"
"""
SCORE = """
def odd(sample, answer, context):
    return {"nan": float("nan"), "inf": float("inf")}.get(sample.tags["odd"], 1.0)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs by name in `results/words`: whole, failing, odd, one (sample), equal."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "tasks" / "rows").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    (folder / "tasks" / "words.yaml").write_text(TASK)
    (folder / "benchmarks" / "words.yaml").write_text(BENCHMARK)
    (folder / "bot.py").write_text(BOT)
    (folder / "score.py").write_text(SCORE)
    make(folder, "whole", lambda i: ("say", "no"))
    make(folder, "failing", lambda i: ("fail", "no"))
    make(folder, "odd", lambda i: ("say", ("nan", "inf", "no")[i % 3]))
    make(folder, "one", lambda i: ("say", "no"), 1)
    (folder / "bot.py").write_text(BOT.replace('return "no"', "return sample.targets[0]"))
    make(folder, "equal", lambda i: ("say", "no"))
    for name, status in (("stopped", "interrupted"), ("running", "running")):
        change(folder, name, status=status)
    change(folder, "foreign", format=1)
    change(folder, "part", selection={"limit": None, "ids": [], "tags": [], "shard": [1, 2]})
    empty = shutil.copytree(folder / "results/words/whole", folder / "results/words/empty")
    shutil.rmtree(empty / "units")
    broken = shutil.copytree(folder / "results/words/whole", folder / "results/words/broken")
    (broken / "manifest.json").write_text('{"format": ')
    return folder


def make(folder: Path, name: str, row: Callable[[int], tuple[str, str]], n: int = N) -> None:
    rows = []
    for i in range(n):
        word, odd = row(i)
        question = f"{word} {i} \x1b[31m ::error::x"
        rows.append({"id": f"q{i}\u202e|`<b>", "question": question, "targets": [f"w{i}"]})
        rows[-1]["tags"] = {"odd": odd}
    text = "\n".join(json.dumps(each) for each in rows) + "\n"
    (folder / "tasks" / "rows" / "test.jsonl").write_text(text)
    before = set((folder / "results").glob("words/*"))
    done = invoke(folder, "run", str(folder / "benchmarks" / "words.yaml"), "--no-mlflow")
    # A setup of which every answer failed is no success, gates or not.
    assert done.exit_code == (12 if name == "failing" else 0), done.output
    (made,) = set((folder / "results").glob("words/*")) - before
    made.rename(made.with_name(name))


def change(folder: Path, name: str, **manifest: Any) -> None:
    copy = shutil.copytree(folder / "results/words/whole", folder / "results/words" / name)
    path = copy / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **manifest}))


def invoke(folder: Path, *arguments: str) -> Result:
    environment = {
        "BAKEOFF_RESULTS": str(folder / "results"),
        "BAKEOFF_CACHE": str(folder / "cache"),
        "GITHUB_ACTIONS": "true",
        "COLUMNS": "400",
    }
    return CliRunner().invoke(main, arguments, env=environment)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
)
"""380 bytes for 2^25 leaves."""
G = "good.words.exact_match"
B = "bad.words.exact_match"

FILES = {
    "nothing": ("", 2, "is empty; write gates"),
    "a list": ("[1, 2]", 2, "a file of gates is a mapping"),
    "no gates": ("policy: {}", 2, "gates"),
    "an empty list": ("gates: []", 2, "without one, nothing can fail"),
    "gates: null": ("gates:", 2, "gates"),
    "gates as a text": ("gates: all", 2, "gates"),
    "a number as a gate": ("gates: [3]", 2, "gates.0"),
    "no check": ("gates: [{id: x}]", 2, "gates.0.check: must be given"),
    "an unknown field": (f'gates: [{{check: "{G} >= 0.5", modus: prove}}]', 2, "modus"),
    "an unknown policy": (f'policy: {{alfa: 0.1}}\ngates: ["{G} >= 0.5"]', 2, "policy.alfa"),
    "an unknown mode": (f'gates: [{{check: "{G} >= 0.5", mode: hope}}]', 2, "mode"),
    "an unknown severity": (f'gates: [{{check: "{G} >= 0.5", severity: mild}}]', 2, "severity"),
    "alpha of 0": (f'policy: {{alpha: 0}}\ngates: ["{G} >= 0.5"]', 2, "policy.alpha"),
    "alpha of NaN": (f'policy: {{alpha: .nan}}\ngates: ["{G} >= 0.5"]', 2, "policy.alpha"),
    "alpha of inf": (f'policy: {{alpha: .inf}}\ngates: ["{G} >= 0.5"]', 2, "policy.alpha"),
    "coverage of 0": (f'policy: {{min_coverage: 0}}\ngates: ["{G} >= 0.5"]', 2, "min_coverage"),
    "no YAML": ("gates: [", 2, "not valid YAML"),
    "a tab": ("gates:\n\t- x", 2, "not valid YAML"),
    "a duplicate key": (
        f'gates:\n  - check: "{G} >= 0.9"\n    check: "{G} >= 0.1"',
        2,
        "line 3: key 'check' occurs twice",
    ),
    "a gate twice": (f'gates: ["{G} >= 0.5", "{G} >= 0.5"]', 2, "occurs twice"),
    "an alias": (f'a: &a "{G} >= 0.1"\ngates: [*a]', 2, "YAML aliases are not allowed"),
    "an alias bomb": (BOMB + "gates: [*y]", 2, "YAML aliases are not allowed"),
    "a Python object": ("gates: !!python/object/apply:os.getcwd []", 2, "not valid YAML"),
    "deep nesting": ("gates: " + "[" * 3000 + "]" * 3000, 2, "nested too deeply"),
    "a very long check": (f'gates: ["{G} >= {"1" * 600}"]', 2, "500 characters"),
    "an id with escapes": (f'gates: [{{id: "\\e[2J", check: "{G} >= 0.5"}}]', 2, "id"),
    "a threshold of nan": (f'gates: ["{G} >= nan"]', 2, "'nan' is not setup.task.metric"),
    "a threshold of inf": (f'gates: ["{G} >= 1e999"]', 2, "too large a number"),
    "contradicting the direction": (f'gates: ["{G} <= 0.5"]', 2, "requires a worse one"),
    "never failing": (f'gates: ["{G} >= 0"]', 2, "can never fail"),
    "never passing": (f'gates: ["{G} >= 80"]', 2, "can never pass"),
    "itself": (f'gates: ["{G} >= {G}"]', 2, "compares a number with itself"),
    "equality of means": (f'gates: ["{G} == 1"]', 2, "== is for counts"),
    "no operator": (f'gates: ["{G}"]', 2, "write REF >= REF or REF >= NUMBER"),
    "code": ("gates: [\"__import__('os').system('x') >= 1\"]", 2, "is not setup.task.metric"),
    "a missing setup": ('gates: ["godo.words.exact_match >= 0.5"]', 12, "no setup 'godo'; did"),
    "a missing task": ('gates: ["good.wrds.exact_match >= 0.5"]', 12, "no task 'wrds'; did"),
    "a missing metric": ('gates: ["good.words.exact_mach >= 0.5"]', 12, "mean 'exact_match'?"),
    "a percentage": (f'gates: ["{G} >= 50 %"]', 2, "write 0.5 for 50 %"),
    "a missing slice": (f'gates: ["{G}[odd=yes] >= 0.5"]', 12, "no sample of words has odd=yes"),
    "a missing tag": (
        f'gates: [{{check: "{G} >= 0.5", group_by: colour}}]',
        12,
        "has the tag colour",
    ),
    "a missing baseline": (f'gates: ["{G} >= baseline:{G}"]', 12, "there is no baseline"),
    "a missing anchor": (f'gates: ["{G} >= anchor:{G}"]', 12, "there is no anchor"),
    "all skipped": (
        f'policy: {{on_missing: skip}}\ngates: ["{G} >= baseline:{G}"]',
        12,
        "there is no baseline",
    ),
    "a warning without evidence": (
        f'gates: [{{check: "{G} >= anchor:{G}", severity: warn}}]',
        12,
        "there is no anchor",
    ),
    "a clear violation": (f'gates: ["{B} >= {G}"]', 10, "significant violation"),
    "a violated fact": (f'gates: ["count({B}) >= 1"]', 10, "0 against 1"),
    "two thousand gates": (
        "gates:\n"
        + "".join(f'  - {{id: g{i}, check: "{B} >= {0.3 + i * 1e-5:.5f}"}}\n' for i in range(2000)),
        10,
        "FAIL",
    ),
    "an open question": (
        f'gates: [{{check: "{G} >= 0.99", mode: prove, on_inconclusive: fail}}]',
        11,
        "not significant",
    ),
}


def test_there_are_forty_hostile_cases_and_more() -> None:
    assert len(FILES) + len(RUNS) >= 50


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_gate_file_is_told_and_never_green(name: str, project: Path) -> None:
    text, code, told = FILES[name]
    file = project / "gates.yaml"
    file.write_text(text)
    output = project / "out"
    shutil.rmtree(output, ignore_errors=True)
    done = invoke(project, "gate", "whole", "--gates", str(file), "--output", str(output))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output[:2000]
    assert told in done.output
    assert "Traceback" not in done.output
    if code == 2:
        assert str(file) in done.output
        assert not output.exists()
    else:
        verdict = json.loads((output / "gates.json").read_text())
        assert verdict["exit_code"] == code
        assert verdict["state"] != "PASS"


RUNS = {
    "stopped": (f"{G} >= 0.5", 12, "the run is interrupted; finish it with"),
    "running": (f"{G} >= 0.5", 12, "the run is running"),
    "part": (f"{G} >= 0.5", 12, "shard 1 of 2"),
    "empty": (f"{G} >= 0.5", 12, "scores.jsonl: missing; the run did not finish"),
    "foreign": (f"{G} >= 0.5", 2, "made by another version"),
    "broken": (f"{G} >= 0.5", 12, "not valid JSON"),
    "failing": (f"{B} >= 0.5", 12, "100.0% of bad's answers failed"),
    "odd": ("good.words.../score.py::odd >= 0.5", 12, "samples scored, below min_coverage"),
    "one": (f"{B} >= {G}", 0, "too few samples: no result could be significant"),
    "equal": (f"{B} >= {G} + 0.2", 10, "significant violation"),
    "gone": (f"{G} >= 0.5", 2, "no such run"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_hostile_run_is_told_and_never_green(name: str, project: Path) -> None:
    check, code, told = RUNS[name]
    output = project / "out"
    shutil.rmtree(output, ignore_errors=True)
    done = invoke(project, "gate", name, "--check", check, "--output", str(output))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output[:2000]
    assert told in done.output
    if output.exists():
        verdict = json.loads((output / "gates.json").read_text())
        assert verdict["state"] != "PASS", "exit code 0 is an open question, not a pass"


def test_what_strangers_wrote_reaches_no_log_unescaped(project: Path) -> None:
    """Sample ids and errors of the run hold escapes, workflow commands and markup."""
    output = project / "out"
    shutil.rmtree(output, ignore_errors=True)
    done = invoke(project, "gate", "whole", "--check", f"{B} >= {G}", "--output", str(output))
    assert done.exit_code == 10
    for text in (done.output, *(path.read_text() for path in output.glob("gates.*"))):
        assert "\x1b" not in text
        assert "\u202e" not in text
    for line in done.output.splitlines():
        assert not line.startswith("::") or line.startswith(("::error ", "::warning "))
    assert "<b>" not in (output / "gates.md").read_text()


@settings(deadline=None, max_examples=150)
@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["gates", "policy", "check", "id", "mode", "by", "alpha", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(json.dumps)
)
def test_any_file_is_gates_or_one_message(tmp_path_factory: Any, text: str) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "gates.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        gates = load_gates(file).gates
    except BakeoffError as error:
        assert str(file) in str(error)
    else:
        assert gates
