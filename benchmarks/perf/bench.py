"""Measure every table of docs/validation/speed.md again, or one, and write them into the document.

    make bench                  # all of them, at most 15 minutes on two cores
    make bench BENCH=endpoints  # one
    python benchmarks/perf/bench.py --render   # the document alone, from what is kept

Each table is a function `table` of one file here and runs in a process of its own. What was
measured, on which commit and processor, is kept in results/reference/bench.json. Ratios that moved
by a tenth or more since are named: such a change says so in the changelog.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figures import Table

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "results" / "reference" / "bench.json"
DOCUMENT = ROOT / "docs" / "validation" / "speed.md"
TABLES: Mapping[str, str] = {
    "endpoints": "endpoint_speed",
    "faults": "endpoint_faults",
    "kills": "endpoint_kills",
    "size": "size_speed",
    "local": "local_speed",
    "embedding": "embedding_speed",
    "importing": "import_speed",
    "comparing": "compare_speed",
    "scoring": "score_speed",
    "tuning": "tuning_speed",
}
"""Table -> the file here that measures it."""
MOVED = 0.1
"""Share by which a ratio has moved that is worth a line in the changelog."""


def kept() -> dict[str, dict[str, Any]]:
    """What was measured: by table its header and rows, and where they are from."""
    found: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def table_of(entry: Mapping[str, Any]) -> Table:
    return Table(tuple(entry["header"]), tuple(tuple(row) for row in entry["rows"]))


def render(document: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The document with each table between its two marks."""
    for name in TABLES:
        said = f"Not measured yet: `make bench BENCH={name}`."
        if entry := entries.get(name):
            source = f"Measured {entry['date']}, commit {entry['commit']}: {entry['machine']}."
            said = f"{table_of(entry).markdown()}\n\n{source}"
        made = f"<!-- bench:{name} -->\n\n{said}\n\n<!-- end -->"
        pattern = rf"<!-- bench:{name} -->.*?<!-- end -->"
        document = re.sub(pattern, lambda _, made=made: made, document, flags=re.DOTALL)
    return document


def moved(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """The ratios that are not what they were."""
    return [
        f"{place}: {before[place]:.2f} x, now {value:.2f} x"
        for place, value in now.items()
        if place in before and abs(value - before[place]) >= MOVED * before[place]
    ]


def commit() -> str:
    """The commit that is measured, marked when the code differs from it."""
    asked = ["git", "rev-parse", "--short=12", "HEAD"]
    head = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    differ = ["git", "diff", "--quiet", "HEAD", "--", "src", "benchmarks"]
    dirty = subprocess.run(differ, cwd=ROOT, check=False).returncode
    return head.stdout.strip() + ("-dirty" if dirty else "")


def measured(name: str) -> dict[str, Any]:
    """The table, measured now in a process of its own."""
    command = [sys.executable, __file__, "--print", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    from bakeoff.runs import machine

    hardware = machine.hardware()
    told = f"{hardware.processor}, {hardware.cores} cores, {hardware.memory_gb} GB"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": f"{told}, {hardware.gpu}" if hardware.gpu else told,
        **json.loads(done.stdout.splitlines()[-1]),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all where none is named")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--print", choices=list(TABLES), help="measure one and print it as JSON")
    options = parser.parse_args()
    if options.print:
        found = importlib.import_module(TABLES[options.print]).table()
        print(json.dumps(asdict(found)))
        return
    entries = kept()
    for name in [] if options.render else options.tables or TABLES:
        started = time.monotonic()
        entry = measured(name)
        print(f"\n{name}, {time.monotonic() - started:.0f} s\n\n{table_of(entry).markdown()}\n")
        if name in entries:
            for line in moved(table_of(entries[name]).ratios(), table_of(entry).ratios()):
                print(f"moved: {name}: {line}")
        entries[name] = entry
        KEPT.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    DOCUMENT.write_text(render(DOCUMENT.read_text(), entries))


if __name__ == "__main__":
    main()
