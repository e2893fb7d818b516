"""Encodings: stated, marked or detected; never guessed where the guess may be another alphabet."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.decoding import Reading, decoded, encoding_of

GERMAN = "Nr;Frage\n1;Wie heißt die Straße?\n"
FRENCH = "id,q\n1,Où est le café ?\n2,« Déjà » ou – déçu ?\n"


def read(file: Path, content: bytes, encoding: str = "") -> tuple[str, list[str]]:
    file.write_bytes(content)
    reading = Reading(encoding)
    return "".join(decoded(file, reading)), reading.notes


@pytest.mark.parametrize("text", [GERMAN, FRENCH, "id,q\n1,€ 5 for Ida’s “lens”?\n"])
def test_western_text_that_is_not_utf8_is_read_and_said(text: str, tmp_path: Path) -> None:
    made, notes = read(tmp_path / "a.csv", text.encode("cp1252"))
    assert made == text
    (note,) = notes
    assert "a.csv is not UTF-8 and read as cp1252" in note
    assert encoding_of(tmp_path / "a.csv") == "cp1252 (detected)"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "id,q\n1,Где находится склад?\n"),
        ("cp1250", "id,q\n1,Gdzie jest żółta łódź?\n"),
        ("cp1250", "id,q\n1,Jak se má žluťoučký kůň?\n"),
        ("shift_jis", "id,質問\n1,本社はどこですか\n"),
        ("gb18030", "id,问题\n1,总部在哪里？\n"),
        ("cp437", "id,q\n1,Straße größer\n"),
        ("mac_roman", "id,q\n1,Wie heißt die größte Straße?\n"),
    ],
)
def test_other_code_pages_are_refused_until_they_are_stated(
    encoding: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError, match="is not UTF-8; save the file as UTF-8"):
        read(tmp_path / "a.csv", text.encode(encoding))
    assert read(tmp_path / "a.csv", text.encode(encoding), encoding) == (text, [])


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with byte-order mark"),
        ("utf-16", "UTF-16"),
    ],
)
def test_marked_files_need_nothing_stated(encoding: str, words: str, tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", GERMAN.encode(encoding)) == (GERMAN, [])
    assert encoding_of(tmp_path / "a.csv") == words


def test_a_file_of_two_encodings_is_refused(tmp_path: Path) -> None:
    mixed = "1;Straße\n".encode() + "2;Straße\n".encode("cp1252")
    with pytest.raises(BakeoffError, match=r"line 2: byte 0xdf is not UTF-8, and lines before it"):
        read(tmp_path / "a.csv", mixed)


def test_a_stated_encoding_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"a\.csv: is not ascii"):
        read(tmp_path / "a.csv", GERMAN.encode(), "ascii")


def test_a_picture_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match="zero bytes: is it a text file"):
        read(tmp_path / "a.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
