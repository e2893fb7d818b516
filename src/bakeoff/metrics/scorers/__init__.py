"""The scorers that come with bakeoff, by their modules: a task imports those that it names."""

from __future__ import annotations

from collections.abc import Mapping

MODULES: Mapping[str, tuple[str, ...]] = {
    "behaviour": (
        "avoids_terms",
        "contains_all",
        "length_in_range",
        "reading_level",
        "regex_match",
    ),
    "citations": (
        "citation_coverage",
        "citation_precision",
        "citation_recall",
        "citation_validity",
    ),
    "grounding": (
        "claims_grounded_correct",
        "hallucination",
        "noise_sensitivity",
        "self_knowledge",
    ),
    "judged": ("declined", "judged_correct", "judged_declined", "preferred", "similarity"),
    "labels": ("accuracy", "macro_f1"),
    "numbers": ("numeric",),
    "ragas_metrics": ("ragas", "ragas_plain"),
    "retrieval": (
        "answer_in_context",
        "retrieval_hit",
        "retrieval_mrr",
        "retrieval_ndcg",
        "retrieval_precision",
        "retrieval_recall",
    ),
    "rules": ("all_rules_kept", "rules_kept"),
    "structure": ("exact_json", "field_f1", "json_valid", "schema_valid"),
    "support": ("faithfulness", "support_gold", "support_lexical"),
    "text": (
        "contains",
        "crag",
        "exact_match",
        "right_refusal",
        "selective_accuracy",
        "stale_answer",
        "token_f1",
        "wrong_refusal",
    ),
    "wording": ("bleu", "chrf", "rouge_l"),
}
"""Module -> the functions in it that are scorers."""
FROM_PASSAGES = (
    *("faithfulness", "support_lexical", *MODULES["retrieval"]),
    *("citation_precision", "citation_recall", "citation_validity"),
)
"""Those that say nothing of answers without passages."""
