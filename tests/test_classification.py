"""Classification, pair and triplet losses against PyTorch: value, gradient, reductions and every option."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

import losslens
from losslens.vocabulary.errors import BadInput

REDUCTIONS = ("none", "mean", "sum")
GENERATOR = torch.Generator().manual_seed(0)
SCORES = 2.0 * torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1, 1, 2, 0])
PROBABILITIES = torch.softmax(torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64), 1)
CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.1], dtype=torch.float64)
IGNORING = LABELS.where(LABELS != 1, -100)
SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
ROWS = torch.randn(3, 6, 4, generator=GENERATOR, dtype=torch.float64)


def same(ours, theirs, *inputs, reductions=REDUCTIONS):
    """Value and gradient by the first input agree under every reduction."""
    first, *rest = inputs
    for reduction in reductions:
        one, other = (first.clone().requires_grad_() for _ in range(2))
        found, expected = ours(one, *rest, reduction=reduction), theirs(other, *rest, reduction=reduction)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
        found.sum().backward()
        expected.sum().backward()
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-12, atol=1e-13)


def both(ours, theirs, names=None, **options):
    """The same options under our names and under PyTorch's."""
    renamed = {(names or {}).get(name, name): value for name, value in options.items()}
    return (lambda *a, **k: ours(*a, **options, **k)), (lambda *a, **k: theirs(*a, **renamed, **k))


@pytest.mark.parametrize(("labels", "weight"), list(itertools.product([LABELS, IGNORING], [None, CLASS_WEIGHT])))
def test_nll_is_pytorchs(labels, weight):
    pair = both(losslens.nll, functional.nll_loss, {"class_weight": "weight"}, class_weight=weight)
    same(*pair, torch.log_softmax(SCORES, 1), labels)


def test_another_index_is_ignored():
    same(*both(losslens.nll, functional.nll_loss, ignore_index=3), torch.log_softmax(SCORES, 1), LABELS)


@pytest.mark.parametrize(
    ("target", "weight", "smoothing"),
    list(itertools.product([LABELS, IGNORING, PROBABILITIES], [None, CLASS_WEIGHT], [0.0, 0.1])),
)
def test_cross_entropy_is_pytorchs(target, weight, smoothing):
    options = {"class_weight": weight, "label_smoothing": smoothing}
    same(*both(losslens.cross_entropy, functional.cross_entropy, {"class_weight": "weight"}, **options), SCORES, target)


@pytest.mark.parametrize("loss", [losslens.nll, losslens.cross_entropy])
def test_a_batch_of_ignored_samples_costs_nothing(loss):
    scores = torch.log_softmax(SCORES, 1).requires_grad_()
    value = loss(scores, torch.full((6,), -100))
    assert value.detach() == 0.0
    (slope,) = torch.autograd.grad(value, scores)
    assert not slope.any()


@pytest.mark.parametrize("loss", [losslens.nll, losslens.cross_entropy, losslens.multi_class_hinge])
def test_labels_out_of_range_are_refused(loss):
    with pytest.raises(BadInput, match=r"class indices from 0 to 3.*found 4"):
        loss(SCORES, torch.tensor([0, 1, 2, 3, 4, 0]))
    with pytest.raises(BadInput, match="class indices"):
        loss(SCORES, torch.tensor([0, 1, 2, 3, -1, 0]))


@pytest.mark.parametrize(("p", "margin", "weight"), list(itertools.product([1, 2], [1.0, 0.3], [None, CLASS_WEIGHT])))
def test_multi_class_hinge_is_pytorchs(p, margin, weight):
    options = {"p": p, "margin": margin, "class_weight": weight}
    pair = both(losslens.multi_class_hinge, functional.multi_margin_loss, {"class_weight": "weight"}, **options)
    same(*pair, SCORES, LABELS)


@pytest.mark.parametrize("target", [PROBABILITIES, PROBABILITIES.round()])
def test_binary_cross_entropies_are_pytorchs(target):
    same(losslens.bce, functional.binary_cross_entropy, torch.sigmoid(SCORES), target)
    same(losslens.bce_with_logits, functional.binary_cross_entropy_with_logits, SCORES, target)
    weighted = both(losslens.bce_with_logits, functional.binary_cross_entropy_with_logits, pos_weight=CLASS_WEIGHT)
    same(*weighted, SCORES, target)


def test_weights_of_elements_are_pytorchs_but_for_the_mean():
    weight = torch.rand(6, 4, generator=GENERATOR, dtype=torch.float64)
    for ours, theirs, output in (
        (losslens.bce, functional.binary_cross_entropy, torch.sigmoid(SCORES)),
        (losslens.bce_with_logits, functional.binary_cross_entropy_with_logits, SCORES),
    ):
        same(*both(ours, theirs, weight=weight), output, PROBABILITIES, reductions=("none", "sum"))


def test_probabilities_of_zero_and_one_cost_a_hundred_at_most():
    assert losslens.bce(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])) == 100.0


@pytest.mark.parametrize("logs", [False, True])
def test_kl_divergence_is_pytorchs(logs):
    ours = losslens.kl_divergence_of_logs if logs else losslens.kl_divergence
    _, theirs = both(ours, functional.kl_div, log_target=logs)
    target = PROBABILITIES.log() if logs else PROBABILITIES
    same(ours, theirs, torch.log_softmax(SCORES, 1), target, reductions=("none", "sum"))
    found = ours(torch.log_softmax(SCORES, 1), target)
    expected = functional.kl_div(torch.log_softmax(SCORES, 1), target, log_target=logs, reduction="batchmean")
    torch.testing.assert_close(found, expected)
    assert found > 0.0


def test_focal_without_focus_is_half_of_cross_entropy():
    target = PROBABILITIES.round()
    plain = losslens.bce_with_logits(SCORES, target, reduction="none")
    torch.testing.assert_close(losslens.focal(SCORES, target, gamma=0.0, alpha=0.5, reduction="none"), plain / 2.0)


def test_focal_forgets_what_is_easy():
    easy, hard = torch.tensor([4.0]), torch.tensor([-4.0])
    share = [losslens.focal(x, torch.ones(1)) / losslens.bce_with_logits(x, torch.ones(1)) for x in (easy, hard)]
    assert share[0] < 1e-3 * share[1]


@pytest.mark.parametrize("margin", [0.0, 0.7])
def test_margins_of_scores_are_pytorchs(margin):
    x1, x2, y = ROWS[0], ROWS[1], ROWS[2].sign()
    same(*both(losslens.margin_ranking, functional.margin_ranking_loss, margin=margin), x1, x2, y)
    same(*both(losslens.hinge_embedding, functional.hinge_embedding_loss, margin=margin), x1.abs(), y)


@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.5])
def test_cosine_embedding_is_pytorchs(margin):
    _, theirs = both(losslens.cosine_embedding, functional.cosine_embedding_loss, margin=margin)
    for reduction in REDUCTIONS:
        found = losslens.cosine_embedding(ROWS[0], ROWS[1], SIGNS, margin=margin, reduction=reduction)
        torch.testing.assert_close(found, theirs(ROWS[0], ROWS[1], SIGNS, reduction=reduction), rtol=1e-9, atol=1e-10)


def test_cosine_embedding_leaves_alone_what_is_within_the_margin():
    turned = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.5, 0.75**0.5], [1.0, 0.0]])
    apart = losslens.cosine_embedding(*turned, -torch.ones(2), margin=0.6, reduction="none")
    torch.testing.assert_close(apart, torch.tensor([0.0, 0.4]))


@pytest.mark.parametrize(("margin", "p", "swap"), list(itertools.product([0.5, 2.0], [1.0, 2.0, 3.0], [False, True])))
def test_triplet_margin_is_pytorchs(margin, p, swap):
    options = {"margin": margin, "p": p, "swap": swap}
    same(*both(losslens.triplet_margin, functional.triplet_margin_loss, **options), *ROWS)


@pytest.mark.parametrize("swap", [False, True])
def test_triplet_margin_takes_any_distance(swap):
    def distance(one, other):
        return 1.0 - functional.cosine_similarity(one, other)

    def theirs(anchor, positive, negative, reduction):
        return functional.triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=distance, margin=0.4, swap=swap, reduction=reduction
        )

    ours, _ = both(losslens.triplet_margin, None, distance=distance, margin=0.4, swap=swap)
    same(ours, theirs, *ROWS)


def test_equal_rows_leave_a_triplet_at_its_margin_with_a_finite_gradient():
    rows = torch.ones(2, 3, requires_grad=True)
    value = losslens.triplet_margin(rows, torch.ones(2, 3), torch.ones(2, 3), margin=0.3)
    (slope,) = torch.autograd.grad(value, rows)
    torch.testing.assert_close(value.detach(), torch.tensor(0.3))
    assert bool(slope.isfinite().all())


def test_contrastive_pairs_at_distance_zero_have_a_finite_gradient():
    rows = torch.ones(2, 3, requires_grad=True)
    value = losslens.contrastive(rows, torch.ones(2, 3), torch.tensor([1.0, -1.0]))
    (slope,) = torch.autograd.grad(value, rows)
    assert value.detach() == 0.25
    assert not slope.any()
