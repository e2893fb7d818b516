"""The number an answer gives, against the number of a target.

Read are thousands separators (`1,000`, `1 000`, `1'000`), decimals after a point, or after a comma
that cannot separate thousands (`3,5`), exponents and the words thousand, million, billion and
trillion. Text around a number, % included, is a unit and is not compared. Digits of a
name (`A4`, `R-4`) or of a version (`1.2.3`) are no number.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.refusals import declining, spoken
from bakeoff.metrics.scorer import Context, Outcome, scorer

_NUMBER = re.compile(
    r"""
    (?<![\w.,]) (?<![^\W\d_][-−])           # not inside a word, a name such as R-4, a version
    (?P<sign>(?<!\d)[-−+])?
    (?P<whole>
        \d{1,3} (?P<mark>[,'’\ \u00a0\u2009\u202f]) \d{3} (?: (?P=mark) \d{3} )* (?!\d)
        | \d+ | (?=\.\d)
    )
    (?P<part>[.,]\d+)?
    (?P<power>[eE][-+]?\d{1,3})?
    (?! [.,]?\d)
    (?: \s* (?P<scale>thousand|million|billion|trillion) \b )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
NAMED = 5
"""Numbers named as the reason of a score."""


@lru_cache(maxsize=1024)
def numbers(text: str) -> tuple[Decimal, ...]:
    """The different numbers in a text, in its order."""
    return tuple(dict.fromkeys(map(_value, _NUMBER.finditer(text))))


def _value(match: re.Match[str]) -> Decimal:
    sign, whole, _, part, power, scale = match.groups(default="")
    digits = "".join(filter(str.isdecimal, whole)) + part.replace(",", ".")
    number = Decimal(("-" if sign in ("-", "−") else "") + digits + power)
    # Only where there is a scale: it rounds to the context's precision.
    return number.scaleb(_SCALES[scale.lower()]) if scale else number


def _given(text: str, take: str) -> Decimal | None:
    values = numbers(text)
    if not values or (take == "only" and len(values) > 1):
        return None
    return values[-1] if take == "last" else values[0]


def _at_least_zero(tolerance: float, absolute: float, **_: object) -> str:
    given = {"tolerance": tolerance, "absolute": absolute}
    wrong = [name for name, value in given.items() if not 0 <= value < float("inf")]
    return f"{wrong[0]} must be at least 0" if wrong else ""


@scorer(version=2, choices={"take": ("only", "first", "last")}, check=_at_least_zero)
def numeric(
    sample: Sample,
    answer: Answer,
    context: Context,
    *,
    tolerance: float = 0.0,
    absolute: float = 0.0,
    take: str = "only",
) -> Outcome:
    """1 when the number of the answer is that of a target, or near it; unanswerable: when refused.

    Near: off by at most `tolerance` times the target, or by `absolute`. An answer with several
    different numbers gives none, unless `take` says `first` or `last`.
    """
    if not sample.answerable:
        return declining(answer, context)
    text = spoken(answer, context)
    wanted = [number for target in sample.targets for number in numbers(target)[:1]]
    if not wanted:
        return None
    given = _given(text, take)
    if given is None:
        several = ", ".join(map(str, numbers(text)[:NAMED]))
        return Score(0.0, f"gives several numbers: {several}" if several else "gives no number")
    allowed = ((abs(value) * Decimal(str(tolerance)), Decimal(str(absolute))) for value in wanted)
    near = any(
        abs(given - value) <= max(limits) for value, limits in zip(wanted, allowed, strict=True)
    )
    return Score(float(near), "" if near else f"gives {given}, expected {wanted[0]}")
