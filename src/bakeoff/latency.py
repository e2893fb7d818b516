"""The latency pass read back: quantiles, parts and ratios, each with what it stands on.

Absolute seconds wander on a shared machine; ratios to the first setup, taken on the same samples
within minutes, do so much less. How much is left is measured: the first setup is asked twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np

from bakeoff.core import Answer, Record
from bakeoff.estimates import UNKNOWN, Estimate
from bakeoff.stats import quantile_interval

QUANTILES = (0.5, 0.9, 0.95, 0.99)


def quantile(values: Sequence[float], share: float) -> Estimate:
    """A quantile of seconds or ratios with its order-statistic interval.

    It is left out where there are too few values: it would be the largest only because there is no
    larger one.
    """
    if share > 0.5 and len(values) < round(1 / (1 - share)):
        return UNKNOWN
    return quantile_interval(np.asarray(values, dtype=np.float64), share)


def summary(records: Iterable[Record], setups: Sequence[str]) -> dict[str, Any]:
    """One task's latency pass as JSON: a part per setup, and the noise of the machine.

    `loaded` holds, by the number of requests in flight, what setups over HTTP took under load;
    a retrieval is not in those times.
    """
    found: dict[tuple[str, int], dict[str, Answer]] = defaultdict(dict)
    failed: dict[str, int] = defaultdict(int)
    loaded: dict[int, dict[str, dict[str, Answer]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        _, _, level = record.phase.partition("@")
        if level and record.answer:
            loaded[int(level)][record.setup][record.sample] = record.answer
        elif record.answer is None or record.answer.seconds() is None:
            failed[record.setup] += 1
        else:
            found[record.setup, record.repeat][record.sample] = record.answer
    first = found.get((setups[0], 0), {})
    return {
        "loaded": {
            str(level): {setup: _parts(answers) for setup, answers in by_setup.items()}
            for level, by_setup in loaded.items()
        },
        "setups": {
            setup: {**_parts(answers), "ratio": asdict(_ratio(answers, first))}
            | {"failed": failed[setup]}
            for setup in setups
            if (answers := found.get((setup, 0), {}))
        },
        "noise": asdict(_ratio(found.get((setups[0], 1), {}), first)),
    }


def _parts(answers: Mapping[str, Answer]) -> dict[str, Any]:
    seconds = [sum(s.seconds or 0.0 for s in answer.steps) for answer in answers.values()]
    parts = {
        name: [s for a in answers.values() if (s := a.seconds(name)) is not None]
        for name in ("retrieve", "prefill", "decode")
    }
    first_token = [
        prefill + (answer.seconds("retrieve") or 0.0)
        for answer in answers.values()
        if (prefill := answer.seconds("prefill")) is not None
    ]
    tokens = sum(answer.tokens("completion_tokens") for answer in answers.values())
    whole = sum(seconds)
    # The first token belongs to the prefill: the others are what decoding brings.
    per_token = [
        spent / (written - 1)
        for answer in answers.values()
        if (spent := answer.seconds("decode")) is not None
        and (written := answer.tokens("completion_tokens")) > 1
    ]
    return {
        "n": len(seconds),
        "quantiles": {
            f"p{share * 100:.0f}": asdict(quantile(seconds, share)) for share in QUANTILES
        },
        "first_token_s": median(first_token) if first_token else None,
        "per_token_s": median(per_token) if per_token else None,
        "tokens_per_s": tokens / whole if tokens and whole else None,
        **{f"{name}_s": median(values) if values else None for name, values in parts.items()},
    }


def _ratio(answers: Mapping[str, Answer], first: Mapping[str, Answer]) -> Estimate:
    """The median of the paired ratios of seconds, with its order-statistic interval."""
    pairs = [
        (answers[s].seconds() or 0.0, first[s].seconds() or 0.0) for s in answers if s in first
    ]
    ratios = [a / b for a, b in pairs if a > 0 and b > 0]
    return quantile(ratios, 0.5)


def clear(ratio: Mapping[str, float | None], noise: Mapping[str, float | None]) -> bool:
    """Whether a ratio differs from 1 by more than the machine's own noise."""
    ends = (ratio["low"], ratio["high"], noise["low"], noise["high"])
    if None in ends:
        return False
    low, high, noise_low, noise_high = (end for end in ends if end is not None)
    return low > max(1.0, noise_high) or high < min(1.0, noise_low)


def noise_factor(timed: Mapping[str, Any]) -> float | None:
    """The factor by which two times of the same setup may differ; `None` where unknown."""
    low, high = timed["noise"]["low"], timed["noise"]["high"]
    if low is None or high is None or low <= 0:
        return None
    return float(max(high, 1 / low, 1.0))
