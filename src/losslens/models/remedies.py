"""What helps where the gradient of a cosine fades: a smaller start (cut-initialisation) and a gradient scaled back up.

Each piece works on any PyTorch model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat, get_args

import torch
from torch import Tensor, nn
from torch.func import functional_call

from losslens.models.chains import chain, last_linear
from losslens.vocabulary.errors import BadInput, LosslensWarning, unknown

Form = Literal["all", "weights", "exact", "last"]
FORMS: tuple[str, ...] = get_args(Form)
COLLAPSED = 0.95  # a mean pairwise cosine from which on directions count as one
LARGEST = 1e6  # constant that automatic_cut tries at most


@dataclass(frozen=True)
class Embedding:
    """What a batch of embeddings looks like: mean norm, and mean cosine between different rows.

    >>> Embedding.of(torch.tensor([[0.0, 5.0], [7.0, 0.0]]))
    Embedding(norm=6.0, cosine=0.0)
    """

    norm: float
    cosine: float

    @classmethod
    def of(cls, rows: Tensor) -> Embedding:
        """Measure rows (batch, features); of a single row the cosine is NaN."""
        rows = rows.detach().double()
        norms = rows.norm(dim=1, keepdim=True)
        count, total = len(rows), (rows / norms.clamp_min(torch.finfo(rows.dtype).tiny)).sum(0)
        cosine = (float(total.square().sum()) - count) / (count * (count - 1)) if count > 1 else math.nan
        return cls(float(norms.mean()), cosine)


@dataclass(frozen=True)
class Cut:
    """What a cut-initialisation did: form, constant, how many tensors it changed, and a batch's embedding around it.

    >>> torch.manual_seed(0)
    <torch._C.Generator object at 0x...>
    >>> model, batch = torch.nn.Linear(4, 3), torch.randn(8, 4)
    >>> cut = losslens.cut_initialise(model, 3.0, form="last", batch=batch)
    >>> round(cut.before.norm / cut.after.norm, 5), cut.collapsed
    (3.0, False)
    """

    form: str
    c: float
    tensors: int
    before: Embedding | None = None
    after: Embedding | None = None

    @property
    def collapsed(self) -> bool:
        """Whether directions became nearly one: mean cosine above 0.95, and what was left to 1 at least halved."""
        if self.before is None or self.after is None:
            return False
        return self.after.cosine > COLLAPSED and 1.0 - self.after.cosine < (1.0 - self.before.cosine) / 2.0


def cut_initialise(model: nn.Module, c: float, *, form: Form = "all", batch: Any = None) -> Cut:
    r"""Divide the parameters of a fresh model by a constant c, so that embeddings start short.

    A step turns an embedding of norm :math:`\rho` by about :math:`\sin(\varphi) / \rho^2`: short ones learn
    faster from a cosine. The forms:

    - ``all``: every parameter, biases and those of normalisation layers included, as the authors' code does. Not a pure
      rescaling: signals shrink with depth, biases less, so that the last bias can become the direction of all.
    - ``weights``: what has two or more dimensions, the weights of linear maps and convolutions.
    - ``exact``: weights by c, biases by c to the depth: outputs shrink by c to the number of layers and keep their
      directions. For chains of linear layers, convolutions and what commutes with a positive factor, such as ReLU.
    - ``last``: weight and bias of the last linear layer: the output shrinks by c and keeps its directions.

    With a ``batch`` (what the model takes) its embedding is measured before and after, without touching running
    statistics or random numbers, and a :class:`losslens.LosslensWarning` says if directions collapsed. BadInput for a c
    below 1, an unknown form, or a model that the form cannot be exact on.

    Source: Draganov, Vadgama and Bekkers, arXiv 2406.16468; the last two forms are this library's.

    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    >>> x = torch.ones(1, 2)
    >>> before = model(x).detach()
    >>> losslens.cut_initialise(model, 3.0, form="exact").tensors
    4
    >>> torch.allclose(model(x) * 9.0, before)
    True
    """
    _check_constant(c)
    powers = _powers(model, form)
    cut, before = _divided(model, powers, c), None if batch is None else _measured(model, {}, batch)
    done = Cut(form, c, len(powers), before, None if batch is None else _measured(model, cut, batch))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in cut:
                parameter.copy_(cut[name])
    if done.collapsed:
        warnings.warn(_warning(done), LosslensWarning, stacklevel=2)
    return done


def automatic_cut(model: nn.Module, batch: Any, *, target: float = 1.0, form: Form = "all") -> Cut:
    """Cut-initialise with the constant at which a first batch's mean embedding norm comes to ``target``.

    Never below 1: embeddings that are short already stay as they are. The norm is measured, not read off the
    architecture, as normalisation layers and biases keep it from falling by a known power of c. BadInput if no constant
    up to a million brings it down, which is so where a normalisation layer without parameters gives the embedding.

    Source: bisection on the measured norm, this library's.

    >>> model, batch = torch.nn.Linear(4, 3), 100.0 * torch.ones(8, 4)
    >>> cut = losslens.automatic_cut(model, batch, form="last")
    >>> round(cut.after.norm, 4), round(cut.before.norm / cut.c, 4)
    (1.0, 1.0)
    """
    if not 0.0 < target < math.inf:
        raise BadInput(expected="a positive norm as target", found=f"{target:g}")
    powers = _powers(model, form)

    def norm(c: float) -> float:
        return _measured(model, _divided(model, powers, c), batch).norm

    return cut_initialise(model, _constant(norm, target), form=form, batch=batch)


def _constant(norm: Callable[[float], float], target: float) -> float:
    """The smallest c from 1 on at which a falling norm reaches its target, to six digits."""
    first = norm(1.0)
    if not math.isfinite(first):
        raise BadInput(
            expected="a batch with a finite embedding",
            found=f"a mean norm of {first}",
            remedy="Look for NaN in the batch.",
        )
    if first <= target:
        return 1.0
    low, high = 0.0, math.log(LARGEST)
    if norm(LARGEST) > target:
        raise BadInput(
            expected="an embedding whose norm falls as parameters shrink",
            found=f"a mean norm of {norm(LARGEST):.3g} with all divided by a million",
            remedy="Cut the part of the model before its last normalisation, or choose a larger target.",
        )
    while high - low > 1e-7:
        middle = (low + high) / 2.0
        low, high = (middle, high) if norm(math.exp(middle)) > target else (low, middle)
    return math.exp(high)


def _powers(model: nn.Module, form: str) -> dict[str, int]:
    """By which power of c each parameter is divided, by name."""
    if not isinstance(model, nn.Module):
        raise BadInput(expected="a model (torch.nn.Module) to cut", found=type(model).__name__)
    if form not in FORMS:
        raise unknown("form of the cut", form, FORMS)
    if form == "exact":
        layers = chain(model)
        return {name: depth if own == "bias" else 1 for name, own, depth in layers}
    if form == "last":
        return dict.fromkeys(last_linear(model), 1)
    least = 2 if form == "weights" else 0
    powers = {name: 1 for name, value in model.named_parameters() if value.dim() >= least}
    if not powers:
        raise BadInput(expected="a model with parameters to cut", found=f"none in {type(model).__name__}")
    return powers


def _divided(model: nn.Module, powers: dict[str, int], c: float) -> dict[str, Tensor]:
    return {name: value.detach() / c ** powers[name] for name, value in model.named_parameters() if name in powers}


def _measured(model: nn.Module, parameters: dict[str, Tensor], batch: Any) -> Embedding:
    """The embedding of a batch under other parameters; buffers and random numbers are as before afterwards."""
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    devices = [value.device for value in model.parameters() if value.device.type == "cuda"]
    with torch.no_grad(), torch.random.fork_rng(sorted(set(devices), key=str)):
        rows = functional_call(model, {**buffers, **parameters}, (batch,))
    if not isinstance(rows, Tensor) or rows.dim() < 2:
        raise BadInput(
            expected="a model that gives one tensor of embeddings, (batch, features)",
            found=f"{tuple(rows.shape)}" if isinstance(rows, Tensor) else type(rows).__name__,
            remedy="Cut the part of the model that gives the embedding.",
        )
    return Embedding.of(rows.flatten(1))


def _check_constant(c: float) -> None:
    if not isinstance(c, SupportsFloat) or not 1.0 <= c < math.inf:
        raise BadInput(expected="a constant of at least 1 to divide by", found=f"{c!r}")


def _warning(cut: Cut) -> str:
    assert cut.before is not None
    assert cut.after is not None
    return (
        f"The cut by {cut.c:g} (form {cut.form}) made directions nearly one: mean cosine between embeddings of "
        f"different samples {cut.after.cosine:.3f}, before {cut.before.cosine:.3f}. Take form='last' or form='exact', "
        "which keep directions, or a smaller constant."
    )


class GradScale(nn.Module):
    r"""The identity, whose backward pass multiplies the gradient of each row by a power of the row's norm.

    .. math:: z \mapsto z, \qquad \nabla_z \mapsto \|z\|^p\, \nabla_z

    Shapes: (..., features) -> the same. It belongs right after the embedding, before it is normalised: ``p`` = 0 does
    nothing, 1 takes away the 1 / norm of a cosine's gradient, 2 makes the angular speed the same for all norms.
    Gradients become larger where norms are above 1: take a smaller learning rate and a longer warm-up. The
    factor counts as a constant for second derivatives. BadInput for a p that is negative or not finite.

    Source: Draganov et al., ICML 2025 (arXiv 2502.09252), Algorithm 1 and published code.

    >>> z = torch.tensor([[0.0, 10.0]], requires_grad=True)
    >>> losslens.negative_cosine(losslens.GradScale(1.0)(z), torch.tensor([[1.0, 0.0]])).backward()
    >>> z.grad
    tensor([[-1., 0.]])
    """

    def __init__(self, p: float = 1.0) -> None:
        super().__init__()
        if not isinstance(p, SupportsFloat) or not 0.0 <= p < math.inf:
            raise BadInput(expected="a power of at least 0", found=f"{p!r}")
        self.p = float(p)

    def forward(self, z: Tensor) -> Tensor:
        """(..., features) -> the same values."""
        if self.p == 0.0:
            return z
        scaled: Tensor = _Scaled.apply(z, self.p)  # type: ignore[no-untyped-call]
        return scaled

    def extra_repr(self) -> str:
        """The power, in the printed form of the module."""
        return f"p={self.p:g}"


class _Scaled(torch.autograd.Function):
    """Identity forward; backward times the norm to a power."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, p: float) -> Tensor:
        return z.view_as(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        z, p = inputs
        wide = torch.promote_types(z.dtype, torch.float32)
        ctx.save_for_backward(torch.linalg.vector_norm(z.detach(), dim=-1, keepdim=True, dtype=wide) ** p)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (scale,), (gradient,) = ctx.saved_tensors, gradients
        return (gradient * scale).to(gradient.dtype), None
