"""Corruptions: every declared fact is measured; wrong corruptions, or wrong facts about right ones, are rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from losslens.models.corruptions import CORRUPTIONS, Corruption, Reach, checked, corrupt
from losslens.models.objective import Batch
from losslens.models.spec import CorruptionSpec
from losslens.vocabulary.errors import BadInput, UnknownName

ROWS, FEATURES, TARGET = 600, 40, 100.0


def _counted() -> Batch:
    """Counts of features that differ in size by a hundred, behind profiles as the transform of counts gives them."""
    generator = torch.Generator().manual_seed(0)
    size = torch.linspace(-1.5, 3.0, FEATURES).exp() * torch.rand(ROWS, 1, generator=generator).add(0.5)
    counts = torch.poisson(size, generator=generator)
    library = counts.sum(1, keepdim=True)
    return Batch(torch.log1p(counts * TARGET / library), counts, library, TARGET / library)


BATCH = _counted()
REACH = Reach.of(BATCH.profiles)


def _apply(entry: Corruption, seed: int = 1, batch: Batch = BATCH, **options: float) -> tuple[Tensor, Tensor | None]:
    defaults = {name: option.default for name, option in entry.options.items()}
    return entry.compute(batch, REACH, torch.Generator().manual_seed(seed), **defaults | options)


def _strengths(entry: Corruption) -> list[float]:
    option = entry.options[entry.strength]
    return [option.range.high * part for part in (0.1, 0.5, 1.0)] + [option.default]


# --- what every corruption keeps -----------------------------------------------------------------------------------


def nothing_at_strength_zero(entry: Corruption) -> None:
    seen, touched = _apply(entry, **{entry.strength: 0.0})
    torch.testing.assert_close(seen, BATCH.profiles, rtol=1e-6, atol=1e-6)
    assert touched is None or not touched.any()


def something_at_every_other(entry: Corruption) -> None:
    for strength in _strengths(entry):
        seen, _ = _apply(entry, **{entry.strength: strength})
        assert seen.shape == BATCH.profiles.shape
        assert seen.isfinite().all()
        assert not torch.equal(seen, BATCH.profiles)


def marks_what_it_touches(entry: Corruption) -> None:
    for strength in _strengths(entry):
        seen, touched = _apply(entry, **{entry.strength: strength})
        assert (touched is not None) == entry.marks
        if touched is not None:
            assert torch.equal(seen[~touched], BATCH.profiles[~touched])


def touches_at_its_rate(entry: Corruption) -> None:
    """In all, in every row and in every feature: coins of their own, not one for a row or a feature."""
    for rate in _strengths(entry) if entry.marks else ():
        touched = _apply(entry, **{entry.strength: rate})[1]
        assert touched is not None
        spread = rate * (1.0 - rate)
        assert abs(float(touched.float().mean()) - rate) < 5.0 * (spread / touched.numel()) ** 0.5
        for dimension, size in ((0, ROWS), (1, FEATURES)):
            ratio = float(touched.float().mean(dimension).var()) / (spread / size)
            assert 0.4 < ratio < 1.8  # a chi-squared over 39 or more degrees of freedom


def wants_counts_as_declared(entry: Corruption) -> None:
    alone = BATCH._replace(counts=None, library=None, scale=None)
    try:
        found = _apply(entry, batch=alone)[0]
    except (AssertionError, TypeError):
        assert entry.needs_counts, "it works on counts"
    else:
        assert not entry.needs_counts, "it works without counts"
        assert torch.equal(found, _apply(entry)[0])


def leaves_its_input_alone(entry: Corruption) -> None:
    before = [None if part is None else part.clone() for part in BATCH]
    _apply(entry)
    for part, was in zip(BATCH, before, strict=True):
        assert (part is None and was is None) or torch.equal(part, was)


def draws_from_its_generator_alone(entry: Corruption) -> None:
    state = torch.random.get_rng_state()
    first, again, other = _apply(entry, 1)[0], _apply(entry, 1)[0], _apply(entry, 2)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def takes_a_batch_of_one(entry: Corruption) -> None:
    one = Batch(*(None if part is None else part[:1] for part in BATCH))
    seen, _ = _apply(entry, batch=one)
    assert seen.shape == (1, FEATURES)
    assert seen.isfinite().all()


EVERY = (
    nothing_at_strength_zero, something_at_every_other, marks_what_it_touches, touches_at_its_rate,
    wants_counts_as_declared, leaves_its_input_alone, draws_from_its_generator_alone, takes_a_batch_of_one,
)  # fmt: skip


# --- what each does ------------------------------------------------------------------------------------------------


def masks_to_zero(entry: Corruption) -> None:
    seen, touched = _apply(entry)
    assert touched is not None
    assert not seen[touched].any()


def sets_to_the_ends_of_each_feature(entry: Corruption) -> None:
    seen, touched = _apply(entry, rate=0.5)
    assert touched is not None
    low, high = (end.expand_as(seen) for end in (BATCH.profiles.amin(0), BATCH.profiles.amax(0)))
    at_low, at_high = (seen[touched] == low[touched]).float(), (seen[touched] == high[touched]).float()
    assert bool(((at_low + at_high) == 1.0).all())
    assert float(at_low.mean()) == pytest.approx(0.5, abs=5.0 * 0.5 / len(at_low) ** 0.5)


def adds_normal_noise_of_its_deviation(entry: Corruption) -> None:
    typical = float(BATCH.profiles.double().var(0, correction=0).mean().sqrt())
    for sigma in (0.2, 3.0):
        noise = (_apply(entry, sigma=sigma)[0] - BATCH.profiles).double() / (sigma * typical)
        assert float(noise.mean()) == pytest.approx(0.0, abs=5.0 / noise.numel() ** 0.5)
        assert float(noise.square().mean()) == pytest.approx(1.0, abs=5.0 * (2.0 / noise.numel()) ** 0.5)
        assert float(noise.pow(4).mean()) == pytest.approx(3.0, abs=5.0 * (96.0 / noise.numel()) ** 0.5)
        assert float(noise.var(0).min() / noise.var(0).max()) > 0.7  # the same for every feature


def thins_counts_and_normalises_anew(entry: Corruption) -> None:
    """What it shows are whole counts, at most those there were, scaled to the old total; the right share is kept."""
    assert BATCH.counts is not None
    for rate in (0.3, 0.9):
        seen = torch.expm1(_apply(entry, rate=rate)[0].double())
        torch.testing.assert_close(seen.sum(1), torch.full((ROWS,), TARGET, dtype=torch.float64), rtol=1e-4, atol=0.0)
        depth = _depth(seen, BATCH.counts)
        kept = seen * depth / TARGET
        torch.testing.assert_close(kept, kept.round(), rtol=0.0, atol=2e-2)
        assert bool((kept.round() <= BATCH.counts).all())
        lost = BATCH.counts.double().sum()
        assert float(kept.sum() / lost) == pytest.approx(1.0 - rate, abs=5.0 * float((rate * (1 - rate) / lost).sqrt()))
        large = BATCH.counts.sum(0) > 2000  # its expectation, in every feature alike
        share = (kept.sum(0) / BATCH.counts.sum(0))[large]
        assert float((share - (1.0 - rate)).abs().max()) < 5.0 * (rate * (1 - rate) / 2000) ** 0.5


def _depth(seen: Tensor, counts: Tensor) -> Tensor:
    """The number of molecules left in each row: the one at which all entries are whole numbers."""
    depths = []
    for row, most in zip(seen, counts.sum(1).int().tolist(), strict=True):
        possible = torch.arange(1, most + 1, dtype=torch.float64)
        apart = (
            (row[None] * possible[:, None] / TARGET - (row[None] * possible[:, None] / TARGET).round()).abs().amax(1)
        )
        depths.append(float(possible[apart < 1e-2 + 1e-5 * possible][0]))
    return torch.tensor(depths, dtype=torch.float64)[:, None]


def swaps_with_other_samples(entry: Corruption) -> None:
    """Touched entries are the same feature's values of other rows, each of its own: marginals stay as they are."""
    distinct = torch.arange(ROWS * FEATURES, dtype=torch.float32).view(ROWS, FEATURES)
    seen, touched = _apply(entry, batch=Batch(distinct), rate=0.6)
    assert touched is not None
    source, column = seen.long() // FEATURES, seen.long() % FEATURES
    assert bool((column == torch.arange(FEATURES)).all())
    assert not bool((source == torch.arange(ROWS)[:, None])[touched].any())
    steps = ((source - torch.arange(ROWS)[:, None]) % ROWS)[touched].float()
    assert float(steps.mean()) == pytest.approx(ROWS / 2, rel=0.02)  # any other row, not the next one
    assert len(steps.unique()) == ROWS - 1
    seen, _ = _apply(entry, rate=0.9)
    error = (seen.mean(0) - BATCH.profiles.mean(0)).abs() / (2.0 * BATCH.profiles.var(0) / ROWS).sqrt()
    assert float(error.max()) < 5.0


OWN: dict[str, Callable[[Corruption], None]] = {
    "masking": masks_to_zero,
    "salt_and_pepper": sets_to_the_ends_of_each_feature,
    "gaussian": adds_normal_noise_of_its_deviation,
    "thinning": thins_counts_and_normalises_anew,
    "swap": swaps_with_other_samples,
}


@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_keeps(name: str, contract: Callable[[Corruption], None]) -> None:
    contract(CORRUPTIONS[name])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_does_what_it_says(name: str) -> None:
    OWN[name](CORRUPTIONS[name])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_facts_are_whole_sentences(name: str) -> None:
    entry = CORRUPTIONS[name]
    assert entry.summary.endswith(".")
    assert entry.summary[0].isupper()
    assert entry.reference
    assert entry.options[entry.strength].range.low == 0.0
    assert all(option.default in option.range for option in entry.options.values())


# --- mutants -------------------------------------------------------------------------------------------------------


def _coins(batch: Batch, rate: float, noise: torch.Generator) -> Tensor:
    return torch.rand(batch.profiles.shape, generator=noise) < rate


def _masked(batch: Batch, touched: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(touched, 0.0, batch.profiles), touched


def _in_place(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched = _coins(batch, rate, noise)
    return batch.profiles.masked_fill_(touched, 0.0), touched


def _whole_rows(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    return _masked(batch, (torch.rand(len(batch.profiles), 1, generator=noise) < rate).expand(batch.profiles.shape))


def _whole_features(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    return _masked(batch, (torch.rand(batch.profiles.shape[1], generator=noise) < rate).expand(batch.profiles.shape))


def _as_dropout(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    seen, touched = _masked(batch, _coins(batch, rate, noise))
    return seen / (1.0 - rate), touched


def _from_anywhere(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    return _masked(batch, torch.rand(batch.profiles.shape) < rate)


def _kept_in_place_of_lost(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    return _masked(batch, ~_coins(batch, rate, noise))


def _to_the_mean(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched = _coins(batch, rate, noise)
    return torch.where(touched, batch.profiles.mean(0), batch.profiles), touched


def _only_salt(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched = _coins(batch, rate, noise)
    return torch.where(touched, reach.high, batch.profiles), touched


def _ends_of_all_features(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched, coin = _coins(batch, rate, noise), _coins(batch, 0.5, noise)
    return torch.where(touched, torch.where(coin, reach.low.min(), reach.high.max()), batch.profiles), touched


def _absolute(batch: Batch, reach: Reach, noise: torch.Generator, *, sigma: float) -> Any:
    return batch.profiles + sigma * torch.randn(batch.profiles.shape, generator=noise), None


def _uniform(batch: Batch, reach: Reach, noise: torch.Generator, *, sigma: float) -> Any:
    flat = 12**0.5 * (torch.rand(batch.profiles.shape, generator=noise) - 0.5)
    return batch.profiles + sigma * reach.spread * flat, None


def _one_number_a_row(batch: Batch, reach: Reach, noise: torch.Generator, *, sigma: float) -> Any:
    by_feature = batch.profiles.std(0, correction=0)
    return batch.profiles + sigma * by_feature * torch.randn(batch.profiles.shape, generator=noise), None


def _thinned(batch: Batch, share: float, noise: torch.Generator) -> Tensor:
    return torch.binomial(batch.counts, torch.full(batch.counts.shape, share), generator=noise)


def _not_normalised(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    return torch.log1p(_thinned(batch, 1.0 - rate, noise) * batch.scale), None


def _as_many_as_are_lost(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    kept = _thinned(batch, rate if rate else 1.0, noise)
    return torch.log1p(kept * TARGET / kept.sum(1, keepdim=True).clamp_min(1.0)), None


def _by_the_mean_depth(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    return torch.log1p(_thinned(batch, 1.0 - rate, noise) * batch.scale / (1.0 - rate)), None


def _within_a_row(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched = _coins(batch, rate, noise)
    return torch.where(touched, batch.profiles.roll(1, 1), batch.profiles), touched


def _with_the_next(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched = _coins(batch, rate, noise)
    return torch.where(touched, batch.profiles.roll(1, 0), batch.profiles), touched


def _perhaps_with_itself(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: float) -> Any:
    touched = _coins(batch, rate, noise)
    others = torch.randint(0, len(batch.profiles), batch.profiles.shape, generator=noise)
    return torch.where(touched, batch.profiles.gather(0, others), batch.profiles), touched


MUTANTS: list[tuple[Callable[[Corruption], None], str, dict[str, Any]]] = [
    (nothing_at_strength_zero, "masking", {"compute": _kept_in_place_of_lost}),
    (something_at_every_other, "masking", {"compute": lambda batch, *_, rate: (batch.profiles, None)}),
    (marks_what_it_touches, "masking", {"compute": _as_dropout}),
    (marks_what_it_touches, "masking", {"marks": False}),
    (marks_what_it_touches, "gaussian", {"marks": True}),
    (touches_at_its_rate, "masking", {"compute": _kept_in_place_of_lost}),
    (touches_at_its_rate, "masking", {"compute": _whole_rows}),
    (touches_at_its_rate, "masking", {"compute": _whole_features}),
    (wants_counts_as_declared, "thinning", {"needs_counts": False}),
    (wants_counts_as_declared, "swap", {"needs_counts": True}),
    (leaves_its_input_alone, "masking", {"compute": _in_place}),
    (draws_from_its_generator_alone, "masking", {"compute": _from_anywhere}),
    (takes_a_batch_of_one, "gaussian", {"compute": lambda batch, *_, sigma: (batch[0] / batch[0].std(0), None)}),
    (masks_to_zero, "masking", {"compute": _to_the_mean}),
    (sets_to_the_ends_of_each_feature, "salt_and_pepper", {"compute": _only_salt}),
    (sets_to_the_ends_of_each_feature, "salt_and_pepper", {"compute": _ends_of_all_features}),
    (adds_normal_noise_of_its_deviation, "gaussian", {"compute": _absolute}),
    (adds_normal_noise_of_its_deviation, "gaussian", {"compute": _uniform}),
    (adds_normal_noise_of_its_deviation, "gaussian", {"compute": _one_number_a_row}),
    (thins_counts_and_normalises_anew, "thinning", {"compute": _not_normalised}),
    (thins_counts_and_normalises_anew, "thinning", {"compute": _as_many_as_are_lost}),
    (thins_counts_and_normalises_anew, "thinning", {"compute": _by_the_mean_depth}),
    (swaps_with_other_samples, "swap", {"compute": _within_a_row}),
    (swaps_with_other_samples, "swap", {"compute": _with_the_next}),
    (swaps_with_other_samples, "swap", {"compute": _perhaps_with_itself}),
]  # fmt: skip


@pytest.mark.parametrize(("contract", "name", "wrong"), MUTANTS)
@pytest.mark.filterwarnings("ignore:std():UserWarning")
def test_mutants_are_rejected(contract: Callable[[Corruption], None], name: str, wrong: dict[str, Any]) -> None:
    kept = BATCH.profiles.clone()
    with pytest.raises((AssertionError, IndexError, RuntimeError)):
        contract(replace(CORRUPTIONS[name], **wrong))
    BATCH.profiles.copy_(kept)  # one of them writes over it


def test_every_contract_has_a_mutant() -> None:
    assert {contract for contract, _, _ in MUTANTS} == {*EVERY, *OWN.values()}


# --- as a batch of a training sees it ------------------------------------------------------------------------------


def test_the_target_stays_clean_and_counts_stay_whole() -> None:
    spec = checked(CorruptionSpec(name="masking"))
    given = corrupt(BATCH, spec, REACH, torch.Generator().manual_seed(0))
    assert torch.equal(given.profiles, BATCH.profiles)
    assert torch.equal(given.counts, BATCH.counts)
    assert not torch.equal(given.inputs, BATCH.profiles)
    assert given.weight is None
    assert BATCH.inputs is BATCH.profiles


def test_an_emphasis_weighs_what_was_touched() -> None:
    spec = checked(CorruptionSpec(name="swap", corrupted=1.0, intact=0.25))
    given = corrupt(BATCH, spec, REACH, torch.Generator().manual_seed(0))
    touched = CORRUPTIONS["swap"].compute(BATCH, REACH, torch.Generator().manual_seed(0), **spec.options)[1]
    assert given.weight is not None
    assert torch.equal(given.weight == 1.0, touched)
    assert torch.equal(given.weight == 0.25, ~touched)


def test_options_are_filled_in_and_checked() -> None:
    assert checked(CorruptionSpec(name="gene_swap")) == CorruptionSpec(name="swap", options={"rate": 0.15})
    assert checked(CorruptionSpec(name="masking", options={"rate": 0.5})).options == {"rate": 0.5}
    with pytest.raises(UnknownName, match="Did you mean 'masking'"):
        checked(CorruptionSpec(name="maskin"))
    with pytest.raises(BadInput, match="an option of masking: rate, found 'sigma'"):
        checked(CorruptionSpec(name="masking", options={"sigma": 0.5}))
    for wrong in (1.0, -0.1, float("nan")):
        with pytest.raises(BadInput, match=r"rate of masking in \[0, 0.95\]"):
            checked(CorruptionSpec(name="masking", options={"rate": wrong}))
    with pytest.raises(BadInput, match=r"leaves entries intact.*found gaussian"):
        checked(CorruptionSpec(name="gaussian", intact=0.0))
