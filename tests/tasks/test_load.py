"""Tasks loaded from files, every row checked; and the seeded, stratified sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.words import BakeoffError, Sample
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.load import load_task, load_tasks, stratified

Row = Mapping[str, Any]
GOOD = {"id": "q1", "question": "How heavy is it?", "targets": ["19 kilos"]}
TRAIN = ({"id": "t1", "question": "Which colour has the old shed?", "targets": ["red"]},)


def write_task(
    folder: Path, test: Sequence[Row], train: Sequence[Row] = TRAIN, **fields: Any
) -> Path:
    """A task file `folder/qa.yaml` over these rows, with one document, `doc`."""
    for name, rows in (("test", test), ("train", train)):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "doc.md").write_text("It weighs 19 kilos.")
    rows = {"test": "test.jsonl"} | ({"train": "train.jsonl"} if train else {})
    task = {
        "description": "d",
        "rows": rows,
        "scorers": ["exact_match"],
        "corpora": {"notes": {"documents": "*.md"}},
        **fields,
    }
    path = folder / "qa.yaml"
    path.write_text(yaml.safe_dump(task))
    return path


def faults_of(path: Path) -> str:
    with pytest.raises(BakeoffError) as caught:
        load_task(path)
    return str(caught.value)


def test_rows_become_samples(tmp_path: Path) -> None:
    row = {
        **GOOD,
        "gold": "doc",
        "cluster": "c",
        "tags": {"hops": 2},
        "year": 1999,
    }
    task = load_task(write_task(tmp_path, [row]))
    assert task.name == "qa"
    assert task.samples == (
        Sample(
            "q1",
            {
                "id": "q1",
                "question": "How heavy is it?",
                "gold": "doc",
                "cluster": "c",
                "year": "1999",
            },
            ("19 kilos",),
            ("doc",),
            "c",
            {"hops": "2"},
        ),
    )
    assert [d.id for d in task.corpora["notes"]] == ["doc"]
    assert task.completion(task.samples[0]) == "19 kilos"


def test_a_task_needs_no_training_rows(tmp_path: Path) -> None:
    assert load_task(write_task(tmp_path, [GOOD], train=())).train == ()


def test_columns_of_other_names_are_renamed(tmp_path: Path) -> None:
    test, train = [{"q": "Why?", "a": "so"}], [{"q": "Whence?", "a": "there"}]
    path = write_task(tmp_path, test, train, columns={"question": "q", "targets": "a"})
    (sample,) = load_task(path).samples
    assert (sample.id, sample.question, sample.targets) == ("1", "Why?", ("so",))


def test_an_unanswerable_question_trains_on_the_tasks_words_for_declining(tmp_path: Path) -> None:
    refusal = {"say": "unknown", "phrases": ["unknown"]}
    task = load_task(write_task(tmp_path, [{"question": "Who?", "targets": []}], refusal=refusal))
    assert task.completion(task.samples[0]) == "unknown"


@pytest.mark.parametrize(
    ("rows", "fields", "told"),
    [
        ([GOOD, GOOD], {}, "test row 2 ('q1'): id occurs twice"),
        ([{**GOOD, "gold": ["dok"]}], {}, "test row 'q1': gold: no document 'dok'"),
        ([GOOD], {"prompt": "{question} {year}"}, "the prompt uses ['year']"),
        ([GOOD], {"system": "Be {mood}"}, "the prompt uses ['mood']"),
        ([{**GOOD, "targets": []}], {}, "targets: empty, and the task has no refusal"),
        (
            [GOOD, {"id": "q2", "question": "?"}],
            {},
            "('q2'): targets: the row has no 'targets'; []",
        ),
        ([{"id": "q1", "question": "?", "answer": "x"}], {}, "test: no row has a column 'targets'"),
        ([{**GOOD, "targets": ""}], {}, "targets: an empty text; [] is a question without an"),
        (
            [{**GOOD, "targets": "[]"}],
            {},
            "targets: the text '[]', which is not an empty list; [] is",
        ),
        (
            [{**GOOD, "id": False}],
            {},
            "row 1 ('False'): id: must be a text or a number, found False",
        ),
        ([{**GOOD, "id": ["a"]}], {}, "id: must be a text or a number, found ['a']"),
        ([{**GOOD, "id": "7"}, {**GOOD, "id": 7}], {}, "test row 2 ('7'): id occurs twice"),
        ([{**GOOD, "targets": [19]}], {}, "targets: must be texts, found [19]; quote it"),
        ([{**GOOD, "gold": {"doc": 1}}], {}, "gold: must be texts"),
        ([{**GOOD, "question": " "}], {}, "row 1 ('q1'): question: is blank"),
        ([{**GOOD, "question": None}], {}, "question: is blank"),
        ([{**GOOD, "question": 7}], {}, "question: must be a text, found 7; quote it"),
        ([{**GOOD, "targets": False}], {}, "targets: must be texts, found False; quote it"),
        ([{**GOOD, "targets": 1.0}], {}, "targets: must be texts, found 1.0; quote it"),
        ([{"id": "q1", "targets": "x"}], {}, "test: no row has a column 'question'; they have id,"),
        ([{**GOOD, "tags": ["hard"]}], {}, "tags: "),
        ([{**GOOD, "targets": "meh"}], {"labels": ["yes", "no"]}, "targets: ['meh'] are none of"),
        ([GOOD], {"scorers": ["exact_mach"]}, "scorers: no scorer named 'exact_mach'; did you"),
        ([GOOD], {"scorers": ["exact match"]}, "scorers: "),
        ([GOOD], {"scorers": ["retrieval_recall(k=[1])"]}, "scorers: "),
        ([GOOD], {"scorers": ["retrieval_recall(n=1)"]}, "has no setting 'n'; it takes k"),
        ([GOOD], {"scorers": ["./no.py::f"]}, "scorers: './no.py': there is no file"),
        (
            [GOOD],
            {"corpora": {"c": {"documents": "*.txt"}}},
            "corpora.c: documents: no file matches '*.txt'",
        ),
        ([GOOD], {"rows": {"test": "no*.jsonl"}}, "rows: no file matches 'no*.jsonl'"),
        ([], {}, "test: no rows"),
    ],
)
def test_a_fault_in_a_task_is_named_with_file_and_field(
    rows: Sequence[Row], fields: Mapping[str, Any], told: str, tmp_path: Path
) -> None:
    path = write_task(tmp_path, rows, **fields)
    message = faults_of(path)
    assert message.startswith(f"{path}: ")
    assert told in message


def test_all_faults_of_a_task_are_listed_at_once(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "one?", "targets": []},
        {"id": "a", "question": "two?", "targets": ["x"], "gold": ["none"]},
        {"id": "c", "question": "", "targets": ["x"]},
    ]
    path = write_task(tmp_path, rows, scorers=["token_f2"], prompt="{question}{no}")
    lines = faults_of(path).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    for told in ("targets: empty", "id occurs twice", "question: ", "gold: ", "token_f2", "['no']"):
        assert any(told in line for line in lines), told


def test_the_faults_of_all_tasks_are_listed_together(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_task(tmp_path / name, [GOOD], scorers=["nothing"]).rename(tmp_path / f"{name}.yaml")
        for file in (tmp_path / name).iterdir():
            file.rename(tmp_path / file.name)
    suite = Suite.model_validate({"tasks": ["one.yaml", "two.yaml"], "setups": {"base": {}}})
    with pytest.raises(BakeoffError) as caught:
        load_tasks(suite, tmp_path / "b.yaml")
    assert [Path(line.split(":")[0]).name for line in str(caught.value).splitlines()] == [
        "one.yaml",
        "two.yaml",
    ]


@pytest.mark.parametrize(
    "corpus", [{"qa": "handbook"}, {"qu": "notes"}], ids=["no such corpus", "no such task"]
)
def test_a_setup_that_reads_what_is_not_there_is_a_fault(
    corpus: Mapping[str, str], tmp_path: Path
) -> None:
    write_task(tmp_path, [GOOD])
    setups = {"rag": {"retrieve": {"corpus": corpus}}}
    suite = Suite.model_validate({"tasks": ["qa.yaml"], "setups": setups})
    with pytest.raises(BakeoffError, match=r"setups\.rag\.retrieve\.corpus: "):
        load_tasks(suite, tmp_path / "b.yaml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{oops\n", "line 1: not JSON"),
        (b"\n[1]\n", "line 2: found [1]; a row is a"),
        (b'{"q": "\xe9\x81"}', "line 1: byte 0xe9 is not UTF-8"),
    ],
)
def test_a_damaged_row_is_named_with_its_file(content: bytes, told: str, tmp_path: Path) -> None:
    path = write_task(tmp_path, [GOOD])
    (tmp_path / "test.jsonl").write_bytes(content)
    message = faults_of(path)
    assert message.startswith(f"{tmp_path / 'test.jsonl'}: ")
    assert told in message


def test_a_row_may_hold_any_character_of_unicode(tmp_path: Path) -> None:
    """U+2028 and U+0085 end a line for `str.splitlines`, but not in JSON Lines."""
    row = {**GOOD, "question": "one\u2028two\u0085three?"}
    assert load_task(write_task(tmp_path, [row])).samples[0].question == row["question"]


def test_ids_may_be_numbers_from_zero(tmp_path: Path) -> None:
    rows = [{"id": n, "question": f"what is {n}?", "targets": "x"} for n in range(3)]
    assert [s.id for s in load_task(write_task(tmp_path, rows)).samples] == ["0", "1", "2"]


def test_a_row_without_an_id_has_its_number(tmp_path: Path) -> None:
    rows = [{"id": name, "question": f"how {name!r}?", "targets": "x"} for name in (None, "", " ")]
    task = load_task(write_task(tmp_path, [GOOD, *rows, {"question": "so?", "targets": "x"}]))
    assert [s.id for s in task.samples] == ["q1", "2", "3", "4", "5"]


def test_an_answer_of_null_is_none(tmp_path: Path) -> None:
    rows = [{**GOOD, "targets": None}]
    task = load_task(write_task(tmp_path, rows, refusal={"say": "unknown"}))
    assert not task.samples[0].answerable
    assert "targets: empty, and the task has no refusal" in faults_of(write_task(tmp_path, rows))


def test_training_rows_without_ids_are_kept_beside_a_change(tmp_path: Path) -> None:
    train = [
        {"id": None, "question": q, "targets": "x"} for q in ("Who made the red boat?", "Why?")
    ]
    path = write_task(tmp_path, [GOOD], train)
    new = {"id": "2", "question": "When does the ferry leave?", "targets": "y"}
    (tmp_path / "new.jsonl").write_text(json.dumps(new))
    file = yaml.safe_load(path.read_text())
    file["rows"]["train"] = {"files": "train.jsonl", "changes": "new.jsonl"}
    path.write_text(yaml.safe_dump(file))
    assert [s.question for s in load_task(path).train] == [train[0]["question"], new["question"]]


def test_ids_may_be_numbers_of_any_library(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        "import decimal, numpy\n"
        "def numbered(rows):\n"
        "    kinds = [numpy.int64, decimal.Decimal]\n"
        "    return [{**row, 'id': kinds[n % 2](n)} for n, row in enumerate(rows)]\n"
    )
    rows = {"test": {"files": "test.jsonl", "adapt": "./made.py::numbered"}}
    path = write_task(tmp_path, [GOOD, {**GOOD, "id": "q2", "question": "How wide?"}], rows=rows)
    assert [sample.id for sample in load_task(path).samples] == ["0", "1"]


def test_a_row_whose_number_is_the_id_of_another_is_told_before_a_change(tmp_path: Path) -> None:
    train = [
        {"id": None, "question": "Who made the red boat?", "targets": "x"},
        {"id": "1", "question": "Why?", "targets": "y"},
    ]
    path = write_task(tmp_path, [GOOD], train)
    (tmp_path / "new.jsonl").write_text(json.dumps({**train[1], "targets": "z"}))
    file = yaml.safe_load(path.read_text())
    file["rows"]["train"] = {"files": "train.jsonl", "changes": "new.jsonl"}
    path.write_text(yaml.safe_dump(file))
    assert "train row 2 ('1'): id occurs twice" in faults_of(path)


def test_a_training_row_that_repeats_a_test_row_is_refused_or_dropped(tmp_path: Path) -> None:
    train = [
        {"id": "t1", "question": "how heavy IS it", "targets": "19"},
        {"id": "t2", "question": "Which colour?", "targets": "red"},
    ]
    message = faults_of(write_task(tmp_path, [GOOD], train))
    assert "train row 't1' (nearly) repeats test row 'q1'" in message
    task = load_task(write_task(tmp_path, [GOOD], train, on_overlap="drop"))
    assert task.dropped == ("t1",)
    assert [s.id for s in task.train] == ["t2"]


def test_a_benchmarks_limit_takes_a_sample_and_keeps_the_population(tmp_path: Path) -> None:
    rows = [{"id": str(n), "question": f"what is {n}?", "targets": "x"} for n in range(8)]
    write_task(tmp_path, rows)
    suite = Suite.model_validate({"tasks": [{"qa.yaml": {"limit": 3}}], "setups": {"base": {}}})
    tasks, skipped = load_tasks(suite, tmp_path / "b.yaml")
    assert (len(tasks["qa"].samples), len(tasks["qa"].population), skipped) == (3, 8, {})


def test_what_a_function_makes_of_rows_must_be_rows(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("def names(rows):\n    return [row['id'] for row in rows]\n")
    rows = {"test": {"files": "test.jsonl", "adapt": "./made.py::names"}, "train": "train.jsonl"}
    faults = faults_of(write_task(tmp_path, [GOOD], rows=rows))
    assert "qa.yaml: rows: ./made.py::names: row 1: found 'q1'; return mappings" in faults


def test_digests_change_with_a_rows_content_alone(tmp_path: Path) -> None:
    before = load_task(write_task(tmp_path, [GOOD])).digests.root
    assert load_task(write_task(tmp_path, [dict(reversed(GOOD.items()))])).digests.root == before
    after = load_task(write_task(tmp_path, [{**GOOD, "targets": ["20 kilos"]}])).digests.root
    assert {name for name in before if before[name] != after[name]} == {"test"}


def group(name: str, count: int) -> list[Sample]:
    return [Sample(f"{name}{n}", {"question": "?"}, ("x",), tags={"g": name}) for n in range(count)]


def shares(samples: Sequence[Sample]) -> dict[str, int]:
    return dict(Counter(s.tags["g"] for s in samples))


def test_a_stratified_sample_keeps_the_shares() -> None:
    samples = [*group("a", 60), *group("b", 30), *group("c", 10)]
    assert shares(stratified(samples, 10, ("g",), 0)) == {"a": 6, "b": 3, "c": 1}
    assert shares(stratified(samples, 50, (), 0)) == {"a": 30, "b": 15, "c": 5}


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 80))
def test_no_stratum_is_a_whole_sample_away_from_its_share(a: int, b: int, n: int) -> None:
    taken = stratified([*group("a", a), *group("b", b)], n, ("g",), 0)
    assert len(taken) == min(n, a + b)
    exact = min(1, n / (a + b))
    assert abs(shares(taken).get("a", 0) - a * exact) < 1


@settings(deadline=None)
@given(st.permutations(range(12)), st.integers(1, 11), st.integers(0, 3))
def test_a_stratified_sample_does_not_depend_on_the_order_of_rows(
    order: list[int], n: int, seed: int
) -> None:
    samples = [*group("a", 7), *group("b", 5)]
    shuffled = [samples[i] for i in order]
    taken = stratified(shuffled, n, ("g",), seed)
    assert set(map(id, taken)) == set(map(id, stratified(samples, n, ("g",), seed)))
    assert [s.id for s in taken] == [s.id for s in shuffled if s in taken]


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 30))
def test_a_larger_stratified_sample_holds_the_smaller_one(sizes: list[int], n: int) -> None:
    samples = [s for name, size in zip("abcd", sizes, strict=False) for s in group(name, size)]
    small = {s.id for s in stratified(samples, n, ("g",), 0)}
    assert small <= {s.id for s in stratified(samples, n + 1, ("g",), 0)}


def test_a_larger_sample_takes_no_place_from_a_small_stratum() -> None:
    """The Alabama paradox: by largest remainders, `c` has 2 places of 10 but only 1 of 11."""
    samples = [*group("a", 6), *group("b", 6), *group("c", 2)]
    small = {s.id for s in stratified(samples, 10, ("g",), 0)}
    assert small <= {s.id for s in stratified(samples, 11, ("g",), 0)}


def test_another_seed_takes_other_rows() -> None:
    samples = group("a", 40)
    taken = [{s.id for s in stratified(samples, 10, (), seed)} for seed in (0, 1)]
    assert taken[0] != taken[1]


def test_the_target_can_be_a_stratum() -> None:
    samples = [Sample(str(n), {"question": "?"}, ("yes" if n < 8 else "no",)) for n in range(12)]
    taken = stratified(samples, 3, ("target",), 0)
    assert Counter(s.targets[0] for s in taken) == {"yes": 2, "no": 1}
