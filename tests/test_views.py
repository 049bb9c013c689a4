"""Views: every contract holds for those of the catalogue, and rejects wrong ones."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests import view_contracts as contracts
from tests import view_effects as effects
from tests.view_contracts import EVERY
from tests.view_effects import OWN
from torch import Tensor

from losslens.models.views import VIEWS, ViewEntry
from losslens.models.views.images import hue_shifted
from losslens.vocabulary.quantities import Range


@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", VIEWS)
def test_every_view_keeps(name: str, contract: Callable[[ViewEntry], None]) -> None:
    contract(VIEWS[name])


@pytest.mark.parametrize("name", VIEWS)
def test_each_does_what_it_says(name: str) -> None:
    OWN[name](VIEWS[name])


@pytest.mark.parametrize("name", VIEWS)
def test_facts_are_whole_sentences(name: str) -> None:
    entry = VIEWS[name]
    for text in (entry.summary, entry.use, entry.failure):
        assert text[0].isupper()
        assert text.endswith(".")
    assert entry.reference
    assert list(entry.options)[-1] == "probability"
    for option in entry.options.values():
        assert isinstance(option.range, Range)
        assert option.default in option.range


def test_hue_turns_as_python_says() -> None:
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for shift in (0.0, 0.1, 1 / 3, 0.5, -0.25, 1.0):
        found = hue_shifted(image, torch.full((1, 1, 1, 1), shift))
        for pixel, seen in zip(image[0].flatten(1).T.tolist(), found[0].flatten(1).T.tolist(), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
            assert seen == pytest.approx(colorsys.hsv_to_rgb((hue + shift) % 1.0, saturation, value), abs=1e-5)
    grey = torch.full((1, 3, 2, 2), 0.4)
    assert torch.equal(hue_shifted(grey, torch.full((1, 1, 1, 1), 0.3)), grey)


# --- mutants -------------------------------------------------------------------------------------------------------


def _coins(batch: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    return torch.rand(batch.shape, generator=generator) < rate


def _in_place(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return batch.masked_fill_(_coins(batch, 0.2, generator), 0.0)


def _from_anywhere(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return torch.where(_coins(batch, 0.2, None), 0.0, batch)


def _one_factor_for_all(batch: Tensor, generator: torch.Generator, *, sigma: float = 0.1, **_: Any) -> Tensor:
    return batch * torch.exp(sigma * torch.randn(1, generator=generator))


def _one_coin_for_all(batch: Tensor, generator: torch.Generator, *, probability: float = 1.0, **_: Any) -> Tensor:
    return batch.flip(-1) if float(torch.rand(1, generator=generator)) < probability else batch


def _upside_down(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return batch.flip(2)


def _beyond_the_range(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return batch * (0.6 + 0.8 * torch.rand(len(batch), 1, 1, 1, generator=generator))


def _smaller(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return batch[..., 1:]


def _unequal_batches(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return batch + torch.randn(batch.shape, generator=generator) * batch.std(0)


def _from_the_middle(batch: Tensor, generator: torch.Generator, *, least: float = 0.5, **_: Any) -> Tensor:
    side = least + (1.0 - least) * torch.rand(len(batch), generator=generator)
    scaled = torch.zeros(len(batch), 2, 3)
    scaled[:, 0, 0], scaled[:, 1, 1] = side, side if batch.ndim == 4 else 1.0
    images = batch if batch.ndim == 4 else batch.unsqueeze(2)
    grid = torch.nn.functional.affine_grid(scaled, list(images.shape), align_corners=False)
    found = torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return found.view(batch.shape)


def _with_black_edges(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    weights = torch.tensor([0.25, 0.5, 0.25]).expand(batch.shape[1], 1, 1, 3)
    return torch.nn.functional.conv2d(batch, weights, padding=(0, 1), groups=batch.shape[1])


def _plain_mean(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return batch.mean(1, keepdim=True).expand(batch.shape)


def _inverted(batch: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
    return 1.0 - batch


def _keeps_the_share(batch: Tensor, generator: torch.Generator, *, rate: float = 0.2, **_: Any) -> Tensor:
    return torch.where(_coins(batch, rate, generator), batch, 0.0)


def _not_whole(batch: Tensor, generator: torch.Generator, *, rate: float = 0.3, **_: Any) -> Tensor:
    return batch * (1.0 - rate)


def _absolute(batch: Tensor, generator: torch.Generator, *, sigma: float = 0.2, **_: Any) -> Tensor:
    return batch + sigma * torch.randn(batch.shape, generator=generator)


def _of_the_next(batch: Tensor, generator: torch.Generator, *, rate: float = 0.2, **_: Any) -> Tensor:
    return torch.where(_coins(batch, rate, generator), batch.roll(1, 0), batch)


def _factor_of_logarithms(batch: Tensor, generator: torch.Generator, *, sigma: float = 0.3, **_: Any) -> Tensor:
    return batch * torch.exp(sigma * torch.randn(len(batch), 1, generator=generator))


def _scattered(batch: Tensor, generator: torch.Generator, *, share: float = 0.3, **_: Any) -> Tensor:
    return torch.where(_coins(batch[:, :1], share / 2.0, generator), 0.0, batch)


MUTANTS: list[tuple[Callable[[ViewEntry], None], str, Callable[..., Tensor]]] = [
    (contracts.shape_type_and_range_are_kept_at_the_ends_of_options, "colour_jitter", _beyond_the_range),
    (contracts.shape_type_and_range_are_kept_at_the_ends_of_options, "time_crop", _smaller),
    (contracts.its_input_is_left_alone, "gene_masking", _in_place),
    (contracts.draws_come_from_its_generator_alone, "gene_masking", _from_anywhere),
    (contracts.draws_come_from_its_generator_alone, "grayscale", _plain_mean),
    (contracts.every_sample_has_a_draw_of_its_own, "scaling", _one_factor_for_all),
    (contracts.every_sample_has_a_draw_of_its_own, "flip", _one_coin_for_all),
    (contracts.a_share_of_samples_is_changed_and_the_others_not_at_all, "flip", _one_coin_for_all),
    (contracts.a_share_of_samples_is_changed_and_the_others_not_at_all, "gene_masking", _keeps_the_share),
    (contracts.a_batch_of_one_is_viewed, "gaussian_noise", _unequal_batches),
    (effects.takes_boxes_of_the_share_and_the_ratio, "crop", _from_the_middle),
    (effects.mirrors_left_and_right, "flip", _upside_down),
    (effects.changes_each_part_of_colour_alone, "colour_jitter", _inverted),
    (effects.weighs_red_green_and_blue, "grayscale", _plain_mean),
    (effects.spreads_a_point_as_a_gaussian, "blur", _with_black_edges),
    (effects.masks_a_share_to_zero, "gene_masking", _keeps_the_share),
    (effects.thins_counts_and_logarithms_of_counts, "thinning", _not_whole),
    (effects.adds_normal_noise_of_a_share_of_the_spread, "gaussian_noise", _absolute),
    (effects.swaps_a_share_with_other_samples, "gene_swap", _of_the_next),
    (effects.multiplies_amounts_by_one_factor, "library_jitter", _factor_of_logarithms),
    (effects.takes_stretches_of_the_share, "time_crop", _from_the_middle),
    (effects.multiplies_every_channel_by_a_factor, "scaling", _one_factor_for_all),
    (effects.masks_one_stretch_of_all_channels, "time_mask", _scattered),
]


@pytest.mark.parametrize(("contract", "name", "wrong"), MUTANTS)
@pytest.mark.filterwarnings("ignore:std():UserWarning")
def test_mutants_are_rejected(contract: Callable[[ViewEntry], None], name: str, wrong: Callable[..., Tensor]) -> None:
    with pytest.raises(AssertionError):
        contract(replace(VIEWS[name], function=wrong))


def test_every_contract_has_a_mutant() -> None:
    assert {contract for contract, _, _ in MUTANTS} == {*EVERY, *OWN.values()}
