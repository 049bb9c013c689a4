"""Variational models: the deterministic limit, the weight of the divergence, bounds and moments against exact ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from losslens.losses import LOSSES
from losslens.models.autoencoders import Autoencoder, Outputs
from losslens.models.objective import Batch, Objective
from losslens.models.spec import ModelSpec, ObjectiveSpec, TermSpec
from losslens.run.batches import shuffled
from losslens.run.generative import importance_weighted_nats, kl_weight, moments, posterior, spread
from losslens.run.loop import Training
from losslens.run.spec import TrainingSpec

FEATURES, CODE, SAMPLES = 8, 2, 60
KL = TermSpec(loss="kl_standard_normal")


def _profiles(binary: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    low = torch.randn(SAMPLES, CODE, generator=generator) @ torch.randn(CODE, FEATURES, generator=generator)
    return (low > 0).float() if binary else low + 0.1 * torch.randn(SAMPLES, FEATURES, generator=generator)


def _variational(hidden: tuple[int, ...] = (6,)) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder.build(ModelSpec(hidden=hidden, code=CODE, variational=True), FEATURES)


# --- the deterministic limit ---------------------------------------------------------------------------------------


def _plain_pytorch(
    model: Autoencoder, x: Tensor, loss: Callable[[Tensor, Tensor], Tensor], spec: TrainingSpec
) -> Tensor:
    """A textbook loop over a deterministic network that starts at the weights of the variational one's means."""
    first, act, last = nn.Linear(FEATURES, 6), nn.ReLU(), nn.Linear(6, CODE)
    decoder = nn.Sequential(nn.Linear(CODE, 6), nn.ReLU(), nn.Linear(6, FEATURES))
    encoder = nn.Sequential(first, act, last)
    theirs = model.encoder.paths[0]
    first.load_state_dict(theirs[0].state_dict())
    last.load_state_dict({name: part[:CODE] for name, part in theirs[2].state_dict().items()})
    decoder.load_state_dict(model.decoder.paths[0].state_dict())
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], spec.learning_rates[0])
    order = torch.Generator().manual_seed(5)
    for _ in range(spec.epochs):
        for index in shuffled(torch.arange(len(x)), spec.batch, order):
            optimiser.zero_grad()
            loss(decoder(encoder(x[index])), x[index]).backward()
            optimiser.step()
    return decoder(encoder(x)).detach()


def _mse(output: Tensor, target: Tensor) -> Tensor:
    return functional.mse_loss(output, target)


def _bce(output: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(output, target, reduction="none").sum(1).mean()


# The scale at which the density, summed over features, is the loss averaged over them, but for a constant.
LIMITS = {
    "mse": ("mse", {}, _mse, False),
    "gaussian": ("gaussian", {"scale": math.sqrt(FEATURES / 2)}, _mse, False),
    "laplace": ("laplace", {"scale": float(FEATURES)}, functional.l1_loss, False),
    "bernoulli": ("bernoulli", {}, _bce, True),
}


def _trained(name: str, log_variance: float, weight: float) -> tuple[Tensor, Tensor]:
    """Reconstructions under means of the posterior, by our loop and by the textbook loop."""
    loss, options, reference, binary = LIMITS[name]
    x, spec = _profiles(binary), TrainingSpec(learning_rates=(1e-2,), batch=20, epochs=12, patience=12)
    model = _variational()
    head = model.encoder.paths[0][2]
    with torch.no_grad():
        head.weight[CODE:] = 0.0
        head.bias[CODE:] = log_variance
    expected = _plain_pytorch(model, x, reference, spec)
    terms = (KL.model_copy(update={"weight": weight}),)
    link = LOSSES[loss].link or "linear"
    objective = Objective(ObjectiveSpec(loss=loss, link=link, options=options, terms=terms), FEATURES, CODE)
    index = torch.arange(SAMPLES)
    training = Training(model, objective, 1e-2, spec, lambda rows: Batch(x[rows]), index, index, seed=5)
    training.epochs(12)
    return model.eval()(x).output.detach(), expected


@pytest.mark.parametrize("name", LIMITS)
def test_without_variance_and_divergence_it_is_the_deterministic_autoencoder(name: str) -> None:
    ours, plain = _trained(name, log_variance=-200.0, weight=0.0)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    assert float(plain.var(0).mean()) > 0.1  # it has learned something


@pytest.mark.parametrize(("log_variance", "weight"), [(-4.0, 0.0), (-200.0, 0.1)])
@pytest.mark.parametrize("name", LIMITS)
def test_with_either_of_them_it_is_not(name: str, log_variance: float, weight: float) -> None:
    ours, plain = _trained(name, log_variance, weight)
    assert float((ours - plain).abs().max()) > 1e-2


# --- the weight of the divergence ----------------------------------------------------------------------------------


def _weighed(loss: str, options: dict[str, Any] | None = None, beta: float = 3.0, **spec: Any) -> float | None:
    x, model = _profiles(), _variational()
    terms = (KL.model_copy(update={"weight": beta}),)
    objective = Objective(ObjectiveSpec(loss=loss, options=options or {}, terms=terms, **spec), FEATURES, CODE)
    parts = torch.arange(SAMPLES).split(25)
    return kl_weight(model, objective, lambda rows: Batch(x[rows]), parts, torch.Generator().manual_seed(1))


def _errors() -> np.ndarray:
    """Errors of the same codes."""
    x, model, noise = _profiles(), _variational(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        outputs = torch.cat([model(x[part], noise).output for part in torch.arange(SAMPLES).split(25)])
    return (outputs - x).double().numpy()


def test_the_weight_beside_half_the_squared_error() -> None:
    """Twice half the squared error is summed by mse; a density has it over its variance."""
    assert _weighed("mse") == pytest.approx(3.0 / 2.0, rel=1e-5)
    assert _weighed("gaussian", {"scale": 0.5}) == pytest.approx(3.0 * 0.25, rel=1e-5)
    assert _weighed("gaussian") == pytest.approx(3.0, rel=1e-5)  # a learned scale that is one as yet
    assert _weighed("mse", beta=0.0) == 0.0


def test_the_weight_beside_other_losses_is_by_their_pull_along_the_errors() -> None:
    e = _errors()
    squared = float((e**2).sum())
    assert _weighed("laplace", {"scale": 2.0}) == pytest.approx(3.0 * squared / (np.abs(e).sum() / 2.0), rel=1e-4)
    assert _weighed("mae") == pytest.approx(3.0 * squared / np.abs(e).sum(), rel=1e-4)
    student = 6.0 * (e**2 / (5.0 * 4.0 + e**2)).sum()  # five degrees of freedom, scale two
    found = _weighed("student_t", {"degrees_of_freedom": 5.0, "scale": 2.0})
    assert found == pytest.approx(3.0 * squared / student, rel=1e-4)


def test_a_calibrated_density_weighs_by_the_errors_of_its_batch() -> None:
    by_batch = np.split(_errors(), [25, 50])
    along = sum(part.size for part in by_batch)  # each batch pulls by its size: its squares over their mean
    expected = 3.0 * sum(float((part**2).sum()) for part in by_batch) / along
    assert _weighed("calibrated_gaussian") == pytest.approx(expected, rel=1e-4)


def test_losses_in_nats_of_other_data_and_losses_blind_to_scale() -> None:
    assert _weighed("bernoulli", link="logits") == 3.0
    assert _weighed("poisson", link="softmax") == 3.0
    assert _weighed("cosine") is None
    x = _profiles()
    objective = Objective(ObjectiveSpec(loss="mse"), FEATURES, CODE)
    parts = (torch.arange(SAMPLES),)
    assert kl_weight(_variational(), objective, lambda rows: Batch(x[rows]), parts, torch.Generator()) is None


@pytest.mark.parametrize(("loss", "options", "curvature"), [("mse", {}, 2.0), ("gaussian", {"scale": 0.7}, 1 / 0.49)])
def test_the_objective_is_half_the_squared_error_and_that_weight_of_divergence(
    loss: str, options: dict[str, Any], curvature: float
) -> None:
    """Over profiles and codes the objective, in these units, differs by just that."""
    generator = torch.Generator().manual_seed(7)
    terms = (KL.model_copy(update={"weight": 1.7}),)
    objective = Objective(ObjectiveSpec(loss=loss, options=options, terms=terms), FEATURES, CODE).double()
    found = []
    for _ in range(2):
        output, target = (torch.randn(5, FEATURES, generator=generator).double() for _ in range(2))
        mean, log_variance = (torch.randn(5, CODE, generator=generator).double() for _ in range(2))
        own = objective.own_loss(Outputs(mean, output, mean, log_variance), Batch(target)).detach()
        scale = FEATURES if loss == "mse" else 1.0
        divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1.0).sum(1).mean()
        found.append((own * scale / curvature, 0.5 * (output - target).square().sum(1).mean(), divergence))
    own, half, divergence = (float(a - b) for a, b in zip(*found, strict=True))
    weight = _weighed(loss, options, beta=1.7)
    assert own == pytest.approx(half + weight * divergence, rel=1e-6)


# --- the importance-weighted bound ---------------------------------------------------------------------------------


def _linear_gaussian(scale: float, off: float = 0.0) -> tuple[Autoencoder, Objective]:
    """x = W z + b + noise with orthogonal W: the exact posterior has independent dimensions, and is the encoder's.

    ``off`` moves the encoder's means away from it.
    """
    torch.manual_seed(1)
    model = _variational(hidden=()).double()
    encoder, decoder = model.encoder.paths[0][0], model.decoder.paths[0][0]
    with torch.no_grad():
        axes = torch.linalg.qr(torch.randn(FEATURES, CODE, dtype=torch.float64))[0] * torch.tensor([1.5, 0.6])
        decoder.weight.copy_(axes)
        precision = axes.square().sum(0) / scale**2 + 1.0
        encoder.weight[:CODE] = (axes / scale**2 / precision).T
        encoder.bias[:CODE] = -encoder.weight[:CODE] @ decoder.bias + off
        encoder.weight[CODE:] = 0.0
        encoder.bias[CODE:] = -precision.log()
    objective = Objective(ObjectiveSpec(loss="gaussian", options={"scale": scale}, terms=(KL,)), FEATURES, CODE)
    return model, objective.double()


def _exact_nats(model: Autoencoder, scale: float, x: Tensor) -> np.ndarray:
    w, b = (part.detach().numpy() for part in (model.decoder.paths[0][0].weight, model.decoder.paths[0][0].bias))
    law = stats.multivariate_normal(b, w @ w.T + scale**2 * np.eye(FEATURES))
    return -law.logpdf(x.numpy())


def _bound(off: float, samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    model, objective = _linear_gaussian(0.75, off)
    x = _profiles().double()
    found = importance_weighted_nats(model, objective, Batch(x), samples, torch.Generator().manual_seed(seed))
    return found.numpy(), _exact_nats(model, 0.75, x)


@pytest.mark.parametrize("samples", [1, 3])
def test_under_the_exact_posterior_every_draw_gives_the_exact_likelihood(samples: int) -> None:
    found, exact = _bound(0.0, samples)
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_under_another_posterior_it_falls_to_the_exact_likelihood_with_the_samples() -> None:
    means = {n: np.mean([_bound(0.5, n, seed)[0].mean() for seed in range(4)]) for n in (1, 4, 16, 64)}
    exact = _bound(0.5, 1)[1].mean()
    assert means[1] > means[4] > means[16] > means[64] > exact - 0.02
    assert means[64] == pytest.approx(exact, abs=0.05)
    assert means[1] > exact + 0.3


def test_with_one_sample_it_is_on_average_the_negative_evidence_lower_bound() -> None:
    model, objective = _linear_gaussian(0.75, off=0.5)
    x = _profiles().double()
    mean, log_variance = (part.detach() for part in model.posterior(x))
    w = model.decoder.paths[0][0].weight.detach()
    squared = (x - model.decode(mean).detach()).square().sum(1) + (log_variance.exp() * w.square().sum(0)).sum(1)
    nats = squared / (2 * 0.75**2) + FEATURES * (math.log(0.75) + 0.5 * math.log(2 * math.pi))
    elbo = nats + 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0).sum(1)
    noise = torch.Generator().manual_seed(2)
    draws = torch.stack([importance_weighted_nats(model, objective, Batch(x), 1, noise) for _ in range(400)])
    error = draws.std(0) / 400**0.5
    assert float(((draws.mean(0) - elbo) / error).abs().max()) < 5.0


def test_a_posterior_without_width_has_a_finite_bound() -> None:
    model = _variational()
    with torch.no_grad():
        model.encoder.paths[0][2].bias[CODE:] = -400.0
    objective = Objective(ObjectiveSpec(loss="gaussian", terms=(KL,)), FEATURES, CODE)
    x = _profiles()
    found = posterior(model, objective, lambda rows: Batch(x[rows]), (torch.arange(SAMPLES),), seed=0)
    assert found.bound is not None
    assert np.isfinite(found.bound).all()
    assert posterior(model, Objective(ObjectiveSpec(loss="mse", terms=(KL,)), FEATURES, CODE),
                     lambda rows: Batch(x[rows]), (torch.arange(SAMPLES),), seed=0).bound is None  # fmt: skip


# --- what a model of counts expects --------------------------------------------------------------------------------

MEANS, THETA, ODDS = (
    np.array([[0.02, 0.7, 5.0, 300.0]]),
    np.array([0.3, 1.0, 8.0, 50.0]),
    np.array([0.01, 0.5, 2.0, 9.0]),
)


def _settings(loss: str) -> dict[str, Tensor]:
    given = {"inverse_dispersion": torch.tensor(THETA), "zero_odds": torch.tensor(ODDS)}
    return {name: given[name] for name in LOSSES[loss].parameters}


@pytest.mark.parametrize("inflated", [False, True])
@pytest.mark.parametrize("law", ["poisson", "negative_binomial"])
def test_moments_equal_those_of_scipy(law: str, inflated: bool) -> None:
    """A share of the counts is lost: what is left of mean and second moment."""
    name = f"zero_inflated_{law}" if inflated else law
    left = 1.0 / (1.0 + ODDS) if inflated else np.ones(4)
    counts = stats.poisson(MEANS) if law == "poisson" else stats.nbinom(THETA, THETA / (THETA + MEANS))
    mean, variance = (part.numpy() for part in moments(LOSSES[name], torch.tensor(MEANS), _settings(name)))
    np.testing.assert_allclose(mean, left * counts.mean(), rtol=1e-8)
    second = left * (counts.var() + counts.mean() ** 2)
    np.testing.assert_allclose(variance, second - (left * counts.mean()) ** 2, rtol=1e-7)


class _Fixed(nn.Module):
    """A network whose output is given by the row's first number."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> Outputs:
        return Outputs(x[:, :1], self.outputs[x[:, 0].long()])


@pytest.mark.parametrize("loss", [entry.name for entry in LOSSES.values() if entry.log_laplace is not None])
def test_expected_zeros_and_variances_are_those_of_drawn_counts(loss: str) -> None:
    """Over all rows together, however they are cut into parts."""
    rng = np.random.default_rng(0)
    outputs = torch.tensor(rng.normal(size=(40, 5)), dtype=torch.float32)
    size = torch.tensor(rng.uniform(20, 200, size=(40, 1)), dtype=torch.float32)
    counts = torch.tensor(rng.poisson(3.0, size=(40, 5)), dtype=torch.float32)
    objective = Objective(ObjectiveSpec(loss=loss, link="softmax"), 5, 1)

    def rows(index: Tensor) -> Batch:
        return Batch(index[:, None].float().expand(-1, 5), counts[index], size[index], 1 / size[index])

    parts = torch.arange(40).split(17)
    found = spread(_Fixed(outputs), objective, rows, parts, seed=0)
    assert found is not None
    seen = counts.double().numpy()
    np.testing.assert_allclose(found.zeros_seen, (seen == 0).mean(0))
    np.testing.assert_allclose(found.row_zeros_seen, (seen == 0).mean(1))
    np.testing.assert_allclose(found.variance_seen, seen.var(0), rtol=1e-9)
    np.testing.assert_allclose(found.mean_seen, seen.mean(0))
    drawn = _drawn(loss, objective, (torch.softmax(outputs, 1) * size).numpy(), rng)  # (draws, rows, features)
    np.testing.assert_allclose(found.zeros_expected, (drawn == 0).mean((0, 1)), atol=0.01)
    np.testing.assert_allclose(found.row_zeros_expected, (drawn == 0).mean((0, 2)), atol=0.03)
    np.testing.assert_allclose(found.variance_expected, drawn.reshape(-1, 5).var(0), rtol=0.06)


def _drawn(loss: str, objective: Objective, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    settings = {name: value.detach().numpy() for name, value in objective.criterion.settings().items()}
    shape, rate = (4000, *mean.shape), np.broadcast_to(mean, (4000, *mean.shape))
    if "inverse_dispersion" in settings:
        theta = settings["inverse_dispersion"]
        rate = rng.gamma(np.broadcast_to(theta, shape), rate / theta)
    counts = rng.poisson(rate)
    kept = rng.random(shape) >= settings["zero_odds"] / (1 + settings["zero_odds"]) if "zero_odds" in settings else 1
    return counts * kept


def test_data_that_are_no_counts_have_no_spread() -> None:
    x = _profiles()
    objective = Objective(ObjectiveSpec(loss="mse"), FEATURES, CODE)
    assert spread(_variational(), objective, lambda rows: Batch(x[rows]), (torch.arange(9),), seed=0) is None
