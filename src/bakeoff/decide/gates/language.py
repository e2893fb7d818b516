"""The language of gates: lines such as `hybrid.qa.token_f1 >= baseline:hybrid.qa.token_f1 - 0.03`.

    check  := ref op expr          op := >= | <= | > | < | ==
    expr   := [number *] ref [(+ | -) number] | number
    ref    := [aggregate(] [baseline: | anchor:] setup.task.metric [[tag=value]] [)]

`*` as the setup matches every setup, one verdict each; without a task, the metric's values of all
tasks are pooled. `judge` evaluates a gate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bakeoff.core.hints import did_you_mean
from bakeoff.core.measure import LATENCY_METRICS, MEASURES, Measure
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.aggregates import Fact, aggregate
from bakeoff.spec.metric import Metric
from bakeoff.spec.policy import Gate, Mode

REFERENCES = ("baseline", "anchor")

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_REF = re.compile(
    r"(?:(?P<aggregate>[A-Za-z]\w*(?:[@^]\w+)?)\(\s*)?"
    r"(?:(?P<origin>[A-Za-z]\w*):(?!:))?"
    r"(?P<setup>\*|[\w-]+)\."
    r"(?:(?P<task>[\w-]+)\.)?"
    r"(?P<metric>(?:\S+::)?[A-Za-z_]\w*(?:\((?:[^()]|\([^()]*\))*\))?)"
    r"(?:\[(?P<tag>[^\]=]+)=(?P<value>[^\]]+)\])?"
    r"(?(aggregate)\s*\))",
    re.ASCII,
)
_CHECK = re.compile(r"(?P<left>.+?)\s*(?P<op>>=|<=|==|>|<)\s*(?P<right>.+)", re.ASCII)
_EXPRESSION = re.compile(
    rf"(?:(?P<factor>{_NUMBER})\s*\*\s+)?(?P<ref>\S.*?)(?:\s+(?P<sign>[+-])\s+(?P<shift>{_NUMBER}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Ref:
    """A number of a run: an aggregate of one column, or of a metric's columns on all tasks."""

    setup: str
    task: str | None
    metric: str
    aggregate: str | None = None
    tag: tuple[str, str] | None = None
    origin: str = ""
    """`baseline` or `anchor`; empty for the run itself."""

    @classmethod
    def parse(cls, text: str) -> Ref:
        match = _REF.fullmatch(text.strip())
        if not match:
            raise BakeoffError(
                f"'{text}' is not setup.task.metric, p95(setup.metric) or baseline:setup.metric"
            )
        function, origin, setup, task, metric, tag, value = match.groups()
        origin = origin or ""
        if origin and origin not in REFERENCES:
            raise BakeoffError(f"no reference '{origin}:'{did_you_mean(origin, REFERENCES)}")
        aggregate(function)
        part = (tag.strip(), value.strip()) if tag else None
        return cls(setup, task, str(Metric.parse(metric)), function, part, origin)

    def __str__(self) -> str:
        parts = [self.setup, *([self.task] if self.task else []), self.metric]
        name = (f"{self.origin}:" if self.origin else "") + ".".join(parts)
        name += f"[{self.tag[0]}={self.tag[1]}]" if self.tag else ""
        return f"{self.aggregate}({name})" if self.aggregate else name

    def of(self, setup: str, tag: tuple[str, str] | None = None) -> Ref:
        """This ref with `*` filled in, and on a slice where one is given."""
        chosen = setup if self.setup == "*" else self.setup
        return replace(self, setup=chosen, tag=tag or self.tag)


@dataclass(frozen=True)
class Check:
    """A parsed gate line: `left op factor * right + shift`, or a bare number on the right."""

    left: Ref
    op: str
    right: Ref | None
    factor: float
    shift: float

    @classmethod
    def parse(cls, text: str) -> Check:
        """The check parsed from `text`. Raises `BakeoffError` with the mistake."""
        match = _CHECK.fullmatch(text.strip())
        if not match:
            raise BakeoffError(f"gate '{text}': write REF >= REF or REF >= NUMBER")
        named, op, right = match.groups()
        right = right.strip()
        try:
            left = Ref.parse(named)
            if re.fullmatch(_NUMBER, right, re.ASCII):
                return cls(left, op, None, 0.0, _finite(right))
            if re.fullmatch(rf"{_NUMBER}\s*%", right, re.ASCII):
                share = float(right.rstrip("% ")) / 100
                raise BakeoffError(f"write {share:g} for {right}")
            return cls(left, op, *_expression(right))
        except BakeoffError as error:
            raise BakeoffError(f"gate '{text}': {error}") from error

    @property
    def sign(self) -> int:
        """1 where the line claims a higher value, -1 where a lower one."""
        return -1 if self.op in ("<=", "<") else 1

    @property
    def refs(self) -> tuple[Ref, ...]:
        return (self.left, self.right) if self.right else (self.left,)

    def of(self, setup: str, tag: tuple[str, str] | None = None) -> Check:
        """This check with `*` filled in, and on a slice where one is given."""
        right = self.right.of(setup, tag) if self.right else None
        return replace(self, left=self.left.of(setup, tag), right=right)

    def __str__(self) -> str:
        if not self.right:
            return f"{self.left} {self.op} {self.shift:g}"
        factor = f"{self.factor:g} * " if self.factor != 1 else ""
        shift = f" {'-' if self.shift < 0 else '+'} {abs(self.shift):g}" if self.shift else ""
        return f"{self.left} {self.op} {factor}{self.right}{shift}"


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise BakeoffError(f"{text} is too large a number")
    return number


def _expression(text: str) -> tuple[Ref, float, float]:
    match = _EXPRESSION.fullmatch(text)
    assert match
    times, ref, sign, plus = match.groups()
    try:
        right = Ref.parse(ref)
    except BakeoffError as error:
        hint = "; put spaces around +, - and *" if re.search(r"[-+*]\s*[\d.]|\d\*", text) else ""
        raise BakeoffError(f"{error}{hint}") from error
    shift = _finite(plus or "0") * (-1 if sign == "-" else 1)
    factor = _finite(times or "1")
    if factor <= 0:
        raise BakeoffError(f"{factor:g} * {right}: a factor is above 0")
    return right, factor, shift


def mode(gate: Gate, check: Check, default: Mode) -> Mode:
    """The mode of a gate: its own, `estimate` where nothing is tested, or the default."""
    fact = isinstance(aggregate(check.left.aggregate), Fact) or check.op == "=="
    return gate.mode or (
        "estimate" if fact or check.left.metric in ("error", "cut", "leak", "cost") else default
    )


class Unknown(BakeoffError):
    """A setup, task or metric that does not exist."""


@dataclass(frozen=True)
class Scope:
    """What gates can name: setups, and the scored metrics of each task."""

    setups: Sequence[str]
    tasks: Mapping[str, Mapping[str, Measure]]

    def measure(self, ref: Ref) -> Measure:
        """The measure a ref names. Raises `Unknown` for a name that does not exist."""
        if ref.setup != "*" and ref.setup not in self.setups:
            raise Unknown(f"no setup '{ref.setup}'{did_you_mean(ref.setup, self.setups)}")
        if ref.task is not None and ref.task not in self.tasks:
            raise Unknown(f"no task '{ref.task}'{did_you_mean(ref.task, self.tasks)}")
        known: dict[str, Measure] = {}
        for task in [ref.task] if ref.task else self.tasks:
            known |= self.measures(task)
        if ref.metric not in known:
            raise Unknown(f"no metric '{ref.metric}'{did_you_mean(ref.metric, known)}")
        return known[ref.metric]

    def measures(self, task: str) -> dict[str, Measure]:
        """Every metric of a task, the measured ones included."""
        return {**MEASURES, **self.tasks[task]}


def check_gates(gates: Sequence[Gate], scope: Scope, *, names: bool = True) -> list[str]:
    """The mistakes in gate lines: syntax, gates that can never fail or never pass, and, with
    `names`, setups, tasks and metrics that do not exist."""
    problems = []
    for gate in gates:
        try:
            _checked(gate, scope)
        except Unknown as error:
            if names:
                problems.append(f"gates: '{gate.check}': {error}")
        except BakeoffError as error:
            prefix = "" if str(error).startswith("gate '") else f"'{gate.check}': "
            problems.append(f"gates: {prefix}{error}")
    return problems


def _checked(gate: Gate, scope: Scope) -> None:
    check = Check.parse(gate.check)
    measure = scope.measure(check.left)
    if check.right and not check.right.origin:
        scope.measure(check.right)
    _sensible(gate, check, measure)


def _sensible(gate: Gate, check: Check, measure: Measure) -> None:
    left, right, kind = check.left, check.right, aggregate(check.left.aggregate)
    fact = kind if isinstance(kind, Fact) else None
    if check.op == "==" and not (fact and fact.whole):
        raise BakeoffError("== is for counts; a mean is never equal to a number")
    if fact and gate.mode in ("refute", "prove"):
        raise BakeoffError(f"{left.aggregate} is a fact of this run: leave the mode out")
    if measure.aggregate == "macro_f1" and (left.aggregate or not left.task):
        raise BakeoffError(
            f"{left.metric} is not a mean over samples: write setup.task.{left.metric}"
        )
    if gate.group_by and (left.tag or (right and right.tag)):
        raise BakeoffError("give either group_by or a [tag=value]")
    if right and right == left:
        raise BakeoffError("compares a number with itself: it can never fail")
    if right and bool(right.task) != bool(left.task):
        raise BakeoffError("name the task on both sides, or on neither")
    if right and right.aggregate != left.aggregate:
        raise BakeoffError(f"{left} and {right} are different aggregates")
    if gate.force:
        return
    if right and right.metric != left.metric:
        raise BakeoffError(
            f"compares {left.metric} with {right.metric}; set force: true if intended"
        )
    if check.op != "==" and (check.sign > 0) != measure.higher_is_better:
        better = "higher" if measure.higher_is_better else "lower"
        raise BakeoffError(
            f"{left.metric} is better when {better}, so {check.op} requires a worse one; "
            "set force: true if intended"
        )
    if (fact is None or fact.bounded) and left.metric not in LATENCY_METRICS:
        _decides(check, measure)


def _decides(check: Check, measure: Measure) -> None:
    """Refuse a line that passes, or fails, whatever the result."""
    if measure.bounds is None:
        return
    low, high = measure.bounds
    limits = sorted(
        check.factor * end + check.shift for end in ((low, high) if check.right else (0,))
    )
    # Turned so that the claim is always that the value is at least the limit.
    worst, best = sorted((check.sign * low, check.sign * high))
    least, most = sorted(check.sign * limit for limit in (limits[0], limits[-1]))
    strict = check.op in ("<", ">")
    if worst > most or (worst == most and not strict):
        raise BakeoffError(f"can never fail: {check.left.metric} is from {low:g} to {high:g}")
    if best < least or (best == least and strict):
        raise BakeoffError(f"can never pass: {check.left.metric} is from {low:g} to {high:g}")
