"""Agreement with people: against counting by hand, ties, unjudged answers and bad files."""

from __future__ import annotations

import json
from contextlib import closing
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import cohen_kappa_score

from bakeoff.core.estimate import Estimate
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.agreement import Agreement, Report, check
from bakeoff.decide.gates.floors import Ahead, by_writer
from bakeoff.decide.gates.labels import Labelled, read_labels
from bakeoff.metrics.judges import JudgePool, Place
from bakeoff.spec.benchmark import Suite
from conftest import Cli
from judges import Judge, running_judge

FERRY = "The ferry to Skarv leaves at 6.40 and carries 120 passengers."
GOOD = ["The ferry leaves at 6.40.", "It carries 120 passengers.", "The ferry leaves for Skarv."]
BAD = ["The ferry carries 900 passengers.", "Peter painted the barn.", "Trains leave at noon."]


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def labelled(answer: str, label: int, **more: object) -> dict[str, object]:
    return {"answer": answer, "passages": [FERRY], "label": label, **more}


ROWS = [labelled(a, 1) for a in GOOD] + [labelled(a, 0) for a in BAD]


def checked(name: str, rows: list[Labelled], folder: Path) -> tuple[Agreement, ...]:
    return check(name, rows, folder).scorers


SCORERS = """
VALUES = {"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.4, "e": 0.1}

def known(sample, answer, context):
    return VALUES.get(answer.text)

def worse(sample, answer, context):
    return 1 - VALUES.get(answer.text, 2)
"""


def test_auroc_is_the_share_of_pairs_in_the_right_order(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCORERS)
    good, bad = ["a", "b", "d"], ["c", "e"]
    rows = [labelled(x, 1) for x in good] + [labelled(x, 0) for x in bad] + [labelled("?", 1)]
    (mine, *_) = checked("./mine.py::known", read_labels(write(tmp_path, rows)), tmp_path)
    values = {"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.4, "e": 0.1}
    pairs = [(values[g] > values[b]) + (values[g] == values[b]) / 2 for g, b in product(good, bad)]
    assert mine.auroc.value == pytest.approx(sum(pairs) / len(pairs))
    assert (mine.judged, mine.unjudged) == (5, 1)
    assert mine.auroc.low <= mine.auroc.value <= mine.auroc.high


def test_scores_of_one_label_alone_agree_with_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCORERS)
    scored, unscored = [labelled(x, 1) for x in "ab"], [labelled(x, 0) for x in "?!."]
    for rows, said in (
        (
            [*scored, *unscored],
            r"it scored 2 of 5 answers, all with label 1; not scored: .+ \(3\)\. ",
        ),
        ([labelled("x", 1), *unscored], r"it scored 0 of 4 answers; not scored: .+ \(4\)\. "),
    ):
        path = write(tmp_path, rows)
        with pytest.raises(
            BakeoffError, match=rf"^\./mine\.py::known: {said}Agreement is measured"
        ):
            checked("./mine.py::known", read_labels(path), tmp_path)


def test_a_scorer_is_set_beside_the_floors(tmp_path: Path) -> None:
    found = checked("faithfulness", read_labels(write(tmp_path, ROWS)), tmp_path)
    assert [each.name for each in found] == [
        "faithfulness",
        "containment (floor)",
        "words not in the passages (floor)",
        "length alone (floor)",
    ]
    assert found[0].auroc.value == 1.0
    assert found[3].auroc.value >= 0.5
    again = checked("faithfulness", read_labels(write(tmp_path, ROWS)), tmp_path)
    assert again == found


def test_who_wrote_an_answer_is_a_floor_where_labels_name_generators(tmp_path: Path) -> None:
    rows = [labelled(f"{a} {n}", 1, generator="one") for n in range(4) for a in GOOD]
    rows += [labelled(f"{a} {n}", 0, generator="two") for n in range(4) for a in GOOD]
    report = check("faithfulness", read_labels(write(tmp_path, rows)), tmp_path)
    known = {scorer.name: scorer.auroc.value for scorer in report.scorers}
    assert known["who wrote it (floor)"] == 1
    assert report.ahead.floor == "who wrote it"
    assert report.ahead.in_words().startswith("Worse than the best floor (who wrote it): -0.")


def test_generators_that_are_equally_good_say_nothing() -> None:
    good, sources = np.array([1, 1, 0, 0] * 4), np.arange(16)
    # Of eight answers of each, four are good, in the even sources as in the odd ones.
    writers = ["one"] * 8 + ["two"] * 8
    assert by_writer(writers, good, sources).tolist() == [0.0] * 16
    # Of two's answers in even sources half are good, of one's all; of all of them, three in four.
    good = np.array([1, 0, 1, 0, 1, 0, 0, 0])
    score = by_writer(["one"] * 4 + ["two"] * 4, good, np.arange(8))
    expected = [0, (2 + 0.75) / 3 - 0.75, 0, (2 + 0.75) / 3 - 0.75, 0, (1.75 / 3) - 0.75]
    assert score[:6].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "low", "high", "line"),
    [
        (0.04, 0.01, 0.07, "Better than the best floor (length alone): +0.040 of AUROC "),
        (-0.04, -0.07, -0.01, "Worse than the best floor (length alone): -0.040 of AUROC "),
        (0.04, -0.01, 0.09, "Not shown to be better than the best floor (length alone): +0.040 "),
    ],
)
def test_a_line_says_whether_a_scorer_beats_its_best_floor(
    value: float, low: float, high: float, line: str
) -> None:
    assert Ahead("length alone", Estimate(value, low, high)).in_words().startswith(line)


def test_a_generator_is_judged_alone_where_it_has_labels_of_both_kinds(tmp_path: Path) -> None:
    rows = [labelled(a, 1, generator="one") for a in GOOD * 4]
    rows += [labelled(a, 0, generator="one") for a in BAD * 4]
    rows += [labelled(a, 1, generator="two") for a in GOOD]
    (found, *_) = checked("faithfulness", read_labels(write(tmp_path, rows)), tmp_path)
    assert list(found.within) == ["one"]
    assert found.within["one"].value == 1.0


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 1: Invalid JSON"),
        ("[]", "line 1: must be an object"),
        ('{"answer": "x", "label": 1}', "line 1: passages: must be given"),
        ('{"answer": "x", "passages": []}', "label: must be given where there are no raters"),
        ('{"answer": 3, "passages": [], "label": 1}', "line 1: answer: must be a text .found 3"),
        (
            '{"answer": "x", "passages": "y", "label": 1}',
            "line 1: passages: must be a list, .*found 'y'",
        ),
        ('{"answer": "x", "passages": [], "label": 0.5}', "line 1: label: write 1 for a good"),
        ('{"answer": "x", "passages": [], "raters": [1, 2]}', r"line 1: raters\.1: .*found 2"),
        ('{"answer": "x", "passages": [], "label": 1}', "labels must be of both kinds"),
        ("", "labels must be of both kinds"),
    ],
)
def test_a_bad_file_is_told_with_its_line(row: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(row + "\n")
    with pytest.raises(BakeoffError, match=told):
        read_labels(path)


def test_a_label_file_may_hold_numbers_as_ids_and_signs_that_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    rows = [
        {"id": 7, "answer": "yes\u2028no", "passages": [], "label": 1, "targets": [3]},
        {"answer": "", "passages": [], "label": 0, "remark": {"more": "columns"}},
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    one, two = read_labels(path)
    assert (one.sample.id, one.sample.targets, one.answer.text) == ("7", ("3",), "yes\u2028no")
    assert (two.sample.id, two.source, two.good) == ("2", "2", False)


def test_the_card_is_shown_and_written(tmp_path: Path, cli: Cli) -> None:
    path = write(tmp_path, ROWS)
    done = cli(
        *("scorers", "check", "faithfulness", "--labels", path, "--card", "cards"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "containment (floor)" in done.stdout
    assert "better than the best floor" in done.stdout.lower()
    card = (tmp_path / "cards" / "faithfulness.md").read_text()
    assert "| faithfulness | 6 | 1.000" in card.replace("\\", "")
    wrong = cli("scorers", "check", "faithfullness", "--labels", path, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean 'faithfulness'?" in wrong.stderr


def test_people_are_held_against_each_other_where_they_rated_alone(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        answer, good = (GOOD + BAD)[number % 6], number % 6 < 3
        raters = [float(good), float(good), float(not good) if number == 0 else float(good)]
        rows.append(labelled(f"{answer} {number}", 0, raters=raters) | {"label": int(good)})
    report = check("faithfulness", read_labels(write(tmp_path, rows)), tmp_path)
    assert report.people is not None
    alone, others = [], []
    for row in rows:
        said = row["raters"]
        assert isinstance(said, list)
        for place in range(3):
            alone.append(said[place])
            others.append((sum(said) - said[place]) / 2)
    assert report.people.pearson.value == pytest.approx(pearsonr(alone, others).statistic)
    # 36 pairs of raters, of which the two with the one who differs disagree.
    first = [a for row in rows for a, _ in combinations(row["raters"], 2)]
    second = [b for row in rows for _, b in combinations(row["raters"], 2)]
    assert report.people.kappa.value == pytest.approx(cohen_kappa_score(first, second))


def test_the_raters_mean_is_the_label_where_there_is_none(tmp_path: Path) -> None:
    rows = [{**row, "raters": [row.pop("label"), 1, 0]} for row in map(dict, ROWS)]
    assert [row.good for row in read_labels(write(tmp_path, rows))] == [True] * 3 + [False] * 3


def test_correlations_are_those_of_scipy(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCORERS)
    rows = [labelled(x, y) for x, y in (("a", 1), ("b", 1), ("c", 0), ("d", 1), ("e", 0))]
    (mine, *_) = checked("./mine.py::known", read_labels(write(tmp_path, rows)), tmp_path)
    values, labels = [0.9, 0.5, 0.5, 0.4, 0.1], [1, 1, 0, 1, 0]
    assert mine.pearson.value == pytest.approx(pearsonr(values, labels).statistic)
    assert mine.spearman.value == pytest.approx(spearmanr(values, labels).statistic)


def judged(judge: Judge, folder: Path, name: str, repeats: int = 1) -> Report:
    endpoints = {"judge": {"url": judge.url, "attempts": 1}}
    suite = Suite.model_validate({"tasks": ["x"], "setups": {"x": {}}, "endpoints": endpoints})
    place = Place(suite, folder / "b.yaml", folder, folder / "kept.sqlite", {})
    with closing(JudgePool(place)) as judges:
        rows = read_labels(folder / "labels.jsonl")
        return check(name, rows, folder, judges.give, repeats=repeats)


def test_a_judge_is_asked_again_to_see_how_much_it_wavers(tmp_path: Path) -> None:
    unsure = [labelled(f"It carries 120 passengers <malformed once> {n}.", 1) for n in range(2)]
    write(tmp_path, [*ROWS, *unsure, labelled("It carries <refuse>.", 0)])
    with running_judge() as judge:
        report = judged(judge, tmp_path, "faithfulness(verifier='judge:m')", repeats=3)
        mine = report.scorers[0]
        assert mine.spread == 0
        assert (mine.judged, mine.unjudged) == (8, 1)
        assert mine.reasons == {"the judge gave no verdict in 2 attempts": 3}
        # Three times each answer; a second attempt of the two once and of the one always.
        assert len(judge.asked) == 3 * 9 + 2 + 3


GATED = """
import json, pathlib
from bakeoff.core.words import Answer, Passage, Step

def answer(sample):
    passage = Passage("d", 0, 0, "The ferry carries 120 passengers.")
    return Answer("The ferry carries 120 passengers.", (passage,), (Step("retrieve"),))
"""


def gated(folder: Path, cli: Cli, policy: str) -> tuple[int, str]:
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "benchmarks").mkdir(exist_ok=True)
    (folder / "bot.py").write_text(GATED)
    rows = [{"id": f"q{n}", "question": f"How many? {n}", "targets": ["120"]} for n in range(60)]
    (folder / "tasks" / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tasks" / "q.yaml").write_text(
        "description: Ferries.\nrows: {test: q.jsonl}\nscorers: [faithfulness]\n"
    )
    (folder / "benchmarks" / "b.yaml").write_text(
        "tasks: [q]\nsetups: {mine: {call: ../bot.py::answer}}\nlatency: {samples: 0}\n"
        f"policy: {policy}\ngates: [mine.q.faithfulness >= 0.5]\n"
    )
    done = cli("run", "benchmarks/b.yaml", "--no-mlflow", cwd=folder)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_gate_may_ask_how_far_its_judge_agreed_with_people(tmp_path: Path, cli: Cli) -> None:
    policy = "{min_agreement: 0.8, cards: cards}"
    assert gated(tmp_path, cli, "{}")[0] == 0
    code, said = gated(tmp_path, cli, policy)
    assert code == 12
    assert "no scorer card cards/faithfulness.json" in " ".join(said.split())
    path = write(tmp_path, ROWS)
    ask = ("scorers", "check", "faithfulness", "--labels", path, "--card", "cards")
    assert cli(*ask, cwd=tmp_path).returncode == 0
    assert gated(tmp_path, cli, policy)[0] == 0
    card = tmp_path / "cards" / "faithfulness.json"
    kept = json.loads(card.read_text())
    kept["scorers"][0]["auroc"]["low"] = 0.7
    card.write_text(json.dumps(kept))
    code, said = gated(tmp_path, cli, policy)
    assert code == 12
    assert "below min_agreement 0.8" in " ".join(said.split())
    card.write_text(json.dumps({**kept, "version": "old"}))
    code, said = gated(tmp_path, cli, policy)
    assert code == 12
    assert "of another version" in " ".join(said.split())


def test_calibration_is_one_command_and_moves_no_order(tmp_path: Path, cli: Cli) -> None:
    rows = [labelled(a, int(n % 3 == 0 or a in GOOD)) for n, a in enumerate([*GOOD, *BAD] * 5)]
    path = write(tmp_path, rows)
    done = cli("scorers", "calibrate", "--labels", path, "--output", "mine.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plain = check("faithfulness", read_labels(path), tmp_path).scorers[0]
    fitted = check("faithfulness(verifier='mine.json')", read_labels(path), tmp_path).scorers[0]
    assert fitted.auroc.value == plain.auroc.value
    wrong = cli(
        *("scorers", "check", "faithfulness(verifier='no.json')", "--labels", path), cwd=tmp_path
    )
    assert wrong.returncode == 2
    assert "there is no file" in wrong.stderr
