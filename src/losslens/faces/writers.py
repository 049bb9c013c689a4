"""Writing codes and reconstructions: .csv, .npz or .h5ad, each complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from losslens.vocabulary.errors import BadInput

Writer = Callable[[Path, Any, Sequence[str], Sequence[str], Any], None]


def _csv(path: Path, values: Any, samples: Sequence[str], columns: Sequence[str], labels: Any) -> None:
    import pandas as pd

    frame = pd.DataFrame(values, index=pd.Index(samples, name="sample"), columns=list(columns))
    if labels is not None:
        frame.insert(0, "label", labels)
    frame.to_csv(path)


def _npz(path: Path, values: Any, samples: Sequence[str], columns: Sequence[str], labels: Any) -> None:
    parts = {"X": values, "samples": np.array(samples), "features": np.array(columns)}
    if labels is not None:
        parts["labels"] = np.asarray(labels)
    with path.open("wb") as file:
        np.savez_compressed(file, **parts)


def _h5ad(path: Path, values: Any, samples: Sequence[str], columns: Sequence[str], labels: Any) -> None:
    import anndata as ad
    import pandas as pd

    obs = pd.DataFrame({} if labels is None else {"label": labels}, index=list(samples))
    ad.AnnData(np.asarray(values), obs=obs, var=pd.DataFrame(index=list(columns))).write_h5ad(path)


WRITERS: dict[str, Writer] = {".csv": _csv, ".npz": _npz, ".h5ad": _h5ad}


def writer_for(path: Path) -> Writer:
    """The writer of a file's suffix; raises :class:`BadInput` before any work is done."""
    if path.suffix not in WRITERS:
        raise BadInput(expected=f"an output file ending in {', '.join(WRITERS)}", found=str(path))
    if not path.resolve().parent.is_dir():
        raise BadInput(expected="an existing folder for the output", found=str(path.parent))
    return WRITERS[path.suffix]


def write_matrix(path: Path, values: Any, samples: Sequence[str], columns: Sequence[str], labels: Any) -> None:
    """Write a matrix with its names; the file appears complete."""
    with written(path) as fresh:
        writer_for(path)(fresh, values, samples, columns, labels)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` if nothing went wrong and vanishes otherwise."""
    fresh = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield fresh
        if path.is_dir() and fresh.is_dir():
            shutil.rmtree(path)
        os.replace(fresh, path)
    except OSError as error:
        raise BadInput(expected="a file that can be written", found=f"{path} ({error.strerror})") from error
    finally:
        shutil.rmtree(fresh) if fresh.is_dir() else fresh.unlink(missing_ok=True)
