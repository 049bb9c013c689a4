"""Hidden values: what a model says of values of held-out profiles that it was not shown."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from losslens.measure.evidence import Hidden
from losslens.models.autoencoders import Outputs
from losslens.models.objective import Batch
from losslens.run.batches import Rows

SHARE, PROFILES, ROUNDS = 0.2, 200, 5


@torch.no_grad()
def hidden(
    model: nn.Module, read: Callable[[Outputs, Batch], Tensor], rows: Rows, index: Tensor, mean: Tensor, seed: int
) -> Hidden | None:
    """Hide a fifth of the values of some profiles, and let the model fill them from the others, in a few rounds.

    In the first round the model sees the training ``mean`` (features,) in their place, then its own last answer. A code
    that is long enough to copy noise copies here what was filled in, and gains nothing by it: with too long a code
    the answers get worse (for PCA this is cross-validation of the number of components: Bro, Kjeldahl, Smilde and
    Kiers, Analytical and Bioanalytical Chemistry 390, 2008). The same ``seed`` hides the same values. None where
    answers are not finite, or nothing was hidden.
    """
    noise = torch.Generator().manual_seed(seed)
    batch = rows(index[torch.randperm(len(index), generator=noise)[:PROFILES]])
    seen = batch.profiles
    covered = (torch.rand(seen.shape, generator=noise) < SHARE).to(seen.device)
    filled = mean.to(seen.device).expand_as(seen)
    for _ in range(ROUNDS):
        given = torch.where(covered, filled, seen)
        filled = read(model(given), batch._replace(profiles=given)).float()
    if not covered.any() or not filled[covered].isfinite().all():
        return None
    expected = mean.to(seen.device).expand_as(seen)
    return Hidden(*(part[covered].double().cpu().numpy() for part in (seen, filled, expected)))
