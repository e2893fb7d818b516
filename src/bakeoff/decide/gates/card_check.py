"""Check of scorer cards: a policy can require a judge's agreement with human labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from bakeoff.core.estimate import Estimate
from bakeoff.core.words import digest
from bakeoff.runs.manifest import Manifest
from bakeoff.spec import names
from bakeoff.spec.file_versions import recorded
from bakeoff.spec.metric import Metric
from bakeoff.spec.policy import Policy
from bakeoff.spec.yaml_files import explained


class CardScorer(BaseModel):
    """The facts of a scorer's card that gates check."""

    auroc: Estimate


class Card(BaseModel):
    """A scorer card, as far as gates look at it; `cards` writes it whole."""

    version: str
    judge: str
    """The digest of the judge; empty where none is asked."""
    scorers: Annotated[tuple[CardScorer, ...], Field(min_length=1)]
    """The scorer of the card first."""


def file_of(metric: str, folder: Path) -> Path:
    """The path of a metric's card."""
    return folder / (re.sub(r"[^\w.=-]+", "-", metric).strip("-") + ".json")


def without_card(policy: Policy, manifest: Manifest) -> dict[str, str]:
    """Metrics by a verifier or judge that gates must not use -> the reason.

    Empty where the policy asks for no agreement with people.
    """
    if policy.min_agreement is None:
        return {}
    reasons = {}
    for facts in manifest.tasks.values():
        for name, about in facts.metrics.items():
            if about.asks in ("verifier", "judge"):
                judge = manifest.judge(Metric.parse(name).judge)
                if problem := _problem(name, about.version, judge, policy):
                    reasons[name] = problem
    return reasons


def _problem(name: str, version: str, judge: Mapping[str, str], policy: Policy) -> str:
    """Why a metric's card does not meet the policy; empty when it does."""
    path = file_of(name, Path(policy.cards))
    older = file_of(names.metric_before(name), Path(policy.cards))
    path = path if path.is_file() or not older.is_file() else older
    remedy = f'make one with `bakeoff scorers check "{name}" --labels FILE --card {policy.cards}`'
    if not path.is_file():
        return f"no scorer card {path}; {remedy}"
    try:
        card = Card.model_validate_json(path.read_bytes())
    except ValidationError as error:
        return f"{path} is not a scorer card ({explained(error)[0]}); {remedy}"
    except OSError as error:
        return f"{path} is not a scorer card ({error.strerror or error}); {remedy}"
    low = card.scorers[0].auroc.ends[0]
    asked = digest(dict(judge)) if judge else ""
    if (card.version, card.judge) not in ((version, asked), (recorded(name, version), asked)):
        return f"{path} is of another version of the scorer or its judge; {remedy}"
    assert policy.min_agreement is not None
    if not low >= policy.min_agreement:
        return (
            f"its agreement with human labels (AUROC, lower end {low:.3f}) is below min_agreement "
            f"{policy.min_agreement:g} ({path})"
        )
    return ""
