"""Gate lines such as `hybrid.handbook_qa.token_f1 >= rag.handbook_qa.token_f1 - 0.05`.

    check  := ref op expr          op := >= | <= | > | < | ==
    expr   := [number *] ref [(+ | -) number] | number
    ref    := setup.task.metric[tag=value], or with an aggregate: p95(setup.task.metric)

`*` as the setup stands for every setup, one verdict each; without a task, the metric's values of
all tasks count together. Verdicts are computed from the run's rows.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bakeoff.compare import Column, Columns, Floats, estimate
from bakeoff.core import BakeoffError, Sample
from bakeoff.scoring import Metric, did_you_mean
from bakeoff.suite import MEASURED, Gate

PASS, FAIL, ERROR = "PASS", "FAIL", "ERROR"

_AGGREGATES: Mapping[str, Any] = {
    "mean": np.mean,
    "rate": np.mean,
    "sum": np.sum,
    "count": np.count_nonzero,
    "max": np.max,
    "p50": lambda values: np.quantile(values, 0.50),
    "p90": lambda values: np.quantile(values, 0.90),
    "p95": lambda values: np.quantile(values, 0.95),
    "p99": lambda values: np.quantile(values, 0.99),
}
_OPERATORS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_REF = re.compile(
    r"(?:(?P<aggregate>[a-z]\w*)\()?"
    r"(?P<setup>\*|[\w-]+)\."
    r"(?:(?P<task>[\w-]+)\.)?"
    r"(?P<metric>(?:\S+::)?[A-Za-z_]\w*(?:\([^()]*\))?)"
    r"(?:\[(?P<tag>[^\]=]+)=(?P<value>[^\]]+)\])?"
    r"(?(aggregate)\))"
)
_CHECK = re.compile(r"(?P<left>.+?)\s*(?P<op>>=|<=|==|>|<)\s*(?P<right>.+)")
_EXPRESSION = re.compile(
    rf"(?:(?P<factor>{_NUMBER})\s*\*\s+)?(?P<ref>\S.*?)(?:\s+(?P<sign>[+-])\s+(?P<shift>{_NUMBER}))?"
)


@dataclass(frozen=True)
class Ref:
    """A number of a run: an aggregate of one column, or of a metric's columns on all tasks."""

    setup: str
    task: str | None
    metric: str
    aggregate: str | None = None
    tag: tuple[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> Ref:
        match = _REF.fullmatch(text.strip())
        if not match:
            raise BakeoffError(f"'{text}' is not setup.task.metric (or aggregate(setup.metric))")
        if match["aggregate"] and match["aggregate"] not in _AGGREGATES:
            raise BakeoffError(
                f"no aggregate '{match['aggregate']}'"
                f"{did_you_mean(match['aggregate'], _AGGREGATES)}"
            )
        tag = (match["tag"].strip(), match["value"].strip()) if match["tag"] else None
        metric = str(Metric.parse(match["metric"]))
        return cls(match["setup"], match["task"], metric, match["aggregate"], tag)

    def __str__(self) -> str:
        name = (
            f"{self.setup}.{self.task}.{self.metric}"
            if self.task
            else (f"{self.setup}.{self.metric}")
        )
        name += f"[{self.tag[0]}={self.tag[1]}]" if self.tag else ""
        return f"{self.aggregate}({name})" if self.aggregate else name

    def of(self, setup: str) -> Ref:
        """This ref with `*` filled in."""
        chosen = setup if self.setup == "*" else self.setup
        return Ref(chosen, self.task, self.metric, self.aggregate, self.tag)


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
        """The check that `text` spells. Raises `BakeoffError` saying what is off."""
        match = _CHECK.fullmatch(text.strip())
        if not match:
            raise BakeoffError(f"gate '{text}': write REF >= REF or REF >= NUMBER")
        try:
            left = Ref.parse(match["left"])
            if re.fullmatch(_NUMBER, match["right"].strip()):
                return cls(left, match["op"], None, 0.0, float(match["right"]))
            parts = _EXPRESSION.fullmatch(match["right"].strip())
            assert parts
            shift = float(parts["shift"] or 0) * (-1 if parts["sign"] == "-" else 1)
            return cls(
                left, match["op"], Ref.parse(parts["ref"]), float(parts["factor"] or 1), shift
            )
        except BakeoffError as error:
            raise BakeoffError(f"gate '{text}': {error}") from error


@dataclass(frozen=True)
class Verdict:
    """What came of one gate for one setup."""

    id: str
    check: str
    status: str
    left: float | None
    right: float | None
    detail: str


def check_gates(
    gates: Sequence[Gate], setups: Sequence[str], metrics: Mapping[str, Sequence[str]]
) -> list[str]:
    """What is wrong with the gate lines of a benchmark: names that nothing will ever measure.

    `metrics` maps each task to the metrics it has, the measured ones left out.
    """
    problems = []
    for gate in gates:
        try:
            check = Check.parse(gate.check)
        except BakeoffError as error:
            problems.append(f"gates: {error}")
            continue
        for ref in filter(None, (check.left, check.right)):
            try:
                _known(ref, setups, metrics)
            except BakeoffError as error:
                problems.append(f"gates: '{gate.check}': {error}")
    return problems


def _known(ref: Ref, setups: Sequence[str], metrics: Mapping[str, Sequence[str]]) -> None:
    if ref.setup != "*" and ref.setup not in setups:
        raise BakeoffError(f"no setup '{ref.setup}'{did_you_mean(ref.setup, setups)}")
    if ref.task is not None and ref.task not in metrics:
        raise BakeoffError(f"no task '{ref.task}'{did_you_mean(ref.task, metrics)}")
    tasks = [ref.task] if ref.task else list(metrics)
    known = {*MEASURED, *(m for task in tasks for m in metrics[task])}
    if ref.metric not in known:
        raise BakeoffError(f"no metric '{ref.metric}'{did_you_mean(ref.metric, known)}")


def judge(
    gates: Sequence[Gate],
    table: Columns,
    samples: Mapping[str, Mapping[str, Sample]],
    setups: Sequence[str],
    seed: int = 0,
) -> list[Verdict]:
    """A verdict for every gate, and for every setup where the gate says `*`."""
    evidence = _Evidence(table, samples, seed)
    verdicts = []
    for gate in gates:
        check = Check.parse(gate.check)
        anyone = "*" in (check.left.setup, check.right.setup if check.right else "")
        for setup in setups if anyone else ("",):
            verdicts.append(_judge_one(gate, check, setup, evidence))
    return verdicts


@dataclass(frozen=True)
class _Evidence:
    """The columns that gates are judged on, and the seed of their intervals."""

    table: Columns
    samples: Mapping[str, Mapping[str, Sample]]
    seed: int


def _judge_one(gate: Gate, check: Check, setup: str, evidence: _Evidence) -> Verdict:
    left_ref, right_ref = check.left.of(setup), check.right.of(setup) if check.right else None
    name = gate.id or gate.check
    line = gate.check.replace("*.", f"{setup}.") if setup else gate.check
    try:
        left, shown = _value(left_ref, evidence)
        right, right_shown = _value(right_ref, evidence) if right_ref else (0.0, "")
    except BakeoffError as error:
        return Verdict(name, line, ERROR, None, None, str(error))
    limit = check.factor * right + check.shift
    status = PASS if _OPERATORS[check.op](left, limit) else FAIL
    detail = f"{left:.4g} {check.op} {limit:.4g}; {shown}"
    return Verdict(
        name, line, status, left, limit, f"{detail}; against {right_shown}" if right_ref else detail
    )


def _value(ref: Ref, evidence: _Evidence) -> tuple[float, str]:
    found = [
        _sliced(column, ref, evidence.samples[task])
        for (task, setup, metric), column in evidence.table.items()
        if setup == ref.setup and metric == ref.metric and ref.task in (None, task)
    ]
    if ref.aggregate and any(c.aggregate == "macro_f1" for c in found):
        raise BakeoffError(f"{ref}: {ref.metric} is no mean of samples; leave the aggregate out")
    judged = [c.only(c.judged) for c in found]
    values = np.concatenate([c.values for c in judged]) if judged else np.array([])
    if not values.size:
        raise BakeoffError(f"no evidence: {ref} has no value in this run")
    total = sum(len(c.samples) for c in found)
    shown = f"n={values.size}" if values.size == total else f"n={values.size} of {total} judged"
    if ref.aggregate:
        return float(_AGGREGATES[ref.aggregate](values)), shown
    if len(judged) > 1:
        return _pooled(judged, values), shown
    result = estimate(judged[0], evidence.seed)
    assert result.value is not None
    if result.low is not None:
        shown += f", 95% [{result.low:.4g}, {result.high:.4g}]"
    return result.value, shown


def _pooled(judged: Sequence[Column], values: Floats) -> float:
    """One number over several tasks: of all values, or the mean of the tasks' own aggregates."""
    if all(column.aggregate == "mean" for column in judged):
        return float(np.mean(values))
    return float(np.mean([estimate(c).value or 0.0 for c in judged if c.samples]))


def _sliced(column: Column, ref: Ref, samples: Mapping[str, Sample]) -> Column:
    if ref.tag is None:
        return column
    tag, value = ref.tag
    return column.only([s for s in column.samples if samples[s].tags.get(tag) == value])


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 when every gate holds, 12 when evidence is missing, 10 when one fails."""
    statuses = {verdict.status for verdict in verdicts}
    return 12 if ERROR in statuses else 10 if FAIL in statuses else 0


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts as they are kept in `gates.json`."""
    return {
        "format": 1,
        "exit_code": exit_code(verdicts),
        "gates": [asdict(verdict) for verdict in verdicts],
    }
