"""Lexical support: which claims of an answer are, in their words, in the passages given.

It compares words, numbers, names, their order and their neighbours; it does not understand.
A small logistic regression (`lexical_model.json`, plain numbers) turns the features into a
probability. docs/validation/lexical_support.md says how far people agree with it.
"""

from bakeoff.core.words import CONTRADICTED, NOT_FOUND, SUPPORTED
from bakeoff.metrics.lexical.claims import Claim, claims
from bakeoff.metrics.lexical.evidence import Evidence
from bakeoff.metrics.lexical.features import features
from bakeoff.metrics.lexical.match import nearest_passage
from bakeoff.metrics.lexical.model import (
    SIGNS,
    WEAKEST,
    ClaimSupport,
    Labelled,
    Model,
    Support,
    answer_logit,
    pooled,
    shipped_digest,
    shipped_model,
    support,
)

__all__ = [
    "CONTRADICTED",
    "NOT_FOUND",
    "SIGNS",
    "SUPPORTED",
    "WEAKEST",
    "Claim",
    "ClaimSupport",
    "Evidence",
    "Labelled",
    "Model",
    "Support",
    "answer_logit",
    "claims",
    "features",
    "nearest_passage",
    "pooled",
    "shipped_digest",
    "shipped_model",
    "support",
]
