"""Profile losses that judge direction and size together: distances between rows."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import PROFILE, loss
from losslens.losses.pairs import length
from losslens.losses.profile import chord, count, divided, present
from losslens.losses.special import least
from losslens.vocabulary.quantities import Range


@loss(
    PROFILE,
    candidate=True,
    units="mixed: 1 and data units squared",
    elicits="between direction and mean",
    convex=False,
    reference="sum of the two named losses",
    use="When direction comes first, but reconstructions must be in data units as well.",
    failure="The shares of its parts depend on the scale of the data: set magnitude to balance them.",
    torch_line="lambda output, target: (1 - torch.nn.functional.cosine_similarity(output, target)).mean()"
    " + {magnitude:g} * torch.nn.functional.mse_loss(output, target)",
)
def cosine_plus_mse(
    output: Tensor,
    target: Tensor,
    *,
    mask: Tensor | None = None,
    magnitude: Annotated[float, Range(1e-3, 1e3, log=True)] = 1.0,
) -> Tensor:
    r"""The cosine loss plus a weighted mean squared error: direction first, size not free.

    .. math:: 1 - \cos(\hat x, x) + \frac{\lambda}{G} \sum_g (\hat x_g - x_g)^2

    Shapes: (batch, features) twice -> (batch,).

    >>> losslens.cosine_plus_mse(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.5000)
    """
    squared = (present(output, mask) - present(target, mask)).square().sum(-1)
    return chord(present(output, mask), present(target, mask)) + magnitude * squared / count(output, mask)


@loss(
    PROFILE,
    units="mixed: 1 and squared relative size",
    elicits="direction of the mean of the normalised profiles, at the norm of least relative error",
    convex=False,
    reference="sum of the cosine loss and a squared relative error of norms",
    use="When direction and size are to be learned side by side, neither with a unit.",
    failure="Size is judged relative to the target: profiles that are almost empty can dominate.",
    torch_line="lambda output, target: ((1 - torch.nn.functional.cosine_similarity(output, target))"
    " + {magnitude:g} * (output.norm(dim=1) / target.norm(dim=1) - 1).square()).mean()",
)
def cosine_plus_magnitude(
    output: Tensor,
    target: Tensor,
    *,
    mask: Tensor | None = None,
    magnitude: Annotated[float, Range(1e-3, 1e3, log=True)] = 1.0,
) -> Tensor:
    r"""The cosine loss plus a weighted squared relative error of the norm: direction and size apart.

    .. math:: 1 - \cos(\hat x, x) + \lambda \left(\frac{\|\hat x\|}{\|x\|} - 1\right)^2

    Shapes: (batch, features) twice -> (batch,). Unlike :func:`cosine_plus_mse` both parts have no unit, and the
    best direction does not depend on the weight. At a zero target the size itself counts.

    >>> losslens.cosine_plus_magnitude(torch.tensor([[3.0, 0.0]]), torch.tensor([[2.0, 0.0]]))
    tensor(0.2500)
    """
    output, target = present(output, mask), present(target, mask)
    size = length(target)
    ratio = _relative(length(output), size) - (size > 0.0).to(size.dtype)
    return chord(output, target) + magnitude * ratio.square()


@loss(
    PROFILE,
    units="data units",
    elicits="spatial median",
    smoothness="C0",
    reference="Weber, Ueber den Standort der Industrien, 1909",
    use="When whole profiles may be outliers, and each is to pull alike.",
    failure="The gradient does not fade near the target: lower the learning rate towards the end.",
    torch_line="lambda output, target: (output - target).norm(dim=1).mean()",
)
def euclidean(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Distance between the profiles, not squared: a profile far off pulls no harder than any other.

    .. math:: \|\hat x - x\|

    Shapes: (batch, features) twice -> (batch,). The robust relative of mse over whole profiles. Its gradient has
    size one everywhere but at the target, where it is zero.

    >>> losslens.euclidean(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
    tensor(5.)
    """
    return length(present(output, mask) - present(target, mask))


@loss(
    PROFILE,
    units="1 (relative size)",
    elicits="spatial median weighted by one over the norm",
    smoothness="C0",
    reference="relative error in the Euclidean norm",
    use="When profiles differ much in size and each is to count alike.",
    failure="Small and noisy profiles are weighed up, and an output of zeros never costs more than 1.",
    torch_line="lambda output, target: ((output - target).norm(dim=1) / target.norm(dim=1)).mean()",
)
def relative_norm(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Distance in units of the target's own norm: small profiles count as much as large ones.

    .. math:: \frac{\|\hat x - x\|}{\|x\|}

    Shapes: (batch, features) twice -> (batch,). An output of zeros costs exactly 1. At a zero target the distance
    itself counts.

    >>> losslens.relative_norm(torch.tensor([[3.0, 0.0]]), torch.tensor([[2.0, 0.0]]))
    tensor(0.5000)
    """
    output, target = present(output, mask), present(target, mask)
    return _relative(length(output - target), length(target))


def _relative(length: Tensor, size: Tensor) -> Tensor:
    """A length over a size, or alone where that is zero; sizes too small for a gradient get none."""
    small = size < least(size)
    constant = torch.where(size == 0.0, 1.0, size.detach())
    return torch.where(small, divided(length, constant), length / torch.where(small, 1.0, size))
