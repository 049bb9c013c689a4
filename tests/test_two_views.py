"""Two-view losses: known values, relations between them, and what the generic contracts cannot reach."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

import losslens
from losslens.vocabulary.errors import BadInput

CONTRASTIVE = ["info_nce", "nt_xent", "decoupled_contrastive"]
SYMMETRIC = ["nt_xent", "decoupled_contrastive", "alignment", "barlow_twins", "vicreg"]
PER_SAMPLE = [*CONTRASTIVE, "negative_cosine", "alignment"]


def views(rows=6, features=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    second = first + 0.5 * torch.randn(rows, features, generator=generator, dtype=torch.float64)
    return first.to(dtype), second.to(dtype)


def each(name, *tensors, **options):
    return getattr(losslens, name)(*tensors, reduction="none", **options)


def slopes(name, a, b, **options):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    value = getattr(losslens, name)(a, b, **options)
    return value.detach(), torch.autograd.grad(value, (a, b), allow_unused=True)


def test_uniform_similarities_cost_the_logarithm_of_the_choices():
    rows = torch.ones(5, 3)
    torch.testing.assert_close(losslens.info_nce(rows, rows), torch.tensor(math.log(5.0)))
    torch.testing.assert_close(losslens.nt_xent(rows, rows), torch.tensor(math.log(9.0)))
    torch.testing.assert_close(losslens.decoupled_contrastive(rows, rows), torch.tensor(math.log(8.0)))


def test_orthogonal_pairs_cost_what_the_exponentials_say():
    """Three pairs that agree exactly and are orthogonal to all others: cosines are 1 and 0 alone."""
    rows, warmth = torch.eye(3, dtype=torch.float64), 0.5
    partner, other = math.exp(1.0 / warmth), 1.0
    expected = {
        "info_nce": -math.log(partner / (partner + 2 * other)),
        "nt_xent": -math.log(partner / (partner + 4 * other)),
        "decoupled_contrastive": -math.log(partner / (4 * other)),
    }
    for name, value in expected.items():
        found = each(name, rows, rows, temperature=warmth)
        torch.testing.assert_close(found, torch.full((3,), value, dtype=torch.float64))


@pytest.mark.parametrize("temperature", [0.05, 0.5, 5.0])
def test_simclr_is_the_explicit_double_loop(temperature):
    a, b = views()
    rows = [row / row.norm() for row in (*a, *b)]
    costs = []
    for i, row in enumerate(rows):
        others = [torch.exp(row @ other / temperature) for k, other in enumerate(rows) if k != i]
        costs.append(-torch.log(torch.exp(row @ rows[(i + 6) % 12] / temperature) / sum(others)))
    expected = torch.stack([(costs[i] + costs[i + 6]) / 2 for i in range(6)])
    torch.testing.assert_close(each("nt_xent", a, b, temperature=temperature), expected)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 5.0])
def test_decoupled_is_simclr_without_the_partner_among_the_candidates(temperature):
    """For each row exp(coupled) = 1 + exp(decoupled): log((p + n) / p) against log(n / p)."""
    a, _ = views(rows=5)
    together = torch.exp(each("nt_xent", a, a, temperature=temperature))
    apart = torch.exp(each("decoupled_contrastive", a, a, temperature=temperature))
    torch.testing.assert_close(together, 1.0 + apart, rtol=1e-9, atol=0.0)
    assert bool((apart < together).all())


def test_info_nce_is_one_direction_of_the_choice():
    a, b = views()
    forth, back = each("info_nce", a, b), each("info_nce", b, a)
    assert (forth - back).abs().max() > 1e-3
    similar = functional.normalize(a) @ functional.normalize(b).T / 0.1
    torch.testing.assert_close(forth, -similar.log_softmax(1).diagonal())
    torch.testing.assert_close(back, -similar.log_softmax(0).diagonal())


@pytest.mark.parametrize("name", SYMMETRIC)
def test_views_may_be_exchanged(name):
    a, b = views()
    torch.testing.assert_close(getattr(losslens, name)(a, b), getattr(losslens, name)(b, a))


@pytest.mark.parametrize("name", [*PER_SAMPLE, "barlow_twins", "vicreg"])
def test_the_order_of_the_batch_does_not_matter(name):
    a, b = views()
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    torch.testing.assert_close(getattr(losslens, name)(a[order], b[order]), getattr(losslens, name)(a, b))


@pytest.mark.parametrize("name", [*CONTRASTIVE, "alignment", "barlow_twins", "vicreg"])
def test_pairs_that_belong_together_cost_less_than_shuffled_ones(name):
    a, b = views(rows=12)
    assert getattr(losslens, name)(a, b) < getattr(losslens, name)(a, b.roll(1, 0))


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_a_hot_softmax_tells_nothing_apart(name):
    """The value nears the logarithm of the number of candidates as temperature grows."""
    a, b = views()
    candidates = {"info_nce": 6, "nt_xent": 11, "decoupled_contrastive": 10}[name]
    found = each(name, a, b, temperature=5.0)
    assert (found - math.log(candidates)).abs().max() < 2.0 / 5.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["info_nce", "nt_xent"])
@pytest.mark.parametrize("temperature", [0.05, 0.1])
def test_a_choice_never_costs_less_than_nothing(name, dtype, temperature):
    for seed in range(30):
        a, b = views(rows=4, features=8, seed=seed, dtype=dtype)
        assert bool((each(name, a, b, temperature=temperature) >= 0.0).all())


def test_a_cost_that_is_small_beside_its_logits_keeps_its_digits():
    """A difference of numbers near 10 would be rounded at 1e-7 or more, one part in a thousand of what is left."""
    rows = torch.eye(4)
    expected = math.log1p(3.0 * math.exp(-10.0))
    assert losslens.info_nce(rows, rows, temperature=0.1) == pytest.approx(expected, rel=6e-4)


@pytest.mark.parametrize("name", [*CONTRASTIVE, "negative_cosine"])
def test_gradients_in_float32_are_those_of_float64(name):
    a, b = views(rows=64, features=16)
    _, exact = slopes(name, a, b)
    _, found = slopes(name, a.float(), b.float())
    torch.testing.assert_close(found[0].double(), exact[0], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("name", PER_SAMPLE)
def test_rows_of_any_size_have_the_cosine_of_their_directions(name, size):
    a, b = views(dtype=torch.float32)
    torch.testing.assert_close(each(name, size * a, b / size), each(name, a, b), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_the_gradient_is_across_the_row(name):
    """A loss of directions does not change along a row, so its gradient there is zero."""
    a, b = views()
    _, (slope, _) = slopes(name, a, b)
    along = (slope * a).sum(1).abs()
    assert bool((along < 1e-12 * slope.norm(dim=1) * a.norm(dim=1) + 1e-15).all())
    assert bool((slope.norm(dim=1) > 1e-6).all())


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_zero_rows_of_views_have_a_finite_gradient(name):
    a, b = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    a[0] = b[0] = a[1] = b[2] = 0.0
    value, found = slopes(name, a, b)
    assert bool(value.isfinite())
    assert all(bool(slope.isfinite().all()) for slope in found if slope is not None)


def test_zero_rows_have_their_documented_values():
    nothing, row = torch.zeros(1, 3), torch.tensor([[0.0, 2.0, 0.0]])
    for a, b, cosine, apart in ((nothing, row, 0.0, 1.0), (row, nothing, 0.0, 1.0), (nothing, nothing, 1.0, 0.0)):
        assert losslens.negative_cosine(a, b) == -cosine
        assert losslens.alignment(a, b) == apart
    both = torch.cat([nothing, row])
    torch.testing.assert_close(each("info_nce", both, both)[0], torch.tensor(math.log(2.0)))


def test_a_batch_of_one_has_no_negatives():
    one = torch.tensor([[1.0, -2.0, 0.5]])
    assert losslens.info_nce(one, one + 1.0) == 0.0
    assert losslens.nt_xent(one, one + 1.0) == 0.0
    for name in ("decoupled_contrastive", "barlow_twins", "vicreg"):
        with pytest.raises(BadInput, match="at least two"):
            getattr(losslens, name)(one, one)
    with pytest.raises(BadInput, match="at least two"):
        losslens.uniformity(one)


def test_a_mask_that_leaves_one_row_leaves_too_few():
    a, b = views(rows=3)
    with pytest.raises(BadInput, match="at least two"):
        losslens.barlow_twins(a, b, mask=torch.tensor([True, False, False]))


def test_only_the_prediction_learns():
    a, b = views()
    _, (prediction, target) = slopes("negative_cosine", a, b)
    assert prediction.abs().max() > 1e-3
    assert target is None
    shared = a.clone().requires_grad_()
    (slope,) = torch.autograd.grad(losslens.negative_cosine(shared, 2.0 * shared + b, reduction="sum"), shared)
    fixed = a.clone().requires_grad_()
    (expected,) = torch.autograd.grad(losslens.negative_cosine(fixed, 2.0 * a + b, reduction="sum"), fixed)
    torch.testing.assert_close(slope, expected)


def test_negative_cosine_is_byols_distance_up_to_scale():
    """|p - z|^2 = 2 - 2 cos of unit rows."""
    a, b = views()
    squared = (functional.normalize(a) - functional.normalize(b)).square().sum(1)
    torch.testing.assert_close(2.0 + 2.0 * each("negative_cosine", a, b), squared)
    torch.testing.assert_close(each("alignment", a, b), squared)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
def test_alignment_is_a_power_of_the_chord(alpha):
    a, b = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[-3.0, 0.0], [2.0, 2.0]])
    found = each("alignment", a, b, alpha=alpha)
    torch.testing.assert_close(found, torch.tensor([2.0**alpha, 0.0]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0])
def test_views_that_agree_have_no_gradient(alpha):
    a, _ = views()
    _, (slope, _) = slopes("alignment", a, a, alpha=alpha)
    assert not slope.any()


def test_uniformity_of_the_corners_of_a_simplex():
    """All pairs are equally far apart; no arrangement of as many points does better."""
    corners = torch.eye(4, dtype=torch.float64) - 0.25
    squared = 2.0 + 2.0 / 3.0
    assert losslens.uniformity(corners) == pytest.approx(-2.0 * squared, rel=1e-12)
    for seed in range(20):
        rows = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert losslens.uniformity(rows) >= -2.0 * squared - 1e-12


def test_uniformity_is_zero_where_all_directions_agree():
    rows = torch.tensor([[1.0, 2.0]]) * torch.tensor([[1.0], [0.5], [4.0]])
    assert losslens.uniformity(rows) == 0.0


def test_barlow_twins_counts_repeated_and_disagreeing_features():
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    repeated = signs[:, :1].expand(-1, 2)
    found = losslens.barlow_twins
    assert found(signs, -signs) == pytest.approx(2 * 2.0**2)
    assert found(signs, signs.flip(1)) == pytest.approx(2 * 1.0 + 0.005 * 2)
    assert found(repeated, repeated) == pytest.approx(0.005 * 2)
    assert found(repeated, repeated, off_diagonal=1.0) == pytest.approx(2.0)


def test_barlow_twins_sees_neither_level_nor_scale_of_a_feature():
    a, b = views()
    scales, levels = torch.tensor([1e-3, 1.0, 7.0, 1e3]).double(), torch.tensor([0.0, 5.0, -2.0, 1.0]).double()
    torch.testing.assert_close(losslens.barlow_twins(a * scales + levels, b), losslens.barlow_twins(a, b))


@pytest.mark.parametrize("level", [0.0, 3.0, 0.1, 1e30])
def test_a_feature_constant_over_the_batch_correlates_with_nothing(level):
    a, b = views(dtype=torch.float32)
    a[:, 0] = level
    without = losslens.barlow_twins(a[:, 1:], b[:, 1:])
    rest = losslens.barlow_twins(a[:, 1:], b[:, 1:], off_diagonal=0.0)
    value, (slope, _) = slopes("barlow_twins", a, b, off_diagonal=0.0)
    assert value == pytest.approx(float(rest) + 1.0, rel=1e-5)
    assert losslens.barlow_twins(a, b) > without + 1.0  # what remains of it in the other view counts too
    assert bool(slope.isfinite().all())


def test_vicreg_is_the_sum_of_its_three_terms():
    """Written out by torch's own variance and covariance, the variance term averaged over both views."""
    a, b = views()
    narrow = [(1.0 - (rows.var(0) + 1e-4).sqrt()).clamp_min(0.0).mean() for rows in (a, b)]
    tables = [torch.cov(rows.T) for rows in (a, b)]
    repeated = [(table.square().sum() - table.diagonal().square().sum()) / 4 for table in tables]
    terms = {
        "invariance": functional.mse_loss(a, b),
        "variance": (narrow[0] + narrow[1]) / 2,
        "covariance": repeated[0] + repeated[1],
    }
    nothing = dict.fromkeys(terms, 0.0)
    for name, term in terms.items():
        assert term > 0.0
        torch.testing.assert_close(losslens.vicreg(a, b, **(nothing | {name: 3.0})), 3.0 * term)
    expected = 25.0 * terms["invariance"] + 25.0 * terms["variance"] + terms["covariance"]
    torch.testing.assert_close(losslens.vicreg(a, b), expected)


def test_vicreg_of_collapsed_views_pays_for_the_variance_alone():
    """Its root keeps 1e-4, so that a constant feature lacks 0.99 of a standard deviation and still has no gradient."""
    rows = torch.full((4, 3), 7.0, dtype=torch.float64)
    value, (slope, _) = slopes("vicreg", rows, rows)
    assert value == pytest.approx(25.0 * 0.99, rel=1e-12)
    assert not slope.any()


def test_vicreg_pushes_a_narrow_feature_apart():
    a, _ = views()
    narrow = 0.1 * a
    _, (slope, _) = slopes("vicreg", narrow, narrow, invariance=0.0, covariance=0.0)
    spread = narrow - narrow.mean(0)
    assert bool(((slope * spread).sum(0) < 0.0).all())
