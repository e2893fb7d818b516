"""Files that other tools wrote, as they are: their numbers are the tool's own."""

from __future__ import annotations

import json
import math
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import BakeoffError
from bakeoff.running import gating
from bakeoff.running.importing import Import, import_results
from bakeoff.running.importing.fields import Fields

FILES = Path(__file__).parent.parent / "fixtures" / "imports"
"""Made by running the tools with models that are made up; `make.md` there says how."""


def take(tmp_path: Path, *files: Path, notes: list[str] | None = None, **options: Any) -> Run:
    spelled = {n: options.pop(n) for n in ("columns", "scores", "tags", "where") if n in options}
    wanted = Import(files, Fields.parse(**spelled), **options)
    return import_results(
        wanted, tmp_path / "results", [].append if notes is None else notes.append
    )


def value(run: Run, task: str, metric: str, setup: str) -> Any:
    return run.comparison.tasks[task].metrics[metric].setups[setup].value


def answers(run: Run, task: str, setup: str) -> dict[str, str]:
    return {r.sample: r.answer.text for r in run.records(task, setup) if r.answer}


def test_a_results_folder_of_lm_eval_becomes_its_tasks_with_the_same_numbers(
    tmp_path: Path,
) -> None:
    notes: list[str] = []
    run = take(tmp_path, FILES / "lm-eval", notes=notes)
    assert list(run.comparison.tasks) == ["harbour_gen", "harbour_mc"]
    assert run.manifest.imported.setups == {
        "harbour-keeper": "harbour/keeper",
        "harbour-visitor": "harbour/visitor",
    }
    for setup in ("keeper", "visitor"):
        (file,) = (FILES / "lm-eval" / f"harbour__{setup}").glob("results_*.json")
        theirs = json.loads(file.read_text())["results"]
        for task, metric, name in (
            ("harbour_gen", "exact_match,strict", "exact_match_strict"),
            ("harbour_gen", "exact_match,flexible", "exact_match_flexible"),
            ("harbour_mc", "acc,none", "acc"),
            ("harbour_mc", "acc_norm,none", "acc_norm"),
        ):
            assert value(run, task, name, f"harbour-{setup}") == theirs[task][metric]
    assert any("left out: 2 metric bleu (no number for a sample)" in note for note in notes)
    assert any("2 replies to a sample made one score" in note for note in notes)
    assert any("left out: 2 files without samples: results_" in note for note in notes)


def test_of_multiple_choice_the_choice_is_the_answer_and_likelihoods_the_confidence(
    tmp_path: Path,
) -> None:
    run = take(tmp_path, FILES / "lm-eval")
    sample = run.samples["harbour_mc"]["0"]
    assert sample.question.startswith("Question: Which light marks the left side")
    assert sample.fields["options"] == "red\ngreen\nwhite"
    assert sample.targets == ("red",)
    first = next(iter(run.records("harbour_mc", "harbour-keeper")))
    # Log-likelihoods -3.944, -0.469, -0.142.
    assert first.answer
    assert first.answer.text == "white"
    assert first.answer.confidence == pytest.approx(0.5732, abs=1e-3)
    for setup in ("harbour-keeper", "harbour-visitor"):
        right = {
            i
            for i, s in run.samples["harbour_mc"].items()
            if answers(run, "harbour_mc", setup)[i] == s.targets[0]
        }
        assert len(right) / 4 == value(run, "harbour_mc", "acc", setup)


def test_logs_of_inspect_become_tasks_with_the_same_numbers(tmp_path: Path) -> None:
    notes: list[str] = []
    files = sorted((FILES / "inspect").glob("*harbour*.eval"))
    run = take(tmp_path, *files, notes=notes, tags=["metadata.theme"])
    assert run.suite.repeats == 2
    for file in files:
        with zipfile.ZipFile(file) as archive:
            assert {info.compress_type for info in archive.infolist()} == {93}
    keeper = {"match": 0.75, "includes": 0.75, "f1": 0.53, "style_short": 1.0, "style_words": 2.375}
    for metric, theirs in keeper.items():
        assert value(run, "harbour", metric, "mockllm-keeper") == pytest.approx(theirs)
    records = list(run.records("harbour", "mockllm-keeper"))
    assert {r.answer.finish_reason for r in records if r.answer} == {"stop", "length"}
    assert value(run, "harbour", "prompt_tokens", "mockllm-keeper") == 20
    assert run.manifest.imported.timing
    assert run.samples["harbour"]["h1"].targets == ("42",)
    assert run.samples["harbour"]["h1"].tags == {"theme": "harbour"}


def test_json_logs_of_inspect_are_recognized_and_read(tmp_path: Path) -> None:
    files = sorted((FILES / "inspect").glob("*buoys*.json"))
    run = take(tmp_path, *files)
    for file in files:
        theirs = json.loads(file.read_text())
        setup = theirs["eval"]["model"].replace("/", "-")
        accuracy = theirs["results"]["scores"][0]["metrics"]["accuracy"]["value"]
        assert value(run, "buoys", "choice", setup) == pytest.approx(accuracy)
    assert run.samples["buoys"]["1"].fields["options"] == "A) red\nB) green\nC) white"


def test_a_grade_that_inspect_does_not_know_is_unjudged_and_told_once(tmp_path: Path) -> None:
    (file, *_) = sorted((FILES / "inspect").glob("*buoys*.json"))
    log = json.loads(file.read_text())
    values = ["C", "splendid", "I"]
    for sample, given in zip(log["samples"], values, strict=True):
        sample["scores"]["choice"]["value"] = given
    changed = tmp_path / file.name
    changed.write_text(json.dumps(log))
    notes: list[str] = []
    run = take(tmp_path, changed, notes=notes)
    (setup,) = run.asked["buoys"]
    found = value(run, "buoys", "choice", setup)
    unjudged = run.comparison.tasks["buoys"].metrics["choice"].setups[setup].unjudged
    assert (found, unjudged) == (0.5, 1)
    assert [note for note in notes if "splendid" in note] == [
        "values of choice such as 'splendid' are no number and no grade: they are unjudged, where "
        "inspect counts texts as 0"
    ]
    reasons = {sample: found["choice"].reason for (sample, _), found in run.scores("buoys", setup)}
    assert reasons == {"1": "", "2": "imported as 'splendid'", "3": ""}


def test_answers_that_were_cut_are_counted_as_such(tmp_path: Path) -> None:
    run = take(tmp_path, *sorted((FILES / "inspect").glob("*harbour*.eval")))
    records = list(run.records("harbour", "mockllm-keeper"))
    ended = [record.answer.finish_reason for record in records if record.answer]
    cut = ended.count("length")
    assert cut
    assert value(run, "harbour", "cut", "mockllm-keeper") == pytest.approx(cut / len(ended))


def named(tmp_path: Path, name: str) -> Path:
    """A log of inspect with a score of this name: 0.25, 0.5 and 0.75."""
    (file, *_) = sorted((FILES / "inspect").glob("*buoys*.json"))
    log = json.loads(file.read_text())
    for sample, given in zip(log["samples"], (0.25, 0.5, 0.75), strict=True):
        sample["scores"] = {name: {"value": given}}
    changed = tmp_path / file.name
    changed.write_text(json.dumps(log))
    return changed


@pytest.mark.parametrize("name", ["length", "error", "support_context"])
def test_a_score_named_like_one_of_ours_is_called_theirs_and_told(
    tmp_path: Path, name: str
) -> None:
    notes: list[str] = []
    file = named(tmp_path, name)
    run = take(tmp_path, file, notes=notes, lower_is_better=[name])
    (setup,) = run.asked["buoys"]
    assert value(run, "buoys", f"their_{name}", setup) == 0.5
    facts = run.manifest.tasks["buoys"].metrics
    assert list(facts) == [f"their_{name}"]
    assert facts[f"their_{name}"].higher_is_better is False
    told = f"score {name} is called their_{name}: bakeoff has, or had, a metric of its name"
    assert notes.count(told) == 1
    # Read back from its files, it has the same name.
    assert value(Run(run.folder), "buoys", f"their_{name}", setup) == 0.5


def test_a_folder_of_mixed_formats_is_one_run(tmp_path: Path) -> None:
    shutil.copytree(FILES / "lm-eval", tmp_path / "mixed" / "lm-eval")
    for file in (FILES / "inspect").glob("*buoys*"):
        shutil.copy(file, tmp_path / "mixed")
    notes: list[str] = []
    run = take(tmp_path, tmp_path / "mixed", notes=notes)
    assert set(run.comparison.tasks) == {"buoys", "harbour_gen", "harbour_mc"}
    assert run.suite.setups["mockllm-keeper"].tasks == ("buoys",)
    assert notes[0].startswith("imported 22 rows of 6 files: ")
    assert "inspect (2)" in notes[0]
    assert "lm-eval (4)" in notes[0]


def damaged(tmp_path: Path, kind: str, change: Any) -> Path:
    """A copy of one file of a kind, its bytes changed."""
    (file, *_) = sorted(FILES.glob(kind))
    copy = tmp_path / file.name
    copy.write_bytes(change(file.read_bytes()))
    return copy


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("inspect/*.eval", lambda b: b[:5000], "not a log of inspect"),
        ("inspect/*.eval", lambda b: b[:400] + b"\0\0\0\0" + b[404:], "is damaged"),
        ("inspect/*.json", lambda b: b[:9000], "is not JSON"),
        ("inspect/*.json", lambda b: b.replace(b'"version": 2', b'"version": 7', 1), "version 7"),
        ("inspect/*.json", lambda b: b.replace(b'"samples": [', b'"others": [', 2), "without sam"),
        ("lm-eval/*/samples_harbour_mc*", lambda b: b[:-100], "line 4: not JSON"),
        ("promptfoo/out.json", lambda b: b[:-900], "not JSON"),
        ("promptfoo/out.json", lambda b: b.replace(b'"results": [', b'"rows": [', 1), "no list"),
        ("promptfoo/out.jsonl", lambda b: b[:-90], "line 16: not JSON"),
        ("rag/deepeval.json", lambda b: b[:-90], "not JSON"),
        ("rag/keeper.jsonl", lambda b: b[:-30], "line 4: not JSON"),
        ("traces/otlp.json", lambda b: b[:-90], "not JSON"),
        ("traces/mlflow.jsonl", lambda b: b[:-90], "line 2: not JSON"),
        ("lm-eval/*/samples_harbour_mc*", lambda b: b.replace(b"doc_id", b"id"), "doc_id: must"),
    ],
)
def test_a_damaged_file_is_one_message_and_leaves_nothing(
    tmp_path: Path, kind: str, change: Any, said: str
) -> None:
    file = damaged(tmp_path, kind, change)
    with pytest.raises(BakeoffError) as caught:
        take(tmp_path, file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert not list((tmp_path / "results").rglob("*"))


@pytest.mark.parametrize(
    ("kind", "before", "after", "said"),
    [
        (
            "inspect/*buoys*.json",
            b'"epoch": 1',
            b'"epoch": "first"',
            "sample 1: epoch: must be a whole number (found 'first')",
        ),
        (
            "inspect/*buoys*.json",
            b'"working_time": ',
            b'"working_time": "long", "x": ',
            "sample 1: working_time: must be a number (found 'long')",
        ),
        (
            "inspect/*buoys*.json",
            b'"task": "buoys"',
            b'"task": 5',
            "not a log of inspect: eval.task: must be a text (found 5)",
        ),
        (
            "lm-eval/*keeper/samples_harbour_mc*",
            b'"metrics": ["acc", "acc_norm"]',
            b'"metrics": 3',
            "line 1: metrics: must be a list, [a, b] (found 3)",
        ),
        (
            "promptfoo/out.jsonl",
            b'"latencyMs":33',
            b'"latencyMs":"long"',
            "line 1: latencyMs: must be a number (found 'long')",
        ),
        (
            "promptfoo/out.json",
            b'"componentResults": [',
            b'"componentResults": [ 5,',
            "row 1: gradingResult.componentResults.0: must be a mapping, name: value (found 5)",
        ),
        (
            "rag/deepeval.json",
            b'"score": 0.75}',
            b'"score": "good"}',
            "test case 1: metricsData.1.score: must be a number (found 'good')",
        ),
        (
            "traces/mlflow.jsonl",
            b'"execution_duration": 27',
            b'"execution_duration": "long"',
            "line 1: execution_duration: must be a number (found 'long')",
        ),
        (
            "traces/otel_sdk.jsonl",
            b'"gen_ai.usage.input_tokens": 30',
            b'"gen_ai.usage.input_tokens": 3.5',
            "line 2: attributes.gen_ai.usage.input_tokens: must be a whole number (found 3.5)",
        ),
        (
            "traces/otlp.json",
            b'"traceId": "00000000000000000000000000000001"',
            b'"traceId": 1',
            "document 1: resourceSpans.0.scopeSpans.0.spans.0.traceId: must be a text (found 1)",
        ),
    ],
)
def test_a_wrong_field_is_told_with_its_place_and_what_was_found(
    tmp_path: Path, kind: str, before: bytes, after: bytes, said: str
) -> None:
    assert before in next(iter(sorted(FILES.glob(kind)))).read_bytes()
    file = damaged(tmp_path, kind, lambda whole: whole.replace(before, after, 1))
    with pytest.raises(BakeoffError) as caught:
        take(tmp_path, file, scorers=["faithfulness"])
    assert str(caught.value).startswith(f"{file}: {said}")
    assert not list((tmp_path / "results").rglob("*"))


def test_two_versions_of_a_task_are_not_compared(tmp_path: Path) -> None:
    folder = tmp_path / "lm-eval"
    shutil.copytree(FILES / "lm-eval", folder)
    (results,) = (folder / "harbour__visitor").glob("results_*.json")
    whole = json.loads(results.read_text())
    whole["versions"]["harbour_mc"] = 3.0
    results.write_text(json.dumps(whole))
    with pytest.raises(BakeoffError, match=r"task harbour_mc is there in several versions: 2\.0"):
        take(tmp_path, folder)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_rows_of_ragas_bring_passages_and_ids_are_made(tmp_path: Path, ending: str) -> None:
    files = [FILES / "rag" / f"{name}.{ending}" for name in ("keeper", "visitor")]
    run = take(tmp_path, *files, scorers=["faithfulness", "token_f1"], name="hostel")
    assert len(run.samples["hostel"]) == 4
    first = next(iter(run.records("hostel", "keeper")))
    assert first.answer
    texts = ["The hostel has 42 beds in nine rooms.", "Breakfast is at seven."]
    assert [p.text for p in first.answer.passages] == texts
    assert first.answer.open_book
    metrics = run.comparison.tasks["hostel"].metrics
    assert metrics["faithfulness"].setups["keeper"].n == 4
    assert metrics["faithfulness"].differences["visitor - keeper"].n == 4
    if ending == "csv":
        # As `evaluate` of ragas printed them.
        for setup, similarity, exact in (("keeper", 0.5988, 0.5), ("visitor", 0.5093, 0.25)):
            theirs = value(run, "hostel", "non_llm_string_similarity", setup)
            assert theirs == pytest.approx(similarity, abs=5e-5)
            assert value(run, "hostel", "exact_match", setup) == exact


def test_a_test_run_of_deepeval_keeps_its_scores_beside_ours(tmp_path: Path) -> None:
    file = FILES / "rag" / "deepeval.json"
    run = take(tmp_path, file, scorers=["faithfulness"])
    assert value(run, "deepeval", "their_faithfulness", "deepeval") == 0.5
    assert value(run, "deepeval", "answer_relevancy", "deepeval") == 0.875
    assert 0 < value(run, "deepeval", "faithfulness", "deepeval") < 1


def test_faithfulness_needs_no_reference(tmp_path: Path) -> None:
    rows = [
        {"question": f"Who keeps key {n}?", "answer": "Mrs. Odell keeps it.", "contexts": ["Odell"]}
        for n in range(2)
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = take(tmp_path, file, scorers=["faithfulness"])
    assert run.comparison.tasks["mine"].metrics["faithfulness"].setups["mine"].n == 2
    with pytest.raises(BakeoffError, match="none for "):
        take(tmp_path, file, scorers=["token_f1"])
    with pytest.raises(BakeoffError, match="nothing to compare"):
        take(tmp_path, file)


@pytest.mark.parametrize("name", ["passages", "context"])
def test_a_table_with_a_text_of_passages_is_of_a_rag_evaluation(tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine.csv"
    seen = "Mrs. Odell keeps the key."
    file.write_text(f"id,question,answer,target,{name}\n1,Who?,Mrs. Odell,Odell,{seen}\n")
    for preset in ("", "rag"):
        run = take(tmp_path, file, format=preset, scorers=["faithfulness", "contains"])
        assert value(run, "mine", "faithfulness", "mine") > 0.5
        assert value(run, "mine", "contains", "mine") == 1


def test_models_of_a_rag_evaluation_can_be_named_as_setups(tmp_path: Path) -> None:
    row = {"id": 1, "question": "Who?", "answer": "Ida", "contexts": ["Ida keeps the key."]}
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps({**row, "model": name}) + "\n" for name in "xy"))
    with pytest.raises(BakeoffError, match="apart with --preset rag --column setup=model, name"):
        take(tmp_path, file, scorers=["faithfulness"])
    run = take(tmp_path, file, format="rag", columns=["setup=model"], scorers=["faithfulness"])
    assert list(run.suite.setups) == ["x", "y"]


@pytest.mark.parametrize("name", ["context", "contexts", "retrieved_contexts", "passages"])
@pytest.mark.parametrize("several", [False, True])
def test_variables_of_promptfoo_may_be_the_passages(
    tmp_path: Path, name: str, several: bool
) -> None:
    seen = "Mrs. Odell keeps the key."
    row = {
        "testIdx": 0,
        "promptIdx": 0,
        "provider": {"id": "parrot"},
        "vars": {name: [seen, "Breakfast is at seven."] if several else seen, "who": "Who?"},
        "response": {"output": "Mrs. Odell"},
        "score": 1,
    }
    file = tmp_path / "out.jsonl"
    file.write_text(json.dumps(row) + "\n")
    run = take(tmp_path, file, scorers=["faithfulness"])
    assert run.samples["out"]["0"].question == "Who?"
    (record,) = run.records("out", "parrot")
    assert record.answer
    assert len(record.answer.passages) == 1 + several
    assert value(run, "out", "faithfulness", "parrot") > 0.5
    file.write_text(json.dumps({**row, "vars": {"who": "Who?", "seen": seen}}) + "\n")
    with pytest.raises(BakeoffError, match="faithfulness: no answer has passages; name where"):
        take(tmp_path, file, scorers=["faithfulness"])
    named = {"format": "promptfoo", "columns": ["passages=fields.seen"]}
    run = take(tmp_path, file, scorers=["faithfulness"], **named)
    assert value(run, "out", "faithfulness", "parrot") > 0.5


@pytest.mark.parametrize("name", ["out.json", "out.jsonl"])
def test_results_of_promptfoo_are_prompts_by_providers_with_all_assertions(
    tmp_path: Path, name: str
) -> None:
    run = take(tmp_path, FILES / "promptfoo" / name, name="hostel")
    assert list(run.suite.setups) == [
        *("parrot-plain", "parrot-polite", "keeper-plain", "keeper-polite"),
    ]
    whole = json.loads((FILES / "promptfoo" / "out.json").read_text())["results"]
    for prompt in whole["prompts"]:
        setup = f"{prompt['provider']}-{prompt['label'].partition(':')[0]}"
        theirs = prompt["metrics"]
        assert value(run, "hostel", "score", setup) == pytest.approx(theirs["score"] / 4)
        assert value(run, "hostel", "success", setup) == theirs["testPassCount"] / 4
        assert value(run, "hostel", "error", setup) == theirs["testErrorCount"] / 4
    sample = run.samples["hostel"]["0"]
    assert sample.fields == {"question": "How many beds are there?", "place": "hostel"}
    metrics = run.comparison.tasks["hostel"].metrics
    # Three test cases have `contains`, one of which failed before its assertions.
    assert metrics["contains"].setups["keeper-plain"].n == 3
    assert metrics["contains"].setups["keeper-plain"].value == pytest.approx(2 / 3)
    assert metrics["equals"].setups["keeper-plain"].n == 1
    assert not run.manifest.tasks["hostel"].metrics["usd"].higher_is_better
    # Words of the prompts that were answered: 8, 8 and 7.
    assert value(run, "hostel", "prompt_tokens", "keeper-plain") == pytest.approx(23 / 3)


def test_what_answers_cost_is_no_rate_even_if_all_cost_the_same(tmp_path: Path) -> None:
    whole = json.loads((FILES / "promptfoo" / "out.json").read_text())
    for result in whole["results"]["results"]:
        result["cost"] = 0.002
    (tmp_path / "priced.json").write_text(json.dumps(whole))
    run = take(tmp_path, tmp_path / "priced.json", name="priced")
    assert run.manifest.tasks["priced"].metrics["usd"].bounds is None
    for cost in run.comparison.tasks["priced"].metrics["usd"].setups.values():
        # A failed answer counts as the dearest one, not as a dollar.
        assert cost.value == pytest.approx(0.002)
        assert cost.low is None or cost.low == cost.high == cost.value


def test_a_gate_holds_on_an_imported_run(tmp_path: Path) -> None:
    run = take(tmp_path, FILES / "lm-eval")
    check = "harbour-visitor.harbour_mc.acc >= harbour-keeper.harbour_mc.acc"
    chosen = gating.chosen_gates(run, None, [check])
    verdicts = gating.gate(run, tmp_path, chosen=chosen)
    assert verdicts.gates[0].state in ("PASS", "INCONCLUSIVE"), verdicts.gates[0]


Pairs = list[tuple[float, float]]


def write_lm_eval(folder: Path, pairs: Pairs) -> None:
    for place, setup in enumerate("ab"):
        (folder / setup).mkdir()
        rows = [
            {
                "doc_id": n,
                "doc": {"q": n},
                "target": "x",
                "arguments": {"gen_args_0": {"arg_0": f"Question {n}?", "arg_1": {}}},
                "resps": [["y"]],
                "filtered_resps": ["y"],
                "filter": "none",
                "metrics": ["f"],
                "f": pair[place],
            }
            for n, pair in enumerate(pairs)
        ]
        (folder / setup / "samples_quiz_2026-11-01T10-00-00.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )


def write_inspect(folder: Path, pairs: Pairs) -> None:
    for place, setup in enumerate("ab"):
        samples = [
            {
                "id": n,
                "epoch": 1,
                "input": f"Question {n}?",
                "target": "x",
                "output": {"completion": "y"},
                "scores": {"f": {"value": pair[place]}},
            }
            for n, pair in enumerate(pairs)
        ]
        stated = {"task": "quiz", "model": setup}
        log = {"version": 2, "status": "success", "eval": stated, "samples": samples}
        (folder / f"{setup}.json").write_text(json.dumps(log))


def write_promptfoo(folder: Path, pairs: Pairs) -> None:
    rows = [
        {
            "testIdx": n,
            "promptIdx": 0,
            "provider": {"id": setup},
            "response": {"output": "y"},
            "vars": {"question": f"Question {n}?"},
            "namedScores": {"f": pair[place]},
            "gradingResult": {"namedScoreWeights": {"f": 1}},
        }
        for n, pair in enumerate(pairs)
        for place, setup in enumerate("ab")
    ]
    whole = {"evalId": "e", "results": {"version": 3, "results": rows}}
    (folder / "quiz.json").write_text(json.dumps(whole))


@pytest.mark.parametrize("write", [write_lm_eval, write_inspect, write_promptfoo])
def test_two_logs_compared_are_those_of_an_independent_calculation(
    tmp_path: Path, write: Any
) -> None:
    rng = random.Random(3)
    pairs = [(rng.random(), rng.random() * 0.9) for _ in range(200)]
    (tmp_path / "quiz").mkdir()
    write(tmp_path / "quiz", pairs)
    run = take(tmp_path, tmp_path / "quiz")
    found = run.comparison.tasks["quiz"].metrics["f"].differences["b - a"]
    differences = [b - a for a, b in pairs]
    theirs = stats.ttest_1samp(differences, 0)
    low, high = theirs.confidence_interval(0.95)
    assert found.n == 200
    assert found.value == pytest.approx(math.fsum(differences) / 200)
    assert found.low == pytest.approx(low, abs=0.004)
    assert found.high == pytest.approx(high, abs=0.004)
    assert found.p == pytest.approx(theirs.pvalue, abs=0.01)


def weighed(folder: Path, *assertions: dict[str, Any], **more: Any) -> Run:
    """A test of promptfoo with these assertions; each has a score."""
    parts = [
        {"score": a.pop("score"), "pass": True, "reason": "", "assertion": a} for a in assertions
    ]
    grading = {"componentResults": parts, **more.pop("grading", {})}
    row = {
        "testIdx": 0,
        "promptIdx": 0,
        "provider": {"id": "p"},
        "response": {"output": "y"},
        "gradingResult": grading,
        **more,
    }
    (folder / "out.jsonl").write_text(json.dumps(row) + "\n")
    return take(folder, folder / "out.jsonl", name="t")


def test_assertions_of_promptfoo_count_by_their_weights(tmp_path: Path) -> None:
    run = weighed(
        tmp_path,
        {"type": "contains", "weight": 3, "score": 1},
        {"type": "contains", "weight": 1, "score": 0},
        {"type": "equals", "weight": 0, "score": 1},
        {"type": "equals", "weight": 0, "score": 0},
        {"type": "icontains", "score": 0},
        score=0.6,
        success=False,
    )
    found = {m: value(run, "t", m, "p") for m in ("score", "success", "contains", "equals")}
    # The test's own score is promptfoo's: (3 x 1 + 1 x 0 + 1 x 0) / 5.
    assert found == {"score": 0.6, "success": 0, "contains": 0.75, "equals": 0.5}


def test_a_named_score_of_promptfoo_is_a_mean_where_it_was_kept_as_a_sum(tmp_path: Path) -> None:
    same = ({"type": "equals", "metric": "tone", "score": 1} for _ in range(2))
    before = weighed(tmp_path, *same, score=1, namedScores={"tone": 2})
    assert value(before, "t", "tone", "p") == 1
    same = ({"type": "equals", "metric": "tone", "score": 1} for _ in range(2))
    grading = {"namedScoreWeights": {"tone": 2}}
    now = weighed(tmp_path, *same, score=1, namedScores={"tone": 1}, grading=grading)
    assert value(now, "t", "tone", "p") == 1


def test_a_test_run_that_deepeval_wrote_has_its_own_means(tmp_path: Path) -> None:
    file = FILES / "rag" / "deepeval_run.json"
    run = take(tmp_path, file, name="hostel")
    (setup,) = run.asked["hostel"]
    for metric in json.loads(file.read_text())["metricsScores"]:
        theirs = math.fsum(metric["scores"]) / 3
        name = {"Length": "their_length", "Grounded": "grounded"}[metric["metric"]]
        assert value(run, "hostel", name, setup) == pytest.approx(theirs)
    # Not its other numbers: places, prices, seconds.
    assert set(run.manifest.tasks["hostel"].metrics) == {"their_length", "grounded", "success"}
    assert value(run, "hostel", "latency_s", setup) == 0.25


def test_spans_that_the_sdk_wrote_are_a_sample_a_trace(tmp_path: Path) -> None:
    run = take(tmp_path, FILES / "traces" / "otel_sdk.jsonl", scorers=["faithfulness"], name="desk")
    (setup,) = run.asked["desk"]
    records = {run.samples["desk"][r.sample].question: r for r in run.records("desk", setup)}
    answered = records["How many beds does the hostel have?"].answer
    cut = records["On which day is the ferry free?"].answer
    assert answered and cut
    assert (answered.text, answered.finish_reason) == ("The hostel has 42 beds.", "stop")
    assert [p.document for p in answered.passages] == ["d0", "d9"]
    assert (cut.text, cut.finish_reason) == ("On Tues", "length")
    assert "the lamp went out" in str(records["Who keeps the harbour key?"].error)
    assert value(run, "desk", "prompt_tokens", setup) == 30
    assert value(run, "desk", "cut", setup) == pytest.approx(1 / 2)


def sdk_span(trace: str, number: int, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A span as the SDK prints it; the first of a trace is its root."""
    return {
        "context": {"trace_id": trace, "span_id": str(number)},
        "parent_id": "0" if number else None,
        "start_time": f"2026-11-29T06:00:0{number}Z",
        "end_time": "2026-11-29T06:00:09Z",
        "attributes": attributes,
        **more,
    }


def messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def test_tokens_of_an_agent_are_those_of_its_calls_once(tmp_path: Path) -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}
    asked = {
        **call,
        "gen_ai.input.messages": messages("user", "Who?"),
        "gen_ai.output.messages": messages("assistant", "Ida"),
    }
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 20}
    spans = [sdk_span("t", 0, agent), sdk_span("t", 1, call), sdk_span("t", 2, asked)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(span) + "\n" for span in spans))
    run = take(tmp_path, tmp_path / "a.jsonl", scorers=["faithfulness"])
    (setup,) = run.asked["a"]
    assert value(run, "a", "prompt_tokens", setup) == 20


def test_a_call_that_failed_says_what_was_asked(tmp_path: Path) -> None:
    asked = {"gen_ai.input.messages": messages("user", "Who?")}
    failed = {"status": {"status_code": "ERROR", "description": "no lamp"}}
    spans = [sdk_span("t", 0, {}, **failed), sdk_span("t", 1, asked, **failed)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(span) + "\n" for span in spans))
    run = take(tmp_path, tmp_path / "a.jsonl", scorers=["faithfulness"])
    (record,) = run.records("a", "traces")
    assert (run.samples["a"][record.sample].question, record.error) == ("Who?", "no lamp")


def test_spans_of_opentelemetry_are_a_sample_a_trace(tmp_path: Path) -> None:
    file = FILES / "traces" / "otlp.json"
    run = take(tmp_path, file, scorers=["faithfulness"], name="desk")
    (setup,) = run.suite.setups
    assert setup == "hostel-desk"
    records = list(run.records("desk", setup))
    texts = [record.answer.text if record.answer else record.error for record in records]
    assert texts == ["The hostel has 42 beds.", "On Sundays.", "the lamp went out"]
    questions = [sample.question for sample in run.samples["desk"].values()]
    assert questions[1:] == ["On which day is the ferry free?", "Who keeps the harbour key?"]
    first = records[0].answer
    assert first
    assert [(p.document, p.text, p.score) for p in first.passages] == [
        ("d0", "The hostel has 42 beds in nine rooms.", 0.9)
    ]
    assert first.finish_reason == "stop"
    assert value(run, "desk", "latency_s", setup) == pytest.approx(0.5)
    assert value(run, "desk", "prompt_tokens", setup) == 30
    assert value(run, "desk", "error", setup) == pytest.approx(1 / 3)


def test_a_trace_that_failed_before_its_question_was_noted_counts(tmp_path: Path) -> None:
    whole = json.loads((FILES / "traces" / "otlp.json").read_text())
    spans = whole["resourceSpans"][0]["scopeSpans"][0]["spans"]
    bare = {**spans[0], "spanId": "f", "attributes": []}
    failed = {"code": 2, "message": "no connection"}
    spans.append({**bare, "traceId": "f1", "status": failed})
    spans.append({**bare, "traceId": "f2", "status": failed})
    spans.append({**bare, "traceId": "f3", "status": {}})
    (tmp_path / "otlp.json").write_text(json.dumps(whole))
    notes: list[str] = []
    run = take(tmp_path, tmp_path / "otlp.json", scorers=["faithfulness"], name="desk", notes=notes)
    (setup,) = run.suite.setups
    assert value(run, "desk", "error", setup) == pytest.approx(3 / 5)
    assert any("traces without a question and an answer" in note for note in notes)


@pytest.mark.parametrize("inside", ["objects", "texts"])
def test_traces_of_mlflow_are_a_sample_each(tmp_path: Path, inside: str) -> None:
    file = FILES / "traces" / "mlflow.jsonl"
    if inside == "texts":
        traces = [json.loads(line) for line in file.read_text().splitlines()]
        for trace in traces:
            trace["spans"] = json.dumps([json.dumps(span) for span in trace["spans"]])
            for part in ("request", "response", "trace_metadata", "tags", "assessments"):
                trace[part] = json.dumps(trace[part])
        file = tmp_path / "mlflow.jsonl"
        file.write_text("".join(json.dumps(trace) + "\n" for trace in traces))
    run = take(tmp_path, file, scorers=["faithfulness"], name="traced")
    by_question = {s.question: s.id for s in run.samples["traced"].values()}
    assert set(by_question) == {"How many beds?", "Who?"}
    records = {record.sample: record for record in run.records("traced", "ask")}
    answered, failed = records[by_question["How many beds?"]], records[by_question["Who?"]]
    assert answered.answer
    assert answered.answer.text == "42 beds."
    assert [p.document for p in answered.answer.passages] == ["hostel.md"]
    assert (answered.answer.tokens("prompt_tokens"), failed.error) == (20, "the trace failed")
