"""Hidden values: never seen by the model, the same for all, and for PCA what filling in by hand gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from losslens.data import synthetic
from losslens.measure.generative import hidden_r2
from losslens.models.autoencoders import Outputs, build, start
from losslens.models.objective import Batch
from losslens.models.spec import ModelSpec
from losslens.run.hidden import PROFILES, ROUNDS, hidden

VALUES = torch.from_numpy(synthetic.gaussian_noise(samples=90, features=12, rank=3, noise=0.2).values).float()
MEAN = VALUES[:60].mean(0)
INDEX = torch.arange(60, 90)


def pca(code: int) -> nn.Module:
    axes = np.linalg.svd((VALUES[:60] - MEAN).numpy(), full_matrices=False)[2][:code]
    model = build(ModelSpec(kind="pca", hidden=(), code=code), 12)
    start(model, ModelSpec(kind="pca", hidden=(), code=code), MEAN, MEAN, torch.from_numpy(axes.copy()))
    return model


def asked(model: nn.Module, values: torch.Tensor = VALUES, seed: int = 0, index: torch.Tensor = INDEX) -> Any:
    return hidden(model, lambda outputs, _: outputs.output, lambda rows: Batch(values[rows]), index, MEAN, seed)


def test_for_pca_it_is_filling_in_by_hand():
    axes = np.linalg.svd((VALUES[:60] - MEAN).double().numpy(), full_matrices=False)[2][:3]
    found = asked(pca(3))
    said = {}
    for row in VALUES[60:].double().numpy():
        covered = np.isin(row.astype(np.float32), found.seen.astype(np.float32))
        filled = np.where(covered, MEAN.numpy(), row)
        for _ in range(ROUNDS):
            told = MEAN.numpy() + axes.T @ (axes @ (filled - MEAN.numpy()))
            filled = np.where(covered, told, row)
        said |= {np.float32(value): answer for value, answer in zip(row[covered], filled[covered], strict=True)}
    assert len(found.seen) == len(said) > 40
    np.testing.assert_allclose(found.said, [said[np.float32(value)] for value in found.seen], atol=1e-5)
    assert set(found.mean) <= set(MEAN.double().numpy())


def test_a_hidden_value_is_never_seen():
    """Whatever stands there, the answer is the same."""
    first = asked(pca(3))
    covered = torch.isin(VALUES[60:], torch.from_numpy(first.seen).float())
    changed = VALUES.clone()
    changed[60:] = torch.where(covered, 1e3 * torch.ones(()), VALUES[60:])
    second = asked(pca(3), changed)
    assert (second.seen == 1e3).all()
    np.testing.assert_array_equal(second.said, first.said)


class Leak(nn.Module):
    """The planted fault: it knows the profiles themselves."""

    def forward(self, x: torch.Tensor) -> Outputs:
        agreeing = (x[:, None] == VALUES[None, 60:]).sum(2)
        return Outputs(x[:, :1], VALUES[60:][agreeing.argmax(1)])


class Copy(nn.Module):
    """A code as long as the profile, which copies."""

    def forward(self, x: torch.Tensor) -> Outputs:
        return Outputs(x, x)


def score(model: nn.Module) -> float | None:
    class Held:
        hidden = asked(model)

    return hidden_r2(Held)  # type: ignore[arg-type]


def test_a_leak_is_seen_in_the_score_and_a_copy_gains_nothing():
    assert score(Leak()) == pytest.approx(1.0)
    assert score(Copy()) == pytest.approx(0.0)


def test_the_right_rank_scores_best():
    scores = {code: score(pca(code)) for code in (1, 2, 3, 5, 8)}
    assert max(scores, key=scores.__getitem__) == 3
    assert 0.7 < scores[3] < 1.0


def test_the_same_values_are_hidden_from_every_model_and_others_under_another_seed():
    assert (asked(pca(2)).seen == asked(pca(5)).seen).all()
    assert not np.array_equal(np.sort(asked(pca(2)).seen), np.sort(asked(pca(2), seed=1).seen))
    share = len(asked(pca(2)).seen) / VALUES[60:].numel()
    assert 0.14 < share < 0.26


def test_of_many_profiles_some_are_enough():
    many = torch.arange(90).repeat(10)
    assert len(asked(pca(2), index=many).seen) < 0.3 * PROFILES * 12


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> Outputs:
        return Outputs(x[:, :1], x * torch.nan)


def test_what_is_not_finite_or_not_there_has_no_score():
    assert asked(Broken()) is None
    assert asked(pca(2), index=INDEX[:0]) is None
