"""Every fact of every activation, measured; and wrong facts that the measurements must reject."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from tests import activation_facts as facts
from torch import nn

from losslens.activations import ACTIVATIONS
from losslens.faces.pages.page import page
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Interval, Option, Range

each_activation = pytest.mark.parametrize("entry", list(ACTIVATIONS.values()), ids=list(ACTIVATIONS))
OUTPUTS = [entry for entry in ACTIVATIONS.values() if entry.output]


@each_activation
@pytest.mark.parametrize("fact", facts.FACTS, ids=lambda fact: fact.__name__)
def test_fact(entry, fact):
    fact(entry)


WRONG_LATEX = [
    ("relu", "formula", r"\max(x, 1)"),
    ("mish", "derivative", r"\tanh(s), \qquad s = \log(1 + e^x)"),
    ("celu", "derivative", r"1 \text{ if } x > 0 \text{ else } e^x"),
    ("selu", "formula", r"1.05\,x \text{ if } x > 0 \text{ else } 1.76\,(e^x - 1)"),
    ("softmax", "formula", r"p_i = e^{x_i} / \sum_j e^{2\,x_j}"),
    ("softmax", "formula", r"l_i = e^{x_i} / \sum_j e^{x_j}"),
    ("softmax", "derivative", r"\partial p_i / \partial x_j = p_i\,(\delta_{ij} + p_j)"),
    ("log_softmax", "formula", r"l_i = x_i + \log \sum_j e^{x_j}"),
    ("log_softmax", "derivative", r"\partial l_i / \partial x_j = \delta_{ij} - e^{l_i}"),
    ("softmin", "formula", r"p_i = e^{-x_i} / \sum_j e^{x_j}"),
    ("softmin", "derivative", r"\partial p_i / \partial x_j = p_i\,(\delta_{ij} - p_j)"),
    ("sparsemax", "formula", r"p = \arg\min_{q \ge 0,\, \sum_j q_j = 1} \|2\,q - x\|^2"),
    ("sparsemax", "formula", r"p = \arg\min_{\sum_j q_j = 1} \|q - x\|^2"),
    ("sparsemax", "formula", r"p = \arg\min_{q \ge 0,\, \sum_j q_j = 2} \|q - x\|^2"),
    (
        "sparsemax",
        "derivative",
        r"\partial p_i / \partial x_j = \delta_{ij} - 1/|S| \text{ if } p_i, p_j > 0 \text{ else } 0, "
        r"\quad S = \{k : p_k > 0.1\}",
    ),
    ("sparsemax", "derivative", r"\partial p_i / \partial x_j = \delta_{ij} - 1/|S|, \quad S = \{k : p_k > 0\}"),
]
MUTANTS = [
    *((facts.formulas_give_values_and_slopes, name, {what: latex}) for name, what, latex in WRONG_LATEX),
    (facts.range_is_filled_and_never_left, "sigmoid", {"range": Interval(0.0, 2.0)}),
    (facts.range_is_filled_and_never_left, "tanh", {"range": Interval(0.0, 1.0)}),
    (facts.range_is_filled_and_never_left, "silu", {"range": Interval(-1.0)}),
    (facts.monotone, "gelu", {"monotone": True}),
    (facts.monotone, "snake", {"monotone": False}),
    (facts.zero_centred, "softplus", {"zero_centred": True}),
    (facts.zero_centred, "softsign", {"zero_centred": False}),
    (facts.lipschitz_is_the_steepest_slope, "sine", {"lipschitz": 1.0}),
    (facts.lipschitz_is_the_steepest_slope, "softmax", {"lipschitz": 1.0}),
    (facts.lipschitz_is_the_steepest_slope, "log_softmax", {"lipschitz": 1.0}),
    (facts.kinks_and_smoothness, "selu", {"smoothness": "C1"}),
    (facts.kinks_and_smoothness, "celu", {"smoothness": "C0"}),
    (facts.kinks_and_smoothness, "hardswish", {"kinks": (3.0,)}),
    (facts.kinks_and_smoothness, "tanh", {"smoothness": "C1", "kinks": (0.0,)}),
    (facts.kinks_and_smoothness, "sparsemax", {"smoothness": "C-infinity"}),
    (facts.saturates, "log_sigmoid", {"saturates": "left"}),
    (facts.saturates, "softmax", {"saturates": "none"}),
    (facts.can_die, "relu6", {"can_die": False}),
    (facts.can_die, "tanh", {"can_die": True}),
    (facts.gain_keeps_the_mean_square, "relu", {"gain": 1.0}),
    (facts.gain_keeps_the_mean_square, "softmax", {"gain": 1.0}),
    (facts.gain_is_pytorchs_or_said_to_differ, "tanh", {"pytorch_gain": None}),
    (facts.gain_is_pytorchs_or_said_to_differ, "selu", {"pytorch_gain": 1.0}),
    (facts.gain_is_pytorchs_or_said_to_differ, "relu", {"pytorch_gain": 2.0}),
    (facts.gain_is_pytorchs_or_said_to_differ, "mish", {"pytorch_gain": 1.0}),
    (facts.deep_stack_keeps_its_size, "relu", {"gain": 1.0}),
    (facts.keeps_moments, "selu", {"keeps_moments": False}),
    (facts.keeps_moments, "elu", {"keeps_moments": True}),
    (facts.simplex, "sparsemax", {"simplex": False}),
    (facts.simplex, "log_softmax", {"simplex": True}),
    (facts.shift_invariant, "softmin", {"shift_invariant": False}),
    (facts.shift_invariant, "sigmoid", {"shift_invariant": True}),
    (facts.acts, "softmax", {"acts": "element"}),
    (facts.acts, "relu", {"acts": "dimension"}),
    (facts.learned, "prelu", {"learned": ()}),
    (facts.learned, "elu", {"learned": ("alpha",)}),
    (facts.outputs_have_inverses, "sigmoid", {"inverse": torch.atanh}),
    (facts.outputs_have_inverses, "relu", {"output": True}),
    (facts.module_computes_the_function, "elu", {"make": lambda alpha: nn.SELU()}),
    (facts.words_are_complete, "elu", {"use": "useful"}),
    (facts.words_are_complete, "elu", {"formula": r"\text{x"}),
    (facts.words_are_complete, "elu", {"initialisation": "at random"}),
    (facts.options_are_in_range_and_in_the_formula, "elu", {"options": {"alpha": Option(9.0, Range(0.0, 1.0))}}),
    (facts.options_are_in_range_and_in_the_formula, "elu", {"formula": "x"}),
    (facts.example_runs, "elu", {"example": '>>> losslens.ACTIVATIONS["elu"].name\n1'}),
]


@pytest.mark.parametrize(("fact", "name", "wrong"), MUTANTS, ids=[f"{f.__name__}-{n}" for f, n, _ in MUTANTS])
def test_a_wrong_fact_is_rejected(fact, name, wrong):
    with pytest.raises(AssertionError):
        fact(replace(ACTIVATIONS[name], **wrong))


def test_every_fact_has_a_mutant():
    assert {fact for fact, _, _ in MUTANTS} == set(facts.FACTS)


def test_gain_of_every_name_that_pytorch_knows():
    """Its convolutions are linear; where the rules differ, the page says so."""
    convolutions = [f"conv{way}{size}d" for way in ("", "_transpose") for size in (1, 2, 3)]
    assert {nn.init.calculate_gain(name) for name in convolutions} == {ACTIVATIONS["linear"].gain}
    assert nn.init.calculate_gain("leaky_relu", 0.3) == pytest.approx(_gain("leaky_relu", slope=0.3))
    differ = {entry.name: entry.pytorch_gain for entry in ACTIVATIONS.values() if entry.pytorch_gain}
    assert differ == {"tanh": 5.0 / 3.0, "sigmoid": 1.0, "selu": 0.75}
    told = {name: page(name).facts.get("gain in PyTorch", "") for name in ACTIVATIONS}
    assert {name: float(text.split()[0]) for name, text in told.items() if text} == pytest.approx(differ, rel=1e-5)


def _gain(name, **options):
    return facts.normal_mean(ACTIVATIONS[name].function(facts.GRID, **options).square()) ** -0.5


def test_outputs_are_these():
    assert [entry.name for entry in OUTPUTS] == ["linear", "tanh", "sigmoid", "softplus"]


def test_softplus_has_no_step_where_it_becomes_linear():
    at = torch.tensor([20.0, 20.000001, 39.999, 40.001], dtype=torch.float64)
    np.testing.assert_allclose(ACTIVATIONS["softplus"].function(at), np.logaddexp(0.0, at.numpy()), rtol=1e-15)


def test_the_two_forms_of_gelu_differ_by_as_much_as_the_page_says():
    gelu = ACTIVATIONS["gelu"].function
    assert 4e-4 < float((gelu(facts.GRID) - gelu(facts.GRID, approximate="tanh")).abs().max()) < 6e-4


def test_names_and_aliases():
    aliases = {"identity": "linear", "swish": "silu", "hardtanh": "clip", "siren": "sine"}
    assert {alias: ACTIVATIONS[alias].name for alias in aliases} == aliases


@each_activation
def test_an_entry_cannot_be_changed(entry):
    with pytest.raises(FrozenInstanceError):
        entry.gain = 2.0


def test_a_learned_parameter_goes_to_the_function_and_not_to_the_module():
    weight = torch.tensor([0.1, 0.7], requires_grad=True)
    ACTIVATIONS["prelu"].function(-torch.ones(3, 2), weight=weight).sum().backward()
    assert weight.grad.tolist() == [-3.0, -3.0]
    assert ACTIVATIONS["prelu"].module(num_parameters=2, init=0.5).weight.tolist() == [0.5, 0.5]
    with pytest.raises(BadInput, match="found 'weight'"):
        ACTIVATIONS["prelu"].module(weight=weight)
