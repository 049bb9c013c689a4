"""The catalogues: how they answer, and that every entry is complete and written once."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, dataclass, fields
from itertools import pairwise
from pathlib import Path

import pytest
from tests.contracts import CONTRACTS

import losslens
from losslens.losses import LOSSES, LossEntry
from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.errors import UnknownName
from losslens.vocabulary.quantities import Domain

each_loss = pytest.mark.parametrize("entry", list(LOSSES.values()), ids=list(LOSSES))


@dataclass(frozen=True)
class Fruit:
    name: str
    aliases: tuple[str, ...] = ()
    summary: str = "A fruit."


@pytest.fixture
def fruits():
    catalogue = Catalogue("fruit")
    for fruit in (Fruit("pear"), Fruit("apple", ("pippin",)), Fruit("quince")):
        catalogue.add(fruit)
    return catalogue


def test_entries_come_in_the_order_they_were_added(fruits):
    assert list(fruits) == ["pear", "apple", "quince"]
    assert len(fruits) == 3


def test_an_alias_finds_the_entry_but_is_not_listed(fruits):
    assert fruits["pippin"] is fruits["apple"]
    assert "pippin" in fruits
    assert "pippin" not in list(fruits)


def test_a_wrong_name_is_answered_with_the_nearest(fruits):
    with pytest.raises(
        UnknownName, match=r"a fruit among: pear, apple, quince, pippin, found 'peer'. Did you mean 'pear'"
    ):
        fruits["peer"]
    assert fruits.get("peer") is None
    assert "peer" not in fruits


@pytest.mark.parametrize(
    "taken", [Fruit("pear"), Fruit("pippin"), Fruit("plum", ("quince",)), Fruit("plum", ("pippin",))]
)
def test_a_name_is_given_once(fruits, taken):
    with pytest.raises(ValueError, match="in the catalogue already"):
        fruits.add(taken)
    assert list(fruits) == ["pear", "apple", "quince"]


@pytest.mark.parametrize("name", ["apple", "pippin"])
def test_removing_takes_the_aliases_too(fruits, name):
    fruits.remove(name)
    assert list(fruits) == ["pear", "quince"]
    assert "pippin" not in fruits
    with pytest.raises(UnknownName):
        fruits.remove(name)


def test_losses_are_listed_by_family():
    families = [(entry.element.__module__, entry.family) for entry in LOSSES.values()]
    assert len(set(families)) == 1 + sum(one != next_ for one, next_ in pairwise(families))


def test_every_loss_of_the_first_set_is_there():
    assert {"mse", "mae", "smooth_l1", "huber", "log_cosh", "l1_plus_l2"} <= set(LOSSES)
    assert {"cosine", "pearson", "cosine_plus_mse"} <= set(LOSSES)
    assert {"gaussian", "laplace", "bernoulli", "continuous_bernoulli", "poisson", "negative_binomial"} <= set(LOSSES)


@each_loss
def test_facts_are_complete(entry):
    assert entry.units
    assert entry.torch_line
    assert entry.reference
    assert entry.link in (None, "logits", "softmax", "softplus", "sigmoid", "log_softmax", "log")
    assert entry.candidate <= entry.reconstructs
    assert bool(entry.elicits) == entry.reconstructs
    if entry.reconstructs:
        assert (entry.link == "softmax") == (entry.domain is Domain.COUNTS)
        assert entry.is_likelihood == (entry.units == "nats")
        assert entry.is_likelihood <= (entry.minimum is None)
        assert (entry.link in ("logits", "log")) <= (entry.prediction is not None)
        assert (entry.log_laplace is not None) == (entry.domain is Domain.COUNTS)
    numbers = {
        **{n: o.default for n, o in entry.options.items()},
        **{n: p.initial for n, p in entry.parameters.items()},
    }
    assert all(value in (entry.options | entry.parameters)[name].range for name, value in numbers.items())


MEASURED = {  # which contract or test measures a fact of an entry; units and reference are words alone
    "name": "test_the_package_gives_the_catalogues_function",
    "family": "reductions_keep_the_scale_contract a_wrong_shape_is_refused integrates_to_one",
    "element": "value_equals_oracle gradient_equals_oracle",
    "units": "",
    "reference": "",
    "elicits": "elicits_as_declared",
    "minimum": "minimum_is_attained_at_the_target_alone minimum_is_attained_where_the_oracle_says "
    "never_below_its_minimum",
    "domain": "a_target_outside_the_domain_is_refused "
    "test_value_is_the_oracles_and_every_gradient_finite_over_the_domain",
    "link": "finite_after_a_saturated_layer right_in_float32",
    "smoothness": "smoothness_is_as_declared smoothness_along_lines_is_as_declared "
    "second_gradient_is_the_derivative_of_the_first",
    "convex": "convexity_is_as_declared",
    "scale_invariant": "scale_invariance_is_as_declared",
    "shift_invariant": "shift_invariance_is_as_declared",
    "aliases": "test_an_alias_finds_the_entry_but_is_not_listed",
    "options": "value_equals_oracle a_wrong_option_is_refused test_facts_are_complete",
    "parameters": "value_equals_oracle gradient_equals_oracle test_a_criterion_shares_learned_parameters_as_it_is_told "
    "test_learned_parameters_stay_within_their_range",
    "prediction": "elicits_as_declared test_predictions_are_means_or_medians_of_the_distributions",
    "log_laplace": "test_laplace_transform_is_the_distributions "
    "test_laplace_transform_of_inflated_counts_is_the_distributions",
    "torch_line": "test_line_of_pytorch_gives_the_same_mean test_contractions_line_of_pytorch_gives_the_same_mean",
    "candidate": "test_a_comparison_tries_the_candidates_that_fit",
    "independent": "samples_are_independent samples_depend_on_each_other",
    "stops": "gradient_equals_oracle",
    "extras": "test_the_package_gives_the_catalogues_function test_value_and_gradients_are_pytorchs",
    "graph": "test_contraction_needs_a_graph",
    "sizes": "test_value_and_gradients_are_pytorchs",
    "content": "test_a_loss_of_ones_own_is_compared_and_its_model_used",
}


def test_every_fact_of_an_entry_is_measured():
    assert set(MEASURED) == {fact.name for fact in fields(LossEntry)}
    assert {fact for fact, by in MEASURED.items() if not by} == {"units", "reference"}
    written = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py"))
    kept = {contract.__name__ for contract in CONTRACTS}
    for measures in MEASURED.values():
        for name in measures.split():
            assert name in kept or f"def {name}(" in written, f"nothing is called {name}"
            assert name in kept or name.startswith("test_"), f"{name} is no contract and no test"


@each_loss
def test_page_has_a_summary_a_formula_and_an_example(entry):
    page = entry.function.__doc__
    assert re.fullmatch(r"[A-Z][^\n]{20,115}\.", entry.summary)
    assert ".. math::" in page
    assert f">>> losslens.{entry.name}(" in page


@each_loss
def test_an_entry_cannot_be_changed(entry):
    with pytest.raises(FrozenInstanceError):
        entry.units = "bananas"


@each_loss
def test_a_loss_is_written_in_one_place_and_its_oracle_in_another(entry):
    room = entry.element.__module__.rpartition(".")[2]
    assert _definitions(Path(losslens.__file__).parent / "losses", entry.name) == [f"{room}.py"]
    assert _definitions(Path(__file__).parent / "oracles", entry.name) == [f"{room}.py"]


def _definitions(folder: Path, name: str) -> list[str]:
    found = re.compile(rf"^def {name}\(", re.MULTILINE)
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*.py"))
        if found.search(path.read_text("utf-8"))
    ]
