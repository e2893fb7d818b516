"""What a run has measured of itself."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.counts import quantity


def checks(run: Run) -> list[str]:
    """What the run measured of its own numbers, in sentences."""
    known, sentences = run.manifest.checks, []
    for task, audit in run.manifest.audit.items():
        sentences += [
            f"data: {task}: {finding.count} of {finding.of} {finding.about}"
            for finding in audit.findings.values()
            if finding.grave and finding.count
        ]
    for name, tally in (known.tokens or {}).items():
        sentences.append(
            f"tokens: {name} counted {tally.differing} of "
            f"{quantity(tally.checked, 'prompt')} otherwise "
            f"than the named tokenizer (by up to {quantity(tally.largest, 'token')})"
        )
    for name, check in (known.batches or {}).items():
        sentences.append(
            f"batches: {check.differing} of {check.prompts} answers of {name} change when "
            "they are generated alone instead of in a batch"
        )
    if known.load:
        peak = max(value for values in known.load.values() for value in values)
        machine = run.manifest.hardware
        cores = f", on {quantity(machine.cores, 'core')}" if machine and machine.cores else ""
        sentences.append(
            f"load: at most {quantity(peak, 'process', 'processes')} wanted to run at "
            f"the ends of the latency pass{cores}"
        )
    return sentences
