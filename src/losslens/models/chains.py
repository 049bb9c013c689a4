"""Plain chains of layers, read from a model: what is linear, and what commutes with a positive factor."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from losslens.vocabulary.errors import BadInput

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
HOMOGENEOUS = (
    nn.Identity, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.Flatten, nn.Unflatten, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.Upsample,
    nn.PixelShuffle, nn.ZeroPad2d,
)  # fmt: skip
"""Modules of which f(s x) = s f(x) for every positive s."""


def chain(model: nn.Module) -> list[tuple[str, str, int]]:
    """Parameters of the linear layers of a chain: name, ``weight`` or ``bias``, and depth from 1.

    BadInput for anything but a linear layer or (nested) :class:`torch.nn.Sequential` of those and of modules that
    commute with a positive factor, and for a layer or a weight that the chain passes twice.

    >>> chain(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1, bias=False)))
    [('0.weight', 'weight', 1), ('0.bias', 'bias', 1), ('2.weight', 'weight', 2)]
    """
    found: list[tuple[str, str, int]] = []
    seen: set[int] = set()
    depth = 0
    for path, layer in _parts(model, ""):
        if type(layer) in LINEAR:  # a parametrised layer is of another type
            depth += 1
            for own, parameter in layer.named_parameters(recurse=False):
                if id(parameter) in seen:
                    raise _no_chain(f"the weight of {path or 'the model'} twice")
                seen.add(id(parameter))
                found.append((f"{path}.{own}".lstrip("."), own, depth))
        elif type(layer) not in HOMOGENEOUS:
            raise _no_chain(f"{type(layer).__name__} ({path or 'the model itself'})")
    if not found:
        raise _no_chain("no linear layer")
    return found


def last_linear(model: nn.Module) -> list[str]:
    """Names of weight and bias of the last linear layer, in the order in which modules were made.

    BadInput if there is none, or if what follows it would undo a change of scale, or bend it.
    """
    leaves = [(path, module) for path, module in model.named_modules() if not any(module.children())]
    places = [place for place, (_, module) in enumerate(leaves) if isinstance(module, nn.Linear)]
    if not places:
        raise BadInput(expected="a model with a linear layer", found=f"none in {type(model).__name__}")
    for path, module in leaves[places[-1] + 1 :]:
        if not isinstance(module, HOMOGENEOUS):
            raise BadInput(
                expected="a last linear layer with nothing behind it that depends on scale",
                found=f"{type(module).__name__} ({path})",
                remedy="Cut another form, or the part of the model that ends with the linear layer.",
            )
    path, layer = leaves[places[-1]]
    own = [name for name, _ in layer.named_parameters(recurse=False)]
    if "weight" not in own:
        raise BadInput(expected="a linear layer whose weight is a parameter", found=f"{type(layer).__name__} ({path})")
    return [f"{path}.{name}".lstrip(".") for name in own]


def _parts(model: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The leaves of nested sequences, in order, with their paths."""
    if type(model) is not nn.Sequential:
        yield path, model
        return
    for name, part in model._modules.items():
        if part is not None:
            yield from _parts(part, f"{path}.{name}".lstrip("."))


def _no_chain(found: str) -> BadInput:
    return BadInput(
        expected="a chain (torch.nn.Sequential) of linear layers, convolutions and what commutes with a positive "
        "factor, such as ReLU",
        found=found,
        remedy="form='last' rescales the output alone and needs no chain.",
    )
