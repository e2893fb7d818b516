"""What is wrong with a task's data, each fault planted by hand and counted by hand."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Suite, load_suite
from bakeoff.tasks.audit import Audit, audit
from bakeoff.tasks.audit.deeper import audit_all
from bakeoff.tasks.load import Task, load_task
from conftest import ROOT, Cli

Row = Mapping[str, Any]


def row(name: str, question: str, *targets: str, gold: Sequence[str] = ()) -> Row:
    return {"id": name, "question": question, "targets": targets, "gold": gold}


TEST = [
    row("q1", "How heavy is the barrow?", "19 kilos", gold=["barrow"]),
    row("q2", "When does the east gate open?", "6.40", gold=["gate"]),
]
TRAIN = [row("t1", "Which colour has the old shed?", "red")]
NOTES = {"barrow": "The barrow weighs 19 kilos.", "gate": "The east gate opens at 6.40."}


def project(
    folder: Path,
    test: Sequence[Row] = TEST,
    train: Sequence[Row] = TRAIN,
    notes: Mapping[str, str] = NOTES,
    setups: Mapping[str, Any] | None = None,
    gates: Sequence[str] = (),
    **fields: Any,
) -> Path:
    """A benchmark file in `folder` of one task, `qa`, with these rows and documents."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    for name, rows in (("test", test), ("train", train)):
        lines = "".join(json.dumps(each) + "\n" for each in rows)
        (folder / "tasks" / f"{name}.jsonl").write_text(lines)
    for name, text in notes.items():
        (folder / "tasks" / f"{name}.md").write_text(text)
    task = {
        "description": "d",
        "rows": {"test": "test.jsonl", **({"train": "train.jsonl"} if train else {})},
        "scorers": ["contains"],
        "refusal": {"say": "unknown", "phrases": ["unknown"]},
        **({"corpora": {"notes": {"documents": "*.md"}}} if notes else {}),
        **fields,
    }
    (folder / "tasks" / "qa.yaml").write_text(yaml.safe_dump(task))
    (folder / "bot.py").write_text("def answer(sample):\n    return sample.targets[0]\n")
    suite = {
        "tasks": ["qa"],
        "setups": setups or {"mine": {"call": "../bot.py::answer"}},
        "latency": {"samples": 0},
        "gates": list(gates),
    }
    path = folder / "benchmarks" / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def audited(path: Path, **options: Any) -> Audit:
    found, skipped = audit_all(load_suite(path), path, **options)
    assert not skipped
    return found["qa"]


def count(found: Audit, name: str) -> tuple[int, int, tuple[str, ...]]:
    finding = found[name]
    return finding.count, finding.of, finding.first


def test_clean_data_has_nothing_to_be_found(tmp_path: Path) -> None:
    found = audited(project(tmp_path))
    facts = {"prompt_lengths"}
    assert [f.name for f in found.findings if f.count and f.name not in facts] == []
    assert found.leaked == ()


def test_overlap_is_told_verbatim_exact_and_near_before_rows_are_left_out(tmp_path: Path) -> None:
    test = [
        row("q1", "Where is the van?", "yard"),
        row("q2", "Who locks the gate?", "Ann"),
        row("q3", "a b c d e", "f"),
        row("q4", "Why is the boiler cold today?", "fuse"),
    ]
    train = [
        row("t1", "Where is the van?", "yard"),
        row("t2", "who locks the GATE", "Ann"),
        row("t3", "a b c d", "f"),
        row("t4", "What does a permit cost?", "5"),
    ]
    found = audited(project(tmp_path, test, train, notes={}))
    assert count(found, "overlap_verbatim") == (1, 4, ("q1 = t1",))
    assert count(found, "overlap_exact") == (2, 4, ("q1 = t1", "q2 = t2"))
    assert count(found, "overlap_near") == (1, 4, ("q3 = t3",))
    assert count(found, "left_out") == (3, 4, ("t1", "t2", "t3"))
    assert "refused" in found["left_out"].note
    assert count(found, "leak") == (0, 4, ())


def test_a_copy_that_dropping_does_not_see_is_a_leak(tmp_path: Path) -> None:
    """A question without words is compared with nothing when rows are left out."""
    path = project(tmp_path, [*TEST, row("q3", "??", "help")], [*TRAIN, row("t2", "??", "help")])
    assert count(audited(path), "leak") == (1, 3, ("q3 = t2",))


SOLVED = {**NOTES, "faq": "# Often asked\nQ: How heavy is the barrow?\nA: It is 19 kilos.\n"}


def test_a_question_within_a_training_question_with_its_answer_is_a_leak(tmp_path: Path) -> None:
    test = [
        row("q1", "When does the east gate open?", "at dawn"),
        row("q2", "Kindly say: how heavy is the old barrow?", "19 kilos"),
        row("q3", "Who has the key to the shed?", "Voss"),
        row("q4", "Who paints?", "Lund"),
        row("q5", "Is the small shop open on Sundays?", "yes"),
    ]
    train = [
        row("t1", "A visitor wants to know: when does the east gate open? Be brief.", "at dawn"),
        row("t2", "How heavy is the old barrow?", "19 kilos"),
        # Asked of another time, it has another answer.
        row("t3", "In the winter months, who has the key to the shed?", "Lund"),
        row("t4", "In the spring of the next year, who paints the long wall there?", "Lund"),
        # Yes and small numbers are answers to much.
        row("t5", "Is the small shop open on Sundays in December?", "yes"),
    ]
    found = audited(project(tmp_path, test, train))
    assert count(found, "overlap_held") == (2, 5, ("q1 = t1", "q2 = t2"))
    assert count(found, "leak") == (2, 5, ("q1 = t1", "q2 = t2"))
    assert count(found, "overlap_near") == count(found, "left_out") == (0, 5, ())


def test_a_solved_question_in_a_document_is_a_leak_unless_it_is_its_gold(tmp_path: Path) -> None:
    found = audited(project(tmp_path / "a", notes=SOLVED))
    assert count(found, "solved_in_documents") == (1, 2, ("q1 = faq",))
    assert count(found, "leak") == (1, 2, ("q1 = faq",))
    gold = [{**TEST[0], "gold": ["barrow", "faq"]}, TEST[1]]
    assert count(audited(project(tmp_path / "b", gold, notes=SOLVED)), "leak") == (0, 2, ())
    unanswered = {**SOLVED, "faq": "Q: How heavy is the barrow?\nA: Ask Ann."}
    assert count(audited(project(tmp_path / "c", notes=unanswered)), "leak") == (0, 2, ())


def test_a_document_leaks_only_where_a_setup_reads_it(tmp_path: Path) -> None:
    base = audited(project(tmp_path / "a", notes=SOLVED, setups={"base": {}}))
    rag = audited(project(tmp_path / "b", notes=SOLVED, setups={"rag": {"retrieve": True}}))
    assert (count(base, "solved_in_documents")[0], base.leaked) == (1, ())
    assert rag.leaked == ("q1",)


def test_repeats_within_a_side_are_told_exact_and_near(tmp_path: Path) -> None:
    test = [*TEST, row("q3", "how heavy is the barrow", "19 kilos")]
    train = [
        row("t1", "p q r s t", "x"),
        row("t2", "p q r s t!", "x"),
        row("t3", "p q r s", "x"),
        row("t4", "u v w", "x"),
    ]
    notes = {**NOTES, "copy": "the barrow weighs 19 kilos"}
    found = audited(project(tmp_path, test, train, notes))
    assert count(found, "repeated_test") == (1, 3, ("q3 = q1",))
    assert count(found, "near_test") == (0, 3, ())
    assert count(found, "repeated_train") == (1, 4, ("t2 = t1",))
    assert count(found, "near_train") == (1, 4, ("t3 = t1",))
    assert count(found, "repeated_documents") == (1, 3, ("notes/copy = notes/barrow",))


def test_the_same_question_with_answers_that_share_none_contradicts_itself(tmp_path: Path) -> None:
    train = [
        row("t1", "Who has the key?", "Ann", "Ann Lee"),
        row("t2", "who has the key", "ann"),
        row("t3", "Who has the key?", "Bob"),
        row("t4", "Where is the ladder?", "shed"),
        row("t5", "Where is the ladder?"),
    ]
    found = audited(project(tmp_path, train=train))
    pairs = ("train t1 ≠ train t3", "train t4 ≠ train t5")
    assert count(found, "contradictions") == (2, 4, pairs)


def test_the_same_question_on_other_texts_is_no_repeat(tmp_path: Path) -> None:
    test = [
        {**row("q1", "What is the sum?", "3"), "text": "Ann paid 3."},
        {**row("q2", "What is the sum?", "4"), "text": "Bob paid 4."},
    ]
    found = audited(project(tmp_path, test, [], {}, prompt="{text} {question}"))
    assert count(found, "repeated_test")[0] == count(found, "contradictions")[0] == 0


def test_answers_and_documents_that_do_not_meet_are_counted(tmp_path: Path) -> None:
    test = [
        *TEST,
        row("q3", "What does the barrow cost?", "7 pounds", "seven pounds", gold=["gate"]),
        row("q4", "What does the gate weigh?", "19 kilos", gold=["gate"]),
        row("q5", "Who made the gate?"),
    ]
    notes = {**NOTES, "van": "The van is blue."}
    found = audited(project(tmp_path, test, notes=notes))
    assert count(found, "answer_not_in_gold") == (2, 4, ("q3", "q4"))
    assert count(found, "answer_in_no_document") == (1, 4, ("q3",))
    assert count(found, "documents_unreached") == (1, 3, ("van",))


def test_an_answer_of_one_sign_is_seen_in_a_script_without_spaces(tmp_path: Path) -> None:
    test = [
        row("q1", "門は何色ですか", "赤", gold=["gate"]),
        row("q2", "車は?", "緑", gold=["gate"]),
    ]
    found = audited(project(tmp_path, test, notes={"gate": "東の門は赤い。"}))
    assert count(found, "answer_in_no_document") == (1, 2, ("q2",))
    assert count(found, "answer_not_in_gold") == (1, 2, ("q2",))


def test_the_balance_of_labels_is_told_with_what_the_commonest_would_score(tmp_path: Path) -> None:
    test = [row("q1", "first one", "a"), row("q2", "other two", "b"), row("q3", "last ten", "a")]
    train = [row("t1", "x y z", "b"), row("t2", "u v w", "b"), row("t3", "r s t", "a")]
    found = audited(project(tmp_path, test, train, {}, labels=["a", "b", "c"]))
    assert count(found, "labels_absent_test") == (1, 3, ("c",))
    assert count(found, "labels_absent_train") == (1, 3, ("c",))
    assert found["labels_absent_train"].note == "commonest b 2 (66.7%), rarest c 0 (0.0%)"
    assert count(found, "majority") == (1, 3, ("q2",))
    assert "accuracy 0.333" in found["majority"].note


def test_prompts_are_measured_against_a_window_with_passages_and_answer(tmp_path: Path) -> None:
    """40 characters are 10 tokens; 90 for passages and 20 for the answer make 120."""
    test = [row("q1", "x" * 40, "a"), row("q2", "y " * 22, "b")]
    fields = {"max_tokens": 20, "with_passages": "{passages}{prompt}", "notes": NOTES}
    setups = {"rag": {"retrieve": {"context_tokens": 90}}}
    path = project(tmp_path, test, setups=setups, **fields)
    assert count(audited(path, window=120), "over_window") == (1, 2, ("q2",))
    assert count(audited(path, window=121), "over_window") == (0, 2, ())
    assert "11 at most (q2)" in audited(path)["prompt_lengths"].note


WORDS = {"fruit": "apple pear plum fig", "tool": "saw drill plane file", "animal": "cat dog hen ox"}


def noisy(flipped: Sequence[int]) -> list[Row]:
    """90 rows of three labels that their words give away; some with the next label instead."""
    rng, names, rows = random.Random(5), list(WORDS), []
    for n in range(90):
        words = rng.choices(WORDS[names[n % 3]].split(), k=3)
        label = names[(n + (n in flipped)) % 3]
        rows.append(row(f"t{n:02}", f"{' '.join(words)} number {n}", label))
    return rows


def test_planted_wrong_labels_are_suspected_and_right_ones_are_not(tmp_path: Path) -> None:
    test = [row("q1", "what is a saw", "tool")]
    path = project(tmp_path / "a", test, noisy([4, 35, 71]), {}, labels=list(WORDS))
    found = audited(path)["label_suspects"]
    assert found.of == 90
    assert sorted(each.split(":")[0] for each in found.first) == ["t04", "t35", "t71"]
    clean = audited(project(tmp_path / "b", test, noisy([]), {}, labels=list(WORDS)))
    assert clean["label_suspects"].count == 0


def test_too_few_rows_of_a_label_are_not_judged(tmp_path: Path) -> None:
    test = [row("q1", "what is a saw", "tool")]
    train = [row("t1", "apple", "fruit"), row("t2", "drill", "tool")]
    found = audited(project(tmp_path, test, train, {}, labels=list(WORDS)))["label_suspects"]
    assert (found.count, found.of) == (0, 0)
    assert "not judged" in found.note


class Compass:
    """An embedder of one's own: questions with a north in them point there, others do not."""

    digest = "compass"

    def embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        return np.array([[1.0, 0.0] if "north" in t else [0.0, 1.0] for t in texts], np.float32)


def test_questions_of_one_meaning_in_other_words_are_found_by_their_vectors(tmp_path: Path) -> None:
    test = [row("q1", "Which way is north?", "up"), row("q2", "is it north of here now", "yes")]
    train = [row("t1", "Tell me where to go for the north pole", "up"), row("t2", "a b", "c")]
    path = project(tmp_path, test, train, {})
    found = audited(path, embedder=Compass())
    assert count(found, "overlap_meaning") == (2, 2, ("q1 ~ t1 (1.000)", "q2 ~ t1 (1.000)"))


def test_only_the_named_task_is_read_and_others_are_an_error(tmp_path: Path) -> None:
    path = project(tmp_path)
    assert audited(path, only="qa").leaked == ()
    with pytest.raises(BakeoffError, match="no task 'qb'; known: qa"):
        audited(path, only="qb")


def test_a_leak_fails_a_gate_and_stands_in_the_manifest(tmp_path: Path, cli: Cli) -> None:
    for name, notes, code in (("clean", NOTES, 0), ("leak", SOLVED, 10)):
        folder = tmp_path / name
        project(folder, notes=notes, gates=["count(*.leak) == 0"])
        done = cli("run", "benchmarks/small.yaml", "--no-mlflow", cwd=folder)
        assert done.returncode == code, done.stderr + done.stdout
    (file,) = folder.glob("results/small/*/manifest.json")
    found = json.loads(file.read_text())["audit"]["qa"]
    assert found["leaked"] == ["q1"]
    assert (found["findings"]["leak"]["count"], found["findings"]["leak"]["of"]) == (1, 2)
    assert "audit: qa: 1 of 2 test questions have a copy" in done.stderr
    assert "data: qa: 1 of 2 test questions have a copy" in (file.parent / "report.md").read_text()
    half = cli("gate", file.parent, "--check", "rate(mine.qa.leak) <= 0.5", cwd=folder)
    assert half.returncode == 0, half.stderr + half.stdout
    named = cli("gate", file.parent, "--check", "mine.leak <= 0.4", cwd=folder)
    assert named.returncode == 10, named.stderr + named.stdout


def test_a_failed_answer_hides_no_leak(tmp_path: Path, cli: Cli) -> None:
    path = project(tmp_path, notes=SOLVED, gates=["count(*.leak) == 0"])
    (tmp_path / "bot.py").write_text("def answer(sample):\n    raise ValueError('no')\n")
    path.write_text(path.read_text() + "policy: {errors: exclude, max_error_rate: 0}\n")
    done = cli("run", "benchmarks/small.yaml", "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 10, done.stderr + done.stdout


def test_a_run_without_an_audit_has_no_evidence_on_leaks(tmp_path: Path, cli: Cli) -> None:
    project(tmp_path)
    assert cli("run", "benchmarks/small.yaml", "--no-mlflow", cwd=tmp_path).returncode == 0
    (file,) = tmp_path.glob("results/small/*/manifest.json")
    old = {key: v for key, v in json.loads(file.read_text()).items() if key != "audit"}
    file.write_text(json.dumps(old))
    done = cli("gate", file.parent, "--check", "count(*.leak) == 0", cwd=tmp_path)
    assert done.returncode == 12, done.stderr + done.stdout


def test_the_command_prints_what_the_library_finds(tmp_path: Path, cli: Cli) -> None:
    path = project(tmp_path, notes=SOLVED)
    printed = cli("audit", path, "--format", "json")
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["tasks"]["qa"] == audited(path).facts.model_dump(mode="json")
    text = cli("audit", path, "--task", "qa", "--window", "9", "--format", "markdown").stdout
    assert "| leak | 1 | 2 | test questions have a copy" in text
    assert "q1 = faq" in cli("audit", path).stdout


@pytest.fixture
def data() -> Path:
    if not (named := os.environ.get("BAKEOFF_DATA")):
        pytest.skip("no local copy of the public data: name its folder in BAKEOFF_DATA")
    return Path(named)


def public(name: str, data: Path) -> Task:
    return load_task(ROOT / "tasks" / f"{name}.yaml", data)


def tuned(name: str) -> Suite:
    return Suite.model_validate({"tasks": [name], "setups": {"fine-tuned": {"tune": True}}})


def test_the_copies_that_banking77_has_are_found_and_none_is_left(data: Path) -> None:
    task = public("banking77", data)
    found = audit(task, tuned("banking77"))
    assert count(found, "overlap_verbatim")[:2] == (6, 3080)
    assert count(found, "left_out")[:2] == (len(task.dropped), 10003)
    assert found.leaked == ()


def test_the_copies_that_snips_has_are_found_and_planted_ones_as_well(data: Path) -> None:
    task = public("snips", data)
    found = audit(task, tuned("snips"))
    assert count(found, "overlap_exact")[:2] == (18, 700)
    assert found.leaked == ()
    seen = {s.question for s in (*task.train, *task.left_out)}
    long = [s for s in task.population if len(set(s.question.split())) >= 9]
    long = [s for s in long if s.question not in seen and s.id not in _overlapping(task)][:5]
    planted = [
        replace(s, id=f"planted {s.id}", fields={"question": f"please {s.question.upper()}"})
        for s in long
    ]
    again = audit(replace(task, train=(*task.train, *planted)), tuned("snips"))
    assert again.leaked == tuple(s.id for s in task.population if s in long)
    assert len(again.leaked) == 5


def _overlapping(task: Task) -> set[str]:
    from bakeoff.tasks.audit.duplicates import copies

    return set(copies(task.population, task.left_out))
