"""Pictures as SVG: their places, their ticks, and names from strangers."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from bakeoff.core.estimate import Estimate
from bakeoff.outputs.page import marks, plots, svg
from bakeoff.outputs.page.plots import Band, Bar, Curve, Whisker
from bakeoff.outputs.page.svg import Picture, Scale

NAMES = ["base", "<b>&\"'", "a" * 300, "名前" * 30, "\x00\u202e\ud800"]


def drawn() -> list[Picture]:
    whiskers = {name: Whisker(Estimate(0.5, 0.25, 0.75), i) for i, name in enumerate(NAMES)}
    return [
        plots.rows(whiskers, "a", zero=True),
        plots.rows({"one": Whisker(Estimate(0.0))}, "a"),
        plots.scatter(
            {n: (Whisker(Estimate(10.0**w.place)), w) for n, w in whiskers.items()}, [], ("a", "b")
        ),
        plots.scatter({n: (w, w) for n, w in whiskers.items()}, NAMES[:2], ("a", "b")),
        plots.stacked(
            {name: Bar([1, 2, 0, 3, 4, 5, 6], i) for i, name in enumerate(NAMES)},
            list("abcdefg"),
            "n",
            colourless="g",
        ),
        plots.stacked({"none": Bar([0])}, ["a"], "n"),
        plots.dots({n: ([0.1, 0.2, 9.0], w) for n, w in whiskers.items()}, "seconds"),
        plots.dots({n: ([], w) for n, w in whiskers.items()}, "seconds"),
        plots.curves({n: Curve([(1, 2.0), (2, 1.0)], 9, True) for n in NAMES}, ("epoch", "loss")),
        plots.lines(
            {n: Band([(1, Estimate(2, 1, 3)), (1e6, Estimate(3, 2, 4))], 8) for n in NAMES},
            ("n", "EUR"),
            9.0,
        ),
    ]


@pytest.mark.parametrize("place", range(10))
def test_every_kind_is_whole_svg_within_its_frame(place: int) -> None:
    picture = drawn()[place]
    page, file = picture.inline("p1", "<title>", "]]>"), picture.alone("<title>", "]]>")
    ElementTree.fromstring(page)
    root = ElementTree.fromstring(file)
    assert "var(" not in file and "nan" not in file and "style=" not in page + file
    for element in root.iter():
        if element.tag.endswith("text") and "transform" not in element.attrib:
            assert -1 <= float(element.attrib["x"]) <= picture.width
            assert 0 <= float(element.attrib["y"]) <= picture.height
    ids = re.findall(r' id="([^"]+)"', page)
    assert ids == ["p1-title", "p1-desc"], "two pictures on one page share no ids"


def test_a_scale_puts_values_where_they_belong() -> None:
    assert Scale(0.0, 10.0, 100.0, 200.0).at(2.5) == 125
    assert Scale(1.0, 100.0, 0.0, 50.0, log=True).at(10.0) == pytest.approx(25)


def test_ticks_are_round_and_inside() -> None:
    assert Scale(-0.03, 0.52, 0, 1).ticks() == [
        (pytest.approx(n / 5), f"{n / 5:.1f}") for n in range(3)
    ]
    assert [said for _, said in Scale(0.9, 4.1, 0, 1).ticks(9, whole=True)] == ["1", "2", "3", "4"]
    assert [said for _, said in Scale(0.04, 30, 0, 1, log=True).ticks()] == ["0.1", "1", "10"]
    assert [said for _, said in Scale(0.9, 12, 0, 1, log=True).ticks()] == ["1", "2", "5", "10"]


def test_a_long_text_is_cut_to_the_room_there_is() -> None:
    assert svg.fitted("short", 100) == "short"
    cut = svg.fitted("w" * 100, 60)
    assert cut.endswith("…") and svg.wide(cut) <= 60


def test_a_name_that_looks_like_a_colour_stays_a_name() -> None:
    picture = plots.rows({"var(--c0)": Whisker(Estimate(1.0))}, '"var(--c1)"')
    assert ">var(--c0)<" in picture.alone("", "")
    assert "&quot;var(--c1)&quot;" in picture.alone("", "")


def test_ticks_that_would_run_into_each_other_are_left_out() -> None:
    narrow = Scale(0.0, 100_000.0, 0.0, 60.0)
    places = [(narrow.at(value), svg.wide(text)) for value, text in narrow.apart()]
    for (one, left), (two, right) in pairwise(places):
        assert one + left / 2 < two - right / 2
    assert len(narrow.apart()) < len(narrow.ticks())


def test_names_beside_a_picture_stand_below_each_other() -> None:
    points = [(f"setup {n}", 100.0, 50.0 + n / 10, n) for n in range(14)]
    drawn = marks.names_beside(points, 300.0, (10.0, 200.0))
    places = sorted(float(y) for text in drawn.values() for y in re.findall(r' y="([^"]+)"', text))
    assert len(places) == 14 and places[0] >= 10 and places[-1] <= 204
    assert all(two - one >= svg.SIZE for one, two in pairwise(places))


def test_fourteen_setups_have_fourteen_colours_and_failed_has_none() -> None:
    assert len({svg.colour(place) for place in range(14)}) == 14
    bar = plots.stacked({"a": Bar([1, 2], 2)}, ["right", "failed"], "n", colourless=["failed"])
    boxes = re.findall(r'<rect[^>]*fill="(var[^"]+)"', bar.body)
    assert boxes == ["var(--c2)", "var(--soft)", "var(--soft)", "var(--soft)"]
