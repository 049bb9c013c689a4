"""Losses as modules: of every family, learning, fixing or taking parameters, saved, copied, compiled, and in specs."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from tests.samples import draw
from torch import Tensor, nn

import losslens
from losslens.losses import LOSSES
from losslens.models.autoencoders import Outputs
from losslens.models.objective import Batch, Objective
from losslens.models.spec import ObjectiveSpec
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

PROVEN = [entry for entry in LOSSES.values() if not entry.graph]
OBJECTIVES = [entry for entry in LOSSES.values() if entry.reconstructs]
of_every_loss = pytest.mark.parametrize("entry", PROVEN, ids=[entry.name for entry in PROVEN])
of_every_objective = pytest.mark.parametrize("entry", OBJECTIVES, ids=[entry.name for entry in OBJECTIVES])


def _moved(entry, **how):
    """A criterion whose learned parameters are no longer where they began."""
    criterion = losslens.Criterion(entry.name, features=5, **how)
    with torch.no_grad():
        for parameter in criterion.parameters():
            parameter.add_(0.3)
    return criterion


def _other_options(entry):
    return {name: option.range.ends[0] for name, option in entry.options.items()}


@of_every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_criterion_is_its_function(entry, reduction):
    """With the same options and the same learned parameters, under each reduction; also of tensors given by name."""
    criterion = _moved(entry, reduction=reduction, **_other_options(entry))
    sample = draw(entry, dtype=torch.float32)
    learned = {name: log.exp() for name, log in criterion.logs.items()}
    expected = entry.function(*sample.tensors, reduction=reduction, **_other_options(entry), **learned)
    torch.testing.assert_close(criterion(*sample.tensors), expected, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(criterion(**sample.arguments), expected, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(criterion(*sample.tensors, reduction="mean"), criterion.mean(*sample.tensors))
    if reduction == "none":
        torch.testing.assert_close(criterion.values(*sample.tensors), expected, rtol=1e-6, atol=1e-7)


@of_every_loss
def test_a_criterion_survives_pickling_copying_and_its_state(entry):
    criterion = _moved(entry, reduction="sum", **_other_options(entry))
    sample = draw(entry, dtype=torch.float32)
    value = criterion(*sample.tensors)
    for again in (pickle.loads(pickle.dumps(criterion)), copy.deepcopy(criterion)):
        assert repr(again) == repr(criterion)
        assert again.options == criterion.options
        assert again(*sample.tensors) == value
        assert [p.requires_grad for p in again.parameters()] == [True] * len(entry.parameters)
    fresh = losslens.Criterion(entry.name, features=5, reduction="sum", **_other_options(entry))
    fresh.load_state_dict(criterion.state_dict())
    assert fresh(*sample.tensors) == value


@of_every_loss
def test_a_criterion_learns_what_it_holds(entry):
    """Every parameter gets the gradient of its logarithm, and nothing else is there to learn."""
    criterion = _moved(entry)
    output, *rest = draw(entry, dtype=torch.float32).tensors
    assert {name.removeprefix("logs.") for name, _ in criterion.named_parameters()} == set(entry.parameters)
    criterion(output.requires_grad_(), *rest).backward()
    for log in criterion.parameters():
        assert log.grad is not None
        assert bool(log.grad.isfinite().all())


@pytest.mark.parametrize("entry", [entry for entry in PROVEN if entry.parameters], ids=lambda entry: entry.name)
@pytest.mark.parametrize("far", [-1e4, 1e4])
def test_learned_parameters_stay_within_their_range(entry, far):
    """However far an optimiser steps; they begin where the entry says."""
    criterion = losslens.Criterion(entry.name, features=5)
    for name, fact in entry.parameters.items():
        torch.testing.assert_close(criterion.settings()[name], torch.full_like(criterion.logs[name], fact.initial))
        with torch.no_grad():
            criterion.logs[name].fill_(far)
        end = fact.range.low if far < 0 else fact.range.high
        torch.testing.assert_close(criterion.settings()[name].detach(), torch.full_like(criterion.logs[name], end))


def test_a_scale_that_reached_an_end_comes_back():
    """An optimiser that overstepped, or a fit perfect for a while, does not leave a parameter without a pull."""
    for far, error in ((-20.0, 1.0), (20.0, 1e-3)):
        criterion = losslens.Criterion("gaussian")
        with torch.no_grad():
            criterion.logs["scale"].fill_(far)
        optimiser = torch.optim.Rprop(criterion.parameters(), lr=0.5)  # by signs: sizes differ by 1e8
        for _ in range(300):
            optimiser.zero_grad()
            criterion(torch.full((4, 3), error), torch.zeros(4, 3)).backward()
            optimiser.step()
        assert float(criterion.settings()["scale"].detach()) == pytest.approx(error, rel=0.05)


COMPILED = ["mse", "cosine", "gaussian", "cross_entropy", "triplet_margin", "vicreg", "kl_to_rate"]


@pytest.mark.parametrize("name", COMPILED)
def test_a_criterion_compiles_with_weights_and_masks(name):
    """One graph but where a mask picks rows, by their number."""
    entry, torch_graph = LOSSES[name], {"backend": "aot_eager"}
    criterion, sample = _moved(entry), draw(LOSSES[name], dtype=torch.float32)
    weight = {"element": torch.rand(4, 5), "sample": torch.rand(4), "batch": torch.rand(())}[entry.family.gives]
    whole = entry.family.gives == "element" or entry.family.masks == "features"
    mask = torch.tensor([[True] * 4 + [False]] * 4) if whole else torch.tensor([True, True, False, True])
    torch._dynamo.reset()
    compiled = torch.compile(criterion, fullgraph=whole, **torch_graph)
    for how in ({}, {"weight": weight}, {"mask": mask}, {"mask": mask, "weight": weight, "reduction": "sum"}):
        torch.testing.assert_close(compiled(*sample.tensors, **how), criterion(*sample.tensors, **how))


def test_class_weights_move_and_are_saved_with_the_module():
    weight = torch.tensor([0.5, 2.0, 1.0])
    criterion = losslens.Criterion("cross_entropy", class_weight=weight, label_smoothing=0.1)
    assert list(criterion.state_dict()) == ["fixed_class_weight"]
    assert criterion.double().settings()["class_weight"].dtype == torch.float64
    scores, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1, 1])
    reference = nn.CrossEntropyLoss(weight, label_smoothing=0.1)
    for again in (criterion, pickle.loads(pickle.dumps(criterion))):
        torch.testing.assert_close(again(scores, labels), reference(scores, labels))
        torch.testing.assert_close(again.mean(scores, labels), reference(scores, labels))
        assert "cross_entropy, label_smoothing=0.1" in repr(again)


def test_a_criterion_shows_what_it_was_given():
    assert losslens.Criterion("mmd", kernel="gaussian").extra_repr() == "mmd, bandwidth=1, kernel='gaussian'"
    shown = losslens.Criterion("triplet_margin", reduction="none", swap=True).extra_repr()
    assert shown == "triplet_margin, reduction='none', margin=1, p=2, swap=True"
    with pytest.raises(BadInput, match="'average'"):
        losslens.Criterion("mse", reduction="average")


@of_every_objective
def test_an_objective_survives_its_spec(entry):
    """Through JSON to the same spec, and from it to an objective of the same state and the same loss."""
    spec = ObjectiveSpec(loss=entry.name, link=entry.link or "linear", options=_other_options(entry))
    again = ObjectiveSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    torch.manual_seed(0)
    objective = Objective(spec, 5, 2)
    torch.manual_seed(1)  # what is drawn at random must come from the state
    rebuilt = Objective(again, 5, 2)
    with torch.no_grad():
        for parameter in objective.criterion.parameters():
            parameter.add_(0.3)
    rebuilt.load_state_dict(objective.state_dict())
    assert rebuilt.criterion.options == objective.criterion.options
    outputs, batch = _batch(entry)
    for one, other in zip(objective(outputs, batch), rebuilt(outputs, batch), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(objective.reconstruct(outputs, batch), rebuilt.reconstruct(outputs, batch))


def _batch(entry) -> tuple[Outputs, Batch]:
    sample = draw(entry, dtype=torch.float32)
    output: Tensor = sample.output.log() if entry.link in ("softmax", "softplus") else sample.output
    code = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    if entry.domain is Domain.COUNTS:
        library, scale = sample.target.sum(1, keepdim=True), torch.ones(4, 1)
        return Outputs(code, output), Batch(sample.target.log1p(), sample.target, library, scale)
    return Outputs(code, output), Batch(sample.target)


def test_a_criterion_with_a_fixed_parameter_learns_nothing():
    criterion = losslens.Criterion("gaussian", scale=0.5)
    sample = draw(LOSSES["gaussian"], dtype=torch.float32)
    assert list(criterion.parameters()) == []
    assert dict(criterion.named_buffers()) == {"fixed_scale": torch.tensor(0.5)}
    expected = losslens.gaussian(sample.output, sample.target, scale=torch.tensor(0.5))
    assert criterion(sample.output, sample.target) == expected
    assert criterion.mean(sample.output, sample.target) == expected
    assert "scale=0.5" in repr(criterion)


def test_a_criterion_fixes_one_parameter_and_learns_the_other():
    criterion = losslens.Criterion("student_t", degrees_of_freedom=3.0)
    assert [name for name, _ in criterion.named_parameters()] == ["logs.scale"]
    assert criterion.settings()["degrees_of_freedom"] == 3.0
    one_each = losslens.Criterion("gaussian", scale=torch.tensor([0.5, 2.0]))
    assert one_each(torch.zeros(1, 2), torch.zeros(1, 2)) == losslens.gaussian(
        torch.zeros(1, 2), torch.zeros(1, 2), scale=torch.tensor([0.5, 2.0])
    )


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e9, float("nan")])
def test_a_criterion_refuses_a_fixed_parameter_out_of_range(scale):
    with pytest.raises(BadInput, match=r"scale of gaussian in \[0.0001, 10000\]"):
        losslens.Criterion("gaussian", scale=scale)


def test_a_criterion_shares_learned_parameters_as_it_is_told():
    def shape(*args, **how):
        (log,) = losslens.Criterion(*args, **how).parameters()
        return tuple(log.shape)

    assert shape("gaussian") == ()
    assert shape("gaussian", features=3) == ()
    assert shape("gaussian", features=3, per="feature") == (3,)
    assert shape("negative_binomial", features=3) == (3,)
    assert shape("negative_binomial", per="all") == ()
    with pytest.raises(BadInput, match="features="):
        losslens.Criterion("gaussian", per="feature")
    with pytest.raises(BadInput, match="'sample'"):
        losslens.Criterion("gaussian", per="sample")


@pytest.mark.parametrize("shape", [(5,), (4, 1), (4, 5)])
def test_a_tensor_passed_with_the_call_replaces_the_learned_parameter(shape):
    criterion = losslens.Criterion("gaussian")
    sample = draw(LOSSES["gaussian"], dtype=torch.float32)
    scale = torch.rand(shape, generator=torch.Generator().manual_seed(0)).add(0.5).requires_grad_()
    found = criterion(sample.output, sample.target, scale=scale)
    expected = losslens.gaussian(sample.output, sample.target, scale=scale)
    assert found == expected == criterion.mean(sample.output, sample.target, scale=scale)
    found.backward()
    assert scale.grad is not None
    assert criterion.logs["scale"].grad is None
    with pytest.raises(BadInput, match="width"):
        criterion(sample.output, sample.target, width=scale)


@pytest.mark.parametrize(
    "criterion",
    [
        losslens.Criterion("huber", delta=2.0),
        losslens.Criterion("gaussian", scale=0.5),
        losslens.Criterion("gaussian", scale=torch.tensor([0.5, 2.0, 3.0])),
        losslens.Criterion("gaussian", features=3, per="feature"),
        losslens.Criterion("student_t", scale=1e-4),
        losslens.Criterion("zero_inflated_negative_binomial", features=3),
        losslens.Criterion("negative_binomial", features=3).double(),
    ],
    ids=lambda criterion: criterion.extra_repr(),
)
def test_what_a_criterion_holds_survives_with_its_precision(criterion):
    with torch.no_grad():
        for parameter in criterion.parameters():
            parameter.add_(0.3)
    sample = draw(criterion.entry, features=3, dtype=torch.float32)
    value = criterion(sample.output, sample.target)
    for again in (pickle.loads(pickle.dumps(criterion)), copy.deepcopy(criterion)):
        assert repr(again) == repr(criterion)
        assert {n: (p.dtype, p.requires_grad) for n, p in again.named_parameters()} == {
            n: (p.dtype, p.requires_grad) for n, p in criterion.named_parameters()
        }
        assert again(sample.output, sample.target) == value
    other = nn.Sequential(copy.deepcopy(criterion))
    for tensor in other.state_dict().values():
        tensor.zero_()
    other.load_state_dict({f"0.{name}": tensor for name, tensor in criterion.state_dict().items()})
    assert other[0](sample.output, sample.target) == value


def test_a_learned_scale_finds_the_error():
    criterion = losslens.Criterion("gaussian", features=2, per="feature")
    errors = torch.tensor([0.1, 3.0]) * torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    search = torch.optim.LBFGS(criterion.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        value = criterion(errors, torch.zeros_like(errors))
        value.backward()
        return value

    search.step(closure)
    torch.testing.assert_close(criterion.settings()["scale"], errors.square().mean(0).sqrt(), rtol=1e-3, atol=0.0)
