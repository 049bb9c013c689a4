"""A loss of the user's own, found by import: ``my_module:my_loss`` wherever a loss is named.

It is called as ``my_loss(output, target)`` on tensors of shape (batch, features) and may give one value per element,
one per sample, or one for the batch. What the package needs to know of it is measured.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from losslens.losses.family import Argument, Family, LossEntry, mean_of_values
from losslens.vocabulary.errors import BadInput

_ARGUMENTS = (Argument("output", "batch features"), Argument("target", "batch features", target=True))
YOURS = {
    (4, 5): Family("your own, by element", "element", _ARGUMENTS, mean_of_values, reconstructs=True),
    (4,): Family("your own, by sample", "sample", _ARGUMENTS, mean_of_values, reconstructs=True),
    (): Family("your own, by batch", "batch", _ARGUMENTS, mean_of_values, reconstructs=True),
}


def find(path: str) -> LossEntry:
    """The loss at ``module:name``: a function of (output, target), or an ``nn.Module`` class or object.

    Modules are looked for in the current folder too. Where the loss takes ``reduction``, it is ``"none"``.

    Raises:
        BadInput: there is no such module or name, it is no loss, or it has parameters to learn.

    >>> find("torch.nn:L1Loss").family.gives
    'element'
    """
    module, _, name = path.partition(":")
    function = _callable(_loaded(module, name), path)
    output, target = _sample()
    shape = tuple(_tried(function, output, target, path).shape)
    if shape not in YOURS:
        raise BadInput(
            expected=f"{path} to give one value per element, per sample or per batch: (4, 5), (4,) or () for (4, 5)",
            found=str(shape),
        )
    return LossEntry(
        path,
        YOURS[shape],
        function,
        units="not known",
        reference=path,
        use="",
        failure="",
        scale_invariant=_unmoved(function, lambda rows: rows * torch.tensor([[0.01], [0.5], [3.0], [100.0]])),
        shift_invariant=_unmoved(function, lambda rows: rows + torch.tensor([[-9.0], [-0.5], [3.0], [20.0]])),
        independent=bool(shape),
        torch_line=path.replace(":", "."),
        content=_hash(module),
    )


def _loaded(module: str, name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise BadInput(
            expected="a loss as module:name, such as my_losses:sharp, with the module in this folder or installed",
            found=f"{module}:{name} ({type(error).__name__}: {error})",
        ) from None


def _callable(found: Any, path: str) -> Callable[..., Tensor]:
    made = found
    unreduced = {"reduction": "none"} if callable(found) and "reduction" in inspect.signature(found).parameters else {}
    if inspect.isclass(found):
        found = _attempt(lambda: made(**unreduced), f"{path} to be made without arguments")
    elif unreduced:
        found = partial(found, **unreduced)
    if not callable(found):
        raise BadInput(expected=f"{path} to be a function of (output, target)", found=type(found).__name__)
    learned = sum(p.numel() for p in found.parameters()) if isinstance(found, nn.Module) else 0
    if learned:
        raise BadInput(
            expected=f"{path} to have nothing to learn",
            found=f"{learned} parameters",
            remedy="A comparison would not train them: fix them, and pass a function.",
        )
    return found  # type: ignore[no-any-return]


def _sample() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 5, generator=generator), torch.randn(4, 5, generator=generator)


def _tried(function: Callable[..., Tensor], output: Tensor, target: Tensor, path: str) -> Tensor:
    value = _attempt(
        lambda: function(output, target), f"{path} to take (output, target), float32 tensors of shape (4, 5)"
    )
    if not isinstance(value, Tensor):
        raise BadInput(expected=f"{path} to give a tensor", found=type(value).__name__)
    return value


def _attempt(call: Callable[[], Any], expected: str) -> Any:
    try:
        return call()
    except Exception as error:
        raise BadInput(expected=expected, found=f"{type(error).__name__}: {error}") from error


def _unmoved(function: Callable[..., Tensor], change: Callable[[Tensor], Tensor]) -> bool:
    """Whether the loss stays the same when every row of the output is changed by another size."""
    output, target = (tensor.double() for tensor in _sample())
    return bool(
        torch.allclose(function(change(output).double(), target), function(output, target), rtol=1e-6, atol=1e-9)
    )


def _hash(module: str) -> str:
    """Changes with the file the loss is in, so that results of an earlier version are not taken for its own."""
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        return ""
    with open(file, "rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()[:16]
