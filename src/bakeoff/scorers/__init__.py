"""The scorers that come with bakeoff; importing this package registers them."""

from bakeoff.scorers import (
    citations,
    evidence,
    grounding,
    judged,
    labels,
    ragas_metrics,
    rules,
    structure,
    support,
    text,
)

__all__ = [
    "citations",
    "evidence",
    "grounding",
    "judged",
    "labels",
    "ragas_metrics",
    "rules",
    "structure",
    "support",
    "text",
]
