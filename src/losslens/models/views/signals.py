"""Views of signals (batch, channels, length)."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.models.views.entry import uniform, view
from losslens.models.views.images import resampled
from losslens.vocabulary.quantities import Range


@view(
    kind="signal",
    aliases=("signal_crop",),
    use="Where a stretch of the signal tells what it is and speed matters little.",
    failure="Where the pace is what signals differ in, or where what tells them apart is short.",
    reference="Le Guennec, Malinowski and Tavenard, ECML/PKDD workshop on temporal data, 2016",
)
def time_crop(batch: Tensor, generator: torch.Generator, *, least: Annotated[float, Range(0.01, 1.0)] = 0.5) -> Tensor:
    """A random stretch of the signal, of at least the share ``least`` of its length, stretched to all of it."""
    share = least + (1.0 - least) * torch.rand(len(batch), 1, generator=generator)
    side = torch.cat([share, torch.ones_like(share)], 1)
    place = 2.0 * torch.rand(len(batch), 1, generator=generator) - 1.0
    return resampled(batch.unsqueeze(2), side, (1.0 - side) * place).squeeze(2)


@view(
    kind="signal",
    use="Where the gain of sensors differs.",
    failure="Where the size of the signal is what tells samples apart.",
    reference="Um et al., ICMI 2017, whose factors are normal; these stay positive",
)
def scaling(batch: Tensor, generator: torch.Generator, *, sigma: Annotated[float, Range(0.0, 2.0)] = 0.1) -> Tensor:
    """Each channel is multiplied by a factor, whose logarithm is normal with deviation ``sigma``."""
    channels = torch.randn(*batch.shape[:2], 1, generator=generator).to(batch)
    return batch * torch.exp(sigma * channels)


@view(
    kind="signal",
    aliases=("time_masking",),
    use="Where no single stretch should decide.",
    failure="Zero must be an ordinary value of the signal: centre it first.",
    reference="Park et al., SpecAugment, Interspeech 2019",
)
def time_mask(batch: Tensor, generator: torch.Generator, *, share: Annotated[float, Range(0.0, 0.95)] = 0.3) -> Tensor:
    """A random stretch of all channels, of up to ``share`` of the length, is set to zero."""
    length = share * uniform(batch, generator)
    start = (1.0 - length) * uniform(batch, generator)
    place = (torch.arange(batch.shape[2]).to(batch) + 0.5) / batch.shape[2]
    return torch.where((place >= start) & (place < start + length), 0.0, batch)
