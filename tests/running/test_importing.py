"""Another tool's rows as a run: what goes in comes out, what lacks is said, and no half is kept."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs.tables.markdown import markdown
from bakeoff.running import gating
from bakeoff.running.facts import describe
from bakeoff.running.importing import Import, import_results, restore
from bakeoff.running.importing.fields import Fields, find
from bakeoff.running.importing.receiving import SAID
from bakeoff.running.rescore import rescore
from bakeoff.running.scoring import score
from bakeoff.runs import store
from bakeoff.runs.naming import find_run
from bakeoff.runs.store import Unit
from bakeoff.setups.builder import Workspace
from bakeoff.spec.benchmark import load_suite
from bakeoff.tasks.load import load_task
from conftest import ROOT

HANDBOOK = ROOT / "tasks" / "handbook_qa.yaml"


def write_csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def take(tmp_path: Path, *files: Path, notes: list[str] | None = None, **options: Any) -> Run:
    """Import with columns, scores, tags and where as the command line would spell them."""
    spelled = {
        name: options.pop(name)
        for name in ("columns", "scores", "tags", "where")
        if name in options
    }
    wanted = Import(files, Fields.parse(**spelled), **options)
    return import_results(
        wanted, tmp_path / "results", [].append if notes is None else notes.append
    )


def refused(tmp_path: Path, *files: Path, **options: Any) -> str:
    """The message of an import that fails; nothing of it may be left."""
    with pytest.raises(BakeoffError) as caught:
        take(tmp_path, *files, **options)
    results = tmp_path / "results"
    assert not results.exists() or list(results.rglob("*")) == []
    return str(caught.value)


def estimate(run: Run, metric: str, setup: str) -> Estimate:
    (task,) = run.comparison.tasks.values()
    return task.metrics[metric].setups[setup]


def scores(run: Run, setup: str) -> dict[str, dict[str, float | None]]:
    (task,) = run.samples
    return {
        sample: {metric: each.value for metric, each in found.items()}
        for (sample, _), found in run.scores(task, setup)
    }


def test_means_and_counts_of_csv_and_json_lines_are_those_of_the_rows(tmp_path: Path) -> None:
    a = write_csv(tmp_path / "a.csv", "id,acc,f1\nx,1,0.5\ny,0,0.25\nz,true,0\n")
    b = write_rows(
        tmp_path / "b.jsonl",
        [{"id": name, "acc": name == "z", "f1": 1} for name in ("z", "y", "x")],
    )
    run = take(tmp_path, a, b, scores=["acc", "f1"], name="both")
    assert estimate(run, "acc", "a").value == pytest.approx(2 / 3)
    assert estimate(run, "f1", "a").value == pytest.approx(0.25)
    assert estimate(run, "acc", "b").value == pytest.approx(1 / 3)
    assert [estimate(run, "acc", setup).n for setup in "ab"] == [3, 3]
    assert estimate(run, "error", "a").value == 0
    difference = run.comparison.tasks["both"].metrics["f1"].differences["b - a"]
    assert difference.value == pytest.approx(0.75)
    assert (difference.n, difference.wins, difference.losses) == (3, 3, 0)


def test_the_run_is_complete_and_reports_gates_and_names_its_sources(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", "id,model,acc\n1,old,0\n2,old,1\n1,new,1\n2,new,1\n")
    run = take(tmp_path, file, columns=["setup=model"], scores=["acc"], name="both")
    assert verdicts_of(Run(run.folder)).gates == ()
    text = markdown(run)
    assert "| both | acc | 2 |" in text
    chosen = gating.chosen_gates(run, None, ["new.both.acc >= old.both.acc"])
    found = gating.gate(run, tmp_path, chosen=chosen)
    assert found.gates[0].state in ("PASS", "INCONCLUSIVE")
    assert run.kinds == {"old": "custom", "new": "custom"}
    assert run.manifest.status == "complete"
    assert run.manifest.run == run.folder.name
    (source,) = run.manifest.imported.files
    assert source.rows == 4
    assert len(source.sha256) == 64
    assert run.manifest.imported.fields["setup"] == "model"
    metric = run.manifest.tasks["both"].metrics["acc"]
    assert metric.bounds == (0.0, 1.0)
    assert metric.version
    assert find_run("latest", tmp_path / "results") == run.folder


def test_missing_answers_are_failures_with_the_worst_score_and_said(tmp_path: Path) -> None:
    a = write_csv(tmp_path / "a.csv", "id,acc,loss,rating\nx,1,0.5,-2\ny,1,0.5,4\n")
    b = write_csv(tmp_path / "b.csv", "id,acc,loss,rating\nx,1,7,4\n")
    notes: list[str] = []
    options: dict[str, Any] = {"scores": ["acc", "loss", "rating"], "lower_is_better": ["loss"]}
    options["missing"] = "worst"
    run = take(tmp_path, a, b, notes=notes, **options)
    assert scores(run, "b")["y"] == {"acc": 0.0, "loss": 7.0, "rating": -2.0}
    assert estimate(run, "error", "b").value == 0.5
    found = estimate(run, "acc", "b")
    assert (found.value, found.n) == (0.5, 2)
    (missing,) = [note for note in notes if "missing" in note]
    assert "setup b: 1 of 2 answers are missing from b.csv" in missing
    assert notes == [*run.manifest.imported.notes]
    records = {record.sample: record for record in run.records("a", "b")}
    assert records["y"].error == "missing from b.csv"


def test_the_run_that_an_import_gives_is_what_its_folder_says(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", "id,m,acc,s\n1,a,0,0.5\n2,a,1,2\n1,b,1,1\n2,b,1,1\n")
    run = take(tmp_path, file, columns=["setup=m", "seconds=s"], scores=["acc"])
    again = Run(run.folder)
    assert run.comparison == again.comparison
    assert run.manifest == again.manifest
    assert run.samples == again.samples
    assert list(run.latencies("a")) == list(again.latencies("a"))


def forty_of_a_hundred(tmp_path: Path) -> tuple[Path, Path]:
    """A file with 100 samples, 70 of them right, and one with 40 of these, 28 of them right."""
    lines = [f"{i},{int(i % 10 < 7)}\n" for i in range(100)]
    a = write_csv(tmp_path / "a.csv", "id,acc\n" + "".join(lines))
    return a, write_csv(tmp_path / "b.csv", "id,acc\n" + "".join(lines[:40]))


def test_samples_that_one_side_lacks_do_not_make_the_other_better(tmp_path: Path) -> None:
    files, notes = forty_of_a_hundred(tmp_path), list[str]()
    run = take(tmp_path, *files, scores=["acc"], missing="drop", notes=notes)
    assert [estimate(run, "acc", setup).value for setup in "ab"] == [0.7, 0.7]
    assert [estimate(run, "acc", setup).n for setup in "ab"] == [40, 40]
    (task,) = run.comparison.tasks.values()
    assert task.metrics["acc"].differences["b - a"].value == 0
    assert any("setup a: 0 samples have no answer of it, and 60 of its" in note for note in notes)
    assert any("setup b: 60 samples have no answer of it" in note for note in notes)
    worst = take(tmp_path, *files, scores=["acc"], missing="worst")
    assert estimate(worst, "acc", "b").value == 0.28


def test_few_common_samples_are_refused_unless_asked_for(tmp_path: Path) -> None:
    a, b = forty_of_a_hundred(tmp_path)
    assert "40 of 100 samples have an answer of every setup (missing: b 60)" in refused(
        tmp_path, a, b, scores=["acc"]
    )
    most = write_csv(tmp_path / "c.csv", "".join(a.read_text().splitlines(True)[:81]))
    assert estimate(take(tmp_path, a, most, scores=["acc"]), "acc", "a").n == 80
    found = refused(tmp_path / "other", a, most, scores=["acc"], missing="refuse")
    assert "80 of 100" in found
    other = write_csv(tmp_path / "d.csv", "id,acc\nx,1\n")
    assert "0 of 101" in refused(tmp_path / "other", a, other, scores=["acc"], missing="drop")


def test_dropped_samples_of_a_task_make_a_limited_run_that_is_scored_again(
    tmp_path: Path,
) -> None:
    task = load_task(HANDBOOK)
    rows = [{"id": s.id, "a": task.completion(s), "s": 2.0} for s in task.samples]
    a = write_rows(tmp_path / "a.jsonl", rows)
    b = write_rows(tmp_path / "b.jsonl", rows[:-8])
    run = take(tmp_path, a, b, columns=["answer=a", "seconds=s"], task=HANDBOOK)
    n = len(rows) - 8
    assert estimate(run, "exact_match", "a").n == n
    assert estimate(run, "latency_s", "a").n == n
    assert len(run.samples["handbook_qa"]) == n
    assert run.limited
    again = rescore(run.folder, Workspace(tmp_path / "cache", tmp_path), trusted=True)
    assert estimate(again, "exact_match", "b").value == 1


def test_a_rate_where_less_is_better_scores_1_when_it_failed(tmp_path: Path) -> None:
    a = write_csv(tmp_path / "a.csv", "id,toxic\nx,0\ny,0.25\n")
    b = write_csv(tmp_path / "b.csv", "id,toxic\nx,0\n")
    run = take(tmp_path, a, b, scores=["toxic"], lower_is_better=["toxic"], missing="worst")
    assert scores(run, "b")["y"] == {"toxic": 1.0}
    assert run.manifest.tasks["a"].metrics["toxic"].higher_is_better is False


@pytest.mark.parametrize("nothing", ["", "NaN", "nan", "N/A", "null", "inf", "-Infinity", "1e999"])
def test_what_is_no_number_is_unjudged_and_counted(tmp_path: Path, nothing: str) -> None:
    file = write_csv(tmp_path / "a.csv", f"id,acc\nx,{nothing}\ny,1\n")
    notes: list[str] = []
    run = take(tmp_path, file, scores=["acc"], notes=notes)
    assert (estimate(run, "acc", "a").n, estimate(run, "acc", "a").unjudged) == (1, 1)
    assert "setup a: 1 of 2 values of acc are unjudged" in notes


@pytest.mark.parametrize("nothing", ["NaN", "-Infinity", "null", '"N/A"', "1" + "0" * 400])
def test_what_json_writes_for_nothing_is_unjudged(tmp_path: Path, nothing: str) -> None:
    file = write_csv(tmp_path / "a.jsonl", f'{{"id": 1, "acc": {nothing}}}\n{{"id": 2, "acc": 1}}')
    run = take(tmp_path, file, scores=["acc"])
    assert scores(run, "a") == {"1": {"acc": None}, "2": {"acc": 1.0}}


def test_ids_stay_text_and_formulas_stay_as_they_are(tmp_path: Path) -> None:
    text = 'id,answer,acc,who\n007,=1+1,1,@SUM(A1)\n7,"-2+3\n""x"", y",0,=cmd\n7.0,+,1,\n'
    run = take(
        tmp_path,
        write_csv(tmp_path / "a.csv", text),
        columns=["answer=answer"],
        scores=["acc"],
        tags=["who"],
    )
    assert list(run.samples["a"]) == ["007", "7", "7.0"]
    answers = {r.sample: r.answer.text for r in run.records("a", "a") if r.answer}
    assert answers == {"007": "=1+1", "7": '-2+3\n"x", y', "7.0": "+"}
    assert [s.tags for s in run.samples["a"].values()] == [{"who": "@SUM(A1)"}, {"who": "=cmd"}, {}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_may_begin_with_a_byte_order_mark_and_use_any_common_delimiter(
    tmp_path: Path, delimiter: str
) -> None:
    text = "id,answer,acc\nä,a long; text | here,1\n".replace(",", delimiter)
    text = text.replace("a long; text | here", '"a long; text | here"')
    file = write_csv(tmp_path / "a.csv", text, "utf-8-sig")
    run = take(tmp_path, file, columns=["answer=answer"], scores=["acc"])
    (record,) = run.records("a", "a")
    assert (record.sample, record.answer and record.answer.text) == ("ä", "a long; text | here")


def test_json_lines_may_begin_with_a_byte_order_mark_and_hold_odd_line_ends(tmp_path: Path) -> None:
    text = '{"id": "a\u2028b", "acc": 1}\r\n\r\n{"id": "c\\r", "acc": 0}'
    run = take(tmp_path, write_csv(tmp_path / "a.jsonl", text, "utf-8-sig"), scores=["acc"])
    assert list(run.samples["a"]) == ["a\u2028b", "c\r"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"id,acc\nx,1\n\xe9,1\n", "a.csv: line 3: byte 0xe9 is not UTF-8"),
        ("a.jsonl", b'{"id": "\xe9"}', "a.jsonl: line 1: byte 0xe9 is not UTF-8"),
        ("a.csv", b"id,acc\nx,1\ny\n", "a.csv: line 3: found 1 column; the header has 2"),
        ("a.csv", b'id,acc\nx,1\n"y"z,1\n', "a.csv: line 3: not CSV"),
        ("a.csv", b"id,acc,acc\nx,1,1\n", "a.csv: line 1: column 'acc' occurs twice"),
        ("a.csv", b"id,accuracy\nx,1\n", "no column 'acc'; found id, accuracy"),
        ("a.csv", b"id,acc\n", "a.csv: no rows"),
        ("a.csv", b"", "no column 'id'; found nothing"),
        ("a.csv", b"id,acc\n,1\n", "a.csv: line 2: id: found ''"),
        ("a.csv", b"id,acc\nx,good\n", "a.csv: line 2: score acc: found 'good'; a number"),
        ("a.csv", b'id,acc\nx,"0,5"\n', "score acc: found '0,5'"),
        ("a.csv", b"id,acc\nx,1_0\n", "score acc: found '1_0'"),
        ("a.csv", b"id,acc\nx,nan\n", "score acc: no answered row holds a number"),
        ("a.jsonl", b'{"id": 1, "acc": 1}\n{"id": 2,', "a.jsonl: line 2: not JSON"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl: line 1: not JSON"),
        ("a.jsonl", b'"id"', "a.jsonl: line 1: found 'id'; a row is a JSON object"),
        ("a.jsonl", b'{"id": 1.0, "acc": 1}', "line 1: id: found 1.0; a text or a whole number"),
        ("a.jsonl", b'{"id": true, "acc": 1}', "line 1: id: found True"),
        ("a.jsonl", b'{"acc": 1}', "line 1: id: found nothing"),
        ("a.jsonl", b'{"id": "\\ud800", "acc": 1}', "lone surrogate"),
        ("a.jsonl", b'{"id": 1, "acc": [1, 0]}', "score acc: found [1, 0]"),
        ("a.jsonl", b'{"id": 1, "f1": 1}', "score acc: no row holds anything at 'acc'"),
        ("a.json", b'{\n"id": 1}', "a.json: line 1: not JSON"),
        ("a.json", b"[1]", "a.json: row 1: found 1; a row is a JSON object"),
    ],
)
def test_a_bad_file_is_told_by_place_and_leaves_nothing_behind(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert said in refused(tmp_path, file, scores=["acc"])


def test_every_bad_row_gives_one_message_and_the_many_are_counted(tmp_path: Path) -> None:
    lines = "".join(f"{i},bad,worse\n" for i in range(30))
    file = write_csv(tmp_path / "a.csv", f"id,acc,f1\n{lines}")
    found = refused(tmp_path, file, scores=["acc", "f1"]).split("\n")
    assert len(found) == SAID + 1
    assert found[1].endswith(
        "a.csv: line 3: score acc: found 'bad'; a number, true or false works, or nothing where "
        "it is not known"
    )
    assert found[-1] == "import: 20 more rows cannot be taken"


def test_rows_that_stand_twice_are_refused_with_a_count_and_the_first_names(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", "id,acc\n" + "x,1\n" * 9)
    found = refused(tmp_path, file, scores=["acc"])
    assert "import: 8 rows more than once: 'x' of setup a" in found
    assert "a.csv: line 3), " in found
    assert "line 8" not in found


def test_the_same_row_twice_is_fine_where_a_column_tells_repeats_apart(tmp_path: Path) -> None:
    text = "id,epoch,acc\nx,1,1\nx,2,0\ny,2,1\ny,1,1\nz,1,0\n"
    file = write_csv(tmp_path / "a.csv", text)
    run = take(tmp_path, file, columns=["repeat=epoch"], scores=["acc"], missing="worst")
    assert run.suite.repeats == 2
    assert estimate(run, "acc", "a").value == pytest.approx((0.5 + 1 + 0) / 3)
    assert estimate(run, "error", "a").value == pytest.approx(0.5 / 3)
    again = write_csv(tmp_path / "b.csv", "id,epoch,acc\nx,1,1\nx,1,0\n")
    with pytest.raises(BakeoffError, match="1 row more than once"):
        take(tmp_path, again, columns=["repeat=epoch"], scores=["acc"])
    uneven = write_csv(tmp_path / "c.csv", "id,epoch,acc\nx,1,1\ny,1,0\n")
    with pytest.raises(BakeoffError, match="a different number of times \\(a 2, c 1\\)"):
        take(tmp_path, file, uneven, columns=["repeat=epoch"], scores=["acc"])


def test_answers_to_a_task_are_scored_by_its_scorers_beside_their_own_scores(
    tmp_path: Path,
) -> None:
    task = load_task(HANDBOOK)
    right = [{"id": s.id, "out": {"text": task.completion(s)}, "theirs": 0.5} for s in task.samples]
    good = write_rows(tmp_path / "good.jsonl", right)
    bad = write_rows(
        tmp_path / "bad.jsonl", [{**row, "out": {"text": "nonsense"}} for row in right[:-8]]
    )
    options: dict[str, Any] = {"columns": ["answer=out.text"], "scores": ["theirs"]}
    run = take(tmp_path, good, bad, **options, task=HANDBOOK, missing="worst")
    assert run.manifest.benchmark == "handbook_qa"
    assert estimate(run, "exact_match", "good").value == 1
    assert estimate(run, "contains", "bad").value == 0
    n = len(task.samples)
    assert estimate(run, "contains", "bad").n == n
    assert estimate(run, "error", "bad").value == pytest.approx(8 / n)
    assert estimate(run, "theirs", "bad").value == pytest.approx(0.5 * (n - 8) / n)
    assert list(run.samples["handbook_qa"]) == [sample.id for sample in task.samples]
    facts = run.manifest.tasks["handbook_qa"]
    assert facts.digests == task.digests
    assert facts.metrics["theirs"].about == "`theirs` of the imported rows."
    assert "handbook_qa" in markdown(run)


def test_refusals_of_an_import_without_a_task_are_counted_by_the_default_phrases(
    tmp_path: Path,
) -> None:
    texts = ["It is not mentioned.", "I don't know.", "9 kilos", "It opens at 6.40."]
    rows = [
        {"id": f"q{n}", "question": f"Question {n}?", "target": "9 kilos", "answer": text}
        for n, text in enumerate(texts)
    ]
    columns = ["answer=answer", "target=target", "question=question"]
    file = write_rows(tmp_path / "mine.jsonl", rows)
    run = take(tmp_path, file, columns=columns, scorers=["declined", "contains"])
    assert estimate(run, "declined", "mine").value == 0.5
    assert estimate(run, "contains", "mine").value == 0.25


REFUSING = [
    {"id": 1, "a": "unknown", "t": "8 kilos", "p": ["It weighs 8 kilos."]},
    {"id": 2, "a": "The weight is hard to say.", "t": "8 kilos", "p": ["It weighs 8 kilos."]},
    {"id": 3, "a": "No comment.", "t": "8 kilos", "p": ["It weighs 8 kilos."]},
    {"id": 4, "a": "It weighs 8 kilos.", "t": "8 kilos", "p": ["It weighs 8 kilos."]},
]


@pytest.mark.parametrize("beside", [[], ["contains"], ["token_f1", "numeric"]])
def test_refusals_are_left_out_of_support_whatever_scorers_are_beside_it(
    tmp_path: Path, beside: list[str]
) -> None:
    file = write_rows(tmp_path / "mine.jsonl", REFUSING)
    columns = ["answer=a", "target=t", "passages=p"]
    notes: list[str] = []
    run = take(tmp_path, file, notes=notes, columns=columns, scorers=["faithfulness", *beside])
    assert any(note.startswith("answers that decline") for note in notes)
    scored = {
        name for name, found in scores(run, "mine").items() if found["faithfulness"] is not None
    }
    assert scored == {"3", "4"}
    own = take(
        tmp_path,
        file,
        columns=columns,
        scorers=["faithfulness", *beside],
        refusals=["no comment", "=unknown"],
    )
    scored = {
        name for name, found in scores(own, "mine").items() if found["faithfulness"] is not None
    }
    assert scored == {"2", "4"}


KEYS = ["Mrs. Odell keeps the key.", "It hangs in the hall."]


def test_passages_without_a_text_are_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"id": "1", "a": "She keeps it.", "seen": [{"url": "x"}]}) + "\n")
    with pytest.raises(BakeoffError, match=r"passages: found .*; texts, or objects with `text`"):
        take(tmp_path, file, columns=["answer=a", "passages=seen"], scorers=["faithfulness"])


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        (KEYS[0], KEYS[:1]),
        ("[1] " + KEYS[0], ["[1] " + KEYS[0]]),
        (json.dumps(KEYS), KEYS),
        (repr(KEYS), KEYS),
        (json.dumps([{"page_content": KEYS[0]}, {"content": KEYS[1], "score": 1}]), KEYS),
        ("", []),
    ],
)
def test_a_column_of_passages_holds_a_text_or_a_list_of_texts(
    tmp_path: Path, cell: str, texts: list[str]
) -> None:
    file = tmp_path / "mine.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([["id", "a", "seen"], ["1", "Mrs. Odell keeps it.", cell]])
    run = take(tmp_path, file, columns=["answer=a", "passages=seen"], scorers=["faithfulness"])
    (record,) = run.records("mine", "mine")
    assert record.answer
    assert [passage.text for passage in record.answer.passages] == texts
    assert estimate(run, "faithfulness", "mine").n == 1


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("contexts", "name where they are with --column passages=contexts, or leave faithfulness"),
        ("seen", "name where they are with --column passages=COLUMN, or leave faithfulness"),
    ],
)
def test_a_scorer_of_passages_is_refused_where_no_answer_has_any(
    tmp_path: Path, column: str, said: str
) -> None:
    rows = [{"id": 1, "a": "Mrs. Odell keeps it.", "t": "Odell", column: KEYS, "own": 1}]
    file = write_rows(tmp_path / "mine.jsonl", rows)
    named: dict[str, Any] = {"columns": ["answer=a", "target=t"], "scores": ["own"]}
    found = refused(tmp_path, file, scorers=["faithfulness", "contains"], **named)
    assert found.startswith("import: faithfulness: no answer has passages; ")
    assert said in found
    assert estimate(take(tmp_path, file, scorers=["contains"], **named), "contains", "mine").n == 1


def test_answers_without_passages_beside_others_are_counted(tmp_path: Path) -> None:
    answer = {"a": "Mrs. Odell keeps it."}
    seen: list[dict[str, Any]] = [{"p": KEYS}, {"p": []}, {}]
    rows = [{"id": n, "of": "rag", **answer, **more} for n, more in enumerate(seen)]
    rows += [{"id": n, "of": "plain", **answer} for n in range(3)]
    file = write_rows(tmp_path / "keys.jsonl", rows)
    notes: list[str] = []
    columns = ["answer=a", "passages=p", "setup=of"]
    take(tmp_path, file, notes=notes, columns=columns, scorers=["faithfulness"])
    assert "setup rag: 2 answers without passages, as if none were found: faithfulness" in notes
    assert "setup plain: no answer has passages, and none is scored by faithfulness" in notes


def test_targets_that_decline_are_told(tmp_path: Path) -> None:
    rows = [{**row, "t": "unknown" if row["id"] == 1 else row["t"]} for row in REFUSING]
    file = write_rows(tmp_path / "mine.jsonl", rows)
    columns, notes = ["answer=a", "target=t", "passages=p"], list[str]()
    run = take(
        tmp_path, file, notes=notes, columns=columns, scorers=["exact_match", "faithfulness"]
    )
    assert scores(run, "mine")["1"]["exact_match"] == 0
    assert any("1 sample with a target that itself declines: '1'" in note for note in notes)
    run = take(tmp_path, file, notes=(plain := []), columns=columns, scorers=["exact_match"])
    assert scores(run, "mine")["1"]["exact_match"] == 1
    assert not any("decline" in note for note in plain)


def test_a_row_with_a_doubled_key_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "q1", "answer": "x", "acc": 1, "acc": 0}\n')
    found = refused(tmp_path, file, columns=["answer=answer"], scores=["acc"])
    assert "line 1: not JSON: the key 'acc' occurs twice" in found


def test_ids_that_a_task_does_not_have_are_refused_with_a_count(tmp_path: Path) -> None:
    rows = [{"id": f"q{i}", "answer": "x"} for i in range(7)] + [{"id": "hb-a-001", "answer": "x"}]
    file = write_rows(tmp_path / "a.jsonl", rows)
    found = refused(tmp_path, file, columns=["answer=answer"], task=HANDBOOK)
    assert (
        "7 rows with an id that task handbook_qa does not have: 'q0', 'q1', 'q2', 'q3', 'q4', …"
        in found
    )
    assert "its ids are like 'hb-a-001'" in found


def test_a_question_that_is_not_the_tasks_is_refused(tmp_path: Path) -> None:
    file = write_rows(
        tmp_path / "a.jsonl", [{"id": "hb-a-001", "answer": "x", "q": "What is the time?"}]
    )
    found = refused(tmp_path, file, columns=["answer=answer", "question=q"], task=HANDBOOK)
    assert "1 row unlike task handbook_qa on a sample" in found
    assert "question of 'hb-a-001'" in found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scores": ["acc"], "task": HANDBOOK}, "answer: its column must be named"),
        ({"columns": ["answer=a"]}, "nothing to compare"),
        ({"columns": ["answer=a"], "scorers": ["exact_match"]}, "target: its column must be named"),
        ({"columns": ["answer=a", "target=t"], "task": HANDBOOK}, "target: the task has its own"),
        ({"columns": ["answer=a"], "scores": ["contains"], "task": HANDBOOK}, "their_contains="),
        ({"scores": ["error"]}, "score error: there is a error already"),
        ({"scores": ["acc"], "lower_is_better": ["ac"]}, "no imported score 'ac'; did you mean"),
        ({"scores": ["acc"], "columns": ["setup=s"], "setup": "x"}, "not both"),
        ({"scores": ["acc"], "columns": ["answr=a"]}, "did you mean 'answer'?"),
        ({"scores": ["pass@1"]}, "'pass@1' is not a metric"),
        ({"scores": ["length"]}, "if it is that, their_length=length if not"),
        ({"scores": ["acc"], "where": ["x"]}, "where 'x': write COLUMN=TEXT"),
        ({"scores": ["acc"], "format": "lmeval"}, "did you mean 'lm-eval'?"),
        ({"columns": ["setup=ac"]}, "no column 'ac'; did you mean 'acc'?; found id, acc"),
        ({"columns": ["answer=acc"], "scorers": ["exact_matc"]}, "did you mean 'exact_match'?"),
        ({"scores": ["acc"], "refusals": ["no"]}, "refusal: no answer is scored"),
        ({"task": HANDBOOK, "refusals": ["no"]}, "refusal: the task has its own phrases"),
        ({"scores": ["acc"], "name": "a.b"}, "'a.b' cannot name a benchmark"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    file = write_csv(tmp_path / "a.csv", "id,acc\nx,1\n")
    assert said in refused(tmp_path, file, **options)


def test_what_is_misspelled_is_told_before_what_follows_from_it(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "a.jsonl", [{"id": 1, "model": "old", "text": "Ida"}])
    found = refused(tmp_path, file, columns=["setup=modl", "answer=text"])
    assert found.splitlines()[0].endswith(
        "a.jsonl: setup: the first row has no 'modl'; did you mean 'model'?"
    )
    found = refused(tmp_path, file, columns=["answer=text"], scorers=["faithfullness"])
    assert found.startswith("import: scorers: no scorer named 'faithfullness'; did you mean")
    assert "target" not in found
    found = refused(tmp_path, file, columns=["setup=modl"], scores=["id"])
    assert "import: setup: no row holds anything at 'modl'; did you mean 'model'?" in found


@pytest.mark.parametrize("column", ["model", "setup", "provider", "system"])
def test_a_column_that_may_tell_setups_apart_is_named_where_ids_repeat(
    tmp_path: Path, column: str
) -> None:
    rows = [
        {"id": n, column: setup, "answer": "Ida", "acc": 1} for n in (1, 2) for setup in ("x", "y")
    ]
    file = write_rows(tmp_path / "a.jsonl", rows)
    found = refused(tmp_path, file, columns=["answer=answer"], scores=["acc"])
    assert f"tell setups apart with --column setup={column}, name a repeat column" in found
    again = write_rows(tmp_path / "b.jsonl", [*rows, *rows])
    found = refused(tmp_path, again, columns=[f"setup={column}"], scores=["acc"])
    assert "tell setups apart" not in found
    run = take(tmp_path, file, columns=["answer=answer", f"setup={column}"], scores=["acc"])
    assert list(run.suite.setups) == ["x", "y"]


def test_without_a_task_the_rows_make_one_that_can_be_scored_again(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "q": "Capital?", "a": "The Paris", "t": ["Paris", "paris"], "acc": 0.5},
        {"id": 2, "q": "Sum?", "a": "5", "t": "4", "acc": 0.25},
    ]
    run = take(
        tmp_path,
        write_rows(tmp_path / "quiz.jsonl", rows),
        columns=["answer=a", "target=t", "question=q"],
        scorers=["exact_match", "token_f1"],
        scores=["acc"],
    )
    wanted = {
        "1": {"exact_match": 1.0, "token_f1": 1.0, "acc": 0.5},
        "2": {"exact_match": 0.0, "token_f1": 0.0, "acc": 0.25},
    }
    assert scores(run, "quiz") == wanted
    assert run.samples["quiz"]["1"].targets == ("Paris", "paris")
    assert run.samples["quiz"]["1"].question == "Capital?"
    again = rescore(run.folder, Workspace(tmp_path / "cache", tmp_path))
    assert again.manifest.rescored == 1
    assert {k: v["exact_match"] for k, v in scores(again, "quiz").items()} == {"1": 1.0, "2": 0.0}


@pytest.mark.parametrize(
    ("answer", "target", "metric"),
    [
        ("It holds 19 litres.", "1.9 litres", "contains"),
        ("04 watts", "0.4 watts", "exact_match"),
        ("C", "C++", "exact_match"),
        ("It is 5 degrees.", "-5", "contains"),
    ],
)
def test_signs_that_tell_values_apart_count_without_a_task(
    tmp_path: Path, answer: str, target: str, metric: str
) -> None:
    file = write_rows(tmp_path / "signs.jsonl", [{"id": 1, "a": answer, "t": target}])
    columns, squad = ["answer=a", "target=t"], f"{metric}(normalization='squad')"
    notes: list[str] = []
    run = take(tmp_path, file, notes=notes, columns=columns, scorers=[metric, squad])
    assert scores(run, "signs")["1"] == {metric: 0.0, squad: 1.0}
    assert any("compared in strict normalization" in note for note in notes)
    take(tmp_path, file, notes=(silent := []), columns=columns, scorers=[squad])
    assert not any("normalization" in note for note in silent)


def test_scores_that_came_along_are_put_back_after_scoring_again(tmp_path: Path) -> None:
    rows = [{"id": s.id, "a": "x", "own": 0.5} for s in load_task(HANDBOOK).samples[:-1]]
    file = write_rows(tmp_path / "a.jsonl", rows)
    run = take(tmp_path, file, columns=["answer=a"], scores=["own"], task=HANDBOOK)
    before = scores(run, "a")
    task = load_task(HANDBOOK)
    manifest = run.manifest.model_copy(update={"tasks": {"handbook_qa": describe(task)}})
    manifest = score(run.folder, manifest, run.suite, {"handbook_qa": task})
    assert all("own" not in found for found in scores(run, "a").values())
    manifest = restore(run.folder, manifest)
    assert scores(run, "a") == before
    assert before[rows[0]["id"]]["own"] == 0.5
    assert manifest.tasks["handbook_qa"].metrics["own"].higher_is_better is True
    assert manifest.spent == {}


def test_an_error_or_no_answer_is_a_failure_whatever_its_score(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"id": 1, "a": "x", "err": None, "acc": 1},
        {"id": 2, "a": "x", "err": "timeout: 30 s", "acc": 1},
        {"id": 3, "a": None, "err": "", "acc": 1},
        {"id": 4, "a": "", "err": 0, "acc": 1},
    ]
    notes: list[str] = []
    file = write_rows(tmp_path / "a.jsonl", rows)
    run = take(tmp_path, file, columns=["answer=a", "error=err"], scores=["acc"], notes=notes)
    assert [found["acc"] for found in scores(run, "a").values()] == [1, 0, 0, 1]
    errors = [record.error for record in run.records("a", "a")]
    assert errors == [None, "timeout: 30 s", "no answer in the row", None]
    assert "setup a: 2 of 4 rows have an error or no answer" in notes


def test_how_replies_ended_comes_along_in_any_vendors_words(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"id": 1, "a": "left", "end": "COMPLETE", "acc": 1},
        {"id": 2, "a": "le", "end": "MAX_TOKENS", "acc": 0},
        {"id": 3, "a": "", "end": "safety", "acc": 1},
        {"id": 4, "a": "le", "end": "error", "acc": 1},
        {"id": 5, "a": "left", "end": None, "acc": 1},
    ]
    file = write_rows(tmp_path / "a.jsonl", rows)
    run = take(tmp_path, file, columns=["answer=a", "finish_reason=end"], scores=["acc"])
    records = list(run.records("a", "a"))
    ends = ["stop", "length", "content_filter", "error", ""]
    assert [record.outcome.finish_reason for record in records] == ends
    assert [record.error for record in records if record.error] == [
        "empty: the reply ended with content_filter, no text",
        "the reply ended in an error",
    ]
    assert [found["acc"] for found in scores(run, "a").values()] == [1, 0, 0, 0, 1]


def test_clusters_and_tags_come_along_and_must_agree(tmp_path: Path) -> None:
    text = "id,acc,doc,lang\n" + "".join(
        f"{i},{i % 2},d{i // 4},{'de' * (i > 5)}\n" for i in range(12)
    )
    file = write_csv(tmp_path / "a.csv", text)
    run = take(tmp_path, file, columns=["cluster=doc"], scores=["acc"], tags=["lang"])
    assert run.samples["a"]["5"].cluster == "d1"
    assert run.comparison.tasks["a"].slices["lang=de"].setups["a"].n == 6
    other = write_csv(tmp_path / "b.csv", text.replace("d0", "d9"))
    with pytest.raises(BakeoffError, match=r"4 rows unlike an earlier row.*cluster of '0'"):
        take(tmp_path, file, other, columns=["cluster=doc"], scores=["acc"])


def test_seconds_become_latencies_that_are_marked_as_the_other_tools_own(tmp_path: Path) -> None:
    text = "id,acc,ms,hit,p,c\nx,1,1500,0,10,3\ny,1,500,false,20,4\nz,1,1,true,30,5\nw,1,,,40,6\n"
    run = take(
        tmp_path,
        write_csv(tmp_path / "a.csv", text),
        columns=["milliseconds=ms", "cached=hit", "prompt_tokens=p", "completion_tokens=c"],
        scores=["acc"],
    )
    found = run.comparison.tasks["a"].metrics["latency_s"].setups["a"]
    assert (found.value, found.n) == (1.0, 2)
    assert estimate(run, "prompt_tokens", "a").value == 25
    assert estimate(run, "completion_tokens", "a").value == 4.5
    assert run.manifest.imported.timing == "the other tool's own"
    assert all(record.answer.seconds() is None for record in run.records("a", "a") if record.answer)
    assert "a | 1 | 2 |" in markdown(run)
    bad = write_csv(tmp_path / "b.csv", "id,acc,s\nx,1,-1\n")
    with pytest.raises(
        BakeoffError, match=r"b\.csv: line 2: seconds: found '-1'; a number of at l"
    ):
        take(tmp_path, bad, columns=["seconds=s"], scores=["acc"])


def test_setups_are_called_what_gates_can_spell_and_never_two_the_same(tmp_path: Path) -> None:
    rows = [{"id": 1, "m": "openai:gpt-4o/mini", "acc": 1}, {"id": 1, "m": "4b", "acc": 0}]
    file = write_rows(tmp_path / "a.jsonl", rows)
    run = take(tmp_path, file, columns=["setup=m"], scores=["acc"])
    assert list(run.suite.setups) == ["openai-gpt-4o-mini", "_4b"]
    assert run.suite.setups["_4b"].model == "4b"
    assert run.suite.setups["_4b"].imported == ("a.jsonl",)
    rows.append({"id": 1, "m": "openai/gpt-4o:mini", "acc": 1})
    with pytest.raises(
        BakeoffError, match=r"line 3: setup: .* is called openai-gpt-4o-mini already"
    ):
        take(tmp_path, write_rows(file, rows), columns=["setup=m"], scores=["acc"])
    unnamed = write_rows(tmp_path / "b.jsonl", [{"id": 1, "m": "??", "acc": 1}])
    with pytest.raises(BakeoffError, match=r"line 1: setup: found '\?\?'"):
        take(tmp_path, unnamed, columns=["setup=m"], scores=["acc"])
    many = write_rows(tmp_path / "c.jsonl", [{"id": i, "acc": 1} for i in range(300)])
    with pytest.raises(BakeoffError, match="is 'id' the column of the setup"):
        take(tmp_path, many, columns=["setup=id"], scores=["acc"])


def test_an_imported_setup_cannot_be_asked_by_a_benchmark(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_text("tasks: [t]\nsetups: {mine: {imported: [a.csv]}}\n")
    with pytest.raises(
        BakeoffError, match=r"setups\.mine\.imported: only `bakeoff import` sets it"
    ):
        load_suite(file)


def lm_eval_row(number: int, kind: str, right: float) -> dict[str, Any]:
    return {
        "doc_id": number,
        "doc": {"question": "?"},
        "target": str(number),
        "resps": [["It is 3."]],
        "filtered_resps": ["3"],
        "filter": kind,
        "metrics": ["exact_match", "bleu"],
        "exact_match": right,
        "bleu": ["3", "4"],
    }


def test_lm_eval_samples_are_imported_by_the_folder_of_their_model(tmp_path: Path) -> None:
    for model, right in (("org__small", [1.0, 0.0]), ("org__large", [1.0, 1.0])):
        rows = [
            lm_eval_row(i, kind, right[i] if kind == "strict" else 0.0)
            for i in range(2)
            for kind in ("strict", "flexible")
        ]
        write_rows(tmp_path / "out" / model / "samples_gsm8k_2025.jsonl", rows)
        write_rows(tmp_path / "out" / model / "results_2025.json", [{"results": {}}])
    options: dict[str, Any] = {"format": "lm-eval", "name": "gsm8k"}
    both = take(tmp_path, tmp_path / "out", **options)
    assert estimate(both, "exact_match_strict", "org__small").value == 0.5
    assert estimate(both, "exact_match_flexible", "org__large").value == 0
    run = take(tmp_path, tmp_path / "out", where=["filter=strict"], **options)
    assert estimate(run, "exact_match", "org__small").value == 0.5
    assert estimate(run, "exact_match", "org__large").value == 1.0
    assert "bleu" not in run.manifest.tasks["gsm8k"].metrics
    assert run.manifest.imported.files[0].left_out == 2
    assert run.samples["gsm8k"]["1"].targets == ("1",)


def test_promptfoo_results_are_imported_by_provider(tmp_path: Path) -> None:
    def row(test: int, provider: str, score: float, **more: Any) -> dict[str, Any]:
        return {
            "testIdx": test,
            "promptIdx": 0,
            "provider": {"id": provider, "label": ""},
            "response": {"output": "hi", "tokenUsage": {"prompt": 12, "completion": 5}},
            "success": score == 1,
            "score": score,
            "latencyMs": 420,
            **more,
        }

    failed = {"response": {"error": "API error: 500"}, "error": "API error: 500"}
    rows = [
        row(0, "openai:gpt-4o", 1),
        row(1, "openai:gpt-4o", 0.5, error="Expected output to contain 'yes'"),
        row(0, "echo", 0, **failed),
        row(1, "echo", 1),
    ]
    document = tmp_path / "results.json"
    document.write_text(json.dumps({"evalId": "e", "results": {"version": 3, "results": rows}}))
    run = take(tmp_path, document, format="promptfoo")
    assert estimate(run, "score", "openai-gpt-4o").value == 0.75
    assert estimate(run, "success", "openai-gpt-4o").value == 0.5
    assert estimate(run, "error", "openai-gpt-4o").value == 0
    assert estimate(run, "error", "echo").value == 0.5
    assert estimate(run, "latency_s", "openai-gpt-4o").value == pytest.approx(0.42)
    lines = write_rows(tmp_path / "lines.jsonl", rows)
    other = take(tmp_path, lines, format="promptfoo")
    assert estimate(other, "score", "echo") == estimate(run, "score", "echo")


def test_the_same_rows_make_the_same_numbers_whatever_their_order(tmp_path: Path) -> None:
    rows = [{"id": i, "m": m, "acc": (i * len(m)) % 3 / 2} for i in range(20) for m in ("a", "bb")]
    one = write_rows(tmp_path / "one.jsonl", rows)
    two = write_rows(tmp_path / "two.jsonl", rows[::2] + rows[1::2][::-1])
    found = [
        take(tmp_path, file, columns=["setup=m"], scores=["acc"], name="n").comparison
        for file in (one, two)
    ]
    assert len(list((tmp_path / "results" / "n").iterdir())) == 2
    metrics = [each.tasks["n"].metrics["acc"].differences["bb - a"] for each in found]
    assert asdict(metrics[0]) == pytest.approx(asdict(metrics[1]))


def test_paths_find_columns_first_then_what_is_nested() -> None:
    row = {"a.b": 1, "a": {"b": 2, "c": [{"d": 3}]}, "n": None}
    paths = ["a.b", "a.c.0.d", "a.c.1.d", "a.c.x", "n", "n.x"]
    assert [find(row, path) for path in paths] == [1, 3, None, None, None, None]


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12)
VALUES = st.none() | st.floats(-1e9, 1e9) | st.integers(-(2**40), 2**40) | st.booleans()
CELLS = st.dictionaries(TEXTS.filter(bool), st.tuples(TEXTS, VALUES), min_size=1, max_size=6)


@settings(max_examples=40)
@given(cells=CELLS, table=st.booleans())
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[str, tuple[str, Any]], table: bool
) -> None:
    cells = {**cells, "one number": ("", 0.5)}
    folder = tmp_path_factory.mktemp("in")
    file = folder / ("a.csv" if table else "a.jsonl")
    if table:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "answer", "acc"])
            writer.writerows([name, *cell] for name, cell in cells.items())
    else:
        write_rows(file, [{"id": n, "answer": a, "acc": v} for n, (a, v) in cells.items()])
    run = take(folder, file, columns=["answer=answer"], scores=["acc"])
    answers = {r.sample: r.answer.text for r in run.records("a", "a") if r.answer}
    assert answers == {name: answer for name, (answer, _) in cells.items()}
    values = {name: None if v is None else float(v) for name, (_, v) in cells.items()}
    assert {name: found["acc"] for name, found in scores(run, "a").items()} == values
    known = [value for value in values.values() if value is not None]
    assert estimate(run, "acc", "a").n == len(known)
    assert estimate(run, "acc", "a").value == pytest.approx(math.fsum(known) / len(known))
    assert Unit("a", "a") in store.units(run.folder)
