"""Nights kept and judged: nothing lost, gaps stay gaps, a drift is found once and said plainly."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from csv import DictReader
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.analysis import trend
from bakeoff.analysis.trend import Drift, Night, Point, alarms, keep, missing, read, stretches
from bakeoff.analysis.trend.nights import as_line
from bakeoff.core.table import Table
from bakeoff.core.words import BakeoffError
from bakeoff.running import nightly

FIRST = date(2026, 9, 1)
F1 = "hybrid.qa.token_f1"
ERROR = "hybrid.qa.error"
SECONDS = "hybrid.qa.latency_s"
PINNED = {"versions": "v1", "model embedded": "m1", "task qa": "t1", "scorers qa": "s1"}
ALL = 168


def of(
    value: float | None, low: float | None, high: float | None, n: int, higher: bool = True
) -> Point:
    return Point(value=value, low=low, high=high, n=n, higher_is_better=higher)


def point(value: float | None, n: int = ALL, higher: bool = True, half: float = 0.05) -> Point:
    if value is None:
        return of(None, None, None, 0, higher)
    # As intervals are: a share's ends within what can occur.
    low, high = (0.0, 1.0) if 0 <= value <= 1 else (-math.inf, math.inf)
    return of(value, max(low, value - half), min(high, value + half), n, higher)


def night(
    day: int, series: Mapping[str, Point], pinned: Mapping[str, str] = PINNED, state: str = "PASS"
) -> Night:
    when = FIRST + timedelta(days=day)
    finished = datetime.combine(when, time(3, 10), UTC)
    return Night(when, f"run{day}", finished, "abc", 0, state, dict(pinned), dict(series))


def history(
    values: Sequence[float | None], name: str = F1, higher: bool = True, n: int = ALL
) -> list[Night]:
    """A night a day; `None` is a night that did not take place."""
    return [
        night(day, {name: point(value, n, higher)})
        for day, value in enumerate(values)
        if value is not None
    ]


def noisy(count: int, seed: int = 0, sigma: float = 0.01) -> list[float]:
    values: list[float] = (0.7 + np.random.default_rng(seed).normal(0, sigma, count)).tolist()
    return values


def stepped(count: int, at: int, by: float, seed: int = 0) -> list[float]:
    return [x + by * (day >= at) for day, x in enumerate(noisy(count, seed))]


# Kept.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nightly" / "small.jsonl"


def test_nights_come_back_as_they_were_oldest_first(path: Path) -> None:
    nights = history([0.7, 0.6, 0.5])
    for each in (nights[1], nights[2], nights[0]):
        keep(path, each)
    assert read(path) == nights


def test_a_line_is_the_documented_one(path: Path) -> None:
    keep(path, night(0, {F1: point(0.5)}))
    assert json.loads(path.read_text()) == {
        "format": 1,
        "night": "2026-09-01",
        "run": "run0",
        "finished": "2026-09-01T03:10:00+00:00",
        "commit": "abc",
        "exit_code": 0,
        "state": "PASS",
        "pinned": PINNED,
        "series": {
            F1: {
                **{"value": 0.5, "low": 0.45, "high": 0.55, "n": ALL, "unjudged": 0},
                **{"method": "", "higher_is_better": True},
            }
        },
    }


def test_the_same_night_again_takes_the_place_of_its_line(path: Path) -> None:
    nights = history([0.7, 0.6, 0.5])
    for each in nights:
        keep(path, each)
    before = path.read_bytes()
    keep(path, nights[1])
    assert path.read_bytes() == before
    keep(path, replace(nights[1], run="again"))
    assert [each.run for each in read(path)] == ["run0", "again", "run2"]
    assert path.read_bytes().count(b"\n") == 3


def test_no_file_is_no_night(path: Path) -> None:
    assert read(path) == []


def test_what_is_not_finite_is_kept_as_a_gap(path: Path) -> None:
    keep(path, night(0, {F1: of(math.nan, -math.inf, math.inf, 3)}))
    assert read(path)[0].series[F1] == of(None, None, None, 3)


GOOD = night(0, {F1: point(0.5)})


def damaged(**changes: object) -> bytes:
    return json.dumps({**json.loads(as_line(GOOD)), **changes}).encode()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"format": 1, "nig', "Unterminated"),
        (b"<<<<<<< HEAD", "Expecting value"),
        (b"\xe9t\xe9 2026", "decode"),
        (b"[1]", "not an object of format 1"),
        (damaged(format=2), "not an object of format 1"),
        (damaged(night="last"), "night: "),
        (damaged(finished="2026-09-01T03:10:00"), "finished: has no time zone"),
        (damaged(series={F1: {"value": "high"}}), f"series.{F1}.value"),
        (damaged(series={F1: {**vars(point(0.5)), "value": math.nan}}), "finite"),
        (damaged(series=None), "series: "),
        (b"[" * 100_000, "recursion"),
    ],
    ids=range(11),
)
def test_a_torn_or_foreign_line_is_named_and_nothing_is_lost(
    path: Path, line: bytes, says: str
) -> None:
    old, new = history([None, 0.7, 0.6])
    keep(path, old)
    with path.open("ab") as stream:
        stream.write(b"\n" + line)  # and no end of line
    with pytest.raises(BakeoffError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: line 3 is not a nightly run: ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    keep(path, new)
    keep(path, replace(old, run="again"))
    lines = path.read_bytes().split(b"\n")
    assert lines.count(line) == 1
    path.write_bytes(b"\n".join(other for other in lines if other != line))
    assert [each.run for each in read(path)] == ["again", "run2"]


def test_of_two_lines_of_a_night_the_last_counts_and_keep_mends_both(path: Path) -> None:
    keep(path, GOOD)
    path.write_bytes(path.read_bytes() + as_line(replace(GOOD, run="merged")) + b"\n")
    assert [each.run for each in read(path)] == ["merged"]
    keep(path, replace(GOOD, run="mended"))
    assert set(path.read_bytes().splitlines()) == {as_line(replace(GOOD, run="mended"))}


KEEPER = """
import sys
from pathlib import Path
from dataclasses import replace
from datetime import timedelta
from bakeoff.analysis import trend
from bakeoff.analysis.trend.nights import parsed
path = Path(sys.argv[1])
good = parsed(sys.stdin.buffer.readline())
for day in range(int(sys.argv[2]), 60, 2):
    trend.keep(path, replace(good, night=good.night + timedelta(days=day)))
"""


def test_two_processes_that_keep_nights_lose_none(path: Path) -> None:
    work = [
        subprocess.Popen(
            [sys.executable, "-c", KEEPER, str(path), str(first)], stdin=subprocess.PIPE
        )
        for first in (0, 1)
    ]
    for process in work:
        assert process.stdin
        process.stdin.write(as_line(GOOD) + b"\n")
        process.stdin.close()
    assert [process.wait() for process in work] == [0, 0]
    assert [each.night for each in read(path)] == [FIRST + timedelta(days=i) for i in range(60)]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_a_mistake_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "nightly").write_text("")
    with pytest.raises(BakeoffError, match="nightly: File exists"):
        keep(tmp_path / "nightly" / "small.jsonl", GOOD)


names = st.text(st.characters(exclude_categories=()), max_size=5)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(of, numbers, numbers, numbers, st.integers(0, 9), st.booleans())
kept_nights = st.builds(
    Night,
    st.dates(FIRST, FIRST + timedelta(days=4)),
    names,
    st.datetimes(timezones=st.just(UTC)),
    st.none() | names,
    st.integers(0, 255),
    names,
    st.dictionaries(names, names, max_size=2),
    st.dictionaries(names, points, max_size=2),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(kept_nights, max_size=6))
def test_a_history_holds_the_last_of_every_night(
    tmp_path_factory: pytest.TempPathFactory, nights: list[Night]
) -> None:
    path = tmp_path_factory.mktemp("nightly") / "a.jsonl"
    for each in nights:
        keep(path, each)
    last = {each.night: each for each in nights}
    assert read(path) == [last[day] for day in sorted(last)]


# Cut.


def cut_by(name: str, value: str | None, series: str) -> tuple[str, ...]:
    """What cuts a series when, on the second of three nights, a pinned input is this."""
    pinned = {k: v for k, v in {**PINNED, name: value}.items() if v is not None}
    series_of = {series: point(0.5)}
    nights = [night(0, series_of), night(1, series_of, pinned), night(2, series_of, pinned)]
    found = stretches(nights)
    assert sum(len(stretch.nights) for stretch in found) == 3
    assert len(found) == 1 or found[1].start == nights[1].night
    return found[1].cut if len(found) > 1 else ()


@pytest.mark.parametrize(
    ("name", "value", "series", "cuts"),
    [
        ("versions", "v2", F1, True),
        ("versions", "v2", ERROR, True),
        ("model embedded", "m2", F1, True),
        ("model embedded", None, F1, True),
        ("task qa", "t2", F1, True),
        ("scorers qa", "s2", F1, True),
        ("task qa", "t2", "hybrid.other.token_f1", False),
        ("scorers qa", "s2", "hybrid.other.token_f1", False),
        ("task qa", "t2", "hybrid.error", True),
        ("judge", "j1", F1, False),
        ("task new", "t9", F1, False),
        ("versions", "v1", F1, False),
    ],
)
def test_a_pinned_input_cuts_the_series_that_it_concerns(
    name: str, value: str | None, series: str, cuts: bool
) -> None:
    assert cut_by(name, value, series) == ((name,) if cuts else ())


def test_the_input_of_one_setup_cuts_that_setup_alone() -> None:
    before, after = {**PINNED, "setup hybrid": "1"}, {**PINNED, "setup hybrid": "2"}
    series = {F1: point(0.5), "rag.qa.token_f1": point(0.5), "p95(hybrid.qa.x)": point(0.5)}
    found = stretches([night(0, series, before), night(1, series, after)])
    assert {s.series: s.cut for s in found if s.cut} == dict.fromkeys(
        (F1, "p95(hybrid.qa.x)"), ("setup hybrid",)
    )


def test_a_night_without_the_series_cuts_nothing() -> None:
    broken = night(1, {}, {}, "ERROR")
    assert len(stretches([night(0, {F1: point(0.5)}), broken, night(2, {F1: point(0.5)})])) == 1


def test_a_step_that_comes_with_a_pinned_change_is_no_drift() -> None:
    values = stepped(60, 30, -0.1)
    nights = history(values)
    moved = [
        replace(each, pinned={**PINNED, "versions": "v2"}) if i >= 30 else each
        for i, each in enumerate(nights)
    ]
    assert alarms(moved) == []
    other = [
        replace(each, pinned={**PINNED, "task other": "t2"}) if i >= 30 else each
        for i, each in enumerate(nights)
    ]
    assert len(alarms(nights)) == len(alarms(other)) == 1


# Drift.


def the_drift(nights: list[Night]) -> Drift:
    (found,) = alarms(nights)
    return found


def test_a_step_is_one_drift_however_long_it_stays() -> None:
    found = the_drift(history(stepped(100, 40, -0.03)))
    assert not found.up
    assert found.harmful
    assert 0 <= (found.night - FIRST).days - 40 <= 6
    assert abs((found.since - FIRST).days - 40) <= 2
    assert (found.until - FIRST).days >= 95
    assert found.before == pytest.approx(0.70, abs=0.01)
    assert found.after == pytest.approx(0.67, abs=0.015)
    assert found.before_nights == (found.since - FIRST).days
    assert found.after_nights == (found.night - found.since).days + 1


def test_more_is_harm_where_less_is_better() -> None:
    values = [x / 10 for x in stepped(60, 40, 0.3)]
    found = the_drift(history(values, ERROR, higher=False, n=1000))
    assert found.up
    assert found.harmful
    assert not the_drift(history(values, ERROR, higher=True, n=1000)).harmful


def test_a_drift_is_a_sentence_for_a_person() -> None:
    values = [0.75] * 20 + [0.5] * 3
    found = the_drift(history(values))
    assert found.text == (
        "hybrid.qa.token_f1 got worse: it fell from 0.750 (median of 20 nights) to 0.500 "
        "(3 nights since 2026-09-21), found on 2026-09-23"
    )
    seconds = the_drift(history([x * 4 for x in values], SECONDS, higher=False))
    assert seconds.text.startswith(
        "hybrid.qa.latency_s got better: it fell from 3.00 s (median of 20 nights) to 2.00 s"
    )


def test_a_drift_keeps_its_id_as_nights_are_added() -> None:
    nights = history(stepped(120, 40, -0.03))
    ids = {drift.id for end in range(48, 121) for drift in alarms(nights[:end])}
    assert ids == {f"{F1} down 2026-09-01 1"}


def test_the_way_back_and_a_second_fall_are_told_apart() -> None:
    values = noisy(200)
    for day in (*range(40, 60), *range(120, 140)):
        values[day] -= 0.05
    found = alarms(history(values))
    assert [drift.id for drift in found] == [f"{F1} down 2026-09-01 {i}" for i in (1, 2)]
    assert (found[0].until - FIRST).days < 62


def test_an_alert_tells_of_the_benchmark_and_the_drift() -> None:
    found = the_drift(history([0.75] * 20 + [0.5] * 3))
    told = nightly.as_alert("small", found)
    assert told.id == f"small {F1} down 2026-09-01 1"
    assert told.text == f"small: {found.text}"
    assert json.loads(json.dumps(told.facts))["direction"] == "down"


def test_quiet_nights_and_a_broken_one_are_no_drift() -> None:
    assert alarms(history(noisy(90, seed=1))) == []
    broken: list[float | None] = list(noisy(90, seed=1))
    broken[50] = 0.0
    assert alarms(history(broken)) == []
    assert alarms([]) == []


@given(
    st.integers(2, 2000),
    st.floats(0, 1),
    st.integers(0, 80),
    st.sampled_from([-1, 1]),
    st.lists(st.integers(0, 79), max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_one_answer_that_changes_for_good_in_a_repeatable_series_never_alarms(
    n: int, share: float, at: int, way: int, gone: list[int]
) -> None:
    hits = min(max(round(share * n), 1), n - 1)
    values: list[float | None] = [(hits + way * (day >= at)) / n for day in range(80)]
    for day in gone:
        values[day] = None
    assert alarms(history(values, n=n)) == []


@pytest.mark.parametrize(("changed", "nights"), [(2, 11), (3, 6), (5, 3), (50, 3)])
@pytest.mark.parametrize("n", [30, 168, 2000])
def test_some_answers_that_change_for_good_alarm_in_so_many_nights(
    n: int, changed: int, nights: int
) -> None:
    if changed > n // 2:
        return
    hits = n // 2
    values = [hits / n] * 20 + [(hits - changed) / n] * 30
    found = alarms(history(values, n=n))[0]
    assert (found.night - FIRST).days - 19 == nights


def test_many_noisy_series_together_are_quiet_and_a_step_in_one_is_found() -> None:
    """With the limit of one series, 17 of these 60 would alarm."""
    series = {f"hybrid.qa.m{i}": noisy(90, seed=i, sigma=0.03) for i in range(60)}
    series["hybrid.qa.m7"][60:] = [x - 0.1 for x in series["hybrid.qa.m7"][60:]]
    nights = [night(d, {k: point(v[d]) for k, v in series.items()}) for d in range(90)]
    found = alarms(nights)
    assert len({drift.series for drift in found}) <= 3
    (step,) = [d for d in found if d.series == "hybrid.qa.m7" and d.harmful]
    assert 60 <= (step.night - FIRST).days <= 65


def test_where_one_answer_can_move_more_the_interval_is_the_least_spread() -> None:
    """A mean of tokens that always is 40 +- 2: nothing below half the half-width adds up."""

    def tokens(after: float) -> list[Night]:
        series = [40.0] * 20 + [after] * 40
        name = "rag.qa.completion_tokens"
        return [night(day, {name: point(x, 168, False, 2.0)}) for day, x in enumerate(series)]

    (stretch,) = stretches(tokens(40))
    assert trend.least(stretch) == 2.0
    assert alarms(tokens(41)) == []
    assert (alarms(tokens(45))[0].night - FIRST).days == 22


def test_without_intervals_the_least_spread_is_a_share_of_the_level() -> None:
    bare = [night(i, {SECONDS: of(0.5, None, None, 9, higher=False)}) for i in range(9)]
    assert trend.least(stretches(bare)[0]) == pytest.approx(0.01)
    assert trend.least(stretches([night(0, {F1: point(None)})])[0]) == 0.0


def test_nights_that_are_missing_are_stepped_over() -> None:
    values: list[float | None] = list(stepped(60, 40, -0.05))
    for day in (5, 6, 7, 20, 41):
        values[day] = None
    found = the_drift(history(values))
    assert not found.up
    assert found.since == FIRST + timedelta(days=40)
    assert found.before_nights == 36
    ungraded = [replace(x, series={F1: point(None)}) for x in history([0.7] * 30)]
    assert alarms(history([0.7] * 30)[:20] + ungraded[20:]) == []


def test_nights_in_any_order_give_the_same() -> None:
    nights = history(stepped(60, 40, -0.05))
    assert alarms(nights[::-1]) == alarms(nights)


# Missing.


def test_missing_names_the_nights_before_today_without_a_line() -> None:
    nights = history([0.7, None, 0.7, None, None])
    assert missing(nights, FIRST + timedelta(days=4)) == ["2026-09-02", "2026-09-04"]
    assert missing(nights, FIRST + timedelta(days=2)) == ["2026-09-02"]
    assert missing(nights, FIRST) == missing([], FIRST) == []


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        (0, ""),
        (26, ""),
        (27, "finished 27 hours ago: none in the last 26 hours"),
        (-0.5, ""),
        (-30, "finished 30 hours from now: one of the clocks is wrong"),
    ],
)
@pytest.mark.parametrize("state", ["PASS", "FAIL"])
def test_a_heartbeat_tells_a_missing_night_from_a_red_one(
    state: str, hours: float, says: str
) -> None:
    nights = [night(0, {}), night(1, {}, state=state)]
    found = trend.heartbeat(nights, nights[1].finished + timedelta(hours=hours), 26)
    assert says in found
    assert bool(found) == bool(says)
    assert state in found or not found


def test_an_old_night_run_again_is_no_heartbeat() -> None:
    now = datetime(2026, 9, 9, 12, tzinfo=UTC)
    again = replace(night(0, {}), finished=now)
    assert "2026-09-02" in trend.heartbeat([again, night(1, {})], now, 26)
    assert trend.heartbeat([], now, 26)


# Read by others.


def test_the_long_form_has_a_row_per_night_and_series() -> None:
    series = {F1: point(0.5, half=0.25), "mine.qa.gain": point(-0.5, half=0.25)}
    changed = {**PINNED, "scorers qa": "s2"}
    text = trend.csv([night(3, series, changed), night(0, {F1: point(None)})])
    assert text.splitlines() == [
        "night,run,commit,series,value,low,high,n,stretch",
        f"2026-09-01,run0,abc,{F1},,,,0,2026-09-01",
        f"2026-09-04,run3,abc,{F1},0.5,0.25,0.75,168,2026-09-04",
        "2026-09-04,run3,abc,mine.qa.gain,-0.5,-0.75,-0.25,168,2026-09-04",
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted_and_a_number_is_not(start: str) -> None:
    evil = start + 'cmd|"x",y\n'
    odd = replace(night(0, {evil: point(-1.5)}), run=evil, commit=evil)
    (row,) = DictReader(StringIO(trend.csv([odd]), newline=""))
    told = "'" + evil.replace("\n", " ").replace("\r", " ")
    assert row["run"] == row["commit"] == row["series"] == told
    assert row["value"] == "-1.5"


@settings(deadline=None, max_examples=60)
@given(st.lists(kept_nights, max_size=4, unique_by=lambda each: each.night))
def test_whatever_the_names_are_the_long_form_and_the_table_are_made(nights: list[Night]) -> None:
    text = trend.csv(nights)
    text.encode()
    assert text.count("\n") == 1 + sum(len(each.series) for each in nights)
    rows = list(DictReader(StringIO(text, newline="")))
    assert len(rows) == sum(len(each.series) for each in nights)
    found = trend.table(nights)
    assert {len(row) for row in found.rows} == {len(found.header)}


def row_of(table: Table, name: str) -> tuple[str, ...]:
    (row,) = [row for row in table.rows if row[0] == name]
    return row[2:]


def test_the_last_nights_stand_side_by_side_newest_first_with_gaps() -> None:
    nights = [*history([0.1, 0.2, None, None, 0.3, 0.4]), night(6, {}, {}, "ERROR")]
    found = trend.table(nights, last=4)
    assert found.header == (
        *("series", "trend", "2026-09-07", "2026-09-06", "2026-09-05", "2 missing", "2026-09-02"),
    )
    assert row_of(found, "verdict") == ("ERROR", "PASS", "PASS", "", "PASS")
    assert row_of(found, F1) == ("-", "0.400", "0.300", "", "0.200")


def test_drifts_and_cuts_are_marked_in_the_table() -> None:
    nights = history([0.75] * 20 + [0.5] * 3)
    assert row_of(trend.table(nights, 4), F1) == ("0.500 ▼!", "0.500 ▼!", "0.500 ▼!", "0.750")
    pinned = {**PINNED, "versions": "v2", "task qa": "t2"}
    found = trend.table([*nights, night(23, {F1: point(0.5)}, pinned)], 2)
    assert row_of(found, F1) == ("0.500 |", "0.500 ▼!")
    assert found.note.endswith("(changed: 2026-09-24: versions, task qa).")


def test_a_sparkline_goes_from_the_lowest_to_the_highest_and_leaves_gaps_blank() -> None:
    assert trend.sparkline([0.0, 0.5, None, 1.0]) == "▁▅ █"
    assert trend.sparkline([0.3, 0.3]) == "▄▄"
    assert trend.sparkline([None, None]) == trend.sparkline([]) == ""
    table = trend.table(history([0.0, None, 1.0]))
    assert table.rows[1][1] == f"{' ' * 27}▁ █"


def test_missing_nights_in_a_row_are_one_span() -> None:
    days = ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-05", "2026-03-07", "2026-03-08"]
    assert trend.spans(days) == [
        "2026-02-27 to 2026-03-01 (3)",
        "2026-03-05",
        "2026-03-07 to 2026-03-08 (2)",
    ]
    assert trend.spans([]) == []
