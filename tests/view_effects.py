"""What each view does: places, factors, shares and noise, measured."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.view_contracts import ROWS, SIZES, near, noise, some, viewed
from torch import Tensor

from losslens.models.corruptions import CORRUPTIONS, Reach
from losslens.models.objective import Batch
from losslens.models.views import ViewEntry


def _ramps(rows: int, *size: int) -> Tensor:
    """The place of each pixel as a share of the side, one channel for each side, the last side first."""
    places = [(torch.arange(side) + 0.5) / side for side in size]
    grids = torch.meshgrid(*places, indexing="ij")
    return torch.stack([*reversed(grids)]).expand(rows, -1, *size)


def _box(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Sides and middles of the boxes that views of ramps are, from their two middle pixels."""
    sides, middles = [], []
    for channel, axis in enumerate(range(seen.ndim - 1, 1, -1)):
        half, along = seen.shape[axis] // 2, seen[:, channel].movedim(axis - 1, 1)
        low, high = (along[:, place].reshape(len(seen), -1)[:, 0] for place in (half - 1, half))
        sides.append((high - low) * seen.shape[axis])
        middles.append((high + low) / 2.0)
    return torch.stack(sides, 1), torch.stack(middles, 1)


def _lie_anywhere(sides: Tensor, middles: Tensor) -> None:
    """Every place within the image is as likely as any other."""
    clear = sides < 0.95
    place = (middles[clear] - 0.5) / (1.0 - sides[clear])
    near(place, 0.0, 12**-0.5)
    near(place.square(), 1.0 / 12.0, 180**-0.5)


def takes_boxes_of_the_share_and_the_ratio(entry: ViewEntry) -> None:
    """As a simulation draws them; a whole box is the image itself."""
    batch = some(entry)
    torch.testing.assert_close(viewed(entry, batch, least=1.0, ratio=1.0), batch, rtol=0.0, atol=1e-5)
    sides, middles = _box(viewed(entry, _ramps(4000, 16, 20), least=0.3, ratio=1.5))
    assert float((middles - sides / 2.0).min()) > -1e-4
    assert float((middles + sides / 2.0).max()) < 1.0 + 1e-4
    area, aspect = sides.prod(1), sides[:, 0] / sides[:, 1]
    assert 0.3 - 1e-4 < float(area.min()) < 0.32
    assert 1.0 / 1.5 - 1e-3 < float(aspect.min()) < 0.7
    assert 1.43 < float(aspect.max()) < 1.5 + 1e-3
    random = np.random.default_rng(0)
    shares, ratios = random.uniform(0.3, 1.0, 100_000), np.exp(random.uniform(-np.log(1.5), np.log(1.5), 100_000))
    kept = np.maximum(shares * ratios, shares / ratios) <= 1.0
    near(area, float(shares[kept].mean()), float(shares[kept].std()))
    near(aspect.log(), 0.0, float(np.log(ratios[kept]).std()))
    _lie_anywhere(sides, middles)


def mirrors_left_and_right(entry: ViewEntry) -> None:
    batch = some(entry)
    seen = viewed(entry, batch)
    assert torch.equal(seen, torch.from_numpy(batch.numpy()[..., ::-1].copy()))
    assert torch.equal(viewed(entry, seen), batch)


NONE = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)[:, None, None]


def _mild(entry: ViewEntry) -> Tensor:
    return 0.4 + 0.2 * torch.rand(ROWS, *SIZES[entry.kind], generator=noise(97))  # so that no factor reaches the ends


def _factors(entry: ViewEntry, about: Callable[[Tensor], Tensor], **options: float) -> Tensor:
    """One factor for each sample by which what is left beside ``about`` grows; checks that there is just one."""
    batch = _mild(entry)
    seen = viewed(entry, batch, **NONE | options)
    torch.testing.assert_close(about(seen), about(batch), rtol=0.0, atol=1e-6)
    first, second = (each - about(each) for each in (batch, seen))
    factor = (first * second).flatten(1).sum(1) / first.square().flatten(1).sum(1)
    torch.testing.assert_close(second, factor[:, None, None, None] * first, rtol=0.0, atol=1e-6)
    return factor


def _luma(batch: Tensor) -> Tensor:
    return torch.from_numpy((batch.numpy() * LUMA).sum(1, keepdims=True))


def changes_each_part_of_colour_alone(entry: ViewEntry) -> None:
    batch = some(entry)
    torch.testing.assert_close(viewed(entry, batch, **NONE), batch, rtol=0.0, atol=1e-6)
    torch.testing.assert_close(viewed(entry, batch, strength=0.0), batch, rtol=0.0, atol=1e-6)
    parts: dict[str, Callable[[Tensor], Tensor]] = {
        "brightness": torch.zeros_like,
        "contrast": lambda each: _luma(each).mean((1, 2, 3), keepdim=True),
        "saturation": _luma,
    }
    for name, about in parts.items():
        factor = _factors(entry, about, **{name: 0.6})
        assert 0.7 - 1e-5 < float(factor.min()) < 0.72
        assert 1.28 < float(factor.max()) < 1.3 + 1e-5
        near(factor, 1.0, 0.6 / 12**0.5)
    turned = _hues(viewed(entry, _mild(entry), **NONE | {"hue": 0.2})) - _hues(_mild(entry))
    turn = (turned + 0.5) % 1.0 - 0.5
    assert float((turn - turn[:, :1]).abs().max()) < 1e-3
    assert 0.08 < float(turn.abs().max()) < 0.1 + 1e-3
    near(turn[:, 0], 0.0, 0.2 / 12**0.5)
    grey = batch[:, :1]
    assert not torch.equal(viewed(entry, grey), grey)  # brightness and contrast are left of it
    torch.testing.assert_close(viewed(entry, grey, brightness=0.0, contrast=0.0), grey, rtol=0.0, atol=1e-6)


def _hues(batch: Tensor) -> Tensor:
    """(samples, 6): the hues of a few pixels, by Python's own conversion; such whose hue is well defined."""
    pixels = batch[:, :, :3, :2].flatten(2).mT.tolist()
    return torch.tensor([[colorsys.rgb_to_hsv(*pixel)[0] for pixel in each] for each in pixels])


def weighs_red_green_and_blue(entry: ViewEntry) -> None:
    batch = some(entry)
    expected = np.broadcast_to((batch.numpy() * LUMA).sum(1, keepdims=True), batch.shape)
    np.testing.assert_allclose(viewed(entry, batch).numpy(), expected, atol=1e-6)
    assert torch.equal(viewed(entry, batch[:, :1]), batch[:, :1])
    mean = batch[:, :2].mean(1, keepdim=True).expand(-1, 2, -1, -1)
    torch.testing.assert_close(viewed(entry, batch[:, :2]), mean)


def spreads_a_point_as_a_gaussian(entry: ViewEntry) -> None:
    flat = torch.full((ROWS, 2, 7, 9), 0.7)
    torch.testing.assert_close(viewed(entry, flat, sigma=3.0), flat, rtol=0.0, atol=1e-6)
    point = torch.zeros(ROWS, 1, 41, 31)
    point[:, :, 20, 15] = 1.0
    seen = viewed(entry, point, sigma=2.0).double().numpy()[:, 0]
    ratio = np.maximum(seen[:, 20, 16] / seen[:, 20, 15], 1e-300)
    deviation = (-0.5 / np.log(ratio)) ** 0.5
    down, across = (np.exp(-0.5 * ((np.arange(n) - n // 2) / deviation[:, None]) ** 2) for n in (41, 31))
    bell = down[:, :, None] * across[:, None, :]
    clear = deviation > 0.3  # below that the neighbour is too small to tell the deviation by
    np.testing.assert_allclose(seen[clear], (bell / bell.sum((1, 2), keepdims=True))[clear], atol=1e-5)
    assert 1.9 < deviation.max() <= 2.0 + 1e-5
    near(torch.from_numpy(deviation[clear]), 1.15, 1.7 / 12**0.5)


def masks_a_share_to_zero(entry: ViewEntry) -> None:
    batch = some(entry) + 1.0
    seen = viewed(entry, batch, rate=0.3)
    assert torch.equal(seen[seen != 0], batch[seen != 0])
    near((seen == 0).float(), 0.3, 0.3**0.5)


def thins_counts_and_logarithms_of_counts(entry: ViewEntry) -> None:
    """Whole counts, of which a share is left; with a scale, what the corruption of that name gives."""
    counts = some(entry)
    seen = viewed(entry, counts, rate=0.3)
    assert torch.equal(seen, seen.round())
    assert bool((seen <= counts).all())
    assert bool((seen >= 0).all())
    total = float(counts.sum())
    assert float(seen.sum()) / total == pytest.approx(0.7, abs=5.0 * (0.21 / total) ** 0.5)
    library = counts.sum(1, keepdim=True)
    profiles, scale = torch.log1p(counts * (1e4 / library)), 1e4 / library
    drawn = noise(1)
    torch.rand(ROWS, generator=drawn)  # the coins
    batch, compute = Batch(profiles, counts, library, scale), CORRUPTIONS["thinning"].compute
    expected, _ = compute(batch, Reach.of(profiles), drawn, rate=0.3)
    torch.testing.assert_close(viewed(entry, profiles, rate=0.3, scale=scale), expected)


def adds_normal_noise_of_a_share_of_the_spread(entry: ViewEntry) -> None:
    for size in ((60,), (3, 5, 4), (2, 30)):
        batch = 4.0 * torch.rand(ROWS, *size, generator=noise(5)) + 10.0
        typical = float(batch.flatten(1).double().var(0, correction=0).mean().sqrt())
        added = (viewed(entry, batch, sigma=0.5) - batch).double() / (0.5 * typical)
        near(added, 0.0, 1.0)
        near(added.square(), 1.0, 2.0**0.5)
        near(added.pow(4), 3.0, 96.0**0.5)


def swaps_a_share_with_other_samples(entry: ViewEntry) -> None:
    batch = torch.arange(ROWS * 40, dtype=torch.float32).view(ROWS, 40)
    seen = viewed(entry, batch, rate=0.3)
    assert torch.equal(seen % 40, batch % 40)  # the same feature
    near((seen != batch).float(), 0.3, 0.5)
    assert len((seen - batch).unique()) > ROWS  # of any other sample


def multiplies_amounts_by_one_factor(entry: ViewEntry) -> None:
    counts = torch.poisson(torch.full((ROWS, 40), 5.0), generator=noise(3)) + 1.0
    logs = torch.log1p(counts * 0.37)
    factors = viewed(entry, counts, sigma=0.4) / counts
    as_logs = torch.expm1(viewed(entry, logs, sigma=0.4)) / torch.expm1(logs)
    for found in (factors, as_logs):
        torch.testing.assert_close(found, found[:, :1].expand(found.shape), rtol=1e-4, atol=0.0)
        near(found[:, 0].log() / 0.4, 0.0, 1.0)
        near((found[:, 0].log() / 0.4).square(), 1.0, 2.0**0.5)


def takes_stretches_of_the_share(entry: ViewEntry) -> None:
    batch = some(entry)
    torch.testing.assert_close(viewed(entry, batch, least=1.0), batch, rtol=0.0, atol=1e-5)
    sides, middles = _box(viewed(entry, _ramps(4000, 40), least=0.4))
    assert float((middles - sides / 2.0).min()) > -1e-4
    assert float((middles + sides / 2.0).max()) < 1.0 + 1e-4
    assert 0.4 - 1e-4 < float(sides.min()) < 0.42
    near(sides, 0.7, 0.6 / 12**0.5)
    _lie_anywhere(sides, middles)


def multiplies_every_channel_by_a_factor(entry: ViewEntry) -> None:
    batch = some(entry) + 1.0
    found = viewed(entry, batch, sigma=0.2) / batch
    torch.testing.assert_close(found, found[:, :, :1].expand(found.shape), rtol=1e-5, atol=0.0)
    logs = found[:, :, 0].log() / 0.2
    near(logs, 0.0, 1.0)
    near(logs.square(), 1.0, 2.0**0.5)
    near(logs.prod(1), 0.0, 1.0)  # channels have factors of their own


def masks_one_stretch_of_all_channels(entry: ViewEntry) -> None:
    batch = torch.rand(4000, 2, 200, generator=noise(4)) + 1.0
    seen = viewed(entry, batch, share=0.4)
    assert torch.equal(seen[seen != 0], batch[seen != 0])
    masked = seen == 0
    assert torch.equal(masked[:, 0], masked[:, 1])
    edges = (masked[:, 0, 1:] != masked[:, 0, :-1]).sum(1) + masked[:, 0, 0].int() + masked[:, 0, -1].int()
    assert set(edges.tolist()) <= {0, 2}
    share = masked[:, 0].float().mean(1)
    assert 0.39 < float(share.max()) <= 0.405
    near(share, 0.2, 0.4 / 12**0.5)
    where = masked[:, 0].float().mean(0)
    assert float((where - where.flip(0)).abs().max()) < 0.06  # neither end is preferred


OWN: dict[str, Callable[[ViewEntry], None]] = {
    "crop": takes_boxes_of_the_share_and_the_ratio,
    "flip": mirrors_left_and_right,
    "colour_jitter": changes_each_part_of_colour_alone,
    "grayscale": weighs_red_green_and_blue,
    "blur": spreads_a_point_as_a_gaussian,
    "gene_masking": masks_a_share_to_zero,
    "thinning": thins_counts_and_logarithms_of_counts,
    "gaussian_noise": adds_normal_noise_of_a_share_of_the_spread,
    "gene_swap": swaps_a_share_with_other_samples,
    "library_jitter": multiplies_amounts_by_one_factor,
    "time_crop": takes_stretches_of_the_share,
    "scaling": multiplies_every_channel_by_a_factor,
    "time_mask": masks_one_stretch_of_all_channels,
}
