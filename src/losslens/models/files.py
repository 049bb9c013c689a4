"""Trained models on disk: safetensors and JSON, never pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.vocabulary.errors import BadInput

FORMAT = 1
Made = TypeVar("Made")


@dataclass(frozen=True)
class SavedModel:
    """Everything needed to use a trained model elsewhere; arrays by name."""

    model: ModelSpec
    objective: ObjectiveSpec | None
    kind: str
    transform: str
    features: tuple[str, ...]
    arrays: dict[str, Any]
    about: dict[str, Any]


def save(saved: SavedModel, folder: Path) -> None:
    """Write ``model.json`` and ``weights.safetensors`` into a folder that appears complete."""
    text = {
        "model": saved.model.model_dump(mode="json"),
        "objective": saved.objective and saved.objective.model_dump(mode="json"),
        "kind": saved.kind,
        "transform": saved.transform,
        "features": list(saved.features),
        "about": saved.about,
    }
    save_parts(folder, text, saved.arrays)


def save_parts(folder: Path, text: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write what describes a model, and its arrays, into a folder that appears complete."""
    from safetensors.numpy import save_file

    fresh = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(arrays, fresh / "weights.safetensors")
    text = {"format": FORMAT, **text}
    (fresh / "model.json").write_text(json.dumps(text, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def load(folder: Path) -> SavedModel:
    """Read a saved model; accepts the model's folder or the run's folder that holds it."""
    return load_parts(folder, "comparison", _restored)


def load_parts(folder: Path, what: str, restore: Callable[[dict[str, Any], dict[str, Any]], Made]) -> Made:
    """Read a saved model of a comparison or a fit, from its folder or the run's folder that holds it."""
    from safetensors.numpy import load_file

    home = folder / "model" if (folder / "model" / "model.json").exists() else folder
    if not (home / "model.json").exists():
        raise BadInput(
            expected="a folder with model.json and weights.safetensors",
            found=str(folder),
            remedy=f"Give the output folder of a {what}, or the folder 'model' in it.",
        )
    try:
        text = json.loads((home / "model.json").read_text(encoding="utf-8"))
        if text["format"] != FORMAT:
            raise ValueError(f"its format is {text['format']}, and this losslens knows {FORMAT}")
        return restore(text, load_file(home / "weights.safetensors"))
    except Exception as error:  # any damage ends in the same message
        raise BadInput(
            expected=f"a readable model in {home}",
            found=f"{type(error).__name__}: {str(error).strip()}".rstrip(".: "),
            remedy=f"The same {what} with the same --out writes it anew.",
        ) from error


def _restored(text: dict[str, Any], arrays: dict[str, Any]) -> SavedModel:
    return SavedModel(
        model=ModelSpec.model_validate(text["model"]),
        objective=text["objective"] and ObjectiveSpec.model_validate(text["objective"]),
        kind=text["kind"],
        transform=text["transform"],
        features=tuple(text["features"]),
        arrays=arrays,
        about=text["about"],
    )
