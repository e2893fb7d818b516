"""What pictures share: axes, markers, whiskers, names beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bakeoff.outputs.page.svg import (
    BROAD,
    INK,
    LINE,
    SIZE,
    SOFT,
    WIDTH,
    Picture,
    Scale,
    colour,
    element,
    fitted,
    group,
    hatch,
    wide,
)

ROW, NAME, EDGE = 24.0, 150.0, 8.0
"""The height of a row, the most that its name takes, and what stays free at the edges."""
UNDER = 34.0
"""What ticks and label take below an axis."""
MANY = 5
"""Setups above which a picture with a name for each is a broad one."""
_LINE_OF_NAMES = SIZE + 3
_MARKERS = 7


def text(x: float, y: float, words: str, anchor: str = "middle", **more: str) -> str:
    return element("text", words, x=x, y=y, font_size=SIZE, text_anchor=anchor, **more)


def path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def line(
    points: Sequence[tuple[float, float]], stroke: str, dash: str = "", width: float = 1.0
) -> str:
    if not points:
        return ""
    look = {"stroke_dasharray": dash} if dash else {}
    return element("path", d=path(points), fill="none", stroke=stroke, stroke_width=width, **look)


def whisker(ends: Sequence[tuple[float, float]], stroke: str, cap: tuple[float, float]) -> str:
    """A line with a cap at both ends; nothing where they are one."""
    if math.dist(*ends) < 0.05:
        return ""
    caps = (
        line([(x - cap[0], y - cap[1]), (x + cap[0], y + cap[1])], stroke, width=1.5)
        for x, y in ends
    )
    return "".join([line(ends, stroke, width=1.5), *caps])


def marker(x: float, y: float, place: int, r: float = 3.6) -> str:
    """A sign of its own for each place, so that colours need not be distinguished."""
    kind = (place + place // (2 * _MARKERS)) % _MARKERS if place >= 0 else 0
    fill = colour(place)
    if kind == 0:
        return element("circle", cx=x, cy=y, r=r, fill=fill)
    shapes: dict[int, Sequence[tuple[float, float]]] = {
        1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        2: ((0, -1.15), (1.05, 0.8), (-1.05, 0.8)),
        3: ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
        4: ((0, 1.15), (1.05, -0.8), (-1.05, -0.8)),
    }
    if kind in shapes:
        points = [(x + r * a, y + r * b) for a, b in shapes[kind]]
        return element("path", d=f"{path(points)}Z", fill=fill)
    ends = ((1.1, 0.0), (0.0, 1.1)) if kind == 5 else ((0.9, 0.9), (0.9, -0.9))
    strokes = "".join(path([(x - r * a, y - r * b), (x + r * a, y + r * b)]) for a, b in ends)
    return element("path", d=strokes, fill="none", stroke=fill, stroke_width=r * 0.75)


def box(x: float, y: float, size: tuple[float, float], fill: str, part: int) -> str:
    """A part of a bar: the bar's colour under the hatching of the part."""
    at = {"x": x, "y": y, "width": size[0], "height": size[1]}
    over = element("rect", **at, fill=hatch(part)) if hatch(part) else ""
    return element("rect", **at, fill=fill) + over


def beside(names: Sequence[str]) -> float:
    """Where an axis begins beside its names."""
    return EDGE + 6 + max(wide(fitted(name, NAME)) for name in names)


def stack(
    rows: Mapping[str, tuple[int, str, str]], x: Scale, label: str, behind: str = ""
) -> tuple[float, str]:
    """Rows below each other over an axis, and where it ends: name -> (place, drawn, tip).

    A row is a group of its own, so that a page can leave some out and close the gap.
    """
    bottom = EDGE + ROW * len(rows)
    drawn = []
    for number, (name, (place, marks, tip)) in enumerate(rows.items()):
        named = text(
            x.start - 6, middle(number) + SIZE * 0.35, fitted(name, x.start - 6 - EDGE), "end"
        )
        setup = {"data_s": str(place)} if place >= 0 else {}
        drawn.append(group([named, marks], **{"class": "row"}, tip=tip or name, **setup))
    grid, axis = _below(x, EDGE, bottom, label)
    parts = [
        group([grid, behind], **{"class": "grid"}),
        *drawn,
        group([axis], **{"class": "axis"}),
    ]
    return bottom + UNDER, "".join(parts)


def middle(row: int) -> float:
    """The middle of a row of `stack`."""
    return EDGE + ROW * (row + 0.5)


def left_of(y: Scale) -> float:
    """Where an axis begins beside its ticks and its label, which is upright."""
    return EDGE + SIZE + 14 + max(wide(words) for _, words in y.ticks())


def below(x: Scale, top: float, bottom: float, label: str, *, whole: bool = False) -> str:
    """The axis below a picture: its grid, its ticks, its label."""
    return "".join(_below(x, top, bottom, label, whole=whole))


def _below(
    x: Scale, top: float, bottom: float, label: str, *, whole: bool = False
) -> tuple[str, str]:
    ticks = x.apart(whole=whole)
    grid = [
        line([(x.at(value), top), (x.at(value), bottom)], LINE, width=0.7) for value, _ in ticks
    ]
    parts = [text(x.at(value), bottom + SIZE + 3, words, fill=SOFT) for value, words in ticks]
    parts.append(line([(x.start, bottom), (x.end, bottom)], SOFT))
    centre = (x.start + x.end) / 2
    words = fitted(label, 2 * min(centre - EDGE, x.end - centre + 60))
    parts.append(text(centre, bottom + 2 * SIZE + 7, words))
    return "".join(grid), "".join(parts)


def up(y: Scale, left: float, right: float, label: str) -> str:
    """The axis at the left: its grid, its ticks, its label."""
    parts = []
    for value, tick in y.ticks():
        parts.append(line([(left, y.at(value)), (right, y.at(value))], LINE, width=0.7))
        parts.append(text(left - 5, y.at(value) + SIZE * 0.35, tick, "end", fill=SOFT))
    parts.append(line([(left, y.start), (left, y.end)], SOFT))
    at, centre = EDGE + SIZE * 0.6, (y.start + y.end) / 2
    turned = f"rotate(-90 {at:.1f} {centre:.1f})"
    return "".join(
        [*parts, text(at, centre, fitted(label, abs(y.start - y.end) + 20), transform=turned)]
    )


def breadth(names: Sequence[str]) -> float:
    """How wide a picture with all these names beside its points is."""
    return BROAD if len(names) > MANY else WIDTH


def height(names: Sequence[str]) -> float:
    """How high its axis of numbers is."""
    return max(150.0, _LINE_OF_NAMES * len(names))


def margin(names: Sequence[str], width: float) -> float:
    """Where the names beside a picture begin: as far right as they let it."""
    return width - EDGE - min(max(map(wide, names), default=0), NAME)


def names_beside(
    points: Sequence[tuple[str, float, float, int]], x: float, ends: tuple[float, float]
) -> dict[str, str]:
    """Name -> itself in the margin at `x`, with a line to its point; none above another.

    A point is (name, x, y, place); `ends` are the least and the largest y of a name.
    """
    low, high = ends
    ordered = sorted(points, key=lambda point: point[2])
    least = [low + _LINE_OF_NAMES * number for number in range(len(ordered))]
    at: list[float] = []
    for (_, _, y, _), bound in zip(ordered, least, strict=True):
        at.append(max(y, bound, at[-1] + _LINE_OF_NAMES if at else low))
    for place in range(len(at) - 1, -1, -1):
        at[place] = min(at[place], high)
        high = at[place] - _LINE_OF_NAMES
    return {
        name: line([(px + 5, py), (x - 12, y), (x - 3, y)], colour(place), width=0.6)
        + text(x, y + SIZE * 0.35, fitted(name, NAME), "start")
        for (name, px, py, place), y in zip(ordered, at, strict=True)
    }


def legend(
    parts: Sequence[str], top: float, keys: Sequence[tuple[str, str]], width: float = WIDTH
) -> Picture:
    """The picture with its keys below, as many beside each other as there is room for."""
    made, x, y = [*parts], EDGE, top + SIZE
    drawn = []
    for name, key in keys:
        words = fitted(name, width - 2 * EDGE - 24)
        broad = 24 + wide(words)
        if x > EDGE and x + broad > width - EDGE:
            x, y = EDGE, y + SIZE + 6
        drawn.append(f'<g transform="translate({x:.1f} {y:.1f})">{key}</g>')
        drawn.append(text(x + 23, y + SIZE * 0.35, words, "start"))
        x += broad + 14
    made.append(group(drawn, **{"class": "axis"}))
    return Picture(y + SIZE + 2, "".join(made), width)


INK_BAR = 2.0
"""The width of the bar that marks a row's own value."""


def upright(x: float, y: float) -> str:
    return line([(x, y - 8), (x, y + 8)], INK, width=INK_BAR)
