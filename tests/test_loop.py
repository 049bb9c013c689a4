"""The training loop: what is random in a step is not in validation, what was best is kept, and who wins the race."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from losslens.models.autoencoders import Autoencoder
from losslens.models.corruptions import Reach, checked, corrupt
from losslens.models.objective import Batch, Objective
from losslens.models.spec import CorruptionSpec, ModelSpec, ObjectiveSpec, TermSpec
from losslens.run.batches import shuffled
from losslens.run.loop import Training, train_best
from losslens.run.spec import Fit, TrainingSpec

SAMPLES, FEATURES, CODE = 80, 8, 3
X = torch.randn(SAMPLES, 2, generator=torch.Generator().manual_seed(1)) @ torch.ones(2, FEATURES) + torch.randn(
    SAMPLES, FEATURES, generator=torch.Generator().manual_seed(2)
)
TRAIN, VALID = torch.arange(60), torch.arange(60, SAMPLES)
KL = TermSpec(loss="kl_standard_normal", warm_up=4)


def _rows(index: Tensor) -> Batch:
    return Batch(X[index])


def _made(terms: tuple[TermSpec, ...] = (), **network: Any) -> tuple[Autoencoder, Objective]:
    torch.manual_seed(0)
    model = Autoencoder.build(ModelSpec(**{"hidden": (6,), "code": CODE} | network), FEATURES)
    return model, Objective(ObjectiveSpec(loss="mse", terms=terms), FEATURES, CODE)


def _training(
    lr: float = 1e-2, terms: tuple[TermSpec, ...] = (), corruption: Any = None, network: Any = None, **spec: Any
) -> Training:
    settings = TrainingSpec(**{"batch": 20, "epochs": 50, "patience": 50} | spec)
    return Training(*_made(terms, **network or {}), lr, settings, _rows, TRAIN, VALID, 7, corruption)


NOISY: list[dict[str, Any]] = [{"dropout": 0.5}, {"normalisation": "batch"}, {"variational": True}]


# --- chance --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NOISY, ids=str)
def test_validation_is_the_same_each_time_and_leaves_no_trace(network: dict[str, Any]) -> None:
    training = _training(network=network)
    training.epochs(2)
    before = [part.clone() for part in (*training.model.parameters(), *training.model.buffers())]
    assert training.validate() == training.validate() == training.valid_curve[-1]
    after = (*training.model.parameters(), *training.model.buffers())
    assert all(torch.equal(was, now) for was, now in zip(before, after, strict=True))


@pytest.mark.parametrize("network", NOISY, ids=str)
def test_steps_are_taken_as_in_training(network: dict[str, Any]) -> None:
    """With dropout, statistics of the batch and noise; a network left in evaluation would give another course."""
    training, deterministic = _training(network=network), _training(network=network)
    training.epochs(1)
    deterministic.model.train = lambda mode=True: nn.Module.train(deterministic.model, False)  # type: ignore[method-assign]
    deterministic.noise = None  # type: ignore[assignment]
    deterministic.epochs(1)
    assert training.train_curve != deterministic.train_curve
    if network == {"normalisation": "batch"}:
        assert not torch.equal(training.model.encoder.paths[0][1].running_mean, torch.zeros(6))


def test_noise_differs_from_step_to_step() -> None:
    training, seen = _training(lr=0.0, network={"variational": True}), []
    gradients = training.gradients
    training.gradients = lambda batch, noise: seen.append(noise.get_state()) or gradients(batch, noise)  # type: ignore[assignment,func-returns-value]
    training.epochs(2)
    assert len({tuple(state.tolist()) for state in seen}) == len(seen) == 6


def test_codes_are_drawn_from_the_posterior() -> None:
    model, _ = _made(variational=True)
    with torch.no_grad():
        model.encoder.paths[0][2].weight[CODE:] = 0.0
        model.encoder.paths[0][2].bias[CODE:] = torch.tensor([-4.0, 0.0, 2.0])
    noise, x = torch.Generator().manual_seed(0), X[:1].expand(20_000, -1)
    outputs = model(x, noise)
    codes = outputs.code.detach()
    torch.testing.assert_close(codes.std(0), torch.tensor([-2.0, 0.0, 1.0]).exp(), rtol=0.03, atol=0.0)
    torch.testing.assert_close(codes.mean(0), outputs.mean[0].detach(), rtol=0.0, atol=0.1)
    assert torch.equal(model(x).code, outputs.mean)  # without a generator it is the mean


def test_inputs_are_corrupted_in_training_and_clean_in_validation() -> None:
    spec, reach = checked(CorruptionSpec(name="masking", options={"rate": 0.9})), Reach.of(X[TRAIN])
    clean = _training(lr=1e-9)
    dirty = _training(lr=1e-9, corruption=lambda batch, noise: corrupt(batch, spec, reach, noise))
    for training in (clean, dirty):
        training.epochs(1)
    assert dirty.valid_curve == pytest.approx(clean.valid_curve, rel=1e-5)
    assert dirty.train_curve[0] != pytest.approx(clean.train_curve[0], rel=5e-3)


@pytest.mark.parametrize(("rows", "size"), [(60, 20), (61, 20), (7, 2), (5, 2), (3, 2), (64, 3), (10, 100), (4, 3)])
def test_every_row_once_in_an_epoch_and_none_alone(rows: int, size: int) -> None:
    """Batch normalisation cannot do with a single row."""
    index = torch.arange(100, 100 + rows)
    parts = list(shuffled(index, size, torch.Generator().manual_seed(0)))
    assert torch.equal(torch.cat(parts).sort().values, index)
    assert min(map(len, parts)) >= 2
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(len(part) == 1 for part in shuffled(index, 1, torch.Generator()))


# --- what is kept --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [{}, *NOISY], ids=str)
@pytest.mark.parametrize("average", [0.0, 0.8])
def test_the_best_epoch_is_put_back(network: dict[str, Any], average: float) -> None:
    """The validation loss of what is restored is the least of the curve, which is not its end."""
    training = _training(lr=0.3, network=network, average=average)
    training.epochs(15)
    assert 0 < training.best_epoch < 15
    training.restore_best()
    training.parameters.means = []
    assert training.validate() == pytest.approx(min(training.valid_curve), rel=1e-6)
    assert not training.model.training


def test_a_training_that_brings_nothing_gives_back_the_start() -> None:
    training = _training(lr=10.0)
    training.epochs(5)
    assert training.best_epoch == 0
    training.restore_best()
    fresh, _ = _made()
    assert all(torch.equal(a, b) for a, b in zip(training.model.parameters(), fresh.parameters(), strict=True))


# --- warm-up, patience, the race -----------------------------------------------------------------------------------


def test_patience_begins_when_all_terms_have_their_full_weight() -> None:
    for terms, epochs in (((), 2), ((KL,), 6)):
        training = _training(lr=0.0, terms=terms, network={"variational": True}, patience=2)
        training.epochs(50)
        assert len(training.train_curve) == epochs


def test_the_weight_rises_in_training_and_is_whole_in_validation() -> None:
    """With nothing learned the training loss climbs by a quarter of the divergence each epoch."""
    terms = (KL.model_copy(update={"weight": 5.0}),)
    training, plain = (_training(lr=0.0, terms=each, network={"variational": True}) for each in (terms, ()))
    for each in (training, plain):
        each.epochs(6)
    added = [own - without for own, without in zip(training.train_curve, plain.train_curve, strict=True)]
    assert added[:4] == pytest.approx([added[3] * part for part in (0.25, 0.5, 0.75, 1.0)], rel=1e-3)
    assert added[4:] == pytest.approx([added[3]] * 2, rel=1e-3)
    assert training.valid_curve == pytest.approx([training.valid_curve[0]] * 7, rel=1e-5)


def _race(rates: tuple[float, ...], terms: tuple[TermSpec, ...] = (), **spec: Any) -> tuple[Training, list[Fit]]:
    settings = TrainingSpec(**{"batch": 20, "epochs": 12, "trial_epochs": 2, "learning_rates": rates} | spec)
    return train_best(lambda: _made(terms, variational=bool(terms)), settings, _rows, TRAIN, VALID, 7)


def test_rates_race_for_some_epochs_and_the_best_goes_on() -> None:
    best, fits = _race((1e-9, 1e-2, 1e30))
    assert [fit.chosen for fit in fits] == [False, True, False]
    assert [len(fit.train) for fit in fits[:2]] == [2, 12]
    assert "not finite in epoch 1" in fits[2].diverged
    assert best.fit(True).lr == 1e-2


def test_rates_race_at_full_weights() -> None:
    _, fits = _race((1e-9, 1e-2), terms=(KL,), patience=12)
    assert [len(fit.train) for fit in fits] == [4 + 2, 12]
    _, fits = _race((1e-9, 1e-2), terms=(KL,), epochs=3)
    assert [len(fit.train) for fit in fits] == [3, 3]


@pytest.mark.parametrize("rates", [(1e30, 1e-2), (1e-2, 1e30)])
def test_a_pretraining_that_diverges_does_not_win(rates: tuple[float, ...]) -> None:
    _, fits = _race(rates, pretraining=2)
    assert [fit.chosen for fit in fits] == [fit.lr == 1e-2 for fit in fits]
    (lost,) = [fit for fit in fits if not fit.chosen]
    assert "not finite before epoch 1" in lost.diverged
    assert Fit.model_validate_json(lost.model_dump_json()) == lost
