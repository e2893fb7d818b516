"""What `gates.json` says, for CI: JUnit XML, a step summary, annotations, a comment.

Names and reasons in it come from files of strangers: every text goes through `plain` or `cell`
before it is printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

SUMMARY_BYTES = 1_000_000
"""GitHub drops a larger step summary without a word; its own limit is 1 MiB."""
COMMENT_CHARACTERS = 60_000
"""GitHub refuses comments above 65,536."""
ANNOTATIONS = 10
"""Of each level, all that GitHub shows for a step."""
TEXT = 300
"""Characters of one text from a file."""
SAMPLES = 20
"""Samples named with a gate."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    r"\ud800-\udfff]+"
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@])")
_ORDER = ("ERROR", "FAIL", "INCONCLUSIVE", "SKIPPED", "PASS")
_MARKS = {
    "PASS": "✅",
    "FAIL": "❌",
    "ERROR": "🛑",
    "INCONCLUSIVE": "❔",
    "SKIPPED": "⏭️",
}


def plain(text: object, limit: int = TEXT) -> str:
    """One line of visible text: no escapes, no control characters, no reordering, not too long."""
    flat = " ".join(_CONTROL.sub(" ", _ESCAPES.sub("", str(text))).split())
    # What a log takes for a workflow command begins with two colons.
    flat = re.sub(r"^::", ": :", flat)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def cell(text: object, limit: int = TEXT) -> str:
    """`plain` text that stays text in Markdown: no markup, mention, link or end of a cell."""
    flat = _MARKDOWN.sub(r"\\\1", plain(text, limit))
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A word joiner keeps GitHub from finding a person, an issue or an address.
    return re.sub(r"(\\[@#]|://|www\.)", "\\g<1>\u2060", flat)


def marker(benchmark: str) -> str:
    """The hidden line by which a comment is found and updated."""
    return f"<!-- bakeoff:gates:{re.sub(r'[^A-Za-z0-9_.]+', '-', benchmark)[:100]} -->"


def _failing(row: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether the gate makes the exit code what it is."""
    if row["state"] == "INCONCLUSIVE":
        wanted = row.get("on_inconclusive", found["policy"]["on_inconclusive"])
        return bool(row["severity"] == wanted == "fail")
    return (row["state"], row["severity"]) == ("FAIL", "fail")


def _name(row: Mapping[str, Any]) -> str:
    parts = [row["id"], row["setup"], row["slice"]]
    return plain(" / ".join(str(part) for part in parts if part)) or "gate"


def _sorted(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Gates, the worst first; those that only warn after those that fail."""
    return sorted(
        found["gates"], key=lambda row: (_ORDER.index(row["state"]), row["severity"] == "warn")
    )


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
    for name in ("run", "benchmark", "state", "exit_code", "limited"):
        ElementTree.SubElement(properties, "property", name=name, value=plain(found[name]))
    for row, kind in zip(found["gates"], kinds, strict=True):
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=_name(row),
            classname=plain(f"bakeoff.{found['benchmark']}"),
            time="0",
        )
        text = "\n".join(_evidence(row))
        if kind:
            word = "warning: " if row["state"] == "FAIL" and kind == "skipped" else ""
            message = plain(f"{word}{row['reason']}")
            child = ElementTree.SubElement(case, kind, type=str(row["state"]), message=message)
            child.text = text
        else:
            ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _kind(row: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if row["state"] == "ERROR":
        return "error"
    if _failing(row, found):
        return "failure"
    return "" if row["state"] == "PASS" else "skipped"


def _evidence(row: Mapping[str, Any]) -> Iterator[str]:
    yield plain(row["check"])
    yield plain(row["reason"])
    numbers = ("left", "right", "gap", "low", "high", "p", "p_adjusted", "n", "detectable")
    known = [f"{name} {row[name]:.6g}" for name in numbers if row.get(name) is not None]
    yield ", ".join([*known, f"mode {row['mode']}", f"method {row['method'] or 'none'}"])
    if row["broke"]:
        yield "samples that got worse: " + ", ".join(_samples(row["broke"]))


def _samples(changed: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        plain(f"{each['task']}/{each['sample']} ({_change(each)})", 120)
        for each in changed[:SAMPLES]
    ]


def _change(each: Mapping[str, Any]) -> str:
    if each["right"] is None:
        return f"{each['left']:.3g}"
    return f"{each['right']:.3g} -> {each['left']:.3g}"


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
    """Markdown for a step's summary: every gate, the least telling ones left out past the limit."""
    head = _head(found, report_link)
    lines = [_row(row) for row in _sorted(found)]
    broken = list(_broken(found, SAMPLES))
    room = SUMMARY_BYTES - len("\n".join([*head, *broken]).encode()) - 1000
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    left = len(lines) - len(kept)
    more = ["", f"{left} more gates are in gates.json."] if left else []
    return "\n".join([*head, *kept, *more, "", *broken]) + "\n"


def comment(found: Mapping[str, Any], report_link: str = "") -> str:
    """A short comment for a pull request; it begins with the hidden `marker`."""
    rows = [row for row in _sorted(found) if row["state"] != "PASS"]
    passed = len(found["gates"]) - len(rows)
    text = [marker(str(found["benchmark"])), *_head(found, report_link)]
    text += [_row(row) for row in rows[:SAMPLES]]
    if len(rows) > SAMPLES:
        text += ["", f"{len(rows) - SAMPLES} more did not pass; see gates.json."]
    text += ["", f"{passed} of {len(found['gates'])} gates passed.", ""]
    for line in _broken(found, SAMPLES):
        if sum(len(each) + 1 for each in text) + len(line) > COMMENT_CHARACTERS:
            break
        text.append(line)
    return "\n".join(text) + "\n"


def _head(found: Mapping[str, Any], report_link: str) -> list[str]:
    state = str(found["state"])
    lines = [f"## {_MARKS.get(state, '')} bakeoff: {state}", ""]
    facts = f"Benchmark {cell(found['benchmark'])}, run {cell(found['run'])}, exit code "
    lines.append(f"{facts}{found['exit_code']}." + (f" {report_link}" if report_link else ""))
    for name, reference in found["references"].items():
        lines.append(f"{cell(name)}: run {cell(reference['run'])}.")
    if found["limited"]:
        lines.append(f"A limited run ({cell(found['limited'])}): not the benchmark's verdict.")
    lines += [f"**Not comparable, and let pass:** {cell(each)}." for each in found["mismatch"][:20]]
    return [*lines, "", "| | gate | evidence |", "| --- | --- | --- |"]


def _row(row: Mapping[str, Any]) -> str:
    warns = " (warns only)" if row["severity"] == "warn" else ""
    state = f"{_MARKS[row['state']]} {row['state']}"
    return f"| {state} | {cell(row['check'])}{warns} | {cell(row['reason'])} |"


def _broken(found: Mapping[str, Any], gates: int) -> Iterator[str]:
    """The samples that got worse, gate by gate, of those that did not pass."""
    rows = [r for r in _sorted(found) if r["broke"] and r["state"] in ("FAIL", "INCONCLUSIVE")]
    for row in rows[:gates]:
        yield f"**{cell(row['check'])}**: what got worse"
        yield ""
        for each in row["broke"][:SAMPLES]:
            yield f"- {cell(each['task'], 80)} / {cell(each['sample'], 80)}: {cell(_change(each))}"
        if row["losses"] > len(row["broke"][:SAMPLES]):
            yield f"- and {row['losses'] - len(row['broke'][:SAMPLES])} more"
        yield ""
