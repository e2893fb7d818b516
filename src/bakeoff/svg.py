"""A plot's SVG made fit to stand inside a page: no styles, no foreign ids, the page's colours.

A page that forbids inline styles would drop those that a plotting library writes, and two plots on
one page must not share ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

_SVG, _LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
_KEPT = frozenset(
    (
        *("fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset"),
        *("stroke-linecap", "stroke-linejoin", "opacity", "fill-opacity", "stroke-opacity"),
        *("font-size", "font-weight", "text-anchor"),
    )
)
"""What a style says that an attribute can say as well; the page has its own fonts."""
_LONG = re.compile(r"-?\d+\.\d{3,}")
_URL = re.compile(r"url\(#([^)]+)\)")


def inline(svg: bytes, name: str, title: str, said: str, colours: Mapping[str, str]) -> str:
    """The `<svg>` element with a title and a description; `colours` maps hex codes to others."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
            elif child.get("id") == "patch_1":
                parent.remove(child)  # the paper, which is the page's
    used = _referred(root)
    for element in root.iter():
        _restyle(element, colours)
        _rename(element, name, used)
    _describe(root, name, title, said)
    return ElementTree.tostring(root, encoding="unicode")


def _referred(root: ElementTree.Element) -> set[str]:
    links = (element.get(_LINK, "").removeprefix("#") for element in root.iter())
    urls = (m[1] for e in root.iter() for value in e.attrib.values() for m in _URL.finditer(value))
    return {*links, *urls} - {""}


def _restyle(element: ElementTree.Element, colours: Mapping[str, str]) -> None:
    for rule in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in rule.partition(":"))
        if key in _KEPT:
            element.set(key, colours.get(value.lower(), value))
    for key in ("d", "x", "y", "transform", "points"):
        if key in element.attrib:
            short = _LONG.sub(lambda m: f"{float(m[0]):.2f}", element.attrib[key])
            element.set(key, " ".join(short.split()))


def _rename(element: ElementTree.Element, name: str, used: set[str]) -> None:
    identity = element.attrib.pop("id", "")
    if identity in used:
        element.set("id", f"{name}-{identity}")
    if _LINK in element.attrib:
        element.set("href", f"#{name}-{element.attrib.pop(_LINK).removeprefix('#')}")
    for key, value in element.attrib.items():
        element.set(key, _URL.sub(rf"url(#{name}-\1)", value))


def _describe(root: ElementTree.Element, name: str, title: str, said: str) -> None:
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    heading = ElementTree.Element(f"{{{_SVG}}}title", id=f"{name}-title")
    words = ElementTree.Element(f"{{{_SVG}}}desc", id=f"{name}-desc")
    heading.text, words.text = title, said
    root[:0] = [heading, words]
    root.attrib |= {
        "class": "plot",
        "role": "img",
        "fill": "currentColor",
        "stroke-linejoin": "round",
        "aria-labelledby": f"{name}-title {name}-desc",
    }
