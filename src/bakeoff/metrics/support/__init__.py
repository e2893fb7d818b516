"""Support: which claims of an answer its passages carry, by alignment and without a model file.

Words, numbers, names, values of records, their company and order are compared, line by line;
contradiction in the passages' own words counts. docs/scorers/support.md says how far people
agree. `bakeoff.metrics.lexical` is the simpler score before it, kept as a baseline.
"""

from bakeoff.core.words import CONTRADICTED, NOT_FOUND, SUPPORTED
from bakeoff.metrics.lexical.claims import Claim
from bakeoff.metrics.lexical.model import WEAKEST, ClaimSupport, Labelled, Support, pooled
from bakeoff.metrics.support.alignment import align
from bakeoff.metrics.support.claims import claims
from bakeoff.metrics.support.evidence import Evidence
from bakeoff.metrics.support.features import FEATURES, GROUPS, features
from bakeoff.metrics.support.judging import (
    answer_logit,
    calibrate,
    nearest_passage,
    support,
    words_missing,
)
from bakeoff.metrics.support.model import Model, shipped_digest, shipped_model

__all__ = [
    "CONTRADICTED",
    "FEATURES",
    "GROUPS",
    "NOT_FOUND",
    "SUPPORTED",
    "WEAKEST",
    "Claim",
    "ClaimSupport",
    "Evidence",
    "Labelled",
    "Model",
    "Support",
    "align",
    "answer_logit",
    "calibrate",
    "claims",
    "features",
    "nearest_passage",
    "pooled",
    "shipped_digest",
    "shipped_model",
    "support",
    "words_missing",
]
