"""Profile losses: one value per sample, judging the shape of the whole row.

Rows are divided by their largest absolute value before anything is squared, which changes no direction and
keeps squares of very large and very small numbers in range. The gradient of a direction grows as one over the size of
the row; in float32 it grows no further below 1e-35, so that it stays finite at the smallest numbers there are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from losslens.losses.family import PROFILE, loss
from losslens.losses.special import least, sloped


@loss(
    PROFILE,
    candidate=True,
    units="1 (dimensionless, 0 to 2)",
    elicits="direction of the mean of the normalised profiles",
    convex=False,
    scale_invariant=True,
    reference="Salton, Automatic Information Organization and Retrieval, 1968",
    use="When only the shape of a profile matters, as for expression profiles of unknown depth.",
    failure="It leaves the magnitude free; its pull fades at large norms and near angles of 0 and 180 degrees.",
    torch_line="lambda output, target: (1 - torch.nn.functional.cosine_similarity(output, target)).mean()",
)
def cosine(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""One minus the cosine similarity: only the direction of the profile counts, not its magnitude.

    .. math:: 1 - \frac{\langle \hat x, x \rangle}{\|\hat x\| \|x\|}
              = \tfrac12 \left\| \frac{\hat x}{\|\hat x\|} - \frac{x}{\|x\|} \right\|^2

    Shapes: (batch, features) twice -> (batch,). The second form is computed: it is exact near zero, never
    negative, never above 2. Its gradient has size :math:`\sin\varphi / \|\hat x\|`.
    Zero rows: two of them are equal, value 0; one of them has no direction, value 1. The gradient at a zero
    output points towards the target; a zero target gives none.

    >>> output, target = torch.tensor([[1.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 1.0], [5.0, 5.0]])
    >>> losslens.cosine(output, target, reduction="none")
    tensor([1., 0.])
    """
    return chord(present(output, mask), present(target, mask))


@loss(
    PROFILE,
    candidate=True,
    units="1 (dimensionless, 0 to 2)",
    elicits="direction of the mean of the standardised profiles",
    convex=False,
    scale_invariant=True,
    shift_invariant=True,
    reference="Pearson, Proceedings of the Royal Society 58, 1895",
    use="When the pattern around a row's mean matters, and neither its level nor its spread.",
    failure="Level and spread are left free; where all profiles share a pattern, almost any output scores well.",
    torch_line="lambda output, target: (1 - torch.nn.functional.cosine_similarity("
    "output - output.mean(1, True), target - target.mean(1, True))).mean()",
)
def pearson(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""One minus the Pearson correlation of the two profiles: the cosine loss of the centred rows.

    .. math:: 1 - \frac{\langle \hat x - \bar{\hat x}, x - \bar x \rangle}
                       {\|\hat x - \bar{\hat x}\| \|x - \bar x\|}

    Shapes: (batch, features) twice -> (batch,). Blind to the row's mean and spread. A constant row counts
    as a zero row of :func:`cosine`.

    >>> losslens.pearson(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 20.0, 30.0]]))
    tensor(0.)
    """
    return _half_squared_chord(_scaled(_centred(output, mask)), _scaled(_centred(target, mask)))


@loss(
    PROFILE,
    minimum=-1.0,
    units="1 (dimensionless, -1 to 1)",
    elicits="direction of the mean of the normalised profiles",
    convex=False,
    scale_invariant=True,
    reference="Keras, keras.losses.CosineSimilarity",
    use="For models that were or will be trained with the loss of this name in Keras.",
    failure="Its best value is -1, not 0; otherwise it goes wrong where cosine does.",
    torch_line="lambda output, target: -torch.nn.functional.cosine_similarity(output, target).mean()",
)
def cosine_proximity(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Minus the cosine similarity, as Keras has it: best at -1, zero where rows are orthogonal.

    .. math:: -\frac{\langle \hat x, x \rangle}{\|\hat x\| \|x\|}

    Shapes: (batch, features) twice -> (batch,). :func:`cosine` less one, with the same gradient; its sign misleads
    who expects a loss to fall to zero. One zero row counts as orthogonal; two count as
    equal, -1, where Keras and the line of PyTorch give 0.

    >>> losslens.cosine_proximity(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]]))
    tensor(-1.)
    """
    return chord(present(output, mask), present(target, mask)) - 1.0


@loss(
    PROFILE,
    units="radians (0 to pi)",
    elicits="direction of least mean angle",
    smoothness="C0",
    convex=False,
    scale_invariant=True,
    reference="Kruse et al., Remote Sensing of Environment 44, 1993",
    use="For spectra and profiles whose small angles are still to be pulled shut.",
    failure="It leaves the magnitude free; near the target steps overshoot, as the gradient does not fade.",
    torch_line="lambda output, target: torch.nn.functional.cosine_similarity(output, target).acos().mean()",
)
def spectral_angle(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Angle between the profiles: unlike the cosine loss its pull does not fade as the angle closes or opens.

    .. math:: 2 \arctan \frac{\|u - v\|}{\|u + v\|}, \qquad u = \hat x / \|\hat x\|, \; v = x / \|x\|

    Shapes: (batch, features) twice -> (batch,). Exact for small angles, where an arc cosine has lost its digits.
    The gradient has size :math:`1 / \|\hat x\|`, and is zero at an angle of exactly zero or pi. One zero row counts as
    orthogonal, two as equal.

    >>> losslens.spectral_angle(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
    tensor(1.5708)
    """
    one, other = unit(present(output, mask)), unit(present(target, mask))
    apart, together = (torch.linalg.vector_norm(rows, dim=-1) for rows in (one - other, one + other))
    equal = (apart == 0.0) & (together == 0.0)
    return 2.0 * torch.atan2(apart, torch.where(equal, 1.0, together))


@loss(
    PROFILE,
    units="1 (dimensionless, 0 to 2)",
    elicits="between standardised direction and mean",
    convex=False,
    reference="Lin, Biometrics 45, 1989",
    use="When level, spread and pattern of a row must all agree, in one number without a unit.",
    failure="Not convex; a row of little spread, noise included, weighs as much as one of much.",
    torch_line="lambda output, target: ((output - target).square().mean(1) / (output.var(1, correction=0)"
    " + target.var(1, correction=0) + (output.mean(1) - target.mean(1)).square())).mean()",
)
def concordance(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""One minus the concordance correlation: correlation that level and spread must match too.

    .. math:: 1 - \frac{2 s_{\hat x x}}{s_{\hat x}^2 + s_x^2 + (\bar{\hat x} - \bar x)^2}
              = \frac{\mathrm{mean}(\hat x - x)^2}{s_{\hat x}^2 + s_x^2 + (\bar{\hat x} - \bar x)^2}

    Shapes: (batch, features) twice -> (batch,). The second form is computed: exact near zero and never negative. Two
    equal constant rows cost 0. Shrinks less than mse, as spread is rewarded.

    >>> losslens.concordance(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[2.0, 3.0, 4.0]]))
    tensor(0.4286)
    """
    output, target = present(output, mask), present(target, mask)
    largest = torch.maximum(_largest(output), _largest(target))
    size = torch.where(largest == 0.0, 1.0, largest)
    number = count(output, mask).unsqueeze(-1)
    one, other = divided(output, size), divided(target, size)
    means = [rows.sum(-1, keepdim=True) / number for rows in (one, other)]
    spread = [present(rows - mean, mask).square().sum(-1) for rows, mean in zip((one, other), means, strict=True)]
    scatter = spread[0] + spread[1] + number.squeeze(-1) * (means[0] - means[1]).squeeze(-1).square()
    return (one - other).square().sum(-1) / torch.where(scatter == 0.0, 1.0, scatter)


def chord(output: Tensor, target: Tensor) -> Tensor:
    """One minus the cosine similarity of rows, as half a squared chord; zero rows as in :func:`cosine`.

    >>> chord(torch.tensor([[1e30, 0.0]]), torch.tensor([[1e-40, 0.0]]))
    tensor([0.])
    """
    return _half_squared_chord(_scaled(output), _scaled(target))


def unit(rows: Tensor) -> Tensor:
    """Rows divided by their norm, without squaring what is large or small; a zero row stays zero.

    >>> unit(torch.tensor([[3e30, 4e30], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    return _normalised(_scaled(rows))[0]


def _half_squared_chord(output: Tensor, target: Tensor) -> Tensor:
    """``1 - cos`` of rows whose largest absolute value is one, or which are zero."""
    (output, no_output), (target, no_target) = _normalised(output), _normalised(target)
    one_absent = (no_output != no_target).to(output.dtype)
    half = ((output - target).square().sum(-1) + one_absent) / 2.0
    return half - (half.detach() - 2.0).clamp_min(0.0)  # by rounding alone; the gradient there is right as it is


def _normalised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows divided by their norm, zero rows left alone, and which rows those are."""
    squared = rows.square().sum(-1, keepdim=True)
    absent = squared == 0
    return rows / torch.where(absent, 1.0, squared).sqrt(), absent.squeeze(-1)


def _scaled(rows: Tensor) -> Tensor:
    largest = _largest(rows)
    return divided(rows, torch.where(largest == 0, 1.0, largest))


def divided(rows: Tensor, size: Tensor) -> Tensor:
    """Rows over their size, a constant; the gradient, which grows as the size falls, grows no further below 1e-35.

    That is in float32, which could not hold the gradient at rows as small as its numbers can be.

    >>> divided(torch.tensor([3e-45]), torch.tensor([3e-45]))
    tensor([1.])
    """
    return sloped(rows / size, rows / size.clamp_min(least(rows)))


def _centred(rows: Tensor, mask: Tensor | None) -> Tensor:
    """Rows minus their mean; what is left of a constant row is rounding and counts as zero.

    Centring precedes scaling: the other way round, scaling would round off the differences that it is to show.
    """
    rows = present(rows, mask)
    mean = rows.sum(-1, keepdim=True) / count(rows, mask).unsqueeze(-1)
    centred = present(rows - mean, mask)
    constant = _largest(centred) <= 16 * torch.finfo(rows.dtype).eps * _largest(rows)
    return torch.where(constant, sloped(torch.zeros_like(centred), centred), centred)


def _largest(rows: Tensor) -> Tensor:
    return rows.detach().abs().amax(-1, keepdim=True)


def present(rows: Tensor, mask: Tensor | None) -> Tensor:
    """Rows with zeros where values are missing."""
    return rows if mask is None else torch.where(mask, rows, 0.0)


def count(rows: Tensor, mask: Tensor | None) -> Tensor:
    """How many values of each row are present, at least one."""
    if mask is None:
        return rows.new_full(rows.shape[:-1], rows.shape[-1])
    return mask.sum(-1).clamp_min(1).to(rows.dtype)
