"""Whatever is public has an example in its docstring, and doctest finds it there."""

from __future__ import annotations

import doctest
import inspect
import sys
from functools import cache
from typing import get_type_hints

import pytest

import losslens
from losslens.activations import ACTIVATIONS
from losslens.losses import LOSSES
from losslens.models.autoencoders import Parallel
from losslens.vocabulary.catalogue import Catalogue


def public():
    """The names of the package, the classes of what its functions return, of its catalogues and of their entries."""
    for name in losslens._HOMES:
        thing = getattr(losslens, name)
        if isinstance(thing, Catalogue):
            yield type(thing)
            yield from {type(entry) for entry in thing.values()}
        else:
            yield thing
            if inspect.isfunction(thing):
                yield get_type_hints(thing)["return"]


PUBLIC = {f"{thing.__module__}.{thing.__qualname__}": thing for thing in public()}


@cache
def _examples(module):
    """The tests that pytest finds in a module too, by name."""
    found = doctest.DocTestFinder(exclude_empty=True).find(sys.modules[module], module)
    return {test.name: test.examples for test in found if test.examples}


def shown(thing):
    """The examples in the docstring of a class or a function, or none."""
    return _examples(thing.__module__).get(f"{thing.__module__}.{thing.__qualname__}", [])


@pytest.mark.parametrize("thing", PUBLIC.values(), ids=PUBLIC)
def test_what_is_public_has_an_example(thing):
    assert shown(thing), f"{thing.__qualname__} has no example that doctest finds"
    assert any(example.want for example in shown(thing)), "an example without a result proves nothing"


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_an_example_of_its_own(name):
    assert any(f"losslens.{name}(" in example.source and example.want for example in shown(getattr(losslens, name)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_an_example_with_its_result(name):
    examples = doctest.DocTestParser().get_examples(ACTIVATIONS[name].example + "\n")
    assert any(f'ACTIVATIONS["{name}"]' in example.source and example.want for example in examples)


def test_what_is_returned_is_public_too():
    names = {name.rpartition(".")[2] for name in PUBLIC}
    assert {"Comparison", "Model", "Inspection", "Checked", "Catalogue", "LossEntry", "ActivationEntry"} <= names


def test_a_class_without_an_example_is_noticed():
    assert not shown(Parallel)
