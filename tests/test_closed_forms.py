"""Losses differentiated by hand against the catalogue's entries differentiated by autograd."""

import pytest
import torch

from losslens.losses import LOSSES
from losslens.models.autoencoders import Outputs
from losslens.models.objective import Batch, MagnitudeHead, Objective
from losslens.models.spec import ObjectiveSpec
from losslens.run.closed_forms import _FORMS, closed_form
from losslens.run.network import _Head

ROWS, FEATURES = 5, 7


def _rows(scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    output, target = (scale * torch.randn(ROWS, FEATURES, generator=generator) for _ in range(2))
    output[0] = target[1] = 0
    output[2] = target[2] = 0
    output[3] = target[3]
    return output, target


def _by_autograd(objective: Objective, output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    output = output.clone().requires_grad_()
    loss = objective.own_loss(Outputs(output, output), Batch(target))
    loss.backward()
    return loss.detach(), output.grad


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e15])
@pytest.mark.parametrize("name", _FORMS)
def test_equals_the_catalogue_and_its_gradient(name: str, scale: float) -> None:
    options = dict.fromkeys(LOSSES[name].options, 0.7)
    objective = Objective(ObjectiveSpec(loss=name, options=options), FEATURES, 2)
    output, target = _rows(scale)
    if name == "cosine":  # at an output of zero the size of the gradient is a convention: compare its direction
        output[0] = 0.1 * target[0]
    loss, gradient = _by_autograd(objective, output, target)
    found, slope = closed_form(objective)(output.clone(), target)
    torch.testing.assert_close(found, loss, rtol=1e-5, atol=0)
    torch.testing.assert_close(slope, gradient, rtol=1e-4, atol=1e-6 * float(gradient.abs().max()))


def test_an_output_of_zero_is_pulled_towards_the_target() -> None:
    form = closed_form(Objective(ObjectiveSpec(loss="cosine"), FEATURES, 2))
    target = torch.ones(1, FEATURES)
    loss, slope = form(torch.zeros(1, FEATURES), target)
    assert float(loss) == pytest.approx(1)
    assert (slope < 0).all()


OTHERS = [("mse", "softplus"), ("log_cosh", "linear"), ("negative_binomial", "softmax")]


@pytest.mark.parametrize(("loss", "link"), OTHERS)
def test_the_rest_is_left_to_autograd(loss: str, link: str) -> None:
    assert closed_form(Objective(ObjectiveSpec(loss=loss, link=link), FEATURES, 2)) is None


@pytest.mark.parametrize("centred", [False, True])
def test_the_heads_gradients(centred: bool) -> None:
    torch.manual_seed(0)
    head, code = MagnitudeHead(3, centred), torch.randn(ROWS, 3)
    profiles = _rows(1.0)[1]
    head.loss(code, profiles).backward()
    expected = [parameter.grad.clone() for parameter in head.parameters()]
    with torch.no_grad():
        _Head(head).gradients(code, profiles)
    for parameter, right in zip(head.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, right, rtol=1e-4, atol=1e-6)
