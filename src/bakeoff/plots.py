"""The six kinds of picture: numbers in, SVG and PNG out. The door to matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from bakeoff import svg
from bakeoff.publish import plain

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
"""Okabe and Ito (2008), which colour-blind readers can tell apart; markers differ as well."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DOTS = 100
"""Single values shown of one row, evenly by rank."""
_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "")
_DASHES = ("-", "--", "-.", ":")
_GREY = "#7f7f7f"
_THEME = {
    **{colour: f"var(--c{place})" for place, colour in enumerate(PALETTE)},
    "#000000": "currentColor",
    _GREY: "var(--soft)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bakeoff",
    "text.parse_math": False,  # names may hold dollars
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
_WIDTH, _NAME, _WIDE = 4.3, 24, 20
"""Inches; characters of a name; how far apart values are that want a logarithmic axis."""


@dataclass(frozen=True)
class Picture:
    """A drawn picture as two files."""

    svg: bytes
    png: bytes

    def inline(self, identity: str, title: str, said: str) -> str:
        """An SVG element in the page's colours, its ids beginning with `identity`."""
        return svg.inline(self.svg, identity, plain(title), plain(said, 1000), _THEME)


@dataclass(frozen=True)
class Whisker:
    """A value with its interval, in the colour and marker of its place; ends may be unknown."""

    value: float
    low: float | None = None
    high: float | None = None
    place: int = 0

    @property
    def sides(self) -> list[list[float]]:
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return [[max(self.value - low, 0.0)], [max(high - self.value, 0.0)]]

    @property
    def look(self) -> dict[str, str]:
        return {
            "color": PALETTE[self.place % len(PALETTE)],
            # Shifted in every round, so that the same colour has another marker.
            "marker": MARKERS[(self.place + self.place // len(PALETTE)) % len(MARKERS)],
        }


def rows(found: Mapping[str, Whisker], label: str, *, zero: bool = False) -> Picture:
    """One interval below the other; `zero` draws the line that intervals may leave."""
    with _panel(0.9 + 0.34 * len(found)) as (figure, axis):
        for place, each in enumerate(found.values()):
            axis.errorbar(each.value, place, xerr=each.sides, capsize=3, **each.look)
        if zero:
            axis.axvline(0, color=_GREY, linewidth=1)
        _names_down(axis, list(found))
        axis.set_xlabel(_short(label))
        return _kept(figure)


def scatter(
    found: Mapping[str, tuple[Whisker, Whisker]], front: Sequence[str], labels: tuple[str, str]
) -> Picture:
    """Points with whiskers both ways, and a line through those named in `front`, in order."""
    names = [_short(name) for name in found]
    with _panel(2.6 + _legend_height(names)) as (figure, axis):
        for name, (x, y) in found.items():
            at = (x.value, y.value)
            axis.errorbar(*at, y.sides, x.sides, linestyle="none", color=x.look["color"])
            axis.plot(*at, linestyle="none", label=_short(name), **x.look)
        line = [(found[name][0].value, found[name][1].value) for name in front]
        axis.plot(*zip(*line, strict=True), color=_GREY, linestyle="--", linewidth=1, zorder=0)
        _spread(axis, [x.value for x, _ in found.values()])
        axis.set(xlabel=_short(labels[0]), ylabel=_short(labels[1]))
        _legend(figure, names)
        return _kept(figure)


def stacked(bars: Mapping[str, Sequence[float]], parts: Sequence[str], label: str) -> Picture:
    """One bar below the other, each in the same parts."""
    with _panel(0.85 + _legend_height(parts) + 0.36 * len(bars)) as (figure, axis):
        left = [0.0] * len(bars)
        for place, part in enumerate(parts):
            widths = [values[place] for values in bars.values()]
            look = {"color": PALETTE[place % len(PALETTE)], "hatch": _HATCHES[place]}
            where = {"left": left, "height": 0.62, "edgecolor": "white", "linewidth": 0}
            axis.barh(range(len(bars)), widths, label=part, **where, **look)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        _names_down(axis, list(bars))
        axis.set_xlabel(_short(label))
        _legend(figure, parts)
        return _kept(figure)


def dots(found: Mapping[str, tuple[Sequence[float], Whisker]], label: str) -> Picture:
    """Single values, and a bar where the row's own value is; long rows are thinned by rank."""
    with _panel(1.0 + 0.38 * len(found)) as (figure, axis):
        for place, (values, middle) in enumerate(found.values()):
            ordered = sorted(values)
            step = max(len(ordered) / DOTS, 1)
            shown = [ordered[int(i * step)] for i in range(min(len(ordered), DOTS))]
            axis.plot(ordered[:: len(ordered) - 1 or 1], [place] * min(len(ordered), 2), _GREY)
            look = {"linestyle": "none", "markersize": 4, "alpha": 0.6, **middle.look}
            axis.plot(shown, [place] * len(shown), **look)
            axis.plot([middle.value] * 2, [place - 0.3, place + 0.3], "black", linewidth=2)
        if not _spread(axis, [value for values, _ in found.values() for value in values]):
            axis.set_xlim(left=0)
        _names_down(axis, list(found))
        axis.set_xlabel(_short(label))
        return _kept(figure)


def curves(
    found: Mapping[str, tuple[Sequence[tuple[float, float]], int, bool]], labels: tuple[str, str]
) -> Picture:
    """Lines through points; each has a place among the colours, and is whole or dashed."""
    with _panel(2.6 + _legend_height(list(found))) as (figure, axis):
        for name, (points, place, dashed) in found.items():
            look = {**Whisker(0, place=place).look, "linestyle": "--" if dashed else "-"}
            axis.plot(*zip(*points, strict=True), markersize=4, label=_short(name, 40), **look)
        axis.set(xlabel=labels[0], ylabel=labels[1])
        axis.set_ylim(bottom=0)
        axis.xaxis.get_major_locator().set_params(integer=True)
        _legend(figure, list(found))
        return _kept(figure)


@dataclass(frozen=True)
class Band:
    """A line with what lies above and below it, in the colour of its place; all above 0."""

    points: Sequence[tuple[float, float, float, float]]
    """(x, value, low, high)."""
    place: int = 0


def lines(found: Mapping[str, Band], labels: tuple[str, str], at: float | None = None) -> Picture:
    """Lines with bands on logarithmic axes; `at` marks a place on the axis below."""
    with _panel(2.8 + _legend_height(list(found))) as (figure, axis):
        for name, band in found.items():
            x, values, low, high = zip(*band.points, strict=True)
            look = Whisker(0, place=band.place).look
            axis.fill_between(x, low, high, color=look["color"], alpha=0.18, linewidth=0)
            dash = _DASHES[band.place % len(_DASHES)]
            axis.plot(x, values, color=look["color"], linestyle=dash, label=_short(name))
        axis.set(xscale="log", yscale="log", xlabel=labels[0], ylabel=labels[1])
        if at is not None:
            axis.axvline(at, color=_GREY, linewidth=1, linestyle=":")
        for each in (axis.xaxis, axis.yaxis):
            each.set_major_formatter(lambda value, _: _brief(value))
            each.set_minor_formatter(lambda value, _: "")
        _legend(figure, [_short(name) for name in found])
        return _kept(figure)


@contextmanager
def _panel(height: float) -> Iterator[tuple[Any, Any]]:
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Names may be in any script: what the font lacks is a box in the PNG alone.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        yield figure, figure.add_subplot()


def _kept(figure: Any) -> Picture:
    vector, pixels = io.BytesIO(), io.BytesIO()
    figure.savefig(vector, format="svg", metadata={"Date": None})
    figure.savefig(pixels, format="png", dpi=160)
    return Picture(vector.getvalue(), pixels.getvalue())


def _short(name: str, most: int = _NAME) -> str:
    return plain(name, most)


def _brief(value: float) -> str:
    """A power of ten in few characters: 0.01, 100, 10k, 1M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _columns(names: Sequence[str]) -> int:
    longest = max(len(name) for name in names)
    return 3 if longest <= 12 else 2 if longest < _NAME else 1


def _legend_height(names: Sequence[str]) -> float:
    return 0.2 * math.ceil(len(names) / _columns(names))


def _legend(figure: Any, names: Sequence[str]) -> None:
    figure.legend(loc="outside lower center", ncols=_columns(names))


def _names_down(axis: Any, names: Sequence[str]) -> None:
    axis.set_yticks(range(len(names)), [_short(name, 30) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)


def _spread(axis: Any, values: Sequence[float]) -> bool:
    """Whether the values lie so far apart that the axis is now logarithmic."""
    wide = min(values) > 0 and max(values) / min(values) > _WIDE
    if wide:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_formatter(lambda value, _: "")
    return wide
