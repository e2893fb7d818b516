"""Near duplicates across a split, against every pair compared by hand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.tasks.overlap import FEWEST, THRESHOLD, held_pairs, near_duplicates, normal, words

texts = st.lists(st.sampled_from("abcdefgh"), max_size=9).map(" ".join)


def brute_force(test: dict[str, str], train: dict[str, str]) -> dict[str, str]:
    found = {}
    for key, text in train.items():
        for other in sorted(test):
            a, b = words(text), words(test[other])
            if a & b and len(a & b) / len(a | b) >= THRESHOLD:
                found[key] = other
                break
    return found


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(st.sampled_from("pqrstu"), texts, max_size=6),
    st.dictionaries(st.sampled_from("vwxyz"), texts, max_size=5),
)
def test_near_duplicates_are_those_that_comparing_all_pairs_finds(
    test: dict[str, str], train: dict[str, str]
) -> None:
    assert near_duplicates(test, train) == brute_force(test, train)


def test_case_punctuation_and_word_order_do_not_hide_a_repeat() -> None:
    assert near_duplicates({"q": "How heavy is it?"}, {"t": "it IS (how) heavy!"}) == {"t": "q"}


def test_four_words_of_five_are_a_repeat_and_three_of_four_are_not() -> None:
    assert near_duplicates({"q": "a b c d e"}, {"t": "a b c d"}) == {"t": "q"}
    assert near_duplicates({"q": "a b c d"}, {"t": "a b c"}) == {}


def test_the_bound_is_met_exactly_at_every_length() -> None:
    for fifths in range(1, 60):
        long = [f"w{n}" for n in range(5 * fifths)]
        test, train = {"q": " ".join(long)}, {"t": " ".join(long[fifths:])}
        assert near_duplicates(test, train) == {"t": "q"}, fifths


def test_texts_without_words_repeat_nothing_else() -> None:
    assert near_duplicates({"q": "", "r": "a"}, {"t": "?!", "u": ""}) == {}
    assert near_duplicates({}, {"t": "a"}) == near_duplicates({"q": "a"}, {}) == {}


def test_near_duplicates_are_seen_in_scripts_without_spaces() -> None:
    asked = {"t": "図書館の開館時間は平日の何時から何時までですか"}
    trained = {
        "same": "図書館の開館時間は平日は何時から何時までですか",
        "other": "図書館の休館日は何曜日ですか",
    }
    assert near_duplicates(asked, trained) == {"same": "t"}


def test_words_that_differ_in_their_vowel_signs_are_not_the_same() -> None:
    assert normal("काल") != normal("कल")


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from("pqr"), st.lists(st.sampled_from("ab"), max_size=8), max_size=3
    ),
    st.dictionaries(st.sampled_from("xyz"), st.lists(st.sampled_from("ab"), max_size=14)),
)
def test_held_pairs_are_those_whose_words_stand_in_longer_texts(
    parts: dict[str, list[str]], wholes: dict[str, list[str]]
) -> None:
    expected = {
        (part, whole)
        for part, mine in parts.items()
        for whole, theirs in wholes.items()
        if FEWEST <= len(mine) < len(theirs) and " ".join(mine) in " ".join(theirs)
    }
    texts = [{key: " ".join(ws) for key, ws in side.items()} for side in (parts, wholes)]
    assert set(held_pairs(*texts)) == expected
