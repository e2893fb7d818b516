"""What `gates.json` says, for CI: JUnit XML, a step summary, annotations, a comment.

Names and reasons in it come from files of strangers: every text goes through `plain` or `cell`
before it is printed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from bakeoff.plain_text import cell, plain

SUMMARY_BYTES = 1_000_000
"""GitHub drops a larger step summary without a word; its own limit is 1 MiB."""
COMMENT_CHARACTERS = 60_000
"""GitHub refuses comments above 65,536."""
ANNOTATIONS = 10
"""Of each level, all that GitHub shows for a step."""
SAMPLES = 20
"""Samples named with a gate, and gates named in a comment."""
MISMATCHES = 5
"""Sentences on what is not comparable, the rest being in `gates.json`."""

_ORDER = ("ERROR", "FAIL", "INCONCLUSIVE", "SKIPPED", "PASS")
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
_WORDS = {
    "ERROR": "without evidence",
    "INCONCLUSIVE": "undecided",
    "SKIPPED": "skipped",
    "PASS": "passed",
}


def marker(benchmark: str) -> str:
    """The hidden line by which a comment is found and updated, another one for every name."""
    name = quote(benchmark, safe="", errors="surrogatepass").replace("--", "-%2D")
    if len(name) > 200:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        name = f"{name[:180]}.{digest}"
    return f"<!-- bakeoff:gates:{name} -->"


def _failing(row: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether the gate makes the exit code what it is."""
    if row["state"] == "INCONCLUSIVE":
        wanted = row.get("on_inconclusive", found["policy"]["on_inconclusive"])
        return bool(row["severity"] == wanted == "fail")
    return (row["state"], row["severity"]) == ("FAIL", "fail")


def _name(row: Mapping[str, Any]) -> str:
    parts = [plain(row[part], 100) for part in ("id", "setup", "slice")]
    return " / ".join(part for part in parts if part) or "gate"


def _sorted(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Gates, the worst first: errors, what decides the exit code, warnings, the rest."""

    def rank(row: Mapping[str, Any]) -> tuple[bool, bool, int]:
        state = row["state"]
        return state != "ERROR", not _failing(row, found), _ORDER.index(state)

    return sorted(found["gates"], key=rank)


def junit(found: Mapping[str, Any]) -> str:
    """JUnit XML: a test case for each gate; warnings, open questions and skips are `skipped`."""
    kinds = [_kind(row, found) for row in found["gates"]]
    counts = {kind: str(kinds.count(kind)) for kind in ("failure", "error", "skipped")}
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=plain(f"bakeoff gates: {found['benchmark']}"),
        tests=str(len(kinds)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped=counts["skipped"],
        time="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(found):
        ElementTree.SubElement(properties, "property", name=plain(name), value=plain(value))
    seed, names = found.get("seed"), Counter[str]()
    for row, kind in zip(found["gates"], kinds, strict=True):
        name = _name(row)
        names[name] += 1
        case = ElementTree.SubElement(
            suite,
            "testcase",
            # Long names that were cut may be the same; CI systems show only one of those.
            name=name if names[name] == 1 else f"{name} ({names[name]})",
            classname=plain(f"bakeoff.{found['benchmark']}"),
            time="0",
        )
        text = "\n".join(_evidence(row, seed))
        if kind:
            word = "warning: " if row["state"] == "FAIL" and kind == "skipped" else ""
            message = plain(f"{word}{row['reason']}")
            child = ElementTree.SubElement(case, kind, type=str(row["state"]), message=message)
            child.text = text
        else:
            ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _properties(found: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name in ("run", "benchmark", "state", "exit_code", "limited", "seed"):
        yield name, found.get(name, "")
    yield from ((f"policy.{name}", value) for name, value in found["policy"].items())
    yield from ((name, reference["run"]) for name, reference in found["references"].items())
    yield from (("mismatch", sentence) for sentence in found["mismatch"][:MISMATCHES])


def _kind(row: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if row["state"] == "ERROR":
        return "error"
    if _failing(row, found):
        return "failure"
    return "" if row["state"] == "PASS" else "skipped"


def _evidence(row: Mapping[str, Any], seed: object) -> Iterator[str]:
    yield plain(row["check"])
    yield plain(row["reason"])
    known = [f"{name} {_number(row[name])}" for name in _NUMBERS if row.get(name) is not None]
    how = [f"mode {row['mode']}", f"method {row['method'] or 'none'}"]
    yield plain(", ".join([*known, *how, *([] if seed is None else [f"seed {seed}"])]))
    if row["broke"]:
        yield "samples that got worse: " + ", ".join(_samples(row["broke"]))


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _samples(changed: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{plain(each['task'], 80)}/{plain(each['sample'], 80)} ({_change(each)})"
        for each in changed[:SAMPLES]
    ]


def _change(each: Mapping[str, Any]) -> str:
    """The value before and after: `left` is the side that the gate is about."""
    if each["right"] is None:
        return f"{each['left']:.3g}"
    return f"{each['right']:.3g} → {each['left']:.3g}"


def workflow_commands(found: Mapping[str, Any]) -> list[str]:
    """GitHub workflow commands, at most ten errors and ten warnings; the last says what is left."""
    levels: dict[str, list[str]] = {"error": [], "warning": []}
    for row in _sorted(found):
        if row["state"] == "ERROR" or _failing(row, found):
            level = "error"
        elif row["state"] in ("FAIL", "INCONCLUSIVE"):
            level = "warning"
        else:
            continue
        title = _property(f"{row['state']}: {_name(row)}")
        message = _data(f"{row['check']}: {row['reason']}")
        levels[level].append(f"::{level} title={title}::{message}")
    return [line for level, lines in levels.items() for line in _at_most(lines, level)]


def _at_most(lines: list[str], level: str) -> list[str]:
    if len(lines) <= ANNOTATIONS:
        return lines
    left = len(lines) - ANNOTATIONS + 1
    more = f"::{level} title=bakeoff::{left} more gates, in gates.json and the step summary"
    return [*lines[: ANNOTATIONS - 1], more]


def _data(text: str) -> str:
    return plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(found: Mapping[str, Any], report_link: str = "") -> str:
    """Markdown for a step's summary: every gate, the least telling ones left out past the limit.

    What did not pass comes first, then the samples that broke, then what passed. `report_link`
    is Markdown.
    """
    rows = _sorted(found)
    passed = [row for row in rows if row["state"] == "PASS"]
    others = [row for row in rows if row["state"] != "PASS"]
    head, broken = _head(found), [*_broken(found)]
    foot = [*_foot(found, report_link)]
    room = SUMMARY_BYTES - sum(_bytes(line) for line in (*head, *broken, *foot)) - 1000
    kept = _that_fit([_row(row) for row in others], room)
    room -= sum(map(_bytes, kept))
    # A better row behind one that was left out would be out of order.
    well = _that_fit([_row(row) for row in passed], room) if len(kept) == len(others) else []
    lines = [*head, *_table(kept), *broken, *_table(well), *_left_out(others[len(kept) :], "")]
    return "\n".join([*lines, *_left_out(passed[len(well) :], ""), *foot]) + "\n"


def comment(found: Mapping[str, Any], report_link: str = "") -> str:
    """A short comment for a pull request; it begins with the hidden `marker`.

    `report_link` is Markdown.
    """
    rows = [row for row in _sorted(found) if row["state"] != "PASS"]
    head = [marker(str(found["benchmark"])), *_head(found)]
    foot = [*_foot(found, report_link)]
    room = COMMENT_CHARACTERS - sum(_bytes(line) for line in (*head, *foot)) - 1000
    kept = _that_fit([_row(row) for row in rows[:SAMPLES]], room)
    room -= sum(map(_bytes, kept))
    lines = [*head, *_table(kept), *_left_out(rows[len(kept) :], " that did not pass")]
    broken = [*_broken(found)]
    named = _that_fit(broken, room)
    cut = [] if len(named) == len(broken) else ["", "More samples are in gates.json."]
    return "\n".join([*lines, *named, *cut, *foot]) + "\n"


def _bytes(line: str) -> int:
    return len(line.encode()) + 1


def _that_fit(lines: Sequence[str], room: int) -> list[str]:
    """The first lines, as many as have room; in bytes, which are never fewer than characters."""
    kept: list[str] = []
    for line in lines:
        room -= _bytes(line)
        if room < 0:
            break
        kept.append(line)
    return kept


def _table(rows: Sequence[str]) -> list[str]:
    return ["", "| | gate | evidence |", "| --- | --- | --- |", *rows] if rows else []


def _left_out(rows: Sequence[Mapping[str, Any]], what: str) -> list[str]:
    if not rows:
        return []
    counts = Counter(row["state"] for row in rows)
    states = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    return ["", f"{len(rows)} more gates{what} are in gates.json ({states})."]


def _head(found: Mapping[str, Any]) -> list[str]:
    """The verdict, how many gates came to what, and what makes the verdict less than it seems."""
    state = str(found["state"])
    lines = [f"## {_MARKS.get(state, '')} bakeoff: {state}", "", _counts(found)]
    if found["limited"]:
        lines += ["", f"A limited run ({cell(found['limited'])}): not the benchmark's verdict."]
    for sentence in found["mismatch"][:MISMATCHES]:
        lines += ["", f"**Not comparable, and let pass:** {cell(sentence)}."]
    if len(found["mismatch"]) > MISMATCHES:
        lines += ["", f"{len(found['mismatch']) - MISMATCHES} more differences are in gates.json."]
    return lines


def _counts(found: Mapping[str, Any]) -> str:
    def kind(row: Mapping[str, Any]) -> str:
        if row["state"] == "FAIL":
            return "failed" if _failing(row, found) else "failed but only warn"
        return _WORDS[row["state"]]

    counts = Counter(kind(row) for row in found["gates"])
    order = ("failed", "failed but only warn", *_WORDS.values())
    known = ", ".join(f"{counts[word]} {word}" for word in order if counts[word])
    total = len(found["gates"])
    return f"{cell(found['benchmark'])}: {total} gate{'s' if total != 1 else ''}: {known or '-'}."


def _foot(found: Mapping[str, Any], report_link: str) -> Iterator[str]:
    yield ""
    facts = f"Run {cell(found['run'])}, exit code {found['exit_code']}."
    yield f"{facts} {report_link}".rstrip()
    for name, reference in found["references"].items():
        when = f", accepted {cell(reference['accepted'])}" if reference.get("accepted") else ""
        why = f" ({cell(reference['reason'])})" if reference.get("reason") else ""
        yield f"Compared with {cell(name)} {cell(reference['run'])}{when}{why}."


def _row(row: Mapping[str, Any]) -> str:
    warns = " (warns only)" if row["severity"] == "warn" else ""
    state = f"{_MARKS[row['state']]} {row['state']}"
    changes = f"; {_changes(row)}" if row["wins"] or row["losses"] else ""
    return f"| {state} | {cell(row['check'])}{warns} | {cell(row['reason'])}{changes} |"


def _changes(row: Mapping[str, Any]) -> str:
    return f"samples: {row['losses']} worse, {row['wins']} better, {row['ties']} same"


def _broken(found: Mapping[str, Any]) -> Iterator[str]:
    """The samples that got worse, gate by gate, of those that did not pass."""
    rows = [r for r in _sorted(found) if r["broke"] and r["state"] in ("FAIL", "INCONCLUSIVE")]
    for row in rows[:SAMPLES]:
        yield from ("", f"**{cell(row['check'])}**: what got worse", "")
        shown = row["broke"][:SAMPLES]
        for each in shown:
            yield f"- {cell(each['task'], 80)} / {cell(each['sample'], 80)}: {_change(each)}"
        if row["losses"] > len(shown):
            yield f"- and {row['losses'] - len(shown)} more"
    if len(rows) > SAMPLES:
        yield ""
        yield f"The samples of {len(rows) - SAMPLES} more gates are in gates.json."
