"""Annotated data: .h5ad files and AnnData objects."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from losslens.data.columns import (
    Names,
    Request,
    as_groups,
    as_labels,
    column_named,
    find_label,
    listed,
)
from losslens.data.files import damaged, first_bytes, stem
from losslens.data.profiles import Profiles
from losslens.vocabulary.errors import BadInput, unknown

HDF5 = b"\x89HDF\r\n\x1a\n"
RAW = "raw"


def read_h5ad(path: Path, request: Request) -> Profiles:
    """An .h5ad file of any age that anndata reads.

    Raises:
        BadInput: a damaged file, a layer or column that does not exist.
    """
    return read_anndata(_open(path), request, source=str(path), name=stem(path))


def read_anndata(annotated: Any, request: Request, *, source: str = "an AnnData", name: str = "anndata") -> Profiles:
    """An AnnData: its ``X``, a layer, or ``raw`` with that as the layer; labels and groups are columns of ``obs``."""
    values, features = _values(annotated, request.layer, source)
    obs, samples = annotated.obs, annotated.obs_names
    remarks = _others(annotated, request.layer)
    if request.transpose:
        values, features, samples, obs = values.T, annotated.obs_names, features, _variables(annotated, request.layer)
        remarks.append("The matrix was transposed: variables are the samples.")
    if request.id_column is not None:
        samples = obs[column_named("id", request.id_column, obs.columns)]
    labels, said_labels = _labels(obs, request)
    groups, said_groups = _groups(obs, request)
    return Profiles(
        values=_in_memory(values),
        features=tuple(str(feature) for feature in features),
        samples=tuple(str(sample) for sample in samples),
        name=request.name or name,
        source=source,
        labels=labels,
        groups=groups,
        remarks=(*remarks, *said_labels, *said_groups),
    )


def _open(path: Path) -> Any:
    import anndata

    if first_bytes(path, len(HDF5)) != HDF5:
        raise damaged(path, "an .h5ad file", ValueError("it is not HDF5"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old layouts and repeated names: both are dealt with here
            return anndata.read_h5ad(path)
    except Exception as error:  # what a damaged file makes HDF5 and anndata raise is not bounded
        raise damaged(path, "an .h5ad file", error) from error


def _values(annotated: Any, layer: str | None, source: str) -> tuple[Any, Any]:
    """The matrix asked for, and the names of its columns."""
    if layer == RAW and annotated.raw is not None:
        return annotated.raw.X, annotated.raw.var_names
    if layer is not None and layer != "X":
        if layer not in annotated.layers:
            known = [*annotated.layers, "X", *[RAW] * (annotated.raw is not None)]
            raise unknown("layer", layer, known)
        return annotated.layers[layer], annotated.var_names
    if annotated.X is None:
        raise BadInput(
            expected="a matrix X",
            found=f"none in {source}, only the layers {listed(list(annotated.layers))}",
            remedy="Name the layer to read (--layer NAME).",
        )
    return annotated.X, annotated.var_names


def _variables(annotated: Any, layer: str | None) -> Any:
    return annotated.raw.var if layer == RAW and annotated.raw is not None else annotated.var


def _in_memory(values: Any) -> Any:
    """A file-backed matrix is read."""
    return values.to_memory() if hasattr(values, "to_memory") else values[()] if hasattr(values, "file") else values


def _others(annotated: Any, layer: str | None) -> list[str]:
    """What was read, and what else could be."""
    if layer is not None and layer != "X":
        return [f"Values: layer {layer!r}."]
    there = [name for name in annotated.layers if name.lower() in ("counts", "raw_counts", "umi", "count")]
    there += [RAW] * (annotated.raw is not None)
    return [f"Values: X. Other values are there too: --layer {name}." for name in there]


def _labels(obs: Any, request: Request) -> tuple[Names | None, list[str]]:
    if request.label is not None and not isinstance(request.label, str):
        return as_labels(request.label, "given by the caller")
    if request.label == "":
        return None, []
    found = column_named("label", request.label, obs.columns) if request.label else find_label(obs)
    if found is None:
        return None, []
    how = "" if request.label else ", found by its name"
    return as_labels(obs[found], f"column {str(found)!r} of obs{how}")


def _groups(obs: Any, request: Request) -> tuple[Names | None, list[str]]:
    if request.group is None:
        return None, []
    if not isinstance(request.group, str):
        return as_groups(request.group, "given by the caller")
    found = column_named("group", request.group, obs.columns)
    return as_groups(obs[found], f"column {str(found)!r} of obs")
