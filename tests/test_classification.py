"""Classification, pair and triplet losses: what they refuse, relations between them, and equal rows.

Value, gradient and options are held against PyTorch's in tests/test_pytorch_parity.py.
"""

from __future__ import annotations

import pytest
import torch

import losslens
from losslens.vocabulary.errors import BadInput

GENERATOR = torch.Generator().manual_seed(0)
SCORES = 2.0 * torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
PROBABILITIES = torch.softmax(torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64), 1)


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


LABELLED = [losslens.nll, losslens.cross_entropy, losslens.multi_class_hinge]


@pytest.mark.parametrize("loss", LABELLED)
def test_labels_of_another_type_or_shape_are_refused(loss):
    labels = torch.tensor([0, 3, 1, 1, 2, 0])
    for wrong in (labels.double(), torch.eye(4)[labels].long()):
        with pytest.raises(BadInput, match=r"an integer type, \(batch,\), or probabilities, \(batch, classes\)"):
            loss(SCORES, wrong)
    torch.testing.assert_close(loss(SCORES, labels.to(torch.int16)), loss(SCORES, labels))


def test_probabilities_are_taken_by_cross_entropy_alone_and_within_their_domain():
    for loss in (losslens.nll, losslens.multi_class_hinge):
        with pytest.raises(BadInput, match="cross_entropy takes those"):
            loss(SCORES, PROBABILITIES)
    for wrong in (-PROBABILITIES, 2.0 + PROBABILITIES):
        with pytest.raises(BadInput, match=r"numbers in \[0, 1\] for cross_entropy"):
            losslens.cross_entropy(SCORES, wrong)
    with pytest.raises(BadInput, match="24 NaN or infinite"):
        losslens.cross_entropy(SCORES, torch.nan * PROBABILITIES)


@pytest.mark.parametrize("loss", LABELLED)
def test_weights_of_other_classes_are_refused(loss):
    with pytest.raises(BadInput, match=r"class_weight of shape \(4,\), found \(5,\)"):
        loss(SCORES, torch.zeros(6).long(), class_weight=torch.ones(5))


def test_scores_where_probabilities_should_be_are_refused():
    for wrong in (SCORES, torch.full((6, 4), torch.nan)):
        with pytest.raises(BadInput, match="bce_with_logits takes raw scores"):
            losslens.bce(wrong.requires_grad_(), PROBABILITIES)


def test_probabilities_of_zero_and_one_cost_a_hundred_at_most():
    assert losslens.bce(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])) == 100.0


def test_focal_without_focus_is_half_of_cross_entropy():
    target = PROBABILITIES.round()
    plain = losslens.bce_with_logits(SCORES, target, reduction="none")
    torch.testing.assert_close(losslens.focal(SCORES, target, gamma=0.0, alpha=0.5, reduction="none"), plain / 2.0)


def test_focal_forgets_what_is_easy():
    easy, hard = torch.tensor([4.0]), torch.tensor([-4.0])
    share = [losslens.focal(x, torch.ones(1)) / losslens.bce_with_logits(x, torch.ones(1)) for x in (easy, hard)]
    assert share[0] < 1e-3 * share[1]


def test_cosine_embedding_leaves_alone_what_is_within_the_margin():
    turned = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.5, 0.75**0.5], [1.0, 0.0]])
    apart = losslens.cosine_embedding(*turned, -torch.ones(2), margin=0.6, reduction="none")
    torch.testing.assert_close(apart, torch.tensor([0.0, 0.4]))


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
