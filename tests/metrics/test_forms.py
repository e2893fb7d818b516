"""The forms in which texts are compared. All by hand."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.metrics.forms import SQUAD, STRICT, holds, normal, squad, strict


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Cat", "cat"),
        ("a an the", ""),
        ("theatre another", "theatre another"),
        ("A-Team", "ateam"),
        ("the-cat", "thecat"),
        ("U.S.A.", "usa"),
        ("a.", ""),
        ("don't", "dont"),
        ("don’t", "don’t"),
        ("$1,000.50", "100050"),
        ("  \t\n ", ""),
        ("", ""),
        ("ÉCOLE Straße", "école straße"),
        ("a\u00a0b", "b"),
        ("«a»", "« »"),
        ("l'an", "lan"),
        ("the the cat", "cat"),
    ],
)
def test_normalisation_is_squads(text: str, plain: str) -> None:
    assert squad(text) == plain


@settings(deadline=None)
@given(st.text(max_size=30))
def test_normalising_leaves_single_spaces_and_a_perfect_match_with_itself(text: str) -> None:
    for form in (squad, strict):
        assert form(text) == " ".join(form(text).split())
    assert normal(text, text, SQUAD)[0] == normal(text, text, SQUAD)[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The  Cat!", "cat"),
        ("U.S.A.", "usa"),
        ("e-mail", "email"),
        ("don’t", "dont"),
        ("**19 kilos**", "19 kilos"),
        ("_19 kilos_", "19 kilos"),
        ("__init__", "__init__"),
        ("«a»", "a"),
        ("1.5", "1.5"),
        ("1,500.5", "1500.5"),
        ("3,5", "3,5"),
        ("1\u202f250", "1250"),
        ("at 6.40 p.m.", "at 6.40 pm"),
        ("21:15", "21:15"),
        ("24-hour", "24-hour"),
        ("5–10", "5-10"),
        ("(−5)", "-5"),
        ("+1.", "+1"),
        ("20 %", "20 %"),
        ("20%", "20 %"),
        ("$5", "$ 5"),
        ("C++, C#.", "c++ c#"),
        ("a -> b", "a -> b"),
        ("x != y", "x != y"),
        ("ÉCOLE Straße", "école strasse"),
        ("e\u0301cole", "école"),
        ("東京都です。", "東 京 都 で す"),
        ("１９キロ", "19 キ ロ"),
        ("हिन्दी", "हिन्दी"),
        ("A", "a"),
        ("A B", "a b"),
        ("It is a B", "it is b"),
        ("The", "the"),
        ("A valve", "valve"),
        ("Plan A failed", "plan a failed"),
        ("vitamin a and c", "vitamin a and c"),
        ("A is right", "a is right"),
        ("the end. A valve", "end valve"),
        ("?", "?"),
        ("`!=`", "!="),
        (' "**". ', "**"),
        ("  ", ""),
    ],
)
def test_the_strict_form_is_a_texts_words(text: str, words: str) -> None:
    assert strict(text) == words
    assert strict(unicodedata.normalize("NFD", text)) == strict(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "15"),
        ("-5", "5"),
        ("+1", "-1"),
        ("C++", "C"),
        ("C#", "C++"),
        ("plan A", "plan"),
        ("हि", "हा"),
        ("?", "!"),
        ("3.10", "3.1"),
        ("5-10", "510"),
    ],
)
def test_the_strict_form_tells_apart_what_squads_may_not(one: str, other: str) -> None:
    assert strict(one) != strict(other)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_a_text_that_is_not_blank_keeps_something_and_holds_itself(text: str) -> None:
    assert bool(strict(text)) == bool(text.strip())
    assert not text.strip() or holds(text, text, STRICT)


@pytest.mark.parametrize(
    ("text", "target", "held"),
    [
        ("It costs 1,250 crowns.", "1250 crowns", True),
        ("It is -5 degrees", "5", False),
        ("It is -5 degrees", "-5", True),
        ("15 kilos", "1.5", False),
        ("between 5-10", "5", False),
        ("C++ it is", "C", False),
        ("in 東京都です", "東京", True),
        ("Use `!=` here", "!=", True),
        ("x !== y", "!=", False),
        ("Use **.", "**", True),
        ("**bold**", "**", False),
        ("It is '?'.", "?", True),
        ("What?", "?", False),
        ("the word is the", "the", True),
        ("the word", "the", False),
        ("", "", False),
        ("", "?", False),
    ],
)
def test_a_target_is_held_as_whole_words_or_signs(text: str, target: str, held: bool) -> None:
    assert holds(text, target, STRICT) == held
