"""Verdicts for CI: complete, valid, within limits, and harmless whatever they were made from."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bakeoff.core.plain_text import cell, plain
from bakeoff.outputs.ci import (
    ANNOTATIONS,
    COMMENT_CHARACTERS,
    SUMMARY_BYTES,
    comment,
    junit,
    marker,
    summary,
    workflow_commands,
)
from bakeoff.runs.verdicts import Verdicts
from conftest import ROOT

SCHEMA = ROOT / "tests" / "junit.xsd"
STATES = ("PASS", "FAIL", "INCONCLUSIVE", "ERROR", "SKIPPED")


def gate(state: str = "FAIL", **given: Any) -> dict[str, Any]:
    row = {
        "id": f"g-{state.lower()}",
        "setup": "",
        "slice": "",
        "check": "hybrid.qa.f1 >= baseline:hybrid.qa.f1 - 0.03",
        "severity": "fail",
        "mode": "refute",
        "state": state,
        "reason": "0.61 against 0.69; significant violation (p = 0.003)",
        "left": 0.61,
        "right": 0.69,
        "gap": -0.08,
        "low": -0.13,
        "high": -0.03,
        "p": 0.001,
        "p_adjusted": 0.003,
        "n": 168,
        "wins": 4,
        "ties": 150,
        "losses": 2,
        "detectable": 0.05,
        "needed": None,
        "method": "tango",
        "broke": [{"task": "qa", "sample": f"q{i}", "left": 0.0, "right": 1.0} for i in (17, 19)],
        "mended": [],
        "on_inconclusive": "warn",
    }
    return {**row, **given}


def verdict(*gates: dict[str, Any], **given: Any) -> Verdicts:
    found = {
        "format": 2,
        "run": "20261122-230350",
        "benchmark": "quickstart",
        "limited": "",
        "seed": 7,
        "policy": {"on_inconclusive": "warn"},
        "references": {"baseline": {"run": "20261120-000000"}},
        "mismatch": [],
        "state": "FAIL",
        "exit_code": 10,
        "gates": list(gates),
    }
    return Verdicts.model_validate({**found, **given})


ONE_OF_EACH = verdict(
    *(gate(state) for state in STATES),
    gate(id="soft", severity="warn"),
    gate("INCONCLUSIVE", id="asked", on_inconclusive="fail"),
)


def cases(text: str) -> dict[str, str]:
    """Gate -> the element that its test case holds; the counts have to be those of the cases."""
    (suite,) = ElementTree.fromstring(text)
    found = {}
    for case in suite.findall("testcase"):
        (child,) = case
        found[case.get("name")] = child.tag
    counts = Counter(found.values())
    assert int(suite.get("tests")) == len(found)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute)) == counts[tag]
    return found


@pytest.fixture(scope="module")
def schema() -> Any:
    return pytest.importorskip("xmlschema").XMLSchema(SCHEMA)


def rendered(text: str) -> list[Token]:
    """Markdown as GitHub reads it, HTML and tables included: all its pieces, in order."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [piece for token in reader.parse(text) for piece in (token, *(token.children or []))]


def test_junit_has_a_case_for_each_gate_by_what_it_does_to_the_exit_code() -> None:
    assert cases(junit(ONE_OF_EACH)) == {
        "g-pass": "system-out",
        "g-fail": "failure",
        "g-inconclusive": "skipped",
        "g-error": "error",
        "g-skipped": "skipped",
        "soft": "skipped",
        "asked": "failure",
    }
    text = junit(ONE_OF_EACH)
    assert 'message="warning: 0.61 against' in text
    assert "qa/q17 (1 → 0)" in text
    assert "low -0.13, high -0.03, p 0.001, p_adjusted 0.003, n 168, wins 4" in text
    assert "method tango, seed 7" in text


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('time="0"', 'time="soon"'),
        ('tests="7"', 'tests="-1"'),
        ('type="FAIL"', 'kind="FAIL"'),
        ('name="g-pass"', 'name="g-fail"'),
        ("failure ", "blame "),
    ],
)
def test_junit_is_what_ci_systems_read_and_the_schema_notices_what_is_not(
    schema: Any, good: str, bad: str
) -> None:
    text = junit(ONE_OF_EACH)
    schema.validate(text)
    assert good in text
    broken = text.replace(good, bad)
    if good == "failure ":
        broken = broken.replace("</failure>", "</blame>")
    assert not schema.is_valid(broken)


def test_gates_whose_long_names_look_the_same_are_told_apart(schema: Any) -> None:
    rows = [gate(id="x" * 400 + end) for end in "abc"]
    text = junit(verdict(*rows))
    schema.validate(text)
    assert [name[-4:] for name in cases(text)] == ["xxx…", " (2)", " (3)"]


def test_the_comment_begins_with_its_marker_and_names_what_broke() -> None:
    text = comment(ONE_OF_EACH, "[report](https://example.org/run)")
    assert text.startswith("<!-- bakeoff:gates:quickstart -->\n## ❌ bakeoff: FAIL\n")
    assert "- qa / q17: 1 → 0" in text
    assert (
        "quickstart: 7 gates: 1 failed, 1 failed (warning), 1 not evaluated, 2 inconclusive, "
        "1 skipped, 1 passed."
    ) in text
    assert "samples: 2 worse, 4 better, 150 same" in text
    assert "[report](https://example.org/run)" in text
    words = ("ERROR |", "❌ FAIL |", "INCONCLUSIVE |", "(warns only)", "SKIPPED |", "q17")
    order = [text.index(word) for word in words]
    assert order == sorted(order)


@pytest.mark.parametrize("name", ["-->", "--!>", ">", "->", "a\n-->", "\ud800", "x" * 5000 + "-->"])
def test_a_benchmarks_name_cannot_end_the_hidden_comment(name: str) -> None:
    first, second = rendered(comment(verdict(benchmark=name)))[:2]
    assert (first.type, first.content) == ("html_block", marker(name) + "\n")
    assert marker(name).count("--") == 2 and len(marker(name)) < 250
    assert second.type == "heading_open"


def test_every_benchmark_has_a_comment_of_its_own() -> None:
    names = [
        "a b",
        "a-b",
        "a--b",
        "a-%2Db",
        "a/b",
        "负载",
        "质量",
        "x" * 300 + "1",
        "x" * 300 + "2",
    ]
    assert len({marker(name) for name in names}) == len(names)
    assert marker("quick-start_2.1") == "<!-- bakeoff:gates:quick-start_2.1 -->"


def test_at_most_ten_annotations_of_a_level_and_the_last_says_what_is_left() -> None:
    lines = workflow_commands(verdict(*[gate()] * 25, *[gate(severity="warn")] * 10))
    levels = Counter(line.split()[0] for line in lines)
    assert levels == {"::error": ANNOTATIONS, "::warning": ANNOTATIONS}
    assert lines[9] == "::error title=bakeoff::16 more gates, in gates.json and the step summary"
    assert "more gates" not in lines[-1]


def test_what_a_workflow_command_takes_for_its_own_is_escaped() -> None:
    (line,) = workflow_commands(verdict(gate(id="a,b:c", reason="100% wrong\n::error::x")))
    assert line.startswith("::error title=FAIL%3A a%2Cb%3Ac::")
    assert "100%25 wrong : :error::x" in line


def test_ten_thousand_gates_fit_into_the_summary_and_the_worst_are_kept() -> None:
    rows = [gate("PASS", id=f"g{i}", reason="x" * 290) for i in range(10_000)]
    found = verdict(*rows, gate("ERROR", id="worst", check="worst.f1 >= 1"))
    text = summary(found)
    assert len(text.encode()) < SUMMARY_BYTES
    assert text.index("worst.f1") < text.index("✅")
    left = int(re.search(r"In gates.json: (\d+) more gates", text)[1])
    assert text.count("\n| ✅ PASS |") == 10_000 - left
    assert f"({left} PASS)" in text
    assert len(comment(found)) < COMMENT_CHARACTERS
    half = [gate("SKIPPED", reason="x" * 290) for _ in range(1500)]
    both = summary(verdict(*rows, *half))
    assert len(both.encode()) < SUMMARY_BYTES
    assert both.count("SKIPPED |") == 1500 and "PASS)" in both


@pytest.mark.parametrize("sign", ["&", "@", "漢", "😀", "|"])
@pytest.mark.parametrize("state", ["FAIL", "PASS"])
def test_texts_that_grow_when_escaped_stay_within_the_limits(sign: str, state: str) -> None:
    long = sign * 400
    broke = [{"task": long, "sample": long, "left": 0.0, "right": 1.0}] * 30
    row = gate(state, id=long, check=long, reason=long, slice=long, broke=broke, losses=99)
    found = verdict(*[row] * 2000, benchmark=long, run=long, limited=long, mismatch=[long] * 50)
    whole = summary(found)
    assert SUMMARY_BYTES - 5000 < len(whole.encode()) < SUMMARY_BYTES, "as many as have room"
    assert "In gates.json: " in whole
    text = comment(found)
    assert len(text) < COMMENT_CHARACTERS
    assert "In gates.json: 45 more differences." in text
    said = 2000 - text.count(f"\n| ❌ {state} |")
    if state == "FAIL":
        assert f"\nIn gates.json: {said} more gates that did not pass (" in text


def test_a_limited_run_and_a_mismatch_are_said() -> None:
    found = verdict(gate(), limited="limit 5", mismatch=["baseline: prompt of task qa"])
    for text in (summary(found), comment(found)):
        assert "A limited run (limit 5): not the benchmark's verdict." in text
        assert "Not comparable (--allow-mismatch):** baseline: prompt of task qa" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;title\x07x", "x"),
        ("one\ntwo\r\nthree\u2028four", "one two three four"),
        ("\x1b]0;nobody ends it", "0;nobody ends it"),
        ("\u202eevil", "evil"),
        ("::error::x", ": :error::x"),
        ("a  :::debug::x", "a : : :debug::x"),
        (":\u200b:error::x", ": :error::x"),
        ("../score.py::odd", "../score.py::odd"),
        ("x ###[error]y ##vso[a]", "x ### [error]y ## vso[a]"),
        ("a\U000e0041b", "ab"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\ud800 half", "half"),
        ("y" * 500, "y" * 299 + "…"),
        ("naïve ✓ 漢字", "naïve ✓ 漢字"),
    ],
)
def test_plain_text_is_one_harmless_line(text: str, shown: str) -> None:
    assert plain(text) == shown


PIECES = ["\x1b[31m", "::error::", "\n", "]]>", "|", "`", "<b>", "@all", "#1", "-->", "\ud800"]
PIECES += ["\x00", "\u202e", "https://x.y", "[a](b)", "%0A", "\ufffe", "a", " ", "\x1b]0;", "$x$"]
PIECES += ["##[error]", "\\", "&lt;", "\u200b", ":", "![", "**", "~~"]
HOSTILE = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@given(HOSTILE)
def test_plain_text_is_plain_already_and_a_cell_shows_it_letter_by_letter(text: str) -> None:
    flat = plain(text)
    assert plain(flat) == flat
    assert not re.search(r"(?:^|\s)::|##\w*\[", flat)
    pieces = rendered(f"| a |\n| --- |\n| x{cell(text)} |\n")
    shown = [piece.content for piece in pieces if piece.type in ("text", "text_special")]
    assert "".join(shown).replace("\u2060", "") == f"ax{flat}"


@settings(deadline=None, max_examples=150)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, st.sampled_from(STATES))
def test_whatever_the_texts_all_outputs_are_whole_and_harmless(
    schema: Any, name: str, check: str, reason: str, sample: str, state: str
) -> None:
    broke = [{"task": name, "sample": sample, "left": 0.0, "right": 1.0}]
    row = gate(state, id=name, check=check, reason=reason, slice=sample, broke=broke)
    found = verdict(row, gate(), benchmark=name, run=sample, limited=reason, mismatch=[check])
    cases(junit(found))
    schema.validate(junit(found))
    for text in (junit(found), summary(found), comment(found), *workflow_commands(found)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", text)
        assert "##[" not in text
        text.encode()
    for text in (summary(found), comment(found)):
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
        assert text.count("<") == text.count("<!--")
        kinds = Counter(piece.type for piece in rendered(text))
        assert kinds["html_block"] == text.startswith("<!--")
        assert not {"html_inline", "link_open", "image", "code_inline", "s_open"} & set(kinds)
        rows = [line for line in text.splitlines() if re.match(r"\| [^ -]", line)]
        assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in rows)
    for line in workflow_commands(found):
        assert line.startswith(("::error ", "::warning "))
        assert "\n" not in line
