"""The six kinds of picture: numbers in, SVG out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bakeoff.outputs.page.svg import (
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
    hatch,
    wide,
)

DOTS = 100
"""Single values shown of one row, evenly by rank."""
_DASHES = ("", "6 3", "6 2 1.5 2", "1.5 2.5")
_WIDE = 20
"""How far apart values are that want a logarithmic axis."""
_ROW, _NAME, _EDGE = 24.0, 140.0, 8.0
"""The height of a row, the most that its name takes, and what stays free at the edges."""
_PLOT = 150.0
"""The height of an axis of numbers."""


@dataclass(frozen=True)
class Whisker:
    """A value with its interval, in the colour and marker of its place; ends may be unknown."""

    value: float
    low: float | None = None
    high: float | None = None
    place: int = 0

    @property
    def ends(self) -> tuple[float, float]:
        low = self.value if self.low is None else min(self.low, self.value)
        return low, self.value if self.high is None else max(self.high, self.value)


@dataclass(frozen=True)
class Band:
    """A line with what lies above and below it, in the colour of its place; all above 0."""

    points: Sequence[tuple[float, float, float, float]]
    """(x, value, low, high)."""
    place: int = 0


def rows(found: Mapping[str, Whisker], label: str, *, zero: bool = False) -> Picture:
    """One interval below the other; `zero` draws the line that intervals may leave."""
    left = _beside(list(found))
    ends = [end for whisker in found.values() for end in whisker.ends]
    x = Scale.over(ends + [0.0] * zero, left, WIDTH - _EDGE)
    bottom = _EDGE + _ROW * len(found)
    parts = [_below(x, _EDGE, bottom, label), _names(list(found), left)]
    if zero:
        parts.append(_line([(x.at(0), _EDGE), (x.at(0), bottom)], SOFT))
    for place, whisker in enumerate(found.values()):
        y = _EDGE + _ROW * (place + 0.5)
        parts += [
            _whisker([(x.at(end), y) for end in whisker.ends], colour(whisker.place), (0, 3.5))
        ]
        parts.append(_marker(x.at(whisker.value), y, whisker.place))
    return Picture(bottom + _UNDER, "".join(parts))


def scatter(
    found: Mapping[str, tuple[Whisker, Whisker]], front: Sequence[str], labels: tuple[str, str]
) -> Picture:
    """Points with whiskers both ways, and a line through those named in `front`, in order."""
    y = Scale.over(
        [end for _, whisker in found.values() for end in whisker.ends], _EDGE + _PLOT, _EDGE
    )
    left = _left_of(y)
    middles = [whisker.value for whisker, _ in found.values()]
    ends = [end for whisker, _ in found.values() for end in whisker.ends]
    log = _apart(middles) and min(ends) > 0
    x = Scale.over(ends, left, WIDTH - _EDGE - 4, log=log)
    parts = [_below(x, _EDGE, y.start, labels[0]), _up(y, left, x.end, labels[1])]
    line = [(x.at(found[name][0].value), y.at(found[name][1].value)) for name in front]
    parts.append(_line(line, SOFT, "5 3"))
    for across, up in found.values():
        at = x.at(across.value), y.at(up.value)
        shade = colour(across.place)
        parts.append(_whisker([(x.at(end), at[1]) for end in across.ends], shade, (0, 2.5)))
        parts.append(_whisker([(at[0], y.at(end)) for end in up.ends], shade, (2.5, 0)))
        parts.append(_marker(*at, across.place, 4.2))
    keys = [(name, _marker(9, 0, across.place)) for name, (across, _) in found.items()]
    return _with_legend(parts, y.start + _UNDER, keys)


def stacked(bars: Mapping[str, Sequence[float]], parts: Sequence[str], label: str) -> Picture:
    """One bar below the other, each in the same parts."""
    left, most = _beside(list(bars)), max(sum(values) for values in bars.values())
    x = Scale(0.0, most * 1.04 or 1.0, left, WIDTH - _EDGE)
    bottom = _EDGE + _ROW * len(bars)
    drawn = [_below(x, _EDGE, bottom, label), _names(list(bars), left)]
    for row, values in enumerate(bars.values()):
        y, start = _EDGE + _ROW * row + 4, 0.0
        for place, value in enumerate(values):
            width = x.at(start + value) - x.at(start)
            drawn.append(_box(x.at(start), y, max(width - 0.8, 0.0), _ROW - 8, place))
            start += value
    keys = [(part, _box(2, -5, 14, 10, place)) for place, part in enumerate(parts)]
    return _with_legend(drawn, bottom + _UNDER, keys)


def dots(found: Mapping[str, tuple[Sequence[float], Whisker]], label: str) -> Picture:
    """Single values, and a bar where the row's own value is; long rows are thinned by rank."""
    left = _beside(list(found))
    every = [value for values, middle in found.values() for value in (*values, middle.value)]
    x = Scale.over(every, left, WIDTH - _EDGE, log=_apart(every))
    if not x.log:
        x = Scale(min(0.0, min(every)), x.high, x.start, x.end)
    bottom = _EDGE + _ROW * len(found)
    parts = [_below(x, _EDGE, bottom, label), _names(list(found), left)]
    for row, (values, middle) in enumerate(found.values()):
        y, ordered = _EDGE + _ROW * (row + 0.5), sorted(values)
        step = max(len(ordered) / DOTS, 1)
        shown = [ordered[int(i * step)] for i in range(min(len(ordered), DOTS))]
        parts.append(_line([(x.at(value), y) for value in (*ordered[:1], *ordered[-1:])], SOFT))
        some = "".join(_marker(x.at(value), y, middle.place, 2.4) for value in shown)
        parts.append(f'<g opacity="0.6">{some}</g>')
        at = x.at(middle.value)
        parts.append(_line([(at, y - 8), (at, y + 8)], INK, width=2))
    return Picture(bottom + _UNDER, "".join(parts))


def curves(
    found: Mapping[str, tuple[Sequence[tuple[float, float]], int, bool]], labels: tuple[str, str]
) -> Picture:
    """Lines through points; each has a place among the colours, and is whole or dashed."""
    points = [point for curve, _, _ in found.values() for point in curve]
    y = Scale(0.0, max(value for _, value in points) * 1.06 or 1.0, _EDGE + _PLOT, _EDGE)
    left = _left_of(y)
    x = Scale.over([at for at, _ in points], left, WIDTH - _EDGE)
    parts = [_below(x, _EDGE, y.start, labels[0], whole=True), _up(y, left, x.end, labels[1])]
    keys = []
    for name, (curve, place, dashed) in found.items():
        dash = _DASHES[1] if dashed else ""
        there = [(x.at(at), y.at(value)) for at, value in curve]
        parts.append(_line(there, colour(place), dash, 1.6))
        parts += [_marker(*at, place, 2.6) for at in there]
        key = _line([(0, 0), (18, 0)], colour(place), dash, 1.6) + _marker(9, 0, place, 2.6)
        keys.append((name, key))
    return _with_legend(parts, y.start + _UNDER, keys)


def lines(found: Mapping[str, Band], labels: tuple[str, str], at: float | None = None) -> Picture:
    """Lines with bands on logarithmic axes; `at` marks a place on the axis below."""
    points = [point for band in found.values() for point in band.points]
    heights = [height for _, *numbers in points for height in numbers]
    y = Scale.over(heights, _EDGE + _PLOT + 20, _EDGE, log=True)
    left = _left_of(y)
    across = [numbers[0] for numbers in points] + ([] if at is None else [at])
    x = Scale(min(across), max(across), left, WIDTH - _EDGE - 6, log=True)
    parts = [_below(x, _EDGE, y.start, labels[0]), _up(y, left, x.end, labels[1])]
    keys = []
    for band in found.values():
        over = [(x.at(v), y.at(high)) for v, _, _, high in band.points]
        under = [(x.at(v), y.at(low)) for v, _, low, _ in reversed(band.points)]
        shape = f"{_path([*over, *under])}Z"
        parts.append(element("path", d=shape, fill=colour(band.place), fill_opacity=0.18))
    for name, band in found.items():
        dash = _DASHES[band.place % len(_DASHES)]
        there = [(x.at(v), y.at(value)) for v, value, _, _ in band.points]
        parts.append(_line(there, colour(band.place), dash, 1.6))
        keys.append((name, _line([(0, 0), (18, 0)], colour(band.place), dash, 1.6)))
    if at is not None:
        parts.append(_line([(x.at(at), _EDGE), (x.at(at), y.start)], SOFT, "1.5 2.5"))
    return _with_legend(parts, y.start + _UNDER, keys)


_UNDER = 34.0
"""What ticks and label take below an axis."""


def _apart(values: Sequence[float]) -> bool:
    """Whether the values lie so far apart that only a logarithmic axis shows them all."""
    return min(values) > 0 and max(values) / min(values) > _WIDE


def _text(x: float, y: float, text: str, anchor: str = "middle", **more: str) -> str:
    return element("text", text, x=x, y=y, font_size=SIZE, text_anchor=anchor, **more)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _line(
    points: Sequence[tuple[float, float]], stroke: str, dash: str = "", width: float = 1.0
) -> str:
    if not points:
        return ""
    look = {"stroke_dasharray": dash} if dash else {}
    return element("path", d=_path(points), fill="none", stroke=stroke, stroke_width=width, **look)


def _whisker(ends: Sequence[tuple[float, float]], stroke: str, cap: tuple[float, float]) -> str:
    """A line with a cap at both ends; nothing where they are one."""
    if math.dist(*ends) < 0.05:
        return ""
    caps = (
        _line([(x - cap[0], y - cap[1]), (x + cap[0], y + cap[1])], stroke, width=1.5)
        for x, y in ends
    )
    return "".join([_line(ends, stroke, width=1.5), *caps])


def _marker(x: float, y: float, place: int, r: float = 3.6) -> str:
    """A sign of its own for each place; shifted in every round, so that a colour has another."""
    kind = (place + place // 7) % 7
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
        return element("path", d=f"{_path(points)}Z", fill=fill)
    ends = ((1.1, 0.0), (0.0, 1.1)) if kind == 5 else ((0.9, 0.9), (0.9, -0.9))
    strokes = "".join(_path([(x - r * a, y - r * b), (x + r * a, y + r * b)]) for a, b in ends)
    return element("path", d=strokes, fill="none", stroke=fill, stroke_width=r * 0.75)


def _box(x: float, y: float, width: float, height: float, place: int) -> str:
    at = {"x": x, "y": y, "width": width, "height": height}
    over = element("rect", **at, fill=hatch(place)) if hatch(place) else ""
    return element("rect", **at, fill=colour(place)) + over


def _beside(names: Sequence[str]) -> float:
    """Where an axis begins beside its names."""
    return _EDGE + 6 + max(wide(fitted(name, _NAME)) for name in names)


def _names(names: Sequence[str], left: float) -> str:
    return "".join(
        _text(left - 6, _EDGE + _ROW * (row + 0.5) + SIZE * 0.35, fitted(name, _NAME), "end")
        for row, name in enumerate(names)
    )


def _left_of(y: Scale) -> float:
    """Where an axis begins beside its ticks and its label, which stands upright."""
    return _EDGE + SIZE + 14 + max(wide(text) for _, text in y.ticks())


def _below(x: Scale, top: float, bottom: float, label: str, *, whole: bool = False) -> str:
    """The axis below a picture: its grid, its ticks, its label."""
    parts = []
    ticks = x.ticks(5, whole=whole)
    for value, text in ticks:
        parts.append(_line([(x.at(value), top), (x.at(value), bottom)], LINE, width=0.7))
        parts.append(_text(x.at(value), bottom + SIZE + 3, text, fill=SOFT))
    parts.append(_line([(x.start, bottom), (x.end, bottom)], SOFT))
    middle = (x.start + x.end) / 2
    return "".join(
        [*parts, _text(middle, bottom + 2 * SIZE + 7, fitted(label, 2 * (x.end - middle)))]
    )


def _up(y: Scale, left: float, right: float, label: str) -> str:
    """The axis at the left: its grid, its ticks, its label."""
    parts = []
    for value, text in y.ticks():
        parts.append(_line([(left, y.at(value)), (right, y.at(value))], LINE, width=0.7))
        parts.append(_text(left - 5, y.at(value) + SIZE * 0.35, text, "end", fill=SOFT))
    parts.append(_line([(left, y.start), (left, y.end)], SOFT))
    at, middle = _EDGE + SIZE * 0.6, (y.start + y.end) / 2
    text = fitted(label, abs(y.start - y.end) + 20)
    turned = f"rotate(-90 {at:.1f} {middle:.1f})"
    return "".join([*parts, _text(at, middle, text, transform=turned)])


def _with_legend(parts: Sequence[str], top: float, keys: Sequence[tuple[str, str]]) -> Picture:
    """The picture with its keys below, as many beside each other as there is room for."""
    made, x, y = [*parts], _EDGE, top + SIZE
    for name, key in keys:
        text = fitted(name, WIDTH - 2 * _EDGE - 24)
        width = 24 + wide(text)
        if x > _EDGE and x + width > WIDTH - _EDGE:
            x, y = _EDGE, y + SIZE + 6
        made.append(f'<g transform="translate({x:.1f} {y:.1f})">{key}</g>')
        made.append(_text(x + 23, y + SIZE * 0.35, text, "start"))
        x += width + 14
    return Picture(y + SIZE + 2, "".join(made))
