"""Using a trained model: codes and reconstructions of new data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from losslens.data.columns import numbered
from losslens.data.kinds import KINDS
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.data.transforms import Transform, library
from losslens.models.autoencoders import Outputs
from losslens.models.backbones import module_of
from losslens.models.files import SavedModel
from losslens.models.files import load as load_files
from losslens.models.objective import Batch, Objective
from losslens.run.evidence import held_out
from losslens.run.prepared import Rows
from losslens.vocabulary.errors import BadInput, unknown


@dataclass(frozen=True)
class Model:
    """A trained model with the preprocessing it was trained with.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> small = dict(losses=["mse"], repeats=2, epochs=2, learning_rates=[1e-3], code=2, hidden=[8], workers=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = losslens.compare(X, **small, out=folder).model
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((60, 2), (60, 8))
    """

    saved: SavedModel
    network: torch.nn.Module
    objective: Objective | None
    preprocessing: Transform

    def __repr__(self) -> str:
        """What it is in a line, and not its thousands of weights."""
        about, spec = self.saved.about, self.saved.model
        row = f"{about['row']} on {about['data']}, " if {"row", "data"} <= set(about) else ""
        return f"Model({row}{len(self.saved.features)} features -> code of {spec.code})"

    def transform(self, data: Any, **reading: Any) -> Any:
        """Codes of new profiles, (samples, code). ``reading`` are the options of reading data, as for ``compare``."""
        return self.pass_over(self.matched(data, **reading))[0]

    def reconstruct(self, data: Any, *, space: str = "data", **reading: Any) -> Any:
        """Reconstructions, (samples, features), in the units of the data.

        With ``space="working"`` the preprocessing is not undone.
        """
        if space not in ("data", "working"):
            raise unknown("space", space, ["data", "working"])
        profiles = self.matched(data, **reading)
        working = self.pass_over(profiles)[1]
        if space == "working":
            return working
        sizes = library(profiles.values) if self.preprocessing.name == "library_log" else None
        return self.preprocessing.invert(working, library=sizes)

    def matched(self, data: Any, **reading: Any) -> Profiles:
        """Read data and bring its features into the model's order; others are left out, missing ones an error."""
        profiles = data if isinstance(data, Profiles) else read(data, to_train=False, **reading)
        wanted, number = self.saved.features, profiles.shape[1]
        unnamed = numbered("feature ", number)
        if profiles.features == wanted or (len(wanted) == number and unnamed in (profiles.features, wanted)):
            return self._of_kind(profiles)  # without names the order is taken on trust
        place = {name: position for position, name in enumerate(profiles.features)}
        missing = [name for name in wanted if name not in place]
        if missing:
            pictures = len(profiles.sample_shape) > 1
            raise BadInput(
                expected=f"the {len(wanted)} features that the model was trained on",
                found=f"{len(missing)} of them missing, such as {', '.join(missing[:3])}",
                remedy="Give --size to resize the pictures to those that it was trained on."
                if pictures
                else "Features are matched by name: check the names of the columns, or that rows are samples.",
            )
        values = profiles.values[:, [place[name] for name in wanted]]
        return self._of_kind(replace(profiles, values=values, features=wanted, sample_shape=()))

    def _of_kind(self, profiles: Profiles) -> Profiles:
        if KINDS[self.saved.kind].counts:
            values = profiles.values.data if profiles.is_sparse else profiles.values
            if values.size and (values.min() < 0 or np.any(values != np.round(values))):
                raise BadInput(
                    expected=f"{self.saved.kind}, which the model was trained on",
                    found="values that are negative or not integers",
                    remedy="Give the counts before any normalisation.",
                )
        return profiles

    def pass_over(self, profiles: Profiles) -> tuple[Any, Any]:
        """Codes and reconstructions in the working space."""
        rows = self._rows(profiles)
        objective = self.objective

        def read_output(outputs: Outputs, batch: Batch) -> Tensor:
            return outputs.output if objective is None else objective.reconstruct(outputs, batch)

        code, output = held_out(self.network, rows, read_output, torch.arange(profiles.shape[0]))
        return code.numpy(), output.numpy()

    def _rows(self, profiles: Profiles) -> Callable[[Tensor], Batch]:
        inputs = Rows(self.preprocessing.apply(profiles.values))
        if self.objective is None or not self.objective.on_counts:
            return lambda index: Batch(inputs(index))
        counts = Rows(profiles.values)
        size = torch.from_numpy(np.asarray(library(profiles.values), dtype=np.float32)).reshape(-1, 1)
        scale = float(self.preprocessing.arrays()["target"]) / size.clamp_min(1.0)
        return lambda index: Batch(inputs(index), counts(index), size[index], scale[index])


def load(folder: str | Path) -> Model:
    """Load a model from a run's folder, or from the folder ``model`` in it.

    Raises :class:`BadInput` if there is no readable model. Nothing is unpickled.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> small = dict(losses=["mse"], repeats=2, epochs=2, learning_rates=[1e-3], code=2, hidden=[8], workers=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = losslens.compare(X, **small, out=folder)
    ...     model = load(folder)
    >>> model.transform(X[:3]).shape
    (3, 2)
    """
    saved = load_files(Path(folder))
    try:
        return _assembled(saved)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().split("\n")[-1].strip()
        raise BadInput(
            expected=f"a model in {folder} whose parts fit together",
            found=f"{type(error).__name__}: {reason}",
            remedy="The same comparison with the same --out writes it anew.",
        ) from error


def _assembled(saved: SavedModel) -> Model:
    network = module_of(saved.model, len(saved.features))
    network.load_state_dict(_part(saved, "model."))
    objective = None
    if saved.objective:
        objective = Objective(saved.objective, len(saved.features), saved.model.code)
        objective.load_state_dict(_part(saved, "objective."))
    arrays = {name.removeprefix("transform."): v for name, v in saved.arrays.items() if name.startswith("transform.")}
    return Model(saved, network.eval(), objective, Transform.from_arrays(saved.transform, arrays))


def _part(saved: SavedModel, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(value)
        for name, value in saved.arrays.items()
        if name.startswith(prefix)
    }
