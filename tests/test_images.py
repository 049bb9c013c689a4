"""Structural similarity: images that are not square or grey, missing pixels, precision, refusals, a comparison."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import torch
from tests.oracles.image import dissimilarity
from tests.small_runs import tiny

import losslens
from losslens.data.synthetic import unit_interval
from losslens.vocabulary.errors import BadInput

SHAPE = (2, 3, 7, 12)  # samples, channels, height, width


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.rand((2, *SHAPE), generator=generator, dtype=torch.float64).unbind()


def exact(output, target, window=5, data_range=1.0):
    """The oracle's value of one channel of an image, (height, width); targets that are no numbers are missing."""
    rows = ([mp.mpf(value) for value in pixels.flatten().tolist()] for pixels in (output, target))
    return float(dissimilarity(*rows, tuple(output.shape), window, mp.mpf(1.5), data_range))


def test_rectangles_and_channels_are_the_oracles(images):
    output, target = images
    found = losslens.ssim(output, target, window=5, reduction="none")
    expected = [[exact(x, y) for x, y in zip(*pair, strict=True)] for pair in zip(output, target, strict=True)]
    np.testing.assert_allclose(found.numpy(), np.mean(expected, 1), rtol=1e-12)


def test_a_row_holds_the_image_that_its_numbers_say(images):
    output, target = images
    whole = losslens.ssim(output, target, reduction="none")
    rows = [pixels.flatten(1) for pixels in images]
    assert torch.equal(whole, losslens.ssim(*rows, channels=3, height=7, width=12, reduction="none"))
    assert torch.equal(whole, losslens.ssim(output, target, channels=3, reduction="none"))
    assert torch.equal(whole.mean(), losslens.Criterion("ssim", channels=3, height=7, width=12)(*rows))
    square = [pixels[..., :7] for pixels in images]
    of_rows = losslens.ssim(*(pixels.flatten(1) for pixels in square), channels=3)
    assert torch.equal(losslens.ssim(*square), of_rows)


def test_missing_pixels_are_left_out_of_every_window(images):
    output, target = (pixels[:, :1] for pixels in images)
    mask = torch.rand(target.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    mask[0, 0, :6, :6] = False  # windows of which nothing is present, and some of little
    hidden = torch.where(mask, target, torch.nan)
    found = losslens.ssim(output, hidden, mask=mask, window=5, reduction="none")
    expected = [exact(x[0], y[0]) for x, y in zip(output, hidden, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_an_image_of_which_nothing_is_present_weighs_nothing(images):
    output, target = images
    mask = torch.ones(SHAPE, dtype=torch.bool)
    mask[1] = False
    assert torch.equal(losslens.ssim(output, target, mask=mask), losslens.ssim(output[:1], target[:1]))
    mask[1, 2] = True  # of a channel alone
    expected = losslens.ssim(output[1:, 2:], target[1:, 2:])
    torch.testing.assert_close(losslens.ssim(output, target, mask=mask, reduction="none")[1], expected)


def test_images_and_range_in_other_units_give_the_same(images):
    output, target = images
    bytes_ = losslens.ssim(255.0 * output, 255.0 * target, data_range=255.0)
    torch.testing.assert_close(bytes_, losslens.ssim(output, target), rtol=1e-12, atol=0.0)


def test_between_constant_images_only_brightness_counts():
    one, other = torch.full((1, 1, 20, 20), 0.3), torch.full((1, 1, 20, 20), 0.7)
    assert float(losslens.ssim(one, other)) == pytest.approx((0.7 - 0.3) ** 2 / (0.3**2 + 0.7**2 + 1e-4), rel=1e-6)
    assert float(losslens.ssim(one, one)) == 0.0


@pytest.mark.parametrize("size", [1.0, 255.0, 1e6, 1e12])
def test_a_flat_part_of_a_bright_image_stays_flat_in_float32(images, size):
    """One-pass variances of float32 would be rounding there, and their quotient anything between 0 and 2."""
    output, target = (size * pixels.float() for pixels in images)
    output[..., 6:], target[..., 6:] = size * 0.7, size * 0.8
    found = losslens.ssim(output, target, window=5, reduction="none")
    exact_ones = losslens.ssim(output.double(), target.double(), window=5, reduction="none")
    torch.testing.assert_close(found.double(), exact_ones, rtol=1e-5, atol=0.0)


def test_reduced_precision_of_products_does_not_reach_it(images):
    output, target = (pixels.float() for pixels in images)
    with torch.autocast("cpu", torch.bfloat16):
        found = losslens.ssim(output, target)
    assert torch.equal(found, losslens.ssim(output, target))


def test_the_negative_of_an_image_looks_good_as_documented(images):
    target = images[1]
    assert 0.0 < float(losslens.ssim(-target, target)) < 0.1 < float(losslens.ssim(0.0 * target, target))


@pytest.mark.parametrize(
    ("shape", "sides", "words"),
    [
        ((2, 12), {}, ["1 x 3 x 3", "(12,)"]),
        ((2, 12), {"height": 3}, ["1 x 3 x 3", "channels=, height= and width="]),
        ((2, 12), {"channels": 5}, ["5 x 1 x 1"]),
        ((2, 16), {"height": -4, "width": -4}, ["1 x -4 x -4"]),
        ((2, 0), {}, ["1 x 0 x 0"]),
        ((2, 3, 4, 6), {"height": 6, "width": 4}, ["3 x 6 x 4", "(3, 4, 6)"]),
        ((2, 4, 4), {}, ["(batch, features) or (batch, channels, height, width)", "(2, 4, 4)"]),
    ],
)
def test_what_is_no_image_is_refused(shape, sides, words):
    with pytest.raises(BadInput) as error:
        losslens.ssim(torch.rand(shape), torch.rand(shape), **sides)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_image_and_a_row_are_not_of_one_shape(images):
    output, target = images
    with pytest.raises(BadInput, match="one shape"):
        losslens.ssim(output, target.flatten(1))


def test_an_image_smaller_than_a_window_of_three_has_windows_of_one_pixel():
    x, y = torch.tensor([[0.2, 0.4, 0.6, 0.8]]), torch.tensor([[0.5, 0.5, 0.1, 0.9]])
    expected = ((x - y).square() / (x.square() + y.square() + 1e-4)).mean()
    torch.testing.assert_close(losslens.ssim(x, y), expected)


def test_images_are_compared_and_other_rows_refused(tmp_path):
    found = tiny(unit_interval(60, 16).values, tmp_path / "run", losses=["ssim", "ssim+sigmoid"])
    assert found.recommended in ("ssim", "ssim+sigmoid")
    trained = losslens.load(tmp_path / "run")
    assert trained.reconstruct(unit_interval(60, 16).values).shape == (60, 16)
    with pytest.raises(BadInput, match=r"ssim needs square images, and 15 is not a square number"):
        tiny(unit_interval(60, 15).values, tmp_path / "other", losses=["ssim"])
    assert not (tmp_path / "other").exists()
