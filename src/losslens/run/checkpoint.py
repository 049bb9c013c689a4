"""The state of a training as one file: networks, optimiser, generators, arrays, and a few values beside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


@dataclass(frozen=True)
class State:
    """Everything that the next steps depend on; ``identity`` says of what training it is the state.

    ``arrays`` are kept beside; loading puts those of the file there.
    """

    identity: str
    modules: Mapping[str, nn.Module]
    optimiser: torch.optim.Optimizer
    generators: Mapping[str, torch.Generator] = field(default_factory=dict)
    arrays: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write it at once, with values that JSON can hold."""
        tensors = {f"{part}.{name}": v for part, each in self.modules.items() for name, v in each.state_dict().items()}
        for place, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{place}.{name}": v for name, v in state.items() if v is not None}
        tensors |= {f"generator.{name}": each.get_state() for name, each in self.generators.items()}
        tensors |= {f"array.{name}": value for name, value in self.arrays.items()}
        fresh = path.with_name(f".{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.contiguous() for name, value in tensors.items()}
        save_file(tensors, fresh, {"identity": self.identity, "about": json.dumps(about)})
        os.replace(fresh, path)

    def load(self, path: Path) -> dict[str, Any] | None:
        """Continue from a file of the same training, and return the values beside; None if there is none to read."""
        try:
            with safe_open(path, "pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (FileNotFoundError, SafetensorError):
            return None
        if header.get("identity") != self.identity:
            return None
        for part, module in self.modules.items():
            module.load_state_dict(_under(part, tensors))
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"generator.{name}"])
        self._restore(_under("optimiser", tensors))
        self.arrays.update(_under("array", tensors))
        about: dict[str, Any] = json.loads(header["about"])
        return about

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            place, key = name.split(".")
            state.setdefault(int(place), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})


def _under(part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part, by their names within it."""
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}
