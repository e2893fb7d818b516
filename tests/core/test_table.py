"""Tables as text and Markdown: whatever names come from files, they move no terminal's cursor."""

import pytest

from bakeoff.core.layout import as_text
from bakeoff.core.progress import PlainProgress
from bakeoff.core.table import Table, as_markdown

HOSTILE = "\x1b]0;owned\x07\x1b[2Ja\rb\x08\u202ec"


def test_no_part_of_a_table_holds_an_escape() -> None:
    table = Table(HOSTILE, ("name", HOSTILE), ((HOSTILE, "1"),), HOSTILE)
    for text in (as_text(table), as_markdown([table])):
        assert not {"\x1b", "\x07", "\r", "\x08", "\u202e"} & set(text)
        assert "a b c" in text


def test_a_note_is_one_visible_line(capsys: pytest.CaptureFixture[str]) -> None:
    PlainProgress(print).note(f"skipped {HOSTILE}")
    assert capsys.readouterr().err == "skipped a b c\n"
