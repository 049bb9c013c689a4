"""A picture of a code: its neighbourhoods laid out in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np


def picture(code: Any, seed: int) -> Any:
    """t-SNE of the code, (samples, 2); principal components where there are too few samples for it.

    Distances between far groups mean nothing in such a picture; neighbourhoods do.
    """
    from sklearn.manifold import TSNE

    if code.shape[0] < 8:
        return np.zeros((code.shape[0], 2), dtype=np.float32)
    perplexity = min(30.0, (code.shape[0] - 1) / 3)
    scaled = (code - code.mean(0)) / max(float(code.std()), 1e-12)
    flat = TSNE(2, perplexity=perplexity, init="random", random_state=seed, max_iter=500, n_jobs=1)
    return np.asarray(flat.fit_transform(scaled), dtype=np.float32)
