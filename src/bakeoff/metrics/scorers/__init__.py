"""The scorers that come with bakeoff; importing this package registers them."""

from bakeoff.metrics.scorers import (
    behaviour,
    citations,
    evidence,
    grounding,
    judged,
    labels,
    numbers,
    ragas_metrics,
    rules,
    structure,
    support,
    text,
    wording,
)

__all__ = [
    "behaviour",
    "citations",
    "evidence",
    "grounding",
    "judged",
    "labels",
    "numbers",
    "ragas_metrics",
    "rules",
    "structure",
    "support",
    "text",
    "wording",
]
