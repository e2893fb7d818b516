"""A finished run, written by hand, read back and rendered."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bakeoff.analysis.comparison import Abstention, Repeats, Share, Summary
from bakeoff.analysis.measured_run import Run, write_comparison
from bakeoff.core.estimate import Difference, Estimate
from bakeoff.core.table import Table, number
from bakeoff.core.words import (
    MissingEvidence,
)
from bakeoff.decide.gates.judging import judged, verdicts_of
from bakeoff.outputs.tables.effects import effects, findings
from bakeoff.outputs.tables.headline import details, headline, slices
from bakeoff.outputs.tables.markdown import markdown
from bakeoff.outputs.tables.refusals import declining
from bakeoff.outputs.tables.repeats import repeats
from bakeoff.running.gating import gate
from bakeoff.spec.policy import Gate
from small_run import FAILED, KINDS, SETUPS, write_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path)


def cells(table: Table, *key: str) -> tuple[str, ...]:
    (row,) = [row for row in table.rows if row[: len(key)] == key]
    return row[len(key) :]


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (None, "contains", "-"),
        (2 / 3, "contains", "0.667"),
        (0.1, "latency_s", "0.10 s"),
        (0.0994, "latency_s", "99 ms"),
        (12.3, "decode_s", "12.30 s"),
        (110.4, "prompt_tokens", "110"),
        (0.000123, "cost", "0.000123"),
    ],
)
def test_a_number_stands_in_its_metrics_usual_form(
    value: float | None, metric: str, text: str
) -> None:
    assert number(value, metric) == text


def test_the_headline_table_has_quality_then_time_tokens_and_failures(run: Run) -> None:
    table = headline(run)
    assert table.header == ("task", "metric", "n", "base", "rag")
    assert [row[:2] for row in table.rows] == [
        ("qa", "contains"),
        ("qa", "latency_s"),
        ("qa", "prompt_tokens"),
        ("qa", "error"),
    ]
    assert cells(table, "qa", "contains") == (
        "10",
        "0.200 [0.035, 0.520]",
        "0.900 [0.597, 0.995]*^",
    )
    assert cells(table, "qa", "latency_s") == (
        "6",
        "62 ms [62, 62 ms]^",
        "2.50 s [2.50, 2.50 s]*",
    )
    assert cells(table, "qa", "prompt_tokens") == ("9-10", "10^", "110*")


def test_a_later_attempt_replaces_a_failure_and_a_failure_that_stays_is_shown(run: Run) -> None:
    records = [record for setup in SETUPS for record in run.records("qa", setup)]
    assert len(records) == 20
    assert len(list(run.latencies("qa"))) == 18
    assert [r.sample for r in records if r.error] == [FAILED]
    n, base, rag = cells(headline(run), "qa", "error")
    assert (n, base.split()[0], rag.split()[0]) == ("10", "0.000", "0.100")
    assert "^" not in base + rag  # one failure in ten is no clear difference
    n, base, rag = cells(details(run, "qa"), "contains, failures left out")
    assert (n, base.split()[0], rag.split()[0]) == ("9-10", "0.200", "1.000")


def test_the_square_shows_the_effects_whose_corners_are_there(run: Run) -> None:
    table = effects(run)
    assert table.header == ("task", "metric", "retrieval, untuned")
    (effect,) = cells(table, "qa", "contains")
    assert effect.startswith("+0.700 [+0.") and effect.endswith("]*")


def test_details_say_how_the_samples_were_drawn_and_what_was_left_out(run: Run) -> None:
    table = details(run, "qa")
    assert "10 samples (a seeded sample of 40)." in table.note
    assert "Left out: 1 training row (nearly) repeating" in table.note
    assert [row[0] for row in table.rows][:2] == ["contains", "error"]


def test_slices_are_the_headline_by_tag(run: Run) -> None:
    found = {row[0]: [cell.split()[0] for cell in row[1:]] for row in slices(run, "qa").rows}
    assert found == {
        f"kind={KINDS[0]}": ["5", "0.400", "1.000"],
        f"kind={KINDS[1]}": ["5", "0.000", "0.800"],
    }


def test_verdicts_come_from_the_runs_own_gates_or_others(run: Run) -> None:
    assert [(gate.check, gate.state) for gate in verdicts_of(run).gates] == [
        ("rag.qa.contains >= base.qa.contains", "ERROR"),
        ("count(base.error) <= 0", "PASS"),
        ("count(rag.error) <= 0", "FAIL"),
    ]
    assert "10.0% of rag's answers failed" in verdicts_of(run).gates[0].reason
    (other,) = judged(run, [Gate(check="count(rag.error) <= 1")]).gates
    assert other.state == "PASS"


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_run_that_is_not_complete_has_no_verdict(status: str, tmp_path: Path) -> None:
    run = write_run(tmp_path, status)
    with pytest.raises(MissingEvidence, match=f"the run is {status}; finish it with .*--resume"):
        judged(run)


def test_the_comparison_and_the_verdicts_are_kept_beside_the_journal(run: Run) -> None:
    write_comparison(run)
    kept = json.loads((run.folder / "comparison.json").read_text())
    found = kept["tasks"]["qa"]["metrics"]["contains"]["setups"]["rag"]
    assert (found["value"], found["n"]) == (0.9, 10)
    gate(run, run.folder.parent)
    assert json.loads((run.folder / "gates.json").read_text()) == judged(run).model_dump(
        mode="json"
    )
    assert verdicts_of(run).exit_code == 12


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_header(run: Run) -> None:
    text = markdown(run)
    width = None
    for line in text.splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert bars is None or width is None or bars == width, line
        width = bars
    assert width is None


def test_markdown_cells_escape_pipes_angle_brackets_and_emphasis(run: Run) -> None:
    text = markdown(run)
    assert r"| kind=a\|b &lt;i&gt; | 5 |" in text
    assert r"| kind=\*c\* \_d\_ \`e\` | 5 |" in text
    assert r"rag.qa.contains &gt;= base.qa.contains" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert not any(sign in row for row in rows for sign in "<>")


def test_the_same_run_renders_the_same_markdown(run: Run) -> None:
    assert markdown(run) == markdown(Run(run.folder))


def test_the_report_says_what_was_run(run: Run) -> None:
    text = markdown(run)
    for told in (
        "# small\n",
        "| command | bakeoff run benchmarks/small.yaml |",
        "| commit | unknown |",
        "GPU: none",
        "| seed | 0 |",
        "| decoding | greedy |",
    ):
        assert told in text


def summary(**effects: tuple[float, float, float]) -> Summary:
    """A metric whose differences have these values and intervals."""
    return Summary(
        effects={
            name.replace("_", " ").replace("tuning ", "tuning, "): Difference(
                value, low, high, detectable=0.1
            )
            for name, (value, low, high) in effects.items()
        }
    )


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        ((-0.2, -0.3, -0.1), "tuning damages the use of retrieved passages"),
        ((0.2, 0.1, 0.3), "tuning improves answers from retrieved passages"),
        (
            (0.0, -0.1, 0.1),
            "no effect of tuning on answers from retrieved passages was seen; m",
        ),
    ],
)
def test_the_square_is_said_in_words(
    run: Run, effect: tuple[float, float, float], told: str
) -> None:
    run.comparison.tasks["qa"].metrics["contains"] = summary(tuning_open_book=effect)
    (said,) = findings(run)
    assert said.startswith(f"qa: {told}")


def test_a_setup_that_always_declines_is_named(run: Run) -> None:
    refusals = Summary({"base": Estimate(0.95), "rag": Estimate(0.2)})
    run.comparison.tasks["qa"].metrics["wrong_refusal"] = refusals
    assert findings(run) == [
        "qa: base refuses 95% of answerable questions; do not credit its other refusals."
    ]


def test_answering_and_declining_are_told_apart_in_the_report(run: Run) -> None:
    cells = Abstention(
        ("crag",),
        failed=2,
        unjudged=0,
        answerable={"right": Share(6, 0.75), "wrong": Share(1, 0.125), "refused": Share(1, 0.125)},
        unanswerable={"refused": Share(0, None), "answered": Share(0, None)},
    )
    assert not declining(run).rows
    run.comparison.tasks["qa"].abstention["rag"] = cells
    table = declining(run)
    assert table.rows == (("qa", "rag", "6 (75%)", "1 (12%)", "1 (12%)", "-", "-", "2"),)
    assert table.note.endswith("by crag.")
    assert "## Answering and declining" in markdown(run)


def test_repeats_show_the_headline_and_a_metric_that_is_right_or_wrong(run: Run) -> None:
    varied = Repeats(0.25, 0.125, 2 / 3, 0.5, flips=None, pass_at=None, pass_hat=None)
    rates = replace(varied, flips=0.5, pass_at={"1": 0.75}, pass_hat={"1": 0.25})
    facts = run.comparison.tasks["qa"]
    assert not repeats(run).rows
    for metric, found in (("contains", varied), ("f1", varied), ("em", rates), ("cost", rates)):
        facts.metrics[metric] = replace(facts.metric(metric), repeats={"rag": found})
    assert [row[:3] for row in repeats(run).rows] == [
        ("qa", "contains", "rag"),
        ("qa", "em", "rag"),
    ]
    assert cells(repeats(run), "qa", "em", "rag") == (
        *("0.250", "0.125", "0.667", "0.500", "0.500", "0.750", "0.250"),
    )
