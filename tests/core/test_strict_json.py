"""JSON by its standard: what Python's own reader takes beside it is refused."""

from __future__ import annotations

import pytest

from bakeoff.core.strict_json import DoubledKey, loads


def test_json_is_read_as_by_python() -> None:
    assert loads(' {"a": [1, 2.5, null, "x"]} ') == {"a": [1, 2.5, None, "x"]}


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[" * 100_000, "", "{'a': 1}"])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


def test_a_doubled_key_is_named() -> None:
    with pytest.raises(DoubledKey, match="the key 'a' occurs twice in one object"):
        loads('{"b": {"a": 1, "c": 2, "a": 1}}')
