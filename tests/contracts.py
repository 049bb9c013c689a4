"""The contracts that every loss of the catalogue keeps, and to which losses each applies.

A contract is a function of an entry and its public function that raises AssertionError, saying what is wrong.
It draws its own data from what the entry declares. tests/mutants.py holds, for each, losses that it must reject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests import contract_facts as facts
from tests import contract_interface as interface
from tests import contract_mathematics as mathematics
from tests import contract_pages as pages
from tests import contract_precision as precision
from tests import contract_statistics as statistics

from losslens.losses import LossEntry
from losslens.vocabulary.quantities import Domain

Contract = Callable[[LossEntry, Any], None]
Applies = Callable[[LossEntry], bool]


def _every(_: LossEntry) -> bool:
    return True


def _reconstructs(entry: LossEntry) -> bool:
    return entry.reconstructs


def _targeted(entry: LossEntry) -> bool:
    return any(argument.target for argument in entry.family.arguments)


def _independent(entry: LossEntry) -> bool:
    return entry.independent and entry.family.gives != "batch"


def _free(entry: LossEntry) -> bool:
    """Whether the first tensor may be any number, so that it can be scaled and shifted."""
    return entry.link not in ("sigmoid", "log_softmax")


def _bounded_below(entry: LossEntry) -> bool:
    return entry.minimum is not None


def _least_at_the_target(entry: LossEntry) -> bool:
    return entry.reconstructs and entry.minimum is not None


def _least_elsewhere(entry: LossEntry) -> bool:
    return not entry.reconstructs and entry.minimum is not None


def _smooth(entry: LossEntry) -> bool:
    return entry.smoothness == "C-infinity"


def _of_the_error(entry: LossEntry) -> bool:
    return entry.reconstructs and entry.family.gives == "element" and entry.link is None


def _not_of_the_error(entry: LossEntry) -> bool:
    return not _of_the_error(entry)


def _dependent(entry: LossEntry) -> bool:
    return not entry.independent


def _numbers_on_both_sides(entry: LossEntry) -> bool:
    return entry.reconstructs and not entry.domain.whole


def _of_profiles(entry: LossEntry) -> bool:
    return entry.reconstructs and entry.family.gives == "sample"


def _likelihood(entry: LossEntry) -> bool:
    return entry.is_likelihood and entry.family.gives == "element"


def _behind_a_layer(entry: LossEntry) -> bool:
    """Whether one tensor comes from an output activation, or is scores that a network gives."""
    return entry.link is not None or entry.domain is Domain.LABELS


CONTRACTS: dict[Contract, Applies] = {
    mathematics.value_equals_oracle: _every,
    mathematics.gradient_equals_oracle: _every,
    mathematics.gradient_by_target_equals_oracle: _numbers_on_both_sides,
    mathematics.minimum_is_attained_at_the_target_alone: _least_at_the_target,
    mathematics.minimum_is_attained_where_the_oracle_says: _least_elsewhere,
    mathematics.never_below_its_minimum: _bounded_below,
    mathematics.gradient_is_the_derivative: _every,
    mathematics.second_gradient_is_the_derivative_of_the_first: _smooth,
    mathematics.smoothness_is_as_declared: _of_the_error,
    mathematics.scale_invariance_is_as_declared: _free,
    mathematics.shift_invariance_is_as_declared: _free,
    facts.convexity_is_as_declared: _every,
    facts.smoothness_along_lines_is_as_declared: _not_of_the_error,
    facts.samples_depend_on_each_other: _dependent,
    precision.right_in_float32: _every,
    mathematics.zero_rows_have_a_way_out: _of_profiles,
    precision.right_in_bfloat16: _every,
    precision.right_under_autocast: _every,
    precision.mixed_types_are_computed_in_the_widest: _every,
    precision.finite_where_numbers_are_subnormal: _free,
    precision.finite_after_a_saturated_layer: _behind_a_layer,
    statistics.integrates_to_one: _likelihood,
    statistics.truth_minimises_the_expected_loss: _likelihood,
    statistics.elicits_as_declared: _reconstructs,
    interface.samples_are_independent: _independent,
    interface.a_batch_of_one_is_a_row: _independent,
    interface.inputs_are_untouched: _every,
    interface.reductions_keep_the_scale_contract: _every,
    interface.weights_multiply: _every,
    interface.a_mask_drops_what_it_hides: _every,
    interface.nothing_but_missing_values_is_zero: _every,
    interface.nothing_weighs_nothing: _every,
    interface.a_wrong_shape_is_refused: _every,
    interface.a_target_outside_the_domain_is_refused: _targeted,
    interface.a_wrong_option_is_refused: _every,
    interface.constants_lie_where_the_data_do: _every,
    interface.compiled_equals_eager: _every,
    interface.pickles_by_name: _every,
    pages.words_are_complete: _every,
    pages.curves_vary_and_have_their_slopes: _every,
}
