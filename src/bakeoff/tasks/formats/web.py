"""The text of an HTML page: headings, paragraphs, lists and tables; no markup, scripts, menus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.decoding import Reading, decoded

if TYPE_CHECKING:
    from bs4 import Tag

_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_SILENT = frozenset(("script", "style", "noscript", "template", "head", "title"))
_COUNTED = {
    **dict.fromkeys(("nav", "footer"), "menus and footers"),
    **dict.fromkeys(("img", "svg", "canvas", "picture"), "images"),
    **dict.fromkeys(("iframe", "video", "audio", "object", "embed"), "embedded media"),
    **dict.fromkeys(("form", "button", "select", "input", "textarea"), "forms"),
}
"""Element -> what it is counted as; none of them is part of the text."""
_BLOCKS = frozenset(
    (
        *("p", "div", "section", "article", "main", "header", "aside", "blockquote", "figure"),
        *(
            "figcaption",
            "ul",
            "ol",
            "dl",
            "dt",
            "dd",
            "table",
            "hr",
            "address",
            "details",
            "summary",
        ),
    )
)
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BLOCK, _LINE, _CELL, _VERBATIM = "\n\n", "\n", "\t|", "\0"


def web_page(file: Path, reading: Reading) -> str:
    """The text of a page, its title as heading where it has none.

    Raises `BakeoffError` if it cannot be decoded, or is nested too deeply to be a page.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup("".join(decoded(file, _stated(file, reading))), "html.parser")
    try:
        text = _joined(_pieces(soup, reading))
    except RecursionError as error:
        raise BakeoffError(f"{file}: elements are nested too deeply") from error
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    return f"# {title}\n\n{text}" if title and not soup.find("h1") else text


def _stated(file: Path, reading: Reading) -> Reading:
    """The reading with the encoding that the page itself states, where the task states none."""
    with file.open("rb") as stream:
        head = stream.read(4096)
    charset = _CHARSET.search(head)
    if reading.encoding or not charset or head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb")):
        return reading
    name = charset[1].decode().lower()
    # Browsers read all of these as cp1252, and pages count on it.
    name = "cp1252" if name in ("iso-8859-1", "latin1", "us-ascii", "windows-1252") else name
    try:
        "".encode(name)
    except LookupError:
        return reading
    return reading if name in ("utf-8", "utf8") else reading.stating(name)


def _pieces(element: Tag, reading: Reading) -> Iterator[str]:
    """The texts of an element, with what separates them; verbatim ones marked as such."""
    from bs4.element import NavigableString, Tag

    for child in element.children:
        if isinstance(child, Tag):
            yield from _element(child, reading)
        elif type(child) is NavigableString:  # not its kinds: comments, declarations
            yield re.sub(r"\s+", " ", child)


def _element(tag: Tag, reading: Reading) -> Iterator[str]:
    name = tag.name
    if name in _SILENT or tag.has_attr("hidden") or _HIDDEN.search(str(tag.get("style", ""))):
        return
    menu = str(tag.get("role", "")) in ("navigation", "menu", "search")
    if kind := _COUNTED.get(name) or ("menus and footers" if menu else ""):
        reading.dropped[kind] += 1
    elif name == "br":
        yield _LINE
    elif name == "pre":
        yield from (_BLOCK, _VERBATIM + tag.get_text().strip("\n"), _BLOCK)
    elif name in ("td", "th"):
        yield from (_CELL, " ".join(_joined(_pieces(tag, reading)).split()))
    elif name in _HEADINGS:
        yield from (_BLOCK, f"{_HEADINGS[name]} ", *_pieces(tag, reading), _BLOCK)
    elif name == "li":
        yield from (_LINE, "- ", *_pieces(tag, reading), _LINE)
    else:
        edge = _BLOCK if name in _BLOCKS else _LINE if name == "tr" else ""
        yield from (edge, *_pieces(tag, reading), edge)


def _joined(pieces: Iterable[str]) -> str:
    """The pieces as one text: blanks collapsed, at most one blank line, cells between bars."""
    parts: list[str] = []
    end = _BLOCK
    """What the text ends with: a separator, a blank, or neither."""
    for piece in pieces:
        if not piece:
            continue
        if piece == _CELL:
            if not end.startswith("\n"):
                parts.append(" | ")
                end = " "
        elif piece in (_BLOCK, _LINE):
            if len(piece) > len(end) or not end.startswith("\n"):
                parts.append(piece)
                end = piece
        elif piece.startswith(_VERBATIM):
            parts.append(piece[1:])
            end = ""
        elif text := piece.lstrip(" ") if end else piece:
            parts.append(text)
            end = " " if text.endswith(" ") else ""
    text = re.sub(r" +\n", "\n", "".join(parts))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
