"""The latency pass read back: quantiles, parts and ratios, each with its n.

Absolute seconds wander on a shared machine; ratios to the first setup, taken on the same samples
within minutes, do so much less. How much is left is measured: the first setup is asked twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import numpy as np

from bakeoff.analysis.comparison import Latency, Timed, Times
from bakeoff.analysis.stats import cluster_codes, quantile_interval
from bakeoff.core.estimate import UNKNOWN, Estimate
from bakeoff.core.words import Answer, Record

QUANTILES = (0.5, 0.9, 0.95, 0.99)


def quantile(values: Sequence[float], share: float, clusters: Sequence[str] = ()) -> Estimate:
    """A quantile of seconds or ratios with its order-statistic interval, over clusters if any.

    It is left out where there are too few values: it would be the largest only because there is no
    larger one.
    """
    if share > 0.5 and len(values) < round(1 / (1 - share)):
        return UNKNOWN
    codes = cluster_codes(clusters) if clusters else None
    return quantile_interval(np.asarray(values, dtype=np.float64), share, codes)


def summary(
    records: Iterable[Record], setups: Sequence[str], clusters: Mapping[str, str] | None = None
) -> Latency | None:
    """One task's latency pass by setup, and the noise of the machine; `None` without one.

    `clusters` is sample -> cluster; a sample that is not in it is its own.
    """
    within = clusters or {}
    answered: dict[tuple[str, int], dict[str, Answer]] = defaultdict(dict)
    failed: dict[str, int] = defaultdict(int)
    loaded: dict[int, dict[str, dict[str, Answer]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        _, _, level = record.phase.partition("@")
        if level and record.answer:
            loaded[int(level)][record.setup][record.sample] = record.answer
        elif record.answer is None or record.answer.seconds() is None:
            failed[record.setup] += 1
        else:
            answered[record.setup, record.repeat][record.sample] = record.answer
    first = answered.get((setups[0], 0), {})
    timed = {
        setup: Timed(
            **vars(_times(answers, within)),
            ratio=_ratio(answers, first, within),
            failed=failed[setup],
        )
        for setup in setups
        if (answers := answered.get((setup, 0), {}))
    }
    if not timed:
        return None
    return Latency(
        {
            str(level): {setup: _times(answers, within) for setup, answers in by_setup.items()}
            for level, by_setup in loaded.items()
        },
        timed,
        _ratio(answered.get((setups[0], 1), {}), first, within),
    )


def _times(answers: Mapping[str, Answer], within: Mapping[str, str]) -> Times:
    clusters = [within.get(name, name) for name in answers]
    seconds = [sum(s.seconds or 0.0 for s in answer.steps) for answer in answers.values()]
    retrieve_s, prefill_s, decode_s = (
        _median([s for answer in answers.values() if (s := answer.seconds(step)) is not None])
        for step in ("retrieve", "prefill", "decode")
    )
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
    return Times(
        n=len(seconds),
        quantiles={
            f"p{share * 100:.0f}": quantile(seconds, share, clusters) for share in QUANTILES
        },
        first_token_s=_median(first_token),
        per_token_s=_median(per_token),
        tokens_per_s=tokens / whole if tokens and whole else None,
        retrieve_s=retrieve_s,
        prefill_s=prefill_s,
        decode_s=decode_s,
    )


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _ratio(
    answers: Mapping[str, Answer], first: Mapping[str, Answer], within: Mapping[str, str]
) -> Estimate:
    """The median of the paired ratios of seconds, with its order-statistic interval."""
    pairs = {
        s: (answers[s].seconds() or 0.0, first[s].seconds() or 0.0) for s in answers if s in first
    }
    ratios = {s: a / b for s, (a, b) in pairs.items() if a > 0 and b > 0}
    return quantile([*ratios.values()], 0.5, [within.get(s, s) for s in ratios])


def clear(ratio: Estimate, noise: Estimate) -> bool:
    """Whether a ratio differs from 1 by more than the machine's own noise."""
    if not ratio.known or not noise.known:
        return False
    (low, high), (noise_low, noise_high) = ratio.ends, noise.ends
    return low > max(1.0, noise_high) or high < min(1.0, noise_low)


def noise_factor(timed: Latency) -> float | None:
    """The factor by which two times of the same setup may differ; `None` where unknown."""
    low, high = timed.noise.ends
    if not timed.noise.known or low <= 0:
        return None
    return max(high, 1 / low, 1.0)
