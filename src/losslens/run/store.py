"""Finished trials on disk, one folder per id, each appearing complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from losslens.run.spec import TrialResult, TrialSpec
from losslens.vocabulary.errors import BadInput


class Store:
    """What a run has finished so far. Only the process that drives the run writes here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, spec: TrialSpec) -> Path:
        """The folder of a trial."""
        return self.folder / spec.id

    def get(self, spec: TrialSpec) -> TrialResult | None:
        """The result of a trial, or None if it has to be run."""
        path = self.path(spec) / "result.json"
        if not path.exists():
            return None
        try:
            return TrialResult.model_validate_json(path.read_bytes())
        except ValidationError:  # written by hand or damaged: run it again
            shutil.rmtree(path.parent)
            return None

    def finished(self, names: Sequence[str] | None = None) -> list[TrialResult]:
        """The results of the trials of these ids, or of all that are there, the latest last; nothing is changed.

        Raises:
            BadInput: a result cannot be read.
        """
        folders = [path.parent for path in self.folder.glob("[!.]*/result.json")]
        found = [path / "result.json" for path in folders if names is None or path.name in names]
        return [_read(path) for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))]

    def put(self, result: TrialResult, weights: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Write a finished trial."""
        from safetensors.numpy import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f".{result.spec.id}.partial"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        (fresh / "spec.json").write_text(result.spec.model_dump_json(indent=1))
        (fresh / "result.json").write_text(result.model_dump_json(indent=1))
        np.savez_compressed(fresh / "arrays.npz", **arrays)
        if weights:
            save_file(weights, fresh / "weights.safetensors")
        target = self.path(result.spec)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(fresh, target)

    def arrays(self, spec: TrialSpec) -> dict[str, Any]:
        """Pictures and examples of a finished trial."""
        with np.load(self.path(spec) / "arrays.npz", allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}

    def weights(self, spec: TrialSpec) -> dict[str, Any] | None:
        """The trained parameters of a finished trial, or None if they were cleared."""
        from safetensors.numpy import load_file

        path = self.path(spec) / "weights.safetensors"
        return load_file(path) if path.exists() else None

    def clear_weights(self, keep: set[str]) -> None:
        """Delete the weights of all trials but these; a trial gives the same ones when run again."""
        for path in self.folder.glob("*/weights.safetensors"):
            if path.parent.name not in keep:
                path.unlink()


def _read(path: Path) -> TrialResult:
    try:
        return TrialResult.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInput(
            expected="the result of a trial",
            found=f"something else in {path}",
            remedy="Delete its folder; the command that made it runs the trial again.",
        ) from error
