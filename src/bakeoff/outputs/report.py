"""A finished run as tables: one set of tables, rendered for a terminal and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bakeoff.analysis.abstention import CELLS
from bakeoff.analysis.compare import CHANGED
from bakeoff.analysis.comparison import (
    Freshness,
    Latency,
    RunComparison,
    Share,
    Summary,
    TaskComparison,
    Times,
    Work,
)
from bakeoff.analysis.latency import clear
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.run_comparison import sides
from bakeoff.analysis.stats import ALPHA
from bakeoff.core.estimate import Difference, Estimate
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import Table, cell, markdown_lines, number
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.decide.gates.power import Preview
from bakeoff.outputs.head_to_head import head_to_head
from bakeoff.runs.manifest import Imported, Manifest
from bakeoff.runs.store import ADVICE, COST
from bakeoff.runs.verdicts import Verdict, Verdicts

DECLINES = 0.9
"""Share of wrong refusals from which a setup is said to decline everything."""
GATES_SHOWN = 100
"""Gates in a table, the worst first."""


def best_of(summary: Summary, higher: bool) -> set[str]:
    """The setups that are best, or not clearly worse than the best; none when all are."""
    valued = {s: e.value for s, e in summary.setups.items() if e.value is not None}
    if len(set(valued.values())) < 2:
        return set()
    top = (max if higher else min)(valued, key=lambda s: valued[s])
    best = {s for s in valued if s == top or not differ(summary, s, top)}
    return set() if len(best) == len(valued) else best


def differ(summary: Summary, a: str, b: str) -> bool:
    """Whether two setups differ by more than chance: an interval without 0.

    Where nothing bounds an interval, as for token counts that are all the same, the p decides.
    """
    differences = summary.differences
    found = differences.get(f"{b} - {a}") or differences.get(f"{a} - {b}")
    if not found:
        return False
    if not found.known:
        return found.p is not None and found.p < ALPHA
    return found.clear


def beyond_noise(run: Run, task: str, setup: str) -> bool:
    """Whether a setup's time differs from the first one's by more than the machine's noise."""
    timed = run.comparison.tasks[task].latency
    return timed is not None and setup in timed.setups and _beyond(timed, setup)


def _beyond(timed: Latency, setup: str) -> bool:
    return clear(timed.setups[setup].ratio, timed.noise)


def headline(run: Run) -> Table:
    """Setups side by side: each task's headline metric, then time and tokens."""
    setups = list(run.suite.setups)
    rows = [_row(run, task, facts.headline, setups) for task, facts in run.comparison.tasks.items()]
    for metric in ("latency_s", "prompt_tokens", "error"):
        for task, facts in run.comparison.tasks.items():
            if metric in facts.metrics and (metric != "error" or _failed(facts.metric(metric))):
                rows.append(_row(run, task, metric, setups))
    return Table(
        f"{run.manifest.benchmark}, run {run.folder.name}"
        + (f" (limited: {run.limited})" if run.limited else ""),
        ("task", "metric", "n", *setups),
        tuple(rows),
        "95% intervals in brackets; * differs from the first setup by more than chance "
        "(paired); ^ best in the row, or not clearly worse than the best.",
    )


def _failed(errors: Summary) -> bool:
    return any(estimate.value for estimate in errors.setups.values())


def _row(run: Run, task: str, metric: str, setups: Sequence[str]) -> tuple[str, ...]:
    summary = run.comparison.tasks[task].metric(metric)
    by_setup = summary.setups
    best = best_of(summary, run.metric(task, metric).higher_is_better)
    cells = []
    for setup in setups:
        if setup not in by_setup:
            cells.append("-")
            continue
        differs = setup != setups[0] and differ(summary, setup, setups[0])
        if differs and metric == "latency_s":
            differs = beyond_noise(run, task, setup)
        mark = ("*" if differs else "") + ("^" if setup in best else "")
        unjudged = by_setup[setup].unjudged
        cells.append(
            cell(by_setup[setup], metric, mark) + (f" ({unjudged} unjudged)" if unjudged else "")
        )
    counts = sorted({e.n for e in by_setup.values()})
    n = "-".join(str(c) for c in ([counts[0], counts[-1]] if len(counts) > 1 else counts))
    return (task, metric, n, *cells)


def _answered(run: Run, task: str, setups: Sequence[str]) -> list[tuple[str, ...]]:
    """The headline metric over the samples that each setup answered, where some failed."""
    facts = run.comparison.tasks[task]
    found, metric = facts.answered, facts.headline
    if not found:
        return []
    cells = [cell(found[s], metric) if s in found else "-" for s in setups]
    counts = sorted({e.n for e in found.values()})
    n = "-".join(dict.fromkeys(map(str, (counts[0], counts[-1]))))
    return [(task, f"{metric}, failures left out", n, *cells)]


def effects(run: Run) -> Table:
    """The square by subtraction, for each task's headline metric."""
    tasks = run.comparison.tasks
    known = {task: facts.metric(facts.headline).effects for task, facts in tasks.items()}
    names = list(dict.fromkeys(name for found in known.values() for name in found))
    rows = [
        (task, tasks[task].headline, *(signed(found.get(name)) for name in names))
        for task, found in known.items()
        if found
    ]
    return Table(
        "What tuning and retrieval each change",
        ("task", "metric", *names),
        tuple(rows),
        "Paired differences with 95% intervals; * an interval without 0. Interaction: what both "
        "together give beyond the sum of each.",
    )


def signed(estimate: Estimate | None) -> str:
    """A difference with its sign and interval, `*` where that leaves 0 out."""
    if estimate is None or estimate.value is None:
        return "-"
    text = f"{estimate.value:+.3f}"
    if not estimate.known:
        return text
    low, high = estimate.ends
    return f"{text} [{low:+.3f}, {high:+.3f}]{'*' if estimate.clear else ''}"


def findings(run: Run) -> list[str]:
    """What the numbers say in words: what tuning does to the use of context, who never answers."""
    said = []
    for task, facts in run.comparison.tasks.items():
        metric = facts.headline
        if effect := facts.metric(metric).effects.get("tuning, open book"):
            better = run.metric(task, metric).higher_is_better
            text = signed(effect).rstrip("*")
            said.append(f"{task}: {_damage(effect, better)} ({metric}, hybrid less rag {text}).")
        said += [
            f"{task}: {setup} declines {found.value:.0%} of the questions that have an answer: "
            "what it scores on those without one is no merit."
            for setup, found in facts.metric("wrong_refusal").setups.items()
            if found.value is not None and found.value >= DECLINES
        ]
    return said


def _damage(effect: Difference, higher_is_better: bool) -> str:
    low, high = effect.ends
    if not effect.known:
        return "too few samples to say what tuning does to answers from passages"
    worse, gains = (high < 0, low > 0) if higher_is_better else (low > 0, high < 0)
    if worse:
        return "tuning damages the use of retrieved passages"
    if gains:
        return "tuning improves answers from retrieved passages"
    size = effect.detectable
    bound = f"; a change of {size:.2g} would probably have been seen" if size else ""
    return f"no effect of tuning on answers from retrieved passages was seen{bound}"


def differences(run: Run, task: str) -> Table:
    """Every pair of setups on the headline metric: how far apart, and is it chance."""
    facts = run.comparison.tasks[task]
    metric = facts.headline
    found = facts.metric(metric).differences
    return _pairs(f"{task}: {metric}, pair by pair", found, metric)


_PAIRS = (
    *("pair", "n", "difference", "p", "better", "same", "worse"),
    *("detectable", "n needed"),
)


def _pairs(title: str, found: Mapping[str, Difference], metric: str) -> Table:
    rows = tuple((name, *_pair(each, metric)) for name, each in found.items())
    return Table(
        title,
        _PAIRS,
        rows,
        "Paired; p: two-sided sign-flip permutation (McNemar's exact test for 0/1 scores). "
        "Detectable: the true difference that 80% of such runs would find; n needed: samples "
        "for which the difference seen would be that.",
    )


def _pair(found: Difference, metric: str) -> tuple[str, ...]:
    if found.value is None:
        return ("0", *["-"] * 7)
    p = found.p
    return (
        str(found.n),
        signed(found),
        "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}",
        *map(str, (found.wins, found.ties, found.losses)),
        number(found.detectable, metric),
        str(found.needed or "-"),
    )


def changed(run: Run, task: str) -> Table:
    """The samples that one setup gets worse, and better, than another on the headline metric."""
    rows = []
    for pair, found in run.comparison.tasks[task].changed.items():
        for word, changes in (("worse", found.broke), ("better", found.mended)):
            if names := [change.sample for change in changes]:
                more = f" and more ({CHANGED} named)" if len(names) == CHANGED else ""
                rows.append((pair, word, ", ".join(names) + more))
    return Table(f"{task}: samples that changed sides", ("pair", "", "samples"), tuple(rows))


def repeats(run: Run) -> Table:
    """How far answers to the same question vary, where each was asked several times."""
    k = str(run.suite.repeats)
    rows = []
    for task, facts in run.comparison.tasks.items():
        for metric in _repeated(facts):
            for setup, found in facts.metric(metric).repeats.items():
                numbers = [getattr(found, name) for name in _VARIED]
                numbers += [(rates or {}).get(k) for rates in (found.pass_at, found.pass_hat)]
                rows.append((task, metric, setup, *(number(value, "") for value in numbers)))
    return Table(
        f"Repeats: {k} answers to each question",
        ("task", "metric", "setup", *_VARIED.values(), f"pass@{k}", f"pass^{k}"),
        tuple(rows),
        "Variance between samples, and within them (decoding, machine); correlation: the first "
        "one's share. More repeats help where within is large. Flips: samples answered right as "
        "well as wrong. Disagreement: how often two answers to one question score differently. "
        f"pass@{k}: one of {k} answers is right; pass^{k}: all are.",
    )


def judged_again(run: Run) -> Table:
    """How far a judge varies, where it was asked several times of the same answers."""
    rows = [
        (
            *(task, metric, setup, str(found.opinions), str(found.answers)),
            *(number(part, "") for part in (found.between, found.sampling, found.judge)),
        )
        for task, facts in run.comparison.tasks.items()
        for metric, summary in facts.metrics.items()
        for setup, found in summary.opinions.items()
    ]
    return Table(
        "Judges asked again",
        (
            *("task", "metric", "setup", "opinions", "answers"),
            *("variance between samples", "of sampling", "of the judge"),
        ),
        tuple(rows),
        "Variance of one judge's scores, split into samples, repeated answers (where there are "
        "such) and the judge's own wavering on one answer.",
    )


_VARIED = {
    "between": "variance between",
    "within": "variance within",
    "correlation": "correlation",
    "flips": "flips",
    "disagreement": "disagreement",
}


def _repeated(facts: TaskComparison) -> list[str]:
    """The headline, and where it is not of 0 and 1 the first metric that is."""
    varied = [name for name, m in facts.metrics.items() if m.repeats and name not in MEASURED]
    rates = [
        name
        for name in varied
        if any(found.flips is not None for found in facts.metric(name).repeats.values())
    ]
    headline = [name for name in varied if name == facts.headline]
    return headline if facts.headline in rates else [*headline, *rates[:1]]


CONFUSED = 10
"""Confusions of a setup that are listed; comparison.json has them all."""


def confused(run: Run, task: str) -> Table:
    """Which labels a task's setups took for which, most often first."""
    rows = [
        (setup, expected, said, str(n), f"{n / total:.0%}")
        for setup, pairs in run.comparison.tasks[task].confusion.items()
        for expected, said, n, total in mistakes(pairs)
    ]
    return Table(
        f"{task}: labels that were mistaken",
        ("setup", "expected", "said", "answers", "of that label"),
        tuple(rows),
        f"The {CONFUSED} most frequent of each setup; comparison.json has the whole matrix.",
    )


def mistakes(pairs: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, int, int]]:
    """(expected, said, answers, all answers of that label) of the wrong ones, most often first."""
    totals: Counter[str] = Counter()
    for expected, _, n in pairs:
        totals[expected] += n
    wrong = [(label, said, n, totals[label]) for label, said, n in pairs if label != said]
    return sorted(wrong, key=lambda row: (-row[2], row))[:CONFUSED]


def freshness(run: Run) -> list[Table]:
    """Of each task whose documents changed: every setup right after, and after its update."""
    return [
        _freshness(run, task, facts.freshness)
        for task, facts in run.comparison.tasks.items()
        if facts.freshness and facts.freshness.setups
    ]


def _freshness(run: Run, task: str, found: Freshness) -> Table:
    metric, changes = run.headlines[task], list(found.n)
    rows = []
    for setup, updated in found.setups.items():
        states = (
            ("right after", updated.stale, updated.stale_rate.get("before"), ""),
            ("updated", updated.fresh, updated.stale_rate.get("after"), _needed(updated.work)),
        )
        for state, by_change, stale, needed in states:
            values = [cell(by_change[change], metric) for change in changes]
            rows.append((setup, state, *values, cell(stale, metric) if stale else "-", needed))
        gained = [signed(updated.gains[change]) for change in changes]
        rows.append((setup, "difference", *gained, "", ""))
    heads = (f"{change} ({n})" for change, n in found.n.items())
    return Table(
        f"{task}: when the documents change ({metric})",
        ("setup", "state", *heads, "stale answers", "work of the update"),
        tuple(rows),
        "Right after: the setup as it was before the change. Stale answers were right before the "
        "change. Questions: changed has another answer now, removed none any more, new is answered "
        "for the first time, unchanged as before. * a paired difference by more than chance.",
    )


def _needed(work: Work) -> str:
    """The work of an update in words."""
    counts = {"tokens": work.tokens, "rows": work.rows, "passages": work.passages}
    parts = [f"{n} {name}" for name, n in counts.items() if n]
    if work.seconds is None:
        return ", ".join(["not measured", *parts])
    return ", ".join([f"{work.seconds:.1f} s", *parts]) if parts else "nothing to do"


def declining(run: Run) -> Table:
    """What each setup does with questions that have an answer, and with those that have none."""
    rows = [
        (
            task,
            setup,
            *(_share(found.cell(kind, done)) for kind, done in CELLS),
            str(found.failed + found.unjudged),
        )
        for task, facts in run.comparison.tasks.items()
        for setup, found in facts.abstention.items()
    ]
    sources = {
        ", ".join(found.by)
        for facts in run.comparison.tasks.values()
        for found in facts.abstention.values()
    }
    return Table(
        "Answering and declining",
        ("task", "setup", *_CELLS, "failed or unjudged"),
        tuple(rows),
        f"Answers, and their share of that kind of question; by {'; '.join(sorted(sources))}.",
    )


_CELLS = (
    *("has an answer: right", "wrong", "declined"),
    *("has none: declined", "answered"),
)


def _share(found: Share) -> str:
    return "-" if found.share is None else f"{found.n} ({found.share:.0%})"


def between_runs(found: RunComparison) -> list[Table]:
    """The tables of a comparison between runs."""
    names = sides(found)
    rows = [
        (
            task,
            metric,
            *(cell(facts.sides[n], metric) if n in facts.sides else "-" for n in names),
        )
        for task, metrics in found.tasks.items()
        for metric, facts in metrics.items()
    ]
    runs = ", ".join(f"{label} = {run}" for label, run in found.runs.items())
    warning = "".join(f" NOT COMPARABLE: {sentence}." for sentence in found.mismatch)
    tables = [Table("Runs side by side", ("task", "metric", *names), tuple(rows), runs + warning)]
    for task, metrics in found.tasks.items():
        pairs = {
            f"{metric}: {pair}": each
            for metric, facts in metrics.items()
            for pair, each in facts.differences.items()
        }
        tables.append(_pairs(f"{task}: later less earlier", pairs, ""))
    return tables


def tables(run: Run) -> list[Table]:
    """What `bakeoff compare` shows of one run."""
    parts = [headline(run), effects(run)]
    for task in run.samples:
        parts += [details(run, task), differences(run, task)]
    parts += [declining(run), repeats(run), judged_again(run), latencies(run), spending(run)]
    return [table for table in parts if table.rows]


def details(run: Run, task: str) -> Table:
    """Every metric of one task."""
    setups = list(run.suite.setups)
    metrics = list(run.comparison.tasks[task].metrics)
    ordered = [m for m in metrics if m not in MEASURED] + [m for m in metrics if m in MEASURED]
    rows = tuple(_row(run, task, metric, setups)[1:] for metric in ordered)
    rows += tuple(row[1:] for row in _answered(run, task, setups))
    facts = run.manifest.tasks[task]
    sampled = f" (a seeded sample of {facts.population})" if facts.n < facts.population else ""
    dropped = len(facts.dropped)
    left_out = (
        f" {dropped} training rows were left out: they (nearly) repeat test rows."
        if dropped
        else ""
    )
    return Table(task, ("metric", "n", *setups), rows, f"{facts.n} samples{sampled}.{left_out}")


def latencies(run: Run) -> Table:
    """The latency pass: quantiles, parts, and ratios to the first setup on the same samples."""
    rows = []
    for task, facts in run.comparison.tasks.items():
        if (timed := facts.latency) is None:
            continue
        for setup, found in timed.setups.items():
            again = setup == next(iter(timed.setups))
            ratio = timed.noise if again else found.ratio
            mark = "*" if not again and _beyond(timed, setup) else ""
            twice = " (asked twice)" if again and ratio.value is not None else ""
            text = _ratio(ratio) + mark + twice
            n = f"{found.n} ({found.failed} failed)" if found.failed else str(found.n)
            rows.append((task, setup, "1", n, text, *_times(found)))
        for level, by_setup in timed.loaded.items():
            for setup, times in by_setup.items():
                rows.append((task, setup, level, str(times.n), "-", *_times(times)))
    return Table(
        "Latency",
        (
            *("task", "setup", "at once", "n", "ratio", "p50", "p90", "p95", "p99"),
            *("first token", "per token", "retrieve", "prefill", "decode", "tokens/s"),
        ),
        tuple(rows),
        "One question at a time, setups in turn. Ratio: median over the same questions to the "
        "first setup, 95% interval by order statistics; * beyond the noise, which is the first "
        "setup asked twice in every turn. Parts are medians; retrieval is not part of the times "
        "at several at once. Ratios compare; seconds are of this machine at that hour.",
    )


def _times(found: Times) -> tuple[str, ...]:
    quantiles = [
        "n too small" if estimate.value is None else cell(estimate, "latency_s")
        for estimate in found.quantiles.values()
    ]
    parts = (found.first_token_s, found.per_token_s, found.retrieve_s, found.prefill_s)
    seconds = [number(value, "latency_s") for value in (*parts, found.decode_s)]
    speed = found.tokens_per_s
    return (*quantiles, *seconds, "-" if speed is None else f"{speed:.0f}")


def _ratio(found: Estimate) -> str:
    if found.value is None:
        return "-"
    text = f"{found.value:.2f}x"
    if not found.known:
        return f"{text} (n too small for an interval)"
    low, high = found.ends
    return f"{text} [{low:.2f}, {high:.2f}]"


def spending(run: Run) -> Table:
    """What each setup sent and spent, the cache left out."""
    rows = tuple(
        (
            setup,
            str(spent.requests or "-"),
            str(spent.from_cache),
            str(spent.prompt_tokens),
            str(spent.completion_tokens),
            f"{spent.cost:.4g}" if spent.cost else "-",
            ", ".join(f"{count} {kind}" for kind, count in spent.failed.items()) or "-",
        )
        for setup, spent in run.manifest.spent.items()
    )
    judges = tuple(
        (
            f"judge {by}",
            str(judge.asked - judge.from_cache),
            str(judge.from_cache),
            str(judge.prompt_tokens),
            str(judge.completion_tokens),
            f"{judge.cost:.4g}" if judge.cost else "-",
            str(judge.failed or "-"),
        )
        for by, judge in run.manifest.judges.items()
    )
    return Table(
        "Spent",
        ("setup", "requests", "from cache", "prompt tokens", "completion tokens", "cost", "failed"),
        rows + judges,
        "Requests are those that went over a network, repeated attempts included. Tokens and cost "
        "are of answers that were made in this run.",
    )


def slices(run: Run, task: str) -> Table:
    """The headline metric of one task by tag."""
    setups = list(run.suite.setups)
    facts = run.comparison.tasks[task]
    rows = []
    for tag, summary in facts.slices.items():
        by_setup = summary.setups
        n = max((e.n for e in by_setup.values()), default=0)
        cells = [cell(by_setup[s], facts.headline) if s in by_setup else "-" for s in setups]
        rows.append((tag, str(n), *cells))
    return Table(f"{task}: {facts.headline} by tag", ("tag", "n", *setups), tuple(rows))


def verdicts(found: Verdicts) -> Table:
    """The gates and what came of them, worst first."""
    notes = [f"{found.state} (exit code {found.exit_code})."]
    if found.limited:
        notes.append(f"A limited run ({found.limited}): not the benchmark's verdict.")
    notes += [f"Not comparable, and let pass: {sentence}." for sentence in found.mismatch]
    gates = found.worst_first
    rows = tuple((gate.state, _gate(gate), gate.reason) for gate in gates[:GATES_SHOWN])
    if len(gates) > GATES_SHOWN:
        notes.append(f"{len(gates) - GATES_SHOWN} more gates are in gates.json.")
    return Table("Gates", ("verdict", "gate", "evidence"), rows, " ".join(notes))


def _gate(gate: Verdict) -> str:
    warns = " (warns only)" if gate.severity == "warn" else ""
    return gate.check + warns + (f" ({gate.mode})" if gate.mode == "prove" else "")


def advised(run: Run) -> list[Table]:
    """Which setup to take, where `bakeoff advise` has kept it beside the run."""
    if not (run.folder / ADVICE).is_file():
        return []
    from bakeoff.decide import advice
    from bakeoff.decide.advice.tables import tables

    kept = advice.read(run.folder)
    if kept is None:
        return []
    if not advice.current(run, kept):
        late = f"{ADVICE} is older than the answers, scores or costs of this run"
        return [Table("Advice", ("", "mend it"), ((late, "run `bakeoff advise` again"),))]
    return tables(kept)


def power(found: Sequence[Preview]) -> Table:
    """What gates will be able to find."""
    rows = tuple(
        (
            each.check,
            each.mode,
            str(each.n),
            "-" if each.detectable is None else f"{each.detectable:.3g}",
            "-" if each.needed is None else f"{each.needed} for {each.margin:g}",
            each.problem or each.source,
        )
        for each in found
    )
    return Table(
        "Power of the gates",
        ("gate", "mode", "n", "detectable", "n needed", "spread"),
        rows,
        "Detectable: the true shortfall that 80% of runs would find, at the gate's share of "
        "alpha. n needed: samples to find a shortfall of the gate's margin, or of 0.05. Assumed: "
        "a quarter of the samples differ; after a run, its own spread is taken.",
    )


def training(run: Run) -> Table:
    """What each adapter took to make."""
    rows = []
    for name, adapter in run.manifest.adapters.items():
        if made := adapter.training:
            losses = [point.validation_loss for point in made.curve]
            curve = ", ".join(f"{loss:.3f}" for loss in losses if loss is not None)
            rows.append(
                (
                    name,
                    str(made.rows),
                    str(made.tokens),
                    f"{made.seconds:.0f}",
                    f"{made.peak_memory_mb:.0f}",
                    curve,
                    "reused" if adapter.reused else "trained in this run",
                )
            )
        else:
            rows.append((name, "-", "-", "-", "-", "-", "ready adapter"))
    return Table(
        "Adapters",
        ("task/setup", "rows", "tokens", "seconds", "peak MB", "validation loss by epoch", "here"),
        tuple(rows),
    )


def costs(run: Run) -> list[Table]:
    """What the setups cost, where `bakeoff cost` has kept it beside the run."""
    if not (run.folder / COST).is_file():
        return []
    from bakeoff.decide import cost
    from bakeoff.decide.cost import shown

    found = cost.read(run.folder)
    if found is None:
        return []
    if not cost.current(run, found):
        late = f"{COST} is older than the answers or scores of this run"
        return [Table("Cost", ("", "mend it"), ((late, "run `bakeoff cost` again"),))]
    return shown.tables(found)


def checks(run: Run) -> list[str]:
    """What the run found out about its own numbers, a sentence each."""
    known, said = run.manifest.checks, []
    for task, audit in run.manifest.audit.items():
        said += [
            f"data: {task}: {finding.count} of {finding.of} {finding.about}"
            for finding in audit.findings.values()
            if finding.grave and finding.count
        ]
    for name, tally in (known.tokens or {}).items():
        said.append(
            f"tokens: {name} counted {tally.differing} of {tally.checked} prompts otherwise "
            f"than the named tokenizer (by up to {tally.largest} tokens)"
        )
    for name, check in (known.batches or {}).items():
        said.append(
            f"batches: {check.differing} of {check.prompts} answers of {name} change when "
            "they are generated alone instead of in a batch"
        )
    if known.load:
        peak = max(value for values in known.load.values() for value in values)
        machine = run.manifest.hardware
        cores = f", on {machine.cores} cores" if machine else ""
        said.append(
            f"load: at most {peak} processes wanted to run at the ends of the latency pass{cores}"
        )
    return said


def _origin(m: Manifest, imported: Imported) -> list[str]:
    """What an imported run was made of: nothing of it was asked or timed here."""
    files = [f"- `{f.file}`: {f.rows} rows, sha256 {f.sha256}" for f in imported.files]
    return [
        "## What was imported",
        "",
        f"- command: `{m.command}`, {m.created}",
        *files,
        *(f"- {note}" for note in imported.notes),
        "",
        "Answers, scores, times and tokens are those of another tool; bakeoff asked nothing.",
    ]


def _provenance(run: Run) -> list[str]:
    m = run.manifest
    if m.imported:
        return _origin(m, m.imported)
    models = [
        f"- model `{ref}`: {', '.join(f'{k} {v}' for k, v in print_.items())}"
        for ref, print_ in m.models.items()
    ]
    indexes = [
        f"- index `{name}`: {i.passages} passages, {i.digest}" for name, i in m.indexes.items()
    ]
    tasks = [
        f"- task `{name}`: {', '.join(f'{k} {v}' for k, v in t.digests.items())}"
        for name, t in m.tasks.items()
    ]
    versions = ", ".join(f"{k} {v}" for k, v in m.versions.items() if v)
    return [
        "## What was run",
        "",
        f"- command: `{m.command}`, started {m.created}, commit {m.commit or 'unknown'}",
        *([f"- machine: {m.hardware}"] if m.hardware else []),
        f"- seconds: {', '.join(f'{k} {v:.0f}' for k, v in m.seconds.items())}",
        f"- dtype {run.dtype or 'none'}, seed {run.suite.seed}, greedy decoding, "
        f"batches of at most {run.suite.batch_tokens} tokens",
        f"- versions: {versions}",
        *models,
        *indexes,
        *tasks,
        "",
        "Latency comes from a pass of its own: one sample at a time, after a warm-up, setups in "
        "turn; adapters are switched on beside the base weights, not merged into them. Answers "
        "are generated in batches, which give no latency.",
    ]


def markdown(run: Run) -> str:
    """The whole report as Markdown."""
    parts = [f"# {run.manifest.benchmark}", "", run.suite.description.strip(), ""]
    if run.suite.gates and run.shard[1] == 1:
        parts += markdown_lines(verdicts(verdicts_of(run)))
    parts += [line for table in advised(run) for line in markdown_lines(table)]
    parts += markdown_lines(headline(run))
    if (square := effects(run)).rows:
        parts += markdown_lines(square)
        parts += [line for said in findings(run) for line in (f"- {said}", "")]
    parts += [f"- skipped `{n}`: {reason}" for n, reason in run.manifest.skipped.items()]
    for task in run.comparison.tasks:
        parts += markdown_lines(head_to_head(run, task))
        parts += markdown_lines(details(run, task))
        for table in (
            *(differences(run, task), confused(run, task)),
            *(slices(run, task), changed(run, task)),
        ):
            if table.rows:
                parts += markdown_lines(table)
    for table in (*freshness(run), declining(run), repeats(run), judged_again(run)):
        if table.rows:
            parts += markdown_lines(table)
    if (timed := latencies(run)).rows:
        parts += markdown_lines(timed)
    if run.manifest.spent:
        parts += markdown_lines(spending(run))
    if run.manifest.adapters:
        parts += markdown_lines(training(run))
    parts += [line for table in costs(run) for line in markdown_lines(table)]
    parts += [line for check in checks(run) for line in (f"- {check}", "")]
    return "\n".join([*parts, *_provenance(run)]).strip() + "\n"
