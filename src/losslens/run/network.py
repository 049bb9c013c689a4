"""The network's forward and backward pass written out by hand, for chains of linear layers and activations.

Autograd costs about as much as the products themselves at the sizes of expression profiles. Here the
parameters lie in one flat vector, gradients are written straight into another, and no buffer is allocated
twice. Only the objective, a function of the network's output, is differentiated by autograd. A model with
other layers is run by autograd as a whole, through the same two calls.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from losslens.models.autoencoders import Autoencoder, Outputs, Parallel
from losslens.models.objective import Batch, Objective


class FlatParameters:
    """All trained parameters as views of one vector, and their gradients as views of another."""

    def __init__(self, *modules: nn.Module) -> None:
        owned = [parameter for module in modules for parameter in module.parameters()]
        self.values = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in owned]))
        self.values.grad = torch.zeros_like(self.values)
        start = 0
        for parameter in owned:
            part = slice(start, start + parameter.numel())
            parameter.data = self.values.data[part].view_as(parameter)
            parameter.grad = self.values.grad[part].view_as(parameter)
            start = part.stop


class Gradients:
    """Forward pass, objective and gradients of one batch; fills the ``grad`` of every parameter."""

    def __init__(self, model: Autoencoder, objective: Objective) -> None:
        self.model, self.objective = model, objective
        self.by_hand = all(supported(part) for part in (model.encoder, model.decoder))
        self.encoder, self.decoder = _Paths(model.encoder, first=True), _Paths(model.decoder, first=False)
        self.rest = [p for p in objective.parameters() if p.grad is not None]

    def __call__(self, batch: Batch) -> Tensor:
        """The loss under comparison on this batch, with gradients left in the parameters."""
        return self._hand_written(batch) if self.by_hand else self._autograd(batch)

    def _autograd(self, batch: Batch) -> Tensor:
        for parameter in (*self.model.parameters(), *self.rest):
            parameter.grad.zero_()  # type: ignore[union-attr]
        total, own = self.objective(self.model(batch.profiles), batch)
        total.backward()
        return own.detach()  # type: ignore[no-any-return]

    def _hand_written(self, batch: Batch) -> Tensor:
        for parameter in self.rest:
            parameter.grad.zero_()  # type: ignore[union-attr]
        with torch.no_grad():
            code = self.encoder.forward(batch.profiles - self.model.center)
            output = self.decoder.forward(code)
        output.requires_grad_()
        total, own = self.objective(Outputs(code, output), batch)
        total.backward()
        with torch.no_grad():
            assert output.grad is not None
            self.encoder.backward(self.decoder.backward(output.grad))
        return own.detach()  # type: ignore[no-any-return]


def supported(part: Parallel) -> bool:
    """Whether every layer has its backward pass written out here."""
    return all(isinstance(layer, nn.Linear | nn.Identity | nn.ReLU | nn.Tanh) for path in part.paths for layer in path)  # type: ignore[attr-defined]


class _Paths:
    """The parallel paths of an encoder or a decoder."""

    def __init__(self, part: Parallel, first: bool) -> None:
        self.first = first
        self.chains = [_Chain(path, first) for path in part.paths]  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        total = self.chains[0].forward(x)
        for chain in self.chains[1:]:
            total = total + chain.forward(x)
        return total

    def backward(self, grad: Tensor) -> Tensor:
        parts = [chain.backward(grad) for chain in self.chains]
        return parts[0] if self.first or len(parts) == 1 else torch.stack(parts).sum(0)


class _Chain:
    """One path: linear layers with activations between. Keeps each layer's input for the way back."""

    def __init__(self, path: nn.Sequential, first: bool) -> None:
        self.layers = list(path)
        self.first = first  # the gradient with respect to the data is not needed
        self.inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.inputs = [x]
        for layer in self.layers:
            self.inputs.append(_FORWARD.get(type(layer), _call)(layer, self.inputs[-1]))
        return self.inputs[-1]

    def backward(self, grad: Tensor) -> Tensor:
        for position in range(len(self.layers) - 1, -1, -1):
            layer, given, gave = self.layers[position], self.inputs[position], self.inputs[position + 1]
            if isinstance(layer, nn.Linear):
                torch.mm(grad.t(), given, out=layer.weight.grad)
                if layer.bias is not None:
                    torch.sum(grad, 0, out=layer.bias.grad)
                grad = grad if self.first and position == 0 else grad @ layer.weight
            elif isinstance(layer, nn.ReLU):
                grad = torch.ops.aten.threshold_backward(grad, gave, 0)
            elif isinstance(layer, nn.Tanh):
                grad = torch.ops.aten.tanh_backward(grad, gave)
        return grad


def _call(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x)  # type: ignore[no-any-return]


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    return x @ layer.weight.t() if layer.bias is None else torch.addmm(layer.bias, x, layer.weight.t())


_FORWARD: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.ReLU: lambda layer, x: x.clamp_min(0),
}
