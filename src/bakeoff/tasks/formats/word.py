"""The text of a Word document (.docx). The door to `docx` (python-docx)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.decoding import Reading

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DROPPED = {
    "{http://schemas.openxmlformats.org/drawingml/2006/main}blip": "images",
    f"{_W}footnoteReference": "footnotes",
    f"{_W}endnoteReference": "footnotes",
    f"{_W}commentReference": "comments",
    "{http://schemas.microsoft.com/office/word/2010/wordprocessingShape}txbx": "text boxes",
    "{http://schemas.openxmlformats.org/officeDocument/2006/math}oMath": "formulas",
}
"""Element -> what it is counted as; none of them is part of the text."""
_LEFT_OUT = frozenset(f"{_W}{name}" for name in ("del", "moveFrom", "txbxContent", "pPr", "rPr"))
_SIGNS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
OLE = b"\xd0\xcf\x11\xe0"
"""What an Office file begins with that has a password, or is of the time before 2007."""


def word_text(file: Path, reading: Reading) -> str:
    """Paragraphs, headings as in Markdown, lists, and tables with a row a line, as accepted.

    Raises `BakeoffError` for a file that is damaged, has a password or is none of Word's.
    """
    try:
        import docx
        from docx.opc.exceptions import OpcError
    except ImportError as error:
        raise BakeoffError(
            f"{file}: DOCX needs python-docx: pip install 'bakeoff[files]'"
        ) from error
    with file.open("rb") as stream:
        if stream.read(4) == OLE:
            raise BakeoffError(f"{file}: has a password; save a copy without one")
    try:
        document = docx.Document(str(file))
    except (BadZipFile, KeyError, ValueError, OpcError) as error:
        raise BakeoffError(
            f"{file}: cannot be read as DOCX: damaged, or no Word file; leave the file out, or "
            "save it anew as DOCX or text"
        ) from error
    body = document.element.body
    for element in body.iter():
        if kind := _DROPPED.get(element.tag):
            reading.dropped[kind] += 1
    names = {style.style_id: (style.name or "") for style in document.styles}
    text = "\n".join(_blocks(body, names))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _blocks(element: Any, styles: dict[str, str]) -> Iterator[str]:
    """Lines of text; a paragraph ends with a blank one."""
    for child in element:
        if child.tag == f"{_W}p":
            yield from _paragraph(child, styles)
        elif child.tag == f"{_W}tbl":
            for row in child.iter(f"{_W}tr"):
                cells = (" ".join(_text(cell).split()) for cell in row.iter(f"{_W}tc"))
                yield " | ".join(cells)
            yield ""
        elif child.tag == f"{_W}sdt" and not _contents(child):
            yield from _blocks(child.find(f"{_W}sdtContent"), styles)
        elif child.tag in (f"{_W}ins", f"{_W}moveTo", f"{_W}customXml"):
            yield from _blocks(child, styles)


def _contents(control: Any) -> bool:
    """Whether a content control is the table of contents: all of it is in the document."""
    kinds = (kind.get(f"{_W}val") for kind in control.iter(f"{_W}docPartGallery"))
    return "Table of Contents" in kinds


def _paragraph(paragraph: Any, styles: dict[str, str]) -> Iterator[str]:
    text = _text(paragraph).strip()
    if not text:
        return
    properties = paragraph.find(f"{_W}pPr")
    style = properties.find(f"{_W}pStyle") if properties is not None else None
    name = styles.get(style.get(f"{_W}val"), "").lower() if style is not None else ""
    listed = name.startswith("list") or (
        properties is not None and properties.find(f"{_W}numPr") is not None
    )
    if level := re.fullmatch(r"heading (\d)", name):
        yield f"{'#' * min(6, int(level[1]))} {text}"
    elif name == "title":
        yield f"# {text}"
    elif listed:
        yield f"- {text}"
        return
    else:
        yield text
    yield ""


def _text(element: Any) -> str:
    """The text as it is with all changes accepted."""
    parts = []
    for child in element:
        if child.tag in _LEFT_OUT:
            continue
        if child.tag == f"{_W}t":
            parts.append(child.text or "")
        elif child.tag == f"{_W}p":
            parts.append(f"{_text(child)}\n")
        else:
            parts.append(_SIGNS.get(child.tag, "") or _text(child))
    return "".join(parts)
