"""JSON, labels and rules: answers whose form is judged."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.registry import scorers
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.scorers.labels import NO_LABEL, alike, named_label
from bakeoff.metrics.scorers.structure import plain, shared
from bakeoff.spec.metric import Metric
from bakeoff.spec.task import Rule

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
NOTHING = Context()
ITEMS = st.recursive(
    st.sampled_from(["1", "2"]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner) | st.lists(inner, max_size=3),
    max_leaves=5,
)
"""Values as they are compared."""
RULES = Context(
    rules=(
        Rule(name="subject", match=r"^Re: <ticket>$"),
        Rule(name="no dollars", forbid=r"\$"),
        Rule(name="short", words=(2, 3)),
    )
)


def score(metric: str, text: str, *targets: str, context: Context = NOTHING) -> Score:
    parsed = Metric.parse(metric)
    sample = Sample("1", {"question": "?", "ticket": "a.c"}, targets)
    found = scorers()[parsed.name].score(sample, Answer(text), context, parsed)
    assert found is not None
    return found


def value(metric: str, text: str, *targets: str, context: Context = NOTHING) -> float | None:
    return score(metric, text, *targets, context=context).value


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ('{"n": 1}', 1.0, 1.0),
        (' [1, "a", null]\n', 1.0, 1.0),
        ('Here: {"n": 1}. Done.', 0.0, 1.0),
        ('```json\n{"n": 1}\n```', 0.0, 1.0),
        ("```\n[1]\n```", 0.0, 1.0),
        ('{"n": NaN}', 0.0, 0.0),
        ('{"n": -Infinity}', 0.0, 0.0),
        ("{'n': 1}", 0.0, 0.0),
        ('{"n": 1', 0.0, 0.0),
        ("} {", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("[" * 100_000, 0.0, 0.0),
    ],
    ids=lambda x: str(x)[:12],
)
def test_the_whole_answer_is_json_or_leniently_a_part_of_it(
    text: str, strict: float, lenient: float
) -> None:
    assert value("json_valid", text) == strict
    assert value("json_valid(lenient=True)", text) == lenient


GIVEN = '{"port": "Oslo", "n": 3}'
HELD = {
    "braces in front": "In the {port, n} form: " + GIVEN,
    "braces behind": GIVEN + " Fill in {port} yourself.",
    "a citation in front": "By [1] and [see below]: " + GIVEN,
    "a thought": '<think>{"port": "Kiel"}? No.</think>' + GIVEN,
    "a thought of two parts": '<think>{"n": 1}</think> Hm. <think>{"n": 2}</think>\n' + GIVEN,
    "another object behind": GIVEN + '\nOr: {"port": "Kiel", "n": 4}',
    "a broken draft": '{"port": "Kiel", "n": 4,} I mean ' + GIVEN,
    "a fence that is not closed": "```json\n" + GIVEN,
    "a fence of another name": "```JSON5\n" + GIVEN + "\n```",
    "an object with a bracket in a text": 'So: {"port": "Oslo", "n": 3} ["}"]',
    "a byte-order mark": "\ufeff" + GIVEN,
}


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
def test_leniently_the_object_counts_that_prose_or_thinking_holds(text: str) -> None:
    assert value("exact_json", text, GIVEN) == 1.0
    assert value("json_valid(lenient=True)", text) == 1.0
    assert value("json_valid", text) == 0.0


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ('Two: [{"a": 1}, {"a": 2}].', '[{"a": 2}, {"a": 1}]'),
        ("The ids are [4, 5].", "[4, 5]"),
        ('<think>[1]</think> ["x"]', '["x"]'),
        ('Asked: [1]. Answer: [{"a": 1}]', '[{"a": 1}]'),
    ],
)
def test_leniently_an_array_in_prose_counts(text: str, target: str) -> None:
    assert value("exact_json", text, target) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"n": 1},}',
        '{"a": {"n": 1}',
        '```json\n{"a": {"n": 1},}\n```',
        '<think>{"n": 1}</think> I cannot.',
        '<think>{"n": 1}',
        '{"a": {"n": 1}, "a": 2}',
        "{" * 5000,
        '{"a":' * 100_000,
    ],
    ids=lambda x: str(x)[:12],
)
def test_leniently_a_part_of_a_broken_object_and_a_mere_thought_count_not(text: str) -> None:
    assert value("json_valid(lenient=True)", text) == 0.0
    assert value("field_f1", text, '{"n": 1}') == 0.0


@pytest.mark.parametrize("metric", ["json_valid", "schema_valid", "field_f1", "exact_json"])
@pytest.mark.parametrize("lenient", [False, True])
def test_a_key_that_stands_twice_is_no_json(metric: str, lenient: bool) -> None:
    for text in ('{"n": 2, "n": 1}', 'So: {"m": {"n": 1, "n": 1}}'):
        found = score(f"{metric}(lenient={lenient})", text, '{"n": 1}')
        assert found.value == 0.0
        assert lenient is False or found.reason == "the key 'n' occurs twice in one object"


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ('{"n": 1}', 1.0, ""),
        ('{"n": "1"}', 0.0, "'1' is not of type 'integer'"),
        ("{}", 0.0, "'n' is a required property"),
        ('{"n": 1, "m": 2}', 0.0, "Additional properties are not allowed"),
        ("n = 1", 0.0, "the answer is not JSON"),
    ],
)
def test_an_answer_that_misses_the_schema_says_why(text: str, expected: float, reason: str) -> None:
    found = score("schema_valid", text, context=Context(schema=SCHEMA))
    assert found.value == expected
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("predicted", "target", "expected"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}, 1.0),
        ({"b": "x", "a": 1.0}, {"a": 1, "b": " X "}, 1.0),
        ({"a": 1}, {"a": 1, "b": "x"}, 2 / 3),  # 1 shared of 1 + 2
        ({"a": 1, "b": "y"}, {"a": 1, "b": "x"}, 1 / 2),  # 1 shared of 2 + 2
        ({"l": [1, 2, 2]}, {"l": [2, 1]}, 4 / 5),  # a multiset: 2 shared of 3 + 2
        ({"a": {"b": 1}}, {"b": 1}, 0.0),
        ({"a": "1"}, {"a": 1}, 0.0),
        ({"a": True}, {"a": 1}, 0.0),
        ({"a": None}, {"a": "none"}, 0.0),
        ({"a": 12345678901}, {"a": 12345678902}, 0.0),
        ({"a": int("9" * 400)}, {"a": 1}, 0.0),
        ({"l": []}, {"l": []}, 1.0),
        ({}, {}, 1.0),
        ({"a": "=1"}, {"a": 1}, 0.0),
        ({"a.b": 1}, {"a": {"b": 1}}, 0.0),  # a dot in a key is no path
        ({"a[]": 1}, {"a": [1]}, 0.0),
        ([{"k": "x", "n": 1}, {"k": "y", "n": 2}], [{"n": 2, "k": "Y"}, {"k": "x", "n": 1}], 1.0),
        ([{"k": "x", "n": 2}, {"k": "y", "n": 1}], [{"k": "x", "n": 1}, {"k": "y", "n": 2}], 1 / 2),
        # The pairs that fit best: x with x (2 of 3), y with y (2 of 3), z with nothing.
        (
            [{"k": "x", "n": 2, "m": 5}, {"k": "y", "n": 1, "m": 6}, {"k": "z"}],
            [{"k": "x", "n": 1, "m": 5}, {"k": "y", "n": 2, "m": 6}],
            2 * 4 / (7 + 6),
        ),
        ([[1, 2], [3, 4]], [[4, 3], [2, 1]], 1.0),
        ([[1, 3], [2, 4]], [[1, 2], [3, 4]], 1 / 2),
    ],
    ids=lambda x: str(x)[:24],
)
def test_field_f1_counts_leaves_by_path_and_value(
    predicted: Any, target: Any, expected: float
) -> None:
    found = value("field_f1", f"Sure: {json.dumps(predicted)}", json.dumps(target))
    assert found == pytest.approx(expected)


def test_an_answer_nested_deeply_is_wrong_and_no_crash() -> None:
    assert value("field_f1", "[" * 900 + "]" * 900, '{"a": 1}') == 0.0


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ({"a": 1, "l": ["x", "y"], "e": []}, 1.0),
        ({"l": ["y", "x"], "a": 1, "e": []}, 1.0),
        ({"a": 1, "l": ["x"], "e": []}, 0.0),
        ({"a": 1, "l": ["x", "y"], "e": [], "m": 0}, 0.0),
        ({"a": 1, "l": ["x", "y"]}, 0.0),
        ({"a": 1, "l": ["x", "y"], "e": [], "m": {}}, 0.0),
        ({"a": True, "l": ["x", "y"], "e": []}, 0.0),
    ],
)
def test_exact_json_wants_every_field_and_none_besides(predicted: Any, expected: float) -> None:
    target = json.dumps({"a": 1, "l": ["x", "y"], "e": []})
    assert value("exact_json", json.dumps(predicted), target) == expected


def test_numbers_that_change_places_between_items_are_wrong() -> None:
    target = [{"item": "oar", "qty": 2}, {"item": "sail", "qty": 9}]
    swapped = [{"item": "oar", "qty": 9}, {"item": "sail", "qty": 2}]
    assert value("exact_json", json.dumps(swapped), json.dumps(target)) == 0.0
    assert value("exact_json", json.dumps(target[::-1]), json.dumps(target)) == 1.0


@settings(max_examples=200, deadline=None)
@given(st.lists(ITEMS, max_size=4), st.lists(ITEMS, max_size=4))
def test_items_are_paired_as_well_as_can_be(one: list[Any], other: list[Any]) -> None:
    """Held to every way of pairing them."""
    few, many = sorted((one, other), key=len)
    best = max(sum(map(shared, few, chosen)) for chosen in itertools.permutations(many, len(few)))
    assert shared(one, other) == (best if few else int(one == other))


def test_strict_metrics_refuse_the_prose_around_an_object() -> None:
    assert value("field_f1(lenient=False)", 'Sure: {"a": 1}', '{"a": 1}') == 0.0
    assert value("exact_json(lenient=False)", 'Sure: {"a": 1}', '{"a": 1}') == 0.0


LABELS = ("card", "lost_card", "refund", "art", "party")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("refund", "refund"),
        ("  Refund. ", "refund"),
        ("lost card", "lost_card"),
        ("The label is LOST-CARD!", "lost_card"),
        ("card", "card"),
        ("cards", NO_LABEL),
        ("refund or card", NO_LABEL),
        ("art or party", NO_LABEL),
        ("an arty party", "party"),
        ("", NO_LABEL),
        ("no idea", NO_LABEL),
    ],
)
def test_an_answer_names_one_label_or_none(text: str, expected: str) -> None:
    assert named_label(text, LABELS) == expected


GRADES = ("A", "A+", "A-", "B")
SIGNED = ("C", "C++", "C#", "+1", "-1", "1", "A", "B")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1.", "-1"),
        ("The label is (+1)", "+1"),
        ("−1", "-1"),
        ("1", "1"),
        ("**C#**", "C#"),
        ("C++.", "C++"),
        ("It is C.", "C"),
        ("c", "C"),
        ("`c++`", "C++"),
        ("C or C++", NO_LABEL),
        ("+1, not -1", NO_LABEL),
        ("C+", NO_LABEL),
        ("It is a B", "B"),
        ("Answer: A", "A"),
        ("a", "A"),
        ("A or B", NO_LABEL),
    ],
)
def test_labels_whose_words_are_the_same_are_told_apart_by_their_signs(
    text: str, expected: str
) -> None:
    assert named_label(text, SIGNED) == expected


def test_labels_that_no_answer_could_tell_apart() -> None:
    assert alike(SIGNED) == []
    assert alike(("card", "Card", "lost_card", "lost card", "x")) == [("card", "Card")]
    assert alike(("e-mail", "E-Mail")) == [("e-mail", "E-Mail")]


@pytest.mark.parametrize(("text", "expected"), [("-", "-"), ("+", "+"), ("", NO_LABEL)])
def test_labels_may_be_signs(text: str, expected: str) -> None:
    assert named_label(text, ("+", "-")) == expected


def test_accuracy_and_macro_f1_carry_what_was_expected_and_said() -> None:
    context = Context(labels=LABELS)
    for metric in ("accuracy", "macro_f1"):
        assert score(metric, "Refund", "refund", context=context) == Score(
            1.0, labels=("refund", "refund")
        )
        wrong = score(metric, "hm", "refund", context=context)
        assert (wrong.value, wrong.labels) == (0.0, ("refund", NO_LABEL))
        assert "expected refund" in wrong.reason
    assert scorers()["macro_f1"].aggregate == "macro_f1"


@pytest.mark.parametrize(
    ("text", "kept", "broken"),
    [
        ("Re: a.c", 3, ""),
        ("Re: abc", 2, "broken: subject"),  # the field's text is no pattern
        ("Re: a.c $ 5", 0, "broken: subject, no dollars, short"),
        ("$", 0, "broken: subject, no dollars, short"),
        ("", 1, "broken: subject, short"),
    ],
)
def test_the_share_of_rules_kept_names_the_broken_ones(text: str, kept: int, broken: str) -> None:
    found = score("rules_kept", text, context=RULES)
    assert found.value == pytest.approx(kept / 3)
    assert found.reason == broken
    assert value("all_rules_kept", text, context=RULES) == float(kept == 3)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("Grade: A-.", GRADES, "A-"),
        ("A\u2212", GRADES, "A-"),
        ("**A+**", GRADES, "A+"),
        ("I give it an A.", GRADES, "A"),
        ("It is a draw", GRADES, NO_LABEL),
        ("about <5 years", ("<5", ">5"), "<5"),
        ("=5", ("<5", ">5"), NO_LABEL),
        ("我觉得是正面的。", ("正面", "负面"), "正面"),
        ("答案：不是", ("是", "不是"), "不是"),
        ("这是什么", ("是", "否"), NO_LABEL),
        ("ข่าวดีมาก", ("ข่าวดี", "ข่าวร้าย"), "ข่าวดี"),
        ("cafe\u0301", ("caf\u00e9", "tea"), "caf\u00e9"),
        ("STRASSE", ("Straße", "Weg"), "Straße"),
        ("कोई नहीं", ("नहीं", "हाँ"), "नहीं"),
    ],
)
def test_labels_of_any_script_and_sign_are_told_apart(
    text: str, labels: tuple[str, ...], expected: str
) -> None:
    assert alike(labels) == []
    assert named_label(text, labels) == expected


def test_labels_of_one_text_in_two_encodings_are_alike() -> None:
    assert alike(("caf\u00e9", "cafe\u0301")) == [("caf\u00e9", "cafe\u0301")]
    assert alike(GRADES) == alike(("<5", "5", ">5")) == []


@pytest.mark.parametrize(
    "answer", ['{"caf\u00e9": "Z\u00fcrich"}', '{"cafe\u0301": "ZU\u0308RICH"}']
)
def test_fields_are_equal_in_either_encoding_of_their_accents(answer: str) -> None:
    assert plain({"caf\u00e9": "z\u00fcrich"}) == plain(json.loads(answer))
