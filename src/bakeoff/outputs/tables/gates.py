"""What came of the gates, and what they will be able to detect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bakeoff.core.counts import quantity
from bakeoff.core.table import Table, number
from bakeoff.decide.gates.baseline import Pointer
from bakeoff.decide.gates.power import Preview
from bakeoff.runs.verdicts import FAIL, PASS, State, Verdict, Verdicts

GATES_SHOWN = 100
"""Gates in a table, the worst first."""
_MEANING: Mapping[State, str] = {
    "PASS": "Every gate passes.",
    "FAIL": "At least one gate fails.",
    "INCONCLUSIVE": "At least one gate is inconclusive.",
    "ERROR": "Not evaluated: data missing or not comparable.",
}
_COUNTED: Mapping[State, str] = {
    "ERROR": "not evaluated",
    "INCONCLUSIVE": "inconclusive",
    "SKIPPED": "skipped",
    "PASS": "passed",
}


def verdicts(outcome: Verdicts) -> Table:
    """The gates and what came of them, worst first."""
    notes = [f"{outcome.state} (exit code {outcome.exit_code}).", *caveats(outcome)]
    gates = outcome.worst_first
    rows = tuple((gate.state, _gate(gate), gate.reason) for gate in gates[:GATES_SHOWN])
    if more := len(gates) - len(rows):
        notes.append(f"In gates.json: {quantity(more, 'more gate')}.")
    return Table("Gates", ("verdict", "gate", "evidence"), rows, " ".join(notes))


def _gate(gate: Verdict) -> str:
    warns = " (warns only)" if gate.severity == "warn" else ""
    return f"{gate.check}{warns} ({gate.mode})"


def caveats(outcome: Verdicts) -> Iterator[str]:
    """What makes the verdicts less than the benchmark's own, in sentences."""
    if outcome.limited:
        yield f"A limited run ({outcome.limited}): not the benchmark's verdict."
    for sentence in outcome.mismatch:
        yield f"Not comparable (--allow-mismatch): {sentence}."
    for sentence in outcome.treatment:
        yield f"{differs(sentence)}."


def differs(sentence: str) -> str:
    """A line of what the run did otherwise than a reference, `baseline: what`, as a sentence."""
    name, _, what = sentence.partition(": ")
    return f"Differs from the {name} in {what}"


def references(outcome: Verdicts) -> Iterator[str]:
    """The runs that the gates compared with, in sentences."""
    for name, reference in outcome.references.items():
        when = f", accepted {reference.accepted}" if reference.accepted else ""
        why = f" ({reference.reason})" if reference.reason else ""
        yield f"Compared with {name} {reference.run}{when}{why}."


def meaning(outcome: Verdicts) -> str:
    """The state of all gates together as a sentence."""
    passed = sum(gate.state == PASS and not gate.not_disproved for gate in outcome.gates)
    if outcome.state == PASS and passed < len(outcome.gates):
        return "No gate fails the run."
    return _MEANING[outcome.state]


def counted(outcome: Verdicts) -> str:
    """How many gates there are, and what came of how many."""

    def kind(gate: Verdict) -> str:
        if gate.state == FAIL:
            return "failed (warning)" if gate.warning else "failed"
        return _COUNTED[gate.state]

    counts = Counter(kind(gate) for gate in outcome.gates)
    order = ("failed", "failed (warning)", *_COUNTED.values())
    known = ", ".join(f"{counts[word]} {word}" for word in order if counts[word])
    total = len(outcome.gates)
    return f"{quantity(total, 'gate')}: {known or '-'}"


def power(previews: Sequence[Preview]) -> Table:
    """What gates will be able to detect."""
    rows = tuple(
        (
            gate.check,
            gate.mode,
            str(gate.n),
            number(gate.detectable, ""),
            "-" if gate.needed is None else f"{gate.needed} for {gate.margin:g}",
            gate.problem or gate.source,
        )
        for gate in previews
    )
    return Table(
        "Power of the gates",
        ("gate", "mode", "n", "detectable", "n needed", "spread"),
        rows,
        "Detectable: the minimum detectable shortfall (80% power) at the gate's share of alpha. "
        "n needed: samples to detect a shortfall of the gate's margin, or of 0.05. Assumed: a "
        "quarter of the samples differ; after a run, its own spread is taken.",
    )


def baselines(known: Sequence[Pointer]) -> Table:
    """The accepted runs that gates compare later runs with."""
    names = ("benchmark", "channel", "run", "accepted", "by", "reason")
    rows = tuple(
        (p.benchmark, p.channel, p.run, p.accepted.isoformat(), p.by, p.reason) for p in known
    )
    return Table("Baselines", names, rows)
