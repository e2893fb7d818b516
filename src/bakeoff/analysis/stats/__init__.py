"""The statistics of a comparison: intervals, tests, power, repeats and drift, as pure functions.

Values are arrays over samples, NaN where a sample could not be judged. Clusters are whole numbers,
one for each sample (`cluster_codes`): samples that share one are not independent. No result
depends on the order of the samples or on the names of the clusters. `level` is that of a two-sided
interval, so one end of a level of 0.90 is a one-sided bound at 95%.
"""

from __future__ import annotations

from bakeoff.analysis.stats.jackknife import Statistic, pseudo_values, statistic_interval
from bakeoff.analysis.stats.means import (
    FEW_HITS,
    FEW_TRIALS,
    GAIN,
    difference_interval,
    mean_interval,
    skewed_t,
    t_interval,
)
from bakeoff.analysis.stats.power import (
    POWER,
    detectable,
    detectable_gain,
    detectable_pairs,
    detectable_rate,
    detectable_trials,
)
from bakeoff.analysis.stats.quantiles import (
    CELLS,
    RESAMPLES,
    draws_interval,
    draws_p,
    effective_trials,
    gap_degrees,
    quantile,
    quantile_draws,
    quantile_interval,
    samples_to_bound,
)
from bakeoff.analysis.stats.rates import clopper_pearson, mid_p, tango, tango_score, wilson
from bakeoff.analysis.stats.repeats import (
    Split,
    disagreement,
    flips,
    pass_at,
    pass_hat,
    variance_split,
)
from bakeoff.analysis.stats.shift import Alarm, drift
from bakeoff.analysis.stats.significance import (
    ENUMERATED,
    ON_GRID,
    Alternative,
    adjust_discoveries,
    adjust_holm,
    difference_p,
    mcnemar,
    quantile_p,
    rate_p,
    sign_flip_p,
)
from bakeoff.analysis.stats.values import (
    ALPHA,
    LEVEL,
    RATE,
    Bounds,
    Floats,
    Ints,
    cluster_codes,
    degrees_of,
    standard_error,
    win_tie_loss,
)

__all__ = [
    "ALPHA",
    "CELLS",
    "ENUMERATED",
    "FEW_HITS",
    "FEW_TRIALS",
    "GAIN",
    "LEVEL",
    "ON_GRID",
    "POWER",
    "RATE",
    "RESAMPLES",
    "Alarm",
    "Alternative",
    "Bounds",
    "Floats",
    "Ints",
    "Split",
    "Statistic",
    "adjust_discoveries",
    "adjust_holm",
    "clopper_pearson",
    "cluster_codes",
    "degrees_of",
    "detectable",
    "detectable_gain",
    "detectable_pairs",
    "detectable_rate",
    "detectable_trials",
    "difference_interval",
    "difference_p",
    "disagreement",
    "draws_interval",
    "draws_p",
    "drift",
    "effective_trials",
    "flips",
    "gap_degrees",
    "mcnemar",
    "mean_interval",
    "mid_p",
    "pass_at",
    "pass_hat",
    "pseudo_values",
    "quantile",
    "quantile_draws",
    "quantile_interval",
    "quantile_p",
    "rate_p",
    "samples_to_bound",
    "sign_flip_p",
    "skewed_t",
    "standard_error",
    "statistic_interval",
    "t_interval",
    "tango",
    "tango_score",
    "variance_split",
    "wilson",
    "win_tie_loss",
]
