"""The verdicts of `gates.json` for CI: JUnit XML, a step summary, annotations, a comment.

Names and reasons may come from untrusted files: every text goes through `plain` or `cell`
before it is printed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote
from xml.etree import ElementTree

from bakeoff.core.counts import quantity
from bakeoff.core.plain_text import cell, plain
from bakeoff.outputs.tables import gates
from bakeoff.runs.verdicts import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    PASS,
    STATES,
    Changed,
    Verdict,
    Verdicts,
)

SUMMARY_BYTES = 1_000_000
"""GitHub silently drops a larger step summary; its own limit is 1 MiB."""
COMMENT_CHARACTERS = 60_000
"""GitHub refuses comments above 65,536."""
ANNOTATIONS = 10
"""Per level: all that GitHub shows for a step."""
SAMPLES = 20
"""Samples listed with a gate, and gates listed in a comment."""
MISMATCHES = 5
"""Sentences on what is not comparable; the rest is in `gates.json`."""

_MARKS = {
    "PASS": "✅",
    "FAIL": "❌",
    "ERROR": "🛑",
    "INCONCLUSIVE": "❔",
    "SKIPPED": "⏭️",
}
_NUMBERS = (
    *("left", "right", "gap", "low", "high", "p", "p_adjusted"),
    *("n", "wins", "ties", "losses", "detectable", "needed"),
)


def marker(benchmark: str) -> str:
    """The hidden line that identifies a comment, so that it is updated; unique per benchmark."""
    name = quote(benchmark, safe="", errors="surrogatepass").replace("--", "-%2D")
    if len(name) > 200:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        name = f"{name[:180]}.{digest}"
    return f"<!-- bakeoff:gates:{name} -->"


def _name(gate: Verdict) -> str:
    parts = [plain(part, 100) for part in (gate.id, gate.setup, gate.slice)]
    return " / ".join(part for part in parts if part) or "gate"


def junit(verdicts: Verdicts) -> str:
    """JUnit XML: a test case per gate; warnings, inconclusive and skipped gates are `skipped`."""
    kinds = [_kind(gate) for gate in verdicts.gates]
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=plain(f"bakeoff gates: {verdicts.benchmark}"),
        tests=str(len(kinds)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(verdicts):
        ElementTree.SubElement(properties, "property", name=plain(name), value=plain(value))
    names = Counter[str]()
    for gate, kind in zip(verdicts.gates, kinds, strict=True):
        name = _name(gate)
        names[name] += 1
        case = ElementTree.SubElement(
            suite,
            "testcase",
            # Long names that were cut may be the same; CI systems show only one of those.
            name=name if names[name] == 1 else f"{name} ({names[name]})",
            classname=plain(f"bakeoff.{verdicts.benchmark}"),
            time="0",
        )
        text = "\n".join(_evidence(gate, verdicts.seed))
        if kind:
            message = plain(f"{'warning: ' if gate.warning else ''}{gate.reason}")
            child = ElementTree.SubElement(case, kind, type=gate.state, message=message)
            child.text = text
        else:
            ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _properties(verdicts: Verdicts) -> Iterator[tuple[str, object]]:
    yield from (("run", verdicts.run), ("benchmark", verdicts.benchmark), ("state", verdicts.state))
    yield from (("exit_code", verdicts.exit_code), ("limited", verdicts.limited))
    yield "seed", "" if verdicts.seed is None else verdicts.seed
    yield from ((f"policy.{name}", value) for name, value in verdicts.policy if value != ())
    yield from ((name, reference.run) for name, reference in verdicts.references.items())
    yield from (("mismatch", sentence) for sentence in verdicts.mismatch[:MISMATCHES])
    yield from (("treatment", sentence) for sentence in verdicts.treatment[:MISMATCHES])


def _kind(gate: Verdict) -> str:
    if gate.state == ERROR:
        return "error"
    if gate.failing:
        return "failure"
    return "" if gate.state == PASS else "skipped"


def _evidence(gate: Verdict, seed: int | None) -> Iterator[str]:
    yield plain(gate.check)
    yield plain(gate.reason)
    numbers = {name: getattr(gate, name) for name in _NUMBERS}
    known = [f"{name} {_number(n)}" for name, n in numbers.items() if n is not None]
    how = [f"mode {gate.mode}", f"method {gate.method or 'none'}"]
    yield plain(", ".join([*known, *how, *([] if seed is None else [f"seed {seed}"])]))
    if gate.broke:
        yield "samples that got worse: " + ", ".join(_samples(gate.broke))


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _samples(changed: Sequence[Changed]) -> list[str]:
    return [
        f"{plain(sample.task, 80)}/{plain(sample.sample, 80)} ({_change(sample)})"
        for sample in changed[:SAMPLES]
    ]


def _change(sample: Changed) -> str:
    """The value before and after: `left` is the side that the gate is about."""
    if sample.right is None:
        return f"{sample.left:.3g}"
    return f"{sample.right:.3g} → {sample.left:.3g}"


def workflow_commands(verdicts: Verdicts) -> list[str]:
    """GitHub workflow commands, at most ten errors and ten warnings; the last counts the rest."""
    levels: dict[str, list[str]] = {"error": [], "warning": []}
    for gate in verdicts.worst_first:
        if gate.state == ERROR or gate.failing:
            level = "error"
        elif gate.state in (FAIL, INCONCLUSIVE):
            level = "warning"
        else:
            continue
        title = _property(f"{gate.state}: {_name(gate)}")
        message = _data(f"{gate.check}: {gate.reason}")
        levels[level].append(f"::{level} title={title}::{message}")
    return [line for level, lines in levels.items() for line in _at_most(lines, level)]


def _at_most(lines: list[str], level: str) -> list[str]:
    if len(lines) <= ANNOTATIONS:
        return lines
    left = len(lines) - ANNOTATIONS + 1
    more = (
        f"::{level} title=bakeoff::{quantity(left, 'more gate')}, in gates.json "
        "and the step summary"
    )
    return [*lines[: ANNOTATIONS - 1], more]


def _data(text: str) -> str:
    return plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(verdicts: Verdicts, report_link: str = "") -> str:
    """Markdown for a step summary: every gate; past the size limit, passed gates go first.

    Gates that did not pass come first, then samples that got worse, then gates that passed.
    `report_link` is Markdown.
    """
    passed = [gate for gate in verdicts.worst_first if gate.state == PASS]
    others = [gate for gate in verdicts.worst_first if gate.state != PASS]
    head, broken = _head(verdicts), [*_broken(verdicts)]
    foot = [*_foot(verdicts, report_link)]
    room = SUMMARY_BYTES - sum(_bytes(line) for line in (*head, *broken, *foot)) - 1000
    kept = _that_fit(map(_row, others), room)
    room -= sum(map(_bytes, kept))
    # A better row behind one that was left out would be out of order.
    well = _that_fit(map(_row, passed), room) if len(kept) == len(others) else []
    lines = [*head, *_table(kept), *broken, *_table(well), *_left_out(others[len(kept) :], "")]
    return "\n".join([*lines, *_left_out(passed[len(well) :], ""), *foot]) + "\n"


def comment(verdicts: Verdicts, report_link: str = "") -> str:
    """A short comment for a pull request; it begins with the hidden `marker`.

    `report_link` is Markdown.
    """
    gates = [gate for gate in verdicts.worst_first if gate.state != PASS or gate.not_disproved]
    head = [marker(verdicts.benchmark), *_head(verdicts)]
    foot = [*_foot(verdicts, report_link)]
    room = COMMENT_CHARACTERS - sum(_bytes(line) for line in (*head, *foot)) - 1000
    kept = _that_fit(map(_row, gates[:SAMPLES]), room)
    room -= sum(map(_bytes, kept))
    lines = [*head, *_table(kept), *_left_out(gates[len(kept) :], " that did not pass")]
    broken = [*_broken(verdicts)]
    named = _that_fit(broken, room)
    cut = [] if len(named) == len(broken) else ["", "More samples are in gates.json."]
    return "\n".join([*lines, *named, *cut, *foot]) + "\n"


def _bytes(line: str) -> int:
    return len(line.encode()) + 1


def _that_fit(lines: Iterable[str], room: int) -> list[str]:
    """The first lines, as many as have room; in bytes, which are never fewer than characters.

    Lines are taken as there is room for them: most of ten thousand need not be made.
    """
    kept: list[str] = []
    for line in lines:
        room -= _bytes(line)
        if room < 0:
            break
        kept.append(line)
    return kept


def _table(rows: Sequence[str]) -> list[str]:
    return ["", "| | gate | evidence |", "| --- | --- | --- |", *rows] if rows else []


def _left_out(gates: Sequence[Verdict], what: str) -> list[str]:
    if not gates:
        return []
    counts = Counter(gate.state for gate in gates)
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return ["", f"In gates.json: {quantity(len(gates), 'more gate')}{what} ({states})."]


def _head(verdicts: Verdicts) -> list[str]:
    """The verdict, the number of gates per state, and the limits of the verdict."""
    counted = f"Benchmark {cell(verdicts.benchmark)}: {gates.counted(verdicts)}."
    lines = [f"## {_MARKS[verdicts.state]} bakeoff: {verdicts.state}", "", counted]
    if verdicts.limited:
        lines += ["", f"A limited run ({cell(verdicts.limited)}): not the benchmark's verdict."]
    for sentence in verdicts.mismatch[:MISMATCHES]:
        lines += ["", f"**Not comparable (--allow-mismatch):** {cell(sentence)}."]
    lines += [
        line
        for sentence in verdicts.treatment[:MISMATCHES]
        for line in ("", f"{cell(gates.differs(sentence))}.")
    ]
    more = sum(max(0, len(s) - MISMATCHES) for s in (verdicts.mismatch, verdicts.treatment))
    return [*lines, *(["", f"In gates.json: {quantity(more, 'more difference')}."] if more else [])]


def _foot(verdicts: Verdicts, report_link: str) -> Iterator[str]:
    yield ""
    facts = f"Run {cell(verdicts.run)}, exit code {verdicts.exit_code}."
    yield f"{facts} {report_link}".rstrip()
    yield from (cell(sentence) for sentence in gates.references(verdicts))


def _row(gate: Verdict) -> str:
    warns = " (warns only)" if gate.severity == "warn" else ""
    changes = f"; {_changes(gate)}" if gate.wins or gate.losses else ""
    state = f"{_MARKS[gate.state]} {gate.state}"
    return f"| {state} | {cell(gate.check)}{warns} ({gate.mode}) | {cell(gate.reason)}{changes} |"


def _changes(gate: Verdict) -> str:
    return f"samples: {gate.losses} worse, {gate.wins} better, {gate.ties} same"


def _broken(verdicts: Verdicts) -> Iterator[str]:
    """The samples that got worse, gate by gate, of those that did not pass."""
    gates = [g for g in verdicts.worst_first if g.broke and g.state in (FAIL, INCONCLUSIVE)]
    for gate in gates[:SAMPLES]:
        yield from ("", f"**{cell(gate.check)}**: samples that got worse", "")
        shown = gate.broke[:SAMPLES]
        for sample in shown:
            yield f"- {cell(sample.task, 80)} / {cell(sample.sample, 80)}: {_change(sample)}"
        if gate.losses > len(shown):
            yield f"- and {gate.losses - len(shown)} more"
    if len(gates) > SAMPLES:
        yield ""
        yield f"In gates.json: the samples of {quantity(len(gates) - SAMPLES, 'more gate')}."
