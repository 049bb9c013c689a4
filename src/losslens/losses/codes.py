"""Penalties on a code: sparsity, size, activity rates, contraction."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.losses.pairs import length
from losslens.losses.redundancy import ONE_BATCH
from losslens.losses.special import lifted, sloped
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Range

CODE = Family("code", "sample", (Argument("code", "batch units"),), mean_of_values, sweeps=sweeps.codes)
JACOBIAN = Family(
    "code and inputs",
    "sample",
    (Argument("code", "batch units"), Argument("inputs", "batch features")),
    mean_of_values,
    masks="results",
    sweeps=sweeps.jacobians,
)


@loss(
    CODE,
    units="units of the code",
    minimum=0.0,
    smoothness="C0",
    reference="Olshausen and Field, Nature 381, 1996",
    use="For codes in which few units are active on each sample.",
    failure="It shrinks what stays active too, and a decoder with free weights undoes that by growing.",
    torch_line="lambda code: code.abs().sum(1).mean()",
)
def code_l1(code: Tensor) -> Tensor:
    r"""Sum of absolute activations: pulls small ones to zero.

    .. math:: \sum_k |h_k|

    Shapes: (batch, units) -> (batch,). It also shrinks what stays; a decoder whose weights are free undoes that by
    growing, so bound them.

    >>> losslens.code_l1(torch.tensor([[1.0, -2.0]]))
    tensor(3.)
    """
    return code.abs().sum(-1)


@loss(
    CODE,
    units="units of the code",
    minimum=0.0,
    smoothness="C0",
    convex=False,
    reference="Gotoh, Takeda and Tono, Mathematical Programming 169, 2018",
    use="When at most k units are to be active, and those are not to be shrunk.",
    failure="Units that are rarely among the largest are pulled to zero and may never be used.",
    torch_line="lambda code: (code.abs().sum(1) - code.abs().topk(min({k}, code.shape[1])).values.sum(1)).mean()",
)
def top_k_sparsity(code: Tensor, *, k: Annotated[int, Range(1, 100_000)] = 4) -> Tensor:
    r"""Absolute activations beyond the k largest of each sample: zero where at most k units speak.

    .. math:: \sum_{j > k} |h|_{(j)}

    Shapes: (batch, units) -> (batch,). A penalty on what a k-sparse autoencoder (Makhzani and
    Frey, 2013) cuts off; the k largest are left alone.

    >>> losslens.top_k_sparsity(torch.tensor([[5.0, -1.0, 0.5]]), k=1)
    tensor(1.5000)
    """
    least_first = code.abs().sort(-1).values
    return least_first[..., : max(code.shape[-1] - int(k), 0)].sum(-1)


@loss(
    CODE,
    units="squared units of the code",
    minimum=0.0,
    reference="Hoerl and Kennard, Technometrics 12, 1970",
    use="To keep embeddings short, so that the gradient of a cosine does not fade; decay of weights does it slowly.",
    failure="Too strong it wins over the loss beside it, and all codes shrink to zero.",
    torch_line="lambda code: code.square().sum(1).mean()",
)
def code_l2(code: Tensor) -> Tensor:
    r"""Squared norm of a code: keeps it short.

    .. math:: \sum_k h_k^2

    Shapes: (batch, units) -> (batch,). Beside a loss that ignores the scale of a code it decides the scale alone.

    >>> losslens.code_l2(torch.tensor([[1.0, -2.0]]))
    tensor(5.)
    """
    return code.square().sum(-1)


@loss(
    ONE_BATCH,
    units="nats",
    minimum=0.0,
    independent=False,
    link="sigmoid",
    reference="Ng, Sparse autoencoder, CS294A lecture notes, 2011",
    use="For sparse codes of sigmoid units, each active on a given share of samples.",
    failure="Only the mean counts: a unit that always gives just that rate costs and says nothing.",
    torch_line="lambda code: (lambda q: ({rate:g} * ({rate:g} / q).log()"
    " + (1 - {rate:g}) * ((1 - {rate:g}) / (1 - q)).log()).sum())(code.mean(0))",
)
def kl_to_rate(code: Tensor, *, rate: Annotated[float, Range(0.01, 0.5)] = 0.05) -> Tensor:
    r"""Each unit is to be active at a given mean rate over the batch.

    .. math:: \sum_k \rho \log \frac{\rho}{q_k} + (1 - \rho) \log \frac{1 - \rho}{1 - q_k},
              \qquad q_k = \mathrm{mean}_i h_{ik}

    Shapes: (batch, units), activations in [0, 1] -> (). Units that never or always speak cost much but not infinitely
    much: means count as at least 1e-12 away from the ends, and the gradient passes.

    >>> losslens.kl_to_rate(torch.full((2, 3), 0.05))
    tensor(0.)
    """
    mean = code.mean(0)
    silent, spoken = lifted(mean, 1e-12), lifted(1.0 - mean, 1e-12)
    return (rate * (rate / silent).log() + (1.0 - rate) * ((1.0 - rate) / spoken).log()).sum()


@loss(
    ONE_BATCH,
    units="squared units of the code",
    minimum=0.0,
    independent=False,
    convex=False,
    aliases=("spherical_constraint",),
    reference="Zhang, Li and Zhang, NeurIPS 2020",
    use="Beside a loss of directions, so that one step turns all samples alike, whatever their norm was.",
    failure="It says nothing about the norm itself: all may grow together.",
    torch_line="lambda code: code.norm(dim=1).var(correction=0)",
)
def norm_variance(code: Tensor) -> Tensor:
    r"""How far the norms of codes are from their mean over the batch.

    .. math:: \mathrm{mean}_i \left(\|h_i\| - \mu\right)^2, \qquad \mu = \mathrm{mean}_j \|h_j\|

    Shapes: (batch, units) -> (). The spherical embedding constraint. Whether a gradient passes through the mean
    makes no difference. A zero row gets none.

    >>> losslens.norm_variance(torch.tensor([[3.0, 4.0], [0.0, 7.0]]))
    tensor(1.)
    """
    largest = code.detach().abs().amax()
    far = largest > torch.finfo(code.dtype).max ** 0.4  # only the gradient can be held there, and is written out
    norms = length(torch.where(far, sloped(code / largest.clamp_min(1.0), code), code))
    variance = (norms - norms.mean()).square().mean()
    return torch.where(far, sloped(variance * largest * largest, variance * largest), variance)


@loss(
    JACOBIAN,
    units="squared units of the code over those of the inputs",
    minimum=0.0,
    graph=True,
    convex=False,
    reference="Rifai, Vincent, Muller, Glorot and Bengio, ICML 2011",
    use="For codes that are to change little where inputs do, but for what reconstruction needs.",
    failure="Small encoder weights made up for by large decoder weights defeat it: tie or bound them.",
    torch_line="lambda code, inputs: sum(torch.autograd.grad(unit.sum(), inputs, create_graph=True)[0]"
    ".square().sum(1) for unit in code.T).mean()",
)
def contractive(code: Tensor, inputs: Tensor) -> Tensor:
    r"""Squared norm of the code's derivatives by the inputs: the code is to change little.

    .. math:: \sum_{k, f} \left(\frac{\partial h_k}{\partial x_f}\right)^2

    Shapes: code (batch, units), inputs (batch, features) -> (batch,). The code must have been computed from these very
    inputs, each row from its own (no batch normalisation), and the inputs must require a gradient; else BadInput. One
    backward pass for each unit.

    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> losslens.contractive(x * torch.tensor([[1.0, 2.0]]), x).detach()
    tensor(5.)
    """
    if not (inputs.requires_grad and code.requires_grad):
        raise BadInput(
            expected="inputs that require a gradient, and a code computed from them",
            found="no graph between them",
            remedy="Call inputs.requires_grad_() before the encoder.",
        )
    return torch.stack([_slopes(unit, inputs).square().sum(-1) for unit in code.unbind(-1)]).sum(0)


def _slopes(unit: Tensor, inputs: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(unit.sum(), inputs, create_graph=True, allow_unused=True)
    if slope is None:
        raise BadInput(expected="a code computed from these inputs", found="one that does not depend on them")
    return slope
