"""Scorers state their version: what changes scores raises it, and what was kept before counts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import golden_scores
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.measurements import Rows, differences
from bakeoff.decide.gates import baseline
from bakeoff.decide.gates.card_check import without_card
from bakeoff.decide.gates.judging import judged
from bakeoff.metrics import forms, lexical, scorer, support
from bakeoff.metrics.registry import find_scorer, scorers
from bakeoff.metrics.scorers import ragas_metrics, verdict
from bakeoff.metrics.support import alignment
from bakeoff.running import nightly
from bakeoff.running.importing import Import, import_results
from bakeoff.running.importing.fields import Fields
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest
from bakeoff.spec.file_versions import FILES, recorded, stated
from bakeoff.spec.metric import Metric
from bakeoff.spec.policy import Gate, Policy
from golden_scores import measured, problems, stored

KEPT = golden_scores.TESTS / "fixtures" / "file_versions"
OLD = KEPT / "results" / "ferry" / "before"
METRICS = (
    *("contains", "token_f1", "support_gold", "support_gold(verifier='mine.json')"),
    *("support_gold(verifier='judge:m')", "judged_correct(verifier='judge:m')", "./mine.py::short"),
)
SAME = "./mine.py::short"
RAISED = [name for name in METRICS if name != SAME]
"""Those whose version is another one than then: what counts as right, or as a refusal, changed."""


def version(name: str, folder: Path = KEPT) -> str:
    metric = Metric.parse(name)
    return find_scorer(metric, folder).version_of(metric, folder)


def told(*metrics: str) -> list[str]:
    """What is said of metrics when their scores of now are held against the stored ones."""
    return problems({name: stored()[name] for name in metrics}, measured(metrics))


def test_the_stored_scores_are_those_of_every_scorer_at_its_version() -> None:
    assert problems(stored(), measured()) == []


def test_every_scorer_states_its_version_and_has_stored_scores() -> None:
    known = scorers()
    assert {found.name for found in known.values() if found.version is None} == set()
    assert {Metric.parse(name).name for name in stored()} == set(known)


def test_a_changed_helper_without_a_raised_version_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told("contains", "exact_match", "length_in_range(most=8)") == []
    monkeypatch.setattr(forms, "squad", str.strip)
    changed = told("contains", "exact_match", "length_in_range(most=8)")
    assert [each.partition(":")[0] for each in changed] == ["contains", "exact_match"]
    assert changed[1] == (
        "exact_match: the scores of dressed changed and its version 2 did not: older scores would "
        "be compared with these. Raise it, @scorer(version=...) of exact_match, then "
        "python tests/golden_scores.py"
    )


def test_a_changed_rule_of_lexical_support_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical.model, "REMARK", 20)
    (said,) = told("support_lexical")
    assert "the scores of long, lists, cited changed and its version 1+lexical_model:" in said


def test_a_changed_rule_of_the_support_score_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "WINDOW", 1)
    (said,) = told("faithfulness")
    assert "changed and its version 6+support_model:" in said


def test_a_raised_version_asks_for_the_stored_scores_to_be_refreshed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = scorers()["contains"]
    monkeypatch.setitem(scorer.REGISTERED, shipped.function, replace(shipped, version=3))
    assert told("contains") == [
        "contains: what is stored is of version 2, the scorer is at 3: look at what changed, then "
        "python tests/golden_scores.py"
    ]


def test_a_changed_prompt_is_another_version_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("judged_correct(verifier='judge:m')", "judged_declined(verifier='judge:m')")
    before = version(names[0])
    monkeypatch.setattr(verdict, "CORRECT", verdict.CORRECT + " Be strict.")
    assert version(names[0]) != before
    (said,) = told(*names)
    assert f"what is stored is of version {before}, the scorer is at 2+prompt:" in said


def test_the_fence_around_what_is_judged_is_part_of_every_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [name for name in METRICS if "judge:m" in name] + [
        "citation_recall(verifier='judge:m')"
    ]
    before = [version(name) for name in names]
    monkeypatch.setattr(verdict, "FENCE", verdict.FENCE + " Please.")
    assert all(now != then for now, then in zip(map(version, names), before, strict=True))


def test_what_a_judge_is_told_is_stored_as_well() -> None:
    name = "judged_correct(verifier='judge:m')"
    changed = {**stored()[name], "told": ["Grade it."]}
    (said,) = problems({name: changed}, measured([name]))
    assert "what its judge is told changed and its version" in said


def test_stored_scores_that_are_missing_or_left_over_are_told() -> None:
    (now,) = measured(["bleu"]).items()
    assert problems({}, dict([now])) == ["bleu has no stored scores: python tests/golden_scores.py"]
    assert "is stored and is measured no more" in problems(dict([now]), {})[0]


def test_a_version_reads_as_a_number_and_what_the_scorer_is_made_of() -> None:
    assert version("contains") == "2"
    assert version("support_lexical") == f"1+lexical_model:{lexical.shipped_digest()}"
    assert version("support_gold") == f"6+support_model:{support.shipped_digest()}"
    assert version("support_gold(verifier='hf:a/verifier')") == "6"
    own = version("support_gold(verifier='mine.json')", KEPT / "tasks")
    assert own.startswith("6+calibration:")


def test_a_file_of_calibrated_numbers_is_part_of_the_version(tmp_path: Path) -> None:
    shutil.copy(KEPT / "tasks" / "mine.json", tmp_path)
    before = version("support_gold(verifier='mine.json')", tmp_path)
    mine = tmp_path / "mine.json"
    mine.write_text(mine.read_text().replace("\n", "\n\n"))
    assert version("support_gold(verifier='mine.json')", tmp_path) != before


def test_metrics_of_ragas_are_of_the_installed_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ragas_metrics, "package_version", lambda _: "9.1")
    assert version("ragas_plain") == "1+ragas:9.1"
    assert version("ragas(verifier='judge:m')").startswith("2+ragas:9.1+prompt:")
    monkeypatch.setattr(ragas_metrics, "package_version", lambda _: None)
    assert version("ragas_plain") == "1+ragas:missing"


def test_a_function_of_ones_own_has_the_digest_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("def short(sample, answer, context):\n    return 1\n")
    before = version("./own.py::short", tmp_path)
    file.write_text("def short(sample, answer, context):\n    return 0\n")
    assert version("./own.py::short", tmp_path) != before
    kept = store.read_manifest(OLD).tasks["ferry"].metrics["./mine.py::short"]
    assert version("./mine.py::short", KEPT / "tasks") == kept.version


def test_a_function_of_ones_own_may_state_its_version(tmp_path: Path) -> None:
    code = (
        "from bakeoff.metrics.scorer import scorer\n\n@scorer({})\n"
        "def short(sample, answer, context):\n    return 1\n"
    )
    (tmp_path / "own.py").write_text(code.format("version=3"))
    assert version("./own.py::short", tmp_path) == "3"
    (tmp_path / "own.py").write_text(code.format("higher_is_better=False"))
    assert len(version("./own.py::short", tmp_path)) == 16


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of then: a run and the baseline that it was made."""
    folder = tmp_path_factory.mktemp("project") / "results"
    shutil.copytree(KEPT / "results", folder)
    return folder


@pytest.fixture(scope="module")
def today(results: Path) -> Run:
    """The answers of then, imported and scored by the code of today; and by the judge of then."""
    wanted = Import(
        [KEPT / "answers.jsonl"],
        Fields.parse(columns=["answer=answer", "setup=setup"]),
        task=KEPT / "tasks" / "ferry.yaml",
        name="ferry",
    )
    run = import_results(wanted, results)
    judges = store.read_manifest(OLD).judges
    store.write_manifest(run.folder, run.manifest.model_copy(update={"judges": judges}))
    return Run(run.folder)


def kept_rows(results: Path) -> Rows:
    return baseline.references(results, "ferry")["baseline"]


def unlike(one: Rows, other: Rows) -> dict[str, list[str]]:
    """Metrics that cannot be compared -> why."""
    found = {name: differences(one, other, "ferry", name, ("good", "good")) for name in METRICS}
    return {name: why for name, why in found.items() if why}


def test_a_baseline_of_before_is_comparable_with_a_run_of_today(results: Path, today: Run) -> None:
    known = kept_rows(results)
    assert known.conditions["ferry"]["scorer contains"] == FILES["contains"]
    assert today.rows.conditions["ferry"]["scorer contains"] == "2"
    assert unlike(today.rows, known).keys() == set(RAISED)


def test_gates_judge_a_run_of_today_by_a_baseline_of_before(results: Path, today: Run) -> None:
    metrics = (SAME, "contains")
    checks = [f"good.ferry.{m} >= baseline:good.ferry.{m}" for m in metrics]
    gates = [Gate(check=check, mode="estimate") for check in checks]
    found = judged(today, gates, Policy(), baseline.references(results, "ferry"))
    assert [verdict.state for verdict in found.gates] == ["PASS", "ERROR"]


def test_a_run_of_before_is_comparable_with_baselines_of_before_and_of_today(
    results: Path, today: Run
) -> None:
    then = Run(results / "ferry" / "before")
    assert then.manifest.tasks["ferry"].metrics["contains"].version == "1"
    assert unlike(then.rows, kept_rows(results)) == {}
    assert unlike(then.rows, today.rows).keys() == set(RAISED)
    accepted = replace(today.rows, before={})  # as it is read from a file
    assert unlike(then.rows, accepted).keys() == set(RAISED)


def at_version(manifest: Manifest, metric: str, version: str) -> Manifest:
    raw = manifest.model_dump(mode="json")
    raw["tasks"]["ferry"]["metrics"][metric]["version"] = version
    return Manifest.model_validate(raw)


@pytest.mark.parametrize("what", ["a raised version", "another prompt", "another hash"])
def test_a_version_that_is_neither_equal_nor_of_before_is_not_comparable(
    what: str, results: Path, today: Run
) -> None:
    manifest, known = today.manifest, kept_rows(results)
    if what == "a raised version":
        manifest = at_version(manifest, SAME, "2")
    elif what == "another prompt":
        manifest = at_version(manifest, SAME, "1+prompt:0123456789abcdef")
    if what == "another hash":
        changed = {f"scorer {SAME}": "0123456789abcdef"}
        known = replace(known, conditions={"ferry": {**known.conditions["ferry"], **changed}})
    run = Run(today.folder)
    run.__dict__["manifest"] = manifest
    assert unlike(run.rows, known).keys() == {SAME, *RAISED}
    gate = Gate(check=f"good.ferry.{SAME} >= baseline:good.ferry.{SAME}", mode="estimate")
    (verdict,) = judged(run, [gate], Policy(), {"baseline": known}).gates
    assert verdict.state == "ERROR"
    assert f"not comparable with the baseline: scorer {SAME} of task ferry" in verdict.reason


def test_what_was_one_hash_before_may_be_two_versions_now() -> None:
    def rows(ragas: str) -> Rows:
        name, now = "scorer ragas_plain", f"1+ragas:{ragas}"
        conditions = {"samples": "s", "prompt": "p", "decoding": "d", name: now}
        before = {**conditions, name: recorded("ragas_plain", now)}
        return Rows("r", "b", {}, {}, {}, {"t": conditions}, before={"t": before})

    (why,) = differences(rows("1"), rows("2"), "t", "ragas_plain", ("a", "a"))
    assert "1+ragas:1 here, 1+ragas:2 there" in why


def cards(folder: Path, **changed: Any) -> Policy:
    """A policy with the cards of before, a card's entries changed."""
    shutil.copytree(KEPT / "cards", folder)
    for path in folder.glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    return Policy(min_agreement=0.5, cards=str(folder))


def test_cards_of_before_vouch_for_scorers_of_today(tmp_path: Path, today: Run) -> None:
    unknown = {"judged_correct(verifier='judge:m')"}  # has no card
    carded = {name for name in RAISED if name.startswith("support_gold")}
    for run, others in ((today, carded), (Run(OLD), set())):
        assert (
            set(without_card(cards(tmp_path / run.folder.name), run.manifest)) == unknown | others
        )


def test_a_card_of_another_version_or_judge_does_not_vouch(tmp_path: Path, today: Run) -> None:
    for changed in ({"version": "0123456789abcdef"}, {"version": "2"}, {"judge": "other"}):
        policy = cards(tmp_path / "".join(changed.values()), **changed)
        found = without_card(policy, today.manifest)
        assert "of another version of the scorer or its judge" in found["support_gold"]


def test_nights_of_before_and_of_today_pin_the_same_scorers(today: Run) -> None:
    then = json.loads((KEPT / "nights.json").read_text())["pinned"]
    assert nightly.pinned(Run(OLD).manifest)["scorers ferry"] == then["scorers ferry"]
    old = Run(OLD).manifest.tasks["ferry"].metrics
    again = today.manifest
    for name in RAISED:
        again = at_version(again, name, old[name].version)
    assert nightly.pinned(again)["scorers ferry"] == then["scorers ferry"]
    raised = at_version(again, "contains", "3")
    assert nightly.pinned(raised)["scorers ferry"] != then["scorers ferry"]


HASHED = [n for n in stored() if Metric.parse(n).name in FILES and "mine.json" not in n]


@pytest.mark.parametrize("name", HASHED)
def test_a_hash_of_before_means_the_version_that_has_it(name: str) -> None:
    now = stored()[name]["version"]
    hashed = FILES[Metric.parse(name).name]
    ragas = now.partition("ragas:")[2].partition("+")[0]
    then = stated(name, hashed, ragas)
    assert recorded(name, then) == hashed
    assert then == now or recorded(name, now) == now
    assert stated(name, "0123456789abcdef", ragas) == "0123456789abcdef"
    assert stated("./own.py::f", hashed, ragas) == hashed
    assert recorded(name, "2") == "2"


def test_a_function_of_ones_own_with_the_name_of_a_shipped_scorer_does_not_replace_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.py").write_text(
        "from bakeoff.metrics.scorer import scorer\n\n@scorer(version=9)\n"
        "def contains(sample, answer, context):\n    return 1\n"
    )
    before = version("contains")
    assert version("./own.py::contains", tmp_path) == "9"
    assert version("contains") == before
    assert "own" not in scorers()["contains"].function.__module__
