"""Advice: it names what fits the data, refuses what the gate refuses, and states figures that are true."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
from tests.advised_data import DATA, GOALS, profiles, situation

import losslens
from losslens.activations import ACTIVATIONS
from losslens.data import synthetic
from losslens.data.gate import look
from losslens.data.kinds import KINDS
from losslens.data.readers import read
from losslens.data.working import Sample, sample, shape
from losslens.data.zero_inflation import zero_shares
from losslens.losses import LOSSES
from losslens.run.advice import activations, advised, named, traps
from losslens.run.plan import sort_pairs
from losslens.run.rules import CHOICES, OUTPUTS, RULES, TRAPS
from losslens.vocabulary.errors import BadInput, UnknownName
from losslens.vocabulary.quantities import Domain

CASES = [(name, goal) for name in DATA for goal in (None, *GOALS)]


def losses(name, goal=None):
    return {each.loss for each in advised(situation(name, goal))}


# --- rules ---------------------------------------------------------------------------------------------------------


def test_the_data_cover_every_kind():
    assert {situation(name).seen.kind.name for name in DATA} == set(KINDS)


@pytest.mark.parametrize(("name", "goal"), CASES)
def test_every_pair_advised_is_one_that_the_plan_accepts(name, goal):
    at = situation(name, goal)
    fitting, refused = sort_pairs(at.seen)
    found = advised(at)
    assert found
    assert {(each.loss, each.output) for each in found} <= set(fitting)
    assert not {each.loss for each in found} & {each.candidate for each in refused}
    assert len({each.loss for each in found}) == len(found)


@pytest.mark.parametrize(("name", "goal"), CASES)
def test_no_rule_that_applies_is_lost_to_the_plan(name, goal):
    at = situation(name, goal)
    meant = {loss for rule in RULES if rule.applies(at) for loss in rule.losses}
    assert meant == losses(name, goal)


@pytest.mark.parametrize(("name", "goal"), CASES)
def test_a_goal_of_likelihood_gets_a_likelihood_and_reasons_have_figures(name, goal):
    at = situation(name, goal)
    assert goal != "likelihood" or any(LOSSES[loss].is_likelihood for loss in losses(name, goal))
    for each in advised(at):
        assert any(character.isdigit() for character in each.because), each
        assert each.because.endswith(".")
        assert each.prioritises.split(" ", 1)[1] == LOSSES[each.loss].elicits
    for hint in (*activations(at), *traps(at)):
        assert hint.text.endswith(".")
        assert "None" not in hint.text
        assert "nan" not in hint.text


@pytest.mark.parametrize(
    ("name", "goal", "there", "not_there"),
    [
        ("raw counts", None, {"negative_binomial", "mse", "cosine"}, {"poisson", "zero_inflated_negative_binomial"}),
        ("poisson counts", None, {"poisson"}, {"negative_binomial"}),
        ("counts with lost ones", None, {"zero_inflated_negative_binomial", "negative_binomial"}, {"poisson"}),
        ("log-normalised", None, {"mse", "cosine"}, {"negative_binomial", "bernoulli"}),
        ("[0, 1]", None, {"continuous_bernoulli", "mse"}, {"bernoulli", "cosine"}),
        ("bounded integers", None, {"continuous_bernoulli", "mse"}, {"bernoulli", "poisson"}),
        ("binary", None, {"bernoulli"}, {"continuous_bernoulli", "mse"}),
        ("real", None, {"mse"}, {"mae", "laplace", "cosine", "gaussian"}),
        ("real", "likelihood", {"mse", "gaussian"}, {"laplace"}),
        ("real", "direction", {"cosine", "cosine_plus_mse"}, set()),
        ("real", "code", {"mse", "cosine"}, set()),
        ("heavy-tailed", None, {"mae", "smooth_l1", "laplace"}, {"mse", "gaussian"}),
        ("heavy-tailed", "likelihood", {"laplace"}, {"gaussian"}),
        ("z-scored", "direction", {"cosine"}, set()),
    ],
)
def test_what_is_advised_for_which_data(name, goal, there, not_there):
    found = losses(name, goal)
    assert there <= found
    assert not found & not_there


@pytest.mark.parametrize("name", DATA)
def test_binary_cross_entropy_is_advised_for_zeros_and_ones_only(name):
    every = set().union(*(losses(name, goal) for goal in GOALS))
    assert ("bernoulli" in every) == (situation(name).seen.kind.name == "binary")
    assert not any("bce" in loss for loss in every)


def test_only_members_of_the_catalogues_are_named():
    names = list(named())
    assert {"negative_binomial", "selu", "sigmoid"} <= set(names)
    assert all(name in LOSSES or name in ACTIVATIONS for name in names)
    assert all(LOSSES[loss].reconstructs for rule in RULES for loss in rule.losses)
    for text in (each.reason for each in (*RULES, *CHOICES)):
        assert text.endswith(".")
    assert all(trap.text.endswith(".") for trap in TRAPS)
    assert not any(rule.rather_not.endswith(".") for rule in RULES)


@pytest.mark.parametrize("name", DATA)
def test_output_activations_reach_the_data(name):
    at = situation(name)
    chosen = [each for each in OUTPUTS if each.applies(at)]
    assert chosen
    for choice in chosen:
        if choice.names != ("softmax",):
            assert all(ACTIVATIONS[one].range.contains(at.domain.interval) for one in choice.names)


def test_centred_data_get_a_linear_output_and_never_one_that_cannot_be_negative():
    for name in ("real", "z-scored", "non-negative"):
        outputs = {each.output for goal in GOALS for each in advised(situation(name, goal))}
        assert outputs == {"linear"}
        assert any("tanh" in hint.text for hint in activations(situation(name)))
        share = float((profiles("real").values < profiles("real").values.mean(axis=0)).mean())
    assert f"{share:.0%} of the values are negative" in activations(situation("real"))[0].text


def test_labels_get_softmax_or_sigmoid_and_data_without_labels_neither():
    subjects = [hint.subject for hint in activations(situation("real"))]
    assert "of labels, exactly one class holds: softmax" in subjects
    assert any("sigmoid" in subject for subject in subjects)
    assert not any("label" in hint.subject for hint in activations(situation("heavy-tailed")))


def test_every_rule_choice_and_trap_applies_somewhere():
    at = [situation(name, goal) for name in DATA for goal in GOALS]
    at.append(replace(at[0], seen=replace(at[0].seen, zero_rows=3)))
    for part in (*RULES, *CHOICES, *TRAPS):
        applies = [part.applies(each) for each in at]
        assert any(applies), part
        assert not all(applies) or getattr(part, "place", "") == "hidden", part


# --- figures -------------------------------------------------------------------------------------------------------


def test_the_share_of_norms_is_that_of_all_pairs():
    values = np.random.default_rng(0).normal(1.0, 1.0, (30, 7)).astype(np.float32)
    found = shape(Sample(values, None, 7, 30, ""), Domain.REAL)
    norms = np.linalg.norm(values, axis=1)
    squared = np.square(values[:, None] - values[None]).sum(-1)
    assert found.norm_share == pytest.approx(np.square(norms[:, None] - norms[None]).sum() / squared.sum(), rel=1e-5)
    assert found.share_below_zero == pytest.approx((values < 0).mean())


def test_norms_and_angles_make_up_the_squared_distance():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 9))
    norm = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    cosine = (x * y).sum(1) / (norm[0] * norm[1])
    split = (norm[0] - norm[1]) ** 2 + 2 * norm[0] * norm[1] * (1 - cosine)
    np.testing.assert_allclose(((x - y) ** 2).sum(1), split, rtol=1e-12)


def test_figures_of_the_working_space_count_all_features():
    values = np.zeros((40, 10), dtype=np.float32)
    values[:, 0] = np.random.default_rng(0).random(40)
    values[:15, 1] = 0.5
    seen = look(read(values))
    drawn = sample(read(values), seen)
    found = shape(drawn, Domain.UNIT)
    exact = values.astype(np.float64)
    assert (drawn.values.shape, drawn.features) == ((40, 2), 10)
    assert found.share_mostly_zero == pytest.approx(0.9)
    entropy = scipy.stats.bernoulli(exact).entropy()
    assert found.entropy == pytest.approx(entropy.mean(), rel=1e-6)


def test_heavy_tails_are_judged_after_the_transform_and_apart_from_zeros():
    random = np.random.default_rng(0)
    skewed = np.exp(random.normal(5.0, 1.5, (500, 20)))  # heavy before the logarithm, not after
    seen = look(read(skewed), "TPM-like")
    assert seen.share_heavy_tailed > 0.9
    assert shape(sample(read(skewed), seen), Domain.NON_NEGATIVE).share_heavy_tailed == 0.0
    rare = (random.random((500, 20)) < 0.03) * random.random((500, 20))
    found = shape(sample(read(rare), look(read(rare))), Domain.UNIT)
    assert look(read(rare)).share_heavy_tailed > 0.9
    assert (found.share_heavy_tailed, found.share_mostly_zero) == (0.0, 1.0)


@pytest.mark.parametrize("data", ["[0, 1]", "bounded integers"])
def test_the_floor_of_binary_cross_entropy_is_the_entropy_of_the_data(data):
    import torch

    at = situation(data)
    given = profiles(data)
    drawn = torch.tensor(sample(given, look(given)).values).double()
    floor = losslens.bce(drawn.clamp(1e-12, 1 - 1e-12), drawn)
    assert at.shape.entropy == pytest.approx(float(floor), rel=1e-4)
    assert floor > 0.1
    said = next(hint.text for hint in traps(at) if hint.subject == "numbers in [0, 1]")
    assert f"{at.shape.entropy:.3g} nats" in said


# --- zeros ---------------------------------------------------------------------------------------------------------


def test_expected_zeros_are_those_of_the_distribution():
    random = np.random.default_rng(0)
    mean, theta, size = np.array([0.5, 3.0, 12.0]), np.array([1.0, 0.7, 4.0]), np.array([0.5, 1.0, 1.5])
    rows = np.repeat(size, 60_000)
    counts = random.poisson(rows[:, None] * mean * random.gamma(theta, 1 / theta, (len(rows), 3)))
    # the library size must be given by the counts themselves: one more feature, wide enough to carry it
    counts = np.c_[counts, np.round(rows * 1e5) - counts.sum(axis=1)]
    found = zero_shares(read(counts), 0)
    expected = scipy.stats.nbinom.pmf(0, theta, theta / (theta + size[:, None] * mean)).mean(axis=0).sum() / 4
    assert found.negative_binomial == pytest.approx(expected, rel=0.05)
    assert found.observed == pytest.approx(expected, rel=0.05)
    assert found.poisson == pytest.approx(np.exp(-size[:, None] * mean).mean(axis=0).sum() / 4, rel=0.05)
    assert found.within == 1


@pytest.mark.parametrize("depth", [0.5, 2.0, 20.0])
@pytest.mark.parametrize("dispersion", [0.5, 2.0, 10.0])
@pytest.mark.parametrize("labelled", [True, False])
def test_negative_binomial_counts_have_no_excess_of_zeros(depth, dispersion, labelled):
    for seed in range(5):
        given = synthetic.negative_binomial_counts(300, 40, depth=depth, dispersion=dispersion, seed=seed)
        found = zero_shares(given if labelled else replace(given, labels=None))
        assert not found.clear, found
        assert found.within == (4 if labelled else 1)


@pytest.mark.parametrize("dispersion", [2.0, 10.0])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
def test_planted_zeros_are_found(dispersion, convert):
    for seed in range(5):
        given = synthetic.negative_binomial_counts(300, 40, depth=20.0, dispersion=dispersion, seed=seed)
        kept = np.random.default_rng(seed).random(given.shape) > 0.3
        planted = given.with_values(convert((np.asarray(given.values) * kept).astype(np.float32)))
        assert zero_shares(planted).clear
        assert zero_shares(replace(planted, labels=None)).clear


def test_zeros_that_classes_explain_are_not_taken_for_lost_counts():
    random = np.random.default_rng(0)
    labels = np.array(["on", "off"] * 200)
    rate = np.where(labels[:, None] == "on", 40.0, 0.05) * np.ones((1, 30))
    rate = np.c_[rate, rate[::-1]]
    counts = replace(read(random.poisson(rate)), labels=labels)
    assert zero_shares(replace(counts, labels=None)).clear
    assert not zero_shares(counts).clear


def test_sparse_and_dense_zeros_agree_and_large_data_are_sampled(monkeypatch):
    from losslens.data import zero_inflation

    given = synthetic.negative_binomial_counts(300, 40, depth=2.0)
    sparse = given.with_values(sp.csr_matrix(given.values))
    assert zero_shares(given) == zero_shares(sparse)
    monkeypatch.setattr(zero_inflation, "MOST_ROWS", 100)
    part = zero_shares(given)
    assert part == zero_shares(given)
    assert part.observed == pytest.approx(zero_shares(sparse).observed)
    assert part.negative_binomial == pytest.approx(part.observed, abs=0.03)


# --- the function --------------------------------------------------------------------------------------------------


def test_pancreas_is_advised_the_negative_binomial_and_no_zero_inflation():
    found = losslens.advise("pancreas")
    names = [each.name for each in found.losses]
    assert names == ["negative_binomial", "mse+softplus", "cosine+softplus", "cosine_plus_mse+softplus"]
    assert found.zeros is not None
    assert abs(found.zeros.excess) < 0.01
    assert found.command == f"losslens compare pancreas {' '.join(f'--loss {name}' for name in names)}"
    assert found.goal.name == "direction"
    assert "prior" in found.prior or "before any measurement" in found.prior
    # the published warning, on these data: the exponent with the largest contrast has the worst neighbours
    by_contrast = sorted(found.contrast.contrasts, key=lambda each: -each.median)
    worst = min(found.contrast.contrasts, key=lambda each: each.agreement.mean)
    assert by_contrast[0].name == worst.name == "L0.1"


def test_the_command_repeats_the_options_and_quotes_what_must_be(tmp_path):
    path = tmp_path / "my cells.csv"
    rows = np.random.default_rng(0).normal(size=(60, 4))
    header = "a,b,c,d,group one"
    lines = [",".join([*map(str, row), f"g{i % 5}"]) for i, row in enumerate(rows)]
    path.write_text("\n".join([header, *lines]))
    found = losslens.advise(path, label="", group="group one", kind="continuous", goal="code")
    assert found.command == (
        f"losslens compare '{path}' --label '' --group 'group one' --kind continuous --goal code "
        "--loss mse --loss cosine"
    )
    assert losslens.advise(rows, label=["a", "b"] * 30).command.startswith("losslens compare DATA --label LABEL --loss")


def test_the_squared_error_is_compared_even_where_it_is_not_advised():
    heavy = losslens.advise(np.random.default_rng(0).standard_t(2.5, (300, 10)))
    assert [each.name for each in heavy.losses] == ["smooth_l1", "mae", "laplace"]
    assert heavy.command == "losslens compare DATA --loss smooth_l1 --loss mae --loss laplace --loss mse"
    binary = losslens.advise(np.random.default_rng(0).integers(0, 2, (60, 10)))
    assert binary.command == "losslens compare DATA --loss bernoulli"


def test_wide_sparse_data_are_never_made_dense(monkeypatch):
    values = sp.random(300, 20_000, density=0.01, random_state=0, format="csr")
    values.data = np.ceil(values.data * 5)
    dense, original = [], sp.csr_matrix.toarray

    def noted(self, *arguments, **options):
        dense.append(self.shape)
        return original(self, *arguments, **options)

    monkeypatch.setattr(sp.csr_matrix, "toarray", noted)
    monkeypatch.setattr("losslens.data.working.MOST_VALUES", 1_000_000)
    found = losslens.advise(values)
    assert found.dataset.kind == "raw counts"
    assert max(math.prod(size) for size in dense) <= 1_000_000
    assert found.contrast.points == 50
    assert 20 <= found.contrast.queries <= 50
    assert found.contrast.sizes[-1] < 20_000  # features without a count in the sample have no part in a distance


def test_what_cannot_be_advised_on():
    data = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(UnknownName, match="Did you mean 'direction'"):
        losslens.advise(data, goal="directoin")
    with pytest.raises(UnknownName, match="Did you mean 'z-scored'"):
        losslens.advise(data, kind="z-scred")
    with pytest.raises(BadInput, match="at least 3 features"):
        losslens.advise(data, goal="direction")
    with pytest.raises(BadInput, match="for --goal code"):
        losslens.advise(data, goal="code")
