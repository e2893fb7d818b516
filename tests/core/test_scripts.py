"""Words and terms in scripts with and without spaces."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.core.scripts import is_unspaced, terms, word_spans, words


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The gate opens, at 6.40.", ["The", "gate", "opens,", "at", "6.40."]),
        ("京都 Station駅前", ["京", "都", "Station", "駅", "前"]),
        ("はい。", ["は", "い", "。"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("서울 시청", ["서울", "시청"]),
        ("", []),
    ],
)
def test_a_sign_of_a_script_without_spaces_is_a_word(text: str, right: list[str]) -> None:
    assert words(text) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The Gate's key, snake_case", ["the", "gate", "s", "key", "snake_case"]),
        ("京都駅のそば", ["京都", "都駅", "駅の", "のそ", "そば"]),
        ("茶 and 5", ["茶", "and", "5"]),
        ("カギ", ["カギ"]),
        ("किताब घर", ["किताब", "घर"]),
        (unicodedata.normalize("NFD", "Café"), ["café"]),
        ("?!。", []),
    ],
)
def test_terms_are_words_and_pairs_of_signs(text: str, right: list[str]) -> None:
    assert terms(text) == right


@pytest.mark.parametrize("text", ["鍵", "そば", "ข้าว", "ဆေး", "𠮷野"])
def test_scripts_without_spaces_are_known(text: str) -> None:
    assert is_unspaced(f"see {text}")


@pytest.mark.parametrize("text", ["key", "Schlüssel", "ключ", "열쇠", "कुंजी", "٣", "๕", "。"])
def test_other_scripts_and_digits_are_not(text: str) -> None:
    assert not is_unspaced(text)


@given(st.text(max_size=100))
def test_words_leave_nothing_but_spaces_out(text: str) -> None:
    assert "".join(words(text)) == "".join(text.split())
    assert [text[start:end] for start, end in word_spans(text)] == words(text)
    if not is_unspaced(text):
        assert words(text) == text.split()
