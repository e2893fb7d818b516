"""The kinds of picture: numbers in, SVG out. Colours belong to setups and to nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bakeoff.core.estimate import Estimate, value_of
from bakeoff.outputs.page import marks
from bakeoff.outputs.page.marks import EDGE, ROW, UNDER, line, marker
from bakeoff.outputs.page.svg import SOFT, WIDTH, Picture, Scale, colour, element, group

DOTS = 60
"""Single values shown of one row, evenly by rank."""
_DASHES = ("", "6 3", "6 2 1.5 2", "1.5 2.5")
_WIDE = 20
"""How far apart values are that want a logarithmic axis."""
_VALUE = 36.0
"""What a value at the end of a row takes."""


@dataclass(frozen=True)
class Whisker:
    """A value with its interval as it is drawn: in the colour and marker of its setup."""

    estimate: Estimate
    place: int = -1
    """Of the setup among all; -1 where it belongs to none."""
    tip: str = ""
    """Value, interval and n in words."""
    shown: str = ""
    """The value as text."""

    @property
    def value(self) -> float:
        return value_of(self.estimate)

    @property
    def ends(self) -> tuple[float, float]:
        """The value itself where an end is not known, or is on its wrong side by rounding."""
        low, value, high = self.estimate.low, self.value, self.estimate.high
        return value if low is None else min(low, value), value if high is None else max(
            high, value
        )


@dataclass(frozen=True)
class Band:
    """A line with what lies above and below it, in the colour of its place; all above 0."""

    points: Sequence[tuple[float, Estimate]]
    """(x, value with both ends)."""
    place: int = -1


@dataclass(frozen=True)
class Curve:
    """A line through points, in the colour of its place."""

    points: Sequence[tuple[float, float]]
    place: int = -1
    dashed: bool = False


Range = tuple[float, float]


def rows(
    given: Mapping[str, Whisker], label: str, *, zero: bool = False, over: Range | None = None
) -> Picture:
    """One interval below the other with its value; `zero` draws a line that intervals may leave.

    `over` are the ends of the axis, where it is shared with other pictures.
    """
    left = marks.beside(list(given))
    ends = [end for whisker in given.values() for end in whisker.ends]
    x = Scale.over([*(over or ends), *([0.0] * zero)], left, WIDTH - EDGE - _VALUE)
    drawn = {}
    for number, (name, whisker) in enumerate(given.items()):
        y, shade = marks.middle(number), colour(whisker.place)
        value = marks.text(WIDTH - EDGE, y + 3.7, whisker.shown, "end")
        span = marks.whisker([(x.at(end), y) for end in whisker.ends], shade, (0, 3.5))
        parts = f"{span}{marker(x.at(whisker.value), y, whisker.place)}{value}"
        drawn[name] = (whisker.place, parts, whisker.tip)
    bottom = EDGE + ROW * len(given)
    behind = line([(x.at(0), EDGE), (x.at(0), bottom)], SOFT) if zero else ""
    return Picture(*marks.stack(drawn, x, label, behind))


def scatter(
    given: Mapping[str, tuple[Whisker, Whisker]], front: Sequence[str], labels: tuple[str, str]
) -> Picture:
    """Points with whiskers both ways and their names, and a line through those in `front`."""
    names = list(given)
    width, high = marks.breadth(names), marks.height(names)
    y = Scale.over([end for _, up in given.values() for end in up.ends], EDGE + high, EDGE)
    ends = [end for whisker, _ in given.values() for end in whisker.ends]
    log = _apart([across.value for across, _ in given.values()]) and min(ends) > 0
    right = marks.margin(names, width)
    x = Scale.over(ends, marks.left_of(y), right - 20, log=log)
    parts = [
        marks.below(x, EDGE, y.start, labels[0]),
        marks.up(y, x.start, x.end, labels[1]),
        line([(x.at(given[n][0].value), y.at(given[n][1].value)) for n in front], SOFT, "5 3"),
    ]
    points = [(n, x.at(a.value), y.at(u.value), a.place) for n, (a, u) in given.items()]
    beside = marks.names_beside(points, right, (EDGE + 5, y.start - 2))
    for name, (across, up) in given.items():
        at, shade = (x.at(across.value), y.at(up.value)), colour(across.place)
        drawn = (
            marks.whisker([(x.at(end), at[1]) for end in across.ends], shade, (0, 2.5)),
            marks.whisker([(at[0], y.at(end)) for end in up.ends], shade, (2.5, 0)),
            marker(*at, across.place, 4.2),
            beside[name],
        )
        parts.append(group(drawn, data_s=str(across.place), tip=up.tip or name))
    return Picture(y.start + UNDER, "".join(parts), width)


@dataclass(frozen=True)
class Bar:
    """A setup's parts, in its colour."""

    parts: Sequence[float]
    place: int = -1
    tip: str = ""


def stacked(
    bars: Mapping[str, Bar], parts: Sequence[str], label: str, colourless: Collection[str] = ()
) -> Picture:
    """One bar below the other, each in the same parts; `colourless` are those in grey."""
    left, most = marks.beside(list(bars)), max(sum(bar.parts) for bar in bars.values())
    x = Scale(0.0, most * 1.04 or 1.0, left, WIDTH - EDGE)
    drawn = {}
    for row, (name, bar) in enumerate(bars.items()):
        y, start, boxes = marks.middle(row) - ROW / 2 + 4, 0.0, []
        for part, value in enumerate(bar.parts):
            size = (max(x.at(start + value) - x.at(start) - 0.8, 0.0), ROW - 8)
            shade = SOFT if parts[part] in colourless else colour(bar.place)
            boxes.append(marks.box(x.at(start), y, size, shade, part))
            start += value
        drawn[name] = (bar.place, "".join(boxes), bar.tip)
    bottom, body = marks.stack(drawn, x, label)
    keys = [(name, marks.box(2, -5, (14, 10), SOFT, part)) for part, name in enumerate(parts)]
    return marks.legend([body], bottom, keys)


def dots(given: Mapping[str, tuple[Sequence[float], Whisker]], label: str) -> Picture:
    """Single values, and a bar where the row's own value is; long rows are thinned by rank."""
    left = marks.beside(list(given))
    every = [value for values, middle in given.values() for value in (*values, middle.value)]
    x = Scale.over(every, left, WIDTH - EDGE, log=_apart(every))
    if not x.log:
        x = Scale(min(0.0, min(every)), x.high, x.start, x.end)
    drawn = {}
    for row, (name, (values, middle)) in enumerate(given.items()):
        y, ordered = marks.middle(row), sorted(values)
        step = max(len(ordered) / DOTS, 1)
        shown = [ordered[int(i * step)] for i in range(min(len(ordered), DOTS))]
        span = line([(x.at(value), y) for value in (*ordered[:1], *ordered[-1:])], SOFT)
        # One path: a circle for each would be most of what the page holds.
        some = "".join(f"M{x.at(value):.1f} {y:.1f}h0" for value in shown)
        shade = colour(middle.place)
        look: dict[str, str | float] = {"stroke_width": 4.8, "stroke_linecap": "round"}
        points = element("path", d=some, stroke=shade, opacity=0.6, **look) if some else ""
        bar = marks.upright(x.at(middle.value), y)
        drawn[name] = (middle.place, f"{span}{points}{bar}", middle.tip)
    return Picture(*marks.stack(drawn, x, label))


def curves(given: Mapping[str, Curve], labels: tuple[str, str]) -> Picture:
    """Lines through points, each with its name at its end."""
    points = [point for curve in given.values() for point in curve.points]
    names = list(given)
    width, high = marks.breadth(names), marks.height(names)
    y = Scale(0.0, max(value for _, value in points) * 1.06 or 1.0, EDGE + high, EDGE)
    right = marks.margin(names, width)
    x = Scale.over([at for at, _ in points], marks.left_of(y), right - 20)
    parts = [
        marks.below(x, EDGE, y.start, labels[0], whole=True),
        marks.up(y, x.start, x.end, labels[1]),
    ]
    last = [(n, x.at(c.points[-1][0]), y.at(c.points[-1][1]), c.place) for n, c in given.items()]
    beside = marks.names_beside(last, right, (EDGE + 5, y.start - 2))
    for name, curve in given.items():
        there = [(x.at(at), y.at(value)) for at, value in curve.points]
        drawn = [line(there, colour(curve.place), _DASHES[1] if curve.dashed else "", 1.6)]
        drawn += [marker(*at, curve.place, 2.6) for at in there]
        parts.append(group([*drawn, beside[name]], data_s=str(curve.place), tip=name))
    return Picture(y.start + UNDER, "".join(parts), width)


def lines(given: Mapping[str, Band], labels: tuple[str, str], at: float | None = None) -> Picture:
    """Lines with bands on logarithmic axes; `at` marks a place on the axis below."""
    points = [point for band in given.values() for point in band.points]
    names = list(given)
    width, high = marks.breadth(names), marks.height(names) + 20
    heights = [height for _, e in points for height in (value_of(e), *e.ends)]
    y = Scale.over(heights, EDGE + high, EDGE, log=True)
    across = [numbers[0] for numbers in points] + ([] if at is None else [at])
    right = marks.margin(names, width)
    x = Scale(min(across), max(across), marks.left_of(y), right - 20, log=True)
    parts = [marks.below(x, EDGE, y.start, labels[0]), marks.up(y, x.start, x.end, labels[1])]
    lines_of = {
        name: [(x.at(v), y.at(value_of(e))) for v, e in band.points] for name, band in given.items()
    }
    last = [(name, *lines_of[name][-1], band.place) for name, band in given.items()]
    beside = marks.names_beside(last, right, (EDGE + 5, y.start - 2))
    for name, band in given.items():
        over = [(x.at(v), y.at(e.ends[1])) for v, e in band.points]
        under = [(x.at(v), y.at(e.ends[0])) for v, e in reversed(band.points)]
        shape = f"{marks.path([*over, *under])}Z"
        dash = _DASHES[band.place % len(_DASHES)]
        drawn = (
            element("path", d=shape, fill=colour(band.place), fill_opacity=0.18),
            line(lines_of[name], colour(band.place), dash, 1.6),
            beside[name],
        )
        parts.append(group(drawn, data_s=str(band.place), tip=name))
    if at is not None:
        parts.append(line([(x.at(at), EDGE), (x.at(at), y.start)], SOFT, "1.5 2.5"))
    return Picture(y.start + UNDER, "".join(parts), width)


def _apart(values: Sequence[float]) -> bool:
    """Whether the values lie so far apart that only a logarithmic axis shows them all."""
    return min(values) > 0 and max(values) / min(values) > _WIDE
