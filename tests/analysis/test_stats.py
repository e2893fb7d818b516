"""Statistics against published tables, scipy and statsmodels, and the laws they have to keep."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise, product
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

import rivals
from bakeoff.analysis import stats
from bakeoff.analysis.stats import GAIN, RATE, Floats
from bakeoff.analysis.stats.significance import grid_tail
from bakeoff.core.estimate import Estimate
from conftest import ROOT

# Twenty questions on five documents, answered by two setups. The figures that tests give for
# them come from scipy 1.17 and statsmodels 0.14 (proportion_confint, mcnemar, cluster-robust
# OLS, multipletests); where a test says so, from a paper.
DOCUMENT = np.repeat(np.arange(5), 4)
RAG = np.array([1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1], dtype=float)
HYBRID = np.array([1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0], dtype=float)
GAINED = HYBRID - RAG
BASE_MS = np.array(
    [
        [110, 101, 118, 130, 108, 104, 121, 135, 112, 109],
        [115, 117, 106, 170, 111, 113, 119, 103, 122, 480],
    ],
    dtype=float,
).ravel()
RAG_MS = np.array(
    [
        [210, 198, 225, 240, 205, 199, 230, 260, 215, 208],
        [222, 219, 204, 340, 211, 217, 226, 201, 233, 910],
    ],
    dtype=float,
).ravel()
REPEATS = np.array(
    [
        [1, 1, 0, 1, 1],
        [0, 0, 1, 0, 0],
        [1, 1, 1, 1, 1],
        [0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0],
        [1, 0, 1, 1, 1],
    ],
    dtype=float,
)
NAN = math.nan


def close(expected: Any) -> Any:
    return pytest.approx(expected, abs=1e-6, rel=0)


def ends(found: Estimate) -> tuple[float, float]:
    return found.ends


def mean_features(values: Floats) -> Floats:
    return np.stack([values, np.ones(len(values))], axis=1)


RATES: list[tuple[Callable[..., Any], int, int, tuple[float, float]]] = [
    (stats.wilson, 12, 20, (0.3865815007622531, 0.781193467627183)),
    (stats.wilson, 16, 20, (0.5839825677481064, 0.919342337420202)),
    (stats.wilson, 20, 20, (0.8388748419471804, 1.0)),
    (stats.wilson, 0, 100, (0.0, 0.03699349820698569)),
    (stats.clopper_pearson, 12, 20, (0.36054258730748967, 0.8088099392746928)),
    (stats.clopper_pearson, 16, 20, (0.5633859970033317, 0.9426660029499673)),
    (stats.clopper_pearson, 20, 20, (0.8315665290169146, 1.0)),
    (stats.clopper_pearson, 0, 100, (0.0, 0.03621669264517642)),
    (rivals.credible, 12, 20, (0.3839203163445963, 0.7893705860719458)),
    (rivals.credible, 16, 20, (0.5917742374830746, 0.9284799475212692)),
    (rivals.credible, 20, 20, (0.8833610170951246, 0.9999757535215408)),
    (rivals.agresti_coull, 12, 20, (0.3860303790620197, 0.7817445893274164)),
    (rivals.agresti_coull, 16, 20, (0.5782364154450155, 0.9250884897232929)),
    (rivals.wald, 12, 20, (0.38529670275394107, 0.8147032972460588)),
    (rivals.wald, 16, 20, (0.6246954918846838, 0.9753045081153163)),
    (rivals.wald, 20, 20, (1.0, 1.0)),
]


@pytest.mark.parametrize(("rule", "hits", "n", "expected"), RATES)
def test_intervals_of_rates_are_those_of_statsmodels(
    rule: Callable[..., Any], hits: int, n: int, expected: tuple[float, float]
) -> None:
    assert rule(hits, n) == close(expected)


def test_a_uniform_prior_and_a_one_sided_level_are_scipys() -> None:
    assert rivals.credible(12, 20, prior=1) == close((0.3843543903786459, 0.7818031431148698))
    assert rivals.credible(16, 20, prior=1) == close((0.5809339588164719, 0.9178241244069774))
    assert stats.wilson(12, 20, level=0.90)[0] == close(0.4185558502932586)
    assert stats.wilson(16, 20, level=0.90)[0] == close(0.6216233141646321)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998 (Stat Med 17:857), table I, method 6; and 0.05^(1/n) where all are alike.
    [
        (81, 263, 0.2544, 0.3658),
        (15, 148, 0.0601, 0.1581),
        (0, 20, 0.0, 0.1391),
        (1, 29, 0.0017, 0.1585),
    ],
)
def test_the_mid_p_interval_has_its_published_values(
    hits: int, n: int, low: float, high: float
) -> None:
    assert stats.mid_p(hits, n) == pytest.approx((low, high), abs=6e-5)
    assert stats.mid_p(n - hits, n) == pytest.approx((1 - high, 1 - low), abs=6e-5)


@pytest.mark.parametrize(
    ("values", "error", "z95", "t95", "clustered"),
    [
        (
            RAG,
            0.11239029738980327,
            (0.3797190649042395, 0.8202809350957605),
            (0.3647644040810384, 0.8352355959189616),
            0.14999999999999994,
        ),
        (
            HYBRID,
            0.0917662935482247,
            (0.6201413696507493, 0.9798586303492508),
            (0.6079309402196718, 0.9920690597803283),
            0.09354143466934851,
        ),
        (
            GAINED,
            0.11697953037312038,
            (-0.02927566645972529, 0.4292756664597253),
            (-0.04484097094432832, 0.44484097094432834),
            0.09354143466934851,
        ),
    ],
)
def test_means_have_the_errors_of_scipy_and_the_clustered_error_of_statsmodels(
    values: Floats,
    error: float,
    z95: tuple[float, float],
    t95: tuple[float, float],
    clustered: float,
) -> None:
    assert stats.standard_error(values) == close(error)
    assert ends(stats.t_interval(values)) == close(t95)
    assert ends(stats.t_interval(values, degrees=math.inf)) == close(z95)
    assert stats.standard_error(values, DOCUMENT) == close(clustered)
    wide = 2.7764451051977987 * clustered  # scipy: t of 4 degrees of freedom, 97.5%
    assert ends(stats.t_interval(values, DOCUMENT)) == close(
        (values.mean() - wide, values.mean() + wide)
    )


def test_the_clustered_error_is_millers_with_a_correction_for_few_clusters() -> None:
    """Miller 2024, equation 4, has no factor for the number of clusters."""
    corrected = stats.standard_error(RAG, DOCUMENT)
    assert corrected * math.sqrt(4 / 5) == close(0.1341640786499874)
    assert stats.standard_error(HYBRID, DOCUMENT) * math.sqrt(4 / 5) == close(0.08366600265340755)
    assert stats.standard_error(GAINED, DOCUMENT) * math.sqrt(4 / 5) == close(0.08366600265340755)


def test_a_large_cluster_weighs_more_in_the_error_of_the_mean() -> None:
    """By hand: residuals sum to 1 - 2 * 0.6 and 2 - 3 * 0.6, so 2 * 0.2^2 * 2 / 1, over 5^2."""
    values, clusters = np.array([1.0, 0, 1, 1, 0]), np.array([0, 0, 1, 1, 1])
    assert stats.standard_error(values, clusters) == close(0.08)


def test_clusters_of_one_size_have_their_number_less_one_for_degrees_others_fewer() -> None:
    """By hand: where clusters share nothing, three of sizes 1, 1 and 4 have the variances
    5/6, 5/6 and 4/3 and the covariances -1/6, -2/3 and -2/3: 3^2 / 5."""
    values = np.array([1.0, 0, 0, 0, 1, 1, 0, 1, 1, 0])
    assert stats.degrees_of(values, np.arange(10) // 2) == close(4)
    assert stats.degrees_of(values, None) == 9
    alone = np.array([1.0, 1, 1, 0, 1, 2])
    assert stats.degrees_of(alone, np.array([0, 1, 2, 2, 2, 2])) == close(1.8)
    assert stats.degrees_of(alone, np.array([0, 0, 1, 1, 1, 1])) == close(1)


def test_pairing_gains_what_the_correlation_says() -> None:
    left, right, paired = (stats.standard_error(v) for v in (RAG, HYBRID, GAINED))
    assert math.hypot(left, right) == close(0.14509525002200233)
    correlation = (left**2 + right**2 - paired**2) / (2 * left * right)
    assert correlation == close(0.3572172541558803)
    assert rivals.unpaired_p(RAG, HYBRID) == close(0.16807831903497006)


@pytest.mark.parametrize(
    ("counts", "tango", "newcombe"),
    [
        # Fagerland, Lydersen and Laake 2014 (Stat Med 33:2850): airway hyper-responsiveness.
        ((1, 1, 7, 12), (-0.517, -0.026), (-0.507, -0.026)),
        # Fagerland, Lydersen and Laake 2017, chapter 8: complete response, Cavo et al. 2012.
        ((59, 6, 16, 80), (-0.1240, -0.0054), (-0.1186, -0.0046)),
    ],
)
def test_paired_intervals_have_their_published_values(
    counts: tuple[int, int, int, int], tango: tuple[float, float], newcombe: tuple[float, float]
) -> None:
    digits = 5e-4 if sum(counts) == 21 else 5e-5
    _, wins, losses, _ = counts
    assert stats.tango(wins, losses, sum(counts)) == pytest.approx(tango, abs=digits)
    assert rivals.newcombe(*counts) == pytest.approx(newcombe, abs=digits)


def test_paired_intervals_are_those_of_statsmodels() -> None:
    expected = (-0.049128593595349594, 0.4369082633934932)
    assert ends(stats.difference_interval(GAINED)) == close(expected)
    assert stats.difference_interval(GAINED, level=0.90).low == close(-0.0017226195220861917)
    assert rivals.newcombe(11, 5, 1, 3) == close((-0.04802817516649671, 0.4192994938295801))


def test_twenty_equal_pairs_have_an_interval_all_the_same() -> None:
    assert stats.tango(0, 0, 20) == close((-0.1611251580528283, 0.16112515805282834))
    assert stats.tango(0, 0, 50) == close((-0.07134759913339107, 0.07134759913339107))
    assert ends(stats.difference_interval(np.zeros(50))) == close(stats.tango(0, 0, 50))


def test_a_margin_is_tested_by_the_score_that_makes_the_interval() -> None:
    p = stats.difference_p(GAINED, margin=-0.05, alternative="greater")
    assert p == close(0.024673263331763066)
    assert stats.difference_interval(GAINED, level=1 - 2 * p).low == close(-0.05)
    assert stats.t_interval(GAINED, level=0.90).low == close(-0.0022731442445229066)


def test_paired_tests_have_the_p_of_scipy_and_statsmodels() -> None:
    assert stats.win_tie_loss(GAINED) == (5, 14, 1)
    assert stats.mcnemar(5, 1) == close(0.21875)
    assert stats.mcnemar(5, 1, "mid-p") == close(0.125)
    assert stats.mcnemar(5, 1, "corrected") == close(0.22067136191984324)
    assert stats.sign_flip_p(GAINED) == close(0.21875)
    assert stats.sign_flip_p(GAINED, alternative="greater") == close(0.109375)
    # The paired t test's p is the level at which its interval ends at 0.
    assert stats.t_interval(GAINED, level=1 - 0.10360315910662697).low == close(0.0)


def test_mcnemars_p_has_its_published_values() -> None:
    """Fagerland, Lydersen and Laake 2017, chapter 8, on Cavo et al. 2012."""
    assert stats.mcnemar(6, 16) == pytest.approx(0.052479, abs=5e-7)
    assert stats.mcnemar(6, 16, "mid-p") == pytest.approx(0.034690, abs=5e-7)
    assert stats.mcnemar(6, 16, "corrected") == pytest.approx(0.055009, abs=5e-7)
    assert [stats.mcnemar(0, 0, how) for how in ("exact", "mid-p", "corrected")] == [1.0] * 3


def test_bootstraps_of_the_difference_are_scipys_within_one_question() -> None:
    features = mean_features(GAINED)
    assert rivals.resample(features, rivals.mean_of).std() == pytest.approx(0.11523, rel=0.05)
    one = 0.05 + 1e-9
    percentile = rivals.bootstrap_interval(features, rivals.mean_of, method="percentile")
    assert ends(percentile) == pytest.approx((0.0, 0.45), abs=one)
    basic = 2 * percentile.value - percentile.high, 2 * percentile.value - percentile.low
    assert basic == pytest.approx((-0.05, 0.40), abs=one)
    bca = rivals.bootstrap_interval(features, rivals.mean_of)
    assert ends(bca) == pytest.approx((0.0, 0.45), abs=one)
    clustered = rivals.bootstrap_interval(features, rivals.mean_of, DOCUMENT, method="percentile")
    assert ends(clustered) == pytest.approx((0.05, 0.35), abs=one)


def test_bca_is_scipys_where_values_are_skewed() -> None:
    values = np.random.default_rng(3).exponential(size=40)
    ours = rivals.bootstrap_interval(mean_features(values), rivals.mean_of)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=4000, rng=np.random.default_rng(0)
    ).confidence_interval
    assert ends(ours) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_posteriors_are_those_of_beta_and_dirichlet_draws() -> None:
    assert rivals.probability_better(5, 1) == close(0.9375)
    draws = rivals.posterior_differences(5, 1, 14)
    expected = (-0.05115208692038093, 0.3883284659818439)
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx(expected, abs=4e-3)
    assert float(np.mean(draws > -0.05)) == pytest.approx(0.974455, abs=2e-3)


def test_families_of_p_are_adjusted_as_statsmodels_does() -> None:
    p = [0.001, 0.012, 0.021, 0.04, 0.3]
    assert stats.adjust_holm(p) == close([0.005, 0.048, 0.063, 0.08, 0.3])
    assert stats.adjust_discoveries(p) == close([0.005, 0.03, 0.035, 0.05, 0.3])
    # Bonferroni: Holm's for the smallest, of as many claims.
    bonferroni = [0.005, 0.06, 0.10500000000000001, 0.2, 1.0]
    assert [stats.adjust_holm([x, 1, 1, 1, 1])[0] for x in p] == close(bonferroni)
    assert stats.adjust_holm([]) == stats.adjust_discoveries([]) == []


def test_millers_example_needs_969_questions() -> None:
    """Miller 2024, section 5: a gain of 3 points, a variance of 1/9 between questions."""
    assert rivals.samples_needed(0.03, 1 / 9) == 969
    assert stats.detectable(math.sqrt(1 / 9 / 968.9974980677886)) == close(0.03)
    one, ten = 1 / 9 + 1 / 6 + 1 / 6, 1 / 9 + (1 / 6 + 1 / 6) / 10
    assert stats.detectable(math.sqrt(one / 3875.9899922711543)) == close(0.03)
    assert stats.detectable(math.sqrt(ten / 1259.6967474881253)) == close(0.03)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (50, 0.19810199057996727),
        (100, 0.14007926090564843),
        (200, 0.09905099528998364),
        (500, 0.06264534992459173),
        (1000, 0.04429695174148298),
    ],
)
def test_the_detectable_effect_follows_from_the_share_of_pairs_that_differ(
    n: int, expected: float
) -> None:
    assert stats.detectable(math.sqrt(0.25 / n)) == close(expected)


def test_the_detectable_effect_of_measured_pairs_is_scipys() -> None:
    assert stats.detectable(stats.standard_error(GAINED)) == close(0.32772812311513105)
    # Five clusters flip in 32 ways: no p is below 1/16.
    assert stats.detectable_gain(GAINED, DOCUMENT) == math.inf


def test_pairs_that_are_all_equal_do_not_make_every_effect_detectable() -> None:
    # Six wins in a row are p = 0.031: a rate of which 6 of 50 hits come in 80% of runs.
    found = stats.detectable_gain(np.zeros(50))
    assert scipy_stats.binom.sf(5, 50, found) == close(0.8)
    assert stats.detectable_gain(np.zeros(50), bounds=None) == math.inf


@pytest.mark.parametrize("n", [20, 50, 200, 1000])
@pytest.mark.parametrize("discordance", [0.0, 0.02, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("sides", [1, 2])
def test_mcnemars_test_finds_the_detectable_effect_in_four_runs_of_five(
    n: int, discordance: float, sides: int
) -> None:
    """Power summed over all numbers of discordant pairs and of wins, by scipy's binomial."""
    effect = stats.detectable_pairs(n, discordance, sides=sides)
    share = max(discordance, effect)
    m = np.arange(n + 1)
    least = scipy_stats.binom.isf(0.05 / sides, m, 0.5)
    found = scipy_stats.binom.sf(least, m, (1 + effect / share) / 2)
    power = float(scipy_stats.binom.pmf(m, n, share) @ found)
    assert 0.78 < power < 0.83


@pytest.mark.parametrize("count", [6, 12, 40])
def test_clusters_flipped_find_the_detectable_effect_in_four_runs_of_five(count: int) -> None:
    random, found, sizes = np.random.default_rng(count), 0, []
    clusters = np.repeat(np.arange(count), 4)

    def drawn() -> Floats:
        values: Floats = random.normal(0, 0.2, count)[clusters] + random.normal(
            0, 0.3, len(clusters)
        )
        return values

    for _ in range(400):
        sizes.append(stats.detectable_gain(drawn(), clusters, bounds=None))
    effect = float(np.mean(sizes))
    for _ in range(1000):
        found += stats.difference_p(drawn() + effect, clusters, bounds=None) < 0.05
    assert 0.75 < found / 1000 < 0.86


def test_the_detectable_effect_of_pairs_over_clusters_has_the_spread_that_is_left_at_it() -> None:
    """It is k sqrt(d - effect^2) of d that differ; k is what t and clusters make of sqrt(d)."""
    clusters = np.arange(80) // 4
    pairs = np.tile([1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0, -1.0, 0.0, 1.0, 0, 0, 0, 0], 5)
    error = max(stats.standard_error(pairs, clusters), stats.standard_error(pairs))
    # scipy: t.ppf(0.975, 19) + t.ppf(0.8, 19) is 2.953975; a spread of few is 1 / (4 * 19) more.
    k = error * 2.9539746 * (1 + 1 / 76) / math.sqrt(0.375)
    found = stats.detectable_gain(pairs, clusters)
    assert found == pytest.approx(k * math.sqrt(0.375 - found**2), rel=1e-6)


@pytest.mark.parametrize(("documents", "differing"), [(12, 0.3), (30, 0.15)])
def test_pairs_over_clusters_find_the_detectable_effect_in_four_runs_of_five(
    documents: int, differing: float
) -> None:
    """The power was 95% and more, as the spread was that of no effect. 400 runs: 2%."""
    random, clusters = np.random.default_rng(2), np.arange(documents * 4) // 4

    def drawn(effect: float = 0.0) -> Floats:
        share = max(differing, effect)
        shared = random.normal(size=documents)[clusters] * math.sqrt(0.5)
        place = shared + random.normal(size=len(clusters)) * math.sqrt(0.5)
        wins = place < NormalDist().inv_cdf(min(1 - 1e-9, (1 + effect / share) / 2))
        return np.where(random.random(len(clusters)) < share, np.where(wins, 1.0, -1.0), 0.0)

    effect = float(np.mean([stats.detectable_gain(drawn(), clusters) for _ in range(100)]))
    found = [stats.difference_p(drawn(effect), clusters) < 0.05 for _ in range(400)]
    assert 0.74 < np.mean(found) < 0.9


@pytest.mark.parametrize(("n", "limit"), [(20, 0.5), (50, 0.9), (300, 0.7), (1000, 0.05)])
def test_the_binomial_test_finds_the_detectable_rate_in_four_runs_of_five(
    n: int, limit: float
) -> None:
    effect = stats.detectable_trials(n, limit)
    most = max(k for k in range(n + 1) if scipy_stats.binom.cdf(k, n, limit) < 0.05)
    assert scipy_stats.binom.cdf(most, n, limit - effect) == close(0.8)
    values = np.repeat([1.0, 0.0], [n // 2, n - n // 2])
    assert stats.detectable_rate(values, None, limit, "less") == effect
    mirrored = stats.detectable_rate(values, None, 1 - limit, "greater")
    assert mirrored == pytest.approx(effect)
    assert stats.detectable_trials(3, 0.5) == math.inf


def test_repeats_are_split_as_the_analysis_of_variance_does() -> None:
    split = stats.variance_split(REPEATS)
    assert split.within == close(0.15)
    assert split.between == close(0.12466666666666668)
    assert split.correlation == close(0.45388349514563103)
    assert stats.disagreement(REPEATS) == close(0.3)
    assert REPEATS.mean() == close(0.5333333333333333)
    of_means = stats.standard_error(REPEATS.mean(axis=1))
    assert of_means == close(0.1605545943838973)
    assert split.standard_error(samples=6, repeats=5) == close(of_means)
    # What is printed when answers to one question are taken for independent.
    assert stats.standard_error(REPEATS.ravel()) == close(0.09264111117062017)


@pytest.mark.parametrize(
    ("k", "at", "hat"),
    [
        (1, 0.5333333333333333, 0.5333333333333333),
        (2, 0.6833333333333332, 0.38333333333333336),
        (3, 0.75, 0.3),
        (5, 0.8333333333333334, 0.16666666666666666),
    ],
)
def test_pass_at_k_is_the_share_of_all_draws_of_k_answers(k: int, at: float, hat: float) -> None:
    hits, trials = REPEATS.sum(axis=1).astype(int), np.full(6, 5)
    assert stats.pass_at(hits, trials, k).mean() == close(at)
    assert stats.pass_hat(hits, trials, k).mean() == close(hat)


def test_pass_at_k_is_unknown_below_k_answers() -> None:
    assert np.isnan(stats.pass_at(np.array([1, 1]), np.array([2, 3]), 3)).tolist() == [True, False]
    # Chen et al. 2021, section 2.1: 1 - C(n - c, k) / C(n, k).
    expected = 1 - math.comb(190, 100) / math.comb(200, 100)
    assert stats.pass_at(np.array([10]), np.array([200]), 100)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("n", "share", "low", "high"),
    [
        (20, 0.5, 6, 15),
        (20, 0.95, 17, 21),
        (100, 0.5, 40, 61),
        (100, 0.95, 90, 100),
        (200, 0.95, 184, 197),
        (1000, 0.99, 983, 997),
        (59, 0.95, 52, 60),
        (299, 0.99, 292, 300),
    ],
)
def test_the_ranks_around_a_quantile_are_binomial(
    n: int, share: float, low: int, high: int
) -> None:
    found = stats.quantile_interval(np.arange(1.0, n + 1), share)
    assert (found.low, found.high) == (low, high if high <= n else None)


def test_quantiles_of_latency_have_order_statistics_for_ends() -> None:
    median = stats.quantile_interval(RAG_MS, 0.5)
    assert (median.value, *ends(median)) == (218.0, 208.0, 230.0)
    assert stats.quantile_interval(RAG_MS, 0.95).high is None
    values = {share: stats.quantile_interval(RAG_MS, share).value for share in (0.5, 0.9, 0.95)}
    assert values == close({0.5: 218.0, 0.9: 268.0, 0.95: 368.5})
    assert (stats.samples_to_bound(0.95), stats.samples_to_bound(0.99)) == (59, 299)


def seconds_in(random: np.random.Generator, documents: int) -> tuple[Floats, Any]:
    """Four samples a document, most of whose variance they share; median 1, p90 1.9."""
    clusters = np.repeat(np.arange(documents), 4)
    own = random.normal(size=len(clusters)) * math.sqrt(0.3)
    return np.exp(0.5 * (random.normal(size=documents)[clusters] * math.sqrt(0.7) + own)), clusters


@pytest.mark.parametrize(("share", "z"), [(0.5, 0.0), (0.9, 1.2815515655446004)])
def test_quantiles_over_clusters_are_covered_and_gates_on_them_keep_their_5_percent(
    share: float, z: float
) -> None:
    """500 runs of 30 documents: one standard error is 1%; without clusters 79% and 14%."""
    random, truth, held, failed = np.random.default_rng(0), math.exp(0.5 * z), 0, 0
    for _ in range(500):
        values, clusters = seconds_in(random, 30)
        low, high = stats.quantile_interval(values, share, clusters).ends
        held += low <= truth <= high
        failed += stats.quantile_p(values, share, truth, "greater", clusters) < 0.05
    assert 0.92 < held / 500 < 0.98
    assert failed / 500 < 0.07


def test_equal_setups_differ_by_a_quantile_over_clusters_in_no_more_than_alpha_of_runs() -> None:
    random, failed = np.random.default_rng(0), 0
    for _ in range(150):
        left, clusters = seconds_in(random, 25)
        right, _ = seconds_in(random, 25)
        draws = stats.quantile_draws(left, right, 0.5, clusters)
        gap = stats.quantile(left, 0.5) - stats.quantile(right, 0.5)
        degrees = stats.gap_degrees(left, right, 0.5, clusters)
        low, high = stats.draws_interval(gap, draws[0] - draws[1], degrees)
        p = stats.draws_p(gap, draws[0] - draws[1], degrees)
        assert low < gap < high and 0 <= p <= 1
        failed += p < 0.05
    assert failed / 150 < 0.09


def test_drawn_clusters_have_numpys_quantile_of_what_was_drawn() -> None:
    """Two clusters of two: drawn are (1, 1), (1, 2) or (2, 2), whatever their names and order."""
    left, right = np.array([1.0, 2.0, 5.0, 9.0]), np.zeros(4)
    clusters = np.array([0, 0, 1, 1])
    draws = stats.quantile_draws(left, right, 0.9, clusters)[0]
    pairs = ([1, 1, 2, 2], [1, 2, 5, 9], [5, 5, 9, 9])
    assert sorted(set(draws.tolist())) == close([np.quantile(drawn, 0.9) for drawn in pairs])
    order = np.array([3, 0, 2, 1])
    again = stats.quantile_draws(left[order], right, 0.9, 7 - clusters[order])[0]
    assert np.array_equal(draws, again)


def test_the_ends_over_clusters_are_binomial_on_the_effective_number() -> None:
    """A p90 has its upper rank nearer: 10% of the values lie above it, 90% below.

    Of 39 clusters of ten equal values: scipy's binom.ppf([0.025, 0.975], 39, 0.9) / 39 is 0.795 and
    0.974; fewer trials count, by the square of z over t on 38 degrees of freedom.
    """
    clusters = np.arange(390) // 10
    found = stats.quantile_interval(clusters.astype(float), 0.9, clusters)
    assert (found.ends[0] / 39, found.ends[1] / 39) == pytest.approx((0.77, 0.97), abs=0.03)


def test_an_end_over_clusters_lies_between_two_values_by_the_chances_of_both() -> None:
    """The tail of 0.025 lies between those of two order statistics, and so does the end."""
    values, clusters = np.sort(np.random.default_rng(5).normal(size=40)), np.arange(40) % 10
    chances = [stats.quantile_p(values, 0.5, value, "greater", clusters) for value in values]
    rank = int(np.searchsorted(chances, 0.025))
    part = (0.025 - chances[rank - 1]) / (chances[rank] - chances[rank - 1])
    end = values[rank - 1] + part * (values[rank] - values[rank - 1])
    assert stats.quantile_interval(values, 0.5, clusters).low == close(end)
    assert stats.quantile_p(values, 0.5, float(end), "greater", clusters) == close(0.025)


def test_the_outer_end_of_a_tail_over_clusters_is_a_value() -> None:
    values, clusters = np.random.default_rng(5).normal(size=200), np.arange(200) % 40
    found = stats.quantile_interval(values, 0.8, clusters)
    assert found.high in values and found.low not in values
    found = stats.quantile_interval(values, 0.2, clusters)
    assert found.low in values and found.high not in values


def test_an_end_over_clusters_next_to_an_infinite_value_is_the_finite_one() -> None:
    values = np.array([1.0] * 10 + [2.0] * 11 + [math.inf] * 19)
    clusters = np.arange(40) % 10
    found = stats.quantile_interval(values, 0.5, clusters)
    assert found.low in (1.0, 2.0)
    assert found.high is None
    assert stats.quantile_p(values, 0.9, 5.0, "greater", clusters) == close(
        stats.quantile_p(values, 0.9, 9.0, "greater", clusters)
    )


def test_a_p_of_a_clustered_quantile_is_below_alpha_where_its_end_leaves_the_limit_out() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        values, clusters = seconds_in(random, 12)
        for share in (0.5, 0.8):
            found = stats.quantile_interval(values, share, clusters, level=0.9)
            for limit in random.choice(np.exp(random.normal(0, 0.5, 200)), 12):
                above = stats.quantile_p(values, share, limit, "greater", clusters) < 0.05
                assert above == (found.ends[0] > limit)
                below = stats.quantile_p(values, share, limit, "less", clusters) < 0.05
                assert below == (found.ends[1] < limit)


def test_the_error_of_a_gap_of_quantiles_has_the_degrees_of_what_lies_below_them() -> None:
    """As many as clusters less one where all are of one size, else those of the mean."""
    random = np.random.default_rng(1)
    left, right = random.normal(size=40), random.normal(size=40)
    assert stats.gap_degrees(left, right, 0.5, None) is None
    assert stats.gap_degrees(left, right, 0.5, np.arange(40) // 4) == close(9)
    uneven = np.minimum(np.arange(40) // 2, 5)
    below = [(side <= np.sort(side)[19]) * 1.0 for side in (left, right)]
    degrees = stats.degrees_of(below[0] - below[1], uneven)
    assert stats.gap_degrees(left, right, 0.5, uneven) == degrees < 5


def test_a_bootstrap_over_clusters_is_t_of_its_error_on_the_degrees() -> None:
    """scipy: t.ppf(0.975, 4) is 2.776445, t.cdf(-2 / sqrt(1.25), 4) is 0.0740741."""
    draws = np.tile([-1.0, 1.0], 1000)
    low, high = stats.draws_interval(-2.0, draws, 4)
    assert (low, high) == close(
        (-2 - 2.7764451051977934 * 1.25**0.5, -2 + 2.7764451051977934 * 1.25**0.5)
    )
    assert stats.draws_p(-2.0, draws, 4) == close(0.07407407407407406)


def test_one_cluster_bounds_no_quantile() -> None:
    values = np.arange(20.0)
    assert stats.quantile_interval(values, 0.5, np.zeros(20, dtype=int)).ends == (
        -math.inf,
        math.inf,
    )
    alone = stats.quantile_interval(values, 0.5)
    assert stats.quantile_interval(values, 0.5, np.arange(20)) == alone


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_the_interval_of_a_quantile_holds_it_whatever_the_number(share: float) -> None:
    for n in range(1, 400):
        found = stats.quantile_interval(np.arange(n, dtype=float), share)
        assert found.ends[0] <= found.value <= found.ends[1]


def test_ratios_of_latency_are_paired() -> None:
    ratio = rivals.quantile_ratio(RAG_MS, BASE_MS)
    assert ratio.value == close(1.912280701754386)
    assert ends(ratio) == pytest.approx((1.8717948717948718, 1.9304347826086956), abs=5e-3)
    assert rivals.quantile_ratio(RAG_MS, BASE_MS, 0.95).value == close(1.9865229110512126)
    mean = rivals.mean_ratio(RAG_MS, BASE_MS)
    assert (mean.value, *ends(mean)) == close(
        (1.914399842178008, 1.8996465993707476, 1.9292676632301915)
    )


# The rules that `compare` and the gates lean on.


@pytest.mark.parametrize(
    ("values", "clusters", "exact", "method"),
    [
        (RAG, None, False, "mid-p"),
        (np.tile(RAG, 3), None, False, "wilson"),
        (RAG, None, True, "clopper-pearson"),
        (RAG, DOCUMENT, False, "clustered wilson"),
        (RAG, DOCUMENT, True, "clustered clopper-pearson"),
        (RAG / 2, None, False, "effective wilson"),
        (np.full(20, 0.7), None, False, "no spread"),
        (np.array([NAN]), None, False, "nothing judged"),
    ],
)
def test_the_interval_of_a_bounded_mean_is_chosen_by_its_values(
    values: Floats, clusters: Any, exact: bool, method: str
) -> None:
    found = stats.mean_interval(values, clusters, bounds=RATE, exact=exact)
    assert found.method == method
    assert 0 <= found.low <= found.high <= 1


def test_clusters_of_one_sample_are_no_clusters() -> None:
    alone = np.arange(20)
    assert stats.mean_interval(RAG, alone, bounds=RATE) == stats.mean_interval(RAG, bounds=RATE)
    assert stats.difference_interval(GAINED, alone) == stats.difference_interval(GAINED)
    assert stats.difference_p(GAINED, alone, margin=0.1) == stats.difference_p(GAINED, margin=0.1)


def test_twenty_of_twenty_never_has_an_error_of_zero() -> None:
    ones = np.ones(20)
    alone = stats.mean_interval(ones, bounds=RATE)
    together = stats.mean_interval(ones, DOCUMENT, bounds=RATE)
    assert alone.high == together.high == 1.0
    assert alone.low == close(0.05 ** (1 / 20))
    # As five trials: all that the four questions of a document say may be the same thing.
    assert together.low == close(stats.wilson(5, 5)[0])
    # Equal values between the bounds, by the same share of others that 20 alike leave room for.
    share = 1 - 0.025 ** (1 / 20)
    same = stats.mean_interval(np.full(20, 0.7), bounds=RATE)
    assert ends(same) == close((0.7 - share * 0.7, 0.7 + share * 0.3))
    unbounded = stats.mean_interval(np.full(20, 7.0))
    assert (unbounded.value, *ends(unbounded)) == (7.0, -math.inf, math.inf)


def test_nothing_judged_bounds_nothing() -> None:
    nothing = np.array([NAN, NAN])
    found = [interval for interval, _ in every_interval(nothing, None, 0.95)]
    found.append(stats.quantile_interval(nothing, 0.5))
    found.append(rivals.quantile_ratio(nothing, nothing))
    assert {interval.method for interval in found} == {"nothing judged"}
    assert all(interval.value is None for interval in found)
    assert stats.difference_p(nothing, margin=0.1) == stats.difference_p(nothing) == 1.0
    assert stats.win_tie_loss(nothing) == (0, 0, 0)


def test_one_sample_or_one_cluster_bounds_nothing_that_is_not_bounded() -> None:
    assert ends(stats.mean_interval(np.array([3.0]))) == (-math.inf, math.inf)
    together = np.zeros(20, dtype=int)
    assert ends(stats.skewed_t(RAG_MS, together)) == (-math.inf, math.inf)
    assert ends(stats.difference_interval(GAINED, together)) == GAIN
    assert ends(stats.difference_interval(GAINED / 2, together)) == GAIN
    assert math.isinf(stats.standard_error(RAG, together))
    assert stats.difference_p(GAINED, together, margin=0.5, alternative="less") == 1.0


def test_values_that_hardly_differ_still_have_an_interval() -> None:
    values = np.array([0.5 - 1e-7, 0.5 + 1e-7, *[0.5] * 9])
    for exact in (False, True):
        found = stats.mean_interval(values, bounds=RATE, exact=exact)
        assert 0.4998 < found.low < found.value < found.high < 0.5002


def test_a_skewed_mean_has_the_longer_side_where_the_tail_is() -> None:
    values = np.random.default_rng(1).exponential(size=25)
    skewed, plain = stats.skewed_t(values), stats.t_interval(values)
    assert skewed.low == close(plain.low)
    assert skewed.high > plain.high + 0.05
    mirrored = stats.skewed_t(-values)
    assert ends(mirrored) == close((-skewed.high, -skewed.low))


def test_halls_transformation_is_undone_by_its_inverse() -> None:
    """The end of the interval is where the p of `difference_p` is half of the rest of the level."""
    values = np.random.default_rng(2).exponential(size=30)
    high = stats.skewed_t(values, level=0.90).high
    p = stats.difference_p(values, margin=high, alternative="less", bounds=None)
    assert p == close(0.05)


def test_a_value_that_cannot_occur_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside \(0.0, 1.0\)"):
        stats.mean_interval(np.array([0.5, 1.5]), bounds=RATE)
    with pytest.raises(ValueError, match="outside"):
        stats.difference_interval(np.array([0.0, 2.0]))
    with pytest.raises(ValueError, match="needs a discordance"):
        rivals.paired_power(50, 0.1, -0.2)


def test_clusters_that_agree_inside_widen_an_interval_and_others_leave_it() -> None:
    values = np.tile(np.repeat([1.0, 0.0], 4), 8)
    agreeing, opposed = np.arange(64) // 4, np.arange(64) % 8
    alone = stats.mean_interval(values, bounds=RATE)
    wide = stats.mean_interval(values, agreeing, bounds=RATE)
    assert wide.high - wide.low > 1.8 * (alone.high - alone.low)
    for rule in (stats.difference_interval, stats.skewed_t):
        assert rule(values, agreeing).high > rule(values).high
        assert rule(values, opposed).high >= rule(values).high


def test_clusters_that_are_all_alike_count_once_and_those_that_cancel_count_whole() -> None:
    for alike in (np.zeros(20), np.ones(20)):
        wins = int(alike.sum() / 4)
        found = stats.difference_interval(alike, DOCUMENT)
        assert ends(found) == close(stats.tango(wins, 0, 5))
    split = np.tile([1.0, 0.0], 10)
    found = stats.mean_interval(split, np.arange(20) // 2, bounds=RATE)
    assert ends(found) == close(stats.wilson(10, 20))
    gains = np.tile([1.0, -1.0], 10)
    assert ends(stats.difference_interval(gains, np.arange(20) // 2)) == close(
        ends(stats.difference_interval(gains))
    )


# Permutation tests.


@pytest.mark.parametrize("n", [3, 12, 16])
def test_few_differences_are_flipped_in_every_way(n: int) -> None:
    differences = np.round(np.random.default_rng(n).normal(0.3, 1, n), 2)
    seen = differences.sum()
    flips = [float(np.dot(signs, differences)) for signs in product((-1, 1), repeat=n)]
    up = np.mean([flip >= seen - 1e-9 for flip in flips])
    down = np.mean([flip <= seen + 1e-9 for flip in flips])
    assert stats.sign_flip_p(differences, alternative="greater") == close(up)
    assert stats.sign_flip_p(differences, alternative="less") == close(down)
    assert stats.sign_flip_p(differences) == close(min(1.0, 2 * min(up, down)))


@pytest.mark.parametrize(("n", "large"), [(60, 1), (200, 1), (300, 1), (400, 1), (260, 12)])
def test_many_differences_are_counted_or_put_to_moments_with_the_same_p(n: int, large: int) -> None:
    """Against the exact distribution, counted up in whole numbers."""
    differences = np.random.default_rng(n).integers(-3, 4, n).astype(float)
    differences[:6] = [1, large, large, large, large, large]
    ways = {0: 1.0}
    for size in np.abs(differences).astype(int):
        grown: dict[int, float] = {}
        for total, share in ways.items():
            for end in {total + size, total - size}:
                grown[end] = grown.get(end, 0.0) + share * (1 if size == 0 else 0.5)
        ways = grown
    seen = differences.sum()
    exact = sum(share for total, share in ways.items() if total >= seen)
    counted = np.count_nonzero(differences) <= stats.ON_GRID
    found = stats.sign_flip_p(differences, alternative="greater")
    assert found == pytest.approx(exact, abs=1e-12 if counted else 2e-4)


def test_clusters_flip_as_one() -> None:
    gains = np.repeat([1.0, 1.0, 1.0, -1.0], 5)
    assert stats.sign_flip_p(gains) == close(2 * scipy_stats.binom.cdf(5, 20, 0.5))
    documents = np.repeat(np.arange(4), 5)
    assert stats.sign_flip_p(gains, documents) == close(2 * 5 / 16)
    assert stats.sign_flip_p(np.zeros(8)) == stats.sign_flip_p(np.full(3, NAN)) == 1.0


@pytest.mark.parametrize("n", [17, 19])
def test_sums_on_a_grid_have_nearly_the_p_of_all_their_flips(n: int) -> None:
    for seed in range(5):
        sums = np.random.default_rng([n, seed]).lognormal(0, 1.5, n) * np.resize([1, 1, -1], n)
        flipped = np.zeros(1)
        for size in np.abs(sums):
            flipped = np.concatenate([flipped - size, flipped + size])
        exact = np.mean(flipped >= sums.sum() - 1e-9)
        assert stats.sign_flip_p(sums, alternative="greater") == pytest.approx(exact, abs=3e-3)


@pytest.mark.parametrize("sizes", ["lognormal", "uniform"])
def test_the_level_of_sums_on_a_grid_is_exact(sizes: str) -> None:
    """Of all flips of some sums, no larger share than alpha has a p of at most alpha."""
    known = getattr(np.random.default_rng(3), sizes)(size=11)
    p = np.sort([grid_tail(known * signs) for signs in product((-1.0, 1.0), repeat=11)])
    assert np.all(p >= np.arange(1, len(p) + 1) / len(p) - 1e-12)
    assert np.mean(p <= 0.05) > 0.045


# Planning.


def test_fewer_than_five_pairs_that_differ_are_no_evidence() -> None:
    assert [rivals.fewest_discordant(alpha) for alpha in (0.05, 0.03125, 0.025, 0.01)] == [
        5,
        5,
        6,
        7,
    ]
    sweep = np.array([-1.0] * 5 + [0.0] * 40)
    assert stats.difference_p(sweep, alternative="less") < 0.05
    assert stats.difference_p(sweep[1:], alternative="less") > 0.05


@pytest.mark.parametrize(("n", "difference", "margin"), [(100, -0.1, 0.0), (300, -0.1, -0.05)])
def test_power_is_the_share_of_simulated_runs_that_are_found(
    n: int, difference: float, margin: float
) -> None:
    random = np.random.default_rng(7)
    shares = [(0.25 + difference) / 2, (0.25 - difference) / 2, 0.75]
    found = 0
    for wins, losses, ties in random.multinomial(n, shares, size=1500):
        gains = np.repeat([1.0, -1.0, 0.0], [wins, losses, ties])
        found += stats.difference_p(gains, margin=margin, alternative="less") < 0.05
    expected = rivals.paired_power(n, 0.25, difference, margin=margin)
    assert found / 1500 == pytest.approx(expected, abs=0.04)


def test_the_samples_that_are_needed_give_the_power_asked_for() -> None:
    n = rivals.samples_needed(0.05, 0.25 - 0.05**2, sides=1)
    assert 0.76 < rivals.paired_power(n, 0.25, -0.05) < 0.82
    assert rivals.paired_power(4, 1.0, -1.0) == 0.0  # cannot fail: four pairs say nothing
    assert rivals.paired_power(5, 1.0, -1.0) == close(1.0)
    assert rivals.paired_power(500, 0.0, 0.0) == 0.0
    assert rivals.paired_power(500, 0.0, 0.0, margin=-0.05) == 0.0


def test_identical_models_are_found_different_in_no_more_than_alpha_of_runs() -> None:
    assert max(rivals.paired_power(n, 0.25, 0.0) for n in range(5, 400, 7)) <= 0.05


# Repeats that are not all there.


def test_missing_repeats_are_left_out_of_the_split() -> None:
    """Against the unbalanced one-way analysis of variance done by hand."""
    values = np.array([[1.0, 2.0, 3.0], [4.0, 6.0, NAN], [NAN, 5.0, NAN], [NAN, NAN, NAN]])
    split = stats.variance_split(values)
    assert split.within == close((2 + 2) / 3)
    typical = (6 - 14 / 6) / 2
    spread = (3 * (2 - 3.5) ** 2 + 2 * (5 - 3.5) ** 2 + (5 - 3.5) ** 2) / 2
    assert split.between == close((spread - split.within) / typical)


def test_samples_asked_once_say_nothing_of_the_variance_inside() -> None:
    split = stats.variance_split(np.array([[1.0], [2.0], [4.0]]))
    assert math.isnan(split.within)
    assert split.between == close(7 / 3)
    assert math.isnan(stats.disagreement(np.array([[1.0], [NAN]])))
    assert math.isnan(stats.variance_split(np.array([[1.0, 2.0]])).between)
    assert math.isnan(stats.variance_split(np.ones((3, 2))).correlation)


def test_a_negative_estimate_of_the_variance_between_samples_is_none() -> None:
    assert stats.variance_split(np.array([[0.0, 1.0], [1.0, 0.0]])).between == 0.0


# Statistics that are no means.


def f1(totals: Floats) -> Floats:
    found: Floats = 2 * totals[:, 0] / (totals[:, 1] + totals[:, 2])
    return found


def test_the_jackknife_and_the_bootstrap_agree_on_a_ratio_of_sums() -> None:
    random = np.random.default_rng(4)
    expected = random.integers(0, 2, 400).astype(float)
    predicted = np.where(random.random(400) < 0.8, expected, 1 - expected)
    features = np.stack([expected * predicted, expected, predicted], axis=1)
    clusters = np.arange(400) // 4
    for given_clusters in (None, clusters):
        jackknife = stats.statistic_interval(features, f1, given_clusters, bounds=RATE)
        bootstrap = rivals.bootstrap_interval(features, f1, given_clusters)
        assert jackknife.value == bootstrap.value
        assert ends(jackknife) == pytest.approx(ends(bootstrap), abs=0.01)


def test_clusters_never_make_the_jackknifes_interval_shorter() -> None:
    """Every cluster has the same mean, so that alone its parts would have no error at all."""
    values = np.tile([0.1, 0.5, 0.9, 0.7, 0.3], 8) + np.repeat(np.linspace(0, 0.01, 8), 5)
    features, clusters = mean_features(values), np.repeat(np.arange(8), 5)
    alone = stats.statistic_interval(features, rivals.mean_of)
    together = stats.statistic_interval(features, rivals.mean_of, clusters)
    assert together.low < alone.low and together.high > alone.high
    parts = stats.pseudo_values(features, rivals.mean_of, clusters)
    assert stats.standard_error(parts) == close(stats.standard_error(values))


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = np.random.default_rng(8).normal(size=30)
    found = stats.statistic_interval(mean_features(values), rivals.mean_of)
    assert ends(found) == close(ends(stats.skewed_t(values)))
    alone = stats.statistic_interval(mean_features(values[:1]), rivals.mean_of)
    assert ends(alone) == (-math.inf, math.inf)


# Nights.


def nights(count: int, seed: int = 0, sigma: float = 0.01) -> Floats:
    return 0.7 + np.random.default_rng(seed).normal(0, sigma, count)


def test_a_step_is_found_within_days_and_dated() -> None:
    series = nights(60)
    series[40:] -= 0.02
    alarms = stats.drift(series)
    assert alarms[0].direction == -1
    assert 40 <= alarms[0].night <= 46
    assert abs(alarms[0].since - 40) <= 2
    assert stats.drift(-series)[0] == stats.Alarm(alarms[0].night, alarms[0].since, 1)


def test_quiet_nights_a_broken_night_and_too_few_nights_are_no_alarm() -> None:
    quiet = nights(60, seed=1)
    assert stats.drift(quiet) == []
    broken = quiet.copy()
    broken[[25, 45]] = 0.0
    assert stats.drift(broken) == []
    assert stats.drift(np.array([0.7] * 13 + [0.1])) == []


def test_a_night_is_measured_by_the_corrected_mad_of_the_base() -> None:
    """By hand: 1.4826 * 14 / 13.2 for a MAD of 1 from 14 nights, and the median's own error.

    A score of s adds s - 0.5 a night: the sum passes 5 on the fifth night above 1.5.
    """
    spread = 1.4826 * 14 / 13.2 * math.sqrt(1 + math.pi / 28)
    for score, night in ((1.51, 18), (1.49, 19)):
        series = np.array([-1.0, 1.0] * 7 + [score * spread] * 8)
        assert stats.drift(series, base=14)[0] == stats.Alarm(night, 14, 1)
    slow = np.array([-1.0, 1.0] * 7 + [2 * spread] * 30)
    assert len(stats.drift(slow, base=14)) > len(stats.drift(slow, base=44))


def test_missing_nights_are_stepped_over() -> None:
    series = nights(60)
    series[40:] -= 0.02
    found = stats.drift(series)
    gaps = np.insert(series, [5, 20, 41], NAN)
    moved = stats.drift(gaps)
    assert [alarm.direction for alarm in moved] == [alarm.direction for alarm in found]
    assert moved[0].night == found[0].night + 3


def test_a_series_without_noise_alarms_only_beyond_the_least_spread_believed() -> None:
    series = np.array([0.7] * 20 + [0.701] * 10)
    assert stats.drift(series)[0].night == 22
    assert stats.drift(series, least=0.005) == []


# Laws.

judged = arrays(np.float64, st.integers(2, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
hit_or_miss = arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([0.0, 1.0]))
paired_gains = arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([-1.0, 0.0, 1.0]))
scored_gains = arrays(np.float64, st.integers(2, 25), elements=st.floats(-1, 1, width=16))
levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
law = settings(deadline=None, max_examples=60)


def clusters_of(values: Floats, size: int) -> Any:
    return None if size == 1 else np.arange(len(values)) // size


def every_interval(
    values: Floats, clusters: Any, level: float
) -> list[tuple[Estimate, tuple[float, float] | None]]:
    low, high = (-1.0, 1.0) if np.any(values < 0) else (0.0, 1.0)
    return [
        (stats.mean_interval(values, clusters, bounds=(low, high), level=level), (low, high)),
        (
            stats.mean_interval(values, clusters, bounds=(low, high), level=level, exact=True),
            (low, high),
        ),
        (stats.mean_interval(values, clusters, level=level), None),
        (stats.difference_interval(values, clusters, level=level), GAIN),
        (stats.difference_interval(values, clusters, bounds=None, level=level), None),
        (stats.t_interval(values, clusters, level=level), None),
    ]


@law
@given(judged | hit_or_miss | paired_gains | scored_gains, st.sampled_from([1, 2, 5]), levels)
def test_intervals_hold_the_estimate_and_stay_within_what_can_occur(
    values: Floats, size: int, level: float
) -> None:
    for found, bounds in every_interval(values, clusters_of(values, size), level):
        assert found.value == pytest.approx(values.mean(), abs=1e-12)
        low, high = found.ends
        assert low <= found.value + 1e-12
        assert high >= found.value - 1e-12
        if bounds:
            assert bounds[0] - 1e-12 <= low
            assert high <= bounds[1] + 1e-12


@law
@given(judged | hit_or_miss | paired_gains | scored_gains, st.sampled_from([1, 2, 5]))
def test_intervals_widen_with_their_level(values: Floats, size: int) -> None:
    clusters = clusters_of(values, size)
    by_level = [every_interval(values, clusters, level) for level in (0.8, 0.9, 0.95, 0.99)]
    for narrow, wide in pairwise(by_level):
        for (inner, _), (outer, _) in zip(narrow, wide, strict=True):
            assert outer.ends[0] <= inner.ends[0] + 1e-9
            assert outer.ends[1] >= inner.ends[1] - 1e-9


@law
@given(paired_gains | scored_gains, st.sampled_from([1, 2, 5]), levels)
def test_swapping_the_sides_mirrors_intervals_and_keeps_p(
    gains: Floats, size: int, level: float
) -> None:
    clusters = clusters_of(gains, size)
    for bounds in (GAIN, None):
        there = stats.difference_interval(gains, clusters, bounds=bounds, level=level)
        back = stats.difference_interval(-gains, clusters, bounds=bounds, level=level)
        assert ends(back) == pytest.approx(ends(there.scaled(-1)), abs=1e-7)
        for margin in (0.0, 0.07):
            p = stats.difference_p(gains, clusters, margin=margin, bounds=bounds)
            q = stats.difference_p(-gains, clusters, margin=-margin, bounds=bounds)
            assert p == pytest.approx(q, abs=1e-9)
            less = stats.difference_p(
                gains, clusters, margin=margin, alternative="less", bounds=bounds
            )
            greater = stats.difference_p(
                -gains, clusters, margin=-margin, alternative="greater", bounds=bounds
            )
            assert less == pytest.approx(greater, abs=1e-9)
            assert 0 <= p <= 1
            assert 0 <= less <= 1
    assert stats.win_tie_loss(-gains) == stats.win_tie_loss(gains)[::-1]


@law
@given(
    paired_gains | scored_gains,
    st.sampled_from([1, 2, 5]),
    st.sampled_from([-0.5, -0.2, -0.03, 0.04, 0.3]),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_a_p_is_below_alpha_where_the_one_sided_end_leaves_the_margin_out(
    gains: Floats, size: int, margin: float, alpha: float
) -> None:
    clusters = clusters_of(gains, size)
    for bounds in (GAIN, None):
        p = stats.difference_p(gains, clusters, margin=margin, alternative="less", bounds=bounds)
        assume(abs(p - alpha) > 1e-6)
        found = stats.difference_interval(gains, clusters, bounds=bounds, level=1 - 2 * alpha)
        assert (p < alpha) == (found.ends[1] < margin - 1e-12)


@law
@given(judged | paired_gains | scored_gains, st.sampled_from([1, 2, 5]), st.randoms())
def test_the_order_of_samples_and_the_names_of_clusters_change_nothing(
    values: Floats, size: int, random: Any
) -> None:
    clusters = np.arange(len(values)) // size
    order = random.sample(range(len(values)), len(values))
    renamed = np.array(random.sample(range(100), int(clusters.max()) + 1))[clusters]
    other, moved = values[order], renamed[order]
    for a, b in zip(
        every_interval(values, clusters, 0.95), every_interval(other, moved, 0.95), strict=True
    ):
        assert ends(a[0]) == pytest.approx(ends(b[0]), abs=1e-9)
    for margin in (0.0, 0.1):
        p, q = (
            stats.difference_p(v, c, margin=margin, bounds=None)
            for v, c in ((values, clusters), (other, moved))
        )
        assert p == pytest.approx(q, abs=1e-9)
    a, b = (
        rivals.bootstrap_interval(mean_features(v), rivals.mean_of, c)
        for v, c in ((values, clusters), (other, moved))
    )
    assert ends(a) == pytest.approx(ends(b), abs=1e-9)


@law
@given(judged | paired_gains | scored_gains, st.integers(1, 5), levels)
def test_unjudged_samples_are_left_out_wherever_they_stand(
    values: Floats, missing: int, level: float
) -> None:
    holes = np.insert(values, len(values) // 2, [NAN] * missing)
    for a, b in zip(
        every_interval(values, None, level),
        every_interval(holes, None, level),
        strict=True,
    ):
        assert ends(a[0]) == pytest.approx(ends(b[0]), abs=1e-9)


@law
@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 30), levels)
def test_intervals_narrow_as_the_same_rates_come_from_more_samples(
    wins: int, losses: int, ties: int, level: float
) -> None:
    n = wins + losses + ties
    assume(n > 0)
    rules: list[Callable[[int], tuple[float, float]]] = [
        lambda times: stats.tango(wins * times, losses * times, n * times, level),
        lambda times: rivals.newcombe(0, wins * times, losses * times, ties * times, level),
        lambda times: stats.wilson(wins * times, n * times, level),
        lambda times: stats.mid_p(wins * times, n * times, level),
        lambda times: stats.clopper_pearson(wins * times, n * times, level),
    ]
    for rule in rules:
        widths = [high - low for low, high in map(rule, (1, 2, 4, 16))]
        assert widths == sorted(widths, reverse=True)
        assert widths[0] > 0


@law
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_is_a_probability_and_the_sign_test(wins: int, losses: int) -> None:
    exact, mid = stats.mcnemar(wins, losses), stats.mcnemar(wins, losses, "mid-p")
    assert 0 <= mid <= exact <= 1
    gains = np.repeat([1.0, -1.0, 0.0], [wins, losses, 5])
    assert stats.sign_flip_p(gains) == pytest.approx(exact, abs=1e-12)


@law
@given(st.lists(st.floats(0, 1), max_size=12), st.randoms())
def test_adjusted_p_keep_their_order_and_are_no_smaller(p: list[float], random: Any) -> None:
    order = random.sample(range(len(p)), len(p))
    for adjust in (stats.adjust_holm, stats.adjust_discoveries):
        found = adjust(p)
        assert all(a >= b - 1e-15 and a <= 1 for a, b in zip(found, p, strict=True))
        assert adjust([p[i] for i in order]) == [found[i] for i in order]
        ranked = sorted(zip(p, found, strict=True))
        assert [b for _, b in ranked] == sorted(found)


PROGRAM = """
import sys
import numpy as np
from bakeoff.analysis import stats
sys.path.append(sys.argv[1])
import rivals
codes = stats.cluster_codes([name for name in "the quick brown fox jumps over it all".split()] * 3)
values = np.random.default_rng(0).normal(0.2, 1, 24)
features = np.stack([values, np.ones(24)], axis=1)
print(codes.tolist(), rivals.bootstrap_interval(features, rivals.mean_of, codes, seed=4))
print(stats.sign_flip_p(values), stats.skewed_t(values, codes))
"""


def test_results_are_the_same_in_every_process() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(ROOT / "benchmarks" / "studies")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "99")
    }
    assert len(printed) == 1
    assert "clustered bca" in printed.pop()


def test_importing_the_module_does_not_import_scipy() -> None:
    code = (
        "import sys, bakeoff.analysis.stats\n"
        "print(any(name.startswith('scipy') for name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_a_hundred_thousand_samples_are_resampled_in_pieces() -> None:
    """What a draw weighs is bounded, so that memory does not grow with the samples."""
    assert stats.CELLS * 8 * 3 <= 100e6
    values = np.random.default_rng(0).normal(size=30_000)
    found = rivals.bootstrap_interval(mean_features(values), rivals.mean_of, method="percentile")
    assert ends(found) == pytest.approx(ends(stats.t_interval(values)), abs=2e-3)


def test_within_bounds_a_statistic_that_is_a_mean_has_the_interval_of_the_mean() -> None:
    """As a share of sums, by the jackknife; over clusters of one size, which share most of it."""
    random = np.random.default_rng(4)
    own = random.random(60)
    for values, clusters in (
        (own, None),
        ((own + 3 * np.repeat(random.random(15), 4)) / 4, np.arange(60) // 4),
    ):
        mean = stats.mean_interval(values, clusters, bounds=RATE)
        ratio = stats.statistic_interval(
            mean_features(values), rivals.mean_of, clusters, bounds=RATE
        )
        assert ratio.ends == close(mean.ends)
