"""What a run spent and trained, and what its setups cost."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table, money
from bakeoff.runs.store import COST


def spending(run: Run) -> Table:
    """What every setup sent and spent, the cache left out."""
    rows = tuple(
        (
            setup,
            str(spent.requests or "-"),
            str(spent.from_cache),
            str(spent.prompt_tokens),
            str(spent.completion_tokens),
            money(spent.cost) if spent.cost else "-",
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
            money(judge.cost) if judge.cost else "-",
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


def training(run: Run) -> Table:
    """What every adapter took to make."""
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

    kept = cost.read(run.folder)
    if kept is None:
        return []
    if not cost.current(run, kept):
        late = f"{COST} is older than the answers or scores of this run"
        return [Table("Cost", ("", "fix"), ((late, "run `bakeoff cost` again"),))]
    return shown.tables(kept)
