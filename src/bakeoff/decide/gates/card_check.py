"""Check of scorer cards: a policy can require a judge's agreement with human labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bakeoff.core.words import BakeoffError, digest
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.store import read_json
from bakeoff.spec.file_versions import recorded
from bakeoff.spec.metric import Metric
from bakeoff.spec.policy import Policy


def file_of(metric: str, folder: Path) -> Path:
    """The path of a metric's card."""
    return folder / (re.sub(r"[^\w.=-]+", "-", metric).strip("-") + ".json")


def unvouched(policy: Policy, manifest: Manifest) -> dict[str, str]:
    """Metrics by a verifier or judge that gates must not use -> the reason.

    Empty where the policy asks for no agreement with people.
    """
    if policy.min_agreement is None:
        return {}
    found = {}
    for facts in manifest.tasks.values():
        for name, about in facts.metrics.items():
            if about.asks in ("verifier", "judge"):
                judge = manifest.judge(Metric.parse(name).judge)
                if problem := _problem(name, about.version, judge, policy):
                    found[name] = problem
    return found


def _problem(name: str, version: str, judge: Mapping[str, str], policy: Policy) -> str:
    """Why a metric's card does not meet the policy; empty when it does."""
    path = file_of(name, Path(policy.cards))
    remedy = f'make one with `bakeoff scorers check "{name}" --labels FILE --card {policy.cards}`'
    if not path.is_file():
        return f"no scorer card {path}; {remedy}"
    try:
        card = read_json(path)
        low = float(card["scorers"][0]["auroc"]["low"])
        known = (card["version"], card["judge"])
    except (BakeoffError, KeyError, IndexError, TypeError, ValueError) as error:
        return f"{path} is not a scorer card ({error}); {remedy}"
    asked = digest(dict(judge)) if judge else ""
    if known not in ((version, asked), (recorded(name, version), asked)):
        return f"{path} is of another version of the scorer or its judge; {remedy}"
    assert policy.min_agreement is not None
    if not low >= policy.min_agreement:
        return (
            f"its agreement with human labels (AUROC, lower end {low:.3f}) is below min_agreement "
            f"{policy.min_agreement:g} ({path})"
        )
    return ""
