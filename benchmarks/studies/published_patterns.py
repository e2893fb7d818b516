"""What papers published about fine-tuning and retrieval: is it so on a run of choose.yaml?

    python benchmarks/studies/published_patterns.py results/choose/RUN

Prints Markdown. A pattern is found, or contradicted, where the paired difference is
significant; otherwise the run cannot tell, and the interval says how much it could have missed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bakeoff.analysis.compare import contrast
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Difference
from bakeoff.outputs.tables.effects import signed


@dataclass(frozen=True)
class Pattern:
    """A published difference, and the setups of a run that show it or not."""

    claim: str
    published: str
    """Figures and where they are from."""
    better: str
    worse: str
    task: str = "handbook_qa"
    tags: tuple[str, str] | None = None
    """Only questions that carry this tag."""


OVADIA = "Ovadia et al. 2023, arXiv:2312.05934, current events, n = 910"
PATTERNS = (
    Pattern(
        "Retrieval beats continued pre-training on the same documents",
        f"0.875 against 0.504 (Mistral 7B; {OVADIA})",
        "rag",
        "cpt",
    ),
    Pattern(
        "Retrieval beats fine-tuning for facts that no training row teaches",
        f"0.875 against 0.588 (Mistral 7B, the best tuned; {OVADIA})",
        "rag",
        "fine-tuned",
        tags=("fact", "untrained"),
    ),
    Pattern(
        "Retrieval beats fine-tuning for answers that a change of documents brought",
        f"0.875 against 0.588 (Mistral 7B, the best tuned; {OVADIA})",
        "rag",
        "fine-tuned",
        "handbook_updates",
        ("fact", "untrained"),
    ),
    Pattern(
        "More wordings help continued pre-training",
        f"0.588 against 0.504 (Mistral 7B, with and without paraphrases; {OVADIA})",
        "cpt-reworded",
        "cpt",
    ),
    Pattern(
        "Fine-tuning without passages damages the use of passages",
        "80.25 falls to 78.44 (Mistral 7B, ideal passages; Soudani et al. 2024, arXiv:2403.01432); "
        "a tuned Llama 2 7B is worse with passages than without on four of five sets (Zhang et al. "
        "2024, arXiv:2403.10131)",
        "rag",
        "closed-hybrid",
    ),
    Pattern(
        "Fine-tuning beside distractors (RAFT) uses passages better than fine-tuning without any",
        "74.00 against 42.59 (Hugging Face API set; Zhang et al. 2024, arXiv:2403.10131)",
        "raft",
        "closed-hybrid",
    ),
)


def seen(run: Run, pattern: Pattern) -> Difference | None:
    """The paired difference in the task's headline metric; `None` where a setup was not asked."""
    metric = run.headlines.get(pattern.task, "")
    sides = [
        (run.columns.get((pattern.task, setup, metric)), factor)
        for setup, factor in ((pattern.better, 1.0), (pattern.worse, -1.0))
    ]
    asked = [(column, factor) for column, factor in sides if column is not None]
    if len(asked) < 2:
        return None
    if pattern.tags:
        name, value = pattern.tags
        keep = [s.id for s in run.samples[pattern.task].values() if s.tags.get(name) == value]
        asked = [(column.only(keep), factor) for column, factor in asked]
    return contrast(asked)


def verdict(found: Difference | None) -> str:
    """In words what the test says."""
    if found is None or not found.known:
        return "not measured"
    return {1: "found", -1: "contradicted", 0: "cannot be told"}[found.sign]


def main(folder: Path) -> None:
    """Print a row for each pattern."""
    run = Run(folder)
    print("| pattern | published | here | n | verdict |")
    print("| --- | --- | --- | --- | --- |")
    for pattern in PATTERNS:
        found = seen(run, pattern)
        which = f"{pattern.better} less {pattern.worse} on {pattern.task}"
        if pattern.tags:
            which += f" ({pattern.tags[0]} = {pattern.tags[1]})"
        shown, n = "-", "-"
        if found and found.known:
            shown = signed(found).rstrip("*")
            n = str(found.n)
        cells = (pattern.claim, pattern.published, f"{which}: {shown}", n, verdict(found))
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
