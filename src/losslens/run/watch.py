"""Readings of any PyTorch network while it trains: layers by hooks, gradients by autograd, nothing of it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from losslens.measure.diagnostics import Reading, Readings, judged
from losslens.measure.diagnostics.readings import Array
from losslens.measure.findings import Finding
from losslens.vocabulary.errors import BadInput

SATURATED = 0.01  # of the range, from either end
_ENDS: dict[type[nn.Module], tuple[float, float]] = {
    nn.Sigmoid: (SATURATED, 1.0 - SATURATED),
    nn.Tanh: (2.0 * SATURATED - 1.0, 1.0 - 2.0 * SATURATED),
}
Say = Callable[[Finding], None]


class Watch:
    """Reads a network now and then while your own loop trains it, and says what goes wrong.

    ``lr`` is the learning rate, ``adaptive`` whether the optimiser divides gradients by their own size (Adam does),
    ``margin`` that of the loss, if it has one. With ``say`` a finding that calls for action is told as it arises.
    Diagnostics that lack what they need are silent.

    >>> x = torch.randn(64, 5)
    >>> net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 5))
    >>> nn.init.constant_(net[0].bias, -50.0).shape
    torch.Size([8])
    >>> watch = losslens.Watch(net, lr=1e-3, adaptive=True)
    >>> watch.read(1, loss=lambda: (net(x) - x).square().mean(), output=net(x), target=x)
    >>> watch.findings()[0].name, watch.findings()[0].value
    ('dead_units', 1.0)
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float | None = None,
        adaptive: bool = False,
        margin: float | None = None,
        say: Say | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise BadInput(expected="a model (torch.nn.Module) to watch", found=type(model).__name__)
        self.layers, self.lr, self.adaptive, self.margin = Layers(model), lr, adaptive, margin
        self.looks: list[Reading] = []
        self.curves: tuple[dict[int, float], dict[int, float]] = ({}, {})
        self.live = Live(say)

    def read(
        self,
        epoch: int,
        *,
        loss: Callable[[], Tensor] | Tensor | None = None,
        embedding: Tensor | None = None,
        partner: Tensor | None = None,
        code: Tensor | None = None,
        mean: Tensor | None = None,
        output: Tensor | None = None,
        target: Tensor | None = None,
        train_loss: float | None = None,
        valid_loss: float | None = None,
    ) -> None:
        """Take a reading after an epoch (0: before training), best of the same few samples each time.

        ``loss`` is a scalar tensor, or a function that computes it from the network: it is then called once in
        evaluation mode, which shows layers as well as gradients, and leaves gradients, running statistics and random
        numbers of the training as they were. Without it the gradients that the last step left are read, if any.
        Shapes: ``embedding`` and ``partner`` (samples, dimensions) are compared by direction; ``code`` and the
        posterior's ``mean`` (samples, code); ``output`` and ``target`` (samples, features) are in the same units.
        Losses of an epoch may be given without anything else, and should be for every epoch.
        BadInput for an epoch that is no whole number, or a loss that cannot be differentiated.
        """
        _check_epoch(epoch)
        _check_loss(loss)
        arrays = {"embedding": embedding, "partner": partner, "code": code, "mean": mean, "output": output}
        taken: dict[str, Any] = {
            name: array(value) for name, value in (arrays | {"target": target}).items() if value is not None
        }
        with self.layers.seen() as seen:
            gradients = self.layers.gradients_left() if loss is None else self.layers.gradients_of(loss)
        self.looks.append(Reading(epoch, **taken, **seen, gradients=gradients))
        for curve, value in zip(self.curves, (train_loss, valid_loss), strict=True):
            if value is not None:
                curve[epoch] = float(value)
        self.live.hear(self.readings(finished=False))

    def readings(self, *, finished: bool = True) -> Readings:
        """Everything that was read so far."""
        train, valid = (tuple(curve[epoch] for epoch in sorted(curve) if epoch) for curve in self.curves)
        start = self.curves[1].get(0, self.curves[0].get(0))
        return Readings(
            tuple(self.looks), start, train, valid, self.lr, self.adaptive, margin=self.margin, finished=finished
        )

    def findings(self) -> tuple[Finding, ...]:
        """What the whole training shows, the most pressing first; fine ones are included."""
        return judged(self.readings())


def _check_epoch(epoch: object) -> None:
    if not isinstance(epoch, Integral) or int(epoch) < 0:
        raise BadInput(
            expected="the number of the epoch as the first argument, from 0 on",
            found=repr(epoch) if isinstance(epoch, int | float | str) else type(epoch).__name__,
            remedy="Write watch.read(epoch, ...) with what was seen as keywords.",
        )


def _check_loss(loss: object) -> None:
    if loss is None or (callable(loss) and not isinstance(loss, Tensor)):
        return
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        raise BadInput(
            expected="a scalar tensor with a gradient as the loss, or a function that computes it",
            found=f"a tensor of shape {tuple(loss.shape)}, requires_grad {loss.requires_grad}"
            if isinstance(loss, Tensor)
            else type(loss).__name__,
            remedy="Numbers go into train_loss and valid_loss; leave loss out to read the gradients of the last step.",
        )


class Live:
    """Tells each finding that calls for action once, when it has shown at two readings in turn."""

    def __init__(self, say: Say | None) -> None:
        self.say = say
        self.told: set[str] = set()
        self.before: set[str] = set()

    def hear(self, readings: Readings) -> None:
        """Judge what is known so far, if anybody listens."""
        if self.say is None:
            return
        acts = {found.name: found for found in judged(readings) if found.verdict == "act"}
        for name in [name for name in acts if name in self.before and name not in self.told]:
            self.told.add(name)
            self.say(acts[name])
        self.before = set(acts)


class Layers:
    """The layers of a network that are looked at: ReLU, sigmoid and tanh by what they give, weights by gradients."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.units = [(name, part) for name, part in model.named_modules() if type(part) in (nn.ReLU, *_ENDS)]
        self.weights = [(name, part) for name, part in model.named_parameters() if part.dim() > 1]

    @contextmanager
    def seen(self) -> Iterator[dict[str, Any]]:
        """Within the block passes forward fill the two entries: of a layer that is used twice, the last use counts."""
        found: dict[str, Any] = {"silent": {}, "saturated": {}}
        hooks = [part.register_forward_hook(_reader(name, found)) for name, part in self.units]
        try:
            yield found
        finally:
            for hook in hooks:
                hook.remove()

    def gradients_of(self, loss: Callable[[], Tensor] | Tensor) -> dict[str, float]:
        """Root mean square of the gradient of each layer's weights; ``grad`` of the parameters is not touched."""
        names = [name for name, part in self.weights if part.requires_grad]
        weights = [part for _, part in self.weights if part.requires_grad]
        with torch.enable_grad(), torch.random.fork_rng(), evaluating(self.model):
            value = loss() if callable(loss) else loss
            grads = torch.autograd.grad(value, weights, retain_graph=not callable(loss), allow_unused=True)
        return _sizes(dict(zip(names, grads, strict=True)))

    def gradients_left(self) -> dict[str, float]:
        """The same of the gradients that the last step left; nothing where there are none."""
        return _sizes({name: part.grad for name, part in self.weights})


def _sizes(grads: Mapping[str, Tensor | None]) -> dict[str, float]:
    kept = {name: grad for name, grad in grads.items() if grad is not None}
    if not kept:
        return {}
    norms = torch.stack([grad.detach().norm() / grad.numel() ** 0.5 for grad in kept.values()]).tolist()
    return dict(zip(kept, norms, strict=True)) if any(norms) else {}


def _reader(name: str, found: dict[str, Any]) -> Callable[[nn.Module, object, Tensor], None]:
    def read(layer: nn.Module, _: object, gave: Tensor) -> None:
        values = gave.detach()  # (samples, units), or (samples, channels, ...) -> (samples and places, channels)
        rows = values.movedim(1, -1).flatten(0, -2) if values.dim() > 1 else values[None]
        if isinstance(layer, nn.ReLU):
            found["silent"][name] = (rows <= 0).float().mean(0).cpu().numpy()
        else:
            low, high = _ENDS[type(layer)]
            found["saturated"][name] = ((rows < low) | (rows > high)).float().mean(0).cpu().numpy()

    return read


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Every part in evaluation mode within the block, and in its own after it."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def array(values: Tensor) -> Array:
    """(samples, ...) -> (samples, numbers): a copy, as parameters and buffers are changed in place."""
    read: Array = torch.as_tensor(values).detach().flatten(1).float().cpu().numpy().copy()
    return read
