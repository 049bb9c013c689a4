"""The network's forward and backward pass written out by hand, for chains of linear layers and activations.

Autograd costs about as much as the products themselves at the sizes of expression profiles. Here the
parameters lie in one flat vector, gradients are written straight into another, and buffers are kept from
one batch to the next. A loss without a closed form is differentiated by autograd with respect to the output
alone. A model with other layers is run by autograd as a whole, through the same two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from losslens.models.autoencoders import Autoencoder, Outputs
from losslens.models.layers import Parallel
from losslens.models.magnitude import MagnitudeHead
from losslens.models.objective import Batch, Objective, outputs_of
from losslens.run.closed_forms import closed_form


class FlatParameters:
    """All trained parameters as views of one vector, and their gradients as views of another.

    With ``average`` a running mean of the vector, and of what batch normalisation has seen, is kept beside it: what is
    validated and remembered is the mean.
    """

    def __init__(self, model: nn.Module, objective: nn.Module, average: float = 0.0) -> None:
        owned = [parameter for module in (model, objective) for parameter in module.parameters()]
        self.values = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in owned]))
        self.values.grad = torch.zeros_like(self.values)
        decayed = _weights(model)
        self.decayed = torch.cat([torch.full_like(p.detach().reshape(-1), float(id(p) in decayed)) for p in owned])
        start = 0
        for parameter in owned:
            part = slice(start, start + parameter.numel())
            parameter.data = self.values.data[part].view_as(parameter)
            parameter.grad = self.values.grad[part].view_as(parameter)
            start = part.stop
        self.present = [self.values.data, *(buffer for buffer in model.buffers() if buffer.is_floating_point())]
        self.keep, self.means = average, [part.clone() for part in self.present] if average else []

    def stepped(self) -> None:
        """Bring the running means up to date after a step."""
        for mean, part in zip(self.means, self.present, strict=False):  # none, or all of them
            mean.lerp_(part, 1.0 - self.keep)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The running means in place of what they are means of, if they are kept."""
        if not self.means:
            yield
            return
        before = [part.clone() for part in self.present]
        self.restore(self.means)
        try:
            yield
        finally:
            self.restore(before)

    def kept(self) -> list[Tensor]:
        """A copy of what is validated."""
        return [part.clone() for part in self.means or self.present]

    def restore(self, kept: list[Tensor]) -> None:
        """Put a copy back."""
        for part, before in zip(self.present, kept, strict=True):
            part.copy_(before)


def _weights(model: nn.Module) -> set[int]:
    """Ids of the weights that decay: matrices and kernels, but for those of a linear path, which PCA has set."""
    paths = [part.paths for part in model.modules() if isinstance(part, Parallel)]
    linear = {id(weight) for own in paths if len(own) > 1 for weight in own[-1].parameters()}
    return {id(weight) for weight in model.parameters() if weight.dim() > 1} - linear


class Adam:
    """PyTorch's fused Adam on the flat vector, called without the bookkeeping of an optimiser object."""

    def __init__(self, parameters: FlatParameters, lr: float, weight_decay: float) -> None:
        values, grad = parameters.values.data, parameters.values.grad
        assert grad is not None
        first, second = torch.zeros_like(values), torch.zeros_like(values)
        steps = torch.zeros((), device=values.device)
        self.state: tuple[list[Tensor], ...] = ([values], [grad], [first], [second], [], [steps])
        self.parameters, self.lr = parameters, lr
        self.shrink = 1.0 - lr * weight_decay * parameters.decayed if weight_decay else None

    def step(self) -> None:
        """One step along the gradients, after the decay of weights."""
        if self.shrink is not None:
            self.parameters.values.data.mul_(self.shrink)
        rates = {"lr": self.lr, "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
        adam(*self.state, fused=True, amsgrad=False, maximize=False, **rates)  # type: ignore[misc,arg-type]
        self.parameters.stepped()


class Gradients:
    """Forward pass, objective and gradients of one batch; fills the ``grad`` of every parameter."""

    def __init__(self, model: Autoencoder, objective: Objective) -> None:
        self.model, self.objective = model, objective
        self.by_hand = not objective.terms and is_plain(model)
        self.encoder, self.decoder = _Paths(model.encoder, first=True), _Paths(model.decoder, first=False)
        self.closed_form = closed_form(objective)
        self.head = None if objective.head is None else _Head(objective.head)
        self.learned = list(objective.criterion.parameters())
        self.centred = _Kept()

    def __call__(self, batch: Batch, noise: torch.Generator | None = None) -> Tensor:
        """The objective under comparison on this batch, with gradients left in the parameters.

        ``noise`` draws the codes of a variational model.
        """
        return self._hand_written(batch) if self.by_hand else self._autograd(batch, noise)

    def _autograd(self, batch: Batch, noise: torch.Generator | None) -> Tensor:
        for parameter in (*self.model.parameters(), *self.objective.parameters()):
            parameter.grad.zero_()  # type: ignore[union-attr]
        total, own = self.objective(outputs_of(self.model, self.objective, batch.inputs, noise), batch)
        total.backward()
        return own.detach()  # type: ignore[no-any-return]

    @torch.no_grad()
    def _hand_written(self, batch: Batch) -> Tensor:
        x, seen = batch.profiles, batch.inputs
        code = self.encoder.forward(torch.sub(seen, self.model.center, out=self.centred.like(x, x.shape[1])))
        output = self.decoder.forward(code)
        closed = self.closed_form if batch.weight is None else None
        own, grad = closed(output, x) if closed else self._loss(Outputs(code, output), batch)
        self.encoder.backward(self.decoder.backward(grad))
        if self.head is not None:
            self.head.gradients(code, x)
        return own

    @torch.enable_grad()
    def _loss(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        for parameter in self.learned:
            parameter.grad.zero_()  # type: ignore[union-attr]
        output = outputs.output.detach().requires_grad_()
        own = self.objective.own_loss(Outputs(outputs.code, output), batch)
        own.backward()  # type: ignore[no-untyped-call]
        assert output.grad is not None
        return own.detach(), output.grad


def is_plain(model: Autoencoder) -> bool:
    """Whether the passes written here are all that happens in a model."""
    other = model.variational or model.reads_code or type(model.squash) is not nn.Identity
    return not other and all(supported(part) for part in (model.encoder, model.decoder))


def supported(part: Parallel) -> bool:
    """Whether every path begins and ends with a linear layer and every layer has its backward pass here."""
    paths = [list(path) for path in part.paths]  # type: ignore[call-overload]
    ends_linear = all(isinstance(layer, nn.Linear) for path in paths for layer in (path[0], path[-1]))
    return ends_linear and all(type(layer) in _FORWARD for path in paths for layer in path)


class _Kept:
    """A buffer kept from batch to batch; a smaller batch uses its first rows."""

    def __init__(self) -> None:
        self.buffer: Tensor | None = None

    def like(self, rows: Tensor, width: int) -> Tensor:
        """A buffer of that width with as many rows as ``rows``; what was in it is lost."""
        if self.buffer is None or len(self.buffer) < len(rows):
            self.buffer = rows.new_empty(len(rows), width)
        return self.buffer[: len(rows)]


class _Paths:
    """The parallel paths of an encoder or a decoder."""

    def __init__(self, part: Parallel, first: bool) -> None:
        self.chains = [_Chain(path, first) for path in part.paths]  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        total = self.chains[0].forward(x)
        for chain in self.chains[1:]:
            total.add_(chain.forward(x))
        return total

    def backward(self, grad: Tensor) -> Tensor:
        total = self.chains[0].backward(grad)
        for chain in self.chains[1:]:
            part = chain.backward(grad)
            total = part if chain.first else total.add_(part)
        return total


class _Chain:
    """One path: linear layers with activations between. Keeps each layer's input for the way back."""

    def __init__(self, path: nn.Sequential, first: bool) -> None:
        self.layers = list(path)
        self.first = first  # the gradient with respect to the data is not needed
        self.inputs: list[Tensor] = []
        self.outputs, self.grads = [_Kept() for _ in self.layers], [_Kept() for _ in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        self.inputs = [x]
        for layer, kept in zip(self.layers, self.outputs, strict=True):
            self.inputs.append(_FORWARD[type(layer)](layer, self.inputs[-1], kept))
        return self.inputs[-1]

    def backward(self, grad: Tensor) -> Tensor:
        for position in range(len(self.layers) - 1, -1, -1):
            layer, given, gave = self.layers[position], self.inputs[position], self.inputs[position + 1]
            if isinstance(layer, nn.Linear):
                torch.mm(grad.t(), given, out=layer.weight.grad)
                if layer.bias is not None:
                    torch.sum(grad, 0, out=layer.bias.grad)
                if not (self.first and position == 0):
                    grad = torch.mm(grad, layer.weight, out=self.grads[position].like(grad, layer.in_features))
            elif isinstance(layer, nn.ReLU):
                torch.ops.aten.threshold_backward.grad_input(grad, gave, 0, grad_input=grad)
            elif isinstance(layer, nn.Tanh):
                torch.ops.aten.tanh_backward.grad_input(grad, gave, grad_input=grad)
        return grad


class _Head:
    """The gradients of a magnitude head, which ``MagnitudeHead.loss`` defines."""

    def __init__(self, head: MagnitudeHead) -> None:
        self.head, self.chain = head, _Chain(head.net, first=True)

    def gradients(self, code: Tensor, profiles: Tensor) -> None:
        mean, norm = self.head.moments(profiles)
        error = self.chain.forward(self.head.inputs(code)).sub_(torch.cat([norm.clamp_min(1e-12).log(), mean], 1))
        self.chain.backward(error.mul_((norm > 0) * (2.0 / len(profiles))))


def _linear(layer: nn.Linear, x: Tensor, kept: _Kept) -> Tensor:
    out = kept.like(x, layer.out_features)
    weight = layer.weight.t()
    return torch.mm(x, weight, out=out) if layer.bias is None else torch.addmm(layer.bias, x, weight, out=out)


_FORWARD: dict[type[nn.Module], Callable[..., Tensor]] = {  # activations write over what the layer before them gave
    nn.Linear: _linear,
    nn.Identity: lambda layer, x, kept: x,
    nn.ReLU: lambda layer, x, kept: x.clamp_min_(0),
    nn.Tanh: lambda layer, x, kept: x.tanh_(),
}
