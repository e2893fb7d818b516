"""Metrics as values, and how a scorer is found."""

from __future__ import annotations

import keyword
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import Answer, BakeoffError, Sample, Score
from bakeoff.metrics import scorers as package
from bakeoff.metrics.registry import find_scorer, scorers
from bakeoff.metrics.scorer import REGISTERED, Context
from bakeoff.metrics.scorers import MODULES
from bakeoff.metrics.scorers.support import calibrated
from bakeoff.metrics.support import shipped_model
from bakeoff.spec.functions import load_function
from bakeoff.spec.metric import Metric
from conftest import ROOT

HERE = Path(__file__).parent

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
values = plain | st.floats(allow_nan=False, allow_infinity=False) | st.tuples(plain, plain)
metrics = st.builds(
    lambda path, name, given: Metric(path + name, tuple(sorted(given.items()))),
    st.sampled_from(["", "./mine.py::", "my.package::"]),
    names,
    st.dictionaries(names, values, max_size=3),
)


@settings(deadline=None)
@given(metrics)
def test_the_parser_is_the_inverse_of_the_printer(metric: Metric) -> None:
    assert Metric.parse(str(metric)) == metric


@settings(deadline=None)
@given(st.text(max_size=20) | st.text("ab=(),.'{}[]*: 15-k", max_size=20))
def test_any_text_is_a_metric_that_prints_itself_or_a_bakeoff_error(text: str) -> None:
    try:
        metric = Metric.parse(text)
    except BakeoffError:
        return
    assert Metric.parse(str(metric)) == metric


@pytest.mark.parametrize(
    "text",
    [
        "",
        "two words",
        "5k",
        "recall(5)",
        "recall(k=)",
        "recall(k=five)",
        "recall(k=open('x'))",
        "recall(k={[]: 1})",
        "recall(**{'k': 1})",
        "recall(k=1, k=2)",
        "recall(k=1e999)",
        "recall(k=[1])",
        "recall(k=" + "-" * 20_000 + "1)",
        "recall(k=" + "(" * 500 + "1" + ")" * 500 + ")",
    ],
    ids=lambda text: text[:24] or "empty",
)
def test_what_is_no_metric_is_a_bakeoff_error(text: str) -> None:
    with pytest.raises(BakeoffError):
        Metric.parse(text)


def test_spaces_and_the_order_of_settings_make_no_other_metric() -> None:
    assert str(Metric.parse(" f( b = 2,a=1 ) ")) == "f(a=1, b=2)"
    assert Metric.parse("f()") == Metric.parse("f")


def test_an_unknown_scorer_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(BakeoffError, match=r"no scorer named 'exact_mtch'; did you mean 'exact_m"):
        find_scorer(Metric("exact_mtch"), HERE)


def test_an_unknown_setting_is_answered_with_the_settings_there_are() -> None:
    with pytest.raises(BakeoffError, match=r"retrieval_recall has no setting 'n'; it takes k"):
        find_scorer(Metric.parse("retrieval_recall(n=3)"), HERE)


def test_a_setting_of_another_type_than_its_default_is_refused() -> None:
    with pytest.raises(BakeoffError, match="k"):
        find_scorer(Metric.parse("retrieval_recall(k='five')"), HERE)


def test_the_table_of_scorers_has_those_of_every_module() -> None:
    there = {}
    for _, module, _ in iter_modules(package.__path__):
        import_module(place := f"{package.__name__}.{module}")
        if found := {s.name for f, s in REGISTERED.items() if f.__module__ == place}:
            there[module] = found
    assert {module: set(found) for module, found in MODULES.items()} == there


def test_every_scorer_explains_itself_in_one_line() -> None:
    assert len(scorers()) >= 15
    assert all(found.about.endswith(".") for found in scorers().values())


def test_a_users_function_is_a_scorer_with_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def short(sample, answer, context, *, most=3):\n    return len(answer.text) <= most\n"
    )
    metric = Metric.parse("./mine.py::short(most=4)")
    found = find_scorer(metric, tmp_path)
    sample = Sample("1", {"question": "?"})
    assert found.settings() == {"most": 3}
    assert found.score(sample, Answer("four"), Context(), metric) == Score(1.0)
    assert found.score(sample, Answer("fiver"), Context(), metric) == Score(0.0)


def test_a_file_of_calibrated_probabilities_is_read_before_the_run(tmp_path: Path) -> None:
    metric = Metric.parse("faithfulness(verifier='mine.json')")
    with pytest.raises(BakeoffError, match=r"there is no file .*mine\.json"):
        find_scorer(metric, tmp_path)
    mine = tmp_path / "mine.json"
    mine.write_text('{"mean": {}}')
    with pytest.raises(BakeoffError, match=r"faithfulness.*mine\.json: this is no support model"):
        find_scorer(metric, tmp_path)
    mine.write_text(shipped_model().as_json())
    assert find_scorer(metric, tmp_path).name == "faithfulness"
    assert calibrated(mine) == shipped_model()
    # Calibrated anew while the program runs.
    mine.write_text(replace(shipped_model(), slope=1.5).as_json())
    assert calibrated(mine) == replace(shipped_model(), slope=1.5)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("short", "write ./file.py::function"),
        ("::short", "write ./file.py::function"),
        ("./none.py::short", "there is no file"),
        ("no.such.module::short", "No module named 'no'"),
        ("math::pi", "has no function 'pi'"),
        ("math::cosine", "has no function 'cosine'"),
    ],
)
def test_a_function_that_is_not_there_is_a_bakeoff_error(
    reference: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError, match=message):
        load_function(reference, tmp_path)


def test_names_that_are_far_from_all_get_the_list() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "; known: a, b"
    assert did_you_mean("hybird", ["rag", "hybrid"]) == "; did you mean 'hybrid'?"


def test_the_table_of_scorers_names_each_with_its_settings_and_direction() -> None:
    page = (ROOT / "docs" / "scorers" / "README.md").read_text()
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    table = [[cell.strip() for cell in row] for row in rows]
    assert sorted(row[0].strip("`") for row in table) == list(scorers())
    for row in table:
        scorer = scorers()[row[0].strip("`")]
        assert set(re.findall(r"`(\w+)`", row[3])) >= set(scorer.settings()), row[0]
        assert (row[5] == "higher") == scorer.higher_is_better, row[0]
        ends = re.findall(r"\d(?:\.\d+)?", row[4])
        assert scorer.bounds is None or [float(ends[0]), float(ends[-1])] == [*scorer.bounds], row[
            0
        ]
