"""Benchmark and task files: every fault is named with its file and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Setup, Suite, load_suite, suite_of
from bakeoff.spec.recipes import Tune
from bakeoff.spec.task import load_task_file, task_path
from bakeoff.spec.yaml_files import prompt_fields, read_yaml

SUITE = "tasks: [qa]\nsetups: {base: {}}\n"
TASK = "description: d\nrows: {test: t.jsonl}\nscorers: [exact_match]\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(load, path: Path) -> str:
    with pytest.raises(BakeoffError) as caught:
        load(path)
    return str(caught.value)


def test_a_short_benchmark_gets_every_default(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, SUITE))
    assert suite.name == "file"
    assert suite.setups["base"] == Setup(name="base", model="embedded")
    assert suite.use("qa").limit is None


def test_true_stands_for_the_benchmarks_own_recipe_and_a_mapping_changes_parts_of_it() -> None:
    suite = Suite.model_validate(
        {
            "tune": {"rank": 4, "epochs": 2},
            "tasks": ["qa"],
            "setups": {
                "a": {"tune": True},
                "b": {"tune": {"epochs": 9}},
                "c": {"tune": False},
                "d": {"tune": "./ready"},
                "e": None,
            },
        }
    )
    tunes = {name: setup.tune for name, setup in suite.setups.items()}
    assert (tunes["a"].rank, tunes["a"].epochs) == (4, 2)
    assert (tunes["b"].rank, tunes["b"].epochs) == (4, 9)
    assert tunes["c"] is None and tunes["e"] is None
    assert tunes["d"].adapter == "./ready"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({}, "base"),
        ({"tune": {}}, "fine-tuned"),
        ({"retrieve": {}}, "rag"),
        ({"tune": {}, "retrieve": {}}, "hybrid"),
        ({"call": "bot.py::answer"}, "custom"),
    ],
)
def test_the_corner_of_a_setup_follows_from_its_parts(parts: dict, kind: str) -> None:
    assert Setup.model_validate(parts).kind == kind


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SUITE + "engine: vlm\n", "engine: no engine 'vlm'; did you mean 'vllm'?"),
        (SUITE + "sed: 3\n", "sed: no such field; did you mean 'seed'?"),
        (SUITE + "seed: three\n", "seed: "),
        (SUITE + "description: 7\n", "description: must be a text (found 7); quote it"),
        (SUITE + "policy: {alpha: 0}\n", "policy.alpha: must be above 0 (found 0)"),
        (SUITE + "policy: {alpha: 0.7}\n", "policy.alpha: must be 0.5 or less (found 0.7)"),
        (SUITE + "tune: {dropout: 1}\n", "tune.dropout: must be below 1 (found 1)"),
        (SUITE + "quantize: 2bit\n", "quantize: must be '4bit' or '8bit' (found '2bit')"),
        (SUITE + "dtype: int4\n", "dtype: "),
        ("setups: {base: {}}\n", "tasks: must be given"),
        ("tasks: [qa]\n", "setups: must be given"),
        ("tasks: []\nsetups: {base: {}}\n", "tasks: name at least one"),
        ("tasks: [qa]\nsetups: {}\n", "setups: name at least one"),
        ("tasks: [qa, qa]\nsetups: {base: {}}\n", "'qa' is named twice"),
        ("tasks: [qa]\nsetups: {a.b: {}}\n", "'a.b': use letters, digits, - and _"),
        ("tasks: [qa]\nsetups: {base: 5}\n", "setups: base: write a mapping"),
        ("tasks: [qa]\nsetups: {a: {retrieve: {kk: 1}}}\n", "setups.a.retrieve.kk: no such field"),
        ("tasks: [qa]\nsetups: {a: {retrieve: {k: 0}}}\n", "setups.a.retrieve.k: "),
        (
            "tasks: [qa]\nsetups: {a: {call: x, tune: true}}\n",
            "setups.a: a call, endpoint or route setup is",
        ),
        ("tasks: [{qa: {limit: 0}}]\nsetups: {base: {}}\n", "tasks.qa.limit: "),
        (
            "tasks: [{qa: {tune: {epoch: 2}}}]\nsetups: {base: {}}\n",
            "tasks.qa.tune.epoch: no such field",
        ),
        (SUITE + "retrieve: {chunk_words: 20, overlap_words: 20}\n", "retrieve: overlap_words"),
        ("[]\n", "a benchmark file is a mapping"),
        ("", "is empty; write tasks, setups"),
    ],
)
def test_a_fault_in_a_benchmark_file_is_named_with_file_and_field(
    text: str, told: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    message = faults_of(load_suite, path)
    assert message.startswith(f"{path}: ")
    assert told in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TASK + "systm: x\n", "systm: no such field; did you mean 'system'?"),
        ("rows: {test: t.jsonl}\nscorers: [f]\n", "description: must be given"),
        ("description: d\nscorers: [f]\n", "rows: must be given"),
        ("description: d\nrows: {test: t.jsonl}\nscorers: []\n", "scorers: "),
        (
            "description: d\nrows: {test: {split: x}}\nscorers: [f]\n",
            "rows.test: give one of files, beir",
        ),
        (TASK + "corpora: {a: {}}\n", "corpora.a: give one of"),
        (TASK + "with_passages: '{passages}'\n", "with_passages: needs {passages} and {prompt}"),
        (TASK + "with_passages: '{passages'\n", "with_passages"),
        (TASK + "prompt: '{question'\n", "prompt: "),
        (TASK + "system: 'a } b'\n", "system: "),
        (TASK + "headline: recall\n", "headline: 'recall' is none of the task's scorers"),
        (TASK.replace("exact_match", "'exact match'"), "scorers: "),
        (TASK.replace("exact_match", "'recall(5)'") + "headline: recall\n", "scorers: "),
        (TASK + "json_schema: {type: strnig}\n", "json_schema: "),
        (TASK + "rules: [{name: short}]\n", "rules"),
        (TASK + "rules: [{name: odd, match: '('}]\n", "rules.0.match: no regular expression"),
        (TASK + "rules: [{name: short, words: few}]\n", "rules.0.words"),
        (TASK + "rules: [{name: short, words: [1, 2, 3]}]\n", "rules.0.words"),
        (TASK + "rules: [{name: both, match: a, forbid: b}]\n", "one of match, forbid, words"),
        (TASK + "rules: [{name: number, match: 5}]\n", "rules.0.match"),
        (TASK + "max_tokens: 0\n", "max_tokens: must be 1 or more (found 0)"),
        (TASK + "refusal: {say: no}\n", "refusal.say: must be a text (found False); quote it"),
        (TASK + "refusal: {say: null}\n", "refusal.say: must be a text (found nothing)"),
        ("", "is empty; write description, rows, scorers"),
    ],
)
def test_a_fault_in_a_task_file_is_named_with_file_and_field(
    text: str, told: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    message = faults_of(load_task_file, path)
    assert message.startswith(f"{path}: ")
    assert told in message


def test_all_faults_of_a_file_are_listed_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "tsks: 1\nseed: x\nsetups: {a: {modl: b}}\n")
    lines = faults_of(load_suite, path).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert [line.removeprefix(f"{path}: ").split(":")[0] for line in lines] == [
        "seed",
        "tasks",
        "setups.a.modl",
        "tsks",
    ]


def test_a_fault_in_the_recipe_of_all_setups_is_told_once(tmp_path: Path) -> None:
    setups = "setups: {a: {tune: true}, b: {tune: {rank: 4}}, c: {tune: {epochs: -1}}}\n"
    path = written(tmp_path, f"tasks: [qa]\ntune: {{epochs: 0, rnk: 4}}\n{setups}")
    assert faults_of(load_suite, path).splitlines() == [
        f"{path}: tune.epochs: must be 1 or more (found 0)",
        f"{path}: tune.rnk: no such field; did you mean 'rank'?",
        f"{path}: setups.c.tune.epochs: must be 1 or more (found -1)",
    ]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        *((word, "true or false") for word in ("no", "off", "yes", "on", "True")),
        *((word, "nothing") for word in ("null", "~")),
        *((word, "a number") for word in ("7", "007", "1.5", "0x1f")),
        ("2026-01-31", "a date"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "tasks: [qa]\nsetups: {{base: {{}}, {key}: {{}}}}\n",
        "setups: {{base: {{}}}}\ntasks: {{{key}: {{}}}}\n",
        "tasks: [qa]\nendpoints:\n  {key}: {{url: 'http://h/v1'}}\nsetups: {{base: {{}}}}\n",
    ],
    ids=["setup", "task", "endpoint"],
)
def test_a_key_that_yaml_reads_as_no_text_is_to_be_quoted(
    text: str, key: str, kind: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text.format(key=key))
    line = next(n for n, part in enumerate(path.read_text().split("\n"), 1) if f"{key}: {{" in part)
    told = f"{path}: line {line}: key {key}: YAML reads {kind}; quote it: '{key}'"
    assert faults_of(load_suite, path) == told


def test_a_key_of_nothing_is_no_name(tmp_path: Path) -> None:
    message = faults_of(read_yaml, written(tmp_path, "?\n: 1\n"))
    assert "key (none): YAML reads nothing; quote it: 'NAME'" in message


def test_quoted_names_are_texts(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, "tasks: ['no']\nsetups: {'no': {}, \"off\": {}}\n"))
    assert (suite.names, list(suite.setups)) == (["no"], ["no", "off"])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"tasks": [False], "setups": {"a": {}}}, "tasks: a name must be a text (found False)"),
        ({"tasks": [["qa"]], "setups": {"a": {}}}, "tasks: a name must be a text (found ['qa'])"),
        ({"tasks": [{None: {}}], "setups": {"a": {}}}, "tasks: a name must be a text"),
        ({"tasks": ["qa"], "setups": {7: {}}}, "setups: a name must be a text (found 7); quote it"),
    ],
)
def test_a_name_that_is_no_text_is_no_name(raw: dict, told: str) -> None:
    with pytest.raises(BakeoffError, match=re.escape(told)):
        suite_of(raw, Path("b.yaml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' occurs twice"),
        ("x:\n  a: 1\n  a: 2\n", "line 3: key 'a' occurs twice"),
        ("a: &n 1\nb: *n\n", "line 2: YAML aliases are not allowed"),
        ("a: {<<: {b: 1}}\n", "line 1: YAML merge keys (<<) are not allowed"),
        ("a: [1\n", "not valid YAML"),
        ("a: !!python/object:os.system {}\n", "not valid YAML"),
        ("prompt: {{question}}\n", ""),
        ("? [a, b]\n: c\n", ""),
        ("a: 2024-02-31\n", ""),
        ("[" * 5000, ""),
    ],
    ids=[
        "twice",
        "twice inside",
        "alias",
        "merge",
        "open",
        "object",
        "braces",
        "list key",
        "date",
        "deep",
    ],
)
def test_yaml_that_hides_a_mistake_is_refused_with_its_file(
    text: str, told: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    message = faults_of(read_yaml, path)
    assert message.startswith(f"{path}: ")
    assert told in message


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    assert faults_of(read_yaml, tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: no such file"
    assert "cannot be read" in faults_of(read_yaml, tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    assert "byte 0xe9 is not UTF-8" in faults_of(read_yaml, tmp_path / "latin.yaml")


def test_a_task_is_found_in_the_folder_beside_the_benchmark(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "handbook.yaml").touch()
    benchmark = tmp_path / "benchmarks" / "b.yaml"
    assert task_path("handbook", benchmark) == tmp_path / "tasks" / "handbook.yaml"
    assert task_path("../tasks/handbook.yaml", benchmark) == tmp_path / "tasks" / "handbook.yaml"
    with pytest.raises(BakeoffError, match=r"tasks: no task 'handbok'; did you mean 'handbook'\?"):
        task_path("handbok", benchmark)


@pytest.mark.parametrize("name", ["sub/t.yaml", "../tasks/t.yaml", "t.yml"])
def test_a_benchmark_may_name_a_task_by_its_path(name: str, tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, f"tasks: [{name}]\nsetups: {{base: {{}}}}\n"))
    assert suite.use("t").limit is None


def test_the_fields_of_a_prompt_are_what_stands_in_braces() -> None:
    assert prompt_fields("{question} of {who} {{not this}}") == {"question", "who"}
    assert prompt_fields("") == set()


def test_a_limited_run_tunes_on_as_few_rows(tmp_path: Path) -> None:
    text = (
        "tasks: [qa, {labels: {tune: {rows: 150}}}, {few: {tune: {rows: 3}}}]\n"
        "setups: {base: {}, tuned: {tune: true}, curve: {tune: {rows: [4, 80]}}, "
        "ready: {tune: nowhere}}\n"
    )
    suite = load_suite(written(tmp_path, text))
    limited = suite.limited(6)
    rows = {
        (setup.name, task): use.recipe(setup.tune).rows
        for setup in limited.setups.values()
        if setup.tune
        for task, use in limited.tasks.items()
    }
    assert rows["tuned", "qa"] == rows["tuned", "labels"] == rows["curve-80", "qa"] == 6
    assert rows["curve-4", "qa"] == 4
    assert rows["tuned", "few"] == 3
    assert rows["ready", "qa"] is None
    assert {s.tune.rows for s in suite.limited(1).setups.values() if s.tune} == {2, None}


def test_an_adapter_is_kept_under_its_rows_not_under_their_number() -> None:
    assert Tune(rows=6).identity() == Tune().identity()
    assert Tune(layers=1.0).identity() != Tune().identity()
