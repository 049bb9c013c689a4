"""Losses that are wrong on purpose: for every contract at least one that it must reject.

Most are mistakes that real libraries have shipped: a dropped constant, an epsilon in the wrong place, a
reduction over the wrong axis, a gradient that is not the value's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from tests import contract_facts as facts
from tests import contract_interface as interface
from tests import contract_mathematics as mathematics
from tests import contract_pages as pages
from tests import contract_precision as precision
from tests import contract_statistics as statistics
from tests.contracts import Contract
from torch.nn import functional

from losslens.losses import LOSSES, LossEntry
from losslens.losses.family import LIKELIHOOD


@dataclass(frozen=True)
class Mutant:
    """A wrong loss, or wrong facts about a right one, and the contract that must notice."""

    contract: Contract
    what: str
    entry: LossEntry
    function: Any


def _computes(contract: Contract, name: str, what: str, element: Any) -> Mutant:
    """A loss that computes something else than the entry of that name."""
    entry = replace(LOSSES[name], element=element)
    return Mutant(contract, what, entry, entry.function)


def _claims(contract: Contract, name: str, what: str, **facts: Any) -> Mutant:
    """A right loss with wrong facts."""
    entry = replace(LOSSES[name], **facts)
    return Mutant(contract, what, entry, entry.function)


def _behaves(contract: Contract, name: str, what: str, function: Any) -> Mutant:
    """A public function that does not keep to the manners of its family."""
    return Mutant(contract, what, LOSSES[name], function)


def _truth(name: str) -> Any:
    return LOSSES[name].element


def _naive_cosine(output, target, *, mask=None):
    lengths = output.norm(dim=-1) * target.norm(dim=-1)
    return 1.0 - (output * target).sum(-1) / lengths.clamp_min(1e-8)


def _values_with_wrong_gradient(output, target):
    error = output - target
    return error.square().detach() + (error - error.detach())


def _values_with_wrong_curvature(output, target):
    error = output - target
    return 2.0 * error.detach() * error - error.square().detach()


def _cross_entropy_of_numbers(output, target):
    return functional.binary_cross_entropy_with_logits(output, target, reduction="none")


def _poisson_by_stirling(output, target):
    return functional.poisson_nll_loss(output, target, log_input=False, full=True, reduction="none")


def _poisson_with_epsilon(output, target):
    return output - torch.xlogy(target, output + 1e-8) + torch.lgamma(target + 1.0)


def _gaussian_without_constant(output, target, *, scale):
    return ((target - output) / scale).square() / 2.0 + scale.log()


def _gaussian_with_half_the_width_term(output, target, *, scale):
    return ((target - output) / scale).square() / 2.0 + scale.log() / 2.0


def _binomial_of_gamma_only(output, target, *, inverse_dispersion):
    return _truth("negative_binomial")(output, target, inverse_dispersion=inverse_dispersion) - torch.lgamma(
        target + 1.0
    )


def _centred_over_the_batch(output, target):
    return _truth("mse")(output - output.mean(0), target)


def _clamps_the_target(output, target):
    return _truth("mse")(output, target.clamp_(-1.0, 1.0))


def _compiled_differently(output, target):
    return _truth("mse")(output, target) * (2.0 if torch.compiler.is_compiling() else 1.0)


def _squeezed(output, target):
    return _truth("mse")(output, target).squeeze(0)


def _unchecked(name):
    def loss(output, target, *, reduction="mean", **settings):
        values = _truth(name)(output, target, **{k: v for k, v in settings.items() if k in LOSSES[name].options})
        return values if reduction == "none" else values.mean()

    return loss


def _unguarded(name):
    def loss(*tensors, reduction="mean", **given):
        return _truth(name)(*tensors, **given)

    return loss


def _mask_multiplies(output, target, *, mask=None, reduction="mean", **settings):
    values = _truth("mse")(output, target) * (1.0 if mask is None else mask)
    return {"none": values, "mean": values.mean(), "sum": values.sum()}[reduction]


def _mean_over_what_is_present(output, target, *, mask, **how):
    return LOSSES["mse"].function(output, target, **how) * mask.sum() / mask.sum()


def _rescaled_by_weights(output, target, *, weight=None, **how):
    return LOSSES["mse"].function(output, target, weight=None if weight is None else weight / weight.mean(), **how)


def _weighted_by_shares(output, target, *, weight, **how):
    return LOSSES["mse"].function(output, target, weight=weight / weight.sum(), **how)


def _returns_float32(output, target, **how):
    return LOSSES["mse"].function(output.float(), target.float(), **how)


def _log_of_cosh(output, target):
    return (output - target).cosh().log()


def _mixture_of_squares(output, target, *, mix=0.5):
    error = output - target
    return mix * error.abs() + (1.0 - mix) * error.square()


def _hinged(output, target):
    return (output - target).abs().clamp_min(1.0) - 1.0


def _normaliser_apart(output, target):
    size = torch.where(output.abs() < 0.1, 0.1, output.abs())
    far = output / 2.0 + (size / 2.0 - size.log() + torch.log1p(-torch.exp(-size))) - target * output
    return torch.where(output.abs() < 0.1, _truth("continuous_bernoulli")(output, target), far)


def _zeros_for_what_is_hidden(output, target, *, mask=None, window, sigma, data_range):
    shown = (output, target) if mask is None else (torch.where(mask, pixels, 0.0) for pixels in (output, target))
    return _truth("ssim")(*shown, window=window, sigma=sigma, data_range=data_range)


def _squared_error_of_images(output, target, *, mask=None, window, sigma, data_range):
    return (output - target).square().mean(-1)


def _deaf_to_delta(output, target, *, delta=1.0):
    return _truth("huber")(output, target, delta=1.0)


def _each_pair_alone(a, b, *, temperature=0.1):
    return _truth("cosine")(a, b) / temperature


def _shortened_by_the_largest(output, target, *, mask=None):
    one, other = (
        functional.normalize(rows / rows.detach().abs().amax(-1, True), eps=1e-30) for rows in (output, target)
    )
    return (one - other).square().sum(-1) / 2.0


def _logarithms_of_probabilities(output, target):
    share = torch.sigmoid(output)
    return -torch.xlogy(target, share) - torch.xlogy(1.0 - target, 1.0 - share)


def _in_whole_numbers(output, target, **how):
    return LOSSES["bernoulli"].function(output.to(target.dtype), target, **how)


def _on_the_processor(output, target):
    return _truth("mse")(output, target) + torch.zeros(output.shape[-1])


_MEAN_OVER_FEATURES = replace(LIKELIHOOD, mean=lambda values, weight: values.mean())

MUTANTS = [
    _computes(mathematics.value_equals_oracle, "mse", "half the square", lambda o, t: (o - t).square() / 2.0),
    _computes(mathematics.value_equals_oracle, "huber", "an option without effect", _deaf_to_delta),
    _computes(mathematics.value_equals_oracle, "poisson", "Stirling's approximation", _poisson_by_stirling),
    _computes(mathematics.value_equals_oracle, "poisson", "an epsilon in the logarithm", _poisson_with_epsilon),
    _computes(mathematics.gradient_equals_oracle, "mse", "the gradient of another", _values_with_wrong_gradient),
    _computes(
        mathematics.gradient_by_target_equals_oracle, "mse", "a detached target", lambda o, t: (o - t.detach()).square()
    ),
    _claims(mathematics.minimum_is_attained_at_the_target_alone, "mse", "a minimum never reached", minimum=-1.0),
    _computes(mathematics.minimum_is_attained_at_the_target_alone, "mae", "a dead zone", _hinged),
    _claims(mathematics.minimum_is_attained_at_the_target_alone, "mse", "least at multiples", scale_invariant=True),
    _claims(mathematics.minimum_is_attained_where_the_oracle_says, "focal", "a minimum never reached", minimum=-1.0),
    _claims(mathematics.never_below_its_minimum, "mse", "a minimum it falls below", minimum=0.5),
    _computes(mathematics.gradient_is_the_derivative, "mse", "a detached factor", _values_with_wrong_gradient),
    _computes(
        mathematics.second_gradient_is_the_derivative_of_the_first, "mse", "no curvature", _values_with_wrong_curvature
    ),
    _claims(mathematics.smoothness_is_as_declared, "mae", "a kink denied", smoothness="C1"),
    _claims(mathematics.smoothness_is_as_declared, "huber", "a kink of the slope denied", smoothness="C-infinity"),
    _claims(mathematics.smoothness_is_as_declared, "mse", "a kink invented", smoothness="C0"),
    _claims(mathematics.scale_invariance_is_as_declared, "mse", "claimed", scale_invariant=True),
    _claims(mathematics.scale_invariance_is_as_declared, "cosine", "denied", scale_invariant=False),
    _claims(mathematics.shift_invariance_is_as_declared, "cosine", "claimed", shift_invariant=True),
    _claims(mathematics.shift_invariance_is_as_declared, "pearson", "denied", shift_invariant=False),
    _claims(facts.convexity_is_as_declared, "cosine_plus_mse", "claimed", convex=True),
    _claims(facts.convexity_is_as_declared, "negative_binomial", "claimed", convex=True),
    _claims(facts.convexity_is_as_declared, "mae", "denied", convex=False),
    _claims(facts.convexity_is_as_declared, "info_nce", "claimed", convex=True),
    _claims(facts.smoothness_along_lines_is_as_declared, "euclidean", "a kink denied", smoothness="C-infinity"),
    _claims(facts.smoothness_along_lines_is_as_declared, "contrastive", "a cone denied", smoothness="C1"),
    _claims(facts.smoothness_along_lines_is_as_declared, "cosine", "a kink invented", smoothness="C0"),
    _computes(facts.samples_depend_on_each_other, "info_nce", "each pair alone", _each_pair_alone),
    _computes(
        facts.samples_depend_on_each_other, "uniformity", "a sum over samples", lambda code, *, t: code.abs().mean()
    ),
    _computes(precision.right_in_float32, "cosine", "squares out of range", _naive_cosine),
    _computes(precision.right_in_float32, "log_cosh", "cosh out of range", _log_of_cosh),
    _computes(precision.right_in_float32, "l1_plus_l2", "nothing times infinity", _mixture_of_squares),
    _computes(precision.right_in_float32, "continuous_bernoulli", "large terms that cancel", _normaliser_apart),
    _computes(precision.right_in_float32, "poisson", "an epsilon in the logarithm", _poisson_with_epsilon),
    _computes(mathematics.zero_rows_have_a_way_out, "cosine", "a clamped norm", _naive_cosine),
    _behaves(precision.right_in_bfloat16, "mse", "another dtype", _returns_float32),
    _behaves(precision.right_in_bfloat16, "cosine_proximity", "all in eight bits", _unguarded("cosine_proximity")),
    _computes(precision.right_in_bfloat16, "log_cosh", "half the value", lambda o, t: _log_of_cosh(o, t) / 2.0),
    _behaves(precision.right_under_autocast, "info_nce", "products in eight bits", _unguarded("info_nce")),
    _behaves(precision.right_under_autocast, "cosine", "all in eight bits", _unguarded("cosine")),
    _behaves(precision.mixed_types_are_computed_in_the_widest, "bernoulli", "whole numbers", _in_whole_numbers),
    _computes(precision.finite_where_numbers_are_subnormal, "cosine", "an endless gradient", _shortened_by_the_largest),
    _computes(precision.finite_after_a_saturated_layer, "bernoulli", "log(0)", _logarithms_of_probabilities),
    _computes(statistics.integrates_to_one, "gaussian", "a dropped constant", _gaussian_without_constant),
    _computes(statistics.integrates_to_one, "continuous_bernoulli", "no normaliser", _cross_entropy_of_numbers),
    _computes(statistics.integrates_to_one, "negative_binomial", "a dropped factorial", _binomial_of_gamma_only),
    _computes(
        statistics.truth_minimises_the_expected_loss, "gaussian", "half the width", _gaussian_with_half_the_width_term
    ),
    _computes(
        statistics.truth_minimises_the_expected_loss, "continuous_bernoulli", "no normaliser", _cross_entropy_of_numbers
    ),
    _claims(statistics.elicits_as_declared, "mae", "the mean", elicits="mean"),
    _claims(statistics.elicits_as_declared, "mse", "the median", elicits="median"),
    _claims(statistics.elicits_as_declared, "huber", "the mean", elicits="mean"),
    _claims(statistics.elicits_as_declared, "mae", "something between", elicits="between mean and median"),
    _claims(
        statistics.elicits_as_declared,
        "cosine",
        "another direction",
        elicits="direction of the mean of the standardised profiles",
    ),
    _computes(statistics.elicits_as_declared, "ssim", "what blurs", _squared_error_of_images),
    _claims(statistics.elicits_as_declared, "continuous_bernoulli", "decoded by sigmoid", prediction=torch.sigmoid),
    _claims(statistics.elicits_as_declared, "mse", "what nothing measures", elicits="the truth"),
    _computes(interface.samples_are_independent, "mse", "centred over the batch", _centred_over_the_batch),
    _computes(interface.a_batch_of_one_is_a_row, "mse", "squeezed", _squeezed),
    _computes(interface.inputs_are_untouched, "mse", "a target clamped in place", _clamps_the_target),
    _claims(
        interface.reductions_keep_the_scale_contract, "gaussian", "a mean over features", family=_MEAN_OVER_FEATURES
    ),
    _behaves(interface.weights_multiply, "mse", "weights made relative", _rescaled_by_weights),
    _behaves(interface.a_mask_drops_what_it_hides, "mse", "a mask that multiplies", _mask_multiplies),
    _computes(interface.a_mask_drops_what_it_hides, "ssim", "hidden pixels shown as zero", _zeros_for_what_is_hidden),
    _behaves(interface.nothing_but_missing_values_is_zero, "mse", "a mean over nothing", _mean_over_what_is_present),
    _behaves(interface.nothing_weighs_nothing, "mse", "a share of nothing", _weighted_by_shares),
    _behaves(interface.a_wrong_shape_is_refused, "log_cosh", "broadcasting", _unchecked("log_cosh")),
    _behaves(interface.a_target_outside_the_domain_is_refused, "bernoulli", "any target", _unchecked("bernoulli")),
    _behaves(interface.a_wrong_option_is_refused, "huber", "any option", _unchecked("huber")),
    _computes(interface.constants_lie_where_the_data_do, "mse", "a constant on the processor", _on_the_processor),
    _computes(interface.compiled_equals_eager, "mse", "another value when compiled", _compiled_differently),
    _behaves(interface.pickles_by_name, "mse", "a function without a home", _unchecked("mse")),
    _claims(pages.words_are_complete, "mse", "nothing on its use", use=""),
    _claims(pages.words_are_complete, "mse", "words that are no sentence", failure="outliers, mostly"),
    _claims(pages.words_are_complete, "mse", "the same twice", failure=LOSSES["mse"].use),
    _computes(pages.curves_vary_and_have_their_slopes, "mse", "another gradient", _values_with_wrong_gradient),
    _computes(pages.curves_vary_and_have_their_slopes, "mse", "a constant", lambda o, t: 0.0 * (o - t)),
    _computes(pages.curves_vary_and_have_their_slopes, "mse", "an infinity", lambda o, t: (o - t).log()),
]
