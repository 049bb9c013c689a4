r"""The cosine similarity's gradient and what a step along it does, in closed form.

Throughout, a point z of norm :math:`\rho` climbs its cosine :math:`c = \cos \varphi` with another point by gradient
descent on -c, with a step of size g. With :class:`losslens.GradScale` of power p its gradient is multiplied by
:math:`\rho^p`. Angles are in radians.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from losslens.losses.pairs import length
from losslens.losses.profile import unit
from losslens.vocabulary.errors import BadInput


class Forces(NamedTuple):
    """The two parts of a contrastive gradient; the gradient is their sum, each (batch, features).

    >>> a, b = torch.eye(2), torch.eye(2).flip(0)
    >>> forces = losslens.lab.info_nce_forces(a, b, temperature=1.0)
    >>> bool((forces.attraction.norm(dim=1) > forces.repulsion.norm(dim=1)).all())
    True
    """

    attraction: Tensor
    repulsion: Tensor


def cosine_gradient(z: Tensor, other: Tensor) -> Tensor:
    r"""Gradient of the cosine similarity by z: the other's direction without its part along z, over the norm of z.

    .. math:: \nabla_z \cos(z, w) = \frac{1}{\|z\|} \left(\hat w - (\hat w \cdot \hat z)\, \hat z\right)

    Shapes: (..., features) twice -> (..., features). It has no part along z, and its norm is :func:`gradient_norm`:
    it fades where z is long, and where both points have the same or opposite directions. A zero row has gradient 0.

    Source: Zhang, Li and Zhang, NeurIPS 2020, equation 1.

    >>> losslens.lab.cosine_gradient(torch.tensor([4.0, 0.0]), torch.tensor([3.0, 3.0]))
    tensor([0.0000, 0.1768])
    """
    norm = length(z).unsqueeze(-1)
    return across(unit(other), unit(z)) / torch.where(norm == 0.0, math.inf, norm)


def across(vectors: Tensor, directions: Tensor) -> Tensor:
    """The part of vectors that is orthogonal to unit vectors.

    Shapes: (..., features) twice, which broadcast.

    >>> losslens.lab.across(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0]))
    tensor([1., 0.])
    """
    return vectors - (vectors * directions).sum(-1, keepdim=True) * directions


def stepped(z: Tensor, other: Tensor, step: float, *, decay: float = 0.0, grad_scale: float = 0.0) -> Tensor:
    r"""The points after one step up the cosine, with weight decay on the points themselves.

    .. math:: z' = (1 - g \lambda)\, z + g\, \|z\|^p\, \nabla_z \cos(z, w)

    Shapes: (..., features) twice -> (..., features).

    Source: gradient descent on :math:`-\cos + \lambda \|z\|^2 / 2`.

    >>> losslens.lab.stepped(torch.tensor([4.0, 0.0]), torch.tensor([0.0, 3.0]), 2.0)
    tensor([4.0000, 0.5000])
    """
    pull = cosine_gradient(z, other) * length(z).unsqueeze(-1).pow(grad_scale)
    moved: Tensor = z * (1.0 - step * decay) + pull * step
    return moved


def info_nce_forces(a: Tensor, b: Tensor, *, temperature: float = 0.1) -> Forces:
    r"""Gradient of :func:`losslens.info_nce` of each row of ``a`` by that row, as attraction and repulsion.

    .. math:: -\frac{1}{\tau \|a_i\|} (\hat b_i)_\perp \quad\text{and}\quad
              \frac{1}{\tau \|a_i\|} \sum_k p_{ik} (\hat b_k)_\perp,
              \qquad p_{ik} \propto e^{\cos(a_i, b_k) / \tau}

    Shapes: (batch, features) twice -> two of (batch, features). Both parts are orthogonal to the row and shrink with
    its norm. Descent goes against them.

    Source: the derivative of the loss of van den Oord, Li and Vinyals, arXiv 1807.03748, 2018.

    >>> a, b = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> losslens.lab.info_nce_forces(a, b, temperature=1.0).attraction
    tensor([[-0.0000, -0.5000],
            [-0.5000, -0.0000]])
    """
    if not temperature > 0.0:
        raise BadInput(expected="a positive temperature", found=f"{temperature:g}")
    rows, others = unit(a), unit(b)
    norm = length(a).unsqueeze(-1)
    scale = temperature * torch.where(norm == 0.0, math.inf, norm)
    mixed = torch.softmax(rows @ others.T / temperature, 1) @ others
    return Forces(-across(others, rows) / scale, across(mixed, rows) / scale)


def gradient_norm(angle: float, norm: float, *, grad_scale: float = 0.0) -> float:
    r"""Norm of the cosine's gradient.

    .. math:: \sin(\varphi)\, \rho^{p - 1}

    Source: the norm of :func:`cosine_gradient`.

    >>> losslens.lab.gradient_norm(torch.pi / 2, 10.0)
    0.1
    """
    return float(math.sin(angle) * _positive("norm", norm) ** (grad_scale - 1.0))


def grown_norm(norm: float, step: float, gradient: float) -> float:
    r"""Norm after one step along a gradient that is orthogonal to the point: never less than before.

    .. math:: \sqrt{\rho^2 + g^2 \|\nabla\|^2}

    This holds for every loss that ignores the scale of z, where z itself is what is trained. Behind a network with
    shared weights it is a tendency.

    Source: Pythagoras.

    >>> losslens.lab.grown_norm(1.0, 0.75, 1.0)
    1.25
    """
    return math.hypot(norm, step * gradient)


def cosine_change(cosine: float, norm: float, step: float, *, sides: int = 2, grad_scale: float = 0.0) -> float:
    r"""Exact change of the cosine in one step, where both points have the same norm.

    .. math:: \frac{2 e s^2 (1 - e c)}{1 + e^2 s^2} \text{ if both move}, \quad
              \frac{c + e s^2}{\sqrt{1 + e^2 s^2}} - c \text{ if one does}, \qquad
              e = g \rho^{p - 2},\; s^2 = 1 - c^2

    ``sides`` says how many of the two points move. The change is negative where a step overshoots (e c above 1). The
    first order is 2 e s^2 (or e s^2), but neither that nor any bound that drops the denominator holds at every c.

    Source: derived here from one step of gradient descent; tests hold it to simulated steps.

    >>> round(losslens.lab.cosine_change(0.0, 1.0, 0.02), 6)
    0.039984
    """
    _sides(sides)
    effective = _turn(norm, step, grad_scale)
    sine = 1.0 - cosine * cosine
    if sides == 2:
        return 2.0 * effective * sine * (1.0 - effective * cosine) / (1.0 + effective * effective * sine)
    stretch = math.sqrt(1.0 + effective * effective * sine)
    return effective * sine * (1.0 - cosine * effective / (1.0 + stretch)) / stretch


def angle_after(
    steps: float, angle: float, norm: float, step: float, *, sides: int = 2, grad_scale: float = 0.0
) -> float:
    r"""Angle after a number of small steps, in radians.

    .. math:: \tan\frac{\varphi_t}{2} = \tan\frac{\varphi_0}{2}\; e^{-k g \rho^{p - 2} t}, \qquad k = \text{sides}

    The limit of small steps, in which the norm stays what it is: each point turns the angle by
    :math:`g \rho^{p-2} \sin\varphi` per step.

    Source: derived here, by integrating that.

    >>> round(losslens.lab.angle_after(95, torch.pi / 2, 1.0, 0.02), 4)
    0.0447
    """
    rate = _sides(sides) * _turn(norm, step, grad_scale)
    return 2.0 * math.atan(math.tan(angle / 2.0) * math.exp(-rate * steps))


def steps_needed(
    norm: float,
    step: float,
    *,
    angle: float = math.pi / 2.0,
    until: float = 0.999,
    sides: int = 2,
    grad_scale: float = 0.0,
) -> float:
    r"""Number of small steps from an angle until the cosine reaches ``until``.

    .. math:: \frac{\rho^{2 - p}}{k g} \log \frac{\tan(\varphi_0 / 2)}{\tan(\varphi_1 / 2)}, \qquad k = \text{sides}

    Quadratic in the norm, logarithmic in how far the points are from opposite. With a :class:`losslens.GradScale` of
    p = 1 linear in the norm, of p = 2 the same for all norms. 0 where the cosine is there already; infinite for
    exactly opposite points. BadInput if the end cannot be reached, or for a norm or step that is not positive.

    Source: derived here from :func:`angle_after`; tests hold it to simulation.

    >>> [round(losslens.lab.steps_needed(norm, 0.02)) for norm in (0.5, 1.0, 2.0, 10.0)]
    [24, 95, 380, 9501]
    >>> [round(losslens.lab.steps_needed(norm, 0.02, grad_scale=2.0)) for norm in (0.5, 10.0)]
    [95, 95]
    """
    if not -1.0 < until < 1.0:
        raise BadInput(expected="a cosine to reach strictly between -1 and 1", found=f"{until:g}")
    if not 0.0 <= angle <= math.pi:
        raise BadInput(expected="an angle from 0 to pi", found=f"{angle:g}", remedy="Angles are in radians.")
    rate = _sides(sides) * _turn(norm, _positive("step", step), grad_scale)
    if angle >= math.pi:
        return math.inf
    if angle == 0.0:
        return 0.0
    return max(0.0, math.log(math.tan(angle / 2.0) / math.tan(math.acos(until) / 2.0)) / rate)


def norm_after(steps: float, norm: float, step: float, *, sine_squared: float = 1.0) -> float:
    r"""Norm after steps along gradients of the cosine at a constant angle, without weight decay.

    .. math:: \left(\rho_0^4 + 2 g^2 \sin^2(\varphi)\, t\right)^{1/4}

    In the long run the norm grows with the fourth root of time. ``sine_squared`` is the mean squared sine, 1 - 1/d
    towards random directions in d dimensions.

    Source: derived here by summing :func:`grown_norm`; tests hold it to simulation.

    >>> round(losslens.lab.norm_after(10_000, 1.0, 1.0), 2)
    11.89
    """
    return float((norm**4 + 2.0 * step * step * sine_squared * steps) ** 0.25)


def equilibrium_norm(step: float, decay: float, *, sine_squared: float = 1.0) -> float:
    r"""Norm at which weight decay on z takes away what gradients of the cosine add.

    .. math:: \left(\frac{g \sin^2 \varphi}{\lambda (2 - g \lambda)}\right)^{1/4}
              \approx \left(\frac{g \sin^2 \varphi}{2 \lambda}\right)^{1/4}

    The step is :math:`z' = (1 - g \lambda) z + g \nabla \cos`, as that of SGD with ``weight_decay``. BadInput
    unless :math:`0 < g \lambda < 2`.

    Source: derived here, as for weights of layers before a normalisation; tests hold it to simulation.

    >>> round(losslens.lab.equilibrium_norm(0.02, 0.01), 3)
    1.0
    """
    if not 0.0 < _positive("step", step) * decay < 2.0:
        raise BadInput(expected="a step and a decay whose product is between 0 and 2", found=f"{step:g} and {decay:g}")
    return float((step * sine_squared / (decay * (2.0 - step * decay))) ** 0.25)


def _turn(norm: float, step: float, grad_scale: float) -> float:
    """By how much a small step turns a point, over the sine of the angle."""
    return float(step * _positive("norm", norm) ** (grad_scale - 2.0))


def _positive(name: str, value: float) -> float:
    if not 0.0 < value < math.inf:
        raise BadInput(expected=f"a positive {name}", found=f"{value:g}")
    return value


def _sides(sides: int) -> int:
    if sides not in (1, 2):
        raise BadInput(expected="1 or 2 sides that move", found=repr(sides))
    return sides
