"""The corrected resampled t interval, Holm's correction and the decision, against formulas and cases of their own."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import binom

from losslens.data.splits import split
from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.report import decision as decision_module
from losslens.report.decision import decide, paired
from losslens.report.rows import Contest, judge
from losslens.report.statistics import corrected_interval, holm
from losslens.run.spec import SplitSpec, TransformSpec, TrialResult, TrialSpec

SHARE = 0.3125
finite = st.floats(-100, 100, allow_nan=False)


# --- the corrected resampled t interval -------------------------------------------------------------------------------


def nadeau_bengio(differences, test, train, level=0.95):
    """Section 4 of the paper: the variance estimate times 1/J + n2/n1, and a t quantile with J - 1 degrees."""
    repeats = len(differences)
    variance = stats.tvar(differences) * (1 / repeats + test / train)
    law = stats.t(df=repeats - 1, loc=np.mean(differences), scale=math.sqrt(variance))
    return law.ppf((1 - level) / 2), law.ppf((1 + level) / 2), 2 * min(law.cdf(0.0), law.sf(0.0))


@given(
    st.lists(finite, min_size=2, max_size=12), st.integers(5, 50), st.integers(60, 300), st.sampled_from([0.9, 0.95])
)
def test_interval_follows_the_paper(differences, test, train, level):
    assume(np.std(differences) > 1e-6)
    found = corrected_interval(differences, test / train, level)
    low, high, p = nadeau_bengio(differences, test, train, level)
    assert (found.low, found.high, found.p) == pytest.approx((low, high, p), rel=1e-9, abs=1e-9)
    assert found.mean == pytest.approx(np.mean(differences))
    assert found.repeats == len(differences)


def test_interval_by_hand():
    """Mean 0.3, variance 0.025, five splits, a quarter as many test as training samples: 0.45 * 0.025 = 0.01125."""
    found = corrected_interval([0.1, 0.2, 0.3, 0.4, 0.5], 0.25)
    assert found.high - found.mean == pytest.approx(2.7764451 * math.sqrt(0.01125), rel=1e-7)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_without_shared_samples_it_is_the_plain_t_interval():
    differences = [0.3, -0.1, 0.2, 0.5]
    plain = stats.ttest_1samp(differences, 0.0)
    found = corrected_interval(differences, 0.0)
    assert found.p == pytest.approx(plain.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(plain.confidence_interval(0.95)))


@given(st.lists(finite, min_size=2, max_size=8), st.floats(0.0, 1.0), st.floats(1e-6, 1e6))
def test_units_do_not_matter(differences, share, unit):
    """Scores of 1e-9 are judged as scores of 1: nothing is taken for rounding because it is small."""
    assume(np.std(differences) > 1e-6)
    scaled = corrected_interval([unit * d for d in differences], share)
    assert scaled.p == pytest.approx(corrected_interval(differences, share).p, rel=1e-6, abs=1e-12)


def test_small_scores_keep_their_noise():
    noisy = [3e-14, -1e-14, 2e-14, -2e-14, 1e-14]
    assert corrected_interval(noisy, SHARE).p > 0.5


@given(st.lists(finite, min_size=2, max_size=8))
def test_sign_turns_the_interval_round(differences):
    there, back = corrected_interval(differences, SHARE), corrected_interval([-d for d in differences], SHARE)
    assert (there.low, there.high, there.p) == pytest.approx((-back.high, -back.low, back.p))


@pytest.mark.parametrize("differences", [[], [0.4]])
def test_fewer_than_two_splits_say_nothing(differences):
    found = corrected_interval(differences, SHARE)
    assert (found.low, found.high, found.p) == (-math.inf, math.inf, 1.0)
    assert math.isnan(found.mean) == (not differences)


def test_no_difference_is_a_point_at_zero():
    found = corrected_interval([0.0] * 4, SHARE)
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("repeats", "p"), [(2, 0.5), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_identical_differences_are_judged_by_their_sign(repeats, p):
    """Two splits with accuracies 0.05 apart, out of 20 samples each, are no proof: t would be infinite."""
    found = corrected_interval([0.05] * repeats, SHARE)
    assert found.p == p
    assert found.p == stats.binomtest(repeats, repeats).pvalue
    assert math.isinf(found.low) == (p > 0.05)


def test_rounding_does_not_hide_that_differences_are_identical():
    assert corrected_interval([0.6 - 0.5, 0.7 - 0.6, 0.4 - 0.3], SHARE).p == 0.25


@pytest.fixture(scope="module")
def overlapping():
    """Two equally good predictors of samples drawn anew each time, compared on overlapping random splits.

    Sample i costs the one 'd_i' more than the other, of mean zero; what a split sees is the mean over its test part.
    """
    random, simulations, repeats, samples = np.random.default_rng(0), 300, 10, 50
    seen, share = [], 0.0
    for simulation in range(simulations):
        costs = random.standard_normal(samples)
        parts = [split(samples, None, None, repeat=r, seed=simulation, test=0.2, valid=0.1) for r in range(repeats)]
        seen.append([float(costs[part.test].mean()) for part in parts])
        share = len(parts[0].test) / len(parts[0].train)
    return seen, share


def misses(seen, share):
    """How many intervals do not contain the truth, which is zero."""
    found = [corrected_interval(differences, share) for differences in seen]
    return sum(not interval.low <= 0.0 <= interval.high for interval in found)


def test_intervals_over_overlapping_splits_cover_the_truth(overlapping):
    seen, share = overlapping
    assert misses(seen, share) <= binom.ppf(0.99, len(seen), 0.05)


def test_uncorrected_intervals_over_overlapping_splits_are_noticed(overlapping):
    """The mutant: 1/J alone. It misses about a quarter of the time, not 5 %."""
    seen, _ = overlapping
    assert misses(seen, 0.0) > 3 * binom.ppf(0.99, len(seen), 0.05)


# --- Holm -------------------------------------------------------------------------------------------------------------


def closed_testing(p_values):
    """Holm is closed testing with Bonferroni: a hypothesis falls when every set that holds it does."""
    names = list(p_values)
    sets = [chosen for size in range(1, len(names) + 1) for chosen in combinations(names, size)]
    level = {chosen: min(1.0, len(chosen) * min(p_values[name] for name in chosen)) for chosen in sets}
    return {name: max(level[chosen] for chosen in sets if name in chosen) for name in names}


@pytest.mark.parametrize(
    ("raw", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.06]),
        ([0.2], [0.2]),
        ([0.6, 0.6], [1.0, 1.0]),
        ([0.0, 0.5, 1.0], [0.0, 1.0, 1.0]),
        ([], []),
    ],
)
def test_holm_by_hand(raw, corrected):
    names = [str(number) for number in range(len(raw))]
    found = holm(dict(zip(names, raw, strict=True)))
    assert [found[name] for name in names] == pytest.approx(corrected)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6))
def test_holm_is_closed_testing(values):
    p_values = {f"c{number}": value for number, value in enumerate(values)}
    assert holm(p_values) == pytest.approx(closed_testing(p_values))


def false_alarm_rate(correct):
    """Share of 2000 families of eight true hypotheses in which at least one is rejected."""
    uniform = np.random.default_rng(1).random((2000, 8))
    families = [correct({str(i): float(p) for i, p in enumerate(row)}) for row in uniform]
    return sum(min(family.values()) < 0.05 for family in families)


def test_holm_keeps_the_error_of_a_family():
    assert false_alarm_rate(holm) <= binom.ppf(0.99, 2000, 0.05)


def test_holm_without_its_factor_is_noticed():
    assert false_alarm_rate(dict) > 5 * binom.ppf(0.99, 2000, 0.05)


# --- the decision -----------------------------------------------------------------------------------------------------

BASE = [0.50, 0.58, 0.41, 0.63, 0.55]
JITTER = [0.004, -0.006, 0.003, -0.002, 0.001]


def shifted(by, base=BASE, jitter=JITTER):
    return {repeat: b + by + j for repeat, (b, j) in enumerate(zip(base, jitter, strict=True))}


def decided(scores, simplest_first=None, higher_is_better=True):
    return decide(
        scores, higher_is_better=higher_is_better, test_share=SHARE, simplest_first=simplest_first or list(scores)
    )


def test_clearly_better_is_a_sole_winner():
    found = decided({"mse": shifted(0.0), "cosine": shifted(0.2, jitter=[0.0] * 5), "mae": shifted(-0.3)})
    assert (found.best, found.recommended, found.tied) == ("cosine", "cosine", ["cosine"])
    assert found.sole_winner
    assert {name: judged.verdict for name, judged in found.judged.items()} == {
        "cosine": "best",
        "mse": "worse",
        "mae": "worse",
    }


def test_the_difference_says_how_much_worse():
    found = decided({"mse": shifted(0.0), "cosine": shifted(0.2, jitter=[0.0] * 5)}).judged["mse"].difference
    by_hand = nadeau_bengio([0.2 - j for j in JITTER], 0.3125, 1.0)
    assert (found.low, found.high, found.p) == pytest.approx(by_hand)
    assert found.mean == pytest.approx(0.2)


def test_paired_by_split():
    """Splits differ by far more than the losses do; only pairing can show the difference."""
    hard = {0: 0.1, 1: 0.9, 2: 0.3, 3: 0.7, 4: 0.5}
    better = {repeat: score + 0.01 + 0.001 * (repeat % 2) for repeat, score in hard.items()}
    assert decided({"a": hard, "b": better}).sole_winner


def test_simplest_of_the_tied_is_recommended():
    close = shifted(0.001, jitter=[-0.05, 0.06, -0.02, 0.03, -0.01])
    scores = {"cosine": shifted(0.0), "huber": close, "bad": shifted(-0.4, jitter=[0.0] * 5)}
    found = decided(scores, simplest_first=["bad", "huber", "cosine"])
    assert set(found.tied) == {"cosine", "huber"}
    assert found.recommended == "huber"
    assert not found.sole_winner
    assert decided(scores, simplest_first=["bad", "cosine", "huber"]).recommended == "cosine"


def test_lower_is_better_turns_everything_round():
    scores = {"a": shifted(0.0), "b": shifted(0.2, jitter=[0.0] * 5)}
    up, down = decided(scores), decided(scores, higher_is_better=False)
    assert (up.best, down.best) == ("b", "a")
    assert up.judged["a"].difference.mean == pytest.approx(down.judged["b"].difference.mean)
    assert up.judged["a"].difference.mean > 0
    assert up.judged["a"].verdict == down.judged["b"].verdict == "worse"


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=2, max_size=5))
def test_minus_a_score_where_lower_is_better_is_the_same(table):
    scores = {f"c{i}": dict(enumerate(row)) for i, row in enumerate(table)}
    minus = {name: {repeat: -score for repeat, score in own.items()} for name, own in scores.items()}
    assert decided(scores) == decided(minus, higher_is_better=False)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_what_every_decision_keeps_to(table):
    scores = {f"c{i}": dict(enumerate(row)) for i, row in enumerate(table)}
    found = decided(scores)
    means = {name: np.mean(list(own.values())) for name, own in scores.items()}
    assert means[found.best] == max(means.values())
    assert set(found.judged) == set(scores)
    assert found.recommended == next(name for name in scores if name in found.tied)
    raw = {name: judged.difference.p for name, judged in found.judged.items() if name != found.best}
    for name, p in closed_testing(raw).items() if raw else ():
        assert found.judged[name].p_holm == pytest.approx(p)
        assert (found.judged[name].verdict == "worse") == (p < 0.05 and found.judged[name].difference.mean > 0)


def test_holm_is_applied_over_the_candidates():
    """A difference that two candidates alone would show is not enough among ten equally far behind."""
    behind = {repeat: score - 0.2 for repeat, score in shifted(0.0, jitter=[0.06, -0.09, 0.04, -0.06, 0.05]).items()}
    alone = decided({"best": shifted(0.0, jitter=[0.0] * 5), "other": behind})
    among = decided({"best": shifted(0.0, jitter=[0.0] * 5), **{f"other {i}": behind for i in range(10)}})
    assert alone.sole_winner
    assert among.judged["other 0"].verdict == "tied"
    assert among.judged["other 0"].p_holm == pytest.approx(min(1.0, 10 * alone.judged["other"].p_holm))


def test_a_decision_without_holm_is_noticed(monkeypatch):
    monkeypatch.setattr(decision_module, "holm", dict)
    with pytest.raises(AssertionError):
        test_holm_is_applied_over_the_candidates()


def test_only_repeats_that_all_have_decide_who_is_best():
    """The third candidate was stopped after the easy splits; on those it is behind."""
    full = {0: 0.9, 1: 0.91, 2: 0.1, 3: 0.12}
    other = {0: 0.8, 1: 0.82, 2: 0.5, 3: 0.5}
    stopped = {0: 0.85, 1: 0.84}
    found = decided({"full": full, "other": other, "stopped": stopped})
    assert found.best == "full"
    assert found.judged["stopped"].difference.repeats == 2
    assert found.judged["other"].difference.repeats == 4


def test_a_candidate_ahead_on_its_own_repeats_is_not_called_worse():
    """The best is found on the one split that all have; over the others it is clearly behind."""
    lead = {0: 0.901, **dict.fromkeys(range(1, 9), 0.5)}
    other = {0: 0.900, **{repeat: 0.7 + 0.01 * (repeat % 3) for repeat in range(1, 9)}}
    found = decided({"lead": lead, "other": other, "stopped": {0: 0.1}})
    assert found.best == "lead"
    assert found.judged["other"].p_holm < 0.05
    assert found.judged["other"].verdict == "tied"


def test_pairs_are_repeats_that_both_have():
    assert paired({0: 1.0, 1: 2.0, 3: 5.0}, {3: 1.0, 0: 0.5, 2: 9.0}) == [0.5, 4.0]


def test_without_a_shared_repeat_there_is_no_decision():
    assert decided({"a": {0: 1.0}, "b": {1: 1.0}}) is None
    assert decided({}) is None
    assert decided({"a": {}, "b": {}}) is None


def test_a_candidate_without_scores_is_left_out():
    assert set(decided({"a": shifted(0.0), "b": {}}).judged) == {"a"}


def test_one_candidate_is_best_but_no_winner():
    found = decided({"mse": shifted(0.0)})
    assert (found.best, found.recommended, found.tied, found.sole_winner) == ("mse", "mse", ["mse"], False)


def test_one_repeat_ties_everything():
    found = decided({"mse": {0: 0.2}, "cosine": {0: 0.9}})
    assert (found.best, found.recommended, found.sole_winner) == ("cosine", "mse", False)
    assert found.judged["mse"].verdict == "tied"


def test_identical_scores_are_tied_and_the_simplest_is_best():
    found = decided({"cosine": shifted(0.0), "mse": shifted(0.0)}, simplest_first=["mse", "cosine"])
    assert (found.best, found.recommended, found.tied) == ("mse", "mse", ["mse", "cosine"])


def test_two_equal_gaps_are_no_proof():
    """Accuracies are shares of few samples: two splits often differ by the same step."""
    assert not decided({"a": {0: 0.80, 1: 0.85}, "b": {0: 0.75, 1: 0.80}}).sole_winner


# --- from trial results -----------------------------------------------------------------------------------------------


def result(loss, repeat, score, status="ok"):
    spec = TrialSpec(
        data="d",
        transform=TransformSpec(name="none"),
        split=SplitSpec(repeat=repeat),
        model=ModelSpec(),
        objective=ObjectiveSpec(loss=loss),
    )
    return TrialResult(spec=spec, status=status, metrics={} if score is None else {"r2": score})


def results(**losses):
    return {
        loss: {repeat: result(loss, repeat, score) for repeat, score in own.items()} for loss, own in losses.items()
    }


CONTEST = Contest("r2", ["mse", "mae", "cosine"], SHARE)


def test_a_diverged_candidate_is_excluded_however_good_it_was():
    found = results(mse=shifted(0.0), mae=shifted(0.5, jitter=[0.0] * 5))
    found["mae"][3] = result("mae", 3, None, status="diverged")
    judged = judge(found, CONTEST)
    assert set(judged.judged) == {"mse"}
    assert judged.judged["mse"].difference.repeats == 5


def test_a_score_that_is_not_defined_or_not_finite_is_no_score():
    found = results(mse=shifted(0.0), mae=dict.fromkeys(range(5)), cosine={**shifted(0.1), 2: math.nan})
    judged = judge(found, CONTEST)
    assert set(judged.judged) == {"mse", "cosine"}
    assert judged.judged["mse"].difference.repeats == 4


def test_judging_asks_the_yardstick_which_end_is_better():
    losses = {"mse": shifted(0.0), "mae": shifted(0.2, jitter=[0.0] * 5)}
    table = results(**losses)
    for own in table.values():
        for repeat, each in own.items():
            own[repeat] = each.model_copy(
                update={"metrics": {"r2": each.metrics["r2"], "nats_mass": each.metrics["r2"]}}
            )
    assert judge(table, CONTEST).best == "mae"
    assert judge(table, Contest("nats_mass", ["mse", "mae"], SHARE)).best == "mse"
