"""The scorers that come with bakeoff; importing this package registers them."""

from bakeoff.metrics.scorers import (
    behaviour,
    citations,
    grounding,
    judged,
    labels,
    numbers,
    ragas_metrics,
    retrieval,
    rules,
    structure,
    support,
    text,
    wording,
)

__all__ = [
    "behaviour",
    "citations",
    "grounding",
    "judged",
    "labels",
    "numbers",
    "ragas_metrics",
    "retrieval",
    "rules",
    "structure",
    "support",
    "text",
    "wording",
]
