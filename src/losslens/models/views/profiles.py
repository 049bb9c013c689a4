"""Views of profiles (batch, features): corruptions as views, and what else measurements of one sample differ in.

Profiles are those of the working space. Counts behind log1p(counts * scale) are had back through ``scale``.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from losslens.models.corruptions import CORRUPTIONS, Reach, thinned
from losslens.models.objective import Batch
from losslens.models.views.entry import normal, view
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Range

_SHARE = Range(0.0, 0.95)
_NO_ROWS = Reach(*[torch.zeros(())] * 3)  # masking, thinning and swapping ask nothing of the training rows


@view(
    kind="profile",
    aliases=("masking",),
    use="The usual view of profiles: the other features must tell what is missing.",
    failure="Where few features carry what samples differ in, a high rate leaves nothing of it.",
    reference=CORRUPTIONS["masking"].reference,
)
def gene_masking(batch: Tensor, generator: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.2) -> Tensor:
    """Each entry is set to zero with probability ``rate``."""
    return _corrupted("masking", Batch(batch), generator, rate=rate)


@view(
    kind="profile",
    needs_counts=True,
    aliases=("binomial_thinning",),
    use="Counts: two shallower measurements of one sample are views of it without any assumption.",
    failure="Shallow counts, of which little may be left.",
    reference=CORRUPTIONS["thinning"].reference,
)
def thinning(
    batch: Tensor, generator: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.3, scale: Tensor | None = None
) -> Tensor:
    """Each molecule is lost with probability ``rate``.

    Without ``scale`` the batch is counts and so is the view. With ``scale`` (batch, 1) the batch is
    log1p(counts * scale); the counts are had back, thinned, and normalised for depth anew.
    """
    counts = counts_behind(batch, scale)
    if scale is None:
        return thinned(counts, rate, generator)
    library = counts.sum(1, keepdim=True)
    return _corrupted("thinning", Batch(batch, counts, library, scale), generator, rate=rate)


def counts_behind(batch: Tensor, scale: Tensor | None) -> Tensor:
    """Whole counts (batch, features), of themselves or of log1p(counts * scale).

    Raises:
        BadInput: they are no counts.
    """
    found = batch if scale is None else torch.expm1(batch) / scale
    counts = found.round()
    if bool(((found - counts).abs() > 1e-2 + 1e-5 * counts).any()) or bool((counts < 0).any()):
        raise BadInput(
            expected="counts, or log1p of scaled counts with their scale, for the view thinning",
            found="values that are no whole numbers from zero",
            remedy="Take gene_masking where there are no counts.",
        )
    return counts


@view(
    kind="any",
    aliases=("gaussian", "noise"),
    use="Values with measurement noise; goes with any other view.",
    failure="On sparse counts it fills zeros with values that no measurement has.",
    reference=CORRUPTIONS["gaussian"].reference,
)
def gaussian_noise(
    batch: Tensor, generator: torch.Generator, *, sigma: Annotated[float, Range(0.0, 10.0)] = 0.2
) -> Tensor:
    """Normal noise is added; its deviation is ``sigma`` times that of a typical feature over the batch.

    Of a batch of one it is that of the values of the sample.
    """
    rows = batch.flatten(1)
    reach = Reach.of(rows if len(rows) > 1 else rows.mT)
    return CORRUPTIONS["gaussian"].compute(Batch(rows), reach, generator, sigma=sigma)[0].view_as(batch)


@view(
    kind="profile",
    aliases=("swap",),
    use="As masking, but with values that the feature does have.",
    failure="Adds what belongs to other kinds of samples. A batch of one stays as it is.",
    reference=CORRUPTIONS["swap"].reference,
)
def gene_swap(batch: Tensor, generator: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.1) -> Tensor:
    """Each entry is replaced, with probability ``rate``, by the same feature's value in another sample of the batch."""
    return _corrupted("swap", Batch(batch), generator, rate=rate)


@view(
    kind="profile",
    aliases=("library_size_jitter",),
    use="Where samples differ in depth for reasons of the measurement, of which codes should know nothing.",
    failure="Where the amount itself tells samples apart.",
    reference="none needed: the sample as if measured at another depth, without the noise of that",
)
def library_jitter(
    batch: Tensor, generator: torch.Generator, *, sigma: Annotated[float, Range(0.0, 2.0)] = 0.3
) -> Tensor:
    """All amounts of a sample are multiplied by one factor, whose logarithm is normal with deviation ``sigma``.

    Whole numbers are counts and are multiplied as they are; all others are log1p of amounts, x -> log1p(f * expm1(x)).
    """
    if bool((batch < 0).any()):
        raise BadInput(
            expected="counts or log1p of amounts, for the view library_jitter",
            found=f"{float(batch.min()):g}",
            remedy="Put it before views that add noise; it does not go with standardised data.",
        )
    factor = torch.exp(sigma * normal(batch, generator))
    return factor * batch if torch.equal(batch, batch.round()) else torch.log1p(factor * torch.expm1(batch))


def _corrupted(name: str, batch: Batch, generator: torch.Generator, **options: Any) -> Tensor:
    return CORRUPTIONS[name].compute(batch, _NO_ROWS, generator, **options)[0]
