"""Verdicts for CI: complete, valid, within limits, and harmless whatever they were made from."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.publish import (
    ANNOTATIONS,
    COMMENT_CHARACTERS,
    SUMMARY_BYTES,
    comment,
    junit,
    marker,
    plain,
    summary,
    workflow_commands,
)

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
        "reason": "0.61 against 0.69; worse by more than chance (p = 0.003)",
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


def verdict(*gates: dict[str, Any], **given: Any) -> dict[str, Any]:
    found = {
        "format": 2,
        "run": "20261122-230350",
        "benchmark": "quickstart",
        "limited": "",
        "policy": {"on_inconclusive": "warn"},
        "references": {"baseline": {"run": "20261120-000000"}},
        "mismatch": [],
        "state": "FAIL",
        "exit_code": 10,
        "gates": list(gates),
    }
    return {**found, **given}


ONE_OF_EACH = verdict(
    *(gate(state) for state in STATES),
    gate(id="soft", severity="warn"),
    gate("INCONCLUSIVE", id="asked", on_inconclusive="fail"),
)


def cases(text: str) -> dict[str, str]:
    """Gate -> the element that its test case holds; and the schema that CI systems read."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.tag == "testsuite"
    assert {"name", "tests", "failures", "errors", "skipped"} <= set(suite.attrib)
    found = {}
    for element in suite:
        assert element.tag in ("properties", "testcase")
        if element.tag == "properties":
            assert all(set(each.attrib) == {"name", "value"} for each in element)
            continue
        assert element.get("name") and element.get("classname")
        assert re.fullmatch(r"\d+(\.\d+)?", element.get("time", ""))
        (child,) = element
        assert child.tag in ("failure", "error", "skipped", "system-out")
        if child.tag != "system-out":
            assert set(child.attrib) == {"type", "message"}
        found[element.get("name")] = child.tag
    counts = Counter(found.values())
    if len(found) == int(suite.get("tests")):
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
            assert int(suite.get(attribute)) == counts[tag]
    return found


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
    assert "qa/q17 (1 -&gt; 0)" in text and "p_adjusted 0.003" in text


def test_the_comment_begins_with_its_marker_and_names_what_broke() -> None:
    text = comment(ONE_OF_EACH, "[report](https://example.org/run)")
    assert text.startswith("<!-- bakeoff:gates:quickstart -->\n## ❌ bakeoff: FAIL\n")
    assert "- qa / q17: 1 -&gt; 0" in text.replace("\\-", "-")
    assert "1 of 7 gates passed" in text
    assert "[report](https://example.org/run)" in text
    order = [text.index(word) for word in ("ERROR |", "❌ FAIL |", "INCONCLUSIVE |", "SKIPPED |")]
    assert order == sorted(order)


def test_a_benchmarks_name_cannot_end_the_hidden_comment() -> None:
    assert marker("a --> <script>") == "<!-- bakeoff:gates:a-script- -->"
    assert comment(verdict(benchmark="-->")).count("-->") == 1


def test_at_most_ten_annotations_of_a_level_and_the_last_says_what_is_left() -> None:
    lines = workflow_commands(verdict(*[gate()] * 25, *[gate(severity="warn")] * 10))
    levels = Counter(line.split()[0] for line in lines)
    assert levels == {"::error": ANNOTATIONS, "::warning": ANNOTATIONS}
    assert lines[9] == "::error title=bakeoff::16 more gates, in gates.json and the step summary"
    assert "more gates" not in lines[-1]


def test_what_a_workflow_command_takes_for_its_own_is_escaped() -> None:
    (line,) = workflow_commands(verdict(gate(id="a,b:c", reason="100% wrong\n::error::x")))
    assert line.startswith("::error title=FAIL%3A a%2Cb%3Ac::")
    assert "100%25 wrong ::error::x" in line


def test_ten_thousand_gates_fit_into_the_summary_and_the_worst_are_kept() -> None:
    rows = [gate("PASS", id=f"g{i}", reason="x" * 290) for i in range(10_000)]
    found = verdict(*rows, gate("ERROR", id="worst", check="worst.f1 >= 1"))
    text = summary(found)
    assert len(text.encode()) < SUMMARY_BYTES
    assert "worst.f1" in text
    left = int(re.search(r"(\d+) more gates are in gates.json", text)[1])
    assert text.count("\n| ✅ PASS |") == 10_000 - left
    assert len(comment(found)) < COMMENT_CHARACTERS


def test_a_limited_run_and_a_mismatch_are_said() -> None:
    found = verdict(gate(), limited="limit 5", mismatch=["baseline: prompt of task qa"])
    for text in (summary(found), comment(found)):
        assert "A limited run (limit 5): not the benchmark's verdict." in text
        assert "Not comparable, and let pass:** baseline: prompt of task qa" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;title\x07x", "x"),
        ("one\ntwo\r\nthree\u2028four", "one two three four"),
        ("\u202eevil", "evil"),
        ("::error::x", ": :error::x"),
        ("\ud800 half", "half"),
        ("y" * 500, "y" * 299 + "…"),
        ("naïve ✓ 漢字", "naïve ✓ 漢字"),
    ],
)
def test_plain_text_is_one_harmless_line(text: str, shown: str) -> None:
    assert plain(text) == shown


PIECES = ["\x1b[31m", "::error::", "\n", "]]>", "|", "`", "<b>", "@all", "#1", "-->", "\ud800"]
PIECES += ["\x00", "\u202e", "https://x.y", "[a](b)", "%0A", "\ufffe", "a"]
HOSTILE = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@settings(deadline=None, max_examples=150)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, st.sampled_from(STATES))
def test_whatever_the_texts_all_outputs_are_whole_and_harmless(
    name: str, check: str, reason: str, sample: str, state: str
) -> None:
    broke = [{"task": name, "sample": sample, "left": 0.0, "right": 1.0}]
    row = gate(state, id=name or "x", check=check, reason=reason, slice=sample, broke=broke)
    found = verdict(row, benchmark=name, run=sample, limited=reason, mismatch=[check])
    assert len(cases(junit(found))) <= 1
    for text in (junit(found), summary(found), comment(found), *workflow_commands(found)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", text)
        text.encode()
    for text in (summary(found), comment(found)):
        assert not any(line.startswith("::") for line in text.splitlines())
        assert text.count("<") == text.count("<!--")
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in rows)
    for line in workflow_commands(found):
        assert line.startswith(("::error ", "::warning "))
        assert "\n" not in line
